"""How good the contacts of a touch-down are: overtravel, wear, debris, marks on the pads, dirt, tips beside their pads.

A touch-down depends on the card's seed, the place, how often that place has been touched, and the card's counters, and
on nothing else: a station that is started anew with its counters goes on as it would have (prober_journal.py).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from mtjlab.nouns import Floats

from .prober_spec import CardSpec

_TOO_HIGH_UM = 3.0
"""Overtravel below which tips of slightly different length do not all touch (assumed)."""
_WEAR_STEPS, _DEBRIS_STEPS = 2000, 20
"""Wear and debris are reckoned in so many steps per doubling: from one touch-down to the next nothing changes."""
_DRAGGED = 1000
Spot = tuple[int, int, int]
"""What is touched: x and y of the wafer's description, and subsite."""


class ProbeCard:
    """A probe card in use.

    Args:
        spec: what it is like.
        rng: gives the card its seed.

    Attributes:
        touchdowns: in its life so far; one that was dragged through its contacts counts as a thousand.
        since_cleaning: of these, since it was cleaned.
        cleanings: how often it was.
        marks: touch-downs by place.
    """

    def __init__(self, spec: CardSpec, rng: np.random.Generator) -> None:
        self.spec = spec
        self.touchdowns = 0
        self.since_cleaning = 0
        self.cleanings = 0
        self.marks: Counter[Spot] = Counter()
        self._seed = int(rng.integers(2**62))

    def touch(self, place: Spot, probes: int, overtravel_um: float, off_um: float, is_whole: bool) -> Floats:
        """One touch-down: see `foretold`; pads and tips get worse each time."""
        factors = self.foretold(place, probes, overtravel_um, off_um, is_whole)
        self.count(place)
        return factors

    def foretold(
        self, place: Spot, probes: int, overtravel_um: float, off_um: float, is_whole: bool, after: int = 0
    ) -> Floats:
        """Factors on the resistance of each contact, infinite where there is none; shape (probes,).

        Args:
            place: what it touches.
            off_um: distance of the tips from the middle of their pads.
            is_whole: whether the die lies on the wafer with all of its pads.
            after: so many touch-downs on other places come before it.
        """
        spec = self.spec
        words = [self._seed, *(number % 2**32 for number in place), self.marks[place]]
        rng = np.random.default_rng(words)
        debris = 2 ** _in_steps((self.since_cleaning + after) / spec.debris_touchdowns, _DEBRIS_STEPS)
        dirty_rate = min(spec.dirty_rate * debris * 2 ** (self.marks[place] / spec.marks), 1.0)
        worn = 2 ** _in_steps((self.touchdowns + after) / spec.wear_touchdowns, _WEAR_STEPS)
        pressed = 1 + 4 * max(1 - overtravel_um / spec.needed_um, 0.0) if spec.needed_um else 1.0
        factors = debris * worn * pressed * np.exp(spec.spread * rng.standard_normal(probes))
        is_dirty = rng.random(probes) < dirty_rate
        factors[is_dirty] *= spec.dirty_factor
        factors[rng.random(probes) < self._missing(overtravel_um, off_um)] = np.inf
        factors[is_dirty & (rng.random(probes) < spec.open_share)] = np.inf
        if not is_whole:
            factors[probes // 2 :] = np.inf
        return np.asarray(factors, dtype=np.float64)

    def count(self, place: Spot) -> None:
        """It has touched there."""
        self.touchdowns += 1
        self.since_cleaning += 1
        self.marks[place] += 1

    def forget(self) -> None:
        """As new, on pads that are as new."""
        self.touchdowns = self.since_cleaning = self.cleanings = 0
        self.marks.clear()

    def clean(self) -> None:
        """The debris is gone; wear stays."""
        self.since_cleaning = 0
        self.cleanings += 1

    def drag(self) -> None:
        """Dragged through its contacts: what is left of the tips."""
        self.touchdowns += _DRAGGED

    def _missing(self, overtravel_um: float, off_um: float) -> float:
        """Share of tips that do not touch: all beside their pads, or some that are too short."""
        if off_um > self.spec.reach_um:
            return 1.0
        return max(1 - overtravel_um / _TOO_HIGH_UM, 0.0) * 0.5


def _in_steps(value: float, steps: int) -> float:
    return float(np.floor(value * steps + 1e-9) / steps)
