"""People elsewhere are told how a run fares; whatever becomes of a message, the run and its folder are the same."""

from __future__ import annotations

import http.server
import json
import logging
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mtjlab import cli_notify, cli_recipe_wafer, cli_reproduce
from mtjlab.bench_lock import BenchLock, holder_of
from mtjlab.cli import app
from mtjlab.cli_notify import notifier_for
from mtjlab.errors import InputError, InstrumentError
from mtjlab.notify import MOST_INCIDENTS, Event, Message, Notifier
from mtjlab.sim_instruments import benches

from .commands import change

pytest.importorskip("apprise", reason="needs apprise: the extra 'notify' or 'test'")
PACKAGED = Path(benches.__file__).parent
SECRET = "s3cr3t-t0ken"
ROWS, COLS = (
    ", ".join(map(str, [*range(101, 113), 201, 202, 203])),
    ", ".join(map(str, [*range(204, 213), *range(301, 307)])),
)
HEALTHY = "{rows: 2, cols: 2, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}"
WAFER = f"wafer: tiny\ndie: {HEALTHY}\npitch_mm: [5, 5]\nradius_mm: 6\n"
STEPS = "steps: [{step: contact}, {step: read}]\n"
DIE = f"recipe: look\nbench: {{simulated: small.yaml}}\ndie: {{wafer: W7, x: 3, y: -2}}\n{STEPS}"
WALK = f"recipe: walk\nbench: {{simulated: tiny.yaml}}\nwafer: {{name: W9, overtravel_metres: 35 um}}\n{STEPS}"
A_MESSAGE = Message(Event.DONE, "done", "run")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a 2 x 2 die under fixed probes, a wafer of such dies, and a recipe for each; nobody is told yet."""
    for source, name in (("passive15", "small"), ("probed15", "tiny")):
        for kind in ("wiring.", "station.", ""):
            shutil.copy(PACKAGED / f"{source}.{kind}yaml", tmp_path / f"{name}.{kind}yaml")
        change(tmp_path / f"{name}.yaml", f"wiring: {source}", f"wiring: {name}")
        change(tmp_path / f"{name}.wiring.yaml", f"[{ROWS}]", "[101, 102]")
        change(tmp_path / f"{name}.wiring.yaml", f"[{COLS}]", "[204, 205]")
    change(tmp_path / "small.yaml", "die: {}", f"die: {HEALTHY}")
    change(tmp_path / "tiny.yaml", "wafer: passive15", "wafer: wafer.yaml")
    (tmp_path / "wafer.yaml").write_text(WAFER, encoding="utf-8")
    (tmp_path / "die.recipe.yaml").write_text(DIE, encoding="utf-8")
    (tmp_path / "walk.recipe.yaml").write_text(WALK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(cli_notify.VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def phone() -> Iterator[Phone]:
    """A service on loopback."""
    with Phone() as one:
        yield one


class Phone:
    """Takes what apprise posts as JSON."""

    def __init__(self) -> None:
        self.rang: list[dict[str, Any]] = []
        rang = self.rang

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                rang.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path})
                self.send_response(200)
                self.end_headers()

            def log_message(self, *given: Any) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.address = f"json://127.0.0.1:{self._server.server_port}/{SECRET}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Phone:
        self._thread.start()
        return self

    def __exit__(self, *given: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def titles(self) -> list[str]:
        return [one["title"] for one in self.rang]

    def told_of(self, words: str) -> str:
        (body,) = [one["message"] for one in self.rang if words in one["title"]]
        return str(body)


def typed(*arguments: str, status: int = 0) -> Result:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done


def holds_the_secret(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_the_end_of_a_run_is_told_and_the_address_is_kept_nowhere(
    here: Path, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    done = typed("run", "die.recipe.yaml", "--out", "o", "--notify", phone.address)
    assert phone.titles() == ["mtjlab: 'look' is done: good, hard bin 1, soft bin 1"]
    body = phone.told_of("is done")
    for words in ("Run: look, in o", "Die: (3, -2) of wafer W7", "What is wanted: nothing", str(here / "o")):
        assert words in body
    assert phone.rang[0]["path"] == f"/{SECRET}"
    assert SECRET not in done.output + done.stderr + caplog.text
    assert holds_the_secret(here) == []


def test_an_instrument_that_fails_is_told_with_what_is_wanted(here: Path, phone: Phone) -> None:
    change(here / "small.yaml", "faults: []", "faults: [{instrument: sense, kind: silent, after_operations: 30}]")
    typed("run", "die.recipe.yaml", "--out", "o", "--notify", phone.address, status=1)
    assert phone.titles() == ["mtjlab: 'look' failed"]
    assert "What happened: sense" in phone.told_of("failed")
    assert "not everything is known to be off" in phone.told_of("failed")


def test_a_message_that_cannot_be_sent_changes_nothing_of_the_run(here: Path) -> None:
    with Phone() as gone:
        pass
    done = typed("run", "die.recipe.yaml", "--out", "o", "--notify", gone.address)
    assert "1 of 1 notifications could not be sent" in done.stderr
    assert SECRET not in done.output + done.stderr
    assert json.loads((here / "o" / "result.json").read_text(encoding="utf-8"))["status"] == "complete"
    assert holds_the_secret(here) == []


def test_a_service_that_never_answers_delays_nothing() -> None:
    answer = threading.Event()
    notifier = Notifier(["x"], send=lambda *message: answer.wait(), limit_seconds=0.0)
    notifier.tell(A_MESSAGE)  # returns though nothing has been sent
    assert notifier.close() == ["1 of 1 notifications had not gone out after 0 s"]
    answer.set()


def test_whatever_a_service_throws_is_only_counted() -> None:
    def broken(*message: str) -> bool:
        raise RuntimeError(SECRET)

    notifier = Notifier(["x", "y"], send=broken)
    notifier.tell(A_MESSAGE)
    assert notifier.close() == ["2 of 2 notifications could not be sent: try the address alone"]


def test_only_what_is_wanted_is_told_and_not_too_many_incidents() -> None:
    sent: list[str] = []

    def send(address: str, title: str, body: str) -> bool:
        sent.append(title)
        return True

    notifier = Notifier(["x"], (Event.INCIDENT,), send=send)
    for _ in range(MOST_INCIDENTS + 3):
        notifier.tell(Message(Event.INCIDENT, "hot switching", "run"))
    notifier.tell(A_MESSAGE)
    assert notifier.close() == []
    assert sent == ["mtjlab: hot switching"] * MOST_INCIDENTS


def test_a_failing_visit_a_question_and_the_end_of_a_wafer_are_told(
    here: Path, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    made = cli_recipe_wafer._context

    def context(*given: Any) -> Any:
        seen.append(1)
        if len(seen) in (2, 3):
            raise InstrumentError("no reply", where="drive")
        return made(*given)

    monkeypatch.setattr(cli_recipe_wafer, "_context", context)
    monkeypatch.setenv(cli_notify.VARIABLE, phone.address)
    typed("run", "walk.recipe.yaml", "--out", "w", "--patience", "0", status=4)
    assert sorted(phone.titles()) == [
        "mtjlab: a visit of a die failed; it is tried again",
        "mtjlab: the run waits for you",
        "mtjlab: wafer run has stopped",
    ]
    assert "drive: no reply" in phone.told_of("failed")
    assert "retry, skip or stop" in phone.told_of("waits")
    assert "Run: walk, wafer W9, in w" in phone.told_of("waits")
    assert f"mtjlab run --resume {here / 'w'}" in phone.told_of("stopped")
    phone.rang.clear()
    typed("run", "--resume", "w")
    (title,) = phone.titles()  # what failed before it was resumed is not told again
    assert title.startswith("mtjlab: wafer run is done")
    assert holds_the_secret(here) == []


def test_a_walk_that_ends_by_an_exception_is_told(here: Path, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_recipe_wafer, "_context", broken)
    CliRunner().invoke(app, ["run", "walk.recipe.yaml", "--out", "w", "--notify", phone.address])
    assert phone.titles() == ["mtjlab: wafer run was stopped"]
    assert "What happened: stopped by Ctrl-C" in phone.told_of("stopped")


def test_the_file_beside_the_station_says_whom_and_about_what(here: Path) -> None:
    bench = here / "bench"
    bench.mkdir()
    file = bench / cli_notify.FILE
    file.write_text(f"notify: ['json://127.0.0.1/{SECRET}']\nabout: [waiting, stopped]\n", encoding="utf-8")
    found = notifier_for(None, bench / "my.station.yaml")
    assert found._addresses == (f"json://127.0.0.1/{SECRET}",)
    assert set(found._about) == {Event.WAITING, Event.STOPPED}
    assert notifier_for(["off"], bench / "my.station.yaml")._addresses == ()
    assert notifier_for(None, here / "other.station.yaml")._addresses == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"notify: {SECRET}", "'notify' is no list of addresses"),
        (f"notify: ['{SECRET}']", "notification address 1 (without a service like mailto:// before it)"),
        (f"notify: ['json://']\nabout: [{SECRET}]", "'about' has"),
        (f"notfy: ['{SECRET}']", "unknown key 'notfy'"),
        (f"notify: ['nosuch://{SECRET}']", "notification address 1 (nosuch://...)"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_anything_moves(here: Path, text: str, message: str) -> None:
    (here / cli_notify.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        notifier_for(None, None)
    assert message in str(refusal.value)
    assert cli_notify.FILE in str(refusal.value)
    assert SECRET not in str(refusal.value) or "'about' has" in message


def test_without_apprise_the_remedy_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(InputError, match=r"\[notify\]"):
        typed("run", "die.recipe.yaml", "--out", "o", "--notify", "json://127.0.0.1")
    assert not (here / "o").exists()
    typed("run", "die.recipe.yaml", "--out", "o")  # who wants no notifications needs no apprise


def test_who_looks_up_the_holder_of_a_bench_sees_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mtjlab", "run", "r.yaml", "--notify", f"json://host/{SECRET}"])
    with BenchLock(["GPIB0::7::INSTR"], tmp_path):
        held = str(holder_of("GPIB0::7::INSTR", tmp_path))
    assert "--notify json://..." in held and SECRET not in held


@pytest.mark.parametrize("is_stopped", [False, True])
def test_the_end_of_a_reproduced_system_is_told(
    here: Path, phone: Phone, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    def computed(out: Path, **given: Any) -> None:
        if is_stopped:
            raise KeyboardInterrupt
        out.mkdir()
        (out / "reproduce-wine.md").write_text("# Wine\n\nNothing was computed.\n", encoding="utf-8")

    monkeypatch.setattr(cli_reproduce, "wine", computed)
    done = CliRunner().invoke(app, ["run", "reproduce-a", "--out", "a", "--notify", phone.address])
    assert (done.exit_code == 0) == (not is_stopped)
    if is_stopped:
        assert phone.titles() == ["mtjlab: 'reproduce A' ended early"]
        assert "stopped by Ctrl-C" in phone.told_of("ended early")
    else:
        assert phone.titles() == ["mtjlab: 'reproduce A' is done"]
