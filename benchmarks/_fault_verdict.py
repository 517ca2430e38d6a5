"""What a run with a fault may leave behind, and what it may not; whether wrong readings were told to be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mtjlab.errors import InstrumentError

from ._fault_cases import Case
from ._fault_rig import Outcome

_SAFE_VOLTS = 1e-3
_HEARD_BY_NOBODY = "silent"
_HOT = ("hot switching",)
_UNDER_LOAD = {"power_loss": _HOT, "stuck_closed": _HOT, "silent": _HOT}
"""Incidents that a fault brings about by itself: relays open under an output that nobody can switch off any more."""
_BAD_CONTACTS = ("contact", "drift", "stuck_open", "stuck_closed")
"""Faults that no instrument can know of."""
_MEASURING = ("reading", "verify", "pulse")
_MUST_BE_NOTICED = {
    "trip": _MEASURING,
    "power_loss": (*_MEASURING, "relays moving", "outputs on", "level set", "going idle", "scan", "write scan"),
}
"""Phases in which an instrument that drops out matters, whether or not a reading comes out wrong."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one case.

    Attributes:
        case: which.
        failures: what must not be.
        is_stopped: whether the run ended with an error.
        wrong: how many readings and pulses were told that are not those of the undisturbed run.
        is_marked: whether any of those was in compliance or off scale.
    """

    case: Case
    failures: tuple[str, ...]
    is_stopped: bool
    wrong: int
    is_marked: bool

    @property
    def noticed(self) -> str:
        """How a fault that made readings wrong came out."""
        if not self.wrong:
            return "stopped" if self.is_stopped else "harmless"
        if self.is_stopped:
            return "wrong, then stopped"
        return "wrong, marked" if self.is_marked else "wrong, unnoticed"


def judged(case: Case, outcome: Outcome, undisturbed: Outcome) -> Verdict:
    """Compare a run that had a fault with what should be, and with the run that had none."""
    wrong = [
        row
        for number, row in enumerate(outcome.rows)
        if number >= len(undisturbed.rows) or not row.agrees(undisturbed.rows[number])
    ]
    failures = [*_left_on(case, outcome), *_untold(case, outcome), *_lost(case, outcome, undisturbed)]
    is_marked = any(row.is_marked for row in wrong)
    if not failures and outcome.error is None:
        if wrong and not is_marked and case.kind not in _BAD_CONTACTS:
            failures = ["wrong readings went unnoticed"]
        if outcome.identities != undisturbed.identities:
            failures = ["a wrong identity went unnoticed"]
        if case.operation.phase in _MUST_BE_NOTICED.get(case.kind, ()):
            failures = ["went unnoticed"]
    return Verdict(case, tuple(failures), outcome.error is not None, len(wrong), is_marked)


def _left_on(case: Case, outcome: Outcome) -> Iterator[str]:
    """Outputs, relays, and what the world has on record; a dead instrument cannot be switched off, only told."""
    dead = (case.target or "") if case.kind == _HEARD_BY_NOBODY else ""
    report = outcome.report
    for name in outcome.live:
        if name != dead:
            yield f"the output of {name} is on"
    for name, is_off in report.outputs_off.items():
        instrument = name.partition(".")[0]
        if is_off is True and instrument in outcome.live:
            yield f"{name} is on and reported as off"
        if is_off is not True and instrument != dead:
            yield f"{name} is reported as {is_off}"
    if not report.outputs_off:
        yield "nothing was reported"
    if outcome.closed and report.relays_open is True:
        yield "relays are closed and reported as open"
    if report.relays_open is not True and (not dead or dead in {name.partition(".")[0] for name in report.outputs_off}):
        yield f"relays are reported as open: {report.relays_open}"
    if outcome.cell_volts > _SAFE_VOLTS:
        yield f"{outcome.cell_volts:.3g} V across a cell"
    explained = _UNDER_LOAD.get(case.kind, ())
    for kind in {incident.kind for incident in outcome.incidents}:
        if kind not in explained:
            yield f"incident: {kind}"


def _untold(case: Case, outcome: Outcome) -> Iterator[str]:
    """The message: which instrument, and what to do."""
    error = outcome.error
    if error is None:
        return
    if not isinstance(error, InstrumentError):
        yield f"{type(error).__name__} escaped"
        return
    names = [case.target] if case.target and case.kind not in _BAD_CONTACTS else _instruments(outcome)
    if not any(name in str(error) for name in names if name):
        yield "the message does not name the instrument"
    if not error.remedy:
        yield "the message has no remedy"


def _instruments(outcome: Outcome) -> list[str]:
    return [*(name.partition(".")[0] for name in outcome.report.outputs_off), "matrix", "array"]


def _lost(case: Case, outcome: Outcome, undisturbed: Outcome) -> Iterator[str]:
    """What was complete before the fault must have been kept as it was; a map that is not whole must say so."""
    before = case.operation.rows
    if len(outcome.rows) < before:
        yield f"{before - len(outcome.rows)} readings were lost"
    elif not all(row.agrees(should) for row, should in zip(outcome.rows[:before], undisturbed.rows, strict=False)):
        yield "what was read before the fault is not what was kept"
    if outcome.kept is None:
        if before:
            yield "no map was kept"
    elif not outcome.kept.is_partial and len(outcome.rows) < len(undisturbed.rows) and not outcome.rows[before:]:
        yield "a map that is not whole does not say so"
