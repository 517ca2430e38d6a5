"""A Crossbar in memory for long studies: one source and ammeter per line right on a die, solved exactly in batches.

The network is the one of `circuit.py` (cells at their own bias, wire segments, contacts, touching lines), without
cables, relays and instruments: whole series of reads are one matrix product. Cells switch and break down at the same
rates as in `world.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Cost, Floats, Line, Lines, Reading
from mtjlab.pulse_budget import PulseBudget
from mtjlab.roles import Capabilities, Crossbar, HeardRead, LineRead, not_heard

from .array_network import ArrayNetwork
from .die import Die

READ_SECONDS = 3e-3
"""How long a level stays for one reading (assumed: one integration over a tenth of a line cycle and settling)."""
THREE_UNITS = Capabilities(3, 1, shortest_pulse_seconds=0.0, can_float=False, scans_itself=True)
"""What three source-measure units behind a matrix can do: the driven lines, the held ones, and one that is sensed."""
_UNEVENTFUL = 1e-9
"""Expected events below which a stretch of time is taken to have none."""
_MOST_EVENTS = 2000
"""After so many events in one stretch the state is random anyway."""


@dataclass(frozen=True)
class MeterErrors:
    """What sources and ammeters add; assumptions of the order of a source-measure unit's data sheet.

    Attributes:
        noise_amps: standard deviation of a reading.
        gain: largest relative error of a line's ammeter and source together; one draw per line.
        offset_amps: largest offset of a line's ammeter; one draw per line.
    """

    noise_amps: float = 20e-9
    gain: float = 3e-4
    offset_amps: float = 60e-9


class ArrayCrossbar(Crossbar):
    """Every line has a source and an ammeter of its own.

    Args:
        die: its cells and their state; pulses change them.
        rng: draws switching events, errors and noise.
        errors: of the ammeters.
        limits: what `measure` and `pulse` refuse to go beyond.
        capabilities: what it says it can do at once, e.g. `THREE_UNITS`, which makes protocols do as on that bench;
            whatever the lines allow if None.
    """

    def __init__(
        self,
        die: Die,
        rng: np.random.Generator,
        errors: MeterErrors | None = None,
        limits: DeviceLimits | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.die = die
        self._rng = rng
        self._limits = limits or DeviceLimits()
        self._budget = PulseBudget(self._limits)
        self._network = ArrayNetwork(die)
        drawn = errors or MeterErrors()
        count = sum(self.shape)
        self._capabilities = capabilities or Capabilities(count, count, 0.0, can_float=False, scans_itself=True)
        self._noise = drawn.noise_amps
        self._gains = 1 + drawn.gain * rng.uniform(-1, 1, count)
        self._offsets = drawn.offset_amps * rng.uniform(-1, 1, count)
        self._spent = Cost()

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of the die."""
        return self.die.description.rows, self.die.description.cols

    @property
    def capabilities(self) -> Capabilities:
        """All lines sensed at once, series of reads at one go; no line can float."""
        return self._capabilities

    @property
    def limits(self) -> DeviceLimits:
        """What `measure` and `pulse` refuse to go beyond."""
        return self._limits

    @property
    def spent(self) -> Cost:
        """Pulses, readings and simulated seconds."""
        return self._spent

    def new_budget(self) -> None:
        """Cells may get as many pulses again: another run begins."""
        self._budget = PulseBudget(self._limits)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        return self.measure_each([LineRead(lines, line) for line in sense])

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar. Reads of the same lines are one measurement."""
        if not reads:
            return []
        distinct = {id(read.lines): read.lines for read in reads}
        places = {key: place for place, key in enumerate(distinct)}
        levels = self._levels(list(distinct.values()))
        self._limits.check_read(self._largest_cell_volts(levels))
        self._expose_reads(levels)
        amps = self._network.line_amps(levels)
        at = np.array([places[id(read.lines)] for read in reads])
        first = {"row": 0, "col": self.shape[0]}
        line = np.array([first[sense.axis] + sense.number for _, sense in reads])
        found = self._seen(-amps[at, line], line)
        readings = list(map(Reading, levels[at, line].tolist(), found.tolist()))
        self._spent += Cost(readings=len(readings), bench_seconds=READ_SECONDS * len(distinct))
        for number, reading in enumerate(readings):
            heard(number, reading)
        return readings

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar."""
        levels = self._levels([lines])
        self._limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
        self._budget.take(lines)
        self._expose(levels[0], seconds)
        selected = np.array([int(np.abs(levels[0]).argmax())])
        amps = self._seen(self._network.line_amps(levels)[0, selected], selected)
        self._spent += Cost(pulses=1, bench_seconds=seconds)
        return Reading(float(levels[0, selected[0]]), float(amps[0]))

    def idle(self) -> None:
        """All lines are at 0 V between calls already."""

    def _levels(self, lines: Sequence[Lines]) -> Floats:
        """Shape (patterns, lines): volts of rows, then columns."""
        rows, cols = self.shape
        for one in lines:
            if (one.row_volts.size, one.col_volts.size) != self.shape:
                raise InputError(
                    f"lines for {one.row_volts.size} x {one.col_volts.size} given to an array of {rows} x {cols}"
                )
        levels = np.concatenate([[one.row_volts for one in lines], [one.col_volts for one in lines]], axis=1)
        if np.isnan(levels).any():
            raise InputError("a line floats, which this crossbar cannot do", remedy="Give every line a level")
        return np.asarray(levels)

    def _largest_cell_volts(self, levels: Floats) -> float:
        rows, cols = levels[:, : self.shape[0]], levels[:, self.shape[0] :]
        above, below = rows.max(axis=1) - cols.min(axis=1), cols.max(axis=1) - rows.min(axis=1)
        return float(np.maximum(above, below).max())

    def _seen(self, amps: Floats, lines: NDArray[np.int64]) -> Floats:
        noise = self._noise * self._rng.standard_normal(amps.size)
        return np.asarray(amps * self._gains[lines] + self._offsets[lines] + noise)

    def _expose_reads(self, levels: Floats) -> None:
        """Reads disturb as well. Thinning: candidates come at a rate that no read exceeds, and most are none."""
        bound = self._network.rate_bound(self._largest_cell_volts(levels))
        candidates = min(int(self._rng.poisson(bound * READ_SECONDS * len(levels))), _MOST_EVENTS)
        for at in np.sort(self._rng.integers(0, len(levels), candidates)):
            rates = self._rates(levels[at])
            if self._rng.random() * bound < rates.sum():
                self._happen(rates)

    def _expose(self, levels: Floats, seconds: float) -> None:
        """Cells leave their state and break down while the levels last: exponential waiting, event by event."""
        left = seconds
        for _ in range(_MOST_EVENTS):
            rates = self._rates(levels)
            total = float(rates.sum())
            wait = self._rng.exponential(1 / total) if total * left > _UNEVENTFUL else left
            if wait >= left:
                return
            left -= wait
            self._happen(rates)

    def _rates(self, levels: Floats) -> Floats:
        """Rates, 1/s, at which each cell leaves its state, and at which each breaks down: (2 * cells,)."""
        volts = self._network.cell_volts(levels)
        return np.concatenate([self.die.switching_rates(volts), self.die.breakdown_rates(volts)])

    def _happen(self, rates: Floats) -> None:
        running = np.cumsum(rates)
        event = int(np.searchsorted(running, self._rng.random() * running[-1], side="right"))
        cells = self.die.kind.size
        if event < cells:
            self.die.is_parallel[event] = not self.die.is_parallel[event]
        else:
            self.die.break_down(event - cells)
        self._network.cell_changed(event % cells)
