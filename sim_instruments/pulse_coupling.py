"""How the two channels of a generator follow each other: levels, frequencies, sample rates, or everything."""

from __future__ import annotations

from dataclasses import dataclass, field

from .pulse_settings import ChannelSettings

_NEVER_FOLLOWED = ("is_on", "is_complement_on")


@dataclass
class RatioCoupling:
    """Channel 2 keeps a distance or a ratio to channel 1, of frequency or sample rate."""

    is_on: bool = False
    mode: str = "RAT"
    offset: float = 0.0
    ratio: float = 1.0

    def follow(self, value: float, *, is_to_second: bool) -> float:
        """What the other channel has when this one has `value`."""
        if self.mode == "OFFS":
            return value + self.offset if is_to_second else value - self.offset
        return value * self.ratio if is_to_second else value / self.ratio


@dataclass
class Coupling:
    """All of it.

    Attributes:
        are_levels_equal: amplitude, offset, load and range go together.
        tracked: number of the channel that the other follows in everything; 0 if none.
        is_inverse: whether the follower is the mirror image.
    """

    are_levels_equal: bool = False
    frequency: RatioCoupling = field(default_factory=RatioCoupling)
    rate: RatioCoupling = field(default_factory=RatioCoupling)
    tracked: int = 0
    is_inverse: bool = False

    def carry_over(self, number: int, source: ChannelSettings, target: ChannelSettings) -> bool:
        """Bring the other channel's settings to what those of channel `number` ask for; whether any changed."""
        if self.tracked == number:
            self._copy_all(source, target)
            return True
        is_to_second = number == 1
        if self.are_levels_equal:
            target.high, target.low, target.load, target.unit = source.high, source.low, source.load, source.unit
        if self.frequency.is_on:
            target.set_period(1 / max(self.frequency.follow(source.hertz, is_to_second=is_to_second), 1e-6))
        if self.rate.is_on:
            target.arb_rate = max(self.rate.follow(source.arb_rate, is_to_second=is_to_second), 1e-6)
        return self.are_levels_equal or self.frequency.is_on or self.rate.is_on

    def _copy_all(self, source: ChannelSettings, target: ChannelSettings) -> None:
        copied = vars(source.copy())
        for name, value in copied.items():
            if name not in _NEVER_FOLLOWED:
                setattr(target, name, value)
        if self.is_inverse:
            target.polarity = "NORM" if source.polarity == "INV" else "INV"
