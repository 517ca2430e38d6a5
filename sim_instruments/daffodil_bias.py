"""What a Daffodil board puts on a kernel, what its transistors make of that, and the operating point that follows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtjlab.nouns import Floats


@dataclass(frozen=True)
class Access:
    """The transistors in series with a junction, as one channel; numbers are assumptions.

    Square law, both ways: I_sat = factor (V_gs - V_t)^2 with V_gs from the lower of the two lines, and a channel that
    goes smoothly from its resistance at small currents, 1 / (2 factor (V_gs - V_t)), into saturation. The library's
    own model has the threshold, the square and 4 mA at 3 V; it has no resistance.
    """

    threshold_volts: float = 0.5
    amps_per_volt2: float = 4e-3 / 2.5**2

    def saturation_amps(self, gate_volts: Floats | float) -> Floats:
        """Saturation current at a gate voltage above the lower line."""
        over = np.maximum(np.asarray(gate_volts) - self.threshold_volts, 0.0)
        return np.asarray(self.amps_per_volt2 * over**2, dtype=np.float64)

    def on_ohms(self, gate_volts: Floats | float) -> Floats:
        """Resistance at small currents; infinite if off."""
        over = np.maximum(np.asarray(gate_volts) - self.threshold_volts, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(1 / (2 * self.amps_per_volt2 * over), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Bias:
    """What the board puts on a kernel. Volts against the chip's ground; NaN where a line is open. Never changed.

    Attributes:
        row_volts, col_volts: shapes (rows,), (cols,), of the sources behind the lines.
        over_source_volts: shape (rows, cols), of each cell's gate above the lower of its two lines.
        row_ohms, col_ohms: resistance that each line is driven through, beside the wires' own.
    """

    row_volts: Floats
    col_volts: Floats
    over_source_volts: Floats
    row_ohms: Floats
    col_ohms: Floats

    @classmethod
    def of(cls, row_volts: Floats, col_volts: Floats, gate_volts: Floats) -> Bias:
        """Lines driven right at their ends, and `gate_volts`, shape (cols,), along the columns."""
        over = gate_volts - _lowest(row_volts, col_volts)
        return cls(row_volts, col_volts, over, np.zeros(row_volts.size), np.zeros(col_volts.size))

    @cached_property
    def key(self) -> bytes:
        """Equal if the bias is."""
        parts = (self.row_volts, self.col_volts, self.over_source_volts, self.row_ohms, self.col_ohms)
        return b"".join(part.tobytes() for part in parts)


@dataclass(frozen=True, eq=False)
class Point:
    """Operating point of a kernel.

    Attributes:
        junction_volts, cell_amps: shape (rows, cols), row above column; cells whose transistors are off have none.
        cell_volts: the same of junction and transistors together.
        row_amps, col_amps: current *out of the array* into each line.
    """

    junction_volts: Floats
    cell_volts: Floats
    cell_amps: Floats
    row_amps: Floats
    col_amps: Floats


def _lowest(row_volts: Floats, col_volts: Floats) -> Floats:
    """Shape (rows, cols): the lower of a cell's two lines, the source of an n-channel transistor; 0 if both float."""
    lower = np.fmin(row_volts[:, None], col_volts[None, :])
    return np.where(np.isnan(lower), 0.0, lower)
