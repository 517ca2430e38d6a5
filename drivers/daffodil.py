"""The NIST/GWU Daffodil board as a Crossbar: one kernel of 25 x 25 cells, or one sub-array of 100 x 50, at a time.

It drives an object with the surface of daffodil-lib's `Daffodil_Base` (`daffodil_port.py`); the library itself is
needed on the board's computer only (`physical_board`). The board is no SMU: DACs on rows, columns and gates, one
amplifier and ADC channel for each of 25 lines, the chip's ground floated at 1.7 V. Lines are connected during an event
only.

What `Lines` become. Their lowest level is put at the chip's ground; only differences matter to the cells. Sensing
columns is the board's backward mode (rows driven), sensing rows its forward mode (columns driven). Only the lines that
are sensed are connected on their side, all at the amplifiers' reference. The transistors of a column are on where its
cells' currents are asked for: of sensed columns, and of every connected column while rows are sensed. A floating
column's are off, so that no current sneaks through its cells. Lines that are at the sensed level anyway are left open:
through wires without resistance their cells would carry nothing, through real ones they would take part of the current.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Cost, Floats, Line, Lines, Reading
from mtjlab.pulse_budget import PulseBudget
from mtjlab.roles import Capabilities, Crossbar, HeardRead, LineRead, not_heard

from .daffodil_amplifiers import Amplifiers, KernelRead, check_reference, zero_code
from .daffodil_calibration import DaffodilCalibration
from .daffodil_port import OUTER_PRODUCT, SIDE, BoardPort, DaffodilBoard, kernels_of
from .daffodil_products import KernelWrite, channels_in, furthest_volts, kernel_writes, products_of
from .daffodil_series import series_of
from .daffodil_settings import DaffodilSettings

_SHORTEST_CYCLES = 5
"""Length of a write event that the library starts with; shorter ones are not used."""


_KEPT_PLANS = 1000


class DaffodilCrossbar(Crossbar):
    """A kernel, or a sub-array that is measured kernel by kernel with the currents added up.

    Use it as a context manager: leaving it grounds all lines.

    Args:
        board: anything with the surface of `Daffodil_Base`; or the `port` of another DaffodilCrossbar on the same
            board, so that each knows what the other has sent.
        kernel, subarray: which; one of them.
        limits: of the device; without them nothing goes out.
        settings: how the board is used.
        calibration: measured tables; the board's own resistances and no offsets if left out.
        wait: lets a write event's time pass.
        clock: seconds of bench time.

    Attributes:
        port: what talks to the board.
    """

    def __init__(
        self,
        board: DaffodilBoard | BoardPort,
        *,
        kernel: int | None = None,
        subarray: int | None = None,
        limits: DeviceLimits | None,
        settings: DaffodilSettings | None = None,
        calibration: DaffodilCalibration | None = None,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kernels = kernels_of(kernel, subarray)
        self._limits = limits
        self._settings = settings or DaffodilSettings()
        self.port = board if isinstance(board, BoardPort) else BoardPort(board, wait, self._settings)
        self._amplifiers = Amplifiers(self.port, self._settings, calibration)
        self._clock, self._started = clock, clock()
        self._pulses = self._readings = 0
        self._budget = PulseBudget(limits or DeviceLimits())
        self._plans: dict[tuple[bytes, bytes, tuple[Line, ...]], list[KernelRead]] = {}

    def __enter__(self) -> DaffodilCrossbar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.idle()

    @property
    def shape(self) -> tuple[int, int]:
        """(25, 25) of a kernel, (100, 50) of a sub-array."""
        return SIDE * (1 + max(row for row, _ in self._kernels)), SIDE * (1 + max(col for _, col in self._kernels))

    @property
    def capabilities(self) -> Capabilities:
        """A DAC on every line, and an amplifier for every line of one axis of a kernel."""
        return Capabilities(
            levels=sum(self.shape),
            sensed_lines=SIDE,
            shortest_pulse_seconds=_SHORTEST_CYCLES / self._settings.clock_hertz,
            can_float=True,
            isolates_cells=True,
        )

    @property
    def limits(self) -> DeviceLimits | None:
        """Of the device, if they are loaded."""
        return self._limits

    @property
    def calibration(self) -> DaffodilCalibration | None:
        """The tables in use; None for the board's own resistances."""
        return self._amplifiers.calibration

    @property
    def spent(self) -> Cost:
        """Pulses, readings and bench seconds so far."""
        return Cost(self._pulses, self._readings, self._clock() - self._started)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar. Sensed lines of one axis and level are measured at once; they are off again after it.

        Off scale means in the widest range.

        Raises InputError if a sensed line is not driven, or if rows float while columns beside the sensed ones are at
        another level: they are not connected and could not pull them.
        """
        plan = self._looked_at(lines, tuple(sense))
        whole = [self._measured(one) for one in plan]
        self._readings += len(sense)
        if len(plan) == 1 and len(plan[0].sensed) == len(sense):
            return whole[0]
        found: dict[Line, Reading] = {}
        for one, readings in zip(plan, whole, strict=True):
            found |= zip(_lines_of(one), readings, strict=True)
        return [found[line] for line in sense]

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar. Those with the same lines are made at once, unless the setting `reads_together` is off.

        Cells that are read together share the wire of the line that drives them: the far ones see a little less. A
        reading that is asked for again is made again, under the same conditions.
        """
        for read in reads:
            self._looked_at(read.lines, (read.sense,))
        found: dict[int, Reading] = {}
        for sense, numbers in series_of(reads, together=self._settings.reads_together):
            together: dict[Line, Reading] = {}
            for one in self._looked_at(reads[numbers[0]].lines, tuple(sense)):
                together |= zip(_lines_of(one), self._measured(one), strict=True)
            self._readings += len(numbers)
            for number in numbers:
                found[number] = together[reads[number].sense]
                heard(number, found[number])
        return [found[number] for number in range(len(reads))]

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar. The board cannot measure while it writes: the reading's amps are NaN.

        Rows of one level with columns of another make one outer product, an event of its own, if they see more than
        three quarters of the largest voltage. All other lines float meanwhile and all other columns' transistors are
        off: no cell is half-selected. Transistors saturate at the setting's `write_amps` or, if that is less, where the
        cells of one line together carry `limits.amps`.
        """
        self._check(lines, ())
        limits = self._loaded_limits()
        limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
        shortest = self.capabilities.shortest_pulse_seconds
        if seconds < shortest * (1 - 1e-9):
            raise InputError(f"a pulse of {seconds:g} s is too short", remedy=f"This board makes {shortest:g} s")
        products = products_of(lines)
        writes = [
            write
            for product in products
            for write in kernel_writes(product, self._kernels, self.port, self._settings, limits.compliance_amps)
        ]
        self._budget.take(lines)
        for write in writes:
            self._give(write, seconds)
        self._pulses += 1
        return Reading(self.port.steps(furthest_volts(lines)) * self.port.volts_per_code, float("nan"))

    def idle(self) -> None:
        """No line is connected; gates and lines at the chip's ground."""
        self.port.release()

    def calibrate(
        self, reference_siemens: ArrayLike, *, relative_sigma: float, volts: float = 0.1, averages: int = 64
    ) -> DaffodilCalibration:
        """Measure gain and offset of every amplifier in every range against known conductances; used from now on.

        Offsets are outputs while no line is connected. Gains follow from the change of the outputs as rows go from
        -`volts` to `volts`, which offsets of amplifiers and DACs do not change. As many rows are driven together as
        fill the range.

        Args:
            reference_siemens: shape (25, 25) or scalar: what is between row i and column j of the first kernel,
                transistors included: a resistor card in the chip's socket, or cells that another instrument measured.
            relative_sigma: standard uncertainty of these, as a fraction.
            volts: level on the rows.
            averages: events per level.
        """
        self._loaded_limits().check_read(volts)
        known = np.broadcast_to(np.asarray(reference_siemens, dtype=np.float64), (SIDE, SIDE))
        kernel = next(iter(self._kernels.values()))
        found = self._amplifiers.calibrate(kernel, known, relative_sigma, volts, averages)
        self.idle()
        return found

    # what is asked

    def _loaded_limits(self) -> DeviceLimits:
        if self._limits is None:
            remedy = "Give the device's limits; nothing goes out before"
            raise LimitError("no limits are loaded", where="device.limits", remedy=remedy)
        return self._limits

    def _check_read(self, lines: Lines, sense: Sequence[Line]) -> None:
        self._check(lines, sense)
        limits, volts = self._loaded_limits(), lines.largest_cell_volts
        limits.check_read(volts)
        if limits.ramp_volts is not None and volts > limits.ramp_volts:
            raise LimitError(
                f"this board connects a line right at its level, in one step of {volts:g} V",
                where="device.limits.ramp_volts",
                remedy="Lower the read voltage, or have an engineer raise the limit",
            )

    def _check(self, lines: Lines, sense: Sequence[Line]) -> None:
        if (lines.row_volts.size, lines.col_volts.size) != self.shape:
            raise InputError(
                f"lines for {lines.row_volts.size} x {lines.col_volts.size} given to an array of {self.shape}"
            )
        if np.isnan(lines.row_volts).all() and np.isnan(lines.col_volts).all():
            raise InputError("no line is driven", remedy="Give at least one line a level")
        volts = _volts_of(lines)
        for line in sense:
            if math.isnan(volts[line.axis][line.number]):
                raise InputError(f"{line.axis} {line.number} cannot be sensed: it is not driven", remedy="Give it 0 V")

    # reading

    def _looked_at(self, lines: Lines, sense: tuple[Line, ...]) -> list[KernelRead]:
        """What is to be asked, after all of it has been checked; kept, since readings are repeated."""
        key = lines.row_volts.tobytes(), lines.col_volts.tobytes(), sense
        if (asked := self._plans.get(key)) is None:
            self._check_read(lines, sense)
            groups: dict[tuple[str, float], list[int]] = {}
            volts = _volts_of(lines)
            for line in sense:
                groups.setdefault((line.axis, volts[line.axis][line.number]), []).append(line.number)
            asked = [self._asked(lines, axis, level, numbers) for (axis, level), numbers in groups.items()]
            if len(self._plans) >= _KEPT_PLANS:
                self._plans.clear()
            self._plans[key] = asked
        return asked

    def _asked(self, lines: Lines, axis: str, level: float, numbers: list[int]) -> KernelRead:
        """The whole array as if it were one kernel. Raises InputError or LimitError if it cannot be done."""
        own, others = _levels(lines, axis), _levels(lines, "col" if axis == "row" else "row")
        beside = own[~np.isnan(own)] != level
        if axis == "col" and np.isnan(others).any() and beside.any():
            raise InputError(
                "rows float while columns that are not sensed are at another level than those that are",
                remedy="Drive every row, or let those columns float",
            )
        code = self.port.steps(level)
        all_driven = {int(i): self.port.steps(others[i]) for i in np.flatnonzero(~np.isnan(others))}
        driven = {i: other for i, other in all_driven.items() if other != code}
        zero = zero_code(self.port, [code, *driven.values()])
        asked = KernelRead(axis, tuple(dict.fromkeys(numbers)), code, driven, zero)
        check_reference(self.port, asked)
        return asked

    def _measured(self, asked: KernelRead) -> list[Reading]:
        """Currents out of the array, added up over the kernels that contribute, in the order of the sensed lines."""
        if len(self._kernels) == 1:
            return self._of_one_kernel(asked)
        amps, is_off = dict.fromkeys(asked.sensed, 0.0), dict.fromkeys(asked.sensed, False)
        for (row, col), kernel in self._kernels.items():
            own, other = (row, col) if asked.axis == "row" else (col, row)
            driven = {i: asked.driven[other * SIDE + i] for i in channels_in(asked.driven, other)}
            sensed = channels_in(asked.sensed, own)
            is_silent = not driven and (bool(asked.driven) or other > 0)
            if not sensed or is_silent:
                continue
            part, overflow = self._amplifiers.read(
                kernel, KernelRead(asked.axis, sensed, asked.level, driven, asked.zero)
            )
            for channel in sensed:
                amps[own * SIDE + channel] += float(part[channel])
                is_off[own * SIDE + channel] |= bool(overflow[channel])
        return self._readings_of(asked, [amps[n] for n in asked.sensed], [is_off[n] for n in asked.sensed])

    def _of_one_kernel(self, asked: KernelRead) -> list[Reading]:
        found, overflow = self._amplifiers.read(next(iter(self._kernels.values())), asked)
        sensed = list(asked.sensed)
        return self._readings_of(asked, found[sensed].tolist(), overflow[sensed].tolist())

    def _readings_of(self, asked: KernelRead, amps: list[float], is_off: list[bool]) -> list[Reading]:
        volts = asked.level * self.port.volts_per_code
        return [Reading(volts, own, is_overflow=off) for own, off in zip(amps, is_off, strict=True)]

    # writing

    def _give(self, write: KernelWrite, seconds: float) -> None:
        port, is_full = self.port, write.gate_volts is None
        port.select(write.kernel)
        port.configure(OUTER_PRODUCT, port.lowest_code, full_gates=is_full)
        port.set_rows(write.rows)
        port.set_cols(write.cols)
        gate = port.gate_code(port.full_gate_volts if write.gate_volts is None else write.gate_volts)
        port.set_gates(tuple(write.cols), gate)
        port.write(tuple(write.rows), tuple(write.cols), seconds)


def _volts_of(lines: Lines) -> dict[str, list[float]]:
    """Plain numbers, axis by axis."""
    return {"row": lines.row_volts.tolist(), "col": lines.col_volts.tolist()}


def _levels(lines: Lines, axis: str) -> Floats:
    return lines.row_volts if axis == "row" else lines.col_volts


def _lines_of(asked: KernelRead) -> list[Line]:
    return [Line(asked.axis, number) for number in asked.sensed]
