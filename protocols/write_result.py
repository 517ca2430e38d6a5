"""What a write came to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mtjlab.nouns import ArrayMap, Cost, Floats, Ints, Site, State
from mtjlab.short_words import in_short

from .write_lines import WriteScheme
from .write_search import Threshold


@dataclass(frozen=True, eq=False)
class WriteResult:
    """What a write came to.

    Attributes:
        written: the map as last read; partial if the write was stopped or its budget was spent.
        target: wanted state per cell, UNKNOWN where it did not matter.
        unwritten: cells that refused.
        mended: cells that had to be written again because a neighbour's pulses had disturbed them.
        cost: pulses, readings and bench seconds spent.
        reason: why it ended, in words.
        joules: what the cells took in the pulses, estimated from the map.
        unverified: cells that a pulse may have changed since they were last read; none unless looks were left out or
            the write was ended early.
        volts: (rows, cols), signed amplitude that last switched each cell; NaN where none did.
        thresholds: what the search found, by target state; states that were not searched are left out.
        scheme: what the unselected lines did.
    """

    __repr__ = in_short

    written: ArrayMap
    target: Ints
    unwritten: tuple[Site, ...]
    mended: int
    cost: Cost
    reason: str
    joules: float = 0.0
    unverified: tuple[Site, ...] = ()
    volts: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    thresholds: dict[State, Threshold] = field(default_factory=dict)
    scheme: WriteScheme = WriteScheme.HALF

    @property
    def fidelity(self) -> float:
        """Fraction of the targeted cells that were last read in the wanted state."""
        asked = self.target != State.UNKNOWN
        return float((self.written.state[asked] == self.target[asked]).mean()) if asked.any() else 1.0
