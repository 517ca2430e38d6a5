"""Makes planned faults happen on a bench: watches messages and the world's clock, and carries out what is due."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mtjlab.errors import InputError

from .bench_file import InstrumentSpec
from .fault_drift import Drift
from .faults import (
    OF_PROBERS,
    RECURRING,
    Answering,
    FaultPlan,
    FaultSeen,
    GpibBoard,
    PlannedFault,
    cut,
    garbled_by,
    late_by,
)
from .prober_instrument import SimProber
from .scpi_errors import ScpiError
from .wire_instrument import WireInstrument
from .world import World

LOST_OHMS = 1e15
"""Resistance of a contact that is lost: a thousandth of what leaks to ground (assumed)."""
_TRIP_ERRORS = {
    "keithley_2400": ScpiError(802, "OUTPUT blocked by output enable"),  # user's manual, table B-1
}
_TRIP_ERROR = ScpiError(-300)
"""Where the maker's own number is not known."""


@dataclass
class _Scheduled:
    fault: PlannedFault
    rng: np.random.Generator
    operations: int = 0

    def is_hit(self) -> bool:
        """Whether it happens with this message."""
        fault = self.fault
        if fault.rate is not None:
            return float(self.rng.random()) < fault.rate
        self.operations += 1
        return fault.after_operations is not None and self.operations > fault.after_operations


