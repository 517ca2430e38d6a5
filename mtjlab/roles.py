"""What an instrument can be. A driver plays one or more of these roles; a bench and a protocol see nothing else."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from .errors import BudgetError, LimitError
from .limits import DeviceLimits
from .nouns import Cost, Line, Lines, Reading


class Crosspoint(NamedTuple):
    """One relay of a matrix: `row` as lettered on the instrument, `column` as slot * 100 + column in the slot."""

    row: str
    column: int


@dataclass(frozen=True)
class Identity:
    """What an instrument says it is."""

    vendor: str
    model: str
    serial: str
    firmware: str


class SourceMeasureUnit(ABC):
    """A voltage source that measures its current and limits it."""

    @abstractmethod
    def identity(self) -> Identity:
        """Ask the instrument what it is."""

    @abstractmethod
    def prepare(self, *, volts_range: float, amps_limit: float, amps_range: float, power_cycles: float) -> None:
        """Set up sourcing volts and measuring amps; leaves the output off at 0 V.

        Args:
            volts_range: fixed source range that covers this level.
            amps_limit: compliance, programmed before any output can go on.
            amps_range: fixed measuring range that covers this current; the instrument reports overflow beyond.
            power_cycles: integration time in power line cycles.
        """

    @abstractmethod
    def set_amps_range(self, amps: float) -> None:
        """Change the fixed measuring range to the smallest that covers `amps`; the compliance stays."""

    @abstractmethod
    def set_volts(self, volts: float) -> None:
        """Change the level; takes effect at once if the output is on."""

    @property
    def returns_early(self) -> bool:
        """Whether a message may still be on its way when telling it has returned, as on a network.

        What another instrument is told next could overtake it there: who depends on the order asks something first.
        """
        return False

    def zero(self) -> None:
        """Level to 0 V, the output as it is; returns when the instrument has carried it out.

        An instrument carries out what it is told in order: once it has answered, the level is at 0 V.
        """
        self.set_volts(0.0)
        self.is_limiting()

    @abstractmethod
    def output_on(self) -> None:
        """Connect the output at 0 V. `prepare` must have been called before."""

    @abstractmethod
    def output_off(self) -> None:
        """Level to 0 V, then output off, confirmed by the instrument. Safe to call in any state.

        Raises InstrumentError if it does not confirm: then no relay may move.
        """

    @abstractmethod
    def is_output_on(self) -> bool:
        """Read back from the instrument, never from a cache."""

    @abstractmethod
    def is_limiting(self) -> bool:
        """Whether the output is in compliance now, without measuring."""

    @abstractmethod
    def read(self) -> Reading:
        """Measure once at the present level; the output must be on."""

    @abstractmethod
    def pulse(self, volts: float, seconds: float) -> Reading:
        """From 0 V to `volts` for `seconds` and back to 0 V; returns what was measured on the pulse's top."""

    @property
    @abstractmethod
    def shortest_pulse_seconds(self) -> float:
        """Shortest pulse the instrument can make."""

    @abstractmethod
    def read_levels(self, volts: Sequence[float]) -> list[Reading]:
        """Apply levels in turn and measure once at each, in one transaction; ends at 0 V. The output must be on.

        Raises InstrumentError, before anything is sent, if there are more than `most_levels`.
        """

    @property
    @abstractmethod
    def most_levels(self) -> int:
        """How many levels one transaction takes."""

    @abstractmethod
    def sense_remotely(self, is_remote: bool) -> None:
        """Regulate and measure volts at the sense terminals ("four-wire"), or at the output. `prepare` sets the latter.

        Raises InstrumentError, before anything is sent, if the output is on.
        """

    @abstractmethod
    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting it if there was anything."""

    def check_status(self) -> None:  # noqa: B027  what has no status has nothing to look at
        """Look, in less time than a message takes, whether it is as `prepare` left it.

        Raises InstrumentError if it has an error to report or has lost its power since: what was just measured is then
        worthless.
        """

    @abstractmethod
    def recover(self) -> None:
        """Abort whatever it is doing (device clear) so that it listens again; open a lost session anew."""


class PulseSource(ABC):
    """A source of rectangular voltage pulses that start and end at 0 V; it measures nothing."""

    @abstractmethod
    def identity(self) -> Identity:
        """Ask the instrument what it is."""

    @abstractmethod
    def prepare(self, *, volts_limit: float, load_ohms: float) -> None:
        """Set up; leaves the output off at 0 V.

        Args:
            volts_limit: largest magnitude that any level may have, programmed into the instrument where it has a limit.
            load_ohms: what the output works into; levels are those across it.
        """

    @abstractmethod
    def output_on(self) -> None:
        """Connect the output at 0 V. `prepare` must have been called before."""

    @abstractmethod
    def output_off(self) -> None:
        """0 V, then output off, confirmed by the instrument. Safe to call in any state.

        Raises InstrumentError if it does not confirm: then no relay may move.
        """

    @abstractmethod
    def is_output_on(self) -> bool:
        """Read back from the instrument, never from a cache."""

    @abstractmethod
    def pulse(self, volts: float, seconds: float, *, count: int = 1, period_seconds: float | None = None) -> None:
        """`count` pulses of `volts` for `seconds` each (at half of the amplitude); returns when the last one is over.

        Args:
            period_seconds: from one to the next; as short as the instrument can if it is left out.

        Raises InstrumentError, before anything is sent, if it cannot make them or they are beyond `prepare`'s limit.
        """

    @property
    @abstractmethod
    def shortest_pulse_seconds(self) -> float:
        """Shortest pulse at the present set-up."""

    @property
    @abstractmethod
    def edge_seconds(self) -> float:
        """Rise and fall time, 10 to 90 %, at the present set-up."""

    @abstractmethod
    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting it if there was anything."""

    @abstractmethod
    def recover(self) -> None:
        """Abort whatever it is doing (device clear) so that it listens again."""


