"""Timers, blenders, generators and lines of TSP instruments (2600B reference manual, "Triggering")."""

from __future__ import annotations

from dataclasses import dataclass

from .trigger_wires import Wire
from .tsp_events import Detector, Events, Process
from .tsp_trigger_lines import LinePort, TriggerLine

DIGITAL_LINES, LINK_LINES, LAN_LINES = 14, 3, 8
_FIRST_LINK_EVENT, _FIRST_LAN_EVENT, _DISPLAY_EVENT, _BUS_EVENT, _FIRST_FREE = 15, 18, 39, 40, 60
"""Event numbers: digital lines 1 to 14, front panel 39 and bus 40 (707B reference manual, "Trigger event IDs"); the
others assumed."""
_SHORTEST_SECONDS = 1e-6


@dataclass(frozen=True)
class TriggerObjects:
    """How many of each a model has."""

    timers: int = 8
    blenders: int = 6
    generators: int = 2


class Timer:
    """trigger.timer[N]: after its stimulus, `count` events, each after the next delay of the list.

    Attributes:
        delays: seconds, used in turn.
        count: events per stimulus; 0 for ever.
        passes_through: whether the stimulus itself gives an event too.
        event: number of its event.
    """

    def __init__(self, events: Events, event: int) -> None:
        self._events = events
        self.event = event
        self.seen = events.watcher(event)
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
        """Stop, and forget what has come."""
        self.has_overrun = False
        self.seen.clear()
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
        has_overrun: whether a stimulus came twice before the others had.
        event: number of its event.
    """

    def __init__(self, events: Events, event: int) -> None:
        self._events = events
        self.event = event
        self.seen = events.watcher(event)
        self.stimuli = [events.detector() for _ in range(4)]
        for detector in self.stimuli:
            detector.on_event = _Seen(self, detector)
        self.is_or = False
        self.has_overrun = False

    def reset(self) -> None:
        """Defaults."""
        self.is_or = False
        self.clear()
        for detector in self.stimuli:
            detector.stimulus = 0

    def clear(self) -> None:
        """Forget what has come."""
        self.has_overrun = False
        self.seen.clear()
        self._forget()

    def _forget(self) -> None:
        for detector in self.stimuli:
            detector.clear()

    def take(self, detector: Detector) -> None:
        """A stimulus has come."""
        self.has_overrun = self.has_overrun or (detector.is_latched and not self.is_or)
        detector.is_latched = True
        used = [one for one in self.stimuli if one.stimulus]
        if self.is_or or all(one.is_latched for one in used):
            self._forget()
            self._events.fire(self.event)


class _Seen:
    """Tells a blender which of its stimuli has come."""

    def __init__(self, blender: Blender, detector: Detector) -> None:
        self._blender = blender
        self._detector = detector

    def __call__(self) -> None:
        self._blender.take(self._detector)


class Announcer:
    """A plain event that is made by command or from outside: a generator, the TRIG key, the bus.

    Attributes:
        event: its number.
        seen: latches it for `wait`.
    """

    def __init__(self, events: Events, event: int) -> None:
        self._events = events
        self.event = event
        self.seen = events.watcher(event)

    def fire(self) -> None:
        """Make it happen."""
        self._events.fire(self.event)


class LanLine:
    """lan.trigger[N]: LXI packets to peers on the network, of which there are none.

    Attributes:
        event: number of the event that a packet would give.
        seen: latches it.
        mode, protocol, address, pseudo_state: as programmed.
    """

    def __init__(self, events: Events, event: int) -> None:
        self.event = event
        self.seen = events.watcher(event)
        self.stimulus = events.detector()
        self.reset()

    def reset(self) -> None:
        """Defaults."""
        self.mode = 3
        self.protocol = 0
        self.address = "0.0.0.0"
        self.pseudo_state = 1
        self.stimulus.stimulus = 0
        self.seen.clear()


class TriggerSystem:
    """The trigger objects of one instrument, trigger models apart."""

    def __init__(self, events: Events, has: TriggerObjects) -> None:
        self.events = events
        self.digital = [TriggerLine(events, k, Wire()) for k in range(1, DIGITAL_LINES + 1)]
        self.link = [TriggerLine(events, _FIRST_LINK_EVENT + k, Wire()) for k in range(LINK_LINES)]
        self.lan = [LanLine(events, _FIRST_LAN_EVENT + k) for k in range(LAN_LINES)]
        self.panel = Announcer(events, _DISPLAY_EVENT)
        self.bus = Announcer(events, _BUS_EVENT)
        events.skip_to(_FIRST_FREE)
        self.timers = [Timer(events, events.number()) for _ in range(has.timers)]
        self.blenders = [Blender(events, events.number()) for _ in range(has.blenders)]
        self.generators = [Announcer(events, events.number()) for _ in range(has.generators)]
        self.port = LinePort(self.digital)
        self.link_port = LinePort(self.link)

    def reset(self) -> None:
        """Defaults."""
        for announcer in (self.panel, self.bus, *self.generators):
            announcer.seen.clear()
        for timer in self.timers:
            timer.reset()
        for blender in self.blenders:
            blender.reset()
        for line in (*self.digital, *self.link):
            line.reset()
        for lan_line in self.lan:
            lan_line.reset()
        for port in (self.port, self.link_port):
            port.protected = 0
            port.write(port.full)
