"""A second process that switches a bench off when the run that drives it dies: what no `finally` can catch.

The run starts it, waits until it has sessions of its own on every instrument, and sends it a beat. When the beat stops
(the process was killed, crashed, or froze), the supervisor switches everything off, as `mtjlab bench off` would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .errors import InputError, InstrumentError
from .station import open_instruments
from .switch_off import OffReport, as_lines, switch_all_off

BEAT_SECONDS = 0.2
PATIENCE_SECONDS = 1.2
"""How long no beat may come; well below the two seconds within which a bench has to be off."""
ANSWER_SECONDS = 0.5
"""How long an instrument may take to answer while everything is switched off."""
READY_SECONDS = 60.0
"""How long the supervisor may take to open its sessions."""
_BEAT, _END = b"b", b"e"


class Supervisor:
    """The run's side. Use it as a context manager around everything that may switch an output on.

    Args:
        station_file: names the instruments; the supervisor opens all of them itself.
        log: file that takes what the supervisor did, if it had to act.

    Raises InstrumentError, on entering, if it cannot reach the bench: then nothing would protect it.
    """

    def __init__(self, station_file: Path, log: Path) -> None:
        self._station_file = station_file
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = threading.Event()

    def __enter__(self) -> Supervisor:
        command = [sys.executable, "-m", "mtjlab.supervisor", str(self._station_file), str(self._log)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        answer = self._first_line()
        if answer != "ready":
            self._end()
            raise InstrumentError(
                f"the supervisor cannot watch this bench ({answer or 'it ended'})",
                where=str(self._station_file),
                remedy="Check that a second session can be opened on each instrument",
            )
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _first_line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        found: list[str] = []
        stream = self._process.stdout
        reader = threading.Thread(target=lambda: found.append(stream.readline().decode().strip()), daemon=True)
        reader.start()
        reader.join(READY_SECONDS)
        return found[0] if found else "it did not answer in time"

    def _beat(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        while not self._is_over.wait(BEAT_SECONDS):
            if not _send(self._process.stdin, _BEAT):
                return

    def _end(self) -> None:
        self._is_over.set()
        process = self._process
        if process is None:
            return
        if self._beating.ident is not None:
            self._beating.join()
        assert process.stdin is not None and process.stdout is not None
        _send(process.stdin, _END)
        for stream in (process.stdin, process.stdout):
            stream.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


def _send(stream: IO[bytes], sign: bytes) -> bool:
    try:
        stream.write(sign)
        stream.flush()
    except (OSError, ValueError):  # the supervisor is gone: the run goes on, and its own guard still holds
        return False
    return True


class Watch:
    """The supervisor's side: takes the beat, and presses the switch when it stops.

    Args:
        beat: where the beat comes from; its end without a goodbye means that the run is dead.
        press: switches everything off.
        patience_seconds: how long no beat may come.
    """

    def __init__(
        self, beat: IO[bytes], press: Callable[[str], object], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._beat = beat
        self._press = press
        self._patience = patience_seconds
        self._last = time.monotonic()
        self._ended: str | None = None
        self._wakes = threading.Event()

    def run(self) -> bool:
        """Watch until the run says goodbye (True) or is lost (False, after everything was switched off)."""
        threading.Thread(target=self._listen, daemon=True).start()
        while self._ended is None:
            self._wakes.wait(BEAT_SECONDS / 2)
            if time.monotonic() - self._last > self._patience:
                self._ended = f"no sign of life for {self._patience:g} s"
        if not self._ended:
            return True
        self._press(self._ended)
        return False

    def _listen(self) -> None:
        while True:
            sign = self._beat.read(1)
            self._last = time.monotonic()
            if sign in (b"", _END):
                self._ended = "" if sign == _END else "the run's process ended"
                self._wakes.set()
                return


def main(arguments: list[str]) -> int:
    """`python -m mtjlab.supervisor STATION LOG`: started by `Supervisor`, never by hand."""
    station_file, log = (Path(argument) for argument in arguments)
    try:
        instruments, problems = open_instruments(station_file)
    except InputError as error:
        problems = [str(error)]
    sys.stdout.write(f"{problems[0] if problems else 'ready'}\n")
    sys.stdout.flush()
    if problems:
        return 1
    _ignore_interrupts()
    is_well = Watch(sys.stdin.buffer, lambda why: _act(why, instruments, log)).run()
    return 0 if is_well else 3


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal: the run unwinds, and the supervisor waits for its goodbye."""
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _act(why: str, instruments: Mapping[str, Any], log: Path) -> OffReport:
    started = time.monotonic()
    report = switch_all_off(instruments, is_recovering=True, patience_seconds=ANSWER_SECONDS)
    entry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "why": why,
        "seconds": round(time.monotonic() - started, 3),
        "is_safe": report.is_safe,
        "found": list(as_lines(report)),
    }
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError:
        sys.stderr.write(json.dumps(entry) + "\n")
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
