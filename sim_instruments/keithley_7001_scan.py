"""The trigger model of the Keithley 7001 and 7002: arm, scan and channel layer (instruction manual, section 4).

A scan step opens the channels of the previous one and closes those of the next. What the last step closed stays closed
(assumed). A layer that repeats for ever without waiting for anything is gone through once: the scan then counts as
running until ABORt. So does a scan that goes on for more steps than anybody would wait for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from itertools import cycle

from .keithley_7001_settings import Layer, Settings7001
from .scpi_errors import ScpiError

_WAITING_SOURCES = ("HOLD", "MAN", "BUS", "TLIN", "EXT")
_MOST_STEPS = 20_000
_BYPASSED_SOURCES = ("TLIN", "EXT")
"""What the first pass of a layer does not wait for with its source bypass on (TCONfigure:DIRection SOURce)."""


class Scanner:
    """Runs through the layers.

    Args:
        settings: asks for the present settings.
        step: moves the relays to the next item of the scan list.
        pass_time: lets a delay pass.
        report: told the layer that waits, or "idle" or "scanning".
        put_out: told the layer that gives an output trigger.
    """

    def __init__(
        self,
        settings: Callable[[], Settings7001],
        step: Callable[[tuple[tuple[int, ...], ...]], None],
        pass_time: Callable[[float], None],
        report: Callable[[str], None],
        put_out: Callable[[Layer], None] = lambda layer: None,
    ) -> None:
        self._settings = settings
        self._step = step
        self._pass_time = pass_time
        self._report = report
        self._put_out = put_out
        self._run: Generator[str, None, None] | None = None
        self._waiting = "idle"
        self._steps = 0
        report("idle")

    @property
    def waits_for(self) -> str:
        """The source of the layer that waits; empty if none does."""
        return self._layers[self._waiting].source if self._waiting in self._layers else ""

    @property
    def _layers(self) -> dict[str, Layer]:
        settings = self._settings()
        return {"arm": settings.arm, "scan": settings.scan, "channel": settings.channel}

    def initiate(self) -> None:
        """Leave idle; raises ScpiError -213 if it has left already, -221 if the scan list is empty."""
        if self._run is not None:
            raise ScpiError(-213)
        if not self._settings().scanned:
            raise ScpiError(-221)
        self._run = self._through_the_layers()
        self._proceed()

    def abort(self) -> None:
        """Back to idle; raises nothing."""
        self._run = None
        self._wait_in("idle")

    def pass_by(self, layer: str) -> None:
        """Take this layer's event as having happened; raises ScpiError -211 if it does not wait for one."""
        if self._waiting != layer:
            raise ScpiError(-211)
        self._proceed()

    def signal(self, source: str, line: int | None = None) -> None:
        """BUS (*TRG or GET), EXT, MAN, or TLIN on a line; raises ScpiError -211 if no layer waits for it."""
        if not self.takes(source, line):
            raise ScpiError(-211)
        self._proceed()

    def continue_if_set(self) -> None:
        """INITiate:CONTinuous was set: out of idle, if there is something to scan."""
        settings = self._settings()
        if settings.is_continuous and self._run is None and settings.scanned and self._would_wait:
            self.initiate()

    def takes(self, source: str, line: int | None = None) -> bool:
        """Whether a layer waits for this."""
        return self.waits_for == source and line in (None, self._layers[self._waiting].input_line)

    def misses(self, source: str, line: int | None = None) -> bool:
        """Whether a layer of the scan under way would take this, but does not wait for it now."""
        layers = self._layers.values()
        return self._run is not None and any(
            layer.source == source and line in (None, layer.input_line) for layer in layers
        )

    def _proceed(self) -> None:
        if self._run is None:
            raise ScpiError(-211)
        self._wait_in("scanning")
        self._steps = 0
        waiting = next(self._run, "idle")
        if waiting == "idle":
            self._run = None
            if self._settings().is_continuous and self._would_wait:
                self._run = self._through_the_layers()
                waiting = next(self._run)
        self._wait_in(waiting)

    def _wait_in(self, layer: str) -> None:
        self._waiting = layer
        self._report(layer)

    @property
    def _would_wait(self) -> bool:
        return any(layer.source in _WAITING_SOURCES for layer in self._layers.values())

    def _through_the_layers(self) -> Generator[str, None, None]:
        settings = self._settings()
        items = cycle(settings.scanned)
        for _ in self._passes(settings.arm, settings.arm.count):
            yield from self._event("arm", is_first=True)
            for scan in self._passes(settings.scan, settings.scan.count):
                yield from self._event("scan", is_first=scan == 0)
                for channel in self._passes(settings.channel, settings.channel_count):
                    yield from self._event("channel", is_first=channel == 0)
                    self._step(next(items))
                    self._pass_time(settings.channel.delay_seconds)
                    self._put_out(settings.channel)
                    self._steps += 1
                    yield from self._endless()
                self._put_out_if_bypassed(settings.scan)
            self._put_out_if_bypassed(settings.arm)

    def _put_out_if_bypassed(self, layer: Layer) -> None:
        if layer.direction == "SOUR":
            self._put_out(layer)

    def _endless(self) -> Generator[str, None, None]:
        while self._steps >= _MOST_STEPS:
            yield "scanning"

    def _passes(self, layer: Layer, times: float) -> Iterator[int]:
        if math.isfinite(times):
            return iter(range(int(times)))
        return self._endlessly() if self._would_wait else iter(range(1))

    @staticmethod
    def _endlessly() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def _event(self, name: str, *, is_first: bool) -> Generator[str, None, None]:
        layer = self._layers[name]
        is_bypassed = is_first and layer.direction == "SOUR" and layer.source in _BYPASSED_SOURCES
        if layer.source in _WAITING_SOURCES and not is_bypassed:
            yield name
        elif layer.source == "TIM" and not is_first:
            self._pass_time(layer.timer_seconds)
        if name == "scan":
            self._pass_time(layer.delay_seconds)
