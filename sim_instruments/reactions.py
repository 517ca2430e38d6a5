"""What instruments do side by side when triggers reach them, each in its own time.

An instrument's code lets time pass wherever something takes time. When a trigger reaches it, other instruments are in
the middle of something too. Each such reaction therefore runs in a thread of its own, which stands still while time
passes for it. Only one thread runs at any moment, and the order in which they do is that of the world's time: the
outcome is the same every time.
"""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable
from itertools import count

from .wire_instrument import HostClock
from .world import World

Condition = Callable[[], bool]
_MOST_STEPS = 40_000
"""Steps in one operation of the host, after which instruments count as triggering one another without end."""
_FEW_STEPS = 2_000
"""The same in each further operation."""


class _Stopped(BaseException):
    """Thrown into a reaction that is broken off."""


class _Reaction:
    """One reaction, in a thread that runs only between `go_on` and its next pause.

    Attributes:
        owner: whose.
        due: world seconds when it goes on.
        is_over: whether it has ended.
    """

    def __init__(self, world: World, owner: object, act: Callable[[], None]) -> None:
        self.owner = owner
        self.due = world.seconds
        self.is_over = False
        self._world = world
        self._act = act
        self._is_met: Condition | None = None
        self._error: BaseException | None = None
        self._is_running = self._is_stopped = False
        self._turn, self._back = threading.Lock(), threading.Lock()
        self._turn.acquire()
        self._back.acquire()
        self._thread: threading.Thread | None = None

    @property
    def next_change(self) -> float:
        """World seconds when it goes on."""
        return self._world.seconds if self._is_met is not None and self._is_met() else self.due

    def sleep(self, seconds: float, is_met: Condition | None) -> None:
        """In its thread: stand still until so much time has passed, or something has come about."""
        self.due, self._is_met = self._world.seconds + seconds, is_met
        self._is_running = False
        self._back.release()
        self._turn.acquire()
        if self._is_stopped:
            raise _Stopped

    def go_on(self) -> None:
        """Let it run to its next pause; raises what it raises."""
        before, self._world.sleeper = self._world.sleeper, self.sleep
        self._is_running = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reaction to a trigger", daemon=True)
            self._thread.start()
        else:
            self._turn.release()
        try:
            self._await_pause()
        finally:
            self._world.sleeper = before
        if self.is_over:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _await_pause(self) -> None:
        try:
            self._back.acquire()
        except BaseException:  # an interrupt from the keyboard: two threads must not act on the world at once
            while self._is_running:
                time.sleep(0)
            self._back.acquire(blocking=False)
            raise

    def _run(self) -> None:
        try:
            self._act()
        except _Stopped:
            pass
        except BaseException as error:
            self._error = error
        self.is_over = True
        self._is_running = False
        self._back.release()

    def stop(self) -> None:
        """Break it off where it stands."""
        self._is_stopped = True
        if self._thread is not None and not self.is_over:
            self.go_on()
        self.is_over = True


class Reactions:
    """All reactions in a world; a process of it.

    Args:
        world: where they happen.
        host: the host's clock, by which one operation is told from the next.

    Attributes:
        others: of what else goes on because of triggers and comes to an end: when it goes on, world seconds.
        behind_seconds: how far the host's clock is behind the world's, for what a message has set off.
    """

    def __init__(self, world: World, host: HostClock) -> None:
        self._world = world
        self._host = host
        self._seen_seconds = host.seconds
        self._running: list[_Reaction] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._left = _MOST_STEPS
        self._is_loop_logged = False
        self.others: list[Callable[[], float]] = []
        self.behind_seconds: float | None = None

    def begin(self, owner: object, act: Callable[[], None]) -> None:
        """`owner` does this at the present moment of the world, beside all else."""
        self._running.append(_Reaction(self._world, owner, act))
        self._follow()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Something that takes no time happens in so many seconds."""
        heapq.heappush(self._later, (self._world.seconds + seconds, next(self._order), act))
        self._follow()

    def _follow(self) -> None:
        self._world.processes.start(self, self._world.seconds)

    def is_busy(self, owner: object) -> bool:
        """Whether it is in the middle of a reaction."""
        return any(reaction.owner is owner for reaction in self._running)

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        if self._host.seconds != self._seen_seconds:
            self.begin_operation()

    def begin_operation(self) -> None:
        """The host does something new: so much more is followed."""
        self._seen_seconds = self._host.seconds
        self._left = _FEW_STEPS if self._left <= 0 else _MOST_STEPS

    def next_change(self) -> float:
        """See Process; infinite once too much has happened in one operation: the rest is late then."""
        if self._left <= 0:
            return math.inf
        coming = min((reaction.next_change for reaction in self._running), default=math.inf)
        coming = min(coming, self._later[0][0]) if self._later else coming
        return max(coming, self._world.seconds)

    def change(self, now: float) -> None:
        """See Process."""
        while self._later and self._later[0][0] <= now:
            self._count()
            heapq.heappop(self._later)[2]()
        for reaction in tuple(self._running):
            if reaction.next_change <= now:
                self._count()
                self._go_on(reaction)
        if not self._running and not self._later:
            self._world.processes.stop(self)

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0 and not self._is_loop_logged:
            self._is_loop_logged = True
            self._world.log("trigger loop", "instruments trigger one another faster than can be followed")

    def _go_on(self, reaction: _Reaction) -> None:
        try:
            reaction.go_on()
        finally:
            if reaction.is_over:
                self._running.remove(reaction)

    @property
    def _next_due(self) -> float:
        return min(self.next_change(), *(other() for other in self.others), math.inf)

    def run(self, is_met: Condition = lambda: False) -> None:
        """Let time pass until all has come to rest or `is_met`; what never rests goes on as time passes."""
        while self._left > 0 and math.isfinite(due := self._next_due) and not is_met():
            self._count()
            self._pass_until(due)

    def _pass_until(self, due: float) -> None:
        if due > self._world.seconds:
            self._world.wait(due - self._world.seconds)
        else:
            self._world.processes.change(self._world.seconds)

    def finish(self, owner: object) -> None:
        """Let time pass until `owner` has done what it is at; broken off if that takes for ever."""
        if not self.is_busy(owner):
            return
        self.run(lambda: not self.is_busy(owner))
        for reaction in [reaction for reaction in self._running if reaction.owner is owner]:
            self._running.remove(reaction)
            reaction.stop()

    def close(self) -> None:
        """Nobody uses this world any more: break everything off."""
        self._later.clear()
        while self._running:
            self._running.pop().stop()
