"""Reading with the 25 amplifiers of a Daffodil board: ranges, averaging, overflow, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtjlab.errors import InputError, LimitError
from mtjlab.nouns import Bools, Floats

from .daffodil_calibration import DaffodilCalibration, RangeCalibration, fit_feedback
from .daffodil_port import BACKWARD, FORWARD, SIDE, BoardPort
from .daffodil_settings import DaffodilSettings

_MOST_REFERENCE = 2.5
"""Volts; the board takes no higher reference (library, setrefopamp)."""
_LOWEST_OUTPUT, _HIGHEST_OUTPUT = 0.0, 3.3
"""Limits of an amplifier's output (library)."""
_NEAR_LIMIT = 0.03
"""An output so near to its limit counts as off scale: many times the noise, and what amplifiers may lack (assumed)."""
_HEADROOM = 0.8


@dataclass(frozen=True, eq=False)
class KernelRead:
    """What one kernel is asked: lines of one axis at one level. Levels are steps of the converters against 0 V.

    Attributes:
        axis: of the sensed lines.
        sensed: their channels.
        level: theirs.
        driven: channel -> level of every line of the other axis that is connected.
        zero: register value of 0 V.
    """

    axis: str
    sensed: tuple[int, ...]
    level: int
    driven: dict[int, int]
    zero: int


def zero_code(port: BoardPort, codes: Sequence[int]) -> int:
    """Register value of 0 V, as low as the window allows. Raises LimitError if the levels do not fit into it."""
    span = (max(codes) - min(codes)) * port.volts_per_code
    if port.lowest_volts + span > port.highest_volts + 1e-9:
        raise LimitError(
            f"levels {span:.3g} V apart do not fit between the chip's ground and its supply",
            where="daffodil",
            remedy=f"Keep them within {port.full_gate_volts:.2g} V",
        )
    return port.lowest_code - min(codes)


def check_reference(port: BoardPort, read: KernelRead) -> None:
    """Raise LimitError if the board takes no such reference."""
    volts = port.volts(read.zero + read.level)
    if volts > _MOST_REFERENCE:
        raise LimitError(
            f"the sensed lines would be at {volts:.3g} V, beyond the {_MOST_REFERENCE} V of the reference",
            where="daffodil",
            remedy="Bring the levels nearer to each other",
        )


