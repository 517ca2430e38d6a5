"""The status model that TSP instruments share: register sets that feed one another (manuals, "Status model")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .status_488 import EventRegister, Status488
from .tsp_attributes import Attributes
from .tsp_engine import TspEngine, number_argument

SUMMARIES = {1: "measurement", 2: "system", 8: "questionable", 128: "operation"}
"""Bit of the status byte -> register set behind it."""
INST, USER, REMOTE = 8192, 4096, 2048
_ALL = 0x7FFF
_BYTE = {
    "MEASUREMENT_SUMMARY_BIT": 1, "MSB": 1, "SYSTEM_SUMMARY_BIT": 2, "SSB": 2, "ERROR_AVAILABLE": 4, "EAV": 4,
    "QUESTIONABLE_SUMMARY_BIT": 8, "QSB": 8, "MESSAGE_AVAILABLE": 16, "MAV": 16, "EVENT_SUMMARY_BIT": 32, "ESB": 32,
    "MASTER_SUMMARY_STATUS": 64, "MSS": 64, "OPERATION_SUMMARY_BIT": 128, "OSB": 128,
}  # fmt: skip
_STANDARD = {
    "OPERATION_COMPLETE": 1, "OPC": 1, "QUERY_ERROR": 4, "QYE": 4, "DEVICE_DEPENDENT_ERROR": 8, "DDE": 8,
    "EXECUTION_ERROR": 16, "EXE": 16, "COMMAND_ERROR": 32, "CME": 32, "USER_REQUEST": 64, "URQ": 64, "POWER_ON": 128,
    "PON": 128,
}  # fmt: skip
_SYSTEM_REGISTERS, _NODES_EACH = 5, 14
Condition = Callable[[], int]


class TspRegister(EventRegister):
    """One register set with transition filters; its summary is a bit of `parent`."""

    def __init__(self, parent: TspRegister | None = None, bit: int = 0) -> None:
        super().__init__()
        self.positive = _ALL
        self.negative = 0
        self._parent = parent
        self._bit = bit

    def set_condition(self, condition: int) -> None:
        """New condition; transitions that the filters let through are latched as events."""
        rising, falling = condition & ~self.condition, self.condition & ~condition
        self.event |= (rising & self.positive) | (falling & self.negative)
        self.condition = condition
        self.summarise()

    def set_bit(self, bit: int, is_set: bool) -> None:
        """Change one bit of the condition."""
        self.set_condition(self.condition | bit if is_set else self.condition & ~bit)

    def take_event(self) -> int:
        """Read and clear the events."""
        event = super().take_event()
        self.summarise()
        return event

    def summarise(self) -> None:
        """Tell the parent."""
        if self._parent is not None:
            self._parent.set_bit(self._bit, self.is_summary_set)

    def reset(self) -> None:
        """As status.reset() leaves it."""
        self.enable, self.event, self.positive, self.negative = 0, 0, _ALL, 0
        self.summarise()


class TspStatus:
    """The register sets of one instrument.

    Args:
        status: its status byte and queues.

    Attributes:
        measurement, operation, questionable, system: the sets behind the status byte.
    """

    def __init__(self, status: Status488) -> None:
        self._status = status
        self.measurement, self.operation = TspRegister(), TspRegister()
        self.questionable, self.system = TspRegister(), TspRegister()
        for name in SUMMARIES.values():
            status.groups[name] = getattr(self, name)
        self._node = TspRegister()
        self._lower: list[TspRegister] = []

    def lower(self, parent: TspRegister, bit: int) -> TspRegister:
        """A new register set whose summary is a bit of `parent`."""
        made = TspRegister(parent, bit)
        self._lower.append(made)
        return made

    def reset(self) -> None:
        """status.reset()."""
        for register in reversed(self._lower):
            register.reset()
        for register in (self.measurement, self.operation, self.questionable, self.system, self._node):
            register.reset()
        self._status.service_enable = self._status.event_enable = 0

    def parts(self, engine: TspEngine) -> dict[str, Any]:
        """The register sets that hang from the `status` object."""
        return {
            "operation": self.operation_tree(engine),
            "questionable": self.object(engine, self.questionable, {}),
            "standard": self._standard(engine),
            **self._system_tree(engine),
        }

    def made(self, engine: TspEngine) -> Any:
        """The `status` object."""
        status = self._status
        a = Attributes()
        a.add("condition", lambda: status.byte_with_summary(has_message=False))
        a.add("request_enable", lambda: status.service_enable, lambda v: setattr(status, "service_enable", as_mask(v)))
        a.add("request_event", lambda: status.byte(has_message=False) & status.service_enable)
        node = self._node
        a.add("node_enable", lambda: node.enable, lambda v: setattr(node, "enable", as_mask(v)))
        a.add("node_event", lambda: status.byte(has_message=False) & node.enable)
        return a.made(engine, {**_BYTE, **self.parts(engine)}, {"reset": self.reset})

    def object(
        self,
        engine: TspEngine,
        register: TspRegister,
        values: Mapping[str, Any],
        condition: Condition | None = None,
        *,
        is_settable: bool = False,
    ) -> Any:
        """One register set as scripts see it; `condition` finds its condition out where it is not kept."""
        a = Attributes()

        def refreshed() -> int:
            if condition is not None:
                register.set_condition(condition())
            return register.condition

        def take_event() -> int:
            refreshed()
            return register.take_event()

        def put(field: str) -> Callable[[Any], None]:
            def set_mask(value: Any) -> None:
                setattr(register, field, as_mask(value))
                register.summarise()

            return set_mask

        def set_condition(value: Any) -> None:
            register.set_condition(as_mask(value))

        a.add("condition", refreshed, set_condition if is_settable else None)
        a.add("event", take_event)
        for name, field in (("enable", "enable"), ("ptr", "positive"), ("ntr", "negative")):
            a.add(name, partial(getattr, register, field), put(field))
        return a.made(engine, values)

    def operation_tree(
        self, engine: TspEngine, values: Mapping[str, Any] | None = None, condition: Condition | None = None
    ) -> Any:
        """status.operation: remote and user registers, and what a model adds."""
        remote, user = self.lower(self.operation, REMOTE), self.lower(self.operation, USER)
        remote_bits = {"COMMAND_AVAILABLE": 1, "CAV": 1, "PROMPTS_ENABLED": 2048, "PRMPT": 2048}
        names = {"REMOTE_SUMMARY": REMOTE, "REM": REMOTE, "USER": USER, "PROGRAM_RUNNING": 16384, "PROG": 16384}
        parts = {
            "remote": self.object(engine, remote, remote_bits),
            "user": self.object(engine, user, {f"BIT{k}": 1 << k for k in range(15)}, is_settable=True),
        }
        return self.object(engine, self.operation, {**names, **parts, **(values or {})}, condition)

    def _standard(self, engine: TspEngine) -> Any:
        status = self._status
        a = Attributes()
        a.add("condition", lambda: status.event_status)
        a.add("event", status.take_event_status)
        a.add("enable", lambda: status.event_enable, lambda v: setattr(status, "event_enable", as_mask(v) & 0xFF))
        kept = TspRegister()
        for name, field in (("ptr", "positive"), ("ntr", "negative")):
            a.add(name, partial(getattr, kept, field), partial(_put_mask, kept, field))
        return a.made(engine, _STANDARD)

    def _system_tree(self, engine: TspEngine) -> dict[str, Any]:
        """status.system, system2, ...: one bit for each node of the TSP-Link; none of them asks for service here."""
        made: dict[str, Any] = {}
        register = self.system
        for k in range(1, _SYSTEM_REGISTERS + 1):
            first = (k - 1) * _NODES_EACH + 1
            nodes = range(first, min(first + _NODES_EACH, 65))
            bits = {f"NODE{node}": 1 << (node - first + 1) for node in nodes}
            extension = {} if k == _SYSTEM_REGISTERS else {"EXTENSION_BIT": 1, "EXT": 1}
            made["system" if k == 1 else f"system{k}"] = self.object(engine, register, {**extension, **bits})
            register = self.lower(register, 1)
        return made


def _put_mask(register: TspRegister, field: str, value: object) -> None:
    setattr(register, field, as_mask(value))


def as_mask(value: object) -> int:
    """A register's value; raises TspError for anything else."""
    return int(number_argument(value, 0, 0xFFFF))
