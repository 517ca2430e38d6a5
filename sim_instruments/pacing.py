"""Pacing: on a paced bench simulated waits really take their time; otherwise nothing ever sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from .wire_instrument import HostClock


class Pacer:
    """Keeps the host's simulated clock beside the real one.

    Real time that the program spent elsewhere passes on the bench before the next operation, so such a bench is not
    reproducible. The wait follows the operation and holds no lock, so several instruments may be waited for at once.

    Args:
        host: the bench's host clock.
        clock: real seconds.
        sleep: really waits.
    """

    def __init__(
        self,
        host: HostClock,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._host = host
        self._clock = clock
        self._sleep = sleep
        self._offset = clock() - host.seconds

    def catch_up(self) -> None:
        """Real time that has passed since the last operation passes on the bench."""
        behind = self._clock() - self._offset - self._host.seconds
        if behind > 0:
            self._host.wait(behind)

    @property
    def end(self) -> float:
        """Until when, in real seconds, what the host has waited for takes."""
        return self._host.seconds + self._offset

    def wait_until(self, end: float) -> None:
        """Really wait until `end`."""
        left = end - self._clock()
        if left > 0:
            self._sleep(left)


class OperationLock:
    """Held during an operation on a bench; the same thread may take it again.

    Attributes:
        pacer: lets the operation really take its time once the lock is given back; None if nothing is paced.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._watchers: dict[object, Callable[[], None]] = {}
        self.pacer: Pacer | None = None

    def watch(self, watcher: object, look: Callable[[], None] | None) -> None:
        """Call `look` after each operation, once the lock is given back; None: no longer."""
        with self._lock:
            watchers = {key: value for key, value in self._watchers.items() if key is not watcher}
            if look is not None:
                watchers[watcher] = look
            self._watchers = watchers

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Hold the lock for something that is no operation: nothing is paced, and nobody is called afterwards."""
        with self._lock:
            yield

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1 and self.pacer is not None:
            self.pacer.catch_up()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._depth -= 1
        if self.pacer is None and not self._watchers:
            self._lock.release()
            return
        pacer = self.pacer if self._depth == 0 else None
        end = 0.0 if pacer is None else pacer.end
        watchers = self._watchers if self._depth == 0 else {}
        self._lock.release()
        if pacer is not None:
            pacer.wait_until(end)
        for look in watchers.values():
            look()
