"""A GPIB board as an INTFC session has it: command bytes, its lines, and who is addressed (IEEE 488.1)."""

from __future__ import annotations

from typing import Any

from pyvisa import rname
from pyvisa.constants import AddressState, ATNLineOperation, LineState, ResourceAttribute

from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.timing import GPIB
from mtjlab.sim_instruments.wire_instrument import NoReply, WireInstrument

_CLEAR_SELECTED, _TRIGGER, _CLEAR_ALL, _UNLISTEN, _UNTALK = 0x04, 0x08, 0x14, 0x3F, 0x5F
_LISTEN, _TALK, _SECONDARY = 0x20, 0x40, 0x60


def instruments_on(bench: SimBench, board: str) -> dict[tuple[int, int | None], WireInstrument]:
    """The instruments on a board by primary and secondary address."""
    found = {}
    for address, instrument in bench.by_address.items():
        parsed = rname.parse_resource_name(address)
        if isinstance(parsed, rname.GPIBInstr) and parsed.board == board:
            second = None if parsed.secondary_address is None else int(parsed.secondary_address)
            found[int(parsed.primary_address), second] = instrument
    return found


class GpibBoard:
    """The state of one board's lines and of who is addressed on its bus.

    Args:
        bench: what is on the bus.
        board: number of the board, as in its resource name.

    Attributes:
        bench: as given.
    """

    def __init__(self, bench: SimBench, board: str) -> None:
        self.bench = bench
        self._board = board
        self._listeners: list[tuple[int, int | None]] = []
        self._talker: int | None = None
        self._is_attentive = False
        self._is_in_charge = True

    @property
    def instruments(self) -> list[WireInstrument]:
        """All instruments on the bus."""
        return list(instruments_on(self.bench, self._board).values())

    def command(self, data: bytes) -> None:
        """Send command bytes with ATN asserted."""
        self._is_attentive = True
        self.bench.host.spend(GPIB.message_seconds + len(data) * GPIB.byte_seconds)
        for sign in data:
            self._obey(sign & 0x7F)

    def _obey(self, sign: int) -> None:
        if sign == _UNLISTEN:
            self._listeners.clear()
        elif sign == _UNTALK:
            self._talker = None
        elif sign >= _SECONDARY:
            if self._listeners:
                self._listeners[-1] = (self._listeners[-1][0], sign - _SECONDARY)
        elif sign >= _TALK:
            self._talker = sign - _TALK
        elif sign >= _LISTEN:
            self._listeners.append((sign - _LISTEN, None))
        elif sign == _CLEAR_ALL:
            self._clear(self.instruments)
        elif sign == _CLEAR_SELECTED:
            self._clear(self.listening)
        elif sign == _TRIGGER:
            for instrument in self.listening:
                instrument.group_trigger(0.0)

    @property
    def listening(self) -> list[WireInstrument]:
        """The instruments that are addressed to listen."""
        there = instruments_on(self.bench, self._board)
        return [there[address] for address in self._listeners if address in there]

    @staticmethod
    def _clear(instruments: list[WireInstrument]) -> None:
        for instrument in instruments:
            instrument.device_clear(0.0)

    def write(self, data: bytes, *, is_end: bool) -> None:
        """Send data to whoever listens; raises NoReply if nobody does."""
        if not self.listening:
            raise NoReply
        self._is_attentive = False
        for instrument in self.listening:
            instrument.receive(data, is_end=is_end, bus_seconds=len(data) * GPIB.byte_seconds)

    def interface_clear(self) -> None:
        """Pulse IFC: nobody is addressed, a hung bus works again, and this board is the controller in charge."""
        self._listeners.clear()
        self._talker = None
        self._is_in_charge = True
        self.bench.interface_clear(f"GPIB{self._board}::INTFC")

    def control_attention(self, mode: ATNLineOperation) -> None:
        """Assert or release ATN."""
        self._is_attentive = mode in (ATNLineOperation.asrt, ATNLineOperation.asrt_immediate)

    def pass_control(self) -> None:
        """Another device is the controller in charge, until IFC."""
        self._is_in_charge = False

    def get(self, attribute: int) -> Any:
        """State of a line or of the board; None if the attribute is none of these."""
        match attribute:
            case ResourceAttribute.gpib_cic_state:
                return self._is_in_charge
            case ResourceAttribute.gpib_atn_state:
                return _line(self._is_attentive)
            case ResourceAttribute.gpib_ndac_state:
                return _line(bool(self.listening))
            case ResourceAttribute.gpib_srq_state:
                return _line(any(instrument.requests_service for instrument in self.instruments))
            case ResourceAttribute.gpib_address_state:
                is_talker = self._talker == 0
                return AddressState.talker if is_talker else AddressState.unaddressed
        return None


def _line(is_asserted: bool) -> LineState:
    return LineState.asserted if is_asserted else LineState.unasserted
