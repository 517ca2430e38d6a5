"""What the fuzz benchmark watches: hangs, on any system, and the memory of this process."""

from __future__ import annotations

import _thread
import faulthandler
import gc
import threading
import time
from types import TracebackType

import psutil

STUCK_SECONDS = 120.0
"""After so long in one message not even Python runs: the process ends, saying where."""
_LOOK_SECONDS = 0.2


class TooLong(BaseException):
    """A message took too long. Not an Exception: what catches those must not catch this."""


class Watchdog:
    """Interrupts the main thread when it is at one message for too long: `with watchdog: ...` around each.

    Args:
        seconds: how long a message may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None
        self._has_bitten = False
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            with self._lock:
                if self._end is not None and time.monotonic() > self._end:
                    self._has_bitten, self._end = True, None
                    _thread.interrupt_main()

    def __enter__(self) -> None:
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        self._end = time.monotonic() + self._seconds

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._end = None
            bitten, self._has_bitten = self._has_bitten, False
        faulthandler.cancel_dump_traceback_later()
        if bitten and kind is None:
            self._take_interrupt()
        if bitten:
            raise TooLong

    @staticmethod
    def _take_interrupt() -> None:
        """The interrupt may not have arrived yet."""
        try:
            time.sleep(1)
        except KeyboardInterrupt:
            return

    def close(self) -> None:
        """Watch no longer."""
        self._is_over.set()
        self._thread.join()


def resident_megabytes() -> float:
    """Memory of this process now."""
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20
