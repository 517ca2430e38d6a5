"""TSP instruments with trigger objects and operations that overlap with the commands after them.

Trigger models and overlapped measurements happen in the world as soon as the message that starts them ends, or waits;
the instrument goes on taking commands for as long as they take.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .faults import FaultPlan
from .reactions import Reactions
from .trigger_wires import Connection
from .tsp import TspInstrument
from .tsp_attributes import Attributes
from .tsp_engine import number_argument
from .tsp_events import Detector, Events
from .tsp_follower import SchedulerFollower
from .tsp_trigger_tree import TriggerTree
from .tsp_triggers import TriggerObjects, TriggerSystem
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

POLL_SECONDS = 0.1
"""How long a program lets pass when it finds a sweep still running (assumed): simulated time has no other way to pass
while a program sleeps."""
_CLOCK_SECONDS = 20e-6
_LONGEST_SECONDS = 100_000.0


class TriggeredTsp(WiredInstrument, TspInstrument):
    """Base of TSP instruments with triggers.

    Class attributes:
        trigger_objects: how many timers, blenders and generators it has.

    Attributes:
        events: its events.
        triggers: its trigger objects.
    """

    trigger_objects: ClassVar[TriggerObjects] = TriggerObjects()

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
        self._overlap_seconds = 0.0
        self._overlap_ends = 0.0
        self._swept: frozenset[str] = frozenset()
        self._reacting: frozenset[str] = frozenset()
        self._unseen: frozenset[str] = frozenset()
        self.events = Events(world)
        self.triggers = TriggerSystem(self.events, self.trigger_objects)
        super().__init__(name, world, host, serial=serial, has_end=has_end, faults=faults)

    @abstractmethod
    def running_models(self) -> frozenset[str]:
        """Names of the trigger models that are out of idle."""

    @abstractmethod
    def abort_models(self) -> None:
        """All trigger models go back to idle."""

    @property
    def now(self) -> float:
        """The time at this point of a script, seconds."""
        return self._now

    def link_members(self) -> tuple[dict[str, Any], Attributes, dict[str, Callable[..., Any]]]:
        """What `tsplink` has about its trigger lines: values, attributes, functions."""
        return TriggerTree(self).link_members()

    def linked_to(self, master: TspInstrument) -> None:
        """Be on its TSP-Link lines from now on, and let what happens on both happen in order."""
        if not isinstance(master, TriggeredTsp):
            return
        other = master
        self.events.scheduler = other.events.scheduler
        for mine, theirs in zip(self.triggers.link, other.triggers.link, strict=True):
            mine.attach(theirs.wire)

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument: digio.1 to digio.14."""
        return {f"digio.{number}": line for number, line in enumerate(self.triggers.digital, 1)}

    def take_part(self, reactions: Reactions) -> None:
        """See WiredInstrument."""
        super().take_part(reactions)
        scheduler = self.events.scheduler
        follower = SchedulerFollower(scheduler, self._react_with_models)
        self.world.processes.start(follower, self.world.seconds)

        def next_due() -> float:
            is_at_work = scheduler.is_active or any(line.is_pulsing for line in self.triggers.digital)
            return follower.next_change() if is_at_work else math.inf

        reactions.others.append(next_due)

    def _react_with_models(self, act: Callable[[], None]) -> bool:
        def act_and_note() -> None:
            self._reacting = self.running_models()
            act()

        return self.react(act_and_note)

    def _busy_until(self, seconds: float) -> None:
        if self._reacting:
            self._swept, self._unseen = self._reacting, self._unseen | self._reacting
            self._overlap_ends = max(self._overlap_ends, seconds)

    def take_time(self, seconds: float) -> None:
        """Account for time; what overlapped operations have already taken of it is not counted twice."""
        absorbed = min(seconds, self._overlap_seconds)
        self._overlap_seconds -= absorbed
        self._take_time(seconds - absorbed)

    def let_time_pass(self) -> None:
        """Let the accounted time pass in the world."""
        self._let_time_pass()

    def _let_time_pass(self) -> None:
        scheduler = self.events.scheduler
        if self._owed_seconds > 0 and scheduler.has_pending and not scheduler.is_running:
            end = self.world.seconds + self._owed_seconds
            self._owed_seconds = 0.0
            scheduler.run(until=end)
            self.world.wait(end - self.world.seconds)
            return
        super()._let_time_pass()

    def settle_triggers(self) -> None:
        """Let trigger models run until they are idle or wait for something from outside; that time overlaps."""
        scheduler = self.events.scheduler
        if not scheduler.is_active or scheduler.is_running:
            return
        self._let_time_pass()
        sweeping = self.running_models()
        start = self.world.seconds
        if scheduler.run():
            self.abort_models()
        if self._reactions is not None:
            self._reactions.run(lambda: not scheduler.is_active)
        seconds = self.world.seconds - start
        if seconds > 0:
            self._swept = sweeping
        self._overlap_seconds += seconds
        self._unseen |= sweeping

    def finish_triggers(self) -> None:
        """Let trigger models run, and wait for them."""
        self.settle_triggers()
        self._overlap_seconds = 0.0
        self._unseen = frozenset()

    def catch_up(self) -> None:
        """Let everything happen that is due by now, as before looking at a line."""
        self._let_time_pass()
        if self.events.scheduler.has_pending:
            self.events.scheduler.run(until=self.world.seconds)

    def overlap(self, act: Callable[[], object]) -> None:
        """Do something now whose time commands that follow need not wait for."""
        self.settle_triggers()
        before, self._overlap_seconds = self._overlap_seconds, 0.0
        self._let_time_pass()
        start = self.world.seconds
        act()
        self._let_time_pass()
        self._swept = frozenset()
        self._overlap_seconds = before + self.world.seconds - start

    def busy_models(self) -> frozenset[str]:
        """Trigger models that are out of idle as the program sees it, who lets time pass by asking.

        A program that waits for a sweep to begin sees it begin, however short it is.
        """
        self.settle_triggers()
        names = self.running_models() | self._unseen
        self._unseen = frozenset()
        if self._overlap_seconds > 0:
            names |= self._swept
            self.take_time(POLL_SECONDS)
        return names

    def wait_for(self, detector: Detector, seconds: object) -> bool:
        """wait(timeout) of a trigger object: whether its event has come."""
        timeout = number_argument(seconds, 0, _LONGEST_SECONDS)
        self.settle_triggers()
        self._let_time_pass()
        if not detector.is_latched:
            absorbed = min(timeout, self._overlap_seconds)
            self._overlap_seconds -= absorbed
            end = self.world.seconds + timeout - absorbed
            if self.is_wired:
                self.world.wait(end - self.world.seconds, lambda: detector.is_latched)
            self.events.scheduler.run(until=end, stop=lambda: detector.is_latched)
            if not detector.is_latched:
                self.world.wait(end - self.world.seconds)
                return False
        detector.clear()
        return True

    def _wait_complete(self, group: object = None) -> None:
        """waitcomplete(): all overlapped operations of this node, or of a group (0 for all), have ended."""
        if group is not None:
            number_argument(group, 0, 64)
        self.finish_triggers()

    def _complete(self) -> None:
        self._wait_complete()
        super()._complete()

    def _delay(self, seconds: object) -> None:
        wanted = number_argument(seconds, 0, _LONGEST_SECONDS)
        self.settle_triggers()
        self.take_time(wanted)
        if self.events.scheduler.has_pending:
            self._let_time_pass()

    def _finish(self) -> None:
        self._wait_complete()

    def _read_timer(self) -> float:
        self.settle_triggers()
        seconds = self._now - self._overlap_seconds - self._timer_zero
        self.take_time(_CLOCK_SECONDS)
        return seconds

    def _reset_timer(self) -> None:
        self._timer_zero = self._now - self._overlap_seconds

    def trigger(self) -> None:
        """*TRG or a group execute trigger."""
        self.triggers.bus.fire()

    def _cleared(self) -> None:
        super()._cleared()
        self.abort_models()
        self._overlap_seconds = self._overlap_ends = 0.0
        self._unseen = frozenset()

    def _occupy(self, act: Callable[[], None]) -> None:
        self._finish_reaction()
        carried = max(0.0, self._overlap_ends - max(self._host.seconds, self._ready_at))
        self._overlap_seconds = carried
        self._begin_message()

        def act_and_settle() -> None:
            act()
            self.settle_triggers()

        super()._occupy(act_and_settle)
        self._ready_at += carried - self._overlap_seconds
        self._overlap_ends = self._ready_at + self._overlap_seconds

    def _begin_message(self) -> None:
        """A message begins to be carried out."""

    def _define_triggers(self) -> None:
        """Functions that know about overlapped operations."""
        engine = self.engine
        functions: dict[str, Callable[..., Any]] = {"waitcomplete": self._wait_complete, "_timer_t": self._read_timer}
        for name, function in functions.items():
            engine.set_global(name, engine.function(function))
        engine.run("timer.measure.t = _timer_t; _timer_t = nil")