class FieldSource(ABC):
    """A magnetic field at the die, along the junctions' axis; positive favours the parallel state."""

    @abstractmethod
    def identity(self) -> Identity:
        """Ask the instrument what it is."""

    @abstractmethod
    def prepare(self, *, tesla_limit: float) -> None:
        """Set up; leaves the field at zero and the output on hold there.

        Args:
            tesla_limit: largest magnitude it may be asked for.

        Raises InstrumentError if the instrument cannot reach that.
        """

    @abstractmethod
    def set_tesla(self, tesla: float) -> None:
        """Go to a field no faster than the coil's ramp limit; returns when it has settled.

        Raises InstrumentError, before anything is sent, beyond the limit of `prepare`.
        """

    @abstractmethod
    def tesla(self) -> float:
        """The field now, from what the instrument reports, never from a cache."""

    @abstractmethod
    def output_off(self) -> None:
        """Ramp to zero, then output off, confirmed by the instrument. Safe to call in any state."""

    @abstractmethod
    def is_output_on(self) -> bool:
        """Read back from the instrument, never from a cache."""

    @abstractmethod
    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting it if there was anything."""

    @abstractmethod
    def recover(self) -> None:
        """Abort whatever it is doing (device clear) so that it listens again."""


class SwitchMatrix(ABC):
    """Relays between rows (instruments) and columns (array lines)."""

    @abstractmethod
    def identity(self) -> Identity:
        """Ask the instrument what it is."""

    @abstractmethod
    def prepare(self) -> None:
        """Open every relay and set break before make."""

    @property
    @abstractmethod
    def rows(self) -> tuple[str, ...]:
        """Row names."""

    @property
    @abstractmethod
    def columns(self) -> tuple[int, ...]:
        """Columns (slot * 100 + column) that are fitted, as the instrument reports them."""

    def reaches(self, point: Crosspoint) -> bool:
        """Whether there is such a relay: some cards are two matrices side by side."""
        return point.row in self.rows and point.column in self.columns

    @property
    def protection_ohms(self) -> float:
        """What the instrument puts in series with every closed path to protect its relays, as it is set up now."""
        return 0.0

    @property
    def joins_columns(self) -> bool:
        """Whether `route` takes one row to several columns."""
        return True

    @property
    @abstractmethod
    def seconds_per_route(self) -> float:
        """How long relays take in one `route` that opens some and closes others; the bus takes its time besides."""

    @abstractmethod
    def route(self, closed: Iterable[Crosspoint]) -> frozenset[Crosspoint]:
        """Close exactly these, open all others, wait until settled; returns what the instrument reads back.

        Relays that stay as they are do not move; what opens does so before anything closes. Raises InstrumentError,
        before anything moves, if the instrument must not close these together.
        """

    @abstractmethod
    def open_all(self) -> None:
        """Open every relay. Safe to call in any state."""

    @abstractmethod
    def closed(self) -> frozenset[Crosspoint]:
        """Read back which relays are closed."""

    @abstractmethod
    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting it if there was anything."""

    def check_status(self) -> None:  # noqa: B027  what has no status has nothing to look at
        """Look, in less time than a message takes, whether it is as `prepare` left it.

        Raises InstrumentError if it has an error to report or has lost its power since: what was just measured is then
        worthless.
        """

    @abstractmethod
    def recover(self) -> None:
        """Abort whatever it is doing (device clear) so that it listens again; open a lost session anew."""


