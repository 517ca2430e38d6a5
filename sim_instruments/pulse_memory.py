"""Arbitrary waveforms that a generator keeps: built in, in each channel's volatile memory, and for good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtjlab.nouns import Floats

_BUILT_IN_POINTS = 1024


class Segment(NamedTuple):
    """A part of a sequence: a waveform's name, how often it is played, and whether a trigger is waited for."""

    name: str
    repeats: float
    waits: bool


class WaveformMemory:
    """Samples are between 0 (low level) and 1 (high level); names are in upper case.

    Attributes:
        built_in: cannot be changed.
        volatile: of each channel, by its number.
        sequences: likewise.
        stored: kept without power.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        self.built_in = built_in_waveforms()
        self.volatile: dict[int, dict[str, Floats]] = {number: {} for number in channels}
        self.sequences: dict[int, dict[str, list[Segment]]] = {number: {} for number in channels}
        self.stored: dict[str, Floats] = {}

    def find(self, channel: int, name: str) -> Floats | None:
        """A waveform that this channel can play, or None."""
        for place in (self.volatile[channel], self.stored, self.built_in):
            if name in place:
                return place[name]
        return None

    def samples(self, channel: int, name: str) -> Floats:
        """Its samples (of a sequence, those of its first part); none if there is no such waveform."""
        parts = self.sequences[channel].get(name)
        found = self.find(channel, parts[0].name if parts else name)
        return np.zeros(0) if found is None else found

    def parts(self, channel: int, name: str) -> list[tuple[Floats, Segment]]:
        """Samples of the parts of a sequence, and the parts; empty if there is no sequence of this name."""
        segments = self.sequences[channel].get(name, [])
        return [(found, segment) for segment in segments if (found := self.find(channel, segment.name)) is not None]

    def is_known(self, channel: int, name: str) -> bool:
        """Whether the channel can play it."""
        return name in self.sequences[channel] or self.find(channel, name) is not None

    def clear_volatile(self, channel: int) -> None:
        """Forget what was loaded into the channel's memory."""
        self.volatile[channel].clear()
        self.sequences[channel].clear()


def built_in_waveforms() -> dict[str, Floats]:
    """The waveforms that are in every instrument of the families; shapes by their names, from memory."""
    x = np.linspace(0, 1, _BUILT_IN_POINTS)
    rise = (1 - np.exp(-5 * x)) / (1 - math.exp(-5))
    return {
        "EXP_RISE": rise,
        "EXP_FALL": 1 - rise,
        "NEG_RAMP": x[::-1].copy(),
        "SINC": _normalised(np.sinc(8 * (x - 0.5))),
        "CARDIAC": _normalised(_heart_beat(x)),
        "HAVERSINE": (1 - np.cos(2 * np.pi * x)) / 2,
        "GAUSSIAN": np.exp(-(((x - 0.5) / 0.12) ** 2)),
        "LORENTZ": 1 / (1 + ((x - 0.5) / 0.05) ** 2),
        "D_LORENTZ": _normalised(-(x - 0.5) / (1 + ((x - 0.5) / 0.05) ** 2) ** 2),
    }


def _heart_beat(x: Floats) -> Floats:
    beat = np.zeros(x.size)
    for at, width, height in (
        (0.2, 0.03, 0.15),
        (0.36, 0.008, -0.15),
        (0.4, 0.012, 1.0),
        (0.44, 0.01, -0.25),
        (0.65, 0.05, 0.3),
    ):
        beat += height * np.exp(-(((x - at) / width) ** 2))
    return beat


def _normalised(values: Floats) -> Floats:
    return np.asarray((values - values.min()) / (values.max() - values.min()))