class Amplifiers:
    """Reads currents; keeps the range and the calibration.

    Raises InputError if the calibration lacks a range.
    """

    def __init__(self, port: BoardPort, settings: DaffodilSettings, calibration: DaffodilCalibration | None) -> None:
        missing = [ohms for ohms in settings.feedback_ohms if calibration and ohms not in calibration.ranges]
        if missing:
            raise InputError(f"{missing[0]:g} ohm is not calibrated", where="calibration", remedy="Calibrate again")
        self._port, self._settings, self.calibration = port, settings, calibration
        self._range = max(settings.feedback_ohms)

    def read(self, kernel: int, asked: KernelRead) -> tuple[Floats, Bools]:
        """Amps out of the array into each channel, and whether it is off scale even in the widest range."""
        return self._read(kernel, asked, self._fitting_range(asked))

    def _read(self, kernel: int, asked: KernelRead, ohms: float) -> tuple[Floats, Bools]:
        """An amplifier at its limit holds its line no more, which disturbs the others: they are read apart from it."""
        amps, overflow = self._amps(kernel, asked, ohms)
        off = tuple(channel for channel in asked.sensed if overflow[channel]) if overflow.any() else ()
        wider = max((r for r in self._settings.feedback_ohms if r < ohms), default=None)
        if off and len(off) < len(asked.sensed):
            on = tuple(channel for channel in asked.sensed if channel not in off)
            amps, overflow = self._read(kernel, replace(asked, sensed=on), ohms)
            overflow[list(off)] = True
        if off and wider is not None:
            again, still = self._read(kernel, replace(asked, sensed=off), wider)
            amps[list(off)], overflow[list(off)] = again[list(off)], still[list(off)]
        return amps, overflow

    def _fitting_range(self, asked: KernelRead) -> float:
        """Largest feedback for the current that healthy cells give at most; the present one where none is driven."""
        steps = sum(abs(code - asked.level) for code in asked.driven.values())
        if steps == 0:
            return self._range
        amps = steps * self._port.volts_per_code * self._settings.full_siemens
        reference = self._port.volts(asked.zero + asked.level)
        swing = _HEADROOM * min(reference - _LOWEST_OUTPUT, _HIGHEST_OUTPUT - reference)
        fitting = [ohms for ohms in self._settings.feedback_ohms if ohms * amps <= swing]
        self._range = max(fitting, default=min(self._settings.feedback_ohms))
        return self._range

    def _amps(self, kernel: int, asked: KernelRead, ohms: float) -> tuple[Floats, Bools]:
        """Less what flows with the same lines at the sensed level, or less the amplifiers' offsets only."""
        table, averages = self._table(ohms), self._settings.averages
        zero = -table.offset_volts
        if self._settings.subtracts_zero:
            at_rest = replace(asked, driven=dict.fromkeys(asked.driven, asked.level))
            zero = self._falls(kernel, at_rest, ohms, averages).sum(axis=0) / averages
        falls = self._falls(kernel, asked, ohms, averages)
        outputs = self._port.volts(asked.zero + asked.level) - falls
        is_near = (outputs < _LOWEST_OUTPUT + _NEAR_LIMIT) | (outputs > _HIGHEST_OUTPUT - _NEAR_LIMIT)
        is_off: Bools = np.asarray(is_near.any(axis=0), dtype=np.bool_)
        return (falls.sum(axis=0) / averages - zero) / table.feedback_ohms, is_off

    def _falls(self, kernel: int, asked: KernelRead, ohms: float, averages: int) -> Floats:
        """By how much the outputs are below their reference, shape (averages, 25)."""
        port, senses_rows = self._port, asked.axis == "row"
        port.select(kernel)
        port.set_feedback(ohms)
        reference = asked.zero + asked.level
        port.configure(FORWARD if senses_rows else BACKWARD, reference, full_gates=True)
        levels = {i: asked.zero + code for i, code in asked.driven.items()}
        (port.set_cols if senses_rows else port.set_rows)(levels)
        rows, cols = (asked.sensed, tuple(levels)) if senses_rows else (tuple(levels), asked.sensed)
        port.set_gates(cols, port.gate_code(port.full_gate_volts))
        outputs = [port.read(rows, cols, self._settings.read_seconds) for _ in range(averages)]
        return port.volts(reference) - np.array(outputs)

    def _table(self, ohms: float) -> RangeCalibration:
        if self.calibration is None:
            self._port.set_feedback(ohms)
            return RangeCalibration.nominal(np.array(self._port.table_ohms))
        return self.calibration.ranges[ohms]

    def calibrate(
        self, kernel: int, known: Floats, relative_sigma: float, volts: float, averages: int
    ) -> DaffodilCalibration:
        """Measure all ranges against known conductances and use the tables from now on; see DaffodilCrossbar."""
        code = max(round(volts / self._port.volts_per_code), 1)
        plan = _Calibration(kernel, known, relative_sigma, code, averages)
        ranges = {ohms: self._calibrated(plan, ohms) for ohms in self._settings.feedback_ohms}
        self.calibration = DaffodilCalibration(ranges, {"relative_sigma": relative_sigma, "volts": volts})
        return self.calibration

    def _calibrated(self, plan: _Calibration, ohms: float) -> RangeCalibration:
        empty, _ = self._mean_falls(plan, {}, (), ohms)
        amps, falls, sigmas = [], [], []
        for rows in self._patterns(plan, ohms):
            step = {s: {i: s * plan.code if i in rows else 0 for i in range(SIDE)} for s in (1, -1)}
            up, down = (self._mean_falls(plan, step[s], tuple(range(SIDE)), ohms) for s in (1, -1))
            amps.append(2 * plan.code * self._port.volts_per_code * plan.known[rows].sum(axis=0))
            falls.append(up[0] - down[0])
            sigmas.append(np.hypot(up[1], down[1]))
        found, sigma = fit_feedback(np.array(amps), np.array(falls), np.array(sigmas), plan.relative_sigma)
        return RangeCalibration(found, -empty, sigma)

    def _patterns(self, plan: _Calibration, ohms: float) -> list[list[int]]:
        """Which rows are driven together: as many as fill the range, all of them in turn."""
        swing = _HEADROOM * (_HIGHEST_OUTPUT - self._port.volts(self._port.lowest_code + plan.code))
        each = ohms * plan.code * self._port.volts_per_code * float(plan.known.max())
        together = max(1, min(SIDE, int(swing / each))) if each > 0 else SIDE
        return [list(range(first, min(first + together, SIDE))) for first in range(0, SIDE, together)]

    def _mean_falls(
        self, plan: _Calibration, codes: dict[int, int], sensed: tuple[int, ...], ohms: float
    ) -> tuple[Floats, Floats]:
        """Mean and its standard uncertainty: scatter, and the rounding of the converter."""
        asked = KernelRead("col", sensed, 0, codes, zero_code(self._port, [0, *codes.values()]))
        falls = self._falls(plan.kernel, asked, ohms, plan.averages)
        rounding = self._port.volts_per_code / np.sqrt(12)
        return falls.mean(axis=0), np.hypot(falls.std(axis=0) / np.sqrt(plan.averages), rounding)


@dataclass(frozen=True, eq=False)
class _Calibration:
    """What is calibrated against; see `DaffodilCrossbar.calibrate`."""

    kernel: int
    known: Floats
    relative_sigma: float
    code: int
    averages: int
