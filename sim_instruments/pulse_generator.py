"""What the simulated pulse and waveform generators have in common: two channels, triggers, SCPI status."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from .accuracy_keysight_pulse import GeneratorLimits
from .faults import FaultPlan
from .pulse_channel import PulseChannel
from .pulse_settings import ChannelSettings
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument
from .status_488 import Status488
from .wire_instrument import HostClock
from .world import World

_REGISTERS = {8: "questionable", 128: "operation"}
_ERROR_AVAILABLE = 4
_BUILT_IN_POINTS = 64
_ROUNDING_SECONDS = 1e-12
"""Added to a burst's length, so that its end is not missed where world time is a large number."""


class PulseGenerator(ScpiInstrument):
    """Base of the generators; channel `n` drives the node `<name>.<n>.hi` through 50 ohm.

    Class attributes:
        limits: what the model can do.

    Attributes:
        channels: the outputs.
        arbs: arbitrary waveforms by upper-case name, samples between 0 and 1.
        is_levels_coupled, is_frequency_coupled: whether a setting of one channel goes to both.
        angle_unit: DEG, RAD or SEC.
        border: byte order of binary waveforms, NORM is big-endian.
        stored: settings that are kept and told but do not act on the world, by name.
    """

    limits: ClassVar[GeneratorLimits]

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=20)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        self.arbs: dict[str, Sequence[float]] = self.built_in_arbs()
        self.channels = tuple(
            PulseChannel(name, number, world, self.limits, self.default_settings(), self._samples) for number in (1, 2)
        )
        self._saved: dict[int, tuple[ChannelSettings, ...]] = {}
        self._reset_shared()

    @staticmethod
    def built_in_arbs() -> dict[str, Sequence[float]]:
        """Waveforms that are in the instrument from the start, samples between 0 and 1."""
        return _built_in_arbs()

    @abstractmethod
    def default_settings(self) -> ChannelSettings:
        """Settings of a channel after *RST."""

    @abstractmethod
    def is_triggered(self, settings: ChannelSettings) -> bool:
        """Whether a channel with these settings waits for triggers."""

    @abstractmethod
    def burst_cycles(self, settings: ChannelSettings) -> float:
        """Cycles that one trigger starts."""

    def _reset_shared(self) -> None:
        self.is_levels_coupled = self.is_frequency_coupled = False
        self.angle_unit = "DEG"
        self.border = "NORM"
        self.stored: dict[str, str] = {}

    def _samples(self, name: str) -> Sequence[float]:
        return self.arbs.get(name, ())

    def channel(self, number: int) -> PulseChannel:
        """A channel; raises ScpiError -114 if there is none of this number."""
        if not 1 <= number <= len(self.channels):
            raise ScpiError(-114)
        return self.channels[number - 1]

    def changed(self, channel: PulseChannel) -> None:
        """A setting of this channel changed: bring the world to it, and the other channel where they are coupled."""
        self._let_time_pass()
        for other in self.channels:
            if other is not channel and self._copy_coupled(channel.settings, other.settings):
                self._apply(other)
        self._apply(channel)

    def _copy_coupled(self, source: ChannelSettings, target: ChannelSettings) -> bool:
        if self.is_levels_coupled:
            target.high, target.low, target.load, target.unit = source.high, source.low, source.load, source.unit
        if self.is_frequency_coupled:
            target.set_period(source.period)
        return self.is_levels_coupled or self.is_frequency_coupled

    def _apply(self, channel: PulseChannel) -> None:
        channel.apply(is_triggered=self.is_triggered(channel.settings))

    def apply_all(self) -> None:
        """Bring the world to what is set on all channels, in phase."""
        self._let_time_pass()
        for channel in self.channels:
            self._apply(channel)

    def reset(self) -> None:
        """*RST: outputs off, everything at its default; user waveforms are kept."""
        for channel in self.channels:
            channel.settings = self.default_settings()
            channel.triggers_left = math.inf
        self._reset_shared()
        self.apply_all()

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        if location > 4:
            raise ScpiError(-222)
        self._saved[location] = tuple(channel.settings.copy() for channel in self.channels)

    def recall(self, location: int) -> None:
        """*RCL 0 to 4."""
        if location not in self._saved:
            raise ScpiError(-224)
        for channel, settings in zip(self.channels, self._saved[location], strict=True):
            channel.settings = settings.copy()
        self.apply_all()

    def trigger(self) -> None:
        """*TRG or a group execute trigger: every channel that waits for the bus fires, all at the same moment."""
        waiting = [c for c in self.channels if c.takes_trigger and c.settings.trigger_source == "BUS"]
        if not waiting:
            raise ScpiError(-211)
        self.fire(waiting)

    def group_trigger(self, bus_seconds: float) -> None:
        """Group execute trigger from the host; one that nothing waits for is an error in the queue."""
        try:
            super().group_trigger(bus_seconds)
        except ScpiError as error:
            self.status.report(error)

    def external_trigger(self) -> None:
        """A pulse arrives at the trigger input (for programs that simulate what is connected there)."""
        waiting = [c for c in self.channels if c.takes_trigger and c.settings.trigger_source == "EXT"]
        self._occupy(lambda: self.fire(waiting))

    def fire(self, channels: Sequence[PulseChannel]) -> None:
        """Start a burst on these channels at once and let it pass."""
        self._let_time_pass()
        longest = max((c.fire(self.burst_cycles(c.settings)) for c in channels), default=0.0)
        self.world.wait(longest * (1 + 1e-9) + _ROUNDING_SECONDS)

    def _cleared(self) -> None:
        """A device clear leaves the outputs as they are."""


def _built_in_arbs() -> dict[str, Sequence[float]]:
    """Waveforms that are in the instrument from the start."""
    points = [k / (_BUILT_IN_POINTS - 1) for k in range(_BUILT_IN_POINTS)]
    rise = [(1 - math.exp(-5 * x)) / (1 - math.exp(-5)) for x in points]
    sinc = [math.sin(u) / u if u else 1.0 for u in (8 * math.pi * (x - 0.5) for x in points)]
    low, high = min(sinc), max(sinc)
    return {
        "EXP_RISE": rise,
        "EXP_FALL": [1 - y for y in rise],
        "NEG_RAMP": points[::-1],
        "SINC": [(y - low) / (high - low) for y in sinc],
        "CARDIAC": [0.5 + 0.5 * math.exp(-(((x - 0.5) / 0.03) ** 2)) for x in points],
        "VOLATILE": points,
    }
