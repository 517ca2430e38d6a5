"""SYSTem, DIAGnostic and symbol commands of the B2200 and E5250A (B2200 User's Guide, chapter 5)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .keysight_b2200_lists import CardNumber, CardNumbers, SlotNumber
from .keysight_b2200_setup import MEMORIES, Memory
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS
from .scpi_parameters import Choice, Number, Switch, Text
from .scpi_settings import setting, show_text
from .scpi_switch import SIGNED_ERROR_COMMANDS

if TYPE_CHECKING:
    from .keysight_b2200 import SimKeysightE5250A

_INPUT_PORTS = -1
"""Stands for the card in the keys of input port symbols."""


def _card_model(i: SimKeysightE5250A, slot: int) -> str:
    return next(iter(i.cards.values()), "0") if slot == 0 else i.cards.get(slot, "0")


def _card_identity(i: SimKeysightE5250A, slot: int) -> str:
    maker = i.identity_text.split(",")[0]
    model = _card_model(i, slot)
    return f"{maker},{model},0,{'0' if model == '0' else 'A.01.00'}"


def _card_description(i: SimKeysightE5250A, slot: int) -> str:
    if _card_model(i, slot) == "0":
        return show_text("No card")
    outputs = 12 * (len(i.cards) if slot == 0 else 1)
    return show_text(f"{_card_model(i, slot)} {i.inputs} Input x {outputs} Output Matrix Switch")


def _test_frame(i: SimKeysightE5250A, what: str) -> str:
    """All parts are in order."""
    i.panel.tested[what] = 0
    return "0"


def _test_card(i: SimKeysightE5250A, what: str) -> str:
    """0 if all relays move, 1 if one does not."""
    slots = list(i.cards) if what == "ALL" else [int(what)]
    failed = int(not i.test_relays(slots))
    for slot in slots:
        i.panel.tested[str(slot)] = int(any(relay[0] == slot for relay in i.stuck_relays))
    i.panel.tested[what] = failed
    return str(failed)


def _tested(i: SimKeysightE5250A, what: str) -> str:
    return str(i.panel.tested.get(what, -1))


class _TestedCard(SlotNumber):
    """1 to 4 or ALL; parses to a key of test results."""

    def parse(self, token: str, instrument: Any) -> Any:
        """The key."""
        if token.upper() == "ALL":
            return "ALL"
        slot = super().parse(token, instrument)
        if slot not in instrument.cards:
            raise ScpiError(-222, "Data out of range")
        return str(slot)


_ITEM = Choice("CONTroller", "FPANel", "LED", "PEN", "BEEPer")


def _diagnostics(node: str, parameter: Any, test: Any) -> tuple[Command, ...]:
    return (
        Command(f"{node}[:EXECute]", query=test, asks=(parameter,)),
        Command(f"{node}:STATus", query=_tested, asks=(parameter,)),
        Command(f"{node}:CLEar", write=lambda i, what: i.panel.tested.pop(what, None), takes=(parameter,)),
    )


PANEL_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *ERROR_COMMANDS,
    *SIGNED_ERROR_COMMANDS,
    Command(":SYSTem:VERSion", query=lambda i: "1995.0"),
    Command(":SYSTem:CTYPe", query=_card_identity, asks=(SlotNumber(),)),
    Command(":SYSTem:CDEScription", query=_card_description, asks=(SlotNumber(),)),
    Command(":SYSTem:CCONfig", query=_card_description, asks=(SlotNumber(),)),
    Command(":SYSTem:CPON", write=lambda i, cards: i.power_on(cards), takes=(CardNumbers(),)),
    *_diagnostics(":DIAGnostic:TEST:CARD", _TestedCard(), _test_card),
    *_diagnostics(":DIAGnostic:TEST:FRAMe", _ITEM, _test_frame),
)
"""What both mainframes have besides ROUTe."""


def _set_symbol(i: SimKeysightE5250A, cards: list[int], output: float, text: str) -> None:
    for card in cards:
        if output > i.routes[card].outputs:
            raise ScpiError(-222, "Data out of range")
        i.panel.symbols[(card, int(output))] = text


def _symbol(i: SimKeysightE5250A, card: int, output: float) -> str:
    return show_text(i.panel.symbols.get((card, int(output)), f"{int(output):02d}"))


def _set_port_symbol(i: SimKeysightE5250A, port: float, text: str) -> None:
    i.panel.symbols[(_INPUT_PORTS, int(port))] = text


def _save(i: SimKeysightE5250A, number: float) -> None:
    comment = i.memories[int(number)].comment if int(number) in i.memories else ""
    i.memories[int(number)] = Memory(i.function, copy.deepcopy(i.routes), comment)


def _load(i: SimKeysightE5250A, number: float) -> None:
    memory = i.memories.get(int(number))
    if memory is None or memory.routes is None:
        raise ScpiError(-220, "Parameter error")
    i.disconnect_cards(i.routes)
    i.function, i.routes = memory.function, copy.deepcopy(memory.routes)
    i.apply()


def _comment(i: SimKeysightE5250A, number: float, text: str) -> None:
    i.memories.setdefault(int(number), Memory()).comment = text


def _show_comment(i: SimKeysightE5250A, number: float) -> str:
    return show_text(i.memories.get(int(number), Memory()).comment)


_MEMORY = Number("", 1, MEMORIES, 1, is_integer=True)
_OUTPUT = Number("", 1, 48, 1, is_integer=True)
_INPUT = Number("", 1, lambda i: float(i.inputs), 1, is_integer=True)

B2200_PANEL_COMMANDS: tuple[Command, ...] = (
    Command(
        "[:ROUTe]:SYMBol:CHANnel",
        write=_set_symbol,
        query=_symbol,
        takes=(CardNumbers(), _OUTPUT, Text()),
        asks=(CardNumber(), _OUTPUT),
    ),
    Command(
        "[:ROUTe]:SYMBol:PORT",
        write=_set_port_symbol,
        query=lambda i, port: _symbol(i, _INPUT_PORTS, port),
        takes=(_INPUT, Text()),
        asks=(_INPUT,),
    ),
    Command(":SYSTem:MEMOry:SAVE", write=_save, takes=(_MEMORY,)),
    Command(":SYSTem:MEMOry:LOAD", write=_load, takes=(_MEMORY,)),
    Command(":SYSTem:MEMOry:DELete", write=lambda i, n: i.memories.pop(int(n), None), takes=(_MEMORY,)),
    Command(":SYSTem:MEMOry:COMMent", write=_comment, query=_show_comment, takes=(_MEMORY, Text()), asks=(_MEMORY,)),
    setting(":SYSTem:BEEPer", "panel.is_beeper_on", Switch()),
    setting(":SYSTem:DISPlay:LCD", "panel.is_lcd_on", Switch()),
    setting(":SYSTem:DISPlay:LED", "panel.is_led_on", Switch()),
    setting(":SYSTem:DISPlay:STRing", "panel.text", Text()),
    setting(":SYSTem:KLCk|KLOCk", "panel.is_locked", Switch()),
    setting(":SYSTem:PEN", "panel.is_pen_on", Switch()),
)
"""What only a B2200 has."""
