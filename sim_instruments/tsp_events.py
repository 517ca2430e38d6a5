"""Events of TSP instruments: numbered events, detectors that latch them, and processes that run in simulated time.

A process is a generator; it yields seconds to sleep, a detector to wait for, or both: a detector and how long at most.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Generator
from itertools import count

from .world import World

Process = Generator["float | Detector | tuple[Detector, float]", None, None]
_MOST_STEPS = 500_000
"""Steps of processes in one run; what takes more counts as endless."""


class Detector:
    """Latches the event it is set to wait for.

    Attributes:
        is_latched: whether it has been seen since the detector was last cleared.
        has_overrun: whether it came again before the first one was acted upon.
        on_event: called instead of latching, if given.
    """

    def __init__(self, events: Events, on_event: Callable[[], None] | None = None) -> None:
        self._events = events
        self._stimulus = 0
        self.is_latched = False
        self.has_overrun = False
        self.on_event = on_event

    @property
    def stimulus(self) -> int:
        """Number of the event it waits for; 0 for none."""
        return self._stimulus

    @stimulus.setter
    def stimulus(self, event: int) -> None:
        self._events.listen(self, self._stimulus, event)
        self._stimulus = event

    def itself(self) -> Detector:
        """This detector, for attributes that ask whose they are."""
        return self

    def clear(self) -> None:
        """Forget what was latched."""
        self.is_latched = self.has_overrun = False

    def see(self) -> None:
        """The event has come."""
        if self.on_event is not None:
            self.on_event()
            return
        self.has_overrun = self.has_overrun or self.is_latched
        self.is_latched = True


class Scheduler:
    """Runs processes in simulated time; the instruments of one TSP-Link share one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._order = count()
        self._asleep: list[tuple[float, int, Process]] = []
        self._turns: dict[int, int] = {}
        self._waiting: dict[int, tuple[Detector, Process]] = {}
        self._foreground: set[int] = set()
        self._runs = 0

    @property
    def is_running(self) -> bool:
        """Whether processes are being run at this moment."""
        return self._runs > 0

    @property
    def is_active(self) -> bool:
        """Whether a process in the foreground has not ended."""
        return bool(self._foreground)

    @property
    def has_pending(self) -> bool:
        """Whether anything will happen by itself as time passes."""
        return bool(self._asleep)

    def start(self, process: Process, *, is_foreground: bool) -> None:
        """Begin a process at this instant; `run` goes on as long as one in the foreground has something to do."""
        if is_foreground:
            self._foreground.add(id(process))
        self._sleep(process, 0.0)

    def stop(self, process: Process) -> None:
        """End a process where it stands."""
        self._forget(process)
        self._foreground.discard(id(process))
        self._asleep = [entry for entry in self._asleep if entry[2] is not process]
        heapq.heapify(self._asleep)
        process.close()

    def run(self, until: float | None = None, stop: Callable[[], bool] = lambda: False) -> bool:
        """Let processes run until those in the foreground have ended or wait in vain; returns whether that seems never.

        Args:
            until: run all processes up to this time instead, world seconds.
            stop: ends the run early.
        """
        if self.is_running:
            return False
        self._runs += 1
        try:
            return self._run(until, stop)
        finally:
            self._runs -= 1

    @property
    def next_due(self) -> float:
        """World seconds of the next thing that happens by itself; infinite if there is none."""
        if any(detector.is_latched for detector, _ in self._waiting.values()):
            return self._world.seconds
        self._drop_stale()
        return max(self._asleep[0][0], self._world.seconds) if self._asleep else math.inf

    def step_due(self) -> None:
        """Run what is due by now, beside whoever else may be running processes."""
        self._runs += 1
        try:
            self._run(self._world.seconds, lambda: False)
        finally:
            self._runs -= 1

    def _drop_stale(self) -> None:
        while self._asleep and self._turns.get(id(self._asleep[0][2])) != self._asleep[0][1]:
            heapq.heappop(self._asleep)

    def _run(self, until: float | None, stop: Callable[[], bool]) -> bool:
        for _ in range(_MOST_STEPS):
            self._wake()
            if stop() or (until is None and not self._foreground):
                return False
            self._drop_stale()
            if not self._asleep or (until is not None and self._asleep[0][0] > until):
                return False
            due, _, process = heapq.heappop(self._asleep)
            self._world.wait(due - self._world.seconds)
            self._step(process)
        return True

    def _wake(self) -> None:
        if not self._waiting:
            return
        for detector, process in list(self._waiting.values()):
            if detector.is_latched:
                detector.clear()
                self._sleep(process, 0.0)

    def _step(self, process: Process) -> None:
        self._forget(process)
        try:
            wish = next(process)
        except StopIteration:
            self._foreground.discard(id(process))
            return
        if isinstance(wish, Detector):
            self._waiting[id(process)] = (wish, process)
        elif isinstance(wish, tuple):
            self._sleep(process, wish[1])
            self._waiting[id(process)] = (wish[0], process)
        else:
            self._sleep(process, wish)

    def _forget(self, process: Process) -> None:
        self._waiting.pop(id(process), None)
        self._turns.pop(id(process), None)

    def _sleep(self, process: Process, seconds: float) -> None:
        self._waiting.pop(id(process), None)
        turn = self._turns[id(process)] = next(self._order)
        heapq.heappush(self._asleep, (self._world.seconds + seconds, turn, process))


class Events:
    """All events and detectors of one instrument.

    Attributes:
        scheduler: runs its processes.
    """

    def __init__(self, world: World) -> None:
        self.scheduler = Scheduler(world)
        self._numbers = count(1)
        self._listeners: dict[int, list[Detector]] = {}

    def number(self) -> int:
        """A new event number."""
        return next(self._numbers)

    def skip_to(self, number: int) -> None:
        """Let the next new event have this number."""
        self._numbers = count(number)

    def detector(self, on_event: Callable[[], None] | None = None) -> Detector:
        """A new detector."""
        return Detector(self, on_event)

    def watcher(self, event: int) -> Detector:
        """A new detector of this event."""
        made = Detector(self)
        made.stimulus = event
        return made

    def listen(self, detector: Detector, before: int, now: int) -> None:
        """A detector waits for another event than before."""
        if before:
            self._listeners[before].remove(detector)
        if now:
            self._listeners.setdefault(now, []).append(detector)

    def fire(self, event: int) -> None:
        """Let an event happen."""
        for detector in tuple(self._listeners.get(event, ())):
            detector.see()

    def start(self, process: Process, *, is_foreground: bool) -> None:
        """Begin a process at this instant."""
        self.scheduler.start(process, is_foreground=is_foreground)

    def stop(self, process: Process) -> None:
        """End a process where it stands."""
        self.scheduler.stop(process)
