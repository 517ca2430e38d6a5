"""SMUs, a matrix and a wiring file make a Crossbar. Every order-of-operations rule that keeps a die alive lives here.

The order around every relay move: levels to 0 V, outputs off, relays, settle, read back the closures, outputs on,
levels. Compliance is programmed before any output goes on. Whatever ends a run, `shutdown` attempts every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from .errors import BudgetError, InputError, InstrumentError
from .interrupts import held_off
from .nouns import Cost, Line, Lines, Reading, Site
from .roles import Capabilities, Crossbar, Crosspoint, Identity, SourceMeasureUnit, SwitchMatrix
from .switch_off import output_off, relays_open
from .wiring import Wiring

Listener = Callable[[str, Lines, Sequence[Line], Sequence[Reading]], None]
"""Called after every transaction with the die: kind ("read" or "pulse"), lines, sensed lines, readings."""


@dataclass(frozen=True)
class BenchSettings:
    """How the SMUs are set up.

    Attributes:
        volts_range: source range of all SMUs.
        read_amps_range: range of the sensing SMU while reading; the others always cover the device's current limit,
            because a fixed range below the load would limit the output at the end of that range.
        power_cycles: integration time.
    """

    volts_range: float = 2.0
    read_amps_range: float = 1e-3
    power_cycles: float = 0.1


@dataclass(frozen=True)
class ShutdownReport:
    """What the end of a run found.

    Attributes:
        outputs_off: per SMU, read back: True off, False still on, None if it did not answer; empty before the end.
        relays_open: read back: True, False, or None if the matrix did not answer.
        problems: what could not be done, in words.
    """

    outputs_off: dict[str, bool | None]
    relays_open: bool | None
    problems: tuple[str, ...]

    @property
    def is_safe(self) -> bool:
        """Whether every output was read back as off and every relay as open."""
        outputs = self.outputs_off.values()
        return bool(outputs) and all(off is True for off in outputs) and self.relays_open is True


class MatrixCrossbar(Crossbar):
    """A passive array behind a switch matrix, driven by SMUs that share the common ground.

    Use it as a context manager: leaving it, however, shuts everything down.

    Args:
        smus: station name -> SMU, in the order of the wiring file: the first drives the selected line, the last
            senses, those between hold the unselected lines.
        matrix: the relays.
        wiring: which line is where, and what the device may be exposed to.
        settings: ranges and integration time.
        clock: seconds of bench time.
        listener: told of every transaction, after it.
    """

    def __init__(
        self,
        smus: Mapping[str, SourceMeasureUnit],
        matrix: SwitchMatrix,
        wiring: Wiring,
        *,
        settings: BenchSettings | None = None,
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
        self._wiring = wiring
        self._settings = settings or BenchSettings()
        self._clock = clock
        self._listener = listener
        self._started = clock()
        self._pulses = self._readings = 0
        self._pulses_at: dict[Site, int] = {}
        self._routes: dict[str, frozenset[Line]] = {}
        self._levels = dict.fromkeys(self._names, 0.0)
        self._is_on = False
        self._sense_range = 0.0
        self._largest_load = 0
        self._is_started = False
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
        """As many levels as SMUs, one of which senses."""
        return Capabilities(
            levels=len(self._smus),
            sensed_lines=1,
            shortest_pulse_seconds=max(smu.shortest_pulse_seconds for smu in self._smus.values()),
            can_float=True,
        )

    @property
    def spent(self) -> Cost:
        """Pulses, readings and bench seconds so far."""
        return Cost(self._pulses, self._readings, self._clock() - self._started)

    @property
    def jobs(self) -> dict[str, str]:
        """What each instrument does on this bench, in words."""
        first, *between, last = self._names
        jobs = dict.fromkeys(between, "holds the unselected lines")
        jobs |= {last: "senses one line at a time", first: "drives the selected lines"}
        return jobs | {self._wiring.matrix: "connects SMUs to array lines"}

    def start(self) -> dict[str, Identity]:
        """Identify and prepare every instrument; outputs stay off, relays open.

        Raises InstrumentError if an instrument is not what its driver expects or reports an error, InputError if
        the wiring names a relay that is not fitted.
        """
        identities = {name: smu.identity() for name, smu in self._smus.items()}
        identities[self._wiring.matrix] = self._matrix.identity()
        self._check_relays_are_fitted()
        self._forget()
        for smu in self._smus.values():
            smu.output_off()
        self._matrix.prepare()
        for smu in self._smus.values():
            smu.prepare(
                volts_range=self._settings.volts_range,
                amps_limit=self._wiring.device.limits.amps,
                amps_range=self._wiring.device.limits.amps,
                power_cycles=self._settings.power_cycles,
            )
        self._sense_range = self._wiring.device.limits.amps
        self._is_started = True
        return identities

    def _check_relays_are_fitted(self) -> None:
        rows, columns = set(self._matrix.rows), set(self._matrix.columns)
        for name, row in self._wiring.smus.items():
            if row not in rows:
                raise InputError(f"matrix row {row} is not fitted", where=f"smus.{name}", remedy=_offer(rows))
        for key, used in (("row_lines", self._wiring.row_lines), ("col_lines", self._wiring.col_lines)):
            for position, column in enumerate(used):
                if column not in columns:
                    where = f"{key}[{position}]"
                    raise InputError(f"matrix column {column} is not fitted", where=where, remedy=_offer(columns))

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar. One line can be sensed at a time; it must be driven."""
        self._check_lines(lines, sense)
        self._wiring.device.limits.check_read(lines.largest_cell_volts)
        groups = self._assign(lines, sense)
        self._energise(groups, self._settings.read_amps_range)
        readings = []
        for line in sense:
            raw = self._smus[self._names[-1]].read()
            limited = raw.in_compliance or self._is_drive_limiting(groups)
            readings.append(Reading(_level(lines, line), -raw.amps, in_compliance=limited, is_overflow=raw.is_overflow))
        self._readings += len(readings)
        if self._listener:
            self._listener("read", lines, sense, readings)
        return readings

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar. The unselected lines are up before the selected line is pulsed, and come down after it."""
        self._check_lines(lines, ())
        limits = self._wiring.device.limits
        limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
        selected = _furthest_from_ground(lines)
        volts = _level(lines, selected)
        groups = self._assign(lines, (), selected)
        self._count_pulse(lines, limits.pulses_per_cell)
        drive = self._names[0]
        held = {name: (0.0 if name == drive else level, on) for name, (level, on) in groups.items()}
        self._energise(held, limits.amps)
        try:
            top = self._smus[drive].pulse(volts, seconds)
        finally:
            self._levels_to_zero()
        self._pulses += 1
        if self._listener:
            self._listener("pulse", lines, (selected,), [top])
        return top

    def idle(self) -> None:
        """All levels to 0 V, outputs off; the relays stay as they are."""
        self._levels_to_zero()
        for smu in self._smus.values():
            smu.output_off()
        self._is_on = False

    def check_errors(self) -> None:
        """Ask every instrument for errors; raises InstrumentError quoting the first one's own words."""
        for smu in self._smus.values():
            smu.check_errors()
        self._matrix.check_errors()

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
        self._routes = {}
        self._levels = dict.fromkeys(self._names, 0.0)
        self._is_on = False

    def _is_drive_limiting(self, groups: Mapping[str, tuple[float, frozenset[Line]]]) -> bool:
        """Whether the driving SMU limits; asked only where it drives as many lines as ever, to save queries."""
        level, on = groups.get(self._names[0], (0.0, frozenset()))
        is_largest = len(on) > self._largest_load or len(on) == self._largest_load > 1
        if level == 0.0 or not is_largest:
            return False
        self._largest_load = len(on)
        return self._smus[self._names[0]].is_limiting()

    def _check_lines(self, lines: Lines, sense: Sequence[Line]) -> None:
        if not self._is_started:
            raise InstrumentError("the bench has not been started", where="bench", remedy="Call start() first")
        if (lines.row_volts.size, lines.col_volts.size) != self.shape:
            raise InputError(
                f"lines for {lines.row_volts.size} x {lines.col_volts.size} given to an array of {self.shape}"
            )
        if len(sense) > 1:
            raise InputError("this bench senses one line at a time", remedy="Sense the lines in turn")
        driven = dict(_driven(lines))
        if not driven:
            raise InputError("no line is driven", remedy="Give at least one line a level")
        for line in sense:
            if line not in driven:
                raise InputError(f"{line.axis} {line.number} cannot be sensed: it is not driven", remedy="Give it 0 V")

    def _assign(
        self, lines: Lines, sense: Sequence[Line], selected: Line | None = None
    ) -> dict[str, tuple[float, frozenset[Line]]]:
        """Which SMU drives which lines at which level; the first one drives the line to be pulsed, if there is one."""
        kept = self._as_routed(lines, sense, selected)
        if kept is not None:
            return kept
        free = dict(_driven(lines))
        groups: dict[str, tuple[float, frozenset[Line]]] = {}
        names = list(self._names)
        for line in sense:
            groups[names.pop()] = (free.pop(line), frozenset([line]))
        pulsed = _level(lines, selected) if selected else None
        levels = sorted(set(free.values()), key=lambda level: (level != pulsed, -abs(level), -level))
        if len(levels) > len(names):
            raise InputError(
                f"{len(levels)} levels at once need {len(levels)} SMUs, {len(names)} are free",
                remedy="Use a scheme with fewer levels, or add an SMU to the station and the wiring file",
            )
        order = _spread(levels, names, bool(sense))
        for name, level in order.items():
            groups[name] = (level, frozenset(line for line, volts in free.items() if volts == level))
        return groups

    def _as_routed(
        self, lines: Lines, sense: Sequence[Line], selected: Line | None
    ) -> dict[str, tuple[float, frozenset[Line]]] | None:
        """The present routes, if they can serve these lines without a relay moving."""
        driven = dict(_driven(lines))
        if not self._routes or frozenset(driven) != frozenset().union(*self._routes.values()):
            return None
        if sense and self._routes.get(self._names[-1]) != frozenset(sense):
            return None
        groups = {}
        for name, on in self._routes.items():
            levels = {driven[line] for line in on}
            if len(levels) > 1:
                return None
            groups[name] = (levels.pop() if levels else 0.0, on)
        drives = self._routes.get(self._names[0], frozenset())
        if selected is not None and selected not in drives:
            return None
        others = [volts for line, volts in driven.items() if line not in sense]
        largest = max(others, key=abs, default=0.0)
        if largest and not any(driven[line] == largest for line in drives):
            return None
        return groups

    def _energise(self, groups: Mapping[str, tuple[float, frozenset[Line]]], amps_range: float) -> None:
        routes = {name: on for name, (_, on) in groups.items() if on}
        if amps_range != self._sense_range:
            self._levels_to_zero()
            self._smus[self._names[-1]].set_amps_range(amps_range)
            self._sense_range = amps_range
        if routes != self._routes:
            self._move_relays(routes)
        if not self._is_on:
            self._is_on = True  # before the first one: if the second refuses, relays must not move under the first
            for name in self._routes:
                self._smus[name].output_on()
        for name in reversed(self._names):
            level = groups[name][0] if name in routes else 0.0
            if level != self._levels[name]:
                self._smus[name].set_volts(level)
                self._levels[name] = level

    def _levels_to_zero(self) -> None:
        for name in self._names:
            if self._levels[name] != 0.0:
                self._smus[name].set_volts(0.0)
                self._levels[name] = 0.0

    def _move_relays(self, routes: Mapping[str, frozenset[Line]]) -> None:
        if self._is_on:
            self.idle()
        self._routes = {}
        wanted = frozenset(
            Crosspoint(self._wiring.smus[name], self._column(line)) for name, on in routes.items() for line in on
        )
        closed = self._matrix.route(sorted(wanted, key=lambda point: point.column))
        if closed != wanted:
            self._refuse_closures(wanted, closed)
        self._routes = dict(routes)

    def _refuse_closures(self, wanted: frozenset[Crosspoint], closed: frozenset[Crosspoint]) -> None:
        self._matrix.check_errors()
        stuck = ", ".join(f"{p.row}{p.column}" for p in sorted(closed - wanted)) or "none"
        missing = ", ".join(f"{p.row}{p.column}" for p in sorted(wanted - closed)) or "none"
        raise InstrumentError(
            f"relays read back wrong (closed but not wanted: {stuck}; wanted but open: {missing})",
            where=self._wiring.matrix,
            remedy="Outputs stay off. Run the matrix's self-test and replace the card if it repeats",
        )

    def _column(self, line: Line) -> int:
        lines = self._wiring.row_lines if line.axis == "row" else self._wiring.col_lines
        return lines[line.number]

    def _count_pulse(self, lines: Lines, most: int) -> None:
        for site in _selected_sites(lines):
            count = self._pulses_at.get(site, 0) + 1
            if count > most:
                raise BudgetError(
                    f"cell {tuple(site)} has had its {most} pulses",
                    where="device.limits.pulses_per_cell",
                    remedy="Mark the cell as bad, or have an engineer raise the limit in the wiring file",
                )
            self._pulses_at[site] = count


