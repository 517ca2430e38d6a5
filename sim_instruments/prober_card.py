"""How good the contacts of a touch-down are: overtravel, wear, marks on the pads, dirt, and tips beside their pads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import numpy as np

from mtjlab.nouns import Floats

from .prober_spec import CardSpec

_TOO_HIGH_UM = 3.0
"""Overtravel below which tips of slightly different length do not all touch (assumed)."""


class ProbeCard:
    """A probe card in use.

    Args:
        spec: what it is like.
        rng: draws every contact.

    Attributes:
        touchdowns: in its life so far.
        marks: touch-downs by place.
    """

    def __init__(self, spec: CardSpec, rng: np.random.Generator) -> None:
        self.spec = spec
        self.touchdowns = 0
        self.marks: Counter[Hashable] = Counter()
        self._rng = rng

    def touch(self, place: Hashable, probes: int, overtravel_um: float, off_um: float, is_whole: bool) -> Floats:
        """One touch-down: factors on the resistance of each contact, infinite where there is none; shape (probes,).

        Args:
            place: what it touches; pads get worse each time.
            off_um: distance of the tips from the middle of their pads.
            is_whole: whether the die lies on the wafer with all of its pads.
        """
        spec, rng = self.spec, self._rng
        dirty_rate = min(spec.dirty_rate * 2 ** (self.marks[place] / spec.marks), 1.0)
        self.touchdowns += 1
        self.marks[place] += 1
        worn = 2 ** (self.touchdowns / spec.wear_touchdowns)
        pressed = 1 + 4 * max(1 - overtravel_um / spec.needed_um, 0.0) if spec.needed_um else 1.0
        factors = worn * pressed * np.exp(spec.spread * rng.standard_normal(probes))
        factors[rng.random(probes) < dirty_rate] *= spec.dirty_factor
        factors[rng.random(probes) < self._missing(overtravel_um, off_um)] = np.inf
        if not is_whole:
            factors[probes // 2 :] = np.inf
        return np.asarray(factors, dtype=np.float64)

    def _missing(self, overtravel_um: float, off_um: float) -> float:
        """Share of tips that do not touch: all beside their pads, or some that are too short."""
        if off_um > self.spec.reach_um:
            return 1.0
        return max(1 - overtravel_um / _TOO_HIGH_UM, 0.0) * 0.5
