"""Where the notifications of a run go, and what is told of a die's run and of a wafer's. May import all parts."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import InputError, MtjlabError
from .notify import Event, Message, Notifier

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import Answer, Ask, Question, WaferOutcome

    from .ledger_rows import AttemptRow
    from .nouns import Progress
    from .records import RunStore

VARIABLE, FILE, OFF = "MTJLAB_NOTIFY", "mtjlab.yaml", "off"
"""Environment variable with addresses, blanks between; a file of the user, never copied into a run; tell nobody."""

NotifyTo = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        help=f"Address (apprise URL) to be told at; off: nobody. [default: {VARIABLE}, or {FILE} beside the station]",
    ),
]


def notifier_for(given: list[str] | None, station: Path | None) -> Notifier:
    """Who is told: the addresses of the option; or of the environment; or of `mtjlab.yaml` beside the station or here.

    Raises InputError, without any address in it, for one that cannot be used, or if apprise is not installed.
    """
    from .notify import checked_addresses

    addresses, about, where = _wanted(given, station)
    return Notifier(checked_addresses(addresses, where), about)


def _wanted(given: list[str] | None, station: Path | None) -> tuple[list[str], list[Event], str]:
    if given:
        return [] if given == [OFF] else given, list(Event), "--notify"
    if os.environ.get(VARIABLE, "").strip():
        words = os.environ[VARIABLE].split()
        return [] if words == [OFF] else words, list(Event), VARIABLE
    for folder in (*([station.parent] if station else []), Path()):
        if (folder / FILE).is_file():
            return *_from_file(folder / FILE), str(folder / FILE)
    return [], [], ""


def _from_file(path: Path) -> tuple[list[str], list[Event]]:
    from .yaml_files import load_yaml, nearest

    content = load_yaml(path)
    for key in content:
        if key not in ("notify", "about"):
            raise InputError(f"unknown key '{key}'", where=str(path), remedy=nearest(key, ("notify", "about")))
    addresses, about = content.get("notify") or [], content.get("about", list(Event))
    if not isinstance(addresses, list) or not all(isinstance(one, str) for one in addresses):
        raise InputError("'notify' is no list of addresses", where=str(path), remedy="Write one a line, after '- '")
    if not isinstance(about, list):
        raise InputError("'about' is no list", where=str(path), remedy=f"Write [{', '.join(Event)}]")
    for word in about:
        if word not in list(Event):
            raise InputError(f"'about' has '{word}'", where=str(path), remedy=nearest(word, list(Event)))
    return [str(one) for one in addresses], [Event(word) for word in about]


def tell_problems(notifier: Notifier) -> None:
    """Wait a little for what is on its way, and say what did not go out."""
    for problem in notifier.close():
        typer.echo(f"mtjlab: {problem}", err=True)


@contextmanager
def told_of(notifier: Notifier, name: str, folder: Path) -> Iterator[None]:
    """Whatever is done inside, a computation without a die: that it is done, or why it ended early, is told."""
    facts: dict[str, Any] = {"run": f"{name}, in {folder.name}", "where": _where(folder)}
    try:
        yield
    except BaseException as error:
        reason = f"stopped by {str(error) or 'Ctrl-C'}" if isinstance(error, KeyboardInterrupt) else str(error)
        wanted = "start it again: what had been computed is taken from the folder"
        notifier.tell(Message(Event.STOPPED, f"'{name}' ended early", reason=reason, wanted=wanted, **facts))
        raise
    else:
        notifier.tell(Message(Event.DONE, f"'{name}' is done", **facts))
    finally:
        tell_problems(notifier)


def tell_ending(notifier: Notifier, result: dict[str, Any], folder: Path) -> None:
    """How the run of a recipe on one die ended, and its incidents.

    Args:
        result: as it is in `result.json`.
    """
    name, die = result["recipe"]["name"], result["die"]
    facts: dict[str, Any] = {"run": f"{name}, in {folder.name}", "where": _where(folder)}
    facts["die"] = f"({die['x']}, {die['y']}) of wafer {die['wafer'] or '(no name)'}" if die else ""
    for incident in result["incidents"]:
        wanted = "look at the die and the bench before anything else is run"
        headline, reason = f"incident in '{name}'", f"{incident['kind']}: {incident['message']}"
        notifier.tell(Message(Event.INCIDENT, headline, reason=reason, wanted=wanted, **facts))
    if result["status"] == "complete":
        notifier.tell(Message(Event.DONE, *_done(name, result["bin"]), **facts))
        return
    reason = "; ".join([result["reason"], *result["problems"]])
    is_off = result["outputs_off"] is not False and result["relays_open"] is not False
    wanted = (
        "start it again when it has been seen to" if is_off else "go to the bench: not everything is known to be off"
    )
    headline = f"'{name}' {'was stopped' if result['status'] == 'stopped' else 'failed'}"
    notifier.tell(Message(Event.STOPPED, headline, reason=reason, wanted=wanted, **facts))


def _done(name: str, sorted_into: dict[str, Any]) -> tuple[str]:
    bins = f"hard bin {sorted_into['hard']}, soft bin {sorted_into['soft']}"
    judged = "good" if sorted_into["is_good"] else f"not good ({sorted_into['name']})"
    return (f"'{name}' is done: {judged}, {bins}",)


class WaferNotices:
    """What is told of a wafer run, beside what it does.

    Args:
        command: that goes on with a run, without `--resume FOLDER`.
    """

    def __init__(self, notifier: Notifier, command: str) -> None:
        self._notifier, self._command = notifier, command
        self._facts: dict[str, Any] = {}
        self._told: set[int] = set()
        self._folder = Path()

    def attached(self, hands: dict[str, Any], store: RunStore) -> dict[str, Any]:
        """`ask` and `progress` of `probe_wafer` that tell too."""
        self._folder = store.folder
        self._told = {visit.attempt for visit in _visits(store)}  # those of before it was resumed
        name = store.provenance.recipe_name
        self._facts = {"run": f"{name}, wafer {store.plan.wafer}, in {store.folder.name}"}
        self._facts["where"] = _where(store.folder)
        return hands | {"ask": self._asking(hands["ask"]), "progress": self._watching(hands["progress"], store)}

    @contextmanager
    def raised(self) -> Iterator[None]:
        """What ends a run by an exception is told, and goes on."""
        try:
            yield
        except BaseException as error:
            if self._facts:
                stopped = isinstance(error, KeyboardInterrupt)
                reason = f"stopped by {str(error) or 'Ctrl-C'}" if stopped else str(error)
                self._stopped("was stopped" if stopped else "failed", reason)
                tell_problems(self._notifier)
            raise

    def ended(self, outcome: WaferOutcome) -> None:
        """How it ended by itself."""
        if outcome.left:
            reason = outcome.reason or f"{len(outcome.left)} dies are left"
            self._stopped("has stopped", reason)
            return
        headline = f"wafer run is done: {len(outcome.visited)} visits, {outcome.touchdowns} touch-downs"
        self._notifier.tell(Message(Event.DONE, headline, **self._facts))

    def _stopped(self, how: str, reason: str) -> None:
        wanted = f"see to it, then go on with: {self._command} --resume {self._folder}"
        self._notifier.tell(Message(Event.STOPPED, f"wafer run {how}", reason=reason, wanted=wanted, **self._facts))

    def _asking(self, ask: Ask) -> Ask:
        def asked(question: Question) -> Answer:
            die = f"({question.die.x}, {question.die.y})" if question.die else ""
            reason = f"{question.what}: {question.reason}"
            wanted = "decide at the terminal or on the page: retry, skip or stop; the bench is idle meanwhile"
            self._notifier.tell(Message(Event.WAITING, "the run waits for you", die=die, reason=reason, wanted=wanted,
                                        **self._facts))  # fmt: skip
            return ask(question)

        return asked

    def _watching(self, progress: Progress, store: RunStore) -> Callable[[str, int, int], None]:
        """Between two dies: has the last visit failed?"""

        def told(what: str, done: int, total: int) -> None:
            with contextlib.suppress(MtjlabError):
                self._look(store)
            progress(what, done, total)

        return told

    def _look(self, store: RunStore) -> None:
        """An instrument that fails on a die leaves a failed visit, and the die is the next one once more."""
        from .ledger_rows import DieState

        for die in store.left()[:1]:
            for visit in _visits(store):
                is_new = visit.attempt not in self._told and visit.die == die
                if visit.state is DieState.FAILED and is_new:
                    self._told.add(visit.attempt)
                    self._notifier.tell(
                        Message(
                            Event.INCIDENT,
                            "a visit of a die failed; it is tried again",
                            die=f"({die.x}, {die.y})",
                            reason=visit.reason,
                            **self._facts,
                        )
                    )


def _visits(store: RunStore) -> list[AttemptRow]:
    from .ledger_rows import LedgerView
    from .run_names import LEDGER

    view = LedgerView(store.folder / LEDGER)
    try:
        return view.attempts()
    finally:
        view.close()


def _where(folder: Path) -> str:
    return f"{platform.node()}, {folder.resolve()}"
