"""SYSTem, DISPlay, HCOPy, LXI and calibration commands of the 33500 and 33600 series, from memory, to be checked."""

from __future__ import annotations

from typing import Any

from .pulse_parameters import show
from .pulse_setting_commands import accepted, keep
from .scpi import Command
from .scpi_parameters import Choice, Number, Switch, Text, Texts

_ADDRESS = '"192.168.0.33"'
_MAC = '"80:09:02:00:00:33"'
_PIXEL = bytes(4)


def _bitmap() -> bytes:
    """A screen of one dark pixel: programs that save it get a file that opens."""
    header = b"BM" + (58).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    info = [(40, 4), (1, 4), (1, 4), (1, 2), (24, 2), (0, 4), (4, 4), (2835, 4), (2835, 4), (0, 4), (0, 4)]
    return header + b"".join(value.to_bytes(size, "little") for value, size in info) + _PIXEL


def _block(content: bytes) -> bytes:
    length = str(len(content))
    return f"#{len(length)}{length}".encode() + content


def _learn(i: Any) -> str:
    """*LRN?: commands that bring the main settings back."""
    commands = [":DISP 1"]
    for c, channel in enumerate(i.channels, 1):
        settings, told = channel.settings, channel.settings.displayed
        commands += [
            f":OUTP{c}:LOAD {show(settings.load)}",
            f":SOUR{c}:FUNC {settings.function}",
            f":SOUR{c}:FREQ {show(settings.hertz)}",
            f":SOUR{c}:VOLT:HIGH {show(settings.high * told)}",
            f":SOUR{c}:VOLT:LOW {show(settings.low * told)}",
            f":SOUR{c}:FUNC:PULS:WIDT {show(settings.width)}",
            f":SOUR{c}:BURS:STAT {int(settings.is_burst)}",
            f":TRIG{c}:SOUR {settings.trigger_source}",
            f":OUTP{c}:POL {settings.polarity}",
            f":OUTP{c} {int(settings.is_on)}",
        ]
    return ";".join(commands)


def _lan(name: str, reply: str) -> Command:
    parameter = Switch() if reply in "01" else Text()
    return keep(f":SYSTem:COMMunicate:LAN:{name}", f"lan {name}", parameter, reply)


def _told(pattern: str, reply: str) -> Command:
    return Command(pattern, query=lambda i, *_: reply)


MAINFRAME_COMMANDS: tuple[Command, ...] = (
    Command("*LRN", query=_learn, is_indefinite=True),
    Command(":SYSTem:SECurity:IMMediate", write=lambda i: i.erase()),
    Command(":SYSTem:LICense:CATalog", query=lambda i: '"MEM","IQP","SEC"'),
    keep(":SYSTem:DATE", "date", Text(), "+2024,+1,+1"),
    keep(":SYSTem:TIME", "time", Text(), "+0,+0,+0.000"),
    keep(":SYSTem:LOCK:OWNer", "lock owner", Text(), "NONE"),
    _told(":SYSTem:LOCK:REQuest", "+1"),
    Command(":SYSTem:LOCK:RELease", write=accepted),
    keep(":SYSTem:COMMunicate:ENABle", "interfaces", Texts(), "1"),
    *(_lan(name, reply) for name, reply in (("DHCP[:STATe]", "1"), ("HOSTname", '"K-33622A-00001"'))),
    _told(":SYSTem:COMMunicate:LAN:IPADdress", _ADDRESS),
    _told(":SYSTem:COMMunicate:LAN:MAC", _MAC),
    _told(":SYSTem:COMMunicate:LAN:SMASk", '"255.255.255.0"'),
    _told(":SYSTem:COMMunicate:LAN:GATeway", '"0.0.0.0"'),
    _told(":SYSTem:COMMunicate:LAN:CONTrol", "+5000"),
    Command(":SYSTem:COMMunicate:LAN:UPDate", write=accepted),
    keep(":SYSTem:COMMunicate:GPIB:ADDRess", "gpib", Number("", 0, 30, is_integer=True), "10"),
    keep(":DISPlay:FOCus", "focus", Choice("CH1", "CH2"), "CH1"),
    keep(":DISPlay:VIEW", "view", Choice("STANdard", "TEXT", "GRAPh", "DUAL"), "STAN"),
    keep(":DISPlay:UNIT:ARBRate", "arb unit", Choice("FREQuency", "SRATe", "PERiod"), "SRAT"),
    keep(":DISPlay:UNIT:PULSe", "pulse unit", Choice("WIDTh", "DUTY"), "WIDT"),
    keep(":DISPlay:UNIT:RATE", "rate unit", Choice("FREQuency", "PERiod"), "FREQ"),
    keep(":DISPlay:UNIT:SWEep", "sweep unit", Choice("STARtstop", "CENTerspan"), "STAR"),
    keep(":DISPlay:UNIT:VOLTage", "voltage unit", Choice("AMPLitudeoff", "HIGHlow"), "AMPL"),
    keep(":ROSCillator:SOURce:AUTO", "clock auto", Switch(), "1"),
    _told(":ROSCillator:SOURce:CURRent", "INT"),
    Command(":HCOPy:SDUMp:DATA", query=lambda i: _block(_bitmap())),
    keep(":HCOPy:SDUMp:DATA:FORMat", "screen format", Choice("PNG", "BMP"), "PNG"),
    keep(":LXI:IDENtify[:STATe]", "lxi identify", Switch(), "0"),
    keep(":LXI:MDNS:ENABle", "lxi mdns", Switch(), "1"),
    Command(":LXI:RESet", write=accepted),
    Command(":LXI:RESTart", write=accepted),
    _told(":CALibration:COUNt", "+1"),
    _told(":CALibration:STRing", '""'),
    keep(":CALibration:SECure:STATe", "calibration secured", Switch(), "1"),
    Command(":CALibration[:ALL]", query=lambda i: "+0"),
    keep(":OUTPut:COUPle[:STATe]", "outputs coupled", Switch(), "0"),
    keep(":INPut:ATTenuation[:STATe]", "attenuation", Switch(), "0"),
)
"""What has nothing to do with the waveforms."""
