"""Events of a simulated Daffodil board: what the enabled lines see, what the amplifiers make of it, what happens."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mtjlab.nouns import Bools, Floats

from .daffodil_bias import Bias, Point
from .daffodil_chip import SIDE
from .daffodil_kernel import Kernel

if TYPE_CHECKING:
    from .daffodil_board import SimDaffodilBoard

K = TypeVar("K")
V = TypeVar("V")
_MOST_CLIPPED = 6
_KEPT = 4
"""Readings at two polarities go to and fro."""
_MOST_GATE = 3.3
_SLACK = 0.01


@dataclass(frozen=True)
class BoardSettings:
    """Errors and times of a board. Except where a source is named, all are assumptions.

    Attributes:
        end_ohms: mean end-to-end resistance of the potentiometers (library, dpots/NIST.txt: 91.0 to 96.3 kohm).
        gain_spread: by which fraction single ones differ, at most (its tables: 1 to 10 %).
        wiper_ohms: lowest and highest wiper resistance (its tables: 39 to 49 ohm).
        offset_volts: standard deviation of the amplifiers' input offset.
        lowest_volts, highest_volts: what an amplifier's output can reach (library: 0 and 3.3 V).
        dac_error_volts: standard deviation of each output's error.
        noise_volts: standard deviation of one conversion, at the ADC's input (1 LSB).
        clock_hertz: of the logic that times the events.
        dac_seconds: to write one DAC or potentiometer register.
        pin_seconds: to set one pin.
        adc_seconds: to read one ADC channel.
        event_seconds: to set the enable pins and start an event.
        line_amps: what an output can deliver (library: 40 mA).
    """

    end_ohms: float = 94e3
    gain_spread: float = 0.03
    wiper_ohms: tuple[float, float] = (39.0, 49.0)
    offset_volts: float = 1e-3
    lowest_volts: float = 0.0
    highest_volts: float = 3.3
    dac_error_volts: float = 0.5e-3
    noise_volts: float = 5 / 4096
    clock_hertz: float = 100e6
    dac_seconds: float = 60e-6
    pin_seconds: float = 1e-6
    adc_seconds: float = 100e-6
    event_seconds: float = 100e-6
    line_amps: float = 40e-3


@dataclass(frozen=True, eq=False)
class Amplifiers:
    """The 25 transimpedance amplifiers; channel k serves row k or column k.

    Attributes:
        offset_volts: input offset of each, shape (25,).
        lowest_volts, highest_volts: what their outputs can reach.
    """

    offset_volts: Floats
    lowest_volts: float
    highest_volts: float

    def outputs(self, virtual_ground: Floats, amps: Floats, ohms: Floats) -> Floats:
        """Output volts for currents out of the array, unlimited."""
        return virtual_ground - amps * ohms


class Events:
    """Runs events on the selected kernel and keeps the operating point of the last one.

    Attributes:
        point: of the last event, volts and amps of the kernel; None before the first.
        released_at: simulated time at which the lines of the last write event are released.
    """

    def __init__(
        self,
        board: SimDaffodilBoard,
        amplifiers: Amplifiers,
        noise: np.random.Generator,
        happenings: np.random.Generator,
    ) -> None:
        self._board, self._amplifiers = board, amplifiers
        self._noise, self._happenings = noise, happenings
        self.point: Point | None = None
        self.released_at = 0.0
        self._biases: OrderedDict[tuple[object, ...], Bias] = OrderedDict()
        self._outputs: OrderedDict[tuple[object, ...], tuple[Bias, Floats]] = OrderedDict()
        self._harmless: OrderedDict[Point, None] = OrderedDict()

    @property
    def amplifier_offsets(self) -> Floats:
        """Input offset of each amplifier, volts."""
        return self._amplifiers.offset_volts

    @property
    def number(self) -> int:
        """Of the selected kernel, from the pins."""
        b = self._board
        return b.MSB << 4 | b.LSB << 3 | b.CA1 << 2 | b.RA1 << 1 | b.RA0

    @property
    def kernel(self) -> Kernel:
        """The selected kernel."""
        return self._board.chip.kernels[self.number]

    def run(self, seconds: float) -> None:
        """Connect the lines for so long. A read is over once all channels have been read (library), or before."""
        b = self._board
        sensed = "row" if b.write_mode_R == 1 else "col" if b.write_mode_C == 1 else None
        bias = self._bias()
        if sensed is None:
            self._expose(bias, seconds)
            self.released_at = b.seconds + seconds
            return
        last = b.settings.adc_seconds * SIDE
        bias, outputs = self._amplified(bias, sensed)
        self._expose(bias, min(seconds, last))
        if seconds < last:
            conversions = b.settings.adc_seconds * (1 + np.arange(SIDE))
            outputs = np.where(conversions <= seconds, outputs, self._resting())
        b.convert(outputs + b.settings.noise_volts * self._noise.standard_normal(SIDE))
        b.wait(last)

    def _expose(self, bias: Bias, seconds: float) -> None:
        target = self._board.card or self.kernel
        self.point = target.point(bias)
        if self._board.card is None and self.point not in self._harmless:
            if self._is_harmless(bias, self.point):
                _keep(self._harmless, self.point, None)
            else:
                self._check(bias, self.point)
        target.expose(bias, seconds, self._happenings, self._log_breakdown)

    def _log_breakdown(self, index: int) -> None:
        self._board.log("breakdown", f"the barrier of {self._cell(*divmod(index, SIDE))} broke down")

    def _cell(self, row: int, col: int) -> str:
        return f"cell {(int(row), int(col))} of kernel {self.number}"

    # what the lines see

    def _bias(self) -> Bias:
        """The same again for lines that are as they were: what has been found for it holds."""
        key = self._setting()
        if (found := self._biases.get(key)) is None:
            b = self._board
            rows = self._line_volts("row", b.write_mode_R, b.ext_mode_R, bool(b.EN_IO_R), b.ROW_EN_tobe)
            cols = self._line_volts("col", b.write_mode_C, b.ext_mode_C, bool(b.EN_IO_C), b.COL_EN_tobe)
            found = _keep(self._biases, key, Bias.of(rows, cols, self._gate_volts()))
        return found

    def _setting(self) -> tuple[object, ...]:
        """All that the levels of lines and gates follow from."""
        b = self._board
        modes = b.write_mode_R, b.ext_mode_R, b.write_mode_C, b.ext_mode_C, b.write_mode_G, b.ext_mode_G
        switches = b.EN_IO_R, b.EN_IO_C, b.EN_IO_G, b.compliance_control, b.vground, b.vmax
        levels = [b.outputs(kind).key for kind in ("row", "col", "gate", "reference")]
        return (*modes, *switches, *levels, tuple(b.ROW_EN_tobe), tuple(b.COL_EN_tobe))

    def _line_volts(self, kind: str, write: int, ext: int, is_enabled: bool, enables: list[int]) -> Floats:
        """Against the chip's ground; NaN where open. "GND" is taken as the chip's ground; nothing is at EXT."""
        b = self._board
        if (write, ext) == (0, 0):
            source = b.output_volts(kind) - b.vground
        elif (write, ext) == (1, 0):
            source = b.output_volts("reference") - b.vground + self._amplifiers.offset_volts
        else:
            source = np.full(SIDE, np.nan if write else 0.0)
        is_connected = np.asarray(enables, dtype=np.bool_) & is_enabled
        return np.where(is_connected, source, np.nan)

    def _gate_volts(self) -> Floats:
        """Against the chip's ground. Gates of columns that are not enabled are grounded on the chip (library)."""
        b = self._board
        if b.ext_mode_G:
            volts = np.zeros(SIDE)
        else:
            full = b.vmax - b.vground
            volts = np.full(SIDE, full) if b.write_mode_G else b.output_volts("gate") - b.vground
        if b.compliance_control == 1:
            full = b.vmax - b.vground
            volts = np.where(volts > full / 2, full, 0.0)
        return np.where(np.asarray(b.COL_EN_tobe, dtype=np.bool_) & bool(b.EN_IO_G), volts, 0.0)

    # amplifiers

    def _resting(self) -> Floats:
        """Outputs while no current flows."""
        return np.asarray(self._board.output_volts("reference") + self._amplifiers.offset_volts)

    def _amplified(self, bias: Bias, kind: str) -> tuple[Bias, Floats]:
        """Outputs of all amplifiers. One at its limit holds its line no more: the line sees that limit through R_f."""
        target = self._board.card or self.kernel
        ohms = self._board.true_ohms()
        key = target, bias, target.point(bias), ohms.tobytes(), self._board.outputs("reference").key, kind
        if (found := self._outputs.get(key)) is None:
            found = _keep(self._outputs, key, self._limited(bias, kind, ohms, self._resting()))
        return found

    def _limited(self, bias: Bias, kind: str, ohms: Floats, resting: Floats) -> tuple[Bias, Floats]:
        a, target = self._amplifiers, self._board.card or self.kernel
        is_open = np.isnan(bias.row_volts if kind == "row" else bias.col_volts)
        limited: Bools = np.zeros(SIDE, dtype=np.bool_)
        outputs = resting
        for _ in range(_MOST_CLIPPED):
            point = target.point(bias)
            amps = np.where(is_open, 0.0, point.row_amps if kind == "row" else point.col_amps)
            ideal = a.outputs(resting, amps, ohms)
            if not limited.any() and a.lowest_volts <= ideal.min() and ideal.max() <= a.highest_volts:
                return bias, ideal
            outputs = np.where(limited, outputs, np.clip(ideal, a.lowest_volts, a.highest_volts))
            newly = (outputs != ideal) & ~limited
            if not newly.any() or self._board.card is not None:
                break
            limited |= newly
            bias = self._at_limit(bias, kind, limited, outputs, ohms)
        return bias, outputs

    def _at_limit(self, bias: Bias, kind: str, limited: Bools, outputs: Floats, ohms: Floats) -> Bias:
        """Gates stay as they are above the lines' sources: the lines move by little."""
        held = bias.row_volts if kind == "row" else bias.col_volts
        volts = np.where(limited, outputs - self._board.vground, held)
        series = np.where(limited, ohms, 0.0)
        if kind == "row":
            return replace(bias, row_volts=volts, row_ohms=series)
        return replace(bias, col_volts=volts, col_ohms=series)

    # what should not happen

    def _is_harmless(self, bias: Bias, point: Point) -> bool:
        """Whether `_check` has nothing to say."""
        from .daffodil_checks import is_harmless

        d = self.kernel.die.description
        return is_harmless(
            (point.junction_volts, point.cell_amps, bias.over_source_volts),
            (point.row_amps, bias.row_volts, bias.row_ohms),
            (point.col_amps, bias.col_volts, bias.col_ohms),
            (d.limit_volts, d.limit_amps, self._board.settings.line_amps, -_SLACK, _MOST_GATE + _SLACK),
        )

    def _check(self, bias: Bias, point: Point) -> None:
        limits = self.kernel.die.description
        self._blame("over-voltage", point.junction_volts, limits.limit_volts, "V")
        self._blame("over-current", point.cell_amps, limits.limit_amps, "A")
        self._check_lines(bias, point)

    def _blame(self, kind: str, values: Floats, most: float, unit: str) -> None:
        over = np.abs(values) > most
        if over.any():
            for row, col in np.argwhere(over & self.kernel.die.is_tunnelling.reshape(values.shape)):
                self._board.log(kind, f"{self._cell(row, col)} saw {values[row, col]:.3g} {unit}")

    def _check_lines(self, bias: Bias, point: Point) -> None:
        most = self._board.settings.line_amps
        for kind, amps, at_line in (
            ("row", point.row_amps, bias.row_volts + point.row_amps * bias.row_ohms),
            ("col", point.col_amps, bias.col_volts + point.col_amps * bias.col_ohms),
        ):
            largest = float(np.abs(amps).max())
            if largest > most:
                self._board.log("over-current", f"a {kind} carried {largest:.3g} A")
            lowest = float(np.fmin.reduce(at_line, initial=np.inf))
            if lowest < -_SLACK:
                self._board.log("below ground", f"a {kind} was at {lowest:.3g} V against the chip's ground")
        above = float(bias.over_source_volts.max())
        if above > _MOST_GATE + _SLACK:
            self._board.log("over-voltage", f"a gate was {above:.3g} V above a line")


def _keep(known: OrderedDict[K, V], key: K, value: V) -> V:
    """Together with the last few."""
    known[key] = value
    if len(known) > _KEPT:
        known.popitem(last=False)
    return value
