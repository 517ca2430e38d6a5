"""Trigger events of a 2450 and what makes and hears them: timers, blenders, digital lines, LAN packets.

Reference Manual, "Triggering". Nothing here takes time by itself: `advance` brings the timers up to the present moment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from .trigger_wires import Terminal

_MOST_EVENTS = 10_000
"""Timer events that are followed one by one in one step."""
LINES, TIMERS, BLENDERS, PACKETS, STIMULI = 6, 4, 2, 8, 4


@dataclass
class Timer:
    """A trigger timer.

    Attributes:
        count: events it makes each time it is started; 0 goes on for ever.
        is_generating: whether it also makes one when it starts.
        begins_at: time of its alarm, s since 1970.
        due: world seconds of its next event; infinite if it is not under way.
    """

    delay_seconds: float = 10e-6
    count: float = 1.0
    stimulus: str = "NONE"
    is_generating: bool = False
    begins_at_whole: float = 0.0
    begins_at_fraction: float = 0.0
    is_on: bool = False
    is_overrun: bool = False
    due: float = math.inf
    left: float = 0.0

    def start(self, now: float, at: float) -> None:
        """Begin at `at`; what was under way is an overrun."""
        self.is_overrun = self.is_overrun or math.isfinite(self.due)
        self.left = self.count or math.inf
        self.due = max(now, at) + self.delay_seconds

    def stop(self) -> None:
        """No more events."""
        self.due = math.inf

    def fire(self) -> None:
        """One event was made."""
        self.left -= 1
        self.due = self.due + self.delay_seconds if self.left > 0 else math.inf


@dataclass
class Blender:
    """Makes one event of several.

    Attributes:
        heard: stimuli that have come since its last event.
    """

    mode: str = "AND"
    stimuli: list[str] = field(default_factory=lambda: ["NONE"] * STIMULI)
    heard: set[str] = field(default_factory=set)
    is_overrun: bool = False

    def hear(self, event: str) -> bool:
        """An event came; returns whether the blender makes one of its own."""
        wanted = {stimulus for stimulus in self.stimuli if stimulus != "NONE"}
        if event not in wanted:
            return False
        self.is_overrun = self.is_overrun or event in self.heard
        self.heard.add(event)
        if self.mode == "AND" and self.heard < wanted:
            return False
        self.heard.clear()
        return True


@dataclass
class Line:
    """A digital line.

    Attributes:
        kind, direction: DIG, TRIG or SYNC; IN, OUT, OPEN, MAST or ACC.
        is_high: level the instrument drives it to.
        is_driven_high: what something outside drives it to; a line to which nothing is connected floats high.
        edge, logic, pulse_seconds, stimulus: of its triggers.
        pulses: output triggers so far.
        terminal: where a trigger wire can be.
    """

    kind: str = "DIG"
    direction: str = "IN"
    is_high: bool = False
    is_driven_high: bool = True
    edge: str = "FALL"
    logic: str = "NEG"
    pulse_seconds: float = 10e-6
    stimulus: str = "NONE"
    is_overrun: bool = False
    pulses: int = 0
    terminal: Terminal = field(default_factory=Terminal)

    def put(self) -> None:
        """Bring a wire at the line to what the instrument does with it."""
        if self.terminal.is_joined:
            self.terminal.rest(is_low=self._rests_low)

    @property
    def _rests_low(self) -> bool:
        if self.direction == "IN":
            return False
        if self.kind == "DIG":
            return not self.is_high
        return self.direction == "OUT" and self.logic == "POS"

    @property
    def reads_high(self) -> bool:
        """What the line reads as."""
        if self.direction == "OUT":
            return self.is_high if self.kind == "DIG" else self.logic == "NEG"
        return (
            self.is_driven_high
            and self.terminal.is_high
            and (self.is_high or self.direction == "IN" or self.kind != "DIG")
        )

    def sees_edge(self, *, is_rising: bool) -> bool:
        """Whether an edge from outside is a trigger."""
        if self.kind == "DIG" or self.direction == "OUT":
            return False
        return self.edge == "EITH" or (self.edge == "RIS") == is_rising


@dataclass
class Packet:
    """A LAN trigger; nothing on the bench sends or hears LXI packets."""

    edge: str = "EITH"
    logic: str = "NEG"
    protocol: str = "TCP"
    address: str = "0.0.0.0"
    stimulus: str = "NONE"
    is_connected: bool = False


class TriggerBus:
    """All trigger objects, and when each event last came.

    Args:
        terminals: where trigger wires can be, by line.

    Attributes:
        timers, blenders, lines, packets: by number from 1.
    """

    def __init__(self, terminals: Mapping[int, Terminal] | None = None) -> None:
        self.timers = {n: Timer() for n in range(1, TIMERS + 1)}
        self.blenders = {n: Blender() for n in range(1, BLENDERS + 1)}
        self.lines = {n: Line(terminal=(terminals or {}).get(n) or Terminal()) for n in range(1, LINES + 1)}
        for line in self.lines.values():
            line.put()
        self.packets = {n: Packet() for n in range(1, PACKETS + 1)}
        self._last: dict[str, int] = {}
        self._events = 0

    @property
    def mark(self) -> int:
        """A number that grows with every event."""
        return self._events

    def came_since(self, event: str, mark: int) -> bool:
        """Whether an event has come since the bus was at `mark`."""
        return self._last.get(event, -1) >= mark

    def emit(self, event: str, now: float) -> None:
        """An event happens: timers, blenders and output lines that wait for it act."""
        heard = [event]
        while heard:
            name = heard.pop(0)
            self._last[name] = self._events
            self._events += 1
            heard += [f"BLEN{n}" for n, blender in self.blenders.items() if blender.hear(name)]
            heard += self._start_timers(name, now)
            for line in self.lines.values():
                if line.stimulus == name and line.kind != "DIG" and line.direction != "IN":
                    line.pulses += 1
                    line.terminal.pulse(line.pulse_seconds)

    def _start_timers(self, event: str, now: float) -> list[str]:
        started = [n for n, timer in self.timers.items() if timer.is_on and timer.stimulus == event]
        for n in started:
            self.timers[n].start(now, now)
        return [f"TIM{n}" for n in started if self.timers[n].is_generating]

    def switch_timer(self, number: int, is_on: bool, now: float, clock: float) -> None:
        """Enable or disable a timer; one without a stimulus begins at once, or at its alarm.

        Args:
            now, clock: the present moment in world seconds and in seconds since 1970.
        """
        timer = self.timers[number]
        timer.is_on = is_on
        timer.stop()
        if is_on and timer.stimulus == "NONE":
            alarm = timer.begins_at_whole + timer.begins_at_fraction
            timer.start(now, now + max(alarm - clock, 0.0))
            if timer.is_generating:
                self.emit(f"TIM{number}", now)

    @property
    def next_due(self) -> float:
        """World seconds of the next timer event; infinite if there is none."""
        return min(timer.due for timer in self.timers.values())

    def advance(self, now: float) -> None:
        """Let the timers make the events that are due by `now`, world seconds."""
        for _ in range(_MOST_EVENTS):
            number = min(self.timers, key=lambda n: self.timers[n].due)
            timer = self.timers[number]
            if timer.due > now:
                return
            when = timer.due
            timer.fire()
            self.emit(f"TIM{number}", when)
        for timer in self.timers.values():  # too fast to be followed: as if the events had all been heard
            if timer.due <= now:
                timer.due = now + timer.delay_seconds

    def drive(self, number: int, is_high: bool, now: float) -> None:
        """Something outside drives a digital line."""
        line = self.lines[number]
        changed = line.is_driven_high != is_high
        line.is_driven_high = is_high
        if changed:
            self.edge(number, is_high, now)

    def edge(self, number: int, is_rising: bool, now: float) -> None:
        """An edge on a digital line that something outside has made."""
        if self.lines[number].sees_edge(is_rising=is_rising):
            self.emit(f"DIG{number}", now)