class BiasMatrix(ABC):
    """A matrix that connects by itself what no route uses: half-selected or grounded lines cost no relay commands.

    A driver plays this beside SwitchMatrix. What is held counts as closed in `route` and `closed`; `prepare` and
    `open_all` hold nothing.
    """

    @property
    @abstractmethod
    def can_ground(self) -> bool:
        """Whether `hold` can do without a row."""

    @abstractmethod
    def hold(self, columns: Iterable[int], row: str | None = None) -> frozenset[Crosspoint]:
        """From now on each of these columns is connected to `row` whenever no route uses it; returns what is closed.

        Args:
            columns: all that are held; those of an earlier call are not any more.
            row: which row; None for the circuit common inside the instrument, without any row.

        Raises InstrumentError, before anything moves, if a route uses the row or the instrument cannot do it. Moves
        relays: no output may be live.
        """

    @abstractmethod
    def release(self) -> frozenset[Crosspoint]:
        """Hold nothing any more; returns what is then closed."""


@dataclass(frozen=True)
class ScanPoint:
    """One reading of a scan.

    Attributes:
        closed: the relays that are closed; all others are open.
        volts: level of each channel, in the order of `ScanUnit.channels`.
    """

    closed: frozenset[Crosspoint]
    volts: tuple[float, ...]


@dataclass(frozen=True)
class WriteTask:
    """One cell to be written: read, and while the reading is not within its bounds, pulse and read again.

    Attributes:
        pulse_closed: the relays that are closed while it is pulsed.
        pulses: level of each channel, in the order of `ScanUnit.channels`, for the first pulse, the second, ...
        read: how it is read.
        least_amps, most_amps: it is done once the sensed current lies between these.
    """

    pulse_closed: frozenset[Crosspoint]
    pulses: tuple[tuple[float, ...], ...]
    read: ScanPoint
    least_amps: float = -math.inf
    most_amps: float = math.inf


@dataclass(frozen=True)
class WriteOutcome:
    """What became of a WriteTask.

    Attributes:
        is_done: whether the last reading is within the bounds; otherwise it was given up after the last pulse.
        readings: before the first pulse and after each; there is one more than pulses were given.
    """

    is_done: bool
    readings: tuple[Reading, ...]

    @property
    def pulses(self) -> int:
        """How many pulses it took."""
        return len(self.readings) - 1


@dataclass(frozen=True)
class ScanLimits:
    """What a scan may do, enforced by the instrument while it scans, whatever it was told.

    Attributes:
        volts: largest voltage between any two channels, or a channel and ground.
        amps: largest compliance of any channel.
        pulses: most pulses in the whole scan.
    """

    volts: float
    amps: float
    pulses: int = 0


