"""DIGital:PATTern of the 81160A: bits that are played at the pulse frequency, as NRZ or as pulses.

After programs for the 81110A, the family's predecessor, from which the 81160A's pattern commands are assumed.
"""

from __future__ import annotations

from typing import Any

from .pulse_setting_commands import keep_each, stored
from .pulse_waveform import pseudo_random_bits
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Block, Choice, Number, Switch

_MOST_BITS = 65536
_HEADS = (":DIGital<c>[:STIMulus]:PATTern", ":DIGital[:STIMulus]:PATTern")


def _write(i: Any, c: int, block: bytes) -> None:
    bits = block.decode("latin-1")
    if not bits or set(bits) - set("01"):
        raise ScpiError(-161)
    _put(i, c, tuple(float(bit) for bit in bits))


def _read(i: Any, c: int) -> str:
    bits = "".join(str(int(bit)) for bit in i.channel(c).settings.pattern)
    length = str(len(bits))
    return f"#{len(length)}{length}{bits}"


def _put(i: Any, c: int, bits: tuple[float, ...]) -> None:
    if len(bits) > _MOST_BITS:
        raise ScpiError(-223)
    for number in (1, 2) if c == 3 else (c,):
        channel = i.channel(number)
        channel.settings.pattern = bits
        i.changed(channel)


def _preset(i: Any, c: int, divider: float, length: float) -> None:
    """PRESet: a square wave at the frequency divided by so much, high first."""
    n = int(divider)
    _put(i, c, tuple(float(k % n < (n + 1) // 2) for k in range(int(length))))


def _pseudo_random(i: Any, c: int, order: float, length: float) -> None:
    _put(i, c, tuple(pseudo_random_bits(int(order), int(length))))


def _integer(low: int, high: int) -> Number:
    return Number("", low, high, is_integer=True)


def _commands(head: str, last: str) -> tuple[Command, ...]:
    length = _integer(2, _MOST_BITS)
    return (
        stored(f"{head}{last or '[:STATe]'}", "is_pattern", Switch()),
        Command(f"{head}:DATA{last}", write=_write, query=_read, takes=(Block(),)),
        Command(f"{head}:PRESet{last}", write=_preset, takes=(_integer(2, 16384), length)),
        Command(f"{head}:PRBS{last}", write=_pseudo_random, takes=(_integer(5, 15), length)),
        Command(f"{head}:LENGth{last}", query=lambda i, c: str(len(i.channel(c).settings.pattern))),
        keep_each(f"{head}:UPDate{last}", "pattern update", Choice("ON", "OFF", "ONCE"), "ON"),
    )


PATTERN_COMMANDS: tuple[Command, ...] = (
    *_commands(_HEADS[0], ""),
    *_commands(_HEADS[1], "<c>"),
    stored(":DIGital<c>[:STIMulus]:SIGNal:FORMat", "pattern_format", Choice("RZ", "NRZ")),
    stored(":DIGital[:STIMulus]:SIGNal:FORMat<c>", "pattern_format", Choice("RZ", "NRZ")),
    stored(":DIGital[:STIMulus]:SIGNal<c>:FORMat", "pattern_format", Choice("RZ", "NRZ")),
)
"""Patterns."""
