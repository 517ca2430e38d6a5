"""TSP instruments: messages are Lua chunks; common commands and script loading are handled beside Lua.

Series 2600B and Models 707B and 708B reference manuals, "Fundamentals of scripting for TSP".
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

from .faults import FaultPlan
from .scpi_errors import ScpiError
from .status_488 import OPERATION_COMPLETE, Status488
from .tsp_attributes import Attributes, as_choice, as_switch, kept_number, kept_switch
from .tsp_engine import SYNTAX_ERROR, TspEngine, number_argument, text_argument
from .tsp_files import TspFiles
from .tsp_link import LINK_SECONDS, NodeError, TspLink
from .tsp_scripts import ScriptLibrary
from .tsp_system_tree import bits, data_queue, event_log, tsp_net, user_strings
from .wire_instrument import HostClock, WireInstrument
from .world import World

_RECOVERABLE = 20.0
"""Severity of nearly all errors (2600B reference manual, errorqueue.next)."""
_OUTPUTS_OFF = """
for _, name in ipairs({"smu", "smua", "smub"}) do
    if _G[name] ~= nil then _G[name].source.output = 0 end
end
"""
_LOAD = re.compile(r"(loadscript|loadandrunscript)(?:\s+([A-Za-z_]\w*))?\s*\Z")
_NUMBERED = re.compile(r"(\*[A-Za-z]+)\s+(\d{1,9})\s*\Z")


class TspInstrument(WireInstrument):
    """Base of the TSP instruments. Printed lines are replies of their own; unread ones stay until they are read.

    Class attributes:
        model: as `localnode.model` tells it.
        command_seconds: simulated time that processing one message takes.
        status_summaries: bits of the status byte -> register sets behind them.
        factory_scripts: names of the scripts that are always loaded.
    """

    model: ClassVar[str]
    firmware: ClassVar[str]
    command_seconds: ClassVar[float] = 0.0
    status_summaries: ClassVar[dict[int, str]] = {}
    factory_scripts: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        super().__init__(name, world, host, has_end=has_end, faults=faults)
        self.serial = serial
        self.status = Status488(self.status_summaries, error_bit=4, queue_capacity=100)
        self.engine = TspEngine(self._report)
        self.link = TspLink(self)
        self._lender: tuple[TspInstrument, int] | None = None
        self.files = TspFiles(self.engine)
        self.scripts = ScriptLibrary(self.engine, self.files.disk, self.factory_scripts)
        self.line_hertz = world.line_hertz
        self.has_prompts = self.shows_errors = False
        self._is_line_measured = True
        self._zone = "0"
        self._script: list[str] | None = None
        self._script_name = ""
        self._runs_at_end = False
        self._timer_zero = world.seconds
        self._own_globals: frozenset[str] | None = None
        self._define_common()

    @property
    def is_answering(self) -> bool:
        """Whether it works at all, as far as the faults planned for it go."""
        return self._is_answering

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"Keithley Instruments Inc., Model {self.model}, {self.serial}, {self.firmware}"

    @abstractmethod
    def reset(self) -> None:
        """reset() and *RST."""

    def _report(self, error: ScpiError) -> None:
        if self._lender is None:
            self.status.report(error)
        else:
            master, number = self._lender
            master.status.report(NodeError(error, number))

    @contextmanager
    def lent_to(self, remote: TspInstrument, number: int) -> Iterator[None]:
        """While another node acts for a script of this one: its time is this one's, its errors come here."""
        self._take_time(LINK_SECONDS)
        self._let_time_pass()
        before, remote._lender = remote._lender, (self, number)
        remote._note_globals()
        try:
            yield
        finally:
            remote._lender = before
            remote._let_time_pass()

    def link_members(self) -> tuple[dict[str, Any], Attributes, dict[str, Callable[..., Any]]]:
        """What `tsplink` has about its trigger lines: values, attributes, functions."""
        return {}, Attributes(), {}

    def linked_to(self, master: TspInstrument) -> None:
        """It has been put on the TSP-Link of another instrument."""

    def _define_common(self) -> None:
        engine = self.engine
        errors = self.status.errors
        engine.define_object(
            "errorqueue",
            functions={"next": self._next_error, "clear": errors.clear},
            getters={"count": lambda: float(len(errors))},
        )
        engine.define("timer", functions={"reset": self._reset_timer})
        engine.run("timer.measure = {}")
        objects = {
            "localnode": self._local_node(),
            "script": self.scripts.made(),
            "userstring": user_strings(engine),
            "bit": bits(engine),
            "beeper": self._beeper(),
            "eventlog": event_log(engine),
            "dataqueue": data_queue(engine, self._take_time),
            "tspnet": tsp_net(engine, self._take_time),
            "fs": self.files.file_system(),
            "io": self.files.input_output(),
            "os": self.files.operating_system(lambda: self._now),
        }
        for name, made in objects.items():
            engine.set_global(name, made)
        functions: dict[str, Callable[..., object]] = {
            "delay": self._delay,
            "opc": self._complete,
            "waitcomplete": lambda *_: None,
            "reset": lambda *_: self._reset_system(),
            "settime": lambda seconds: self._set_time(seconds),
            "settimezone": lambda offset, *_: self._set_zone(offset),
            "gettimezone": lambda: self._zone,
        }
        for name, function in functions.items():
            engine.set_global(name, engine.function(function))
        engine.set_global("_timer_t", engine.function(lambda: self._now - self._timer_zero))
        engine.run("timer.measure.t = _timer_t; _timer_t = nil")
        self.link.define()

    def _set_time(self, seconds: object) -> None:
        number_argument(seconds, 0, 2**32 - 1)

    def _set_zone(self, offset: object) -> None:
        self._zone = text_argument(offset)

    def _beeper(self) -> Any:
        a = Attributes()
        a.add("enable", *kept_switch(1))

        def beep(seconds: object, hertz: object) -> None:
            self._take_time(number_argument(seconds, 0.001, 100))
            number_argument(hertz, 20, 8000)

        return a.made(self.engine, {"ON": 1, "OFF": 0}, {"beep": beep})

    def _local_node(self) -> Any:
        fixed = {
            "model": self.model, "serialno": self.serial, "version": self.firmware, "revision": self.firmware,
            "license": "", "PASSWORD_NONE": 0, "PASSWORD_WEB": 1, "PASSWORD_LAN": 2, "PASSWORD_ALL": 3,
        }  # fmt: skip
        a = Attributes()
        kept = {"description": f"Keithley {self.model} #{self.serial}", "password": ""}
        for name in kept:
            a.add(name, partial(kept.__getitem__, name), partial(_put_text, kept, name))
        a.add("passwordmode", *kept_number(0, 0, 3))
        a.add("linefreq", lambda: self.line_hertz, self._set_line_frequency)
        a.add("autolinefreq", lambda: self._is_line_measured, self._measure_line)
        a.add("prompts4882", *kept_switch(1))
        a.switch_number("prompts", lambda: self, "has_prompts")
        a.switch_number("showerrors", lambda: self, "shows_errors")
        return a.made(self.engine, fixed, {"reset": lambda *_: self._reset()})

    def _set_line_frequency(self, value: object) -> None:
        self.line_hertz = float(as_choice(value, 50, 60))
        self._is_line_measured = False

    def _measure_line(self, value: object) -> None:
        self._is_line_measured = as_switch(value)
        if self._is_line_measured:
            self.line_hertz = self.world.line_hertz

    @property
    def _now(self) -> float:
        return self.world.seconds + self._owed_seconds

    def _reset_timer(self) -> None:
        self._timer_zero = self._now

    def _reset(self) -> None:
        self.engine.reset_format()
        self.reset()

    def _reset_system(self) -> None:
        self._reset()
        if self.link.is_online:
            for number, remote in self.link.nodes.items():
                with self.lent_to(remote, number):
                    remote._reset()

    def _delay(self, seconds: object) -> None:
        self._take_time(number_argument(seconds, 0, 100_000))

    def _complete(self) -> None:
        self.status.event_status |= OPERATION_COMPLETE

    def _finish(self) -> None:
        """Wait for whatever overlaps."""

    def _completed(self) -> int:
        self._finish()
        return 1

    def _next_error(self) -> tuple[float, str, float, float]:
        error = self.status.errors.take()
        if error.code == 0:
            return 0.0, "Queue Is Empty", 0.0, float(self.link.number)
        node = error.node if isinstance(error, NodeError) else self.link.number
        return float(error.code), error.text, _RECOVERABLE, float(node)

    def _note_status(self) -> None:
        now = self._host.seconds
        self.status.note(max(self._ready_at, now), now)

    def _poll_while_busy(self) -> int:
        return self.status.poll_at(self._host.seconds)

    def _note_globals(self) -> None:
        """What there is before anybody has told it anything is there again after its power has failed."""
        if self._own_globals is None:
            self._own_globals = self.engine.global_names()

    def _carry_out(self, message: str) -> None:
        self._note_globals()
        self._note_status()
        self._take_time(self.command_seconds)
        problems = len(self.status.errors)
        self._interpret(message)
        if self.has_prompts or self.shows_errors:
            self._prompt(problems)

    def _prompt(self, problems: int) -> None:
        """What follows a message while prompts or errors are to be shown ("localnode.prompts")."""
        is_bad = len(self.status.errors) > problems
        if self.shows_errors and self._script is None:
            while self.status.errors:
                error = self.status.errors.take()
                self._replies.append(f"{error.code}, {error.text}\n".encode("latin-1", "replace"))
        if self.has_prompts:
            prompt = b">>>>" if self._script is not None else b"TSP?" if is_bad else b"TSP>"
            self._replies.append(prompt + b"\n")

    def _interpret(self, message: str) -> None:
        if self._script is not None:
            self._collect(message)
            return
        sign = message[:1]
        if sign == "*":
            for part in message.split(";"):
                self._common(part.strip())
        elif sign == "l" and (match := _LOAD.match(message)):
            self._script, self._script_name = [], match[2] or ""
            self._runs_at_end = match[1] == "loadandrunscript"
        elif message.strip() == "abort":
            self._cleared()
        elif message:
            self._run_text(message)

    def _run_text(self, text: str) -> None:
        for line in self.engine.run(text):
            self._replies.append(line.encode("latin-1") + b"\n")

    def _collect(self, line: str) -> None:
        if line.strip() != "endscript":
            assert self._script is not None
            self._script.append(line)
            return
        text, self._script = "\n".join(self._script or ()), None
        if self._script_name or not self._runs_at_end:
            try:
                self.scripts.define(self._script_name, text)
            except ScpiError as error:
                self._report(error)
        if self._runs_at_end:
            self._run_text(text)

    def _common(self, command: str) -> None:
        name = command.upper()
        status = self.status
        queries: dict[str, Callable[[], object]] = {
            "*IDN?": lambda: self.identity,
            "*OPC?": self._completed,
            "*ESR?": status.take_event_status,
            "*ESE?": lambda: status.event_enable,
            "*SRE?": lambda: status.service_enable,
            "*STB?": lambda: status.byte_with_summary(has_message=False),
            "*TST?": lambda: 0,
        }
        commands: dict[str, Callable[[], None]] = {
            "*RST": self._reset,
            "*CLS": status.clear,
            "*OPC": self._complete,
            "*WAI": self._finish,
            "*TRG": self.trigger,
        }
        if name in queries:
            self._replies.append(f"{queries[name]()}\n".encode("latin-1"))
        elif name in commands:
            commands[name]()
        elif (match := _NUMBERED.match(name)) and match[1] in ("*ESE", "*SRE"):
            attribute = "event_enable" if match[1] == "*ESE" else "service_enable"
            setattr(status, attribute, int(match[2]) & 0xFF)
        else:
            status.report(ScpiError(SYNTAX_ERROR, f"TSP Syntax error at line 1: unexpected symbol near `{command}'"))

    def trigger(self) -> None:
        """A group execute trigger; nothing waits for one."""

    def _cleared(self) -> None:
        self._script = None
        self.drop_replies()

    def _power_on(self) -> None:
        self._cleared()
        self.has_prompts = self.shows_errors = False
        self._reset()
        self._note_globals()
        self.engine.forget_globals(self._own_globals or frozenset())
        self.scripts.power_on()
        self.status.power_on()

    def _output_tripped(self, error: ScpiError) -> None:
        self.engine.run(_OUTPUTS_OFF)
        self.status.report(error)

    def _nothing_to_say(self) -> None:
        if self.has_end and self._is_answering:
            self.status.report(ScpiError(-420))

    def _reply_taken(self) -> None:
        self.status.message_gone()

    def status_byte(self) -> int:
        """The status byte without bit 6."""
        return self.status.byte(has_message=self._has_message)

    def serial_poll(self) -> int:
        """The status byte with RQS in bit 6, cleared by the poll."""
        return self.status.serial_poll(has_message=self._has_message)

    @property
    def requests_service(self) -> bool:
        """Whether it asserts SRQ, as the host sees it."""
        if self.busy_seconds > 0:
            return self.status.requested_at(self._host.seconds)
        return self.status.requests_service(has_message=self._has_message)


def _put_text(kept: dict[str, str], name: str, value: object) -> None:
    kept[name] = text_argument(value)
