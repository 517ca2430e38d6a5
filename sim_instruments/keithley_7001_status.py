"""Status registers of a Keithley 7001: what the trigger model and the relays report (instruction manual, section 5.16).

Operation register: bit 1 while relays settle, bit 5 waiting in the channel layer, bit 6 waiting in an arm layer, bit 10
idle. Below it stand registers that tell the layers apart. Bit numbers from memory, to be checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .scpi import Command
from .scpi_parameters import Number
from .status_488 import OPERATION_COMPLETE, EventRegister, Status488

REGISTERS = {8: "questionable", 128: "operation"}
_SETTLING = 1 << 1
_OPERATION = {"channel": 1 << 5, "arm": 1 << 6, "scan": 1 << 6, "idle": 1 << 10}
_LAYERS = {"arm": 1 << 1, "scan": 1 << 2}
_SEQUENCE = 1 << 1
_LAYER_NODES = {
    "arm": ":STATus:OPERation:ARM",
    "layers": ":STATus:OPERation:ARM:SEQuence[1]",
    "trigger": ":STATus:OPERation:TRIGger",
}


class OperationStatus:
    """The operation register and those below it.

    Args:
        status: the status structure.
        reply: sends a reply.

    Attributes:
        groups: the registers below: arm, layers, trigger.
    """

    def __init__(self, status: Status488, reply: Callable[[bytes], None]) -> None:
        self._status = status
        self._reply = reply
        self.groups = {name: EventRegister() for name in _LAYER_NODES}
        self._state = "idle"
        self._is_settling = False
        self._waits_to_report = False
        self._waits_to_answer = False

    def enter(self, state: str) -> None:
        """The trigger model waits in this layer, is idle, or is scanning; what waited for idle is reported then."""
        self._state = state
        layer = _LAYERS.get(state, 0)
        self.groups["layers"].set_condition(layer)
        self.groups["arm"].set_condition(_SEQUENCE if layer else 0)
        self.groups["trigger"].set_condition(_SEQUENCE if state == "channel" else 0)
        self._tell()
        if state == "idle":
            self._complete()

    def settle(self, is_settling: bool) -> None:
        """Relays begin to move, or have settled."""
        self._is_settling = is_settling
        self._tell()

    def _tell(self) -> None:
        settling = _SETTLING if self._is_settling else 0
        self._status.groups["operation"].set_condition(_OPERATION.get(self._state, 0) | settling)

    def report_completion(self) -> None:
        """*OPC: the operation-complete event comes when the trigger model is idle."""
        self._waits_to_report = True
        if self._state == "idle":
            self._complete()

    def answer_completion(self) -> str | None:
        """*OPC?: the answer comes when the trigger model is idle."""
        if self._state == "idle":
            return "1"
        self._waits_to_answer = True
        return None

    def _complete(self) -> None:
        if self._waits_to_report:
            self._status.event_status |= OPERATION_COMPLETE
        if self._waits_to_answer:
            self._reply(b"1\n")
        self._waits_to_report = self._waits_to_answer = False

    def forget(self) -> None:
        """A device clear: nobody waits any more."""
        self._waits_to_report = self._waits_to_answer = False


def _group_commands(node: str, of: Callable[[Any], EventRegister]) -> tuple[Command, ...]:
    mask = Number(minimum=0, maximum=0xFFFF, is_integer=True)

    def of_mask(name: str, attribute: str) -> Command:
        return Command(
            f"{node}:{name}",
            write=lambda i, value: setattr(of(i), attribute, int(value)),
            query=lambda i: str(getattr(of(i), attribute)),
            takes=(mask,),
        )

    return (
        Command(f"{node}[:EVENt]", query=lambda i: str(of(i).take_event())),
        Command(f"{node}:CONDition", query=lambda i: str(of(i).condition)),
        of_mask("ENABle", "enable"),
        of_mask("PTRansition", "positive"),
        of_mask("NTRansition", "negative"),
    )


def _main(name: str) -> Callable[[Any], EventRegister]:
    return lambda i: cast(EventRegister, i.status.groups[name])


def _below(name: str) -> Callable[[Any], EventRegister]:
    return lambda i: cast(EventRegister, i.operation.groups[name])


STATUS_COMMANDS: tuple[Command, ...] = (
    *_group_commands(":STATus:OPERation", _main("operation")),
    *_group_commands(":STATus:QUEStionable", _main("questionable")),
    *(command for name, node in _LAYER_NODES.items() for command in _group_commands(node, _below(name))),
    Command("*OPC", write=lambda i: i.operation.report_completion(), query=lambda i: i.operation.answer_completion()),
)
"""STATus, and the commands that wait for the trigger model."""
