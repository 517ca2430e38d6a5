"""A device described in a pyvisa-sim YAML file, as an instrument of the simulated bench.

It keeps pyvisa-sim's grammar and state and gets the bus from here: END, device clear, timeouts in simulated time. Used
of pyvisa-sim 0.7.1: `parser.get_devices`, `Devices.list_resources` and `[]`, and of a device `write`,
`_query_eom`, `_output_buffers`, `_input_buffer`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyvisa import rname

from mtjlab.errors import InputError

from .wire_instrument import HostClock, WireInstrument
from .world import World

_MESSAGE_AVAILABLE = 16


class PyvisaSimInstrument(WireInstrument):
    """One device; it is not connected to the world, whose time it lives in.

    Args:
        device: a `pyvisa_sim.devices.Device`.
    """

    def __init__(self, name: str, world: World, host: HostClock, device: Any, *, has_end: bool) -> None:
        super().__init__(name, world, host, has_end=has_end)
        self._device = device

    def _carry_out(self, message: str) -> None:
        self._device.write(message.encode("latin-1") + self._device._query_eom)
        buffers = self._device._output_buffers
        while buffers:
            self._replies.append(bytes(buffers.popleft()))

    def _split(self, buffer: bytes, is_end: bool) -> tuple[list[bytes], bytes]:
        *complete, rest = buffer.split(self._device._query_eom or b"\n")
        if is_end and rest:
            complete.append(rest.rstrip(b"\r\n"))
            rest = b""
        return complete, rest

    def status_byte(self) -> int:
        """Only whether there is a message."""
        return _MESSAGE_AVAILABLE if self._has_message else 0

    def serial_poll(self) -> int:
        """Likewise: pyvisa-sim devices have no status byte."""
        return self.status_byte()

    @property
    def requests_service(self) -> bool:
        """Never."""
        return False

    def trigger(self) -> None:
        """Without effect."""

    def _nothing_to_say(self) -> None:
        """Such a device keeps silent."""

    def _reply_taken(self) -> None:
        """Nothing depends on it."""

    def _cleared(self) -> None:
        self._device._input_buffer.clear()


def load_devices(path: Path, world: World, host: HostClock) -> dict[str, WireInstrument]:
    """The devices of a pyvisa-sim file by canonical address; raises InputError if it cannot be read."""
    from pyvisa_sim.parser import get_devices

    try:
        devices = get_devices(str(path), False)
    except Exception as error:  # pyvisa-sim raises bare Exception
        raise InputError(f"pyvisa-sim cannot read it: {error}", where=str(path), remedy="Mend the file") from error
    found: dict[str, WireInstrument] = {}
    for address in devices.list_resources():
        parsed = rname.parse_resource_name(address)
        has_end = parsed.interface_type != "ASRL" and parsed.resource_class != "SOCKET"
        canonical = str(parsed)
        found[canonical] = PyvisaSimInstrument(canonical, world, host, devices[address], has_end=has_end)
    return found
