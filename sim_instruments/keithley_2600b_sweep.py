"""The trigger model of one channel of a 2600B (reference manual, "Remote triggering overview")."""

from __future__ import annotations

from collections.abc import Sequence

from .accuracy_keithley_2600b import SOURCE_REACH, SOURCE_SECONDS
from .keithley_2600b_buffer import Buffer2600
from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_events import Detector, Events, Process
from .keithley_2600b_output import range_for
from .tsp_engine import TspError

DISABLE, ENABLE, ASYNC = 0, 1, 2
IDLE, HOLD = 0, 1
EVENT_NAMES = ("SWEEPING", "ARMED", "SOURCE_COMPLETE", "MEASURE_COMPLETE", "PULSE_COMPLETE", "SWEEP_COMPLETE", "IDLE")


class TriggerModel:
    """smuX.trigger.

    Attributes:
        levels: levels of the sweep and whether they are volts.
        limits: what limits during the sweep, by quantity; None for the programmed limit.
        kinds, buffers: what is measured, and into what.
        arm, source, measure, endpulse: detectors of the layers.
        numbers: event numbers by name.
    """

    def __init__(self, channel: SmuChannel, events: Events) -> None:
        self.channel = channel
        self._events = events
        self.numbers = {name: events.number() for name in EVENT_NAMES}
        self.arm, self.source, self.measure, self.endpulse = (events.detector() for _ in range(4))
        self._process: Process | None = None
        self._background: list[Process] = []
        self.reset()

    def reset(self) -> None:
        """Defaults."""
        self.abort()
        self.levels: list[float] = []
        self.is_volts = True
        self.limits: dict[str, float | None] = {"v": None, "i": None}
        self.kinds = ""
        self.buffers: Sequence[Buffer2600 | None] = ()
        self.source_action = self.measure_action = DISABLE
        self.endpulse_action, self.endsweep_action = HOLD, IDLE
        self.count = self.arm_count = 1
        self.is_autoclear = 1
        for detector in (self.arm, self.source, self.measure, self.endpulse):
            detector.stimulus = 0
            detector.clear()

    @property
    def is_sweeping(self) -> bool:
        """Whether the model is out of idle."""
        return self._process is not None

    def abort(self) -> None:
        """Back to idle; the source goes back to its programmed level."""
        if self._process is not None:
            for process in (self._process, *self._background):
                self._events.stop(process)
            self._process = None
            self._background.clear()
            self._finish(IDLE)

    def configure(self, quantity: str, levels: Sequence[float]) -> None:
        """listX, linearX and logX; raises TspError for levels beyond the instrument's ranges."""
        _, ranges = self.channel.side(quantity)
        if not levels or max(abs(level) for level in levels) > ranges[-1].full_scale * SOURCE_REACH:
            raise TspError(-222, "Parameter data out of range")
        self.levels, self.is_volts = list(levels), quantity == "v"

    def initiate(self) -> None:
        """Leave idle; raises TspError if an action is enabled that has not been configured."""
        if self._process is not None:
            return
        if self.source_action and not self.levels:
            raise TspError(5059, "trigger.source.action enabled without configuration")
        if self.measure_action and not self.kinds:
            raise TspError(5060, "trigger.measure.action enabled without configuration")
        if self.is_autoclear:
            for detector in (self.arm, self.source, self.measure, self.endpulse):
                detector.clear()
        for buffer in self.buffers:
            if buffer is not None and self.measure_action:
                buffer.begin()
        self._process = self._run()
        self._events.start(self._process, is_foreground=True)

    def _fire(self, name: str) -> None:
        self._events.fire(self.numbers[name])

    def _await(self, detector: Detector) -> Process:
        if detector.stimulus:
            yield detector

    def _run(self) -> Process:
        self._prepare()
        self._fire("SWEEPING")
        armed = 0
        while self.arm_count == 0 or armed < self.arm_count:
            yield from self._await(self.arm)
            self._fire("ARMED")
            done = 0
            while self.count == 0 or done < self.count:
                yield from self._point(done)
                done += 1
            if self.source_action and self.endsweep_action == IDLE:
                self._put(None)
            self._fire("SWEEP_COMPLETE")
            armed += 1
        self._process = None
        self._finish(self.endsweep_action)
        self._fire("IDLE")

    def _prepare(self) -> None:
        channel = self.channel
        quantity = "i" if channel.settings.is_volts_source else "v"
        channel.sweep_limit = self.limits[quantity]
        if self.source_action:
            channel.settings.function = int(self.is_volts)
            side, ranges = channel.side("v" if self.is_volts else "i")
            if side.is_auto:
                top = max(*(abs(level) for level in self.levels), abs(side.level))
                side.index = range_for(top, ranges, SOURCE_REACH)
        channel.apply()

    def _finish(self, action: int) -> None:
        channel = self.channel
        channel.sweep_limit = None
        if action == IDLE:
            channel.sweep_level = None
        channel.apply()

    def _put(self, level: float | None) -> None:
        self.channel.sweep_level = level
        self.channel.apply()

    def _point(self, number: int) -> Process:
        yield from self._await(self.source)
        if self.source_action:
            self._put(self.levels[number % len(self.levels)])
            yield SOURCE_SECONDS + max(self.channel.settings.source_delay, 0.0)
        self._fire("SOURCE_COMPLETE")
        if self.measure_action == ENABLE:
            yield from self._await(self.measure)
            yield from self._measure()
        elif self.measure_action == ASYNC:
            self._measure_aside()
        yield from self._await(self.endpulse)
        if self.source_action and self.endpulse_action == IDLE:
            self._put(None)
        self._fire("PULSE_COMPLETE")

    def _measure_aside(self) -> None:
        process = self._aside()
        self._background.append(process)
        self._events.start(process, is_foreground=True)

    def _aside(self) -> Process:
        yield from self._await(self.measure)
        yield from self._measure()

    def _measure(self) -> Process:
        channel = self.channel
        for _ in range(channel.settings.count):
            delay, aperture = channel.prepare()
            yield delay
            seconds = channel.instrument.now
            yield aperture
            channel.convert(self.kinds, self.buffers, seconds)
        self._fire("MEASURE_COMPLETE")
