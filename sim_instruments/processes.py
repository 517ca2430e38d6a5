"""What changes by itself as time passes in the world: pulses being played, a program being run, a field settling."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

Kind = TypeVar("Kind")


class Process(Protocol):
    """Something in the world that changes at known times."""

    def prepare(self, start: float, end: float) -> None:
        """Time is about to pass from `start` to `end`, world seconds: choose how finely to follow it."""

    def next_change(self) -> float:
        """World seconds of the next change; infinite if there is none."""

    def change(self, now: float) -> None:
        """Bring the world to what it is from `now` on."""


class Processes:
    """The processes that are under way.

    Attributes:
        changes: how many changes there have been.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._running: list[Process] = []
        self._until = 0.0
        self._shared: dict[type, object] = {}

    def __bool__(self) -> bool:
        return bool(self._running)

    def shared(self, kind: type[Kind], make: Callable[[], Kind]) -> Kind:
        """The one of this kind that all use together, made when it is first asked for; it need not be under way."""
        if kind not in self._shared:
            self._shared[kind] = make()
        found = self._shared[kind]
        assert isinstance(found, kind)
        return found

    def start(self, process: Process, now: float) -> None:
        """From now on the process is followed, until `stop`."""
        if process not in self._running:
            self._running.append(process)
        process.prepare(now, max(now, self._until))

    def stop(self, process: Process) -> None:
        """The process has ended or was broken off."""
        if process in self._running:
            self._running.remove(process)

    def prepare(self, start: float, end: float) -> None:
        """Time is about to pass."""
        self._until = end
        for process in tuple(self._running):
            process.prepare(start, end)

    def next_change(self) -> float:
        """When the first of them changes, world seconds."""
        return min((process.next_change() for process in self._running), default=math.inf)

    def next_but(self, process: Process) -> float:
        """World seconds until which nothing but this process changes anything, as far as time is about to pass."""
        others = (other.next_change() for other in self._running if other is not process)
        return min(self._until, min(others, default=math.inf))

    def change(self, now: float) -> None:
        """Let those change whose time has come."""
        for process in tuple(self._running):
            if process in self._running and process.next_change() <= now:
                self.changes += 1
                process.change(now)
