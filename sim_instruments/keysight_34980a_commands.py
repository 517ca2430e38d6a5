"""Commands of the 34980A that concern switching: ROUTe, SYSTem, DIAGnostic (34980A Programmer's Reference)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .keysight_34934a import Matrix34934A
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, register_commands
from .scpi_parameters import ChannelList, Choice, Number, Parameter, Switch, Text
from .scpi_settings import show_number, show_text
from .scpi_switch import SIGNED_ERROR_COMMANDS, flags

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A

_LONGEST_DELAY_SECONDS = 60.0
_LONGEST_LABEL = 18
_BUSES = (1, 2, 3, 4)


def _ignore(*_: Any) -> None:
    """Accepted; has no effect on what is connected."""


class _Channels(ChannelList):
    """`(@1101,1102:1105)`; parses to channel numbers, a range being every channel that exists in between."""

    def parse(self, token: str, instrument: Any) -> Any:
        """The channels in the order given; raises ScpiError -171, 111 or 112."""
        found: list[int] = []
        for first, last in super().parse(token, instrument):
            if len(first) > 1 or len(last) > 1:
                raise ScpiError(-171)
            ends = instrument.check(first[0]), instrument.check(last[0])
            between = [channel for channel in instrument.channels if ends[0] <= channel <= ends[1]]
            found += [first[0]] if ends[0] == ends[1] else between
        return found


class _NoOrSomeChannels(_Channels):
    is_optional = True


class _Slot(Number):
    """A slot number; parses to an integer."""

    def __init__(self) -> None:
        super().__init__("", 1, lambda i: float(i.slots), 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> Any:
        """The slot."""
        return int(super().parse(token, instrument))


class _Slots(_Slot):
    """A slot number or ALL, ALL if left out; parses to the slots that hold a module."""

    is_optional = True

    def __init__(self) -> None:
        super().__init__()
        self.is_optional = True

    def parse(self, token: str, instrument: Any) -> Any:
        """The slots; raises ScpiError 111 for an empty one."""
        if token.upper() == "ALL":
            return list(instrument.modules)
        slot = super().parse(token, instrument)
        instrument.module(slot)
        return [slot]


class _SlotOrDefault(_Slot):
    """A slot number or DEFault; parses to the slot, 0 for the default."""

    def parse(self, token: str, instrument: Any) -> Any:
        """The slot."""
        return 0 if token.upper() in ("DEF", "DEFAULT") else super().parse(token, instrument)


class _Buses(Parameter):
    """1 to 4 or ALL; parses to the analog buses."""

    def parse(self, token: str, instrument: Any) -> tuple[int, ...]:
        """The buses."""
        if token.upper() == "ALL":
            return _BUSES
        if not token.isdecimal() or int(token) not in _BUSES:
            raise ScpiError(-224)
        return (int(token),)


_CHANNELS = _Channels()


def _every_slot(i: SimKeysight34980A, slots: list[int] | None) -> Iterable[int]:
    return list(i.modules) if slots is None else slots


def _close_pairs(i: SimKeysight34980A, channels: list[int]) -> None:
    i.close_channels(each for channel in channels for each in i.paired(channel))


def _open_pairs(i: SimKeysight34980A, channels: list[int]) -> None:
    i.open_channels(each for channel in channels for each in i.paired(channel))


def _pairs_closed(i: SimKeysight34980A, channels: list[int]) -> str:
    return flags(all(map(i.is_closed, i.paired(channel))) for channel in channels)


def _pairs_open(i: SimKeysight34980A, channels: list[int]) -> str:
    return flags(not any(map(i.is_closed, i.paired(channel))) for channel in channels)


_ROUTES: tuple[Command, ...] = (
    Command(
        "[:ROUTe]:CLOSe",
        write=lambda i, channels: i.close_channels(channels),
        query=lambda i, channels: flags(map(i.is_closed, channels)),
        takes=(_CHANNELS,),
        asks=(_CHANNELS,),
    ),
    Command(
        "[:ROUTe]:CLOSe:EXCLusive",
        write=lambda i, channels: i.close_channels(channels, is_exclusive=True),
        takes=(_CHANNELS,),
    ),
    Command("[:ROUTe]:CLOSe:PAIR", write=_close_pairs, query=_pairs_closed, takes=(_CHANNELS,), asks=(_CHANNELS,)),
    Command(
        "[:ROUTe]:OPEN",
        write=lambda i, channels: i.open_channels(channels),
        query=lambda i, channels: flags(not i.is_closed(channel) for channel in channels),
        takes=(_CHANNELS,),
        asks=(_CHANNELS,),
    ),
    Command("[:ROUTe]:OPEN:PAIR", write=_open_pairs, query=_pairs_open, takes=(_CHANNELS,), asks=(_CHANNELS,)),
    Command("[:ROUTe]:OPEN:ALL", write=lambda i, slots: i.open_all(_every_slot(i, slots)), takes=(_Slots(),)),
    Command("[:ROUTe]:OPEN:ABUS", write=lambda i, buses: i.open_buses(buses), takes=(_Buses(),)),
    Command("[:ROUTe]:DONE", query=lambda i: "1"),
    Command("[:ROUTe]:MODule:BUSY", query=lambda i, slots: "0", asks=(_Slots(),)),
    Command("[:ROUTe]:MODule:WAIT", write=_ignore, takes=(_Slots(),)),
    Command("[:ROUTe]:OPERation:OVERlap[:ENABle]", write=_ignore, query=lambda i: "0", takes=(Switch(),)),
)


def _set_label(i: SimKeysight34980A, label: str, channels: list[int]) -> None:
    for channel in channels:
        i.labels[channel] = label[:_LONGEST_LABEL].upper()


def _clear_labels(i: SimKeysight34980A, slots: list[int] | None) -> None:
    for slot in _every_slot(i, slots):
        for channel in [channel for channel in i.labels if channel // 1000 == slot]:
            del i.labels[channel]


def _labels(i: SimKeysight34980A, kind: str, channels: list[int]) -> str:
    factory = [i.modules[channel // 1000].channels[channel % 1000].label for channel in channels]
    named = factory if kind == "FACT" else [i.labels.get(channel, "") for channel in channels]
    return ",".join(map(show_text, named))


def _set_delay(i: SimKeysight34980A, seconds: float, channels: list[int] | None) -> None:
    i.delays.update(dict.fromkeys(i.scan_list if channels is None else channels, seconds))


def _delays(i: SimKeysight34980A, channels: list[int] | None) -> str:
    asked = i.scan_list if channels is None else channels
    return ",".join(f"{i.delays.get(channel, 0.0):+.8E}" for channel in asked)


def _scan_list(i: SimKeysight34980A) -> str:
    text = f"(@{','.join(map(str, i.scan_list))})"
    return f"#{len(str(len(text)))}{len(text)}{text}"


def _set_scan_list(i: SimKeysight34980A, channels: list[int]) -> None:
    i.scan_list = channels


_CHANNEL_SETTINGS: tuple[Command, ...] = (
    Command("[:ROUTe]:CHANnel:LABel[:DEFine]", write=_set_label, query=_labels,
            takes=(Text(), _CHANNELS), asks=(Choice("USER", "FACTory"), _CHANNELS)),
    Command("[:ROUTe]:CHANnel:LABel:CLEar:MODule", write=_clear_labels, takes=(_Slots(),)),
    Command("[:ROUTe]:CHANnel:DELay", write=_set_delay, query=_delays,
            takes=(Number("S", 0, _LONGEST_DELAY_SECONDS, 0), _NoOrSomeChannels()), asks=(_NoOrSomeChannels(),)),
    Command("[:ROUTe]:SCAN", write=_set_scan_list, query=_scan_list, takes=(_CHANNELS,)),
    Command("[:ROUTe]:SCAN:SIZE", query=lambda i: f"{len(i.scan_list):+d}"),
)  # fmt: skip


def _type(i: SimKeysight34980A, slot: int) -> str:
    module = i.modules.get(slot)
    if module is None:
        return show_text("Agilent Technologies,0,0,0")
    return show_text(f"Agilent Technologies,{module.type_name},{i.module_serial(slot)},1.00")


def _description(i: SimKeysight34980A, slot: int) -> str:
    module = i.modules.get(slot)
    return show_text("No Card Installed" if module is None else module.description)


def _set_protection(i: SimKeysight34980A, slot: int, mode: str) -> None:
    if slot == 0:
        i.default_protection = mode
    elif isinstance(i.module(slot), Matrix34934A):
        i.set_protection(slot, mode)
    else:
        raise ScpiError(303, "Module not able to perform requested operation")


def _protection(i: SimKeysight34980A, slot: int) -> str:
    if slot == 0:
        return i.default_protection
    module = i.module(slot)
    if not isinstance(module, Matrix34934A):
        raise ScpiError(303, "Module not able to perform requested operation")
    return module.protection


def _cycles(i: SimKeysight34980A, channels: list[int]) -> str:
    return ",".join(f"{i.modules[channel // 1000].relays.counts[channel % 1000]:+d}" for channel in channels)


def _clear_cycles(i: SimKeysight34980A, channels: list[int]) -> None:
    for channel in channels:
        i.modules[channel // 1000].relays.counts[channel % 1000] = 0


def _set_text(i: SimKeysight34980A, text: str) -> None:
    i.text = text


_SYSTEM: tuple[Command, ...] = (
    Command(":SYSTem:CTYPe", query=_type, asks=(_Slot(),)),
    Command(":SYSTem:CDEScription[:LONG]", query=_description, asks=(_Slot(),)),
    Command(":SYSTem:CDEScription:SHORt", query=_description, asks=(_Slot(),)),
    Command(":SYSTem:CPON", write=lambda i, slots: i.power_on(_every_slot(i, slots)), takes=(_Slots(),)),
    Command(":SYSTem:MODule:TERMinal:TYPE", query=lambda i, slot: i.module(slot).terminal, asks=(_Slot(),)),
    Command(":SYSTem:MODule:ROW:PROTection", write=_set_protection, query=_protection,
            takes=(_SlotOrDefault(), Choice("FIXed", "ISOlated", "AUTO100", "AUTO0")),
            asks=(_SlotOrDefault(),)),
    Command(":SYSTem:MODule:TEMPerature[:TRANsducer[1]]", query=lambda i, slot: show_number(25.0), asks=(_Slot(),)),
    Command(":SYSTem:PRESet", write=lambda i: i.reset()),
    Command(":SYSTem:VERSion", query=lambda i: "1999.0"),
    Command(":SYSTem:LOCK:OWNer", query=lambda i: show_text("NONE")),
    Command(":SYSTem:LOCal", write=_ignore),
    Command(":SYSTem:REMote", write=_ignore),
    Command(":SYSTem:RWLock", write=_ignore),
    Command(":SYSTem:BEEPer[:IMMediate]", write=_ignore),
    Command(":SYSTem:BEEPer:STATe", write=_ignore, query=lambda i: "1", takes=(Switch(),)),
    Command(":DIAGnostic:RELay:CYCLes", query=_cycles, asks=(_CHANNELS,)),
    Command(":DIAGnostic:RELay:CYCLes:CLEar", write=_clear_cycles, takes=(_CHANNELS,)),
    Command(":DIAGnostic:DMM:CYCLes", query=lambda i, relay: "+0", asks=(Number("", 1, 3),)),
    Command(":INSTrument:DMM:INSTalled", query=lambda i: "0"),
    Command(":DISPlay:TEXT[:DATA]", write=_set_text, query=lambda i: show_text(i.text), takes=(Text(),)),
    Command(":DISPlay:TEXT:CLEar", write=lambda i: _set_text(i, "")),
    Command(":DISPlay[:STATe]", write=_ignore, query=lambda i: "1", takes=(Switch(),)),
    Command(":ABORt", write=_ignore),
    *register_commands(":STATus:OPERation", "operation"),
    *register_commands(":STATus:QUEStionable", "questionable"),
)  # fmt: skip

COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *ERROR_COMMANDS,
    *SIGNED_ERROR_COMMANDS,
    *_ROUTES,
    *_CHANNEL_SETTINGS,
    *_SYSTEM,
)
"""Everything."""
