"""The trigger model of a 2400: arm layer, trigger layer, and what holds them up (user's manual, section 11).

A sequence of readings runs as a generator that yields whatever event it waits for; the event resumes it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .keithley_2400_cycle import SdmCycle
from .keithley_2400_digital import MOST_KEPT
from .keithley_2400_settings import MOST_READINGS, LayerSettings
from .keithley_2400_status import OperationBit, hold
from .scpi_errors import ScpiError
from .timing import KEITHLEY_2400 as TIMING

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_OPERATION = OperationBit.SWEEPING | OperationBit.WAITING_FOR_TRIGGER | OperationBit.WAITING_FOR_ARM | OperationBit.IDLE


class Event(NamedTuple):
    """Something that the trigger model waits for: BUS, MAN, TLIN (with its line), NST, PST, BST; or NEVER."""

    kind: str
    line: int = 0


_Pass = Generator[Event, None, bool]
"""A part of the run, which returns whether to go on."""
_NEVER = Event("NEVER")
_START_OF_TEST = {"NST": ("NST",), "PST": ("PST",), "BST": ("NST", "PST")}


class TriggerModel:
    """Arm and trigger layer of one unit.

    Attributes:
        waits_for: the event that holds it up; None in idle and while it is at something.
        sent: (seconds, line) of each output trigger, the latest ones.
    """

    def __init__(self, unit: SimKeithley2400) -> None:
        self._unit = unit
        self._passes: Iterator[Event] | None = None
        self._latched: set[int] = set()
        self._armed_at = 0.0
        self.waits_for: Event | None = None
        self.sent: deque[tuple[float, int]] = deque(maxlen=MOST_KEPT)

    @property
    def is_busy(self) -> bool:
        """Whether it is out of idle."""
        return self._passes is not None

    def initiate(self) -> None:
        """Out of idle, as far as events allow."""
        self._passes = self._run()
        self._go_on()

    def abort(self) -> None:
        """Back to idle."""
        if self._passes is not None:
            self._passes = self.waits_for = None
            self._unit.calculations.port.is_busy = False
        self._condition(OperationBit.IDLE)

    def clear_inputs(self) -> None:
        """TRIGger:CLEar: forget input triggers that came too early."""
        self._latched.clear()

    def takes(self, event: Event) -> bool:
        """Whether it waits for this event."""
        wanted = self.waits_for
        kinds = () if wanted is None else _START_OF_TEST.get(wanted.kind, (wanted.kind,))
        return wanted is not None and event.kind in kinds and event.line == wanted.line

    def occur(self, event: Event) -> bool:
        """An event from outside; returns whether something waited for it. Trigger link pulses are remembered."""
        if not self.takes(event):
            if event.kind == "TLIN":
                self._latched.add(event.line)
            return False
        self._go_on()
        return True

    def _go_on(self) -> None:
        if self._passes is None:
            return
        self.waits_for = None
        try:
            self.waits_for = next(self._passes)
        except StopIteration:
            self._passes = self.waits_for = None
        except ScpiError:
            self.abort()
            raise

    def _run(self) -> Iterator[Event]:
        unit, settings = self._unit, self._unit.settings
        if settings.is_time_auto_reset:
            unit.reset_time()
        unit.readings = []
        unit.calculations.begin(settings)
        cycle = SdmCycle(unit)
        self._condition(OperationBit.SWEEPING if cycle.is_sweep else 0)
        passed, goes_on = 0, True
        while goes_on and passed < settings.arm.count and len(unit.readings) < MOST_READINGS:
            yield from self._await_arm(passed)
            goes_on = yield from self._layer(cycle, is_first=passed == 0)
            if settings.is_auto_clear:
                unit.drop_output()
            passed += 1
        if goes_on and math.isinf(settings.arm.count):
            yield _NEVER
        self._finish()

    def _layer(self, cycle: SdmCycle, *, is_first: bool) -> _Pass:
        unit, settings = self._unit, self._unit.settings
        self._send(settings.arm, "TENT")
        for number in range(int(settings.trigger.count)):
            if len(unit.readings) >= MOST_READINGS:
                break
            is_bypassed = is_first and number == 0 and settings.trigger.direction == "SOUR"
            if not (yield from self._cycle(cycle, is_bypassed=is_bypassed)):
                return False
        self._send(settings.arm, "TEX")
        return True

    def _cycle(self, cycle: SdmCycle, *, is_bypassed: bool) -> _Pass:
        unit, trigger = self._unit, self._unit.settings.trigger
        if not is_bypassed:
            yield from self._await_trigger("SOUR")
        unit.spend(TIMING.trigger_seconds + trigger.delay_seconds)
        unit.catch_up()
        cycle.source()
        self._send(trigger, "SOUR")
        if cycle.aborts("EARL"):
            return False
        yield from self._await_trigger("DEL")
        cycle.delay()
        self._send(trigger, "DEL")
        yield from self._await_trigger("SENS")
        cycle.measure()
        self._send(trigger, "SENS")
        return not cycle.aborts("LATE")

    def _await_arm(self, passed: int) -> Iterator[Event]:
        arm, unit = self._unit.settings.arm, self._unit
        if arm.source == "TIM":
            if passed:
                unit.spend(max(self._armed_at + arm.timer_seconds - unit.now_seconds, 0.0))
                unit.catch_up()
            self._armed_at = unit.now_seconds
        elif arm.source in ("BUS", "MAN"):
            yield from self._hold(Event(arm.source), OperationBit.WAITING_FOR_ARM)
        elif arm.source != "IMM" and not (passed == 0 and arm.direction == "SOUR"):
            line = int(arm.input_line) if arm.source == "TLIN" else 0
            yield from self._hold(Event(arm.source, line), OperationBit.WAITING_FOR_ARM)

    def _await_trigger(self, moment: str) -> Iterator[Event]:
        trigger = self._unit.settings.trigger
        if trigger.source == "TLIN" and moment in trigger.input_events:
            yield from self._hold(Event("TLIN", int(trigger.input_line)), OperationBit.WAITING_FOR_TRIGGER)

    def _hold(self, event: Event, bit: int) -> Iterator[Event]:
        if event.kind == "TLIN" and event.line in self._latched:
            self._latched.discard(event.line)
            return
        register = self._unit.status.groups["operation"]
        hold(register, bit, bit)
        yield event
        hold(register, bit, 0)

    def _send(self, layer: LayerSettings, moment: str) -> None:
        if moment in layer.output_events:
            self.sent.append((self._unit.now_seconds, int(layer.output_line)))
            self._unit.link.send(int(layer.output_line))

    def _finish(self) -> None:
        unit = self._unit
        error = unit.calculations.end(unit.settings, unit.readings)
        if error is not None:
            unit.status.report(error)
        self._condition(OperationBit.IDLE)

    def _condition(self, bits: int) -> None:
        hold(self._unit.status.groups["operation"], _OPERATION, bits)
