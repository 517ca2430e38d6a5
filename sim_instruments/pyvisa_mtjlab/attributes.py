"""VISA attributes of a session: what may be set, with its defaults, and what only tells what the resource is.

Defaults as NI-VISA's help gives them (from memory, to be checked).
"""

from __future__ import annotations

from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import InterfaceType, IOProtocol, LineState, ResourceAttribute

Attributes = dict[ResourceAttribute, Any]

_COMMON: Attributes = {
    ResourceAttribute.timeout_value: 2000,
    ResourceAttribute.max_queue_length: 50,
    ResourceAttribute.user_data: 0,
    ResourceAttribute.termchar: 10,
    ResourceAttribute.termchar_enabled: False,
    ResourceAttribute.send_end_enabled: True,
    ResourceAttribute.suppress_end_enabled: False,
    ResourceAttribute.io_prot: IOProtocol.normal,
    ResourceAttribute.dma_allow_enabled: False,
    ResourceAttribute.file_append_enabled: False,
    ResourceAttribute.read_buffer_operation_mode: constants.VI_FLUSH_DISABLE,
    ResourceAttribute.write_buffer_operation_mode: constants.VI_FLUSH_WHEN_FULL,
    ResourceAttribute.read_buffer_size: 4096,
    ResourceAttribute.write_buffer_size: 4096,
    ResourceAttribute.trigger_id: constants.VI_TRIG_SW,
}
_SERIAL: Attributes = {
    ResourceAttribute.asrl_baud_rate: 9600,
    ResourceAttribute.asrl_data_bits: 8,
    ResourceAttribute.asrl_parity: constants.Parity.none,
    ResourceAttribute.asrl_stop_bits: constants.StopBits.one,
    ResourceAttribute.asrl_flow_control: constants.VI_ASRL_FLOW_NONE,
    ResourceAttribute.asrl_end_in: constants.SerialTermination.termination_char,
    ResourceAttribute.asrl_end_out: constants.SerialTermination.none,
    ResourceAttribute.asrl_discard_null: False,
    ResourceAttribute.asrl_replace_char: 0,
    ResourceAttribute.asrl_break_state: LineState.unasserted,
    ResourceAttribute.asrl_break_length: 250,
    ResourceAttribute.asrl_allow_transmit: True,
    ResourceAttribute.asrl_xon_char: 17,
    ResourceAttribute.asrl_xoff_char: 19,
    ResourceAttribute.asrl_dtr_state: LineState.asserted,
    ResourceAttribute.asrl_rts_state: LineState.asserted,
    ResourceAttribute.asrl_wire_mode: constants.VI_ASRL_WIRE_232_DTE,
}
_OF_KIND: dict[tuple[InterfaceType, str], Attributes] = {
    (InterfaceType.gpib, "INSTR"): {
        ResourceAttribute.gpib_readdress_enabled: True,
        ResourceAttribute.gpib_unadress_enable: False,
        ResourceAttribute.gpib_ren_state: LineState.asserted,
    },
    (InterfaceType.gpib, "INTFC"): {
        ResourceAttribute.gpib_ren_state: LineState.asserted,
        ResourceAttribute.device_status_byte: 0,
        ResourceAttribute.gpib_hs488_cable_length: constants.VI_GPIB_HS488_DISABLED,
        ResourceAttribute.gpib_system_controller: True,
    },
    (InterfaceType.usb, "INSTR"): {ResourceAttribute.usb_max_interrupt_size: 64},
    (InterfaceType.tcpip, "SOCKET"): {
        ResourceAttribute.tcpip_keepalive: False,
        ResourceAttribute.tcpip_nodelay: True,
        ResourceAttribute.suppress_end_enabled: True,  # a pause in a stream ends nothing
    },
    (InterfaceType.asrl, "INSTR"): _SERIAL,
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
_SERIAL_LINES: Attributes = {
    ResourceAttribute.asrl_connected: True,
    ResourceAttribute.asrl_cts_state: LineState.asserted,
    ResourceAttribute.asrl_dsr_state: LineState.asserted,
    ResourceAttribute.asrl_dcd_state: LineState.asserted,
    ResourceAttribute.asrl_ri_state: LineState.unasserted,
}
_TEXT_PARTS = {"host_address", "lan_device_name", "serial_number"}
_LACKING: dict[InterfaceType, set[ResourceAttribute]] = {
    InterfaceType.usb: {ResourceAttribute.trigger_id},
}


def settable_attributes(parsed: rname.ResourceName) -> Attributes:
    """The attributes of such a resource that hold what they are set to, as they are at first."""
    kind = parsed.interface_type_const, parsed.resource_class
    attributes = {**_COMMON, **_OF_KIND.get(kind, {})}
    for attribute in _LACKING.get(parsed.interface_type_const, set()):
        del attributes[attribute]
    return attributes


def fixed_attributes(parsed: rname.ResourceName, identity: str) -> Attributes:
    """The attributes that say what the resource is.

    Args:
        parsed: its address.
        identity: what it answers to *IDN?; empty if that is not known.
    """
    board = getattr(parsed, "board", "0")
    number = int(board) if str(board).isdigit() else 0
    fixed: Attributes = {
        ResourceAttribute.interface_type: parsed.interface_type_const,
        ResourceAttribute.interface_number: number,
        ResourceAttribute.interface_instrument_name: f"{parsed.interface_type}{number} (simulated by mtjlab)",
        ResourceAttribute.resource_class: parsed.resource_class,
        ResourceAttribute.resource_name: str(parsed),
        **library_attributes(),
    }
    for part, attribute in _FROM_NAME.items():
        if hasattr(parsed, part):
            text = str(getattr(parsed, part))
            fixed[attribute] = text if part in _TEXT_PARTS else int(text, 0)
    if parsed.interface_type_const is InterfaceType.gpib:
        second = str(getattr(parsed, "secondary_address", ""))
        fixed[ResourceAttribute.gpib_secondary_address] = int(second) if second.isdigit() else constants.VI_NO_SEC_ADDR
        fixed.setdefault(ResourceAttribute.gpib_primary_address, 0)
    if parsed.interface_type_const is InterfaceType.usb:
        fixed.update(_usb_attributes(identity))
    if parsed.interface_type_const is InterfaceType.tcpip:
        fixed.update(_lan_attributes(parsed))
    if parsed.interface_type_const is InterfaceType.asrl:
        fixed.update(_SERIAL_LINES)
    return fixed


def library_attributes() -> Attributes:
    """What every session tells of the VISA implementation, that of the resource manager included."""
    return {
        ResourceAttribute.resource_manufacturer_name: "mtjlab",
        ResourceAttribute.resource_manufacturer_id: 0xFFFF,
        ResourceAttribute.resource_spec_version: 0x00700200,
        ResourceAttribute.resource_impl_version: 0x00010000,
    }


def _usb_attributes(identity: str) -> Attributes:
    maker, model = ([part.strip() for part in identity.split(",")] + ["", ""])[:2]
    return {
        ResourceAttribute.manufacturer_name: maker,
        ResourceAttribute.model_name: model,
        ResourceAttribute.usb_protocol: 1,  # USB488 subclass of USBTMC
        ResourceAttribute.is_4882_compliant: True,
    }


def _lan_attributes(parsed: rname.ResourceName) -> Attributes:
    attributes: Attributes = {ResourceAttribute.tcpip_hostname: ""}
    if parsed.resource_class == "INSTR":
        is_hislip = str(getattr(parsed, "lan_device_name", "")).lower().startswith("hislip")
        attributes[ResourceAttribute.tcpip_is_hislip] = is_hislip
        if is_hislip:
            attributes[ResourceAttribute.tcpip_hislip_version] = 0x00010000
            attributes[ResourceAttribute.tcpip_hislip_overlap_enable] = False
            attributes[ResourceAttribute.tcpip_hislip_max_message_kb] = 1024
    return attributes
