"""What a Daffodil kernel's junctions and transistors are at one bias, as the compiled solver takes them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics import switching
from mtjlab.physics.die_description import Kind

from .die import Die

if TYPE_CHECKING:
    from .daffodil_junctions import CellArrays
    from .daffodil_switching import RateArrays


class DieArrays:
    """The unchanging part of a die's arrays, made anew when a cell's kind has changed."""

    def __init__(self, die: Die) -> None:
        self._die = die
        self._kinds = b""

    def cells(self, saturation_amps: Floats, on_ohms: Floats) -> CellArrays:
        """With transistors like these, shape (cells,)."""
        from .daffodil_junctions import CellArrays

        self._refresh()
        die = self._die
        return CellArrays(
            die.is_parallel, die.siemens_p, die.tmr, self._dead_siemens, saturation_amps, on_ohms, self._half_volts
        )

    def rates(self) -> RateArrays:
        """Of switching and breakdown."""
        self._refresh()
        return self._rates

    def _refresh(self) -> None:
        if (kinds := self._die.kind.tobytes()) == self._kinds:
            return
        from .daffodil_switching import RateArrays

        die, self._kinds = self._die, kinds
        description = die.description
        self._half_volts = np.array([description.tmr_half_volts])
        self._dead_siemens = np.where(die.is_tunnelling, -1.0, die.siemens(0.0))
        rates, parts, grid = _tables()
        self._rates = RateArrays(
            np.asarray(die.kind == Kind.JUNCTION),
            die.is_tunnelling,
            die.delta,
            die.set_volts,
            die.reset_volts,
            die.breakdown_volts,
            np.array([description.breakdown_volts_per_decade]),
            np.array([description.damping_seconds]),
            rates,
            parts,
            grid,
        )


@cache
def _tables() -> tuple[Floats, Floats, Floats]:
    return switching.splines()
