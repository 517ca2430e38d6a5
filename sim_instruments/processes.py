"""What changes by itself as time passes in the world: pulses being played, a program being run, a field settling."""

from __future__ import annotations

import math
from typing import Protocol


class Process(Protocol):
    """Something in the world that changes at known times."""

    def prepare(self, start: float, end: float) -> None:
        """Time is about to pass from `start` to `end`, world seconds: choose how finely to follow it."""

    def next_change(self) -> float:
        """World seconds of the next change; infinite if there is none."""

    def change(self, now: float) -> None:
        """Bring the world to what it is from `now` on."""


class Processes:
    """The processes that are under way."""

    def __init__(self) -> None:
        self._running: list[Process] = []
        self._until = 0.0

    def __bool__(self) -> bool:
        return bool(self._running)

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

    def change(self, now: float) -> None:
        """Let those change whose time has come."""
        for process in tuple(self._running):
            if process in self._running and process.next_change() <= now:
                process.change(now)
