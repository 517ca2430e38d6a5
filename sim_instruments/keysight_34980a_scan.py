"""Scanning with a 34980A: one sweep through the scan list per trigger (34980A User's Guide, "Scanning").

Only channels of multiplexers can be scanned. With the internal DMM each channel is closed, measured and opened again.
Without it an external instrument measures: the channel advance signal opens the present channel and closes the next
one; after the last channel it ends the sweep (assumed). A scan that needs no signal and has no end is gone through once
and then counts as running until ABORt; so does one with more steps than anybody would wait for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence

from .keysight_34980a_settings import ScanSettings
from .scpi_errors import ScpiError

MEASURING, WAITING_FOR_TRIGGER = 1 << 4, 1 << 5
_MOST_STEPS = 20_000
_SIGNALS = ("BUS", "EXT", "ALAR1", "ALAR2", "ALAR3", "ALAR4")


class Scanner:
    """Runs scans.

    Args:
        settings: asks for the present settings.
        channels: asks for the channels of a scan in their order; [None] is the DMM by itself.
        close: closes the channels for one entry of the scan list; None opens what the last one closed.
        measure: measures the entry that is closed and stores the reading.
        pass_time: lets seconds pass.
        report: told the condition bits of the operation register.

    Attributes:
        measures: whether the internal DMM measures; otherwise an external instrument does.
        waits_for: the signal that it waits for; empty if it is idle.
    """

    def __init__(
        self,
        settings: Callable[[], ScanSettings],
        channels: Callable[[], Sequence[int | None]],
        close: Callable[[int | None], None],
        measure: Callable[[int | None], None],
        pass_time: Callable[[float], None],
        report: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._close = close
        self._measure = measure
        self._pass_time = pass_time
        self._report = report
        self._run: Generator[str, None, None] | None = None
        self.measures = False
        self.waits_for = ""
        self._is_buffered = False
        self._steps = 0

    @property
    def is_running(self) -> bool:
        """Whether a scan has begun and not ended."""
        return self._run is not None

    def initiate(self) -> None:
        """INITiate; raises ScpiError -213 while a scan runs, and what the scan list is wrong for."""
        if self._run is not None:
            raise ScpiError(-213)
        self._run = self._through(list(self._channels()))
        self._proceed()

    def abort(self) -> None:
        """ABORt: back to idle, the channel of the scan open."""
        if self._run is not None:
            self._run = None
            self._close(None)
        self._is_buffered = False
        self._wait("")

    def signal(self, source: str) -> None:
        """A trigger or channel advance; one that comes too early is kept. Raises ScpiError -211 if idle."""
        if self._run is None:
            raise ScpiError(-211)
        if self.waits_for == source:
            self._proceed()
        else:
            self._is_buffered = True

    def hears(self, source: str) -> bool:
        """Whether the scan takes its triggers or its channel advance from there."""
        settings = self._settings()
        return settings.source == source or (settings.advance == source and not self.measures)

    def _proceed(self) -> None:
        if self._run is None:
            return
        self._wait("now")
        self._steps = 0
        waiting = next(self._run, None)
        while waiting is not None and self._is_buffered:
            self._is_buffered = False
            waiting = next(self._run, None)
        if waiting is None:
            self._run = None
        self._wait(waiting or "")

    def _wait(self, source: str) -> None:
        self.waits_for = source
        running = MEASURING if self._run is not None else 0
        self._report(running | (WAITING_FOR_TRIGGER if source in _SIGNALS else 0))

    def _through(self, channels: Sequence[int | None]) -> Generator[str, None, None]:
        settings = self._settings()
        for sweep in self._triggers(settings):
            if settings.source in _SIGNALS:
                yield settings.source
            elif settings.source == "TIM" and sweep:
                self._pass_time(settings.timer_seconds)
            for _ in range(int(settings.sweeps)):
                yield from self._sweep(channels, settings)
        if not math.isfinite(settings.count) and settings.source not in _SIGNALS:
            yield "ABOR"

    @staticmethod
    def _triggers(settings: ScanSettings) -> Iterator[int]:
        if math.isfinite(settings.count):
            yield from range(int(settings.count))
            return
        number = 0
        while number == 0 or settings.source in _SIGNALS:
            yield number
            number += 1

    def _sweep(self, channels: Sequence[int | None], settings: ScanSettings) -> Generator[str, None, None]:
        for channel in channels:
            self._close(channel)
            if self.measures:
                self._measure(channel)
            elif settings.advance in _SIGNALS:
                yield settings.advance
            self._steps += 1
            while self._steps >= _MOST_STEPS:
                yield "ABOR"
        self._close(None)