def _driven(lines: Lines) -> list[tuple[Line, float]]:
    rows = [(Line("row", i), float(v)) for i, v in enumerate(lines.row_volts) if v == v]
    cols = [(Line("col", j), float(v)) for j, v in enumerate(lines.col_volts) if v == v]
    return rows + cols


def _level(lines: Lines, line: Line) -> float:
    return float((lines.row_volts if line.axis == "row" else lines.col_volts)[line.number])


def _furthest_from_ground(lines: Lines) -> Line:
    return max(_driven(lines), key=lambda item: abs(item[1]))[0]


def _spread(levels: Sequence[float], names: Sequence[str], is_sensing: bool) -> dict[str, float]:
    """Largest level to the driving SMU, ground to the last free one; the rest between."""
    order = dict(zip(names, levels, strict=False))
    if is_sensing and len(levels) == 1 and levels[0] == 0 and len(names) > 1:
        return {names[1]: 0.0}
    return order


def _selected_sites(lines: Lines) -> list[Site]:
    across = np.nan_to_num(np.abs(lines.row_volts[:, None] - lines.col_volts[None, :]))
    rows, cols = np.nonzero(across > 0.75 * across.max())
    return [Site(int(i), int(j)) for i, j in zip(rows, cols, strict=True)]


def _offer(fitted: set[str] | set[int]) -> str:
    if not fitted:
        return "Fit a matrix card"
    first, last = min(fitted, key=str), max(fitted, key=str)
    return f"Fitted are {first} to {last}; correct the wiring file or fit a card"
