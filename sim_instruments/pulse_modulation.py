"""Sweeps, frequency lists and modulations: what they make of a carrier, as sections that follow one another.

A sweep or one period of the modulating wave is cut into slices; in each the carrier is played as it is in the middle
of the slice, for as many whole cycles as fit. A carrier that is slower than a slice is followed point by point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from .pulse_settings import ChannelSettings, Modulation
from .pulse_train import Section, Step
from .pulse_waveform import Levels, cycle_of, rotated, shape

_SLICES = 32
_POINTS = 512
_RESPONSIVE = ("AM", "SUM")
"""Modulations of the level, which also a carrier slower than the modulation shows."""

Wave = Callable[[float], float]
"""Value (-1 to 1) of a modulating wave at a fraction of its period."""


@dataclass(frozen=True)
class Playing:
    """What a channel plays while it is not waiting for triggers.

    Attributes:
        settings: of the channel.
        samples: of its arbitrary waveform.
        partner: settings and samples of the other channel, which may modulate this one.
    """

    settings: ChannelSettings
    samples: Levels
    partner: tuple[ChannelSettings, Levels] | None = None


def carrier(settings: ChannelSettings, samples: Levels, *, turn: float = 0.0) -> list[Step]:
    """One cycle, begun `turn` degrees into it."""
    steps = cycle_of(settings, samples)
    return rotated(steps, turn / 360) if turn and settings.function not in ("NOIS", "PRBS") else steps


def sections_of(playing: Playing) -> list[Section]:
    """What is played over and over: the plain waveform, a sweep, a list, or one period of the modulation."""
    settings = playing.settings
    if settings.function not in ("NOIS", "PRBS", "DC"):
        if settings.sweep.mode == "SWE" or settings.sweep.is_on:
            return _swept(playing)
        if settings.sweep.mode == "LIST":
            return [_slice(playing, hertz, settings.list_dwell) for hertz in settings.list_hertz]
    for kind, modulation in settings.modulations.items():
        if modulation.is_on:
            return _modulated(playing, kind, modulation)
    return [Section(carrier(settings, playing.samples, turn=settings.turn), math.inf)]


def _slice(playing: Playing, hertz: float, seconds: float, *, turn: float = 0.0) -> Section:
    settings = replace(playing.settings)
    settings.set_period(1 / hertz)
    settings.width = min(settings.width, 0.99 * settings.period)
    return _whole_cycles(carrier(settings, playing.samples, turn=turn), seconds)


def _whole_cycles(steps: list[Step], seconds: float) -> Section:
    one = sum(step.seconds for step in steps)
    return Section(steps, max(1.0, round(seconds / one)) if one > 0 else 1.0)


def _swept(playing: Playing) -> list[Section]:
    sweep = playing.settings.sweep
    there = [sweep.hertz_at((k + 0.5) / _SLICES) for k in range(_SLICES)]
    parts = [(hertz, sweep.seconds / _SLICES) for hertz in there]
    if sweep.hold_seconds:
        parts.append((sweep.stop_hertz, sweep.hold_seconds))
    if sweep.return_seconds:
        parts += [(hertz, sweep.return_seconds / _SLICES) for hertz in reversed(there)]
    return [_slice(playing, hertz, seconds) for hertz, seconds in parts]


def _modulated(playing: Playing, kind: str, modulation: Modulation) -> list[Section]:
    wave, period = _wave(playing, kind, modulation)
    settings = playing.settings
    if period is None:
        return [Section(_altered(playing, kind, modulation, wave(0.0)), math.inf)]
    if kind in _RESPONSIVE and settings.period > period / _SLICES:
        return [Section(_point_by_point(playing, kind, modulation, wave, period), math.inf)]
    values = [wave((k + 0.5) / _SLICES) for k in range(_SLICES)]
    return [_whole_cycles(_altered(playing, kind, modulation, value), period / _SLICES) for value in values]


def _wave(playing: Playing, kind: str, modulation: Modulation) -> tuple[Wave, float | None]:
    """The modulating wave and its period; an external input has nothing on it, which is 0 V for ever."""
    if modulation.source in ("CH1", "CH2") and playing.partner is not None:
        other, samples = playing.partner
        return _sampled(cycle_of(other, samples)), other.period
    if not modulation.source.startswith("INT"):
        return (lambda _: 0.0), None
    if kind in ("FSK", "BPSK"):
        return (lambda x: 1.0 if x >= 0.5 else -1.0), 1 / modulation.hertz
    return (lambda x: 2 * shape(modulation.function, x) - 1), 1 / modulation.hertz


def _sampled(steps: list[Step]) -> Wave:
    whole = sum(step.seconds for step in steps)

    def wave(fraction: float) -> float:
        left = fraction % 1 * whole
        for step in steps:
            if left < step.seconds:
                return 2 * step.level - 1
            left -= step.seconds
        return 2 * steps[-1].level - 1 if steps else 0.0

    return wave


def _altered(playing: Playing, kind: str, modulation: Modulation, value: float) -> list[Step]:
    """One cycle of the carrier while the modulating wave has this value."""
    settings, samples = replace(playing.settings), playing.samples
    turn = settings.turn
    if kind in ("FM", "FSK"):
        settings.set_period(1 / _shifted_hertz(settings.hertz, kind, modulation, value))
        settings.width = min(settings.width, 0.99 * settings.period)
    elif kind == "PWM":
        settings.set_width(min(max(settings.width + modulation.amount * value, 1e-10), 0.99 * settings.period))
    elif kind == "PM":
        turn += modulation.amount * value
    elif kind == "BPSK":
        turn += modulation.amount if value > 0 else 0.0
    steps = carrier(settings, samples, turn=turn)
    return [Step(step.seconds, level_of(kind, modulation, step.level, value)) for step in steps]


def _shifted_hertz(hertz: float, kind: str, modulation: Modulation, value: float) -> float:
    if kind == "FSK":
        return modulation.amount if value > 0 else hertz
    return max(hertz + modulation.amount * value, 1e-6)


def level_of(kind: str, modulation: Modulation, level: float, value: float) -> float:
    """Level of the carrier while the modulating wave has this value (user's guides: at 100 % depth the peak is whole,
    at 0 % half the amplitude is left; double sideband without carrier multiplies)."""
    depth = modulation.amount / 100
    if kind == "AM":
        factor = depth * value if modulation.is_suppressed else (1 + depth * value) / 2
        return 0.5 + (level - 0.5) * factor
    if kind == "SUM":
        return level + depth * value / 2
    return level


def _point_by_point(playing: Playing, kind: str, modulation: Modulation, wave: Wave, period: float) -> list[Step]:
    own = _sampled(carrier(playing.settings, playing.samples, turn=playing.settings.turn))
    longest, shortest = max(period, playing.settings.period), min(period, playing.settings.period)
    seconds = round(longest / shortest) * shortest if longest / shortest < _POINTS / 8 else longest
    steps = []
    for k in range(_POINTS):
        at = (k + 0.5) / _POINTS * seconds
        level = (own(at / playing.settings.period) + 1) / 2
        steps.append(Step(seconds / _POINTS, level_of(kind, modulation, level, wave(at / period))))
    return steps
