"""Find the amplitudes to write with: the switching threshold of a few cells, and what follows for all others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Pulse, Site, State

from .write_pulses import CellOutcome, CellTask, HeardCell, Writer
from .write_settings import WriteSettings

_USUAL_SPREAD, _USUAL_WEIGHT = 0.1, 4
"""What a spread is taken to be before anything is known (an assumption), and for how many cells that counts.

The scatter of a handful of cells says little; too small a spread would make for many small steps.
"""
_ABOVE = 1.3
"""The first amplitude is this many standard deviations above the middle: nine cells out of ten switch at once."""
_PLATEAU = math.sqrt(2)
"""Nor is it more than this above the middle: as far from it on one side as half of it is on the other."""
_STEP = 0.75
"""Step from one retry to the next, in standard deviations."""
_BACK = 0.8
"""Where the search on the next cell begins, as a part of the middle of those before."""


@dataclass(frozen=True)
class Threshold:
    """Amplitudes at which cells switch: a log-normal distribution.

    Attributes:
        volts: its middle, a magnitude.
        spread: standard deviation of the logarithm.
        cells: on how many cells it was found.
    """

    volts: float
    spread: float
    cells: int

    @property
    def first_volts(self) -> float:
        """Where to begin with a cell of which nothing is known."""
        return self.volts * min(math.exp(_ABOVE * self.spread), _PLATEAU)

    @property
    def step_volts(self) -> float:
        """How much higher to try again."""
        return self.volts * _STEP * self.spread


def threshold_of(amplitudes: Sequence[float], ratio: float) -> Threshold | None:
    """From the amplitudes that switched cells on a staircase of this ratio; None from none.

    A cell's threshold lies somewhere between the last two steps; the middle of them is taken. The spread is the mean of
    its posterior in the usual way (scaled inverse chi-squared prior).
    """
    if not amplitudes:
        return None
    logs = np.log(np.abs(amplitudes)) - math.log(ratio) / 2
    squares = float(((logs - logs.mean()) ** 2).sum()) + _USUAL_WEIGHT * _USUAL_SPREAD**2
    spread = math.sqrt(squares / (len(logs) - 1 + _USUAL_WEIGHT))
    return Threshold(float(np.exp(logs.mean())), spread, len(logs))


def highest_volts(settings: WriteSettings, limits: DeviceLimits | None, wanted: State) -> float:
    """Largest magnitude that a pulse towards this state may have."""
    if limits is None:
        return settings.most_volts
    return min(settings.most_volts, limits.write_volts_positive if wanted == State.P else limits.write_volts_negative)


def allowed(pulses: Sequence[Pulse], limits: DeviceLimits | None) -> tuple[Pulse, ...]:
    """Those before the first that is beyond the limits. Raises LimitError if that is the very first."""
    if limits is None:
        return tuple(pulses)
    limits.check_pulse(pulses[0].volts, pulses[0].seconds)
    highest = limits.write_volts_positive if pulses[0].volts >= 0 else limits.write_volts_negative
    own = limits.pulse_seconds_negative if pulses[0].volts < 0 else None
    longest = own or limits.pulse_seconds
    fits = [abs(p.volts) <= highest * (1 + 1e-9) and p.seconds <= longest * (1 + 1e-9) for p in pulses]
    return tuple(pulses[: fits.index(False)] if False in fits else pulses)


def find_threshold(
    writer: Writer,
    sites: Sequence[Site],
    wanted: State,
    settings: WriteSettings,
    limits: DeviceLimits | None,
    heard: HeardCell,
) -> Threshold | None:
    """Switch `settings.searched_cells` of these cells, which need it anyway, by amplitudes that rise from far below.

    Cells are taken from all over the array. The first one is approached from `search_from`, the others from below the
    middle of those before. Returns None if none of them switched.
    """
    found: list[float] = []
    for site in spread_out(sites, settings.searched_cells):
        pulses = allowed(_staircase(wanted, settings, highest_volts(settings, limits, wanted), found), limits)

        def take(outcome: CellOutcome) -> None:
            if outcome.is_done and outcome.last is not None:
                found.append(outcome.last.volts)
            heard(outcome)

        writer.write([CellTask(site, wanted, pulses)], take)
    return threshold_of(found, settings.search_ratio)


def spread_out(sites: Sequence[Site], most: int) -> list[Site]:
    """At most so many of these, evenly over their order."""
    if len(sites) <= most:
        return list(sites)
    return [sites[int((k + 0.5) * len(sites) / most)] for k in range(most)]


def _staircase(wanted: State, settings: WriteSettings, most: float, found: Sequence[float]) -> list[Pulse]:
    begun = threshold_of(found, settings.search_ratio)
    volts = min(settings.search_from * most if begun is None else _BACK * begun.volts, most)
    sign = 1.0 if wanted == State.P else -1.0
    pulses = []
    while volts <= most * (1 + 1e-9):
        pulses.append(Pulse(sign * volts, settings.pulse_seconds))
        volts *= settings.search_ratio
    return pulses
