"""The chip of a simulated Daffodil board: four sub-arrays of 100 x 50 cells, 32 kernels of 25 x 25."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.die_description import DieDescription
from mtjlab.physics.populations import DrawnDie, WaferDescription, draw_die

from .daffodil_bias import Access, Bias, Point
from .daffodil_kernel import Kernel
from .die import Die

KERNELS = 32
SIDE = 25
"""Rows and columns of a kernel."""
CHIP_ROWS, CHIP_COLS = 200, 100
"""All cells as one die; where the four sub-arrays lie on it is an assumption."""


def kernel_corner(number: int) -> tuple[int, int]:
    """First row and column of a kernel on the chip.

    Its number's bits are, from the highest: MSB and LSB (sub-array), CA1 (half of its 50 columns), RA1 and RA0
    (quarter of its 100 rows), as the library's `set_kernel` has them. That MSB goes down and LSB to the right is
    assumed.
    """
    below, right = (number >> 4) & 1, (number >> 3) & 1
    return 100 * below + SIDE * (number & 3), 50 * right + SIDE * ((number >> 2) & 1)


class DaffodilChip:
    """32 kernels of junctions with access transistors.

    Args:
        description: what the cells are drawn from, 200 x 100 of them; contact resistances stand for the multiplexers.
        drawn: the cells as they were made.
        access: the transistors.

    Raises InputError for another size, or lines that touch each other.
    """

    def __init__(self, description: DieDescription, drawn: DrawnDie, access: Access | None = None) -> None:
        if (description.rows, description.cols) != (CHIP_ROWS, CHIP_COLS):
            raise InputError(f"a Daffodil chip has {CHIP_ROWS} x {CHIP_COLS} cells", where="die.rows")
        if any(defect.kind == "short" for defect in drawn.line_defects):
            raise InputError("lines that touch each other are not simulated on this chip", where="die.line_defects")
        self.access = access or Access()
        self.kernels = [Kernel(_part(description, drawn, k), self.access) for k in range(KERNELS)]

    @classmethod
    def draw(
        cls, die: DieDescription | None = None, *, seed: int, access: Access | None = None, **changes: object
    ) -> DaffodilChip:
        """A chip of its own for every seed.

        Args:
            die: what its cells are drawn from; `changes` replace fields of it. Rows and columns are the chip's.
        """
        given = (die or DieDescription(diameters_nm=[50.0])).model_dump(exclude={"rows", "cols"})
        description = DieDescription(**{**given, **changes, "rows": CHIP_ROWS, "cols": CHIP_COLS})
        return cls(description, draw_die(description, np.random.default_rng(seed)), access)

    @classmethod
    def of_wafer(
        cls, wafer: WaferDescription, x: int, y: int, *, seed: int, access: Access | None = None
    ) -> DaffodilChip:
        """The chip at a place of a wafer, with all that differs between the places; sizes are the chip's."""
        die = wafer.die.model_copy(update={"rows": CHIP_ROWS, "cols": CHIP_COLS})
        return cls(die, wafer.model_copy(update={"die": die}).draw(x, y, seed), access)


class ResistorCard:
    """Known resistors in the chip's socket, for calibration: row i and column j are joined by siemens[i, j].

    It has no transistors: every resistor between two driven lines conducts, whichever kernel is selected.
    """

    def __init__(self, siemens: Floats) -> None:
        self.siemens = np.asarray(siemens, dtype=np.float64)
        if self.siemens.shape != (SIDE, SIDE) or not (self.siemens >= 0).all():
            raise InputError(f"a resistor card has {SIDE} x {SIDE} conductances, none negative")

    def point(self, bias: Bias) -> Point:
        """Currents at this bias. Lines must be driven or lead to driven lines only; none may float."""
        rows, cols = (np.where(np.isnan(v), np.nan, v) for v in (bias.row_volts, bias.col_volts))
        volts = np.nan_to_num(rows[:, None] - cols[None, :])
        if np.isnan(rows).any() and np.isnan(cols).any() and volts.any():
            raise InputError("lines of both kinds float on a resistor card", remedy="Drive all rows or all columns")
        amps = volts * self.siemens
        return Point(volts, volts, amps, -amps.sum(axis=1), amps.sum(axis=0))

    def expose(self, bias: Bias, seconds: float, rng: np.random.Generator, broke: Callable[[int], None]) -> None:
        """Resistors do not change."""


def _part(description: DieDescription, drawn: DrawnDie, number: int) -> Die:
    """The cells of one kernel as a die."""
    row, col = kernel_corner(number)
    rows, cols = slice(row, row + SIDE), slice(col, col + SIDE)

    def cut(values: Floats) -> Floats:
        return np.ascontiguousarray(values.reshape(CHIP_ROWS, CHIP_COLS)[rows, cols].ravel())

    own = description.model_copy(update={"rows": SIDE, "cols": SIDE, "defects": [], "line_defects": []})
    contacts = np.concatenate([drawn.contact_ohms[:CHIP_ROWS][rows], drawn.contact_ohms[CHIP_ROWS:][cols]])
    names = ("kind", "siemens_p", "tmr", "delta", "set_volts", "reset_volts")
    more = ("breakdown_volts", "short_siemens", "is_parallel")
    cells = {name: cut(getattr(drawn, name)) for name in (*names, *more)}
    flaws = None if drawn.flaws is None else cut(drawn.flaws.astype(np.float64)).astype(np.int8)
    return Die(own, np.random.default_rng(0), DrawnDie(**cells, contact_ohms=contacts, flaws=flaws))  # type: ignore[arg-type]
