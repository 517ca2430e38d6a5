"""Events of a 2600B: numbered events, detectors that latch them, and processes that run in simulated time.

A process is a generator; it yields seconds to sleep, or a detector to wait for.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from itertools import count

from .world import World

Process = Generator["float | Detector", None, None]
_MOST_STEPS = 500_000
"""Steps of processes in one run; what takes more counts as endless."""


class Detector:
    """Latches the event it is set to wait for.

    Attributes:
        stimulus: number of that event; 0 for none.
        is_latched: whether it has been seen since the detector was last cleared.
        has_overrun: whether it came again before the first one was acted upon.
        on_event: called instead of latching, if given.
    """

    def __init__(self, on_event: Callable[[], None] | None = None) -> None:
        self.stimulus = 0
        self.is_latched = False
        self.has_overrun = False
        self.on_event = on_event

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


class Events:
    """All events, detectors and processes of one instrument."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = count(1)
        self._detectors: list[Detector] = []
        self._asleep: list[tuple[float, int, Process]] = []
        self._waiting: list[tuple[Detector, Process]] = []
        self._order = count()
        self._foreground: set[int] = set()

    def number(self) -> int:
        """A new event number."""
        return next(self._numbers)

    def detector(self, on_event: Callable[[], None] | None = None) -> Detector:
        """A new detector."""
        made = Detector(on_event)
        self._detectors.append(made)
        return made

    def fire(self, event: int) -> None:
        """Let an event happen."""
        for detector in self._detectors:
            if detector.stimulus == event:
                detector.see()

    def start(self, process: Process, *, is_foreground: bool) -> None:
        """Begin a process at this instant; `run` goes on as long as one in the foreground has something to do."""
        if is_foreground:
            self._foreground.add(id(process))
        self._sleep(process, 0.0)

    def stop(self, process: Process) -> None:
        """End a process where it stands."""
        self._foreground.discard(id(process))
        self._asleep = [entry for entry in self._asleep if entry[2] is not process]
        heapq.heapify(self._asleep)
        self._waiting = [entry for entry in self._waiting if entry[1] is not process]
        process.close()

    @property
    def is_active(self) -> bool:
        """Whether a process in the foreground has not ended."""
        return bool(self._foreground)

    def run(self) -> tuple[float, bool]:
        """Let processes run until those in the foreground have ended or wait in vain.

        Returns the seconds that took, and whether they seem to go on for ever.
        """
        start = self._world.seconds
        for _ in range(_MOST_STEPS):
            if not self._foreground:
                break
            self._wake()
            if not self._asleep:
                break
            due, _, process = heapq.heappop(self._asleep)
            self._world.wait(due - self._world.seconds)
            self._step(process)
        else:
            return self._world.seconds - start, True
        return self._world.seconds - start, False

    def _wake(self) -> None:
        ready = [entry for entry in self._waiting if entry[0].is_latched]
        for detector, process in ready:
            if detector.is_latched:
                detector.clear()
                self._waiting.remove((detector, process))
                self._sleep(process, 0.0)

    def _step(self, process: Process) -> None:
        try:
            wish = next(process)
        except StopIteration:
            self._foreground.discard(id(process))
            return
        if isinstance(wish, Detector):
            self._waiting.append((wish, process))
        else:
            self._sleep(process, wish)

    def _sleep(self, process: Process, seconds: float) -> None:
        heapq.heappush(self._asleep, (self._world.seconds + seconds, next(self._order), process))
