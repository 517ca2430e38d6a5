"""One cycle of a waveform as steps of constant level, which is what the world is driven with.

A pulse is HIGH for its width (at half amplitude) from half a leading edge after the start of its cycle, LOW for the
rest; edges that matter beside the width become staircases. Sine, ramp and noise have `SMOOTH_STEPS` levels per cycle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from .pulse_settings import ChannelSettings

SMOOTH_STEPS = 16
"""Levels per cycle of a waveform without flat parts."""
MOST_ARB_STEPS = 256
"""Levels per cycle of an arbitrary waveform; longer ones are merged, each step keeping its largest excursion."""
_EDGE_STEPS = 6
_SHARP_EDGE = 0.1
_PRBS7 = 0b1000000


class Step(NamedTuple):
    """A stretch of constant level; 0 is the low level, 1 the high level."""

    seconds: float
    level: float


def cycle_of(settings: ChannelSettings, samples: Sequence[float]) -> list[Step]:
    """Steps of one cycle; `samples` (0 to 1) are those of the selected arbitrary waveform."""
    function, period = settings.function, settings.period
    if function == "PULS":
        return _pulse(settings)
    if function == "SQU":
        high = period * settings.square_duty / 100
        return [Step(high, 1.0), Step(period - high, 0.0)]
    if function == "PRBS":
        return _pseudo_random(settings)
    if function == "ARB":
        return _arbitrary(samples, settings.arb_rate)
    if function == "USER":
        return _arbitrary(samples, len(samples) / period)
    return [Step(period / SMOOTH_STEPS, _smooth(settings, k / SMOOTH_STEPS)) for k in range(SMOOTH_STEPS)]


def idle_level(settings: ChannelSettings, samples: Sequence[float]) -> float:
    """Where the output rests between bursts: the start of a cycle, for pulses the low level."""
    if settings.function in ("PULS", "SQU", "PRBS"):
        return 0.0
    if settings.function in ("ARB", "USER"):
        return samples[0] if samples else 0.5
    return _smooth(settings, (settings.burst_phase % 360) / 360)


def rotated(steps: list[Step], fraction: float) -> list[Step]:
    """The cycle begun at this fraction of it."""
    ahead = fraction % 1 * sum(step.seconds for step in steps)
    for index, step in enumerate(steps):
        if ahead < step.seconds:
            first, last = Step(step.seconds - ahead, step.level), Step(ahead, step.level)
            return [first, *steps[index + 1 :], *steps[:index], *([last] if ahead else [])]
        ahead -= step.seconds
    return steps


def _pulse(settings: ChannelSettings) -> list[Step]:
    width, period = settings.width, settings.period
    rise, fall = settings.leading / 0.8, settings.trailing / 0.8
    if max(rise, fall) < _SHARP_EDGE * width:
        return [Step(width, 1.0), Step(period - width, 0.0)]
    flat = width - rise / 2 - fall / 2
    top = min(1.0, 1 + flat / max(rise, fall)) if flat < 0 else 1.0
    edge = [(k + 0.5) / _EDGE_STEPS * top for k in range(_EDGE_STEPS)]
    steps = [Step(rise / _EDGE_STEPS, level) for level in edge]
    steps += [Step(flat, top)] if flat > 0 else []
    steps += [Step(fall / _EDGE_STEPS, level) for level in reversed(edge)]
    rest = period - sum(step.seconds for step in steps)
    return [*steps, Step(rest, 0.0)] if rest > 0 else steps


def _smooth(settings: ChannelSettings, fraction: float) -> float:
    if settings.function == "SIN":
        return 0.5 + 0.5 * math.sin(2 * math.pi * fraction)
    if settings.function in ("RAMP", "TRI"):
        top = 0.5 if settings.function == "TRI" else settings.symmetry / 100
        if fraction < top or top == 1:
            return fraction / top
        return (1 - fraction) / (1 - top)
    if settings.function == "NOIS":
        # 6.6 sigma of Gaussian noise are the peak-to-peak amplitude; levels at the middle of equal probabilities.
        order = int(fraction * SMOOTH_STEPS) * 7 % SMOOTH_STEPS
        return min(max(0.5 + NormalDist().inv_cdf((order + 0.5) / SMOOTH_STEPS) / 6.6, 0.0), 1.0)
    return 0.5


def _pseudo_random(settings: ChannelSettings) -> list[Step]:
    register, bits = _PRBS7, []
    for _ in range(127):
        bits.append(float(register & 1))
        register = (register >> 1) | (((register ^ (register >> 1)) & 1) << 6)
    return _merged([Step(1 / settings.bit_rate, bit) for bit in bits])


def _arbitrary(samples: Sequence[float], rate: float) -> list[Step]:
    steps = _merged([Step(1 / rate, level) for level in samples])
    if len(steps) <= MOST_ARB_STEPS:
        return steps
    size = -(-len(steps) // MOST_ARB_STEPS)
    blocks = [steps[begin : begin + size] for begin in range(0, len(steps), size)]
    return [
        Step(sum(step.seconds for step in block), max((step.level for step in block), key=lambda v: abs(v - 0.5)))
        for block in blocks
    ]


def _merged(steps: list[Step]) -> list[Step]:
    merged: list[Step] = []
    for step in steps:
        if merged and merged[-1].level == step.level:
            merged[-1] = Step(merged[-1].seconds + step.seconds, step.level)
        else:
            merged.append(step)
    return merged
