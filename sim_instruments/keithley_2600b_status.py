"""The status model of a 2600B (reference manual, "Status model"): register sets that feed one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2600b_output import Sample
from .status_488 import EventRegister, Status488
from .tsp_attributes import Attributes
from .tsp_engine import TspEngine, number_argument

if TYPE_CHECKING:
    from .keithley_2600b_channel import SmuChannel

SUMMARIES = {1: "measurement", 2: "system", 8: "questionable", 128: "operation"}
"""Bit of the status byte -> register set behind it."""
VLMT, ILMT, ROF, BAV, INST, SWE = 1, 2, 128, 256, 8192, 8
_ALL = 0x7FFF
_CHANNEL_BITS = {"SMUA": 2, "SMUB": 4}
_MEASUREMENT = {
    "VOLTAGE_LIMIT": VLMT, "VLMT": VLMT, "CURRENT_LIMIT": ILMT, "ILMT": ILMT, "READING_OVERFLOW": ROF, "ROF": ROF,
    "BUFFER_AVAILABLE": BAV, "BAV": BAV,
}  # fmt: skip
_TOP_MEASUREMENT = {
    **_MEASUREMENT, "OUTPUT_ENABLE": 2048, "OE": 2048, "INTERLOCK": 2048, "INT": 2048, "INSTRUMENT_SUMMARY": INST,
    "INST": INST,
}  # fmt: skip
_OPERATION = {
    "CALIBRATING": 1, "CAL": 1, "SWEEPING": SWE, "SWE": SWE, "MEASURING": 16, "MEAS": 16, "TRIGGER_OVERRUN": 1024,
    "TRGOVR": 1024, "REMOTE_SUMMARY": 2048, "REM": 2048, "USER": 4096, "INSTRUMENT_SUMMARY": INST, "INST": INST,
}  # fmt: skip
_QUESTIONABLE = {
    "CALIBRATION": 256, "CAL": 256, "UNSTABLE_OUTPUT": 512, "UO": 512, "OVER_TEMPERATURE": 4096, "OTEMP": 4096,
    "INSTRUMENT_SUMMARY": INST, "INST": INST,
}  # fmt: skip
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


class StatusModel:
    """The register sets of one 2600B and what sets their bits.

    Args:
        status: the instrument's status byte and queues.
        sweeping: the condition of `status.operation.sweeping` when asked.
    """

    def __init__(self, status: Status488, sweeping: Callable[[], int]) -> None:
        self._status = status
        self._sweeping = sweeping
        self.measurement, self.operation = TspRegister(), TspRegister()
        self.questionable, self.system = TspRegister(), TspRegister()
        for name in SUMMARIES.values():
            status.groups[name] = getattr(self, name)
        self._summaries = {bit: TspRegister(self.measurement, bit) for bit in (VLMT, ILMT, ROF, BAV)}
        self._instrument = TspRegister(self.measurement, INST)
        self._channels = {name: TspRegister(self._instrument, bit) for name, bit in _CHANNEL_BITS.items()}
        self._sweep = TspRegister(self.operation, SWE)
        self._others: list[TspRegister] = []

    def note_limits(self, channel: SmuChannel, is_limiting: bool) -> None:
        """A measurement or a query of the compliance has found whether the channel limits."""
        is_volts_source = channel.settings.is_volts_source
        self._note(channel, VLMT, is_limiting and not is_volts_source)
        self._note(channel, ILMT, is_limiting and is_volts_source)

    def note_sample(self, channel: SmuChannel, sample: Sample, has_overflow: bool) -> None:
        """A measurement has been made."""
        self.note_limits(channel, sample.is_limiting and channel.settings.is_on)
        self._note(channel, ROF, has_overflow)
        self._note(channel, BAV, any(buffer.stored for buffer in channel.buffers))

    def _note(self, channel: SmuChannel, bit: int, is_set: bool) -> None:
        name = channel.name.upper()
        register = self._channels[name]
        if bool(register.condition & bit) != is_set:
            register.set_bit(bit, is_set)
            self._summaries[bit].set_bit(_CHANNEL_BITS[name], is_set)

    def reset(self) -> None:
        """status.reset()."""
        for register in (*self._channels.values(), *self._summaries.values(), *self._others, self._sweep):
            register.reset()
        for register in (self._instrument, self.measurement, self.operation, self.questionable, self.system):
            register.reset()

    def made(self, engine: TspEngine) -> Any:
        """The `status` object."""
        status = self._status
        a = Attributes()
        a.add("condition", lambda: status.byte_with_summary(has_message=False))
        a.add("request_enable", lambda: status.service_enable, lambda v: setattr(status, "service_enable", _mask(v)))
        a.add("request_event", lambda: status.byte(has_message=False) & status.service_enable)
        node = TspRegister()
        a.add("node_enable", lambda: node.enable, lambda v: setattr(node, "enable", _mask(v)))
        a.add("node_event", lambda: status.byte(has_message=False) & node.enable)
        parts = {
            "measurement": self._measurement_tree(engine),
            "operation": self._operation_tree(engine),
            "questionable": self._questionable_tree(engine),
            "standard": self._standard_tree(engine),
            "system": self._register(engine, self.system, {}),
        }
        return a.made(engine, {**_BYTE, **parts}, {"reset": self.reset})

    def _register(
        self,
        engine: TspEngine,
        register: TspRegister,
        values: dict[str, Any],
        condition: Callable[[], int] | None = None,
    ) -> Any:
        a = Attributes()

        def get(field: str) -> Callable[[], Any]:
            return lambda: getattr(register, field)

        def put(field: str) -> Callable[[Any], None]:
            def set_mask(value: Any) -> None:
                setattr(register, field, _mask(value))
                register.summarise()

            return set_mask

        a.add("condition", condition or (lambda: register.condition))
        a.add("event", register.take_event)
        for name, field in (("enable", "enable"), ("ptr", "positive"), ("ntr", "negative")):
            a.add(name, get(field), put(field))
        return a.made(engine, values)

    def _plain(self, engine: TspEngine, parent: TspRegister, bit: int, values: dict[str, int] = _CHANNEL_BITS) -> Any:
        """A register set that nothing here ever sets."""
        register = TspRegister(parent, bit)
        self._others.append(register)
        return self._register(engine, register, dict(values))

    def _measurement_tree(self, engine: TspEngine) -> Any:
        names = {"voltage_limit": VLMT, "current_limit": ILMT, "reading_overflow": ROF, "buffer_available": BAV}
        parts = {name: self._register(engine, self._summaries[bit], dict(_CHANNEL_BITS)) for name, bit in names.items()}
        channels = {name.lower(): self._register(engine, r, dict(_MEASUREMENT)) for name, r in self._channels.items()}
        parts["instrument"] = self._register(engine, self._instrument, {**_CHANNEL_BITS, **channels})
        return self._register(engine, self.measurement, {**_TOP_MEASUREMENT, **parts})

    def _operation_tree(self, engine: TspEngine) -> Any:
        def refreshed() -> int:
            self._sweep.set_condition(self._sweeping())
            return self._sweep.condition

        def operating() -> int:
            refreshed()
            return self.operation.condition

        parts = {
            "sweeping": self._register(engine, self._sweep, dict(_CHANNEL_BITS), refreshed),
            "calibrating": self._plain(engine, self.operation, 1),
            "measuring": self._plain(engine, self.operation, 16),
            "trigger_overrun": self._plain(engine, self.operation, 1024),
            "remote": self._plain(engine, self.operation, 2048, {"COMMAND_AVAILABLE": 1, "CAV": 1}),
            "user": self._plain(engine, self.operation, 4096, {f"BIT{k}": 1 << k for k in range(15)}),
            "instrument": self._plain(engine, self.operation, INST),
        }
        return self._register(engine, self.operation, {**_OPERATION, **parts}, operating)

    def _questionable_tree(self, engine: TspEngine) -> Any:
        names = {"calibration": 256, "unstable_output": 512, "over_temperature": 4096, "instrument": INST}
        parts = {name: self._plain(engine, self.questionable, bit) for name, bit in names.items()}
        return self._register(engine, self.questionable, {**_QUESTIONABLE, **parts})

    def _standard_tree(self, engine: TspEngine) -> Any:
        status = self._status
        a = Attributes()
        a.add("condition", lambda: status.event_status)
        a.add("event", status.take_event_status)
        a.add("enable", lambda: status.event_enable, lambda v: setattr(status, "event_enable", _mask(v) & 0xFF))
        return a.made(engine, _STANDARD)


def _mask(value: object) -> int:
    return int(number_argument(value, 0, 0xFFFF))
