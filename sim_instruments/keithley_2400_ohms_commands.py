"""SENSe:RESistance commands of a 2400 (user's manual, section 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keithley_2400_ohms import OHMS_RANGES, select, smallest_ohms_range
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, SteppedNumber, Switch
from .scpi_settings import setting, show_number

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

CYCLES = Number("", 0.01, 10, 1)
"""Integration time, which all functions share."""
_NODE = "[:SENSe[1]]:RESistance"
_SHOWN = tuple(entry.full_scale * 1.05 for entry in OHMS_RANGES)
_DEFAULT = 4
_RANGE = SteppedNumber(_SHOWN, lambda i: _SHOWN[i.settings.ohms.range], "OHM", 0, _SHOWN[-1], _SHOWN[_DEFAULT])
_LOWEST = Number("OHM", -_SHOWN[-1], _SHOWN[-1], _SHOWN[0])
_HIGHEST = Number("OHM", -_SHOWN[-1], _SHOWN[-1], _SHOWN[-1])


def acquire_zero(i: SimKeithley2400) -> None:
    """The integration time has changed."""
    i.acquire_zero()


def _changed(i: SimKeithley2400) -> None:
    i.ohms_changed()


def _write_range(i: SimKeithley2400, ohms: float) -> None:
    """In manual ohms there are no ranges; what is set then holds for auto ohms (assumed: taken, not refused)."""
    i.settings.ohms.is_auto_range = False
    select(i.settings, smallest_ohms_range(ohms))
    i.ohms_changed()


def _write_lowest(i: SimKeithley2400, ohms: float) -> None:
    wanted = smallest_ohms_range(ohms)
    if wanted > i.settings.ohms.highest_range:
        raise ScpiError(-221)
    i.settings.ohms.lowest_range = wanted


def _write_highest(i: SimKeithley2400, ohms: float) -> None:
    wanted = smallest_ohms_range(ohms)
    if wanted < i.settings.ohms.lowest_range:
        raise ScpiError(-221)
    i.settings.ohms.highest_range = wanted


OHMS_COMMANDS: tuple[Command, ...] = (
    setting(f"{_NODE}:NPLCycles", "settings.cycles", CYCLES, after=acquire_zero),
    setting(f"{_NODE}:MODE", "settings.ohms.mode", Choice("MANual", "AUTO"), after=_changed),
    setting(f"{_NODE}:OCOMpensated", "settings.ohms.is_compensated", Switch()),
    Command(
        f"{_NODE}:RANGe[:UPPer]",
        write=_write_range,
        query=lambda i, extreme: show_number(_SHOWN[i.settings.ohms.range] if extreme is None else extreme),
        takes=(_RANGE,),
        asks=(Extreme(_RANGE),),
    ),
    setting(f"{_NODE}:RANGe:AUTO", "settings.ohms.is_auto_range", Switch()),
    Command(
        f"{_NODE}:RANGe:AUTO:LLIMit",
        write=_write_lowest,
        query=lambda i, extreme: show_number(_SHOWN[i.settings.ohms.lowest_range] if extreme is None else extreme),
        takes=(_LOWEST,),
        asks=(Extreme(_LOWEST),),
    ),
    Command(
        f"{_NODE}:RANGe:AUTO:ULIMit",
        write=_write_highest,
        query=lambda i, extreme: show_number(_SHOWN[i.settings.ohms.highest_range] if extreme is None else extreme),
        takes=(_HIGHEST,),
        asks=(Extreme(_HIGHEST),),
    ),
)
"""How resistance is measured."""
