"""What one initiation of a B2900A does: arms, triggers, source changes, pulses and measurements, in order of time.

User's Guide, "Trigger system". Triggers are generated for all initiated channels together: with automatic triggers a
channel's next step begins when the measurements of all of them are done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from .keysight_b2900_channel import Channel
from .keysight_b2900_settings import steps_of

SETTLING_SECONDS = 50e-6
"""Initial waiting time between a source change and the measurement (assumed; the manual says it is automatic)."""
_EDGE, _BEGIN, _END = 1, 2, 0
Initiated = dict[int, set[str]]
"""Channel number -> initiated actions, TRAN and ACQ."""


class Clock(Protocol):
    """What a run needs of the instrument."""

    def elapse(self, seconds: float) -> None:
        """Let time pass in the world."""

    @property
    def seconds(self) -> float:
        """Time stamp now."""


class _Event(NamedTuple):
    seconds: float
    order: int
    act: Callable[[], None]


class _Acquisition:
    """One measurement: the mean of the operating point over the aperture."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel, self._clock = channel, clock
        self._volts = self._amps = self._seconds = 0.0
        self._is_limiting = False
        self.is_open = False

    def begin(self) -> None:
        self._channel.autorange()
        self.is_open = True

    def expose(self, seconds: float) -> None:
        """Some time has passed; the operating point at its end stands for it."""
        point = self._channel.point()
        self._volts += point.volts * seconds
        self._amps += point.amps * seconds
        self._seconds += seconds
        self._is_limiting |= point.is_limiting

    def end(self) -> None:
        self.is_open = False
        volts, amps = self._volts / self._seconds, self._amps / self._seconds
        limiting = self._is_limiting and self._channel.settings.output.is_on
        self._channel.keep(self._channel.reading(volts, amps, is_limiting=limiting, seconds=self._clock.seconds))


def run(channels: Sequence[Channel], initiated: Initiated, clock: Clock, shortest_seconds: float) -> Iterator[str]:
    """Carry out an initiation; yields ARM or TRIG wherever it has to wait for a bus trigger.

    Args:
        channels: those that take part.
        initiated: which of their actions.
        clock: the instrument.
        shortest_seconds: smallest trigger interval.
    """
    total = max(int(_steps(channel, kind)) for channel in channels for kind in initiated[channel.number])
    begun = clock.seconds
    for step in range(total):
        due = [(c, k) for c in channels for k in sorted(initiated[c.number]) if step < _steps(c, k)]
        yield from _wait_for_arm(due, step)
        if any(c.settings.triggers[k].source not in ("AINT", "TIM") for c, k in due):
            yield "TRIG"
        start = clock.seconds
        _play(due, step, clock)
        period = max((c.settings.triggers[k].timer_seconds for c, k in due if _is_timed(c, k)), default=0.0)
        if period:
            period = max(period, shortest_seconds)
            next_begin = begun + (step + 1) * period if step + 1 < total else start + period
            clock.elapse(max(next_begin - clock.seconds, 0.0))


def _is_timed(channel: Channel, kind: str) -> bool:
    return channel.settings.triggers[kind].source == "TIM"


def _steps(channel: Channel, kind: str) -> float:
    return steps_of(channel.settings.arms[kind], channel.settings.triggers[kind])


def _wait_for_arm(due: Sequence[tuple[Channel, str]], step: int) -> Iterator[str]:
    for channel, kind in due:
        begins = step % int(channel.settings.triggers[kind].count) == 0
        if begins and channel.settings.arms[kind].source not in ("AINT", "TIM"):
            yield "ARM"
            return


def _play(due: Sequence[tuple[Channel, str]], step: int, clock: Clock) -> None:
    """One trigger of all that is due."""
    acquisitions: list[_Acquisition] = []
    events: list[_Event] = []
    for channel, kind in due:
        if kind == "TRAN":
            events += _transient(channel, step)
    for channel, kind in due:
        if kind == "ACQ":
            acquisition = _Acquisition(channel, clock)
            acquisitions.append(acquisition)
            events += _acquire(channel, acquisition, step, has_transient=(channel, "TRAN") in due)
    now = 0.0
    for event in sorted(events, key=lambda e: (e.seconds, e.order)):
        passed = event.seconds - now
        if passed > 1e-12:
            clock.elapse(passed)
            for acquisition in acquisitions:
                if acquisition.is_open:
                    acquisition.expose(passed)
            now = event.seconds
        event.act()


def _arm_delay(channel: Channel, kind: str, step: int) -> float:
    begins = step % int(channel.settings.triggers[kind].count) == 0
    return channel.settings.arms[kind].delay_seconds if begins else 0.0


def _transient(channel: Channel, step: int) -> list[_Event]:
    settings = channel.settings
    level = _level(channel, step)
    begin = settings.triggers["TRAN"].delay_seconds + _arm_delay(channel, "TRAN", step)
    if settings.shape == "DC":
        return [_Event(begin, _EDGE, lambda: _source(channel, level))]
    rise = begin + settings.pulse_delay_seconds
    base = settings.source.level
    return [
        _Event(rise, _EDGE, lambda: _source(channel, level)),
        _Event(rise + settings.pulse_width_seconds, _EDGE, lambda: _source(channel, base)),
    ]


def _source(channel: Channel, level: float) -> None:
    """A trigger moves the output only while it is on."""
    if channel.settings.output.is_on:
        channel.go_to(level)


def _level(channel: Channel, step: int) -> float:
    levels = channel.settings.levels()
    if levels is not None:
        return levels[step % len(levels)]
    source = channel.settings.source
    level = source.level if source.triggered is None else source.triggered
    if channel.settings.shape == "DC":
        source.level, source.triggered = level, None
    return level


def _acquire(channel: Channel, acquisition: _Acquisition, step: int, *, has_transient: bool) -> list[_Event]:
    settings = channel.settings
    begin = settings.triggers["ACQ"].delay_seconds + _arm_delay(channel, "ACQ", step)
    aperture = channel.aperture_seconds
    if has_transient and settings.shape == "PULS":
        begin = _into_pulse(channel, begin, aperture, step)
    elif has_transient:
        changed = settings.triggers["TRAN"].delay_seconds + _arm_delay(channel, "TRAN", step)
        begin = max(begin, changed + _waiting(channel))
    return [
        _Event(begin, _BEGIN, acquisition.begin),
        _Event(begin + aperture, _END, acquisition.end),
    ]


def _waiting(channel: Channel) -> float:
    wait = channel.settings.sense_wait
    if not wait.is_on:
        return 0.0
    return (wait.gain * SETTLING_SECONDS if wait.is_auto else 0.0) + wait.offset_seconds


def _into_pulse(channel: Channel, begin: float, aperture: float, step: int) -> float:
    """With automatic triggers a measurement ends with the pulse, if it is short enough (assumed)."""
    settings = channel.settings
    if begin > 0 or settings.triggers["ACQ"].source != "AINT":
        return begin
    rise = settings.triggers["TRAN"].delay_seconds + _arm_delay(channel, "TRAN", step) + settings.pulse_delay_seconds
    return max(rise + settings.pulse_width_seconds - aperture, rise)
