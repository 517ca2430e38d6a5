"""The trigger model of one channel of a 2600B (reference manual, "Remote triggering overview")."""

from __future__ import annotations

from collections.abc import Sequence

from .accuracy_keithley_2600b import SOURCE_REACH, PulseRegion
from .keithley_2600b_buffer import Buffer2600
from .keithley_2600b_channel import TOO_BIG, TOO_BIG_FOR_RANGE, UNSAFE, SmuChannel
from .keithley_2600b_meter import Meter2600
from .keithley_2600b_output import range_for
from .keithley_2600b_settings import OFF
from .tsp_engine import TspError
from .tsp_events import Detector, Events, Process

DISABLE, ENABLE, ASYNC = 0, 1, 2
IDLE, HOLD = 0, 1
EVENT_NAMES = ("SWEEPING", "ARMED", "SOURCE_COMPLETE", "MEASURE_COMPLETE", "PULSE_COMPLETE", "SWEEP_COMPLETE", "IDLE")
_LEAST_OF_LIMIT_RANGE = 0.1
"""A limit in a sweep is at least this part of the limit's range (reference manual, "smuX.trigger.source.limitY")."""


class TriggerModel:
    """smuX.trigger.

    Attributes:
        levels: levels of the sweep and whether they are volts.
        limits: what limits during a pulse, by quantity; None for the programmed limit.
        kinds, buffers: what is measured, and into what.
        arm, source, measure, endpulse: detectors of the layers.
        numbers: event numbers by name.
    """

    def __init__(self, channel: SmuChannel, meter: Meter2600, events: Events) -> None:
        self.channel = channel
        self._meter = meter
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
        self._region: PulseRegion | None = None
        self._pulse_start = self._earliest = 0.0
        self._is_pulsing = False
        for detector in self._detectors:
            detector.stimulus = 0
            detector.clear()

    @property
    def _detectors(self) -> tuple[Detector, ...]:
        return self.arm, self.source, self.measure, self.endpulse

    @property
    def is_sweeping(self) -> bool:
        """Whether the model is out of idle."""
        return self._process is not None

    @property
    def overruns(self) -> int:
        """Bits of `trigger_overrun`: ARM, SRC, MEAS, ENDP from bit 1."""
        return sum(2 << k for k, detector in enumerate(self._detectors) if detector.has_overrun)

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
            raise TspError(*TOO_BIG)
        self.levels, self.is_volts = list(levels), quantity == "v"

    def initiate(self) -> None:
        """Leave idle; raises TspError if what has been configured cannot be done."""
        if self._process is not None:
            return
        if self.source_action and not self.levels:
            raise self.channel.error(5059, "trigger.source.action enabled without configuration")
        if self.measure_action and not self.kinds:
            raise self.channel.error(5060, "trigger.measure.action enabled without configuration")
        self._region = self._region_needed() if self.source_action else None
        self._require_steady_ranges()
        for detector in self._detectors:
            detector.clear()
        for buffer in self.buffers:
            if buffer is not None and self.measure_action:
                buffer.begin()
        self._background.clear()
        self._process = self._run()
        self._events.start(self._process, is_foreground=bool(self.count and self.arm_count))

    def _region_needed(self) -> PulseRegion | None:
        """Where the sweep's pulses are beyond DC; raises TspError if they cannot be made."""
        channel = self.channel
        quantity = "v" if self.is_volts else "i"
        side, ranges = channel.side(quantity)
        top = max(abs(level) for level in self.levels)
        if not side.is_auto and top > ranges[side.index].full_scale * SOURCE_REACH:
            raise channel.error(*TOO_BIG_FOR_RANGE)
        settings = channel.settings
        limit = self.limits["i" if self.is_volts else "v"]
        limit = limit or (settings.limit_amps if self.is_volts else settings.limit_volts)
        volts, amps = (top, limit) if self.is_volts else (limit, top)
        if channel.smu.is_safe(volts, amps):
            return None
        region = channel.smu.pulse_region(volts, amps)
        if region is None or self.endpulse_action != IDLE:
            raise channel.error(*UNSAFE)
        if side.is_auto:
            raise channel.error(5028, "Cannot perform requested operation while source autorange is enabled")
        return region

    def _require_steady_ranges(self) -> None:
        if self.measure_action != ASYNC:
            return
        settings, error = self.channel.settings, self.channel.error
        is_volts = self.is_volts if self.source_action else settings.is_volts_source
        if not is_volts and settings.measure_volts.auto != OFF:
            raise error(5043, "Cannot perform requested operation while voltage measure autorange is enabled")
        if is_volts and settings.measure_amps.auto != OFF:
            raise error(5044, "Cannot perform requested operation while current measure autorange is enabled")
        if settings.is_filtering:
            raise error(5045, "Cannot perform requested operation while filter is enabled")
        if settings.autozero == 2:
            raise error(5063, "Cannot perform requested operation while measure autozero is on")

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
            if self.is_autoclear:
                for detector in (self.source, self.measure, self.endpulse):
                    detector.clear()
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
        self._earliest = self._now
        if self.source_action:
            channel.settings.function = int(self.is_volts)
            side, ranges = channel.side("v" if self.is_volts else "i")
            if side.is_auto:
                top = max(*(abs(level) for level in self.levels), abs(side.level))
                side.index = range_for(top, ranges, SOURCE_REACH)
        channel.apply()

    @property
    def _now(self) -> float:
        return self.channel.instrument.world.seconds

    def _finish(self, action: int) -> None:
        channel = self.channel
        self._is_pulsing = False
        if action == IDLE:
            channel.sweep_level = channel.sweep_limit = None
        channel.apply()

    def _put(self, level: float | None) -> None:
        channel = self.channel
        channel.sweep_level = level
        channel.sweep_limit = None if level is None else self._limit()
        channel.apply()

    def _limit(self) -> float | None:
        """The limit of a pulse, where it has one of its own."""
        channel = self.channel
        quantity = "i" if self.is_volts else "v"
        limit = self.limits[quantity]
        if limit is None:
            return None
        _, ranges = channel.side(quantity)
        programmed = channel.settings.limit_amps if quantity == "i" else channel.settings.limit_volts
        full = ranges[range_for(max(limit, programmed), ranges, SOURCE_REACH)].full_scale
        return max(limit, _LEAST_OF_LIMIT_RANGE * full)

    def _point(self, number: int) -> Process:
        yield from self._await(self.source)
        if self.source_action:
            yield max(self._earliest - self._now, 0.0)
            self._begin_pulse(self.levels[number % len(self.levels)])
            yield self.channel.source_seconds
        self._fire("SOURCE_COMPLETE")
        if self.measure_action == ENABLE:
            yield from self._await(self.measure)
            yield from self._measure()
        elif self.measure_action == ASYNC:
            self._aside(self._measure_when_told())
        if self._is_pulsing or self._region is None or not self.source_action:
            yield from self._await(self.endpulse)
        else:
            self.endpulse.clear()
        if self.source_action and self.endpulse_action == IDLE:
            self._end_pulse()
        self._fire("PULSE_COMPLETE")

    def _begin_pulse(self, level: float) -> None:
        self._put(level)
        self._pulse_start, self._is_pulsing = self._now, True
        if self._region is not None:
            self._aside(self._watch(self._pulse_start, self._region.seconds))

    def _end_pulse(self) -> None:
        if self._is_pulsing:
            self._is_pulsing = False
            self._put(None)
            if self._region is not None:
                self._earliest = self._pulse_start + (self._now - self._pulse_start) / self._region.duty

    def _watch(self, start: float, seconds: float) -> Process:
        """Ends a pulse that has lasted as long as the operating area allows."""
        yield seconds
        if self._is_pulsing and self._pulse_start == start:
            self._end_pulse()
            self.endpulse.see()

    def _aside(self, process: Process) -> None:
        self._background.append(process)
        self._events.start(process, is_foreground=True)

    def _measure_when_told(self) -> Process:
        yield from self._await(self.measure)
        yield from self._measure()

    def _measure(self) -> Process:
        for _ in range(self.channel.settings.count):
            yield from self._meter.steps(self.kinds, self.buffers)
        self._fire("MEASURE_COMPLETE")
