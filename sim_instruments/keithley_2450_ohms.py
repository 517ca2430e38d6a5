"""Auto ohms of a 2450: with the resistance function selected, the range of resistance chooses what is sourced.

The manual's resistance examples set no source. That a source selected or set afterwards is used instead is assumed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from .circuit import SourcePoint
from .keithley_2450_settings import OHMS_RANGES, Settings
from .smu_stage import StageAccuracy

_AMPS = (1.0, 100e-3, 10e-3, 1e-3, 100e-6, 10e-6, 1e-6, 1e-6, 100e-9)
"""Test current of each range (data sheet; that of 2 ohm is assumed)."""
_MOST_STEPS = 2 * len(OHMS_RANGES)


def begin(settings: Settings, accuracy: StageAccuracy) -> None:
    """Let the range of resistance choose the source from now on."""
    if settings.set_aside is None:
        put_aside = copy.deepcopy((settings.sources["CURR"], settings.senses["VOLT"]))
        settings.set_aside = (settings.function, *put_aside)
        settings.function = "CURR"
        settings.sources["CURR"].is_auto_range = False
    choose(settings, accuracy)


def end(settings: Settings) -> None:
    """Give source and voltage range back as they were."""
    if settings.set_aside is not None:
        settings.function, settings.sources["CURR"], settings.senses["VOLT"] = settings.set_aside
        settings.set_aside = None


def choose(settings: Settings, accuracy: StageAccuracy) -> None:
    """Current and voltage range of the present range of resistance."""
    ohms = settings.senses["RES"].range
    amps = _AMPS[OHMS_RANGES.index(ohms)]
    source = settings.sources["CURR"]
    source.level, source.range = amps, accuracy.smallest("CURR", amps)
    volts = accuracy.smallest("VOLT", min(amps * ohms, source.limit))
    settings.senses["VOLT"].range = accuracy.ranges("VOLT")[volts].full_scale


def follow(
    settings: Settings, accuracy: StageAccuracy, point: Callable[[], SourcePoint], drive: Callable[[], None]
) -> int:
    """Move the automatic range to the resistance that is there; returns how many steps that took."""
    sense = settings.senses["RES"]
    for step in range(_MOST_STEPS):
        wanted = range_for(_ohms(point()), sense.lowest, sense.highest)
        if not sense.is_auto_range or wanted == sense.range:
            return step
        sense.range = wanted
        choose(settings, accuracy)
        if settings.is_output_on:
            drive()
    return _MOST_STEPS


def range_for(ohms: float, lowest: float, highest: float) -> float:
    """The range that automatic ranging selects for a resistance."""
    fitting = [scale for scale in OHMS_RANGES if lowest <= scale <= highest]
    return next((scale for scale in fitting if abs(ohms) <= scale * 1.05), fitting[-1] if fitting else highest)


def _ohms(point: SourcePoint) -> float:
    return abs(point.volts / point.amps) if point.amps else OHMS_RANGES[-1]
