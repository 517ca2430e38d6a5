"""What a trigger makes a B2900A channel do: change its source, give a pulse, take a measurement.

User's Guide, "Trigger system" and "Source/measure timing". Actions are generators of the moments at which they go on.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

from .keysight_b2900_channel import Channel, ratio
from .keysight_b2900_layers import WaitSettings
from .keysight_b2900_readings import Reading
from .keysight_b2900_settings import OHMS_AMPS, OHMS_RANGES

SETTLING_SECONDS = 50e-6
"""Initial waiting time between a source change and the measurement (assumed; the manual says it is automatic)."""
SOURCE_WAIT_SECONDS = 10e-6
"""Initial waiting time between two source changes (assumed, likewise)."""
END, EDGE, BEGIN = 0, 1, 2
"""What happens first of what happens at the same time: measurements end, the source moves, measurements begin."""


class At(NamedTuple):
    """An action goes on at this time, world seconds; an idle one has not begun what its next trigger asks for."""

    seconds: float
    order: int
    is_idle: bool = False


class Now(Protocol):
    """What actions need of the instrument."""

    @property
    def now(self) -> float:
        """World seconds."""

    @property
    def seconds(self) -> float:
        """Time stamp now."""


class Changer(Protocol):
    """What changes a source."""

    def change_source(self, channel: Channel, level: float) -> None:
        """Begin to source a level now."""


def waiting(wait: WaitSettings, initial_seconds: float) -> float:
    """Waiting time of a source or a measurement."""
    if not wait.is_on:
        return 0.0
    return (wait.gain * initial_seconds if wait.is_auto else 0.0) + wait.offset_seconds


class Acquisition:
    """One measurement: the mean of the operating point over the aperture."""

    def __init__(self, channel: Channel, clock: Now) -> None:
        self.channel, self._clock = channel, clock
        self.clear()

    def clear(self) -> None:
        """Nothing measured yet."""
        self._volts = self._amps = self._seconds = 0.0
        self.is_limiting = False
        self.is_open = False

    def begin(self) -> None:
        """The aperture opens."""
        self.clear()
        self.is_open = True

    def expose(self, seconds: float) -> None:
        """Some time has passed; the operating point at its end stands for it."""
        if not self.is_open:
            return
        point = self.channel.point()
        self._volts += point.volts * seconds
        self._amps += point.amps * seconds
        self._seconds += seconds
        self.is_limiting |= point.is_limiting

    def end(self) -> tuple[float, float]:
        """The aperture closes: mean volts and amperes."""
        self.is_open = False
        return self._volts / self._seconds, self._amps / self._seconds


def transient(channel: Channel, step: int, clock: Now, changer: Changer) -> Iterator[At]:
    """The source part of one trigger."""
    settings = channel.settings
    level = _level(channel, step)
    if channel.source_free_at > clock.now:
        yield At(channel.source_free_at, EDGE)
    if settings.shape == "DC":
        channel.moves_at = clock.now
        _source(channel, level, clock, changer)
        return
    channel.moves_at = rise = clock.now + settings.pulse_delay_seconds
    yield At(rise, EDGE)
    _source(channel, level, clock, changer)
    yield At(rise + settings.pulse_width_seconds, EDGE)
    _source(channel, settings.source.level, clock, changer)


def _source(channel: Channel, level: float, clock: Now, changer: Changer) -> None:
    """A trigger moves the output only while it is on."""
    if channel.output.is_on:
        changer.change_source(channel, level)
        channel.source_free_at = clock.now + waiting(channel.settings.source_wait, SOURCE_WAIT_SECONDS)
        channel.settled_at = clock.now + waiting(channel.settings.sense_wait, SETTLING_SECONDS)


def _level(channel: Channel, step: int) -> float:
    levels = channel.settings.levels()
    if levels is not None:
        return levels[step % len(levels)]
    source = channel.settings.source
    level = source.level if source.triggered is None else source.triggered
    if channel.settings.shape == "DC":
        source.level, source.triggered = level, None
    return level


def acquire(
    channel: Channel, acquisition: Acquisition, clock: Now, delay_seconds: float, *, is_paired: bool
) -> Iterator[At]:
    """The measuring part of one trigger.

    Args:
        is_paired: whether the channel's source moves with the same triggers.
    """
    yield At(_begin(channel, clock.now, delay_seconds, is_paired=is_paired), BEGIN)
    if channel.settings.shape == "DC":
        while channel.settled_at > clock.now:
            yield At(channel.settled_at, BEGIN)
    yield from measure(channel, acquisition, clock)


def measure(channel: Channel, acquisition: Acquisition, clock: Now, extra: str = "") -> Iterator[At]:
    """One measurement from now on, kept as a reading of the functions that are switched on and of an extra one."""
    if not channel.output.is_on:
        channel.keep(channel.no_reading(clock.seconds))
        return
    if channel.settings.ohms_mode == "AUTO":
        _choose_test_current(channel)
    channel.autorange()
    volts, amps = yield from _aperture(channel, acquisition, clock)
    limiting = acquisition.is_limiting
    reading = channel.reading(volts, amps, is_limiting=limiting, seconds=clock.seconds, extra=extra)
    if channel.settings.is_offset_compensated and "RES" in (*channel.settings.functions, extra):
        reading = yield from _compensated(channel, acquisition, clock, (volts, amps), reading)
    channel.keep(reading)


def _aperture(channel: Channel, acquisition: Acquisition, clock: Now) -> Generator[At, None, tuple[float, float]]:
    acquisition.begin()
    yield At(clock.now + channel.aperture_seconds, END)
    return acquisition.end()


def _compensated(
    channel: Channel, acquisition: Acquisition, clock: Now, first: tuple[float, float], reading: Reading
) -> Generator[At, None, Reading]:
    """Resistance from the difference to a second measurement at zero output, which offsets cannot disturb."""
    level = channel.level
    channel.level = 0.0
    channel.apply()
    yield At(clock.now + waiting(channel.settings.sense_wait, SETTLING_SECONDS), BEGIN)
    volts, amps = yield from _aperture(channel, acquisition, clock)
    channel.level = level
    channel.apply()
    across = channel.converted("VOLT", first[0]) - channel.converted("VOLT", volts)
    through = channel.converted("CURR", first[1]) - channel.converted("CURR", amps)
    return replace(reading, ohms=ratio(across, through))


def _choose_test_current(channel: Channel) -> None:
    """Automatic resistance measurement: the current of the range that the resistance falls into."""
    ohms = channel.settings.ohms
    candidates = range(len(OHMS_RANGES)) if ohms.is_auto_range else (ohms.range,)
    allowed = [k for k in candidates if not ohms.is_auto_range or OHMS_RANGES[k] >= ohms.lowest * 0.999]
    for index in reversed(allowed):
        ohms.range = index
        channel.source_ohms_current(OHMS_AMPS[index])
        point = channel.point()
        if index == allowed[0] or abs(point.volts) > OHMS_RANGES[index] * OHMS_AMPS[index] * _STEP_DOWN:
            break


_STEP_DOWN = 0.1
"""A voltage below this fraction of the range's end asks for the next larger test current (assumed)."""


def _begin(channel: Channel, now: float, delay_seconds: float, *, is_paired: bool) -> float:
    """With automatic triggers a measurement ends with the pulse, or follows the change of the source (assumed)."""
    settings = channel.settings
    transient_delay = settings.triggers["TRAN"].delay_seconds
    pulse_delay = settings.pulse_delay_seconds if settings.shape == "PULS" else 0.0
    if not is_paired or settings.triggers["ACQ"].source != "AINT":
        return now + delay_seconds
    if channel.moves_at >= now:
        moved = channel.moves_at
    else:
        moved = max(now + transient_delay, channel.source_free_at) + pulse_delay
    if settings.shape == "DC":
        return max(now + delay_seconds, moved + waiting(settings.sense_wait, SETTLING_SECONDS))
    if delay_seconds > 0:
        return now + delay_seconds
    return max(moved + settings.pulse_width_seconds - channel.aperture_seconds, moved)