class FaultInjector:
    """The faults of one bench.

    Args:
        world: what the instruments act on.
        instruments: those on the bench.
        specs: their entries in the bench file.

    Attributes:
        seen: what has happened so far.
    """

    def __init__(
        self, world: World, instruments: Mapping[str, WireInstrument], specs: Iterable[InstrumentSpec]
    ) -> None:
        self.seen: list[FaultSeen] = []
        self._world = world
        self._instruments = dict(instruments)
        self._specs = {spec.name: spec for spec in specs}
        self.boards: dict[int, GpibBoard] = {}
        self._board_of = {name: self._number_of(spec) for name, spec in self._specs.items()}
        self._on_message: dict[str, list[_Scheduled]] = {name: [] for name in self._instruments}
        self._at_times: list[_Scheduled] = []
        self._unfinished: deque[Callable[[], None]] = deque()
        self._drifts: dict[str, Drift] = {}
        self._planned = 0

    def _number_of(self, spec: InstrumentSpec) -> int | None:
        if not spec.address.startswith("GPIB"):
            return None
        number = int(spec.address.split("::")[0].removeprefix("GPIB"))
        self.boards.setdefault(number, GpibBoard())
        return number

    def plan(self, fault: PlannedFault) -> None:
        """Let a fault happen at its moment; raises InputError if there is nothing for it to happen to."""
        self._check(fault)
        self._watch()
        number, self._planned = self._planned, self._planned + 1
        rng = self._world.rng(f"fault.{number}") if fault.seed is None else np.random.default_rng(fault.seed)
        scheduled = _Scheduled(fault, rng)
        if fault.at_seconds is None:
            for name in self._concerned(fault):
                self._on_message[name].append(scheduled)
        elif fault.at_seconds <= self._world.seconds:
            self._strike(scheduled)
        else:
            self._at_times.append(scheduled)
            self._world.processes.start(self, self._world.seconds)

    def _concerned(self, fault: PlannedFault) -> list[str]:
        if fault.instrument is not None:
            return [fault.instrument]
        return [name for name in self._instruments if fault.board is None or self._board_of[name] == fault.board]

    def _check(self, fault: PlannedFault) -> None:
        names = ", ".join(sorted(self._instruments))
        if fault.instrument is not None and fault.instrument not in self._instruments:
            raise InputError(f"a fault names '{fault.instrument}', which is not on the bench", remedy=f"Use {names}")
        if fault.board is not None and fault.board not in self.boards:
            raise InputError(f"no instrument is on GPIB board {fault.board}", remedy="Correct the fault's 'board'")
        if fault.relay is not None:
            self._relay_of(fault)
        if fault.line is not None:
            axis, number = fault.line.split(".")
            lines = getattr(self._world.die.description, f"{axis}s")
            if int(number) >= lines:
                raise InputError(f"the die has no line '{fault.line}'", remedy=f"Its {axis}s are 0 to {lines - 1}")
        if fault.kind in ("trip", "drift") and not self._has_output(str(fault.instrument), fault.kind):
            raise InputError(f"'{fault.instrument}' has no output", remedy=f"A '{fault.kind}' fault needs a source")
        if fault.kind in OF_PROBERS and not isinstance(self._instruments[str(fault.instrument)], SimProber):
            raise InputError(f"'{fault.instrument}' is no prober", remedy=f"A '{fault.kind}' fault needs one")

    def _has_output(self, name: str, kind: str) -> bool:
        """Whether there is something to trip or to drift; what feeds a coil has no terminals that could drift."""
        return bool(self._world.sources_of(name)) or (kind == "trip" and self._specs[name].coil is not None)

    def _relay_of(self, fault: PlannedFault) -> tuple[str, str]:
        assert fault.relay is not None
        row, column = fault.relay
        nodes = f"{fault.instrument}.row.{row}", f"{fault.instrument}.col.{column}"
        if not self._world.has_relay(*nodes):
            what = f"'{fault.instrument}' has no relay between row {row} and column {column}"
            raise InputError(what, remedy="Give 'relay' as [row, slot * 100 + column], as in the wiring file")
        return nodes

    def _watch(self) -> None:
        """Give every instrument a plan, once something is to go wrong on the bench."""
        for name, instrument in self._instruments.items():
            if instrument.faults is None:
                number = self._board_of[name]
                instrument.faults = FaultPlan(
                    before_message=partial(self._before_message, name),
                    settle=self.settle,
                    board=None if number is None else self.boards[number],
                )

    def _before_message(self, name: str) -> None:
        for scheduled in tuple(self._on_message[name]):
            if scheduled.is_hit():
                if scheduled.fault.rate is None or scheduled.fault.kind not in RECURRING:
                    self._forget(scheduled)
                self._strike(scheduled)

    def _forget(self, scheduled: _Scheduled) -> None:
        for waiting in (*self._on_message.values(), self._at_times):
            if scheduled in waiting:
                waiting.remove(scheduled)

    def prepare(self, start: float, end: float) -> None:
        """See Process."""

    def next_change(self) -> float:
        """See Process."""
        return min((s.fault.at_seconds for s in self._at_times if s.fault.at_seconds is not None), default=math.inf)

    def change(self, now: float) -> None:
        """See Process: let strike what is due by now."""
        for scheduled in [s for s in self._at_times if s.fault.at_seconds is not None and s.fault.at_seconds <= now]:
            self._forget(scheduled)
            self._strike(scheduled)
            if not self._at_times:
                self._world.processes.stop(self)

    def settle(self) -> None:
        """Finish what struck in the middle of an operation; call when none is under way."""
        while self._unfinished:
            self._unfinished.popleft()()

    def interface_clear(self, board: int) -> None:
        """IFC on a GPIB board: its bus works again."""
        if board in self.boards:
            self.boards[board].is_hung = False

    def _strike(self, scheduled: _Scheduled) -> None:
        fault = scheduled.fault
        self.seen.append(FaultSeen(self._world.seconds, fault.kind, fault.target))
        if fault.line is not None:
            axis, number = fault.line.split(".")
            self._world.change_contact(axis, int(number), LOST_OHMS if fault.ohms is None else fault.ohms)
        elif fault.board is not None:
            self.boards[fault.board].is_hung = True
        elif fault.relay is not None:
            self._world.stick_relay(*self._relay_of(fault), is_closed=fault.kind == "stuck_closed")
        else:
            self._strike_instrument(str(fault.instrument), scheduled)

    def _strike_instrument(self, name: str, scheduled: _Scheduled) -> None:
        fault, instrument = scheduled.fault, self._instruments[name]
        plan = instrument.faults
        assert plan is not None
        match fault.kind:
            case "silent":
                plan.answering = Answering.NEVER
            case "hang":
                if plan.answering is Answering.YES:
                    plan.answering = Answering.UNTIL_CLEAR
            case "late":
                plan.spoil_next(late_by(fault.seconds or 0.0))
            case "cut":
                plan.spoil_next(cut)
            case "garbled":
                plan.spoil_next(garbled_by(scheduled.rng))
            case "dropped":
                plan.connections_lost += 1
                self._unfinished.append(instrument.connection_lost)
            case "drift":
                self._start_drift(name, fault)
            case "door_open" | "vacuum_lost" | "misaligned":
                assert isinstance(instrument, SimProber)
                instrument.station.upset(fault.kind)
            case _:
                self._drop_output(name, fault)

    def _drop_output(self, name: str, fault: PlannedFault) -> None:
        """The outputs open at once; the instrument notices when it has done what it was doing."""
        instrument = self._instruments[name]
        if fault.kind == "trip":
            instrument.output_cut()
        for source in self._world.sources_of(name):
            source.cut_off()

        def notice() -> None:
            if fault.kind == "power_loss":
                self._lose_power(name)
            else:
                instrument.trip_output(_TRIP_ERRORS.get(self._specs[name].model, _TRIP_ERROR))
            for source in self._world.sources_of(name):
                source.restore()

        self._unfinished.append(notice)

    def _lose_power(self, name: str) -> None:
        """A hang ends, and so do sessions that were connections to the instrument itself: over USB or LAN."""
        instrument = self._instruments[name]
        plan = instrument.faults
        assert plan is not None
        if plan.answering is Answering.UNTIL_CLEAR:
            plan.answering = Answering.YES
        if self._specs[name].address.startswith(("USB", "TCPIP")):
            plan.connections_lost += 1
        instrument.power_cycle()

    def _start_drift(self, name: str, fault: PlannedFault) -> None:
        drift = self._drifts.get(name)
        if drift is None:
            drift = self._drifts[name] = Drift(self._world.sources_of(name))
            self._world.processes.start(drift, self._world.seconds)
        drift.add(self._world.seconds, fault.volts_per_hour, fault.amps_per_hour, fault.gain_per_hour)