class ScanUnit(ABC):
    """SMUs in one instrument that also moves the relays of a matrix, so that a whole array is one transaction.

    Every scan begins at 0 V and ends with the outputs off and all relays open, also if it fails in the middle or nobody
    listens any more; the instrument itself sees to that. Relays move at 0 V only, and only those that have to.
    """

    @property
    @abstractmethod
    def channels(self) -> tuple[SourceMeasureUnit, ...]:
        """Its SMUs. All of them must have been prepared before a scan; ranges and integration time are those."""

    @abstractmethod
    def linked_matrix(self) -> Identity | None:
        """What the matrix at the other end of the link says it is: compare it with that of the SwitchMatrix.

        None if there is none.
        """

    @property
    @abstractmethod
    def most_points(self) -> int:
        """Most readings of one scan; when writing, those after each pulse count too."""

    @abstractmethod
    def scan(
        self, points: Sequence[ScanPoint], *, sense: int, limits: ScanLimits, settle_seconds: float = 0.0
    ) -> list[Reading]:
        """Read all points in one transaction; a reading is in compliance if any channel limited.

        Args:
            points: in this order; those that share relays should follow each other.
            sense: position in `channels` of the one that measures.
            limits: no level and no compliance goes beyond.
            settle_seconds: wait after the relays have moved, beside their own settling time.

        Raises:
            LimitError: a point is beyond the limits; nothing has been sent.
            InstrumentError: there are more than `most_points`, a channel was not prepared, a relay reads back wrong,
                or anything else went wrong; outputs are off and relays open unless the message says otherwise.
        """

    @abstractmethod
    def write_each(
        self,
        tasks: Sequence[WriteTask],
        *,
        sense: int,
        drive: int,
        pulse_seconds: float,
        limits: ScanLimits,
        settle_seconds: float = 0.0,
    ) -> list[WriteOutcome]:
        """Write cell after cell with verification, in one transaction. Arguments and errors as for `scan`.

        Args:
            tasks: in this order.
            drive: position in `channels` of the one whose level is a pulse of `pulse_seconds`; the levels of the others
                are up before and come down after it.
            pulse_seconds: width of each pulse.

        If it fails, nobody knows how many pulses were given: count all of them.
        """

    @abstractmethod
    def pulse_each(
        self,
        points: Sequence[ScanPoint],
        *,
        drive: int,
        pulse_seconds: float,
        limits: ScanLimits,
        settle_seconds: float = 0.0,
    ) -> None:
        """Pulse at all points in one transaction, without a reading. Arguments and errors as for `write_each`."""


@dataclass(frozen=True)
class Capabilities:
    """What a Crossbar can do at once; a protocol picks its scheme from this, never from an instrument's name.

    Attributes:
        levels: number of distinct line levels at once, the sensed lines' 0 V included.
        sensed_lines: how many lines can be sensed in one measurement.
        shortest_pulse_seconds: shortest pulse.
        can_float: whether lines can be left open.
        scans_itself: whether `measure_each` and `write_each` run on the instruments, in a few transactions.
        holds_lines: whether unselected lines stay connected by themselves, without relay commands for each cell.
        is_four_wire: whether levels are regulated at sense terminals.
        isolates_cells: whether transistors cut off all cells but those of the selected lines while a pulse lasts, and
            those of floating lines while others are read.
        joins_lines: whether one source can be put on any several lines at once. Without it only the lines that the
            matrix holds by itself share one.
    """

    levels: int
    sensed_lines: int
    shortest_pulse_seconds: float
    can_float: bool
    scans_itself: bool = False
    holds_lines: bool = False
    is_four_wire: bool = False
    isolates_cells: bool = False
    joins_lines: bool = True


class LineRead(NamedTuple):
    """One measurement: the lines as they are applied, and the line whose current is taken."""

    lines: Lines
    sense: Line


@dataclass(frozen=True)
class LineWrite:
    """Something to be written: read, and while the current is not within its bounds, pulse and read again.

    Attributes:
        read: how it is read.
        pulses: the lines for the first pulse, the second, ...
        least_amps, most_amps: it is done once the sensed current, less that with all of these lines at 0 V, lies
            between these.
        zero_amps: the sensed current with all of these lines at 0 V, if it has been measured; else it will be.
    """

    read: LineRead
    pulses: tuple[Lines, ...]
    least_amps: float = -math.inf
    most_amps: float = math.inf
    zero_amps: float | None = None

    @property
    def zero(self) -> LineRead:
        """The read with every driven line at 0 V."""
        lines = self.read.lines
        return LineRead(Lines(lines.row_volts * 0.0, lines.col_volts * 0.0), self.read.sense)

    def is_met(self, reading: Reading) -> bool:
        """Whether a reading, its zero subtracted, is within the bounds."""
        return not reading.is_overflow and self.least_amps <= reading.amps <= self.most_amps


HeardRead = Callable[[int, Reading], None]
"""Told of every reading of a series as soon as it is there: its place in the series, the reading."""
HeardWrite = Callable[[int, WriteOutcome], None]
"""Told of every write of a series as soon as it is over: its place in the series, what became of it."""


