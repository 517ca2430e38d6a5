"""An instrument that speaks SCPI under IEEE 488.2: message exchange, common commands, errors and status."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import Any, ClassVar

from .faults import FaultPlan
from .scpi import Command, CommandTree, Reply, split_units, values
from .scpi_errors import ScpiError
from .scpi_parameters import Number
from .status_488 import OPERATION_COMPLETE, Status488
from .wire_instrument import HostClock, WireInstrument
from .world import World

_MOST_CACHED = 2000
_LONGEST_INPUT = 1_000_000
"""Longest message that is not complete yet (assumed); arbitrary waveforms are the longest there are."""
_MARK = re.compile(rb"[\n\"'#]")
_OUTPUT_HEADERS = (":OUTPUT", ":OUTPUT1", ":OUTPUT2")
_Units = list[tuple[str, list[str]]]


class ScpiInstrument(WireInstrument):
    """Base of the SCPI instruments.

    Class attributes:
        tree: the commands, common ones included.
        command_seconds: simulated time that parsing one command takes.
    """

    tree: ClassVar[CommandTree]
    command_seconds: ClassVar[float] = 0.0

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        status: Status488,
        *,
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        super().__init__(name, world, host, has_end=has_end, faults=faults)
        self.status = status
        self._units: dict[str, _Units] = {}
        self._is_indefinite = False

    @property
    @abstractmethod
    def identity(self) -> str:
        """What *IDN? answers."""

    @abstractmethod
    def reset(self) -> None:
        """*RST."""

    def self_test(self) -> int:
        """*TST?; 0 is a pass."""
        return 0

    def save(self, location: int) -> None:
        """*SAV; refused unless the instrument has setup memory."""
        raise ScpiError(-113)

    def recall(self, location: int) -> None:
        """*RCL; refused unless the instrument has setup memory."""
        raise ScpiError(-113)

    def _split(self, buffer: bytes, is_end: bool) -> tuple[list[bytes], bytes]:
        messages, begin, position, line_end = [], 0, 0, -1
        while (mark := _MARK.search(buffer, position)) is not None:
            position = mark.start()
            if mark[0] == b"\n":
                messages.append(buffer[begin:position].rstrip(b"\r"))
                begin = position = position + 1
                continue
            if line_end < position:
                line_end = buffer.find(b"\n", position)
                line_end = len(buffer) if line_end < 0 else line_end
            position = _after_data(buffer, position, line_end)
        rest = buffer[begin:]
        if is_end and rest:
            messages.append(rest.rstrip(b"\r"))
            rest = b""
        if len(rest) > _LONGEST_INPUT:
            self.status.report(ScpiError(-363))
            rest = b""
        return messages, rest

    def _note_status(self) -> None:
        now = self._host.seconds
        self.status.note(max(self._ready_at, now), now)

    def _poll_while_busy(self) -> int:
        return self.status.poll_at(self._host.seconds)

    def _carry_out(self, message: str) -> None:
        self._note_status()
        if self._replies and self.has_end and message.strip():
            self.drop_replies()
            self.status.report(ScpiError(-410))
        units = self._units.get(message)
        if units is None:
            units = self._remember(message)
        replies: list[Reply] = []
        path = ""
        self._is_indefinite = False
        for header, arguments in units:
            self._owed_seconds += self.command_seconds
            try:
                call = self.tree.resolve(path, header)
                path = call.path
                found = values(call, arguments, self)
                if not call.is_query:
                    call.run(self, *call.numbers, *found)
                    continue
                if self._is_indefinite:
                    raise ScpiError(-440)
                reply = call.run(self, *call.numbers, *found)
                if reply is not None:
                    replies.append(reply)
                self._is_indefinite = call.is_indefinite
            except ScpiError as error:
                self.status.report(error)
                if -200 < error.code <= -100:
                    break
        if replies:
            self._replies.append(_joined(replies))

    def _remember(self, message: str) -> _Units:
        units = split_units(message)
        if len(self._units) >= _MOST_CACHED:
            self._units.clear()
        if len(message) < 200:
            self._units[message] = units
        return units

    def _power_on(self) -> None:
        self._cleared()
        self.reset()
        self.status.power_on()

    def _output_tripped(self, error: ScpiError) -> None:
        for header in _OUTPUT_HEADERS:
            try:
                call = self.tree.resolve("", header)
                call.run(self, *call.numbers, *values(call, ["OFF"], self))
            except ScpiError:
                continue  # not among this model's outputs
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


def _joined(replies: list[Reply]) -> bytes:
    parts = [reply.encode("latin-1") if isinstance(reply, str) else reply for reply in replies]
    return b";".join(parts) + b"\n"


def _after_data(buffer: bytes, position: int, line_end: int) -> int:
    """Position after a quoted string or a block; a newline ends an unfinished string."""
    mark = buffer[position]
    if mark != 0x23:
        closing = buffer.find(bytes((mark,)), position + 1, line_end)
        return closing + 1 if closing >= 0 else line_end
    digits = buffer[position + 1 : position + 2]
    if not digits.isdigit() or digits == b"0":
        return position + 1 if digits != b"0" else line_end
    length = buffer[position + 2 : position + 2 + int(digits)]
    return position + 2 + int(digits) + int(length) if length.isdigit() else position + 1


def _bits(register_bits: int) -> Number:
    return Number(minimum=0, maximum=2**register_bits - 1, is_integer=True)


def _write_ese(i: ScpiInstrument, mask: float) -> None:
    i.status.event_enable = int(mask)


def _write_sre(i: ScpiInstrument, mask: float) -> None:
    i.status.service_enable = int(mask)


def _complete(i: ScpiInstrument) -> None:
    i.status.event_status |= OPERATION_COMPLETE


def _nothing(_: Any) -> None:
    """*WAI: commands are carried out in order anyway."""


def _write_power_on_clear(i: ScpiInstrument, flag: float) -> None:
    i.status.clears_at_power_on = flag != 0


POWER_ON_COMMANDS: tuple[Command, ...] = (
    Command(
        "*PSC",
        write=_write_power_on_clear,
        query=lambda i: str(int(i.status.clears_at_power_on)),
        takes=(Number(minimum=-32767, maximum=32767, is_integer=True),),
    ),
)
"""For instruments that can keep their enables when the power fails (IEEE 488.2, 10.25)."""
COMMON_COMMANDS: tuple[Command, ...] = (
    Command("*IDN", query=lambda i: i.identity, is_indefinite=True),
    Command("*RST", write=lambda i: i.reset()),
    Command("*CLS", write=lambda i: i.status.clear()),
    Command("*ESE", write=_write_ese, query=lambda i: str(i.status.event_enable), takes=(_bits(8),)),
    Command("*ESR", query=lambda i: str(i.status.take_event_status())),
    Command("*SRE", write=_write_sre, query=lambda i: str(i.status.service_enable), takes=(_bits(8),)),
    Command("*STB", query=lambda i: str(i.status.byte_with_summary(has_message=False))),
    Command("*OPC", write=_complete, query=lambda i: "1"),
    Command("*WAI", write=_nothing),
    Command("*TRG", write=lambda i: i.trigger()),
    Command("*TST", query=lambda i: str(i.self_test())),
    Command("*SAV", write=lambda i, n: i.save(int(n)), takes=(Number(minimum=0, maximum=9, is_integer=True),)),
    Command("*RCL", write=lambda i, n: i.recall(int(n)), takes=(Number(minimum=0, maximum=9, is_integer=True),)),
)
"""The common commands of IEEE 488.2, chapter 10."""


def _error_text(error: ScpiError) -> str:
    sign = "+" if error.code > 0 else ""
    return f'{sign}{error.code},"{error.text}"'


def _all_errors(i: ScpiInstrument) -> str:
    entries = [_error_text(i.status.errors.take()) for _ in range(len(i.status.errors))]
    return ",".join(entries) or _error_text(ScpiError(0))


def register_commands(node: str, group: str) -> tuple[Command, ...]:
    """Commands of one STATus register group, for example `:STATus:MEASurement` and `measurement`."""

    def write_enable(i: ScpiInstrument, mask: float) -> None:
        i.status.groups[group].enable = int(mask)

    return (
        Command(f"{node}[:EVENt]", query=lambda i: str(i.status.groups[group].take_event())),
        Command(f"{node}:CONDition", query=lambda i: str(i.status.groups[group].condition)),
        Command(
            f"{node}:ENABle",
            write=write_enable,
            query=lambda i: str(i.status.groups[group].enable),
            takes=(_bits(16),),
        ),
    )


ERROR_COMMANDS: tuple[Command, ...] = (
    Command(":SYSTem:ERRor[:NEXT]", query=lambda i: _error_text(i.status.errors.take())),
    Command(":SYSTem:ERRor:ALL", query=_all_errors),
    Command(":SYSTem:ERRor:COUNt", query=lambda i: str(len(i.status.errors))),
    Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda i: str(i.status.errors.take().code)),
    Command(":SYSTem:CLEar", write=lambda i: i.status.errors.clear()),
    Command(":STATus:QUEue[:NEXT]", query=lambda i: _error_text(i.status.errors.take())),
    Command(":STATus:QUEue:CLEar", write=lambda i: i.status.errors.clear()),
    Command(":STATus:PRESet", write=lambda i: i.status.preset()),
)
"""The error queue's commands."""
