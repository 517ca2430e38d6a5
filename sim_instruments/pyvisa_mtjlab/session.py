"""One VISA session on a simulated instrument or GPIB board: its attributes, its timeout, how its interface behaves."""

from __future__ import annotations

from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import InterfaceType, IOProtocol, ResourceAttribute, StatusCode

from mtjlab.sim_instruments.connection import Connection
from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.timing import GPIB, LAN, SERIAL, USB, BusTiming
from mtjlab.sim_instruments.wire_instrument import WireInstrument

from .attributes import fixed_attributes, settable_attributes
from .events import SessionEvents

_BUS: dict[InterfaceType, BusTiming] = {
    InterfaceType.gpib: GPIB,
    InterfaceType.usb: USB,
    InterfaceType.tcpip: LAN,
    InterfaceType.asrl: SERIAL,
}
_PROTOCOLS: dict[InterfaceType, set[int]] = {
    InterfaceType.gpib: {IOProtocol.normal, IOProtocol.hs488},
    InterfaceType.usb: {IOProtocol.normal, IOProtocol.usbtmc_vendor},
    InterfaceType.tcpip: {IOProtocol.normal},
    InterfaceType.asrl: {IOProtocol.normal, IOProtocol.protocol4882_strs},
}


class Session:
    """An open session. The instrument is looked up anew each time: a reset bench has new ones.

    Attributes:
        events: which events the session wants and which have come.
        is_socket: whether it is a bare TCP socket.
        is_stream: whether its interface is a stream of bytes that knows no END, serial poll, trigger or device clear.
        sends_end: whether the last byte of a write carries END.
        termination: the byte at which a read stops, if any.
    """

    __slots__ = (
        "_attributes",
        "_connection",
        "_connections_lost",
        "_read_only",
        "address",
        "bench",
        "bus",
        "events",
        "has_end",
        "interface",
        "is_interface",
        "is_socket",
        "is_stream",
        "manager",
        "sends_end",
        "termination",
        "timeout_seconds",
    )

    def __init__(self, bench: SimBench, parsed: rname.ResourceName, manager_session: int) -> None:
        self.interface = parsed.interface_type_const
        self.bench = bench
        self.address = str(parsed)
        self.manager = manager_session
        self.bus = _BUS[self.interface]
        self.is_socket = parsed.resource_class == "SOCKET"
        self.is_stream = self.is_socket or self.interface is InterfaceType.asrl
        self.has_end = not self.is_stream
        self.is_interface = parsed.resource_class == "INTFC"
        self._connection: Connection | None = None
        self._connections_lost = 0 if self.is_interface else self.device.connections_lost
        self.timeout_seconds: float | None = 2.0
        self._attributes = settable_attributes(parsed)
        identity = "" if self.is_interface else str(getattr(self.device, "identity", ""))
        self._read_only = fixed_attributes(parsed, identity)
        self._read_only[ResourceAttribute.resource_manager_session] = manager_session
        self._note_ends()
        self.events: SessionEvents | None = None

    @property
    def device(self) -> WireInstrument:
        """The instrument at the session's address, whose queues sessions share."""
        return self.bench.by_address[self.address]

    @property
    def instrument(self) -> WireInstrument | Connection:
        """The instrument as this session has it: a stream has queues of its own."""
        device = self.bench.by_address[self.address]
        if not self.is_stream:
            return device
        if self._connection is None or self._connection.instrument is not device:
            self._connection = Connection(device)
            self._connection.ends_at_pause = self._ends_at_pause
        return self._connection

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke after the session was opened."""
        return self.bench.by_address[self.address].connections_lost > self._connections_lost

    @property
    def _ends_at_pause(self) -> bool:
        """Whether a pause between packets ends a read: on a socket that does not suppress ends."""
        return self.is_socket and not self._attributes[ResourceAttribute.suppress_end_enabled]

    @property
    def speaks_4882(self) -> bool:
        """Whether a stream carries polls, triggers and clears as common commands."""
        return bool(self._attributes[ResourceAttribute.io_prot] == IOProtocol.protocol4882_strs)

    def _read_termination(self) -> bytes | None:
        """The byte at which a read stops, if any."""
        attributes = self._attributes
        if attributes[ResourceAttribute.termchar_enabled] or (
            attributes.get(ResourceAttribute.asrl_end_in) == constants.SerialTermination.termination_char
        ):
            return bytes((attributes[ResourceAttribute.termchar],))
        return None

    def _note_ends(self) -> None:
        self.termination = self._read_termination()
        self.sends_end = self.has_end and bool(self._attributes[ResourceAttribute.send_end_enabled])

    def get(self, attribute: int) -> tuple[Any, StatusCode]:
        """State of an attribute and the status of asking for it."""
        if attribute == ResourceAttribute.resource_lock_state:
            return self.bench.locks.state(self.address), StatusCode.success
        if attribute == ResourceAttribute.asrl_avalaible_number and self.interface is InterfaceType.asrl:
            return self._waiting_bytes(), StatusCode.success
        for attributes in (self._attributes, self._read_only):
            if attribute in attributes:
                return attributes[ResourceAttribute(attribute)], StatusCode.success
        return 0, StatusCode.error_nonsupported_attribute

    def _waiting_bytes(self) -> int:
        """Who asks for it again and again waits for something."""
        instrument = self.instrument
        assert isinstance(instrument, Connection)
        with self.bench.lock:
            self.device.let_poller_wait()
            return instrument.waiting_bytes

    def set(self, attribute: int, state: Any) -> StatusCode:
        """Set an attribute; returns the status."""
        if attribute in self._read_only or attribute == ResourceAttribute.resource_lock_state:
            return StatusCode.error_attribute_read_only
        if attribute not in self._attributes:
            return StatusCode.error_nonsupported_attribute
        if not self._takes(attribute, state):
            return StatusCode.error_nonsupported_attribute_state
        self._attributes[ResourceAttribute(attribute)] = state
        self._apply(attribute, state)
        return StatusCode.success

    def _takes(self, attribute: int, state: Any) -> bool:
        if attribute == ResourceAttribute.io_prot:
            allowed = _PROTOCOLS[self.interface]
            return state in allowed or (self.is_stream and state == IOProtocol.protocol4882_strs)
        if attribute == ResourceAttribute.termchar:
            return 0 <= int(state) <= 255
        if attribute == ResourceAttribute.asrl_baud_rate:
            return int(state) > 0
        if attribute == ResourceAttribute.asrl_data_bits:
            return 5 <= int(state) <= 8
        return True

    def _apply(self, attribute: int, state: Any) -> None:
        if attribute == ResourceAttribute.timeout_value:
            self.timeout_seconds = None if state == constants.VI_TMO_INFINITE else float(state) / 1000
        elif attribute == ResourceAttribute.asrl_baud_rate:
            self.bus = BusTiming(0.0, 10 / float(state), 0.0)  # one start, eight data and one stop bit
        elif attribute == ResourceAttribute.suppress_end_enabled and self._connection is not None:
            self._connection.ends_at_pause = self._ends_at_pause
        self._note_ends()

    def set_remote_enabled(self, is_asserted: bool) -> None:
        """What the REN line now is."""
        state = constants.LineState.asserted if is_asserted else constants.LineState.unasserted
        self._attributes[ResourceAttribute.gpib_ren_state] = state
