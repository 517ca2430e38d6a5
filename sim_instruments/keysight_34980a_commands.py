"""Commands of the 34980A that concern switching: ROUTe, SYSTem, DIAGnostic (34980A Programmer's Reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keysight_34934a import Matrix34934A
from .keysight_34980a_channels import (
    ALL_BUSES,
    CHANNELS,
    Buses,
    LabelQuery,
    Slot,
    SlotOrDefault,
    Slots,
    every_slot,
    ignore,
)
from .keysight_34980a_dmm_commands import DMM_COMMANDS
from .keysight_34980a_modules import UNSUPPORTED
from .keysight_34980a_scan_commands import SCAN_COMMANDS
from .keysight_34980a_sequences import SEQUENCE_COMMANDS
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, POWER_ON_COMMANDS, register_commands
from .scpi_parameters import Choice, Number, Switch, Text
from .scpi_settings import setting, show_number, show_switch, show_text
from .scpi_switch import SIGNED_ERROR_COMMANDS, flags

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A

_LONGEST_LABEL = 18
_LONGEST_PAUSE_SECONDS = 3600.0


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
        takes=(CHANNELS,),
        asks=(CHANNELS,),
    ),
    Command(
        "[:ROUTe]:CLOSe:EXCLusive",
        write=lambda i, channels: i.close_channels(channels, is_exclusive=True),
        takes=(CHANNELS,),
    ),
    Command("[:ROUTe]:CLOSe:PAIR", write=_close_pairs, query=_pairs_closed, takes=(CHANNELS,), asks=(CHANNELS,)),
    Command(
        "[:ROUTe]:OPEN",
        write=lambda i, channels: i.open_channels(channels),
        query=lambda i, channels: flags(not i.is_closed(channel) for channel in channels),
        takes=(CHANNELS,),
        asks=(CHANNELS,),
    ),
    Command("[:ROUTe]:OPEN:PAIR", write=_open_pairs, query=_pairs_open, takes=(CHANNELS,), asks=(CHANNELS,)),
    Command("[:ROUTe]:OPEN:ALL", write=lambda i, slots: i.open_all(every_slot(i, slots)), takes=(Slots(),)),
    Command(
        "[:ROUTe]:OPEN:ABUS",
        write=lambda i, buses: i.open_buses(ALL_BUSES if buses is None else buses),
        takes=(Buses(),),
    ),
    Command("[:ROUTe]:DONE", query=lambda i: show_switch(not i.is_busy(i.modules))),
    Command(
        "[:ROUTe]:MODule:BUSY", query=lambda i, slots: show_switch(i.is_busy(every_slot(i, slots))), asks=(Slots(),)
    ),
    Command("[:ROUTe]:MODule:WAIT", write=lambda i, slots: i.settle(every_slot(i, slots)), takes=(Slots(),)),
    setting("[:ROUTe]:OPERation:OVERlap[:ENABle]", "settings.is_overlapped", Switch()),
    Command("*WAI", write=lambda i: i.settle(i.modules)),
    Command("*OPC", write=lambda i: i.report_completion(), query=lambda i: i.completed()),
)


def _set_label(i: SimKeysight34980A, label: str, channels: list[int]) -> None:
    for channel in channels:
        i.labels[channel] = label[:_LONGEST_LABEL].upper()


def _clear_labels(i: SimKeysight34980A, slots: list[int] | None) -> None:
    for slot in every_slot(i, slots):
        for channel in [channel for channel in i.labels if channel // 1000 == slot]:
            del i.labels[channel]


def _labels(i: SimKeysight34980A, asked: tuple[str, list[int]]) -> str:
    kind, channels = asked
    factory = [i.modules[channel // 1000].channels[channel % 1000].label for channel in channels]
    named = factory if kind == "FACT" else [i.labels.get(channel, "") for channel in channels]
    return ",".join(map(show_text, named))


def _refuse_verification(i: SimKeysight34980A, *_: object) -> str:
    """Only microwave modules sense what their switches have done; a stuck relay of the others does not show."""
    raise ScpiError(*UNSUPPORTED)


def _write_verification(i: SimKeysight34980A, *_: object) -> None:
    _refuse_verification(i)


_CHANNEL_SETTINGS: tuple[Command, ...] = (
    Command("[:ROUTe]:CHANnel:LABel[:DEFine]", write=_set_label, query=_labels,
            takes=(Text(), CHANNELS), asks=(LabelQuery(),)),
    Command("[:ROUTe]:CHANnel:LABel:CLEar:MODule", write=_clear_labels, takes=(Slots(),)),
    Command("[:ROUTe]:CHANnel:VERify[:ENABle]", write=_write_verification, query=_refuse_verification,
            takes=(Switch(), CHANNELS), asks=(CHANNELS,)),
    Command("[:ROUTe]:CHANnel:VERify:POSition:STATe", query=_refuse_verification, asks=(CHANNELS,)),
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
        raise ScpiError(*UNSUPPORTED)


def _protection(i: SimKeysight34980A, slot: int) -> str:
    if slot == 0:
        return i.default_protection
    module = i.module(slot)
    if not isinstance(module, Matrix34934A):
        raise ScpiError(*UNSUPPORTED)
    return module.protection


def _cycles(i: SimKeysight34980A, channels: list[int]) -> str:
    return ",".join(f"{i.modules[channel // 1000].relays.counts[channel % 1000]:+d}" for channel in channels)


def _clear_cycles(i: SimKeysight34980A, channels: list[int]) -> None:
    for channel in channels:
        i.modules[channel // 1000].relays.counts[channel % 1000] = 0


def _set_text(i: SimKeysight34980A, text: str) -> None:
    i.settings.text = text


def _pause(i: SimKeysight34980A, seconds: float) -> None:
    i.pass_time(seconds)


def _mark_setup(i: SimKeysight34980A, number: float) -> str:
    return show_switch(int(number) in i.setups)


def _name_setup(i: SimKeysight34980A, number: float, name: str) -> None:
    i.setups.names[int(number)] = name


def _forget_setup(i: SimKeysight34980A, number: float) -> None:
    i.setups.forget(int(number))


def _signed_registers(node: str, group: str) -> tuple[Command, ...]:
    """A register group as this maker tells it, with signs."""
    plain = register_commands(node, group)
    return tuple(
        Command(c.pattern, write=c.write, takes=c.takes, query=lambda i, tell=c.query: f"{int(tell(i)):+d}")
        for c in plain
    )


def _clock(node: str, at_first: str) -> tuple[Command, ...]:
    """Date or time, as it was set; the clock does not run."""

    def write(i: SimKeysight34980A, *parts: float) -> None:
        i.clock[node] = ",".join(f"{part:02g}" for part in parts)

    part = Number("", 0, 9999)
    command = f":SYSTem:{node}"
    return (Command(command, write=write, query=lambda i: i.clock.get(node, at_first), takes=(part, part, part)),)


_SETUP = Number("", 0, 5, 1, is_integer=True)
_SYSTEM: tuple[Command, ...] = (
    Command(":SYSTem:CTYPe", query=_type, asks=(Slot(),)),
    Command(":SYSTem:CDEScription[:LONG]", query=_description, asks=(Slot(),)),
    Command(":SYSTem:CDEScription:SHORt", query=_description, asks=(Slot(),)),
    Command(":SYSTem:CPON", write=lambda i, slots: i.power_on(every_slot(i, slots)), takes=(Slots(),)),
    Command(":SYSTem:MODule:TERMinal:TYPE", query=lambda i, slot: i.module(slot).terminal, asks=(Slot(),)),
    Command(":SYSTem:MODule:ROW:PROTection", write=_set_protection, query=_protection,
            takes=(SlotOrDefault(), Choice("FIXed", "ISOlated", "AUTO100", "AUTO0")),
            asks=(SlotOrDefault(),)),
    Command(":SYSTem:MODule:TEMPerature[:TRANsducer[1]]", query=lambda i, slot: show_number(25.0), asks=(Slot(),)),
    Command(":SYSTem:RMODule:STATus", query=_refuse_verification, asks=(Slot(),)),
    Command(":SYSTem:RMODule:RESet", write=_write_verification, takes=(Slot(),)),
    setting(":SYSTem:ABUS:INTerlock:SIMulate[:STATe]", "settings.is_interlock_simulated", Switch()),
    Command(":SYSTem:PRESet", write=lambda i: i.preset()),
    Command(":SYSTem:VERSion", query=lambda i: "1994.0"),
    Command(":SYSTem:DELay[:IMMediate]", write=_pause, takes=(Number("S", 0, _LONGEST_PAUSE_SECONDS, 0),)),
    *_clock("DATE", "2004,01,01"),
    *_clock("TIME", "00,00,00.000"),
    Command(":SYSTem:LOCK:OWNer", query=lambda i: show_text("NONE")),
    Command(":SYSTem:LOCK:REQuest", query=lambda i: "1"),
    Command(":SYSTem:LOCK:RELease", write=ignore),
    Command(":SYSTem:LOCal", write=ignore),
    Command(":SYSTem:REMote", write=ignore),
    Command(":SYSTem:RWLock", write=ignore),
    Command(":SYSTem:BEEPer[:IMMediate]", write=ignore),
    setting(":SYSTem:BEEPer:STATe", "settings.is_beeper_on", Switch()),
    Command(":MEMory:NSTates", query=lambda i: "+6"),
    Command(":MEMory:STATe:VALid", query=_mark_setup, asks=(_SETUP,)),
    Command(":MEMory:STATe:NAME", write=_name_setup, takes=(_SETUP, Text()),
            query=lambda i, n: show_text(i.setups.names.get(int(n), "")), asks=(_SETUP,)),
    Command(":MEMory:STATe:DELete", write=_forget_setup, takes=(_SETUP,)),
    Command(":DIAGnostic:RELay:CYCLes", query=_cycles, asks=(CHANNELS,)),
    Command(":DIAGnostic:RELay:CYCLes:CLEar", write=_clear_cycles, takes=(CHANNELS,)),
    Command(":DIAGnostic:DMM:CYCLes", query=lambda i, relay: "+0", asks=(Number("", 1, 3),)),
    Command(":DISPlay:TEXT[:DATA]", write=_set_text, query=lambda i: show_text(i.settings.text), takes=(Text(),)),
    Command(":DISPlay:TEXT:CLEar", write=lambda i: _set_text(i, "")),
    setting(":DISPlay[:STATe]", "settings.is_display_on", Switch()),
    *_signed_registers(":STATus:OPERation", "operation"),
    *_signed_registers(":STATus:QUEStionable", "questionable"),
)  # fmt: skip

COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *POWER_ON_COMMANDS,
    *ERROR_COMMANDS,
    *SIGNED_ERROR_COMMANDS,
    *_ROUTES,
    *_CHANNEL_SETTINGS,
    *SCAN_COMMANDS,
    *SEQUENCE_COMMANDS,
    *DMM_COMMANDS,
    *_SYSTEM,
)
"""Everything."""
