"""Timers, blenders and generators of a 2600B (reference manual, "Triggering")."""

from __future__ import annotations

from .keithley_2600b_events import Detector, Events, Process

TIMERS, BLENDERS, GENERATORS = 8, 6, 2
_SHORTEST_SECONDS = 1e-6


class Timer:
    """trigger.timer[N]: after its stimulus, `count` events, each after the next delay of the list.

    Attributes:
        delays: seconds, used in turn.
        count: events per stimulus; 0 for ever.
        passes_through: whether the stimulus itself gives an event too.
        event: number of its event.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self.event = events.number()
        self.detector = events.detector(self._begin)
        self._process: Process | None = None
        self.has_overrun = False
        self.reset()

    def reset(self) -> None:
        """Defaults."""
        self.clear()
        self.delays = [10e-6]
        self.count = 1
        self.passes_through = False
        self.detector.stimulus = 0

    def clear(self) -> None:
        """Stop."""
        self.has_overrun = False
        if self._process is not None:
            self._events.stop(self._process)
            self._process = None

    def _begin(self) -> None:
        if self._process is not None:
            self.has_overrun = True
            return
        self._process = self._run()
        self._events.start(self._process, is_foreground=False)

    def _run(self) -> Process:
        if self.passes_through:
            self._events.fire(self.event)
        done = 0
        while self.count == 0 or done < self.count:
            yield max(self.delays[done % len(self.delays)], _SHORTEST_SECONDS)
            done += 1
            if done == self.count:
                self._process = None
            self._events.fire(self.event)
        self._process = None


class Blender:
    """trigger.blender[N]: an event when one of its stimuli has come, or when all have.

    Attributes:
        is_or: whether one is enough.
        stimuli: what it watches.
        event: number of its event.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self.event = events.number()
        self.stimuli = [events.detector() for _ in range(4)]
        for detector in self.stimuli:
            detector.on_event = self._watch(detector)
        self.is_or = False

    def reset(self) -> None:
        """Defaults."""
        self.is_or = False
        self.clear()
        for detector in self.stimuli:
            detector.stimulus = 0

    def clear(self) -> None:
        """Forget what has come."""
        for detector in self.stimuli:
            detector.clear()

    def _watch(self, detector: Detector) -> _Seen:
        return _Seen(self, detector)

    def seen(self) -> None:
        """A stimulus has come."""
        used = [detector for detector in self.stimuli if detector.stimulus]
        if self.is_or or all(detector.is_latched for detector in used):
            self.clear()
            self._events.fire(self.event)


class _Seen:
    """Latches one stimulus of a blender and tells the blender."""

    def __init__(self, blender: Blender, detector: Detector) -> None:
        self._blender = blender
        self._detector = detector

    def __call__(self) -> None:
        self._detector.is_latched = True
        self._blender.seen()


class TriggerSystem:
    """What the trigger models of both channels share.

    Attributes:
        bus: number of the event that *TRG and a group execute trigger give.
    """

    def __init__(self, events: Events) -> None:
        self.events = events
        self.bus = events.number()
        self.bus_detector = events.detector()
        self.bus_detector.stimulus = self.bus
        self.timers = [Timer(events) for _ in range(TIMERS)]
        self.blenders = [Blender(events) for _ in range(BLENDERS)]
        self.generators = [events.number() for _ in range(GENERATORS)]

    def reset(self) -> None:
        """Defaults."""
        self.bus_detector.clear()
        for timer in self.timers:
            timer.reset()
        for blender in self.blenders:
            blender.reset()
