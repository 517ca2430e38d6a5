"""FORMat, TRACe and CALCulate3 commands of a 2400 (user's manual, sections 9 and 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .keithley_2400_readings import sent
from .keithley_2400_settings import ELEMENTS, MOST_READINGS
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Choices, Extreme, Number, Parameter, parse_number
from .scpi_settings import setting
from .timing import KEITHLEY_2400 as TIMING

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_READING_BYTES = 12
"""What a stored reading takes (assumed)."""
_CALC_ELEMENTS = ("CALC", "TIME", "STAT")


def _write_elements(i: SimKeithley2400, names: list[str]) -> None:
    i.settings.format.elements = ELEMENTS if "DEF" in names else tuple(n for n in ELEMENTS if n in names)


def _write_calc_elements(i: SimKeithley2400, names: list[str]) -> None:
    i.settings.format.calc_elements = tuple(n for n in _CALC_ELEMENTS if n in names)


class _RealLength(Parameter):
    """The 32 of REAL,32."""

    is_optional = True

    def parse(self, token: str, instrument: Any) -> int:
        """32, the only one there is."""
        if parse_number(token) != 32:
            raise ScpiError(-224)
        return 32


def _write_format(i: SimKeithley2400, name: str, _: int | None) -> None:
    i.settings.format.data = "REAL" if name in ("REAL", "SRE") else name


_BASES = Choice("ASCii", "HEXadecimal", "OCTal", "BINary")
_FORMAT: tuple[Command, ...] = (
    Command(
        ":FORMat[:DATA]",
        write=_write_format,
        query=lambda i: "REAL,32" if i.settings.format.data == "REAL" else i.settings.format.data,
        takes=(Choice("ASCii", "REAL", "SREal"), _RealLength()),
    ),
    setting(":FORMat:BORDer", "settings.format.border", Choice("NORMal", "SWAPped")),
    Command(
        ":FORMat:ELEMents[:SENSe[1]]",
        write=_write_elements,
        query=lambda i: ",".join(i.settings.format.elements),
        takes=(Choices("VOLTage", "CURRent", "RESistance", "TIME", "STATus", "DEFault"),),
    ),
    Command(
        ":FORMat:ELEMents:CALCulate",
        write=_write_calc_elements,
        query=lambda i: ",".join(i.settings.format.calc_elements),
        takes=(Choices("CALCulate", "TIME", "STATus"),),
    ),
    setting(":FORMat:SREGister", "settings.format.registers", _BASES),
    setting(":FORMat:SOURce2", "settings.format.patterns", _BASES),
)


def _write_points(i: SimKeithley2400, points: float) -> None:
    i.buffer.require_idle()
    i.buffer.size = points
    i.buffer.stored.clear()
    i.note_conditions()


def _write_feed(i: SimKeithley2400, feed: str) -> None:
    i.buffer.require_idle()
    i.buffer.feed = {"SENS1": "SENS", "CALC": "CALC1"}.get(feed, feed)


def _write_control(i: SimKeithley2400, control: str) -> None:
    i.buffer.start(control)
    i.note_conditions()


def _clear(i: SimKeithley2400) -> None:
    i.buffer.clear()
    i.note_conditions()


def _trace_data(i: SimKeithley2400) -> Reply:
    style = i.settings.format
    names = style.elements if i.buffer.feed == "SENS" else style.calc_elements
    i.spend(len(i.buffer.stored) * TIMING.format_seconds)
    return sent([value for entry in i.buffer.timed() for value in entry.elements(names)], style)


def _free(i: SimKeithley2400) -> str:
    used = len(i.buffer.stored)
    return f"{(MOST_READINGS - used) * _READING_BYTES},{used * _READING_BYTES}"


_POINTS = Number("", 1, MOST_READINGS, 100, is_integer=True)
_TRACE: tuple[Command, ...] = (
    Command(":TRACe|DATA:DATA", query=_trace_data),
    Command(":TRACe|DATA:CLEar", write=_clear),
    Command(":TRACe|DATA:FREE", query=_free),
    Command(
        ":TRACe|DATA:POINts",
        write=_write_points,
        query=lambda i, extreme: str(int(i.buffer.size if extreme is None else extreme)),
        takes=(_POINTS,),
        asks=(Extreme(_POINTS),),
    ),
    Command(":TRACe|DATA:POINts:ACTual", query=lambda i: str(len(i.buffer.stored))),
    Command(
        ":TRACe|DATA:FEED",
        write=_write_feed,
        query=lambda i: i.buffer.feed,
        takes=(Choice("SENSe", "SENSe1", "CALCulate", "CALCulate1", "CALCulate2"),),
    ),
    Command(
        ":TRACe|DATA:FEED:CONTrol",
        write=_write_control,
        query=lambda i: i.buffer.control,
        takes=(Choice("NEXT", "NEVer"),),
    ),
    setting(":TRACe|DATA:TSTamp:FORMat", "buffer.timestamps", Choice("ABSolute", "DELTa")),
    setting(":CALCulate3:FORMat", "buffer.shown_statistic", Choice("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK")),
    Command(":CALCulate3:DATA", query=lambda i: sent(i.buffer.statistic(), i.settings.format)),
)

DATA_COMMANDS: tuple[Command, ...] = (*_FORMAT, *_TRACE)
"""How readings are kept and told."""
