"""Which faults can happen when: the messages of an undisturbed run by phase, and every fault at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mtjlab.bench import MatrixCrossbar
from mtjlab.nouns import Line
from mtjlab.roles import ScanUnit, SourceMeasureUnit, SwitchMatrix
from mtjlab.sim_instruments.faults import FaultKind
from mtjlab.sim_instruments.simulated_bench import SimBench

from ._fault_rig import Opened, Outcome, Rig

_PHASES = {
    "identity": "start",
    "linked_matrix": "start",
    "prepare": "prepare",
    "sense_remotely": "prepare",
    "set_amps_range": "level set",
    "set_volts": "level set",
    "zero": "level set",
    "output_on": "outputs on",
    "output_off": "going idle",
    "is_limiting": "reading",
    "read": "reading",
    "pulse": "pulse",
    "route": "relays moving",
    "hold": "relays moving",
    "release": "relays moving",
    "open_all": "relays moving",
    "closed": "relays moving",
    "scan": "scan",
    "write_each": "write scan",
}
"""What a bench is at while it calls this method of a role."""
PHASES = tuple(dict.fromkeys([*_PHASES.values(), "verify", "checking errors", "shutdown"]))
_OF_ANY: tuple[FaultKind, ...] = ("silent", "hang", "late", "cut", "garbled", "dropped", "power_loss")
_OF_SOURCES: tuple[FaultKind, ...] = ("trip", "drift")
_OF_MATRICES: tuple[FaultKind, ...] = ("stuck_open", "stuck_closed")
KINDS: tuple[FaultKind, ...] = (*_OF_ANY, *_OF_SOURCES, *_OF_MATRICES, "contact", "bus_hang")
_SUDDEN: tuple[FaultKind, ...] = ("silent", "hang", "dropped", "power_loss", "trip")
_LASTING = ("scan", "write scan", "pulse", "reading", "verify", "relays moving")
_LATE_SECONDS = (1.0, 60.0)
"""Within what a driver waits for an answer, and far beyond it."""
_BAD_OHMS = 5000.0
_GAIN_PER_HOUR = 360.0
"""Ten percent in a second: a run on a small array lasts no longer."""
_BOARD = 0


@dataclass(frozen=True)
class Operation:
    """One message of the undisturbed run.

    Attributes:
        instrument: who gets it.
        number: how many that instrument has had before.
        overall: how many all instruments have had before.
        phase: what the bench is at.
        rows: how many readings and pulses were complete before it.
        middle: when half of it is carried out, simulated seconds.
    """

    instrument: str
    number: int
    overall: int
    phase: str
    rows: int
    middle: float = 0.0


@dataclass(frozen=True)
class Case:
    """One fault at one message of one job on one bench.

    Attributes:
        other: the instrument it happens to, if it is not the one that gets the message: in the middle of that.
        in_the_middle: whether it happens while the message is carried out, and not just before.
    """

    bench: str
    job: str
    kind: FaultKind
    operation: Operation
    details: tuple[tuple[str, Any], ...] = ()
    other: str = ""
    in_the_middle: bool = False

    @property
    def target(self) -> str | None:
        """The instrument it happens to; None if it happens to a line of the die or to a board."""
        return None if self.kind in ("contact", "bus_hang") else self.other or self.operation.instrument

    def inject(self, bench: SimBench) -> None:
        """Let it happen when its moment comes."""
        if self.in_the_middle:
            bench.inject(self.kind, self.target, at_seconds=self.operation.middle, **dict(self.details))
            return
        before = self.operation.overall if self.target is None else self.operation.number
        bench.inject(self.kind, self.target, after_operations=before, **dict(self.details))

    def __str__(self) -> str:
        operation, details = self.operation, ", ".join(f"{key}={value}" for key, value in self.details)
        return (
            f"{self.bench} {self.job}: {self.kind}({details}) of {self.target or 'the bench'} "
            f"{'in the middle of' if self.in_the_middle else 'at'} message "
            f"{operation.number} to {operation.instrument} ({operation.phase})"
        )


@dataclass
class Undisturbed:
    """A run without a fault: its messages, and what it came to."""

    operations: list[Operation] = field(default_factory=list)
    outcome: Outcome | None = None


def undisturbed(rig: Rig, job: str) -> Undisturbed:
    """Run a job once and note each message."""
    found = Undisturbed()

    def watch(bench: SimBench, opened: Opened, crossbar: MatrixCrossbar, stage: list[str]) -> None:
        phase: list[str] = []
        heard = _count_rows(crossbar)
        for name in rig.instruments:
            driver = opened.drivers[name]
            for part in (driver, *driver.submodules.values()):
                _tell_phase(part, phase, heard)
            _tap(bench, name, found.operations, lambda: _phase(stage, phase), heard)

    found.outcome = rig.run(job, watch)
    return found


def _count_rows(crossbar: MatrixCrossbar) -> list[int]:
    """Readings and pulses so far, in [0]; in [1] whether the last one was a pulse."""
    heard = [0, 0]
    listen = crossbar._listener
    assert listen is not None

    def counted(kind: str, *what: Any) -> None:
        heard[0] += 1
        heard[1] = kind == "pulse"
        listen(kind, *what)

    crossbar._listener = counted
    return heard


def _tell_phase(part: Any, phase: list[str], heard: list[int]) -> None:
    """Note which method of its role is being called, the outermost first."""
    if not isinstance(part, SourceMeasureUnit | SwitchMatrix | ScanUnit):
        return
    for name, what in _PHASES.items():
        if hasattr(part, name):
            setattr(part, name, _telling(getattr(part, name), what, phase, heard))


def _telling(method: Callable[..., Any], what: str, phase: list[str], heard: list[int]) -> Callable[..., Any]:
    def called(*arguments: Any, **keywords: Any) -> Any:
        phase.append("verify" if what == "reading" and heard[1] else what)
        try:
            return method(*arguments, **keywords)
        finally:
            phase.pop()

    return called


def _phase(stage: list[str], phase: list[str]) -> str:
    outermost = phase[0] if phase else "checking errors"
    if stage[0] == "run" or (stage[0] == "start" and outermost == "start"):
        return outermost
    return "prepare" if stage[0] == "start" else stage[0]


def _tap(bench: SimBench, name: str, operations: list[Operation], phase: Callable[[], str], heard: list[int]) -> None:
    instrument: Any = bench.by_name[name]
    receive = instrument.receive

    def tapped(data: bytes, **how: Any) -> None:
        number = sum(operation.instrument == name for operation in operations)
        operation = Operation(name, number, len(operations), phase(), heard[0])
        started = bench.world.seconds
        receive(data, **how)
        operations.append(replace(operation, middle=(started + bench.world.seconds) / 2))

    instrument.receive = tapped


def cases(rig: Rig, job: str, run: Undisturbed) -> Iterator[Case]:
    """Every fault at every message."""
    for place, operation in enumerate(run.operations):
        for kind in _OF_ANY:
            for details in _details(kind, place):
                yield Case(rig.name, job, kind, operation, details)
        if operation.instrument in rig.sources:
            yield Case(rig.name, job, "trip", operation)
            yield Case(rig.name, job, "drift", operation, (("gain_per_hour", _GAIN_PER_HOUR),))
        if operation.instrument == rig.wiring.matrix:
            for kind in _OF_MATRICES:
                yield Case(rig.name, job, kind, operation, (("relay", _relay(rig, place)),))
        line = f"{('row', 'col')[place % 2]}.{place // 2 % 3}"
        yield Case(rig.name, job, "contact", operation, (("line", line),))
        yield Case(rig.name, job, "contact", operation, (("line", line), ("ohms", _BAD_OHMS)))
        yield Case(rig.name, job, "bus_hang", operation, (("board", _BOARD),))


def cases_in_the_middle(rig: Rig, job: str, run: Undisturbed) -> Iterator[Case]:
    """What can happen to any instrument while one of them carries out what takes it some time."""
    for operation in run.operations:
        if operation.phase in _LASTING:
            for name in rig.instruments:
                for kind in _SUDDEN:
                    if kind != "trip" or name in rig.sources:
                        yield Case(rig.name, job, kind, operation, other=name, in_the_middle=True)


def _details(kind: FaultKind, place: int) -> list[tuple[tuple[str, Any], ...]]:
    if kind == "late":
        return [(("seconds", seconds),) for seconds in _LATE_SECONDS]
    if kind == "garbled":
        return [(("seed", 2 * place + k),) for k in range(2)]
    return [()]


def _relay(rig: Rig, place: int) -> tuple[str, int]:
    """Another one of the relays in use for each message."""
    rows = list(rig.wiring.source_rows.values())
    lines = [Line("row", k) for k in range(3)] + [Line("col", k) for k in range(3)]
    line = lines[place // len(rows) % len(lines)]
    return rows[place % len(rows)], rig.wiring.matrix_column(line)
