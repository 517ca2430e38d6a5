"""One VISA session on a simulated instrument: its attributes, its timeout and how its interface behaves."""

from __future__ import annotations

from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import InterfaceType, ResourceAttribute, StatusCode

from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.timing import GPIB, LAN, SERIAL, USB, BusTiming
from mtjlab.sim_instruments.wire_instrument import WireInstrument

_BUS: dict[InterfaceType, BusTiming] = {
    InterfaceType.gpib: GPIB,
    InterfaceType.usb: USB,
    InterfaceType.tcpip: LAN,
    InterfaceType.asrl: SERIAL,
}
_COMMON: dict[ResourceAttribute, Any] = {
    ResourceAttribute.timeout_value: 2000,
    ResourceAttribute.termchar: 10,
    ResourceAttribute.termchar_enabled: False,
    ResourceAttribute.send_end_enabled: True,
    ResourceAttribute.suppress_end_enabled: False,
    ResourceAttribute.io_prot: constants.IOProtocol.normal,
    ResourceAttribute.dma_allow_enabled: False,
    ResourceAttribute.file_append_enabled: False,
    ResourceAttribute.read_buffer_operation_mode: constants.VI_FLUSH_DISABLE,
    ResourceAttribute.write_buffer_operation_mode: constants.VI_FLUSH_WHEN_FULL,
    ResourceAttribute.read_buffer_size: 4096,
    ResourceAttribute.write_buffer_size: 4096,
    ResourceAttribute.max_queue_length: 50,
    ResourceAttribute.user_data: 0,
    ResourceAttribute.trigger_id: constants.VI_TRIG_SW,
}
_OF_INTERFACE: dict[InterfaceType, dict[ResourceAttribute, Any]] = {
    InterfaceType.gpib: {
        ResourceAttribute.gpib_readdress_enabled: True,
        ResourceAttribute.gpib_unadress_enable: False,
        ResourceAttribute.gpib_ren_state: constants.LineState.asserted,
    },
    InterfaceType.usb: {},
    InterfaceType.tcpip: {
        ResourceAttribute.tcpip_keepalive: False,
        ResourceAttribute.tcpip_nodelay: True,
    },
    InterfaceType.asrl: {
        ResourceAttribute.asrl_baud_rate: 9600,
        ResourceAttribute.asrl_data_bits: 8,
        ResourceAttribute.asrl_parity: constants.Parity.none,
        ResourceAttribute.asrl_stop_bits: constants.StopBits.one,
        ResourceAttribute.asrl_flow_control: constants.VI_ASRL_FLOW_NONE,
        ResourceAttribute.asrl_end_in: constants.SerialTermination.termination_char,
        ResourceAttribute.asrl_end_out: constants.SerialTermination.none,
        ResourceAttribute.asrl_discard_null: False,
        ResourceAttribute.asrl_replace_char: 0,
        ResourceAttribute.asrl_break_state: constants.LineState.unasserted,
        ResourceAttribute.asrl_break_length: 250,
        ResourceAttribute.asrl_allow_transmit: True,
        ResourceAttribute.asrl_xon_char: 17,
        ResourceAttribute.asrl_xoff_char: 19,
        ResourceAttribute.asrl_avalaible_number: 0,
    },
}
_FROM_NAME: dict[str, ResourceAttribute] = {
    "primary_address": ResourceAttribute.gpib_primary_address,
    "host_address": ResourceAttribute.tcpip_address,
    "lan_device_name": ResourceAttribute.tcpip_device_name,
    "port": ResourceAttribute.tcpip_port,
    "manufacturer_id": ResourceAttribute.manufacturer_id,
    "model_code": ResourceAttribute.model_code,
    "serial_number": ResourceAttribute.usb_serial_number,
    "usb_interface_number": ResourceAttribute.usb_interface_number,
}
_TEXT_PARTS = {"host_address", "lan_device_name", "serial_number"}


