"""One cycle of a waveform as steps of constant level, which is what the world is driven with.

A pulse is HIGH for its width (at half amplitude) from half a leading edge after the start of its cycle, LOW for the
rest; edges that matter beside the width become staircases. Sine, ramp and noise have `SMOOTH_STEPS` levels per cycle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from mtjlab.nouns import Floats

from .pulse_settings import ChannelSettings
from .pulse_train import Step

Levels = Sequence[float] | Floats
"""Samples between 0 (low level) and 1 (high level)."""
SMOOTH_STEPS = 32
"""Levels per cycle of a waveform without flat parts."""
MOST_ARB_STEPS = 4096
"""Levels per cycle of an arbitrary waveform; longer ones are merged where their samples differ least."""
_COARSEST = 0.05
_EDGE_STEPS = 6
_SHARP_EDGE = 0.1
_EDGE_SPAN = 0.8
"""Edges are given from 10 % to 90 %."""
_TAPS = {7: 6, 9: 5, 11: 9, 15: 14, 20: 3, 23: 18}
"""Second tap of the shift register of each sequence (ITU-T O.150); longer ones are cut to `_MOST_BITS`."""
_MOST_BITS = 2047


def cycle_of(settings: ChannelSettings, samples: Levels) -> list[Step]:
    """Steps of one cycle; `samples` (0 to 1) are those of the selected arbitrary waveform."""
    function, period = settings.function, settings.period
    if function == "PULS":
        return _bits(settings) if settings.is_pattern and settings.pattern else _pulse(settings)
    if function == "SQU":
        high = period * settings.square_duty / 100
        return [Step(high, 1.0), Step(period - high, 0.0)]
    if function == "PRBS":
        return _pseudo_random(settings)
    if function == "ARB":
        return arbitrary(samples, settings.arb_rate)
    if function == "USER":
        return arbitrary(samples, len(samples) / period)
    if function == "NOIS":
        period = SMOOTH_STEPS / (2 * settings.noise_hertz)
    levels = [_smooth(settings, (k + 0.5) / SMOOTH_STEPS) for k in range(SMOOTH_STEPS)]
    return [Step(period / SMOOTH_STEPS, level) for level in levels]


def idle_level(settings: ChannelSettings, samples: Levels) -> float:
    """Where the output rests between bursts: the start of a cycle, for pulses the low level."""
    if settings.function in ("PULS", "SQU", "PRBS"):
        return 0.0
    if settings.function in ("ARB", "USER"):
        return float(samples[0]) if len(samples) else 0.5
    if settings.function in ("NOIS", "DC"):
        return 0.5
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
    pulse = _one_pulse(settings, width)
    if settings.double_delay is not None:
        gap = settings.double_delay - sum(step.seconds for step in pulse)
        pulse = [*pulse, Step(max(gap, 0.0), 0.0), *pulse]
    rest = period - sum(step.seconds for step in pulse)
    return [*pulse, Step(rest, 0.0)] if rest > 0 else pulse


def _one_pulse(settings: ChannelSettings, width: float) -> list[Step]:
    rise, fall = settings.leading / _EDGE_SPAN, settings.trailing / _EDGE_SPAN
    if max(rise, fall) < _SHARP_EDGE * width:
        return [Step(width, 1.0)]
    flat = width - rise / 2 - fall / 2
    top = min(1.0, 1 + flat / max(rise, fall)) if flat < 0 else 1.0
    edge = [(k + 0.5) / _EDGE_STEPS * top for k in range(_EDGE_STEPS)]
    steps = [Step(rise / _EDGE_STEPS, level) for level in edge]
    steps += [Step(flat, top)] if flat > 0 else []
    return steps + [Step(fall / _EDGE_STEPS, level) for level in reversed(edge)]


def _smooth(settings: ChannelSettings, fraction: float) -> float:
    if settings.function == "NOIS":
        # 6.6 sigma of Gaussian noise are the peak-to-peak amplitude; levels at the middle of equal probabilities.
        order = int(fraction * SMOOTH_STEPS) * 7 % SMOOTH_STEPS
        return min(max(0.5 + NormalDist().inv_cdf((order + 0.5) / SMOOTH_STEPS) / 6.6, 0.0), 1.0)
    return shape(settings.function, fraction, settings.symmetry)


def shape(function: str, fraction: float, symmetry: float = 100.0) -> float:
    """Level (0 to 1) of a sine, triangle or ramp at a fraction of its cycle; half for what has no shape."""
    if function == "SIN":
        return 0.5 + 0.5 * math.sin(2 * math.pi * fraction)
    if function == "SQU":
        return 1.0 if fraction < 0.5 else 0.0
    if function in ("RAMP", "TRI", "NRAM"):
        top = {"TRI": 0.5, "NRAM": 0.0}.get(function, symmetry / 100)
        if top and (fraction < top or top == 1):
            return fraction / top
        return (1 - fraction) / (1 - top)
    return 0.5


def _pseudo_random(settings: ChannelSettings) -> list[Step]:
    length = min((1 << settings.prbs_length) - 1, _MOST_BITS)
    bits = pseudo_random_bits(settings.prbs_length, length)
    return _merged([Step(1 / settings.bit_rate, bit) for bit in bits])


def pseudo_random_bits(order: int, length: int) -> list[float]:
    """So many bits of the sequence of 2^order - 1."""
    register, bits = (1 << order) - 1, []
    for _ in range(length):
        bits.append(float(register >> (order - 1)))
        new = ((register >> (order - 1)) ^ (register >> (_TAPS.get(order, order - 1) - 1))) & 1
        register = ((register << 1) | new) & ((1 << order) - 1)
    return bits


def _bits(settings: ChannelSettings) -> list[Step]:
    """A pattern: every bit lasts a period; RZ gives a pulse for a one."""
    if settings.pattern_format == "NRZ":
        return _merged([Step(settings.period, bit) for bit in settings.pattern])
    one, zero = _pulse(settings), [Step(settings.period, 0.0)]
    return [step for bit in settings.pattern for step in (one if bit else zero)]


def arbitrary(samples: Levels, rate: float) -> list[Step]:
    """Samples held for 1 / rate each; neighbours that hardly differ are one step at their mean."""
    if not len(samples):
        return []
    array = np.asarray(samples, dtype=float)
    differs = np.abs(np.diff(array))
    tolerance = 0.0
    while np.count_nonzero(differs > tolerance / 2) >= MOST_ARB_STEPS and tolerance < _COARSEST:
        array, differs, tolerance = _smoothed(array, tolerance)
    bounds = np.concatenate([[0], np.flatnonzero(differs > tolerance / 2) + 1, [array.size]])
    if bounds.size > MOST_ARB_STEPS:
        return _decimated(array, rate)
    means = np.add.reduceat(np.asarray(samples, dtype=float), bounds[:-1]) / np.diff(bounds)
    return [Step(float(n) / rate, float(level)) for n, level in zip(np.diff(bounds), means, strict=True)]


def _smoothed(array: Floats, tolerance: float) -> tuple[Floats, Floats, float]:
    """The samples rounded to a grid twice as coarse, which makes longer runs of them the same."""
    tolerance = max(2 * tolerance, 1 / 4096)
    grid = np.round(array / tolerance) * tolerance
    return grid, np.abs(np.diff(grid)), tolerance


def _decimated(array: Floats, rate: float) -> list[Step]:
    """Noise without end: blocks of samples, each at its largest excursion."""
    size = -(-array.size // MOST_ARB_STEPS)
    blocks = [array[begin : begin + size] for begin in range(0, array.size, size)]
    return [Step(block.size / rate, float(block[np.argmax(np.abs(block - 0.5))])) for block in blocks]


def _merged(steps: list[Step]) -> list[Step]:
    merged: list[Step] = []
    for step in steps:
        if merged and merged[-1].level == step.level:
            merged[-1] = Step(merged[-1].seconds + step.seconds, step.level)
        else:
            merged.append(step)
    return merged
