"""IEEE 488.2 status reporting: error queue, standard event register, SCPI event registers, status byte, SRQ."""

from __future__ import annotations

from collections import deque

from .scpi_errors import ScpiError

OPERATION_COMPLETE, QUERY_ERROR, DEVICE_ERROR, EXECUTION_ERROR, COMMAND_ERROR, POWER_ON = 1, 4, 8, 16, 32, 128
MESSAGE_AVAILABLE, EVENT_SUMMARY, SERVICE_REQUEST = 16, 32, 64
ALL_BITS = 0x7FFF
"""Of a SCPI register, whose highest bit is not used."""


def event_bit(code: int) -> int:
    """Which bit of the standard event register an error sets (SCPI-99 volume 2, 21.8; Keithley's +800 as its -200)."""
    if code <= -400:
        return QUERY_ERROR
    if code <= -300:
        return DEVICE_ERROR
    if code <= -200 or 800 <= code < 900:
        return EXECUTION_ERROR
    if code <= -100:
        return COMMAND_ERROR
    return DEVICE_ERROR


class ErrorQueue:
    """Errors in the order they happened; when it is full the last one becomes -350 (SCPI-99 volume 2, 21.8.1)."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: deque[ScpiError] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, error: ScpiError) -> None:
        """Add an error."""
        if len(self._entries) < self._capacity:
            self._entries.append(error)
        else:
            self._entries[-1] = ScpiError(-350)

    def take(self) -> ScpiError:
        """Remove and return the oldest; code 0 if there is none."""
        return self._entries.popleft() if self._entries else ScpiError(0)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()


class EventRegister:
    """A SCPI register group: condition, latched events and the enable mask that feeds its summary bit.

    Attributes:
        positive, negative: transition filters: bits whose rise, or fall, is an event.
    """

    def __init__(self) -> None:
        self.condition = 0
        self.event = 0
        self.enable = 0
        self.positive, self.negative = ALL_BITS, 0

    def set_condition(self, condition: int) -> None:
        """New condition; bits that rise or fall are latched as events, as the transition filters say."""
        self.event |= condition & ~self.condition & self.positive | self.condition & ~condition & self.negative
        self.condition = condition

    def take_event(self) -> int:
        """Read and clear the events."""
        event, self.event = self.event, 0
        return event

    @property
    def is_summary_set(self) -> bool:
        """Whether an enabled event is latched."""
        return bool(self.event & self.enable)


class Status488:
    """The status structure of one instrument.

    Args:
        registers: summary bit of the status byte -> name of the register group behind it.
        error_bit: status byte bit that says the error queue holds something; 0 if there is none.
        queue_capacity: entries of the error queue.

    Attributes:
        clears_at_power_on: whether the enables are 0 after the power came back (*PSC).
    """

    def __init__(self, registers: dict[int, str], *, error_bit: int, queue_capacity: int) -> None:
        self.errors = ErrorQueue(queue_capacity)
        self.groups = {name: EventRegister() for name in registers.values()}
        self.event_status = POWER_ON
        self.event_enable = 0
        self._service_enable = 0
        self._summary_bits = dict(registers)
        self._error_bit = error_bit
        self._acknowledged = 0
        self.clears_at_power_on = True
        self._noted: deque[tuple[float, int]] = deque()
        self._is_watched = False

    @property
    def service_enable(self) -> int:
        """The service request enable register; bit 6 is always 0."""
        return self._service_enable

    @service_enable.setter
    def service_enable(self, mask: int) -> None:
        self._service_enable = mask & ~SERVICE_REQUEST & 0xFF

    def report(self, error: ScpiError) -> None:
        """Queue an error and set its bit in the standard event register."""
        self.errors.put(error)
        self.event_status |= event_bit(error.code)

    def power_on(self) -> None:
        """As just switched on: queues and registers empty, enables off, only the power-on event set."""
        self.clear()
        self.preset()
        self.event_status = POWER_ON
        self._acknowledged = 0
        if self.clears_at_power_on:
            self.event_enable = self._service_enable = 0

    def take_event_status(self) -> int:
        """Read and clear the standard event register."""
        status, self.event_status = self.event_status, 0
        self._acknowledged &= ~EVENT_SUMMARY
        return status

    def clear(self) -> None:
        """*CLS: event registers and error queue; enables stay."""
        self.errors.clear()
        self.event_status = 0
        for group in self.groups.values():
            group.event = 0
        self._acknowledged &= MESSAGE_AVAILABLE

    def preset(self) -> None:
        """STATus:PRESet: no group reports."""
        for group in self.groups.values():
            group.enable = 0
            group.positive, group.negative = ALL_BITS, 0

    def byte(self, *, has_message: bool) -> int:
        """The status byte without bit 6."""
        byte = MESSAGE_AVAILABLE if has_message else 0
        if self.event_status & self.event_enable:
            byte |= EVENT_SUMMARY
        if self.errors:
            byte |= self._error_bit
        for bit, name in self._summary_bits.items():
            if self.groups[name].is_summary_set:
                byte |= bit
        return byte

    def byte_with_summary(self, *, has_message: bool) -> int:
        """The status byte as *STB? answers: bit 6 is the master summary and stays."""
        byte = self.byte(has_message=has_message)
        return byte | (SERVICE_REQUEST if byte & self._service_enable else 0)

    def requests_service(self, *, has_message: bool) -> bool:
        """Whether SRQ is asserted: an enabled bit rose since the last serial poll."""
        asking = self.byte(has_message=has_message) & self._service_enable
        self._acknowledged &= asking
        return bool(asking & ~self._acknowledged)

    def serial_poll(self, *, has_message: bool) -> int:
        """The status byte with RQS in bit 6; the poll clears RQS (IEEE 488.2, 11.2.2)."""
        byte = self.byte(has_message=has_message)
        request = SERVICE_REQUEST if self.requests_service(has_message=has_message) else 0
        self._acknowledged = byte & self._service_enable
        return byte | request

    def note(self, start: float, now: float) -> None:
        """Remember the status byte: the host sees it until the instrument has done what it begins at `start`.

        Nothing is remembered before somebody has enabled a bit or polled: most programs never look.
        """
        if not self._is_watched:
            self._is_watched = bool(self.event_enable or self._service_enable)
            if not self._is_watched:
                return
        if start <= now:
            self._noted.clear()
        while len(self._noted) > 1 and self._noted[1][0] <= now:
            self._noted.popleft()
        byte = self.byte(has_message=True)
        self._acknowledged &= byte
        self._noted.append((start, byte & ~MESSAGE_AVAILABLE))

    def _byte_at(self, now: float) -> int:
        self._is_watched = True
        noted = self._noted
        while len(noted) > 1 and noted[1][0] <= now:
            noted.popleft()
        return noted[0][1] if noted else self.byte(has_message=False)

    def requested_at(self, now: float) -> bool:
        """Whether SRQ is asserted while the instrument is still at what it was told."""
        return bool(self._byte_at(now) & self._service_enable & ~self._acknowledged)

    def poll_at(self, now: float) -> int:
        """A serial poll while the instrument is still at what it was told."""
        byte = self._byte_at(now)
        asking = byte & self._service_enable & ~self._acknowledged
        self._acknowledged |= asking
        return byte | (SERVICE_REQUEST if asking else 0)

    def message_gone(self) -> None:
        """The output queue became empty; a later message is a new reason for service."""
        self._acknowledged &= ~MESSAGE_AVAILABLE
