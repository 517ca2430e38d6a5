"""The source memory of a 2400: setups that a memory sweep recalls one by one (user's manual, table 10-2)."""

from __future__ import annotations

import copy

from .keithley_2400_limits import Verdict
from .keithley_2400_settings import MEMORY_LOCATIONS, Settings

_SAVED = (
    "function", "volts", "amps", "delay_seconds", "is_auto_delay", "functions", "is_concurrent", "sense_volts",
    "sense_amps", "cycles", "ohms", "holdoff", "filter", "is_remote_sense", "is_auto_zero", "guard", "calc",
)  # fmt: skip


class SourceMemory:
    """A hundred setups, numbered from 1; *RST leaves them alone."""

    def __init__(self) -> None:
        self._saved: dict[int, Settings] = {}
        self._initial = Settings()

    def save(self, location: int, settings: Settings) -> None:
        """SOURce:MEMory:SAVE."""
        self._saved[location] = copy.deepcopy(settings)

    def recall(self, location: int, settings: Settings) -> None:
        """Put what a location holds into the settings; output, trigger counts and formats stay."""
        saved = copy.deepcopy(self._saved.get(location, self._initial))
        for name in _SAVED:
            setattr(settings, name, getattr(saved, name))
        settings.volts.mode = settings.amps.mode = "FIX"
        settings.trigger.delay_seconds = saved.trigger.delay_seconds

    def initialize(self, settings: Settings) -> None:
        """SYSTem:MEMory:INITialize: all locations hold the present setup, without math."""
        self._saved.clear()
        self._initial = copy.deepcopy(settings)
        self._initial.calc.is_math_on, self._initial.calc.math_name = False, "POWER"


def next_location(location: int, first: int, points: int, settings: Settings, verdict: Verdict | None) -> int:
    """Where the sweep goes on: on to the next location, after the last one from the first, or where a test sends it."""
    calc = settings.calc
    if verdict is not None and calc.is_limit_on:
        branch = calc.pass_location if verdict.is_pass else calc.fail_location
        if branch:
            return branch
    if location == (first + points - 2) % MEMORY_LOCATIONS + 1:
        return first
    return location % MEMORY_LOCATIONS + 1