class Session:
    """An open session. The instrument is looked up anew each time: a reset bench has new ones."""

    __slots__ = (
        "_attributes",
        "_connections_lost",
        "_read_only",
        "address",
        "bench",
        "bus",
        "enabled_mechanisms",
        "has_end",
        "is_interface",
        "termination",
        "timeout_seconds",
        "was_requesting",
    )

    def __init__(self, bench: SimBench, parsed: rname.ResourceName, manager_session: int) -> None:
        interface = parsed.interface_type_const
        self.bench = bench
        self.address = str(parsed)
        self.bus = _BUS[interface]
        self.has_end = interface is not InterfaceType.asrl and parsed.resource_class != "SOCKET"
        self.is_interface = parsed.resource_class == "INTFC"
        self._connections_lost = 0 if self.is_interface else self.instrument.connections_lost
        self.timeout_seconds: float | None = 2.0
        self.enabled_mechanisms = 0
        self.was_requesting = False
        self._attributes = {**_COMMON, **_OF_INTERFACE[interface]}
        self._read_only = _fixed_attributes(parsed, manager_session)
        self.termination = self._read_termination()

    @property
    def instrument(self) -> WireInstrument:
        """The instrument behind the session."""
        return self.bench.by_address[self.address]

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke after the session was opened."""
        return self.instrument.connections_lost > self._connections_lost

    def _read_termination(self) -> bytes | None:
        """The byte at which a read stops, if any."""
        attributes = self._attributes
        if attributes[ResourceAttribute.termchar_enabled] or (
            attributes.get(ResourceAttribute.asrl_end_in) == constants.SerialTermination.termination_char
        ):
            return bytes((attributes[ResourceAttribute.termchar],))
        return None

    @property
    def sends_end(self) -> bool:
        """Whether the last byte of a write carries END."""
        return self.has_end and bool(self._attributes[ResourceAttribute.send_end_enabled])

    def get(self, attribute: int) -> tuple[Any, StatusCode]:
        """State of an attribute and the status of asking for it."""
        for attributes in (self._attributes, self._read_only):
            if attribute in attributes:
                return attributes[ResourceAttribute(attribute)], StatusCode.success
        return 0, StatusCode.error_nonsupported_attribute

    def set(self, attribute: int, state: Any) -> StatusCode:
        """Set an attribute; returns the status."""
        if attribute in self._read_only:
            return StatusCode.error_attribute_read_only
        if attribute not in self._attributes:
            return StatusCode.error_nonsupported_attribute
        self._attributes[ResourceAttribute(attribute)] = state
        if attribute == ResourceAttribute.timeout_value:
            self.timeout_seconds = None if state == constants.VI_TMO_INFINITE else float(state) / 1000
        self.termination = self._read_termination()
        return StatusCode.success

    def set_remote_enabled(self, is_asserted: bool) -> None:
        """What the REN line now is."""
        state = constants.LineState.asserted if is_asserted else constants.LineState.unasserted
        self._attributes[ResourceAttribute.gpib_ren_state] = state


def _fixed_attributes(parsed: rname.ResourceName, manager_session: int) -> dict[ResourceAttribute, Any]:
    board = getattr(parsed, "board", "0")
    fixed: dict[ResourceAttribute, Any] = {
        ResourceAttribute.interface_type: parsed.interface_type_const,
        ResourceAttribute.interface_number: int(board) if str(board).isdigit() else 0,
        ResourceAttribute.resource_class: parsed.resource_class,
        ResourceAttribute.resource_name: str(parsed),
        ResourceAttribute.resource_manufacturer_name: "mtjlab",
        ResourceAttribute.resource_manufacturer_id: 0xFFFF,
        ResourceAttribute.resource_spec_version: 0x00700200,
        ResourceAttribute.resource_impl_version: 0x00010000,
        ResourceAttribute.resource_lock_state: constants.AccessModes.no_lock,
        ResourceAttribute.resource_manager_session: manager_session,
    }
    for part, attribute in _FROM_NAME.items():
        if hasattr(parsed, part):
            text = str(getattr(parsed, part))
            fixed[attribute] = text if part in _TEXT_PARTS else int(text, 0)
    if parsed.interface_type_const is InterfaceType.gpib:
        second = str(getattr(parsed, "secondary_address", ""))
        fixed[ResourceAttribute.gpib_secondary_address] = int(second) if second.isdigit() else constants.VI_NO_SEC_ADDR
    return fixed
