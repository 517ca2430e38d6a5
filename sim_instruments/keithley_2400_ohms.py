"""Auto ohms of a 2400: the test current and voltage range of each ohms range (user's manual, section 4, table 4-1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

from .accuracy import OVER_RANGE
from .circuit import SourcePoint
from .keithley_2400_settings import SenseSettings, Settings, SourceSettings


class OhmsRange(NamedTuple):
    """One range: full scale, test current, and the current and voltage ranges that carry it, as indices."""

    full_scale: float
    amps: float
    amps_range: int
    volts_range: int


OHMS_RANGES = (
    OhmsRange(20.0, 100e-3, 5, 1),
    OhmsRange(200.0, 10e-3, 4, 1),
    OhmsRange(2e3, 1e-3, 3, 1),
    OhmsRange(20e3, 100e-6, 2, 1),
    OhmsRange(200e3, 10e-6, 1, 1),
    OhmsRange(2e6, 1e-6, 0, 1),
    OhmsRange(20e6, 1e-6, 0, 2),
    OhmsRange(200e6, 100e-9, 0, 2),
)
OHMS_READING_END = 1.055
"""An ohms range reads to 105.5 % of its full scale (user's manual, section 7)."""
_VOLTS_LIMITS = (0.21, 2.11, 21.1, 211.0)
"""Compliance of auto ohms by voltage range (assumed: just what the range can read)."""
_MOST_STEPS = 2 * len(OHMS_RANGES)


def smallest_ohms_range(ohms: float) -> int:
    """Index of the smallest range that reaches `ohms`; the largest one if none does."""
    for index, candidate in enumerate(OHMS_RANGES):
        if abs(ohms) <= candidate.full_scale * OVER_RANGE * (1 + 1e-9):
            return index
    return len(OHMS_RANGES) - 1


def update(settings: Settings) -> bool:
    """Let auto ohms take over the source, or give it back, as mode and functions now say; whether that happened."""
    ohms = settings.ohms
    wants = ohms.mode == "AUTO" and "RES" in settings.functions
    if wants == settings.is_auto_ohms:
        return False
    if wants:
        ohms.set_aside = (settings.function, copy.deepcopy(settings.amps), copy.deepcopy(settings.sense_volts))
        settings.function = "CURR"
        settings.amps = SourceSettings(range=0, is_auto_range=False)
        settings.sense_volts = SenseSettings(range=0, limit=0.0, is_auto_range=False)
        select(settings, ohms.range)
    elif ohms.set_aside is not None:
        settings.function, settings.amps, settings.sense_volts = ohms.set_aside
        ohms.set_aside = None
    return True


def select(settings: Settings, index: int) -> None:
    """Go to an ohms range; with auto ohms at work that sets the source and the voltage range."""
    settings.ohms.range = index
    if settings.is_auto_ohms:
        chosen = OHMS_RANGES[index]
        settings.amps.level, settings.amps.range = chosen.amps, chosen.amps_range
        settings.sense_volts.range, settings.sense_volts.limit = chosen.volts_range, _VOLTS_LIMITS[chosen.volts_range]


def follow(settings: Settings, point: Callable[[], SourcePoint], drive: Callable[[], None]) -> int:
    """Move an automatic ohms range to where the load needs it; returns how many range steps that took.

    Args:
        point: the operating point now.
        drive: brings the output to what a changed range asks for.
    """
    ohms, steps = settings.ohms, 0
    while ohms.is_auto_range and steps < _MOST_STEPS:
        wanted = _wanted(settings, point())
        if wanted == ohms.range:
            break
        steps += abs(wanted - ohms.range)
        select(settings, wanted)
        drive()
    return steps


def _wanted(settings: Settings, now: SourcePoint) -> int:
    ohms = settings.ohms
    is_beyond = now.is_limiting or now.amps == 0
    wanted = ohms.range + 1 if is_beyond else smallest_ohms_range(now.volts / now.amps)
    return max(min(wanted, ohms.highest_range), min(ohms.lowest_range, ohms.highest_range))


def ranged(ohms: float, settings: Settings) -> bool:
    """Whether an auto ohms range can show this value."""
    return abs(ohms) <= OHMS_RANGES[settings.ohms.range].full_scale * OHMS_READING_END
