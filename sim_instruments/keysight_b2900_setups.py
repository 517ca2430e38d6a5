"""Set-ups of a B2900A: all its settings, kept in a memory location or a file and brought back."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from .keysight_b2900_channel import Channel
from .keysight_b2900_settings import ChannelSettings, FormatSettings, SystemSettings


@dataclass(frozen=True)
class Setup:
    """A copy of the settings of every channel and of the instrument."""

    channels: tuple[ChannelSettings, ...]
    format: FormatSettings
    system: SystemSettings

    @classmethod
    def of(cls, channels: Sequence[Channel], style: FormatSettings, system: SystemSettings) -> Setup:
        """The settings as they are."""
        return cls(tuple(copy.deepcopy(channel.settings) for channel in channels), copy.copy(style), copy.copy(system))

    def install(self, channels: Sequence[Channel]) -> tuple[FormatSettings, SystemSettings]:
        """Give them to the channels, outputs off; returns the instrument's own."""
        for channel, settings in zip(channels, self.channels, strict=False):
            channel.settings = copy.deepcopy(settings)
            channel.settings.output.is_on = False
            channel.apply()
        return copy.copy(self.format), copy.copy(self.system)
