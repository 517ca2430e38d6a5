"""The connectors of one generator channel: voltages behind their output impedance, and what protects them."""

from __future__ import annotations

from .accuracy_keysight_pulse import LOW_OHMS, SOURCE_OHMS, GeneratorLimits, LevelErrors
from .circuit import Source
from .pulse_settings import ChannelSettings
from .world import World

_SHORT_CIRCUIT_AMPS = 100.0
"""Limit of the ideal source behind the impedance, beyond what any level gives into a short."""
_ZERO_VOLTS = 1e-9
"""Far below any resolution: a level that is told as zero."""


class PulseOutput:
    """`<node>.hi`, driven through 50 ohm; with `fit_low_impedance` also through 5; with `fit_complement` `<node>.comp`.

    Attributes:
        volts: present open-circuit voltage of the waveform, nominal.
        adds: another output whose waveform is added to this one.
    """

    def __init__(self, node: str, world: World, limits: GeneratorLimits) -> None:
        self.volts = 0.0
        self.adds: PulseOutput | None = None
        self._node = node
        self._world = world
        self._limits = limits
        self._errors = LevelErrors(limits, world.rng(node))
        self._main = self._add(f"{node}.emf", f"{node}.hi", SOURCE_OHMS)
        self._second: Source | None = None
        self._complement: Source | None = None
        self._followers: list[PulseOutput] = []
        self._settings = ChannelSettings()

    def _add(self, inner: str, outer: str, ohms: float) -> Source:
        source = self._world.add_source(self._node, inner)
        self._world.connect(inner, outer, ohms)
        return source

    def fit_low_impedance(self) -> None:
        """A second stage in parallel, which makes 50 ohm 5 ohm where it is switched in."""
        parallel = 1 / (1 / LOW_OHMS - 1 / SOURCE_OHMS)
        self._second = self._add(f"{self._node}.emf2", f"{self._node}.hi", parallel)

    def fit_complement(self) -> None:
        """A second connector with the mirrored signal."""
        self._complement = self._add(f"{self._node}.comp.emf", f"{self._node}.comp", SOURCE_OHMS)

    def add(self, other: PulseOutput | None) -> None:
        """From now on the waveform of `other` is added; None ends that."""
        if self.adds is not None:
            self.adds._followers.remove(self)
        self.adds = other
        if other is not None:
            other._followers.append(self)

    def set_up(self, settings: ChannelSettings) -> None:
        """What the switches and relays of the output are to do from now on."""
        self._settings = settings

    def rest(self) -> None:
        """No waveform, and the output open."""
        self.volts = 0.0
        self._emit()

    def drive(self, volts: float) -> None:
        """A new open-circuit voltage, as far as the output is on."""
        self.volts = volts
        self._emit()
        for follower in self._followers:
            follower._emit()

    def _emit(self) -> None:
        settings = self._settings
        volts = self.volts + (self.adds.volts if self.adds is not None else 0.0)
        mirrored = settings.high + settings.low - volts
        self._put(self._main, volts, settings.is_on)
        if self._second is not None:
            self._put(self._second, volts, settings.is_on and settings.source_ohms < SOURCE_OHMS)
        if self._complement is not None:
            self._put(self._complement, mirrored, settings.is_complement_on)

    def _put(self, source: Source, volts: float, is_on: bool) -> None:
        if not is_on:
            source.disconnect()
            return
        # A level of zero (but for rounding) stays so: at rest the channel must not count as driving the array.
        source.drive_volts(self._errors.applied(volts) if abs(volts) > _ZERO_VOLTS else 0.0, _SHORT_CIRCUIT_AMPS)

    @property
    def is_overloaded(self) -> bool:
        """Whether something outside drives more into the output than it stands.

        A short to ground does no harm: the impedance limits the current, whatever the level.
        """
        most = self._limits.volts_overload
        if not self._settings.is_on or self._world.circuit.largest_volts <= most:
            return False
        point = self._main.point()
        terminal = point.volts - point.amps * SOURCE_OHMS
        return abs(terminal) > most or abs(point.amps) > most / SOURCE_OHMS