HeardPulse = Callable[[int], None]
"""Told of every pulse of a series as soon as it is over: its place in the series."""


def not_heard(number: int, found: object = None) -> None:
    """The HeardRead, HeardWrite and HeardPulse that nobody listens to."""
    del number, found


class Crossbar(ABC):
    """An array of cells between rows and columns, driven by whole lines."""

    def __repr__(self) -> str:
        rows, cols = self.shape
        spent = self.spent
        cost = f"{spent.readings} readings, {spent.pulses} pulses, {spent.bench_seconds:.3g} s so far"
        return f"{type(self).__name__}({rows} x {cols}, {cost})"

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What it can do at once."""

    @property
    def limits(self) -> DeviceLimits | None:
        """What it refuses to go beyond, so that a protocol can plan within it; None where it does not tell."""
        return None

    @abstractmethod
    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """Apply the lines and measure the current that flows *out of the array* into each sensed line.

        A reading counts as in compliance if its own ammeter limited or a source that drives the lines was seen to.

        The lines stay applied until the next call or `idle`. Raises LimitError, before anything is sent, if a cell
        could see more than its read limit.
        """

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """`measure` all of these, in whatever order is best; where instruments can scan, in few transactions.

        Args:
            heard: told of each as soon as it is known; a caller that is interrupted has kept what was read by then.

        Returns the readings in the order of `reads`. Raises LimitError, before anything is sent, if any of them could
        put more than its read limit on a cell.
        """
        readings = []
        for number, read in enumerate(reads):
            readings.append(self.measure(read.lines, [read.sense])[0])
            heard(number, readings[-1])
        return readings

    @abstractmethod
    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """Apply the lines for `seconds`, then all lines to 0 V; returns the selected line's reading on the top.

        The selected line is the one furthest from 0 V. Raises LimitError, before anything is sent, if a cell could
        see more than its limits.
        """

    def pulse_each(self, series: Sequence[Lines], seconds: float, *, heard: HeardPulse = not_heard) -> None:
        """`pulse` with all of these in turn, in few transactions where instruments can; nothing is measured.

        One that a cell may not get any more, because it has had all its pulses, is left out. Raises LimitError if a
        pulse is beyond the limits: such a pulse is never given.
        """
        for number, lines in enumerate(series):
            with suppress(BudgetError):
                self.pulse(lines, seconds)
            heard(number)

    def write_each(
        self, writes: Sequence[LineWrite], seconds: float, *, heard: HeardWrite = not_heard
    ) -> list[WriteOutcome]:
        """Read, `pulse` for `seconds` and read again until the current is as wanted, one after the other.

        A write ends unfinished where its next pulse would go beyond the limits, or beyond what the cell may get.

        Returns what became of each, in the order of `writes`; the currents are less those at 0 V. Raises LimitError if
        the first pulse of a write is beyond the limits: such a pulse is never given.
        """
        outcomes = []
        for number, write in enumerate(writes):
            outcomes.append(self._write(write, seconds))
            heard(number, outcomes[-1])
        return outcomes

    def _write(self, write: LineWrite, seconds: float) -> WriteOutcome:
        zeros = [] if write.zero_amps is None else [write.zero_amps]
        readings: list[Reading] = []

        def hear(number: int, reading: Reading) -> None:
            del number
            if not zeros:
                zeros.append(reading.amps)
                return
            readings.append(replace(reading, amps=reading.amps - zeros[0]))
            self._read_while_writing(write, readings[-1])

        self.measure_each([write.read] if zeros else [write.zero, write.read], heard=hear)
        for number, lines in enumerate(write.pulses):
            if write.is_met(readings[-1]):
                break
            try:
                self.pulse(lines, seconds)
            except LimitError as error:
                if number == 0 and not isinstance(error, BudgetError):
                    raise
                break
            self.measure_each([write.read], heard=hear)
        return WriteOutcome(write.is_met(readings[-1]), tuple(readings))

    def _read_while_writing(self, write: LineWrite, reading: Reading) -> None:  # noqa: B027  most need not know
        """What has just been read in the course of a write, its zero subtracted: what ends the write cannot take it."""

    @abstractmethod
    def idle(self) -> None:
        """All levels to 0 V, outputs off."""

    @property
    @abstractmethod
    def spent(self) -> Cost:
        """Pulses, readings and bench seconds since the Crossbar was made."""
