"""The trigger system of a B2900A: arm and trigger layers of every channel's transient and acquire actions, in time.

User's Guide, "Trigger system". Each initiated action goes through its own layers; what it waits for is told to the
engine, which lets time pass from one event to the next. Automatic internal triggers come to all actions that were
initiated together, when all of them have done what their last trigger asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

from .keysight_b2900_actions import BEGIN, Acquisition, At, acquire, measure, transient
from .keysight_b2900_channel import Channel
from .keysight_b2900_layers import LayerSettings, TriggerOut, steps_of

Initiated = dict[int, set[str]]
"""Channel number -> initiated actions, TRAN and ACQ."""
MOST_AT_ONCE = 100_000
"""Triggers of one initiation that are carried out as soon as it arrives; longer ones go on as time passes."""
_TICK_SLACK = 1e-9
_NOW_SECONDS = 1e-12
_SETTLING_STEPS = 40


class Await(NamedTuple):
    """An action waits in its ARM or TRIG layer for a trigger of this source."""

    layer: str
    source: str


class Barrier(NamedTuple):
    """An action waits for the next automatic trigger."""


class Clock(Protocol):
    """What the engine needs of the instrument."""

    @property
    def now(self) -> float:
        """World seconds."""

    @property
    def seconds(self) -> float:
        """Time stamp now."""

    def elapse(self, seconds: float, is_met: Callable[[], bool]) -> None:
        """Let time pass in the world, less of it where `is_met` says so."""

    def put_out(self, out: TriggerOut, moment: str) -> None:
        """A trigger for the lines of `out`, BEF or AFT an action."""

    def lost(self, channel: int, kind: str) -> None:
        """A trigger came while its action was busy."""

    def finished(self, channel: int, kind: str) -> None:
        """An action is idle again."""


Need = At | Await | Barrier


class Machine:
    """One initiated action, or an output that settles.

    Attributes:
        channel, kind: whose; kind is TRAN, ACQ or empty.
        group: number of the initiation.
        need: what it waits for; None once it has ended.
    """

    def __init__(self, channel: Channel, kind: str, group: int, life: Iterator[Need]) -> None:
        self.channel = channel
        self.kind = kind
        self.group = group
        self._life = life
        self.need: Need | None = None
        self.resume()

    def resume(self) -> None:
        """Go on to the next thing to wait for."""
        self.need = next(self._life, None)

    @property
    def is_endless(self) -> bool:
        """Whether it neither ends nor waits for anything from outside, or not soon."""
        settings = self.channel.settings
        return bool(self.kind) and steps_of(settings.arms[self.kind], settings.triggers[self.kind]) > MOST_AT_ONCE


@dataclass
class _Latest:
    """When the latest automatic trigger of a layer came, world seconds."""

    seconds: float = -math.inf


class TriggerEngine:
    """All actions of an instrument that are not idle.

    Args:
        clock: the instrument.
        shortest_seconds: smallest period of a timer.
    """

    def __init__(self, clock: Clock, shortest_seconds: float) -> None:
        self._clock = clock
        self._shortest_seconds = shortest_seconds
        self._machines: list[Machine] = []
        self._acquisitions: list[Acquisition] = []
        self._groups = count()
        self._is_advancing = self._is_called = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is initiated."""
        return not any(machine.kind for machine in self._machines)

    @property
    def is_endless(self) -> bool:
        """Whether it goes on as time passes, not at once."""
        return any(machine.is_endless for machine in self._machines)

    def states(self) -> dict[tuple[int, str], str]:
        """(channel, kind) -> ARM or TRIG while it waits for a trigger, RUN else; idle ones are not in it."""
        return {
            (machine.channel.number, machine.kind): machine.need.layer if isinstance(machine.need, Await) else "RUN"
            for machine in self._machines
            if machine.kind
        }

    def is_busy(self, channels: Sequence[int], kinds: Sequence[str]) -> bool:
        """Whether any of these actions is initiated."""
        return any(number in channels and kind in kinds for number, kind in self.states())

    def initiate(self, channels: Sequence[Channel], initiated: Initiated) -> None:
        """Begin actions together."""
        group = next(self._groups)
        for kind in ("TRAN", "ACQ"):
            for channel in channels:
                kinds = initiated[channel.number]
                if kind in kinds:
                    life = self._life(channel, kind, is_paired=len(kinds) > 1)
                    self._machines.append(Machine(channel, kind, group, life))

    def measure(self, channels: Sequence[Channel], extra: str) -> None:
        """A spot measurement of all these channels at the same time; nothing else is under way."""
        for channel in channels:
            self._machines.append(Machine(channel, "", -1, self._spot(channel, extra)))
        self.advance()

    def _spot(self, channel: Channel, extra: str) -> Iterator[Need]:
        acquisition = Acquisition(channel, self._clock)
        self._acquisitions.append(acquisition)
        yield from measure(channel, acquisition, self._clock, extra)
        self._acquisitions = [a for a in self._acquisitions if a is not acquisition]

    def abort(self, channels: Sequence[int], kinds: Sequence[str]) -> None:
        """End actions where they are."""
        ended = [m for m in self._machines if m.kind in kinds and m.channel.number in channels]
        self._machines = [machine for machine in self._machines if machine not in ended]
        gone = {machine.channel.number for machine in ended if machine.kind == "ACQ"}
        self._acquisitions = [a for a in self._acquisitions if a.channel.number not in gone]

    def trigger(self, source: str, layer: str = "", kinds: Sequence[str] = (), channels: Sequence[int] = ()) -> None:
        """A trigger arrives.

        Args:
            source: BUS, INT1, EXT3 and so on; empty for an immediate one, which any waiting action takes.
            layer, kinds, channels: to which it is restricted; empty for all.
        """
        for machine in tuple(self._machines):
            need = machine.need
            if source.startswith("EXT") and not isinstance(need, Await) and self._hears(machine, source):
                self._clock.lost(machine.channel.number, machine.kind)
            if (
                isinstance(need, Await)
                and (not source or need.source == source)
                and (not layer or need.layer == layer)
                and (not kinds or machine.kind in kinds)
                and (not channels or machine.channel.number in channels)
            ):
                machine.need = At(self._clock.now, BEGIN)
                self._is_called = True

    @staticmethod
    def _hears(machine: Machine, source: str) -> bool:
        settings = machine.channel.settings
        return bool(machine.kind) and source in (
            settings.arms[machine.kind].source,
            settings.triggers[machine.kind].source,
        )

    def change_source(self, channel: Channel, level: float) -> None:
        """Begin to source a level now; a slow output filter lets it arrive in time."""
        start = channel.driven_level
        channel.prepare(level)
        if channel.settling_seconds > 0 and channel.output.is_on:
            self._machines.append(Machine(channel, "", -1, _settling(channel, start, self._clock)))
        else:
            channel.apply()

    def advance(self, until: float = math.inf, most: float = math.inf) -> None:
        """Let time pass, as far as anything is due before `until` (world seconds), but in no more than `most` steps.

        A trigger that comes meanwhile is taken by whoever is advancing already.
        """
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            self._advance(until, most)
        finally:
            self._is_advancing = False

    def _advance(self, until: float, most: float) -> None:
        for _ in _counted(most):
            self._clear_ended()
            self._pass_barriers()
            due = [(m.need, position, m) for position, m in enumerate(self._machines) if isinstance(m.need, At)]
            if not due:
                return
            need, _, machine = min(due, key=lambda entry: (entry[0].seconds, entry[0].order, entry[1]))
            if need.seconds > until:
                return
            if self._pass_to(need.seconds):
                machine.resume()

    def _pass_to(self, seconds: float) -> bool:
        """Let time pass until then; returns whether no trigger came in between."""
        before = self._clock.now
        if seconds - before > _NOW_SECONDS:
            self._is_called = False
            self._clock.elapse(seconds - before, lambda: self._is_called)
            for acquisition in self._acquisitions:
                acquisition.expose(self._clock.now - before)
        return self._clock.now > seconds - _NOW_SECONDS

    def _clear_ended(self) -> None:
        ended = [machine for machine in self._machines if machine.need is None]
        if not ended:
            return
        self._machines = [machine for machine in self._machines if machine.need is not None]
        for machine in ended:
            if machine.kind:
                self._clock.finished(machine.channel.number, machine.kind)

    def _pass_barriers(self) -> None:
        waiting = [machine for machine in self._machines if isinstance(machine.need, Barrier)]
        for group in sorted({machine.group for machine in waiting}):
            members = [machine for machine in self._machines if machine.group == group]
            if any(isinstance(m.need, At) and not m.need.is_idle for m in members):
                continue
            for machine in members:
                if isinstance(machine.need, Barrier):
                    machine.need = At(self._clock.now, BEGIN)

    def _life(self, channel: Channel, kind: str, *, is_paired: bool) -> Iterator[Need]:
        arm, trigger = channel.settings.arms[kind], channel.settings.triggers[kind]
        step = 0
        armings = self._events(arm, "ARM", channel, kind, skips_first=arm.bypass == "ONCE")
        for armed in _counted(arm.count):
            yield from next(armings)
            yield from self._delay(arm.delay_seconds)
            skips = trigger.bypass == "ONCE" and armed == 0
            triggers = self._events(trigger, "TRIG", channel, kind, skips_first=skips)
            for _ in _counted(trigger.count):
                yield from next(triggers)
                yield from self._act(channel, kind, step, is_paired=is_paired)
                self._clock.put_out(trigger.trigger_out, "AFT")
                step += 1
            self._clock.put_out(arm.trigger_out, "AFT")

    def _events(
        self, layer: LayerSettings, name: str, channel: Channel, kind: str, *, skips_first: bool
    ) -> Iterator[Iterator[Need]]:
        """What to wait for before each pass through a layer."""
        begun = self._clock.now
        due, latest = begun, _Latest()
        period = max(layer.timer_seconds, self._shortest_seconds)
        for number in count():
            if layer.source == "TIM":
                due = due + period if number else due
                if self._clock.now > due + _TICK_SLACK:
                    due = begun + math.ceil((self._clock.now - begun) / period - _TICK_SLACK) * period
                    self._clock.lost(channel.number, kind)
                yield self._tick(due, layer)
            elif number == 0 and skips_first:
                yield self._passing(layer)
            else:
                yield self._event(layer, name, latest)

    def _passing(self, layer: LayerSettings) -> Iterator[Need]:
        self._clock.put_out(layer.trigger_out, "BEF")
        yield from ()

    def _event(self, layer: LayerSettings, name: str, latest: _Latest) -> Iterator[Need]:
        """The next trigger; automatic ones come no closer to each other than those of a timer."""
        if layer.source == "AINT":
            yield from self._delay(latest.seconds + self._shortest_seconds - self._clock.now)
            yield Barrier()
            latest.seconds = self._clock.now
        else:
            yield Await(name, layer.source)
        self._clock.put_out(layer.trigger_out, "BEF")

    def _tick(self, due: float, layer: LayerSettings) -> Iterator[Need]:
        yield At(due, BEGIN, True)
        self._clock.put_out(layer.trigger_out, "BEF")

    def _delay(self, seconds: float) -> Iterator[Need]:
        if seconds > 0:
            yield At(self._clock.now + seconds, BEGIN)

    def _act(self, channel: Channel, kind: str, step: int, *, is_paired: bool) -> Iterator[Need]:
        settings = channel.settings
        delay = settings.triggers[kind].delay_seconds
        if kind == "TRAN":
            yield from self._delay(delay)
            self._clock.put_out(settings.source_out, "BEF")
            yield from transient(channel, step, self._clock, self)
            self._clock.put_out(settings.source_out, "AFT")
            return
        self._clock.put_out(settings.sense_out, "BEF")
        acquisition = Acquisition(channel, self._clock)
        self._acquisitions.append(acquisition)
        yield from acquire(channel, acquisition, self._clock, delay, is_paired=is_paired)
        self._acquisitions = [a for a in self._acquisitions if a is not acquisition]
        self._clock.put_out(settings.sense_out, "AFT")


def _counted(most: float) -> Iterator[int]:
    """0, 1, ... as often as `most` says, for ever if that is infinite."""
    return iter(range(int(most))) if math.isfinite(most) else count()


def _settling(channel: Channel, start: float, clock: Clock) -> Iterator[Need]:
    """An output's exponential approach to its new level, in steps of a quarter of the filter's time constant."""
    revision = channel.begin_change()
    target, began, tau = channel.level, clock.now, channel.settling_seconds
    for k in range(1, _SETTLING_STEPS + 1):
        yield At(began + k * tau / 4, BEGIN)
        if channel.output_revision != revision or not channel.output.is_on:
            return
        channel.settle_to(target + (start - target) * math.exp(-k / 4) if k < _SETTLING_STEPS else target)
