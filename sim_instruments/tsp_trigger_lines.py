"""Digital I/O and TSP-Link lines of TSP instruments: open-collector wires, and trigger lines that pulse and watch them.

Series 2600B reference manual, "Digital I/O" and "Hardware trigger modes"; Models 707B and 708B reference manual,
section 3, "Hardware trigger modes".
"""

from __future__ import annotations

from .trigger_wires import Wire
from .tsp_events import Detector, Events, Process

(
    BYPASS,
    FALLING,
    RISING,
    EITHER,
    SYNCHRONOUS_ACCEPTOR,
    SYNCHRONOUS,
    SYNCHRONOUS_MASTER,
    RISING_ACCEPTOR,
    RISING_MASTER,
) = range(9)
MODES: dict[str, int] = {
    "TRIG_BYPASS": BYPASS, "TRIG_FALLING": FALLING, "TRIG_RISING": RISING, "TRIG_EITHER": EITHER,
    "TRIG_SYNCHRONOUSA": SYNCHRONOUS_ACCEPTOR, "TRIG_SYNCHRONOUS": SYNCHRONOUS, "TRIG_SYNCHRONOUSM": SYNCHRONOUS_MASTER,
    "TRIG_RISINGA": RISING_ACCEPTOR, "TRIG_RISINGM": RISING_MASTER,
}  # fmt: skip
DEFAULT_PULSE_SECONDS = 10e-6


class TriggerLine:
    """digio.trigger[N] or tsplink.trigger[N]: watches one wire for edges and pulses it.

    Edges count whoever makes them, this instrument included (assumed).

    Attributes:
        event: number of the event that a detected edge gives.
        stimulus: its event makes the line assert.
        seen: latches the line's event for `wait`.
        pulse_seconds: width of an asserted pulse; 0 until `release`.
    """

    def __init__(self, events: Events, event: int, wire: Wire) -> None:
        self._events = events
        self.event = event
        self.stimulus = events.detector(self.assert_line)
        self.seen: Detector = events.watcher(event)
        self.pulse_seconds = DEFAULT_PULSE_SECONDS
        self._mode = BYPASS
        self._is_written_low = False
        self._is_latched = False
        self._ending: Process | None = None
        self.wire = wire
        wire.watch(self._edge)

    def attach(self, wire: Wire) -> None:
        """Be on this wire from now on."""
        self.wire.set(self, is_low=False)
        self.wire = wire
        wire.watch(self._edge)
        self._drive()

    @property
    def is_pulsing(self) -> bool:
        """Whether a pulse is under way."""
        return self._ending is not None

    def reset(self) -> None:
        """Defaults."""
        self.mode = BYPASS
        self.pulse_seconds = DEFAULT_PULSE_SECONDS
        self.stimulus.stimulus = 0
        self.release()
        self.seen.clear()

    @property
    def mode(self) -> int:
        """One of MODES."""
        return self._mode

    @mode.setter
    def mode(self, mode: int) -> None:
        self._mode = mode
        self._is_latched = False
        self._drive()

    @property
    def is_written_low(self) -> bool:
        """What was last written to the line."""
        return self._is_written_low

    def write(self, *, is_low: bool) -> None:
        """Direct control of the line; outside the bypass mode it only says which way the line rests."""
        self._is_written_low = is_low
        self._drive()

    def _rests_low(self) -> bool:
        if self._mode == RISING_MASTER:
            return True
        return self._is_written_low and self._mode in (BYPASS, RISING)

    def _drive(self) -> None:
        is_pulsing = self._ending is not None
        rests_low = self._rests_low()
        is_low = (rests_low != is_pulsing) if self._mode != BYPASS else rests_low
        self.wire.set(self, is_low=is_low or self._is_latched)

    def assert_line(self) -> None:
        """Pulse the line, in the synchronous acceptor mode let it go."""
        if self._mode == BYPASS:
            return
        if self._mode == SYNCHRONOUS_ACCEPTOR:
            self._is_latched = False
            self._drive()
            return
        self._stop_pulse()
        self._ending = self._pulse()
        self._drive()
        self._is_latched = False
        self._events.start(self._ending, is_foreground=False)

    def _pulse(self) -> Process:
        if self.pulse_seconds == 0:
            return
        yield self.pulse_seconds
        self._ending = None
        self._drive()

    def release(self) -> None:
        """Let the line go, pulse or latch."""
        self._stop_pulse()
        self._is_latched = False
        self._drive()

    def _stop_pulse(self) -> None:
        if self._ending is not None:
            self._events.stop(self._ending)
            self._ending = None

    def _edge(self, is_rising: bool) -> None:
        mode = self._mode
        if mode == RISING:
            mode = RISING_MASTER if self._is_written_low else RISING_ACCEPTOR
        is_seen = {
            FALLING: not is_rising,
            EITHER: True,
            SYNCHRONOUS_ACCEPTOR: not is_rising,
            SYNCHRONOUS: not is_rising,
            SYNCHRONOUS_MASTER: is_rising,
            RISING_ACCEPTOR: is_rising,
        }.get(mode, False)
        if not is_seen:
            return
        if mode in (SYNCHRONOUS_ACCEPTOR, SYNCHRONOUS):
            self._is_latched = True
            self._drive()
        self._events.fire(self.event)


class LinePort:
    """The digital lines of one instrument as one number.

    Args:
        lines: the trigger lines, first bit first.

    Attributes:
        protected: mask of lines that writing leaves alone.
    """

    def __init__(self, lines: list[TriggerLine]) -> None:
        self.lines = lines
        self.protected = 0

    @property
    def full(self) -> int:
        """All lines high."""
        return (1 << len(self.lines)) - 1

    def read(self) -> int:
        """The port's state."""
        return sum(1 << k for k, line in enumerate(self.lines) if line.wire.is_high)

    def write(self, value: int) -> None:
        """Set all lines that are not protected."""
        for k, line in enumerate(self.lines):
            if not self.protected >> k & 1:
                line.write(is_low=not value >> k & 1)

    def write_bit(self, number: int, *, is_high: bool) -> None:
        """Set one line, unless it is protected."""
        if not self.protected >> number & 1:
            self.lines[number].write(is_low=not is_high)
