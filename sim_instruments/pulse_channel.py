"""One channel of a pulse generator: what it plays when, set and triggered."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mtjlab.nouns import Floats

from .accuracy_keysight_pulse import GeneratorLimits
from .pulse_memory import Segment, WaveformMemory
from .pulse_modulation import Playing, carrier, sections_of
from .pulse_output import PulseOutput
from .pulse_settings import ChannelSettings
from .pulse_train import Section, Step, Train
from .pulse_trains import trains_of
from .pulse_waveform import Levels, arbitrary, idle_level
from .scpi_errors import ScpiError
from .world import World

_LONGEST_TRIGGERED_SECONDS = 10.0
"""A triggered burst up to this long is complete before the next message; a longer one goes on in the background."""
_MOST_FLAT_STEPS = 128
"""Steps up to which a repeated burst is one section, so that whole bursts can be leapt over."""


def _unheard(_: ScpiError) -> None:
    """Nobody reports yet."""


def _unseen(at: float, high_seconds: float, period: float, repeats: float) -> None:
    """Nobody looks at what is played."""


class PulseChannel:
    """One output; its terminal is the node `<name>.<number>.hi`, the shell is the common ground.

    Args:
        name: of the instrument.
        number: 1 or 2.
        limits: what the model can do.
        waveforms: the arbitrary waveforms of the instrument.

    Attributes:
        output: the connector.
        is_waiting: whether a trigger would start a burst, unless one is being played.
        is_gate_open: whether the signal at the trigger input lets a gated burst through.
        triggers_left: triggers that it still takes.
        report: called with what setting one thing does to another (-221).
        played: called when it begins to play: at which world second, how long its Sync is high, period, repeats; a
            period of zero ends that.
        is_needed: whether another output adds this one's waveform, so that it plays though it may be off.
    """

    def __init__(
        self,
        name: str,
        number: int,
        world: World,
        limits: GeneratorLimits,
        settings: ChannelSettings,
        waveforms: WaveformMemory,
    ) -> None:
        self.number = number
        self.limits = limits
        self.settings = settings
        self.output = PulseOutput(f"{name}.{number}", world, limits)
        self.is_waiting = False
        self.is_gate_open = False
        self._is_gated = False
        self.is_needed = False
        self.triggers_left = math.inf
        self.partner: PulseChannel | None = None
        self.report: Callable[[ScpiError], None] = _unheard
        self.played: Callable[[float, float, float, float], None] = _unseen
        self._world = world
        self._trains = trains_of(world)
        self._waveforms = waveforms
        self._train = Train((), 0, idle=0.0, drive=self._drive)

    def _drive(self, level: float) -> None:
        self.output.drive(self._volts_at(level))

    def _volts_at(self, level: float) -> float:
        settings = self.settings
        if settings.polarity == "INV":
            level = 1 - level
        volts = settings.low + (settings.high - settings.low) * level
        if settings.function == "DC":
            volts = (settings.high + settings.low) / 2
        if settings.is_limited:
            displayed = settings.displayed
            volts = min(max(volts, settings.limit_low / displayed), settings.limit_high / displayed)
        return volts

    def apply(self, *, is_triggered: bool) -> None:
        """Bring the output to what is set.

        Args:
            is_triggered: whether it waits for triggers instead of playing for ever.
        """
        settings = self.settings
        self._trains.stop(self._train)
        self.played(self._world.seconds, 0.0, 0.0, 0.0)
        self.is_waiting = self._is_gated = False
        self.output.set_up(settings)
        if not settings.is_on and not settings.is_complement_on and not self.is_needed:
            self.output.rest()
        elif settings.function == "DC":
            self._drive(0.5)
        elif any(segment.waits for _, segment in self._sequence):
            self.is_waiting = True
            self._drive(self._idle_level())
        elif not is_triggered:
            self._play(self._endless(), math.inf)
        elif settings.is_external_width:
            self._is_gated = True
            self._drive(float(self.is_gate_open))
        elif settings.burst_mode == "GAT":
            self._is_gated = True
            self._pass_gate()
        elif settings.trigger_source in ("IMM", "TIM") and not settings.sweep.is_on:
            burst = settings.cycles * sum(step.seconds for step in self._cycle())
            self._play(self._repeated_burst(), math.inf, burst_seconds=burst)
        else:
            self.is_waiting = True
            self._drive(self._idle_level())

    def _endless(self) -> list[Section]:
        """What is played over and over."""
        parts = self._sequence
        if not parts:
            return sections_of(self._playing)
        rate = self.settings.arb_rate
        return [Section(arbitrary(samples, rate), segment.repeats) for samples, segment in parts]

    @property
    def _playing(self) -> Playing:
        other = None if self.partner is None else (self.partner.settings, self.partner.samples)
        return Playing(self.settings, self.samples, other)

    def _pass_gate(self) -> None:
        if self.is_gate_open == (self.settings.gate_polarity == "NORM"):
            self._play([Section(self._cycle(), math.inf)], math.inf)
        else:
            self._drive(self._idle_level())

    def gate(self, is_open: bool) -> None:
        """The signal at the trigger input changed: a gated burst begins, or ends with its present cycle."""
        was_open, self.is_gate_open = self.is_gate_open, is_open
        settings = self.settings
        if was_open == is_open or not self._is_gated:
            return
        if settings.is_external_width:
            self._drive(float(is_open))
        elif is_open == (settings.gate_polarity == "NORM"):
            self._play([Section(self._cycle(), math.inf)], math.inf)
        else:
            self._train.finish_cycle()

    def fire(self, cycles: float) -> float:
        """A trigger: play a burst or a sweep. Returns how long the instrument waits for it, seconds."""
        if not self.takes_trigger:
            return 0.0
        self.triggers_left -= 1
        settings = self.settings
        delay = settings.trigger_delay + settings.delay
        if settings.sweep.is_on or self._sequence:
            seconds = self._play(self._endless(), 1.0, delay=delay)
        else:
            seconds = self._play([Section(self._cycle(), cycles)], 1.0, delay=delay)
        return seconds if seconds <= _LONGEST_TRIGGERED_SECONDS else 0.0

    @property
    def takes_trigger(self) -> bool:
        """Whether a trigger would start something now."""
        return self.is_waiting and not self._train.is_playing and self.triggers_left >= 1

    @property
    def seconds_left(self) -> float:
        """How long a burst goes on that is being played; 0 if there is none, or one without end."""
        is_ending = self._train.is_playing and math.isfinite(self._train.end)
        return self._train.end - self._world.seconds if is_ending else 0.0

    @property
    def is_playing(self) -> bool:
        """Whether its output is to change by itself."""
        return self._train.is_playing

    @property
    def samples(self) -> Levels:
        """Samples of the arbitrary waveform that is played."""
        return self.arb_samples if self.settings.function in ("ARB", "USER") else ()

    @property
    def arb_samples(self) -> Floats:
        """Samples of the arbitrary waveform that is selected, whether it is played or not."""
        return self._waveforms.samples(self.number, self.settings.arb)

    @property
    def _sequence(self) -> list[tuple[Floats, Segment]]:
        return self._waveforms.parts(self.number, self.settings.arb) if self.settings.function == "ARB" else []

    def _idle_level(self) -> float:
        return idle_level(self.settings, self.samples)

    def _cycle(self) -> list[Step]:
        has_phase = self.settings.function != "PULS"
        return carrier(self.settings, self.samples, turn=self.settings.burst_phase if has_phase else 0.0)

    def _repeated_burst(self) -> list[Section]:
        settings, steps = self.settings, self._cycle()
        if math.isinf(settings.cycles):
            return [Section(steps, math.inf)]
        period = settings.trigger_timer if settings.trigger_source == "TIM" else settings.burst_period
        rest = Step(max(period - settings.cycles * sum(step.seconds for step in steps), 0.0), self._idle_level())
        if settings.cycles * len(steps) <= _MOST_FLAT_STEPS:
            return [Section([*steps * int(settings.cycles), rest], math.inf)]
        return [Section(steps, settings.cycles), Section([rest])]

    def _play(
        self, sections: Sequence[Section], cycles: float, *, delay: float = 0.0, burst_seconds: float = math.inf
    ) -> float:
        self._trains.stop(self._train)
        self._train = Train(sections, cycles, idle=self._idle_level(), drive=self._drive)
        self._trains.start(self._train, self._world.seconds + delay)
        self._tell_played(sections, cycles, delay, burst_seconds)
        return delay + self._train.seconds

    def _tell_played(self, sections: Sequence[Section], cycles: float, delay: float, burst_seconds: float) -> None:
        """What the Sync connector follows: a burst from its beginning to its end, else the first half of each cycle."""
        at = self._world.seconds + delay
        if math.isfinite(self._train.seconds):
            self.played(at, self._train.seconds, self._train.seconds, 1.0)
            return
        is_one = len(sections) == 1
        period = sections[0].seconds if is_one else sum(section.seconds * section.repeats for section in sections)
        if math.isfinite(period):
            high = period / 2 if math.isinf(burst_seconds) else min(burst_seconds, period)
            self.played(at, high, period, cycles)
