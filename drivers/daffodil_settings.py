"""How a Daffodil board is used: ranges, averaging, times, and the saturation current of the cells' transistors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtjlab.errors import InputError, LimitError

FULL_GATE_VOLTS = 3.3
FULL_POWER_AMPS = 5e-3
"""Saturation current at full gate (assumed, from the library's own model of a cell)."""
_THRESHOLD_VOLTS = 0.5
ASSUMED_GATE_TABLE = tuple(
    (volts, FULL_POWER_AMPS * ((volts - _THRESHOLD_VOLTS) / (FULL_GATE_VOLTS - _THRESHOLD_VOLTS)) ** 2)
    for volts in (0.52, 0.6, 0.8, 1.2, 1.8, 2.5, FULL_GATE_VOLTS)
)
"""Square law with the library's threshold (assumed); its own table, misc/CMOS_IV.csv, is not published."""


@dataclass(frozen=True)
class DaffodilSettings:
    """How the board is used; times and currents are assumptions to be checked on a board.

    Attributes:
        feedback_ohms: settings of the feedback that are used, one for each range; calibrate after a change.
        full_siemens: conductance that no healthy cell exceeds; the range for a reading follows from it.
        averages: events per reading (the library's scripts speak of four).
        subtracts_zero: whether each reading is the difference from one with the same lines all at the sensed level.
            Offsets of amplifiers and DACs, a millivolt or so each, drive the cells as well; this takes them away, for
            twice as many events. Without it only the outputs' calibrated offsets are.
        reads_together: whether a series of readings with the same lines is made at once.
        read_seconds: longest that a read event may last; it must outlast the conversion of 25 channels, after which it
            ends by itself (library).
        clock_hertz: of the logic that times the events.
        write_amps: saturation current of each cell's transistors while writing; None for full power.
        gate_table: gate volts above the chip's ground and the saturation current there, both rising, as measured on
            this chip; the last one is full gate.
        swaps_gates: for boards whose gates 13 and 14 are exchanged (library, set_kernel).
    """

    feedback_ohms: tuple[float, ...] = (2e3, 8e3, 30e3)
    full_siemens: float = 4e-4
    averages: int = 4
    subtracts_zero: bool = True
    reads_together: bool = True
    read_seconds: float = 50e-3
    clock_hertz: float = 100e6
    write_amps: float | None = None
    gate_table: tuple[tuple[float, float], ...] = ASSUMED_GATE_TABLE
    swaps_gates: bool = False

    def gate_volts(self, amps: float) -> float | None:
        """Gate at which the transistors saturate at so much, or at `write_amps` if that is less; None for full power.

        Between the table's entries the square root of the current goes in straight lines.

        Raises LimitError below the table's first entry.
        """
        wanted = amps if self.write_amps is None else min(amps, self.write_amps)
        volts, currents = np.array(self.gate_table).T
        if wanted >= currents[-1]:
            return None
        if not wanted >= currents[0]:
            raise LimitError(
                f"transistors cannot be told to saturate at {wanted:.3g} A",
                where="gate_table",
                remedy=f"Allow {currents[0]:.3g} A per cell, write fewer cells at once, or extend the table",
            )
        return float(np.interp(np.sqrt(wanted), np.sqrt(currents), volts))

    def __post_init__(self) -> None:
        table = np.array(self.gate_table)
        if table.ndim != 2 or table.shape[1:] != (2,) or not (np.diff(table, axis=0) > 0).all() or table.min() < 0:
            raise InputError("the gate table must rise in volts and in amps", where="gate_table")
        if not self.feedback_ohms or min(self.feedback_ohms) <= 0 or self.averages < 1:
            raise InputError("at least one feedback and one average are needed", where="settings")
