"""Status registers of a B2900A with their transition filters (SCPI Command Reference, tables 4-4 to 4-6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .keysight_b2900_channel import Channel
from .status_488 import OPERATION_COMPLETE, EventRegister, Status488

_LIMIT_FAILED, _READING, _OVERFLOW, _TRACED, _TRACE_FULL = 0, 1, 2, 3, 4
_MEASUREMENT_BITS, _OPERATION_BITS = 6, 6
_IDLE_BITS = {"TRAN": 1, "ACQ": 4}
_WAITING = {"TRIG": 1, "ARM": 2}
_PROGRAM_RUNNING = 14
_OUTPUT_PROTECTED, _TEMPERATURE = 2, 4
_LOST = {(1, "TRAN"): 11, (1, "ACQ"): 12, (2, "TRAN"): 13, (2, "ACQ"): 14}
ALL_BITS = 0x7FFF
States = Mapping[tuple[int, str], str]
"""(channel, TRAN or ACQ) -> ARM or TRIG while it waits for a trigger, RUN else; idle ones are missing."""


class FilteredRegister(EventRegister):
    """A register group whose events are rises and falls that the transition filters let through."""

    def __init__(self) -> None:
        super().__init__()
        self.positive, self.negative = ALL_BITS, 0

    def set_condition(self, condition: int) -> None:
        """New condition; what changes is latched as the filters say."""
        self.event |= condition & ~self.condition & self.positive
        self.event |= ~condition & self.condition & self.negative
        self.condition = condition


class StatusRegisters:
    """The condition registers, worked out from what the channels do.

    Args:
        status: the status structure; its groups become filtered ones.
        channels: the instrument's.
    """

    def __init__(self, status: Status488, channels: Sequence[Channel]) -> None:
        self._status = status
        self._channels = channels
        self.groups = {name: FilteredRegister() for name in status.groups}
        status.groups.update(self.groups)
        self._lost = 0

    def preset(self) -> None:
        """STATus:PRESet: no group reports, rises are events."""
        self._status.preset()
        for group in self.groups.values():
            group.positive, group.negative = ALL_BITS, 0

    def complete(self) -> None:
        """All pending operations have been carried out."""
        self._status.event_status |= OPERATION_COMPLETE

    def note_lost(self, channel: int, kind: str) -> None:
        """A trigger was lost; the condition lasts until the next initiation."""
        self._lost |= 1 << _LOST[channel, kind]

    def refresh(self, states: States, *, is_program_running: bool) -> None:
        """Bring all of them up to date."""
        operation = self.operation_during(states) | (int(is_program_running) << _PROGRAM_RUNNING)
        self.groups["operation"].set_condition(operation)
        self.groups["measurement"].set_condition(
            sum(_measurement(channel) << ((channel.number - 1) * _MEASUREMENT_BITS) for channel in self._channels)
        )
        self.groups["questionable"].set_condition(self._questionable())
        self._lost = 0 if not states else self._lost

    def _questionable(self) -> int:
        condition = self._lost
        for channel in self._channels:
            if channel.was_protected:
                condition |= 1 << (_OUTPUT_PROTECTED + channel.number - 1)
            if channel.is_high_temperature:
                condition |= 1 << _TEMPERATURE
        return condition

    def operation_during(self, states: States) -> int:
        """The operation condition while the actions are in these states."""
        condition = 0
        for channel in self._channels:
            for kind, idle in _IDLE_BITS.items():
                state = states.get((channel.number, kind))
                bit = idle if state is None else idle + _WAITING.get(state, 0)
                if state != "RUN":
                    condition |= 1 << (bit + (channel.number - 1) * _OPERATION_BITS)
        return condition


def _measurement(channel: Channel) -> int:
    flags = (
        (channel.calculation.results.has_failed, _LIMIT_FAILED),
        (bool(channel.readings), _READING),
        (any(reading.is_overflow for reading in channel.readings[-1:]), _OVERFLOW),
        (bool(channel.trace.stored), _TRACED),
        (channel.trace.is_full, _TRACE_FULL),
    )
    return sum(1 << bit for is_set, bit in flags if is_set)
