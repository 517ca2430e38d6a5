"""SMUs, a matrix and a wiring file make a Crossbar. Every order-of-operations rule that keeps a die alive lives here.

The order around every relay move: levels to 0 V, outputs off, relays, settle, read back the closures, outputs on,
levels. Where the wiring file allows `relays_move: at_zero_volts`, outputs stay on, and every instrument has answered
after it was told 0 V before a relay moves. Compliance is programmed before any output goes on. Whatever ends a run,
`shutdown` attempts every step. Instruments that scan by themselves keep the same order (`roles.ScanUnit`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType

import numpy as np

from .bench_plan import (
    Block,
    Groups,
    Routes,
    Sources,
    blocks,
    driven,
    furthest_from_ground,
    groups_of,
    in_order,
    is_any_driven,
    is_driven,
    level_of,
    routes_for,
    serves,
)
from .bench_relays import Relays
from .bench_report import BenchSettings, ShutdownReport, description, jobs
from .bench_scan import Scanner, find_scanner, in_parts
from .errors import InputError, InstrumentError
from .interrupts import finishing, held_off
from .limits import DeviceLimits
from .nouns import Cost, Line, Lines, Reading
from .pulse_budget import PulseBudget
from .roles import (
    Capabilities,
    Crossbar,
    HeardPulse,
    HeardRead,
    HeardWrite,
    Identity,
    LineRead,
    LineWrite,
    ScanUnit,
    SourceMeasureUnit,
    SwitchMatrix,
    WriteOutcome,
    WriteTask,
    not_heard,
)
from .switch_off import output_off, relays_open
from .wiring import Wiring

Listener = Callable[[str, Lines, Sequence[Line], Sequence[Reading]], None]
"""Called after every reading and every pulse: kind ("read" or "pulse"), lines, sensed lines, readings.

