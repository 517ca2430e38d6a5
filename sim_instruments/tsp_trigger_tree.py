"""trigger, digio, tsplink.trigger, lan.trigger and display.trigger as scripts see them (manuals, "Triggering").

Series 2600B and Models 707B and 708B have the same objects, in different numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .tsp_attributes import Attributes, as_switch, fixed_items
from .tsp_engine import PARAMETER_ERROR, TspEngine, TspError, is_table, number_argument, text_argument
from .tsp_events import Detector
from .tsp_trigger_lines import MODES, LinePort, TriggerLine
from .tsp_triggers import Announcer, Blender, LanLine, Timer

if TYPE_CHECKING:
    from .tsp_triggered import TriggeredTsp

Functions = dict[str, Callable[..., Any]]
_LONGEST_SECONDS = 100_000.0
_MOST_DELAYS = 4096
_NO_PEER = 2112, "Connection not established"
_LAN = {"TCP": 0, "UDP": 1, "MULTICAST": 2, "ENABLE": 1, "DISABLE": 0, "AUTO": 0, "MANUAL": 1, "FULL": 1, "HALF": 0}


class TriggerTree:
    """Builds the trigger objects of one instrument."""

    def __init__(self, instrument: TriggeredTsp) -> None:
        self.instrument = instrument
        self._engine: TspEngine = instrument.engine
        self._system = instrument.triggers

    def add_stimulus(self, a: Attributes, detector: Detector, name: Any = "stimulus") -> None:
        """An attribute that selects which event a detector waits for."""
        a.whole(name, detector.itself, "stimulus", 0, 10**6)

    def watched(self, detector: Detector) -> Functions:
        """clear and wait of something that gives an event."""
        return {"clear": detector.clear, "wait": lambda seconds: self.instrument.wait_for(detector, seconds)}

    def trigger(self) -> Any:
        """The `trigger` object."""
        system, engine = self._system, self._engine
        timers = {k: self._timer(timer) for k, timer in enumerate(system.timers, 1)}
        blenders = {k: self._blender(blender) for k, blender in enumerate(system.blenders, 1)}
        parts: dict[str, Any] = {"timer": fixed_items(engine, timers), "blender": fixed_items(engine, blenders)}
        if system.generators:
            parts["generator"] = fixed_items(
                engine, {k: self._generator(one) for k, one in enumerate(system.generators, 1)}
            )
        return engine.object({"EVENT_ID": system.bus.event, **parts}, functions=self.watched(system.bus.seen))

    def panel(self) -> Any:
        """display.trigger: nobody presses the TRIG key."""
        panel = self._system.panel
        a = Attributes()
        a.add("overrun", lambda: panel.seen.has_overrun)
        return a.made(self._engine, {"EVENT_ID": panel.event}, self.watched(panel.seen))

    def digital_io(self) -> Any:
        """The `digio` object."""
        lines = {k: self._line(line) for k, line in enumerate(self._system.digital, 1)}
        values = {**MODES, "trigger": fixed_items(self._engine, lines)}
        functions = self._port_functions(self._system.port, (1801, "Invalid digital I/O Line"))
        return self._port(self._system.port).made(self._engine, values, functions)

    def link_members(self) -> tuple[dict[str, Any], Attributes, Functions]:
        """What `tsplink` has about its trigger lines: values, attributes, functions."""
        lines = {k: self._line(line) for k, line in enumerate(self._system.link, 1)}
        error = PARAMETER_ERROR, "Parameter error"
        values = {**MODES, "trigger": fixed_items(self._engine, lines)}
        return values, self._port(self._system.link_port), self._port_functions(self._system.link_port, error)

    def lan_members(self) -> dict[str, Any]:
        """What `lan` has about triggers."""
        lines = {k: self._lan_line(line) for k, line in enumerate(self._system.lan, 1)}
        modes = {name: mode for name, mode in MODES.items() if mode}
        return {**_LAN, **modes, "trigger": fixed_items(self._engine, lines)}

    def _port(self, port: LinePort) -> Attributes:
        a = Attributes()
        a.add(
            "writeprotect",
            lambda: port.protected,
            lambda value: setattr(port, "protected", int(number_argument(value, 0, port.full))),
        )
        return a

    def _port_functions(self, port: LinePort, error: tuple[int, str]) -> Functions:
        catch_up = self.instrument.catch_up

        def index(line: object) -> int:
            number = number_argument(line, -(2**31), 2**31)
            if not 1 <= number <= len(port.lines):
                raise TspError(*error)
            return int(number) - 1

        def read_bit(line: object) -> int:
            number = index(line)
            catch_up()
            return int(port.lines[number].wire.is_high)

        def write_bit(line: object, value: object) -> None:
            number, is_high = index(line), number_argument(value, 0, 1) == 1
            catch_up()
            port.write_bit(number, is_high=is_high)
            self.instrument.settle_triggers()

        def read_port() -> int:
            catch_up()
            return port.read()

        def write_port(value: object) -> None:
            wanted = int(number_argument(value, 0, port.full))
            catch_up()
            port.write(wanted)
            self.instrument.settle_triggers()

        return {"readbit": read_bit, "writebit": write_bit, "readport": read_port, "writeport": write_port}

    def _asserting(self, act: Callable[[], None]) -> Callable[[], None]:
        def assert_now() -> None:
            self.instrument.catch_up()
            act()
            self.instrument.settle_triggers()

        return assert_now

    def _line(self, line: TriggerLine) -> Any:
        a = Attributes()

        def set_mode(value: Any) -> None:
            wanted = number_argument(value, -(2**31), 2**31)
            if wanted not in MODES.values():
                raise TspError(1800, "Invalid Digital Trigger Mode")
            self.instrument.catch_up()
            line.mode = int(wanted)
            self.instrument.settle_triggers()

        a.add("mode", lambda: line.mode, set_mode)
        a.number("pulsewidth", lambda: line, "pulse_seconds", 0, _LONGEST_SECONDS)
        a.add("overrun", lambda: line.seen.has_overrun)
        self.add_stimulus(a, line.stimulus)
        functions = self.watched(line.seen) | {
            "assert": self._asserting(line.assert_line),
            "release": self._asserting(line.release),
            "reset": line.reset,
        }
        return a.made(self._engine, {"EVENT_ID": line.event}, functions)

    def _lan_line(self, line: LanLine) -> Any:
        a = Attributes()
        a.whole("mode", lambda: line, "mode", 1, 8)
        a.whole("protocol", lambda: line, "protocol", 0, 2)
        a.add("ipaddress", lambda: line.address, lambda value: setattr(line, "address", text_argument(value)))
        a.whole("pseudostate", lambda: line, "pseudo_state", 0, 1)
        a.add("connected", lambda: False)
        a.add("overrun", lambda: line.seen.has_overrun)
        self.add_stimulus(a, line.stimulus)

        def refuse() -> None:
            raise TspError(*_NO_PEER)

        functions = self.watched(line.seen) | {
            "assert": refuse, "connect": refuse, "disconnect": lambda: None, "reset": line.reset,
        }  # fmt: skip
        return a.made(self._engine, {"EVENT_ID": line.event}, functions)

    def _generator(self, generator: Announcer) -> Any:
        functions = self.watched(generator.seen) | {"assert": self._asserting(generator.fire)}
        return self._engine.object({"EVENT_ID": generator.event}, functions=functions)

    def _timer(self, timer: Timer) -> Any:
        a = Attributes()

        def one_delay(value: Any) -> None:
            timer.delays = [number_argument(value, 0, _LONGEST_SECONDS)]

        def delays(value: Any) -> None:
            timer.delays = as_delays(value) or timer.delays

        a.add("delay", lambda: timer.delays[0], one_delay)
        a.add("delaylist", lambda: self._engine.list_of(list(timer.delays)), delays)
        a.whole("count", lambda: timer, "count", 0, 1_048_575)
        a.switch("passthrough", lambda: timer, "passes_through")
        a.add("overrun", lambda: timer.has_overrun)
        self.add_stimulus(a, timer.detector)
        functions = self.watched(timer.seen) | {"clear": timer.clear, "reset": timer.reset}
        return a.made(self._engine, {"EVENT_ID": timer.event}, functions)

    def _blender(self, blender: Blender) -> Any:
        a = Attributes()
        a.add("orenable", lambda: blender.is_or, lambda value: setattr(blender, "is_or", as_switch(value)))
        a.add("overrun", lambda: blender.has_overrun)
        stimuli = Attributes()
        for k, detector in enumerate(blender.stimuli, 1):
            self.add_stimulus(stimuli, detector, k)
        values = {"EVENT_ID": blender.event, "stimulus": stimuli.made(self._engine)}
        functions = self.watched(blender.seen) | {"clear": blender.clear, "reset": blender.reset}
        return a.made(self._engine, values, functions)


def as_delays(table: Any) -> list[float]:
    """The delays of a Lua list; raises TspError for anything else."""
    if not is_table(table):
        raise TspError(PARAMETER_ERROR, "Parameter error")
    values = [number_argument(value, 0, _LONGEST_SECONDS) for value in list(table.values())]
    if len(values) > _MOST_DELAYS:
        raise TspError(-223, "Too Much Data")
    return values
