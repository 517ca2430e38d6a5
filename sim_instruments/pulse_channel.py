"""One channel of a pulse generator: 50 ohm behind its connector, driven by what is set and triggered."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .accuracy_keysight_pulse import SOURCE_OHMS, GeneratorLimits, LevelErrors
from .pulse_player import Player
from .pulse_settings import ChannelSettings
from .pulse_waveform import Step, cycle_of, idle_level, rotated
from .world import World

_SHORT_CIRCUIT_AMPS = 1.0
"""Beyond what any level gives into a short (20 V behind 50 ohm)."""
_CYCLES_OF_A_REPEATED_BURST = 16
"""Cycles with which an internally repeated burst is played at most; more are merged into longer ones."""
_LONGEST_TRIGGERED_SECONDS = 10.0
"""A triggered burst up to this long is complete before the next message; a longer one goes on in the background."""


class PulseChannel:
    """One output; its terminal is the node `<name>.<number>.hi`, the shell is the common ground.

    Args:
        name: of the instrument.
        number: 1 or 2.
        limits: what the model can do.
        samples_of: gives the samples (0 to 1) of an arbitrary waveform by name.
    """

    def __init__(
        self,
        name: str,
        number: int,
        world: World,
        limits: GeneratorLimits,
        settings: ChannelSettings,
        samples_of: Callable[[str], Sequence[float]],
    ) -> None:
        self.number = number
        self.limits = limits
        self.settings = settings
        self.is_waiting = False
        self.triggers_left = math.inf
        self._world = world
        self._samples_of = samples_of
        node = f"{name}.{number}"
        self._source = world.add_source(node, f"{node}.emf")
        world.connect(f"{node}.emf", f"{node}.hi", SOURCE_OHMS)
        self._errors = LevelErrors(limits, world.rng(node))
        self._player = Player(world.processes, self._drive)

    def _drive(self, level: float) -> None:
        settings = self.settings
        if settings.polarity == "INV":
            level = 1 - level
        volts = settings.low + (settings.high - settings.low) * level
        if settings.function == "DC":
            volts = (settings.high + settings.low) / 2
        if settings.is_limited:
            displayed = settings.displayed
            volts = min(max(volts, settings.limit_low / displayed), settings.limit_high / displayed)
        # A level of exactly zero stays so: at rest the channel must not count as driving the array.
        self._source.drive_volts(self._errors.applied(volts) if volts else 0.0, _SHORT_CIRCUIT_AMPS)

    def apply(self, *, is_triggered: bool) -> None:
        """Bring the output to what is set.

        Args:
            is_triggered: whether it waits for triggers instead of playing for ever.
        """
        self._player.stop()
        self.is_waiting = False
        settings = self.settings
        if not settings.is_on:
            self._source.disconnect()
        elif settings.function == "DC":
            self._drive(0.5)
        elif not is_triggered or (settings.burst_mode == "GAT" and settings.gate_polarity == "INV"):
            self._play(self._cycle(), math.inf, delay=0.0)
        elif settings.burst_mode == "TRIG" and settings.trigger_source in ("IMM", "TIM"):
            self._play(self._repeated_burst(), math.inf, delay=0.0)
        else:
            self.is_waiting = settings.burst_mode == "TRIG"
            self._drive(self._idle_level())

    def fire(self, cycles: float) -> float:
        """A trigger: play a burst. Returns how long it takes, seconds, as far as the instrument waits for it."""
        if not self.is_waiting or self._player.is_playing or self.triggers_left < 1:
            return 0.0
        self.triggers_left -= 1
        settings = self.settings
        seconds = self._play(self._cycle(), cycles, delay=settings.trigger_delay + settings.delay)
        return seconds if seconds <= _LONGEST_TRIGGERED_SECONDS else 0.0

    @property
    def takes_trigger(self) -> bool:
        """Whether a trigger would start something now."""
        return self.is_waiting and not self._player.is_playing and self.triggers_left >= 1

    @property
    def samples(self) -> Sequence[float]:
        """Samples of the selected arbitrary waveform."""
        return self._samples_of(self.settings.arb) if self.settings.function in ("ARB", "USER") else ()

    def _idle_level(self) -> float:
        return idle_level(self.settings, self.samples)

    def _cycle(self) -> list[Step]:
        steps = cycle_of(self.settings, self.samples)
        is_shifted = self.settings.function not in ("PULS", "PRBS", "NOIS")
        turn = self.settings.burst_phase if self.settings.is_burst else self.settings.phase
        return rotated(steps, turn / 360) if is_shifted and turn else steps

    def _repeated_burst(self) -> list[Step]:
        settings = self.settings
        cycle = self._cycle()
        if math.isinf(settings.cycles):
            return cycle
        played = min(settings.cycles, _CYCLES_OF_A_REPEATED_BURST)
        longer = settings.cycles / played
        steps = [Step(step.seconds * longer, step.level) for step in cycle] * int(played)
        period = settings.trigger_timer if settings.trigger_source == "TIM" else settings.burst_period
        rest = period - sum(step.seconds for step in steps)
        return [*steps, Step(max(rest, 0.0), self._idle_level())]

    def _play(self, steps: list[Step], cycles: float, *, delay: float) -> float:
        return self._player.play(steps, cycles, idle=self._idle_level(), delay=delay, now=self._world.seconds)