The amps of a pulse are NaN where the instruments gave it by themselves and did not measure its top.
"""


class MatrixCrossbar(Crossbar):
    """A passive array behind a switch matrix, driven by SMUs that share the common ground.

    Use it as a context manager: leaving it, however, shuts everything down.

    Args:
        smus: station name -> SMU or channel, in the order of the wiring file: the first drives the selected line, the
            last senses, those between hold the unselected lines.
        matrix: the relays.
        wiring: which line is where, and what the device may be exposed to.
        settings: ranges and integration time.
        scan_units: instruments that may be able to scan the array by themselves.
        clock: seconds of bench time.
        listener: told of every reading and pulse, after it.
    """

    def __init__(
        self,
        smus: Mapping[str, SourceMeasureUnit],
        matrix: SwitchMatrix,
        wiring: Wiring,
        *,
        settings: BenchSettings | None = None,
        scan_units: Iterable[ScanUnit] = (),
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
    ) -> None:
        missing = [name for name in wiring.smus if name not in smus]
        if missing:
            raise InputError(
                f"no SMU named {', '.join(missing)} on this bench", where="smus", remedy="Correct the names"
            )
        self._names = list(wiring.smus)
        self._smus = {name: smus[name] for name in self._names}
        self._matrix = matrix
        self._relays = Relays(matrix, wiring)
        self._wiring = wiring
        self._limits = wiring.device.limits
        self._settings = settings or BenchSettings()
        self._scan_units = tuple(scan_units)
        self._clock = clock
        self._listener = listener
        self._started = clock()
        self._pulses = self._readings = 0
        self._budget = PulseBudget(self._limits)
        self._sources = Sources(tuple(self._names), wiring.ground_row is not None)
        self._scanner: Scanner | None = None
        self._scans = ""
        self._sense_range = 0.0
        # a range beyond the compliance would never be used, and some instruments refuse it
        self._read_amps_range = min(self._settings.read_amps_range, self._limits.compliance_amps)
        self._largest_load = 0
        self._is_started = False
        self._forget()
        self.shutdown_report = ShutdownReport({}, None, ())

    def __enter__(self) -> MatrixCrossbar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) as wired."""
        return len(self._wiring.row_lines), len(self._wiring.col_lines)

    @property
    def capabilities(self) -> Capabilities:
        """As many levels as SMUs, and 0 V besides where ground needs none; one SMU senses."""
        return Capabilities(
            levels=self._sources.levels,
            sensed_lines=1,
            shortest_pulse_seconds=max(smu.shortest_pulse_seconds for smu in self._smus.values()),
            can_float=True,
            scans_itself=self._scanner is not None,
            holds_lines=self._wiring.holds_lines,
            is_four_wire=self._wiring.is_four_wire,
            joins_lines=self._matrix.joins_columns,
        )

    @property
    def limits(self) -> DeviceLimits:
        """Those of the wiring file."""
        return self._limits

    @property
    def spent(self) -> Cost:
        """Pulses, readings and bench seconds so far."""
        return Cost(self._pulses, self._readings, self._clock() - self._started)

    @property
    def outputs(self) -> dict[str, Callable[[], bool]]:
        """Per SMU, what asks the instrument whether its output is on: see `Prober.watch_outputs`."""
        return {name: smu.is_output_on for name, smu in self._smus.items()}

    @property
    def jobs(self) -> dict[str, str]:
        """What each instrument does on this bench, in words."""
        return jobs(self._names, self._wiring.matrix)

    def describe(self) -> list[str]:
        """What this mix of instruments can do at once, in sentences for the operator; complete once it is started."""
        return description(self.capabilities, self._wiring, self._scans)

    def start(self) -> dict[str, Identity]:
        """Identify and prepare every instrument; outputs stay off, relays open.

        Raises InstrumentError if an instrument is not what its driver expects or reports an error, InputError if
        the wiring names a relay that is not fitted, or what the matrix cannot do.
        """
        identities = {name: smu.identity() for name, smu in self._smus.items()}
        identities[self._wiring.matrix] = matrix = self._matrix.identity()
        self._sources = Sources(tuple(self._names), self._relays.check_fitted())
        self._forget()
        for smu in self._smus.values():
            smu.output_off()
        self._matrix.prepare()
        for smu in self._smus.values():
            smu.prepare(
                volts_range=self._settings.volts_range,
                amps_limit=self._limits.compliance_amps,
                amps_range=self._limits.compliance_amps,
                power_cycles=self._settings.power_cycles,
            )
            if self._wiring.is_four_wire:
                smu.sense_remotely(True)
        self._sense_range = self._limits.compliance_amps
        self._scanner, self._scans = find_scanner(self._scan_units, self._smus, matrix, self._wiring)
        self._is_started = True
        return identities

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar. One line can be sensed at a time; it must be driven."""
        self._check_read(lines, sense)
        routes = self._routes_for(lines, sense[0] if sense else None)
        if not sense:
            self._energise(groups_of(routes, lines), self._read_amps_range)
            if self._listener:
                self._listener("read", lines, sense, [])
        return [self._read(LineRead(lines, line), routes) for line in sense]

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar. In the order in which the fewest relays move; on the instruments, if they can scan."""
        self._check_reads(reads)
        plan = blocks(reads, self._sources)
        if self._scanner is not None and len(plan) > 1:
            found = self._scan(self._scanner, in_order(plan, {}), reads, self._read_amps_range, heard)
            return [found[number] for number in range(len(reads))]
        readings: dict[int, Reading] = {}
        for block in in_order(plan, self._relays.routes):
            routes = self._relays.routes if self._is_routed_for(block, reads) else block.routes
            for number in block.numbers:
                with finishing():  # what was read is told before a Ctrl-C that came meanwhile ends it
                    readings[number] = self._read(reads[number], routes)
                    heard(number, readings[number])
        return [readings[number] for number in range(len(reads))]

    def _is_routed_for(self, block: Block, reads: Sequence[LineRead]) -> bool:
        """Whether the present routes serve a whole block."""
        return all(
            serves(self._relays.routes, reads[n].lines, self._sources, reads[n].sense, None) for n in block.numbers
        )

    def _read(self, read: LineRead, routes: Routes) -> Reading:
        """One transaction: a first Ctrl-C waits for its end."""
        with finishing():
            groups = groups_of(routes, read.lines)
            self._energise(groups, self._read_amps_range)
            raw = self._smus[self._names[-1]].read()
            limited = raw.in_compliance or self._is_drive_limiting(groups)
            self._check_status()
            reading = replace(_out_of_the_array(read, raw), in_compliance=limited)
            self._note_reading(read, reading)
            return reading

    def _note_reading(self, read: LineRead, reading: Reading) -> None:
        self._readings += 1
        if self._listener:
            self._listener("read", read.lines, [read.sense], [reading])

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar. The unselected lines are up before the selected line is pulsed, and come down after it."""
        self._check_lines(lines, ())
        self._limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
        selected = furthest_from_ground(lines)
        groups = groups_of(self._routes_for(lines, None, selected), lines)
        self._budget.take(lines)
        drive = self._names[0]
        held = {name: (0.0 if name == drive else level, on) for name, (level, on) in groups.items()}
        with finishing():
            return self._pulsed(lines, selected, held, seconds)

    def _pulsed(self, lines: Lines, selected: Line, held: Groups, seconds: float) -> Reading:
        drive = self._names[0]
        self._energise(held, self._limits.compliance_amps)
        try:
            self._levels[drive] = math.nan  # unknown until it has answered
            top = self._smus[drive].pulse(level_of(lines, selected), seconds)
            self._levels[drive] = 0.0
        finally:
            self._levels_to_zero()
        self._check_status()
        self._note_pulse(lines, selected, top)
        return top

    def _note_pulse(self, lines: Lines, selected: Line, top: Reading) -> None:
        self._pulses += 1
        if self._listener:
            self._listener("pulse", lines, (selected,), [top])

    def pulse_each(self, series: Sequence[Lines], seconds: float, *, heard: HeardPulse = not_heard) -> None:
        """See Crossbar. On the instruments, if they can scan."""
        if self._scanner is None or len(series) < 2:
            super().pulse_each(series, seconds, heard=heard)
            return
        for lines in series:
            self._check_lines(lines, ())
            self._limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
        for part in in_parts([(pair, 1) for pair in enumerate(series)], self._scanner.most_points):
            self._pulse_by_scan(self._scanner, part, seconds, heard)

    def _pulse_by_scan(
        self, scanner: Scanner, part: Sequence[tuple[int, Lines]], seconds: float, heard: HeardPulse
    ) -> None:
        """One transaction. If it fails, all its pulses count as given."""
        allowed = [lines for _, lines in part if self._budget.takes(lines)]
        if allowed:
            with self._handed_over(self._limits.compliance_amps):
                scanner.pulse(allowed, seconds, self._settings.settle_seconds)
                with finishing():
                    self._check_status()
                    for lines in allowed:
                        selected = furthest_from_ground(lines)
                        self._note_pulse(lines, selected, Reading(level_of(lines, selected), math.nan))
        for number, _ in part:
            heard(number)

    def write_each(
        self, writes: Sequence[LineWrite], seconds: float, *, heard: HeardWrite = not_heard
    ) -> list[WriteOutcome]:
        """See Crossbar. On the instruments, if they can scan; zeros are then taken anew, once for each sensed line."""
        for write in writes:
            self._check_read(write.read.lines, [write.read.sense])
            for lines in write.pulses:
                self._check_lines(lines, ())
            if write.pulses:
                self._limits.check_pulse_bounds(write.pulses[0].cell_volts_bounds, seconds)
        if self._scanner is not None and len(writes) > 1 and all(map(self._scanner.can_write, writes)):
            return self._write_by_scan(self._scanner, self._budget.allowed(writes, seconds), seconds, heard)
        return super().write_each(writes, seconds, heard=heard)

    def _scan(
        self,
        scanner: Scanner,
        order: Sequence[Block],
        reads: Sequence[LineRead],
        amps_range: float,
        heard: HeardRead = not_heard,
    ) -> dict[int, Reading]:
        """What the instruments read by themselves, by the number of the read; told after each transaction."""
        found: dict[int, Reading] = {}
        with self._handed_over(amps_range):
            for raw in scanner.scan(order, reads, self._settings.settle_seconds):
                with finishing():
                    self._check_status()
                    for number, reading in raw.items():
                        found[number] = _out_of_the_array(reads[number], reading)
                        self._note_reading(reads[number], found[number])
                        heard(number, found[number])
        return found

    def _write_by_scan(
        self, scanner: Scanner, writes: Sequence[LineWrite], seconds: float, heard: HeardWrite
    ) -> list[WriteOutcome]:
        zeros, order = scanner.zeros_of(writes)
        found = self._scan(scanner, order, zeros, self._limits.compliance_amps)
        zero_amps = {zeros[number].sense: reading.amps for number, reading in found.items()}
        tasks = [(write, scanner.task(write, zero_amps[write.read.sense])) for write in writes]
        outcomes: list[WriteOutcome] = []

        def take(write: LineWrite, raw: WriteOutcome) -> None:
            outcomes.append(self._note_write(write, raw, zero_amps[write.read.sense]))
            heard(len(outcomes) - 1, outcomes[-1])

        for part in in_parts([(pair, 1 + len(pair[1].pulses)) for pair in tasks], scanner.most_points):
            self._written(scanner, part, seconds, take)
        return outcomes

    def _written(
        self,
        scanner: Scanner,
        part: Sequence[tuple[LineWrite, WriteTask]],
        seconds: float,
        take: Callable[[LineWrite, WriteOutcome], None],
    ) -> None:
        """One transaction; all its pulses count as given until the instrument has told how many were."""
        for write, _ in part:
            self._budget.count(write.pulses)
        with self._handed_over(self._limits.compliance_amps):
            outcomes = scanner.write([task for _, task in part], seconds, self._settings.settle_seconds)
            with finishing():
                self._check_status()
                for (write, _), outcome in zip(part, outcomes, strict=True):
                    self._budget.count(write.pulses[outcome.pulses :], -1)
                    take(write, outcome)

    def _note_write(self, write: LineWrite, found: WriteOutcome, zero_amps: float) -> WriteOutcome:
        readings = []
        for number, raw in enumerate(found.readings):
            if number:
                lines = write.pulses[number - 1]
                selected = furthest_from_ground(lines)
                self._note_pulse(lines, selected, Reading(level_of(lines, selected), math.nan))
            reading = _out_of_the_array(write.read, raw)
            self._note_reading(write.read, reading)
            readings.append(replace(reading, amps=reading.amps - zero_amps))
        return WriteOutcome(found.is_done, tuple(readings))

    def read_path(self, line: Line, volts: float) -> Reading:
        """The first SMU and the last meet on one line, all others open: what is between them are relays and cables.

        `volts` is the level of the first; the reading is that of the last. Raises LimitError as `measure` does.
        """
        self._check_alone(line, volts)
        first, last = self._names[0], self._names[-1]
        self._energise(
            {first: (volts, frozenset({line})), last: (0.0, frozenset({line}))}, self._limits.compliance_amps
        )
        return replace(self._smus[last].read(), volts=volts)

    def read_alone(self, line: Line, volts: float) -> Reading:
        """The last SMU on one line, all others open: what flows is what leaks. Raises LimitError as `measure` does."""
        self._check_alone(line, volts)
        last = self._names[-1]
        self._energise({last: (volts, frozenset({line}))}, self._settings.leak_amps_range)
        return self._smus[last].read()

    def _check_alone(self, line: Line, volts: float) -> None:
        lines = Lines(np.full(self.shape[0], np.nan), np.full(self.shape[1], np.nan))
        (lines.row_volts if line.axis == "row" else lines.col_volts)[line.number] = volts
        self._check_lines(lines, ())
        self._limits.check_read(volts)

    def idle(self) -> None:
        """All levels to 0 V, outputs off; the relays stay as they are."""
        self._levels_to_zero()
        for name, smu in self._smus.items():
            smu.output_off()
            self._levels[name] = 0.0
        self._on.clear()
        self._is_in_doubt = False

    def new_die(self) -> None:
        """Another die is under the probes: its cells have had no pulses yet."""
        self._budget = PulseBudget(self._limits)

    def check_errors(self) -> None:
        """Ask every instrument for errors; raises InstrumentError quoting the first one's own words."""
        for smu in self._smus.values():
            smu.check_errors()
        self._matrix.check_errors()
        self._check_status()

    def _check_status(self) -> None:
        """What was just measured counts only if no instrument has dropped out meanwhile."""
        of_each = {name.partition(".")[0]: smu for name, smu in self._smus.items()}  # channels share a status
        for smu in of_each.values():
            smu.check_status()
        self._matrix.check_status()

    def shutdown(self) -> ShutdownReport:
        """Levels 0 V, outputs off, relays open; every step is attempted, whatever the others do.

        Signals wait until it is done. No instrument's fault is raised; all are in the report.
        """
        problems: list[str] = []
        with held_off():
            outputs = {name: output_off(name, smu, problems) for name, smu in self._smus.items()}
            are_open = relays_open(self._wiring.matrix, self._matrix, problems)
        self._forget()
        self._is_started = False
        self.shutdown_report = ShutdownReport(outputs, are_open, tuple(problems))
        return self.shutdown_report

    def _forget(self) -> None:
        """Nothing is known of what the instruments do any more."""
        self._relays.forget()
        self._levels = dict.fromkeys(self._names, 0.0)
        self._on: set[str] = set()
        self._is_in_doubt = False  # whether outputs that count as on may be off

    @contextmanager
    def _handed_over(self, amps_range: float) -> Iterator[None]:
        """Meanwhile the instruments act by themselves, from outputs off to outputs off and relays open.

        If that fails, all outputs count as on until each has said that it is off.
        """
        self._set_sense_range(amps_range)
        if self._on:
            self.idle()
        self._relays.forget()
        self._on, self._levels = set(self._names), dict.fromkeys(self._names, math.nan)
        self._is_in_doubt = True
        yield
        self._on, self._levels = set(), dict.fromkeys(self._names, 0.0)
        self._is_in_doubt = False

    def _is_drive_limiting(self, groups: Groups) -> bool:
        """Whether the driving SMU limits; asked only where it drives as many lines as ever, to save queries."""
        level, on = groups.get(self._names[0], (0.0, frozenset()))
        is_largest = len(on) > self._largest_load or len(on) == self._largest_load > 1
        if level == 0.0 or not is_largest:
            return False
        self._largest_load = len(on)
        return self._smus[self._names[0]].is_limiting()

    def _check_read(self, lines: Lines, sense: Sequence[Line]) -> None:
        self._check_lines(lines, sense)
        self._limits.check_read(lines.largest_cell_volts)

    def _check_reads(self, reads: Sequence[LineRead]) -> None:
        for lines in {id(read.lines): read.lines for read in reads}.values():
            self._check_read(lines, ())
        for read in reads:
            _require_driven(read.lines, read.sense)

    def _check_lines(self, lines: Lines, sense: Sequence[Line]) -> None:
        if not self._is_started:
            raise InstrumentError("the bench has not been started", where="bench", remedy="Call start() first")
        if (lines.row_volts.size, lines.col_volts.size) != self.shape:
            raise InputError(
                f"lines for {lines.row_volts.size} x {lines.col_volts.size} given to an array of {self.shape}"
            )
        if len(sense) > 1:
            raise InputError("this bench senses one line at a time", remedy="Sense the lines in turn")
        if not is_any_driven(lines):
            raise InputError("no line is driven", remedy="Give at least one line a level")
        for line in sense:
            _require_driven(lines, line)

    def _routes_for(self, lines: Lines, sense: Line | None, selected: Line | None = None) -> Routes:
        """The present routes if they serve these lines, else new ones."""
        if serves(self._relays.routes, lines, self._sources, sense, selected):
            return self._relays.routes
        return routes_for([driven(lines)], self._sources, sense, selected)

    def _energise(self, groups: Groups, amps_range: float) -> None:
        routes = {name: on for name, (_, on) in groups.items() if on}
        if self._is_in_doubt:
            self.idle()
        self._set_sense_range(amps_range)
        if routes != self._relays.routes:
            self._move_relays(routes)
        for name in self._smus:
            if name in routes and name not in self._on:
                self._on.add(name)  # before it is: if the next one refuses, relays must not move under this one
                self._is_in_doubt = True
                self._smus[name].output_on()
                self._is_in_doubt = False
        for name in reversed(self._names):
            self._put(name, groups[name][0] if name in routes else 0.0)

    def _set_sense_range(self, amps_range: float) -> None:
        if amps_range != self._sense_range:
            self._levels_to_zero()
            self._smus[self._names[-1]].set_amps_range(amps_range)
            self._sense_range = amps_range

    def _put(self, name: str, level: float) -> None:
        """Bring one SMU to a level, in steps that the device's limits allow."""
        for step in self._limits.ramp(self._levels[name], level):
            self._levels[name] = math.nan  # unknown until it has been told
            if step == 0.0 and self._wiring.relays_move == "at_zero_volts":
                self._smus[name].zero()
            else:
                self._smus[name].set_volts(step)
                if self._smus[name].returns_early:
                    self._smus[name].is_limiting()  # once it has answered, the level is there
            self._levels[name] = step

    def _levels_to_zero(self) -> None:
        for name in self._names:
            self._put(name, 0.0)

    def _move_relays(self, routes: Routes) -> None:
        if self._on and self._wiring.relays_move == "outputs_off":
            self.idle()
        self._levels_to_zero()
        self._relays.move(routes)


def _require_driven(lines: Lines, line: Line) -> None:
    if not is_driven(lines, line):
        raise InputError(f"{line.axis} {line.number} cannot be sensed: it is not driven", remedy="Give it 0 V")


def _out_of_the_array(read: LineRead, raw: Reading) -> Reading:
    """A reading as a Crossbar tells it, from what the sensing SMU measured: current that it drives into the array."""
    return replace(raw, volts=level_of(read.lines, read.sense), amps=-raw.amps)
