"""Front panel of a B2900A: DISPlay, HCOPy, beeper, fan (SCPI Command Reference, chapter 4)."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

from .keysight_b2900_commands import ignore
from .keysight_b2900_errors import DISPLAY_MUST_BE_ON, refusal
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Switch, Text
from .scpi_settings import setting, show_text

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

_LONGEST_TEXT = 32
_PIXEL = bytes((0, 0, 0))
_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP////////////////////////////////////////////////////////////////////////////"
    "//////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z"
)
"""One dark pixel."""


class Panel:
    """What the display shows, as far as it can be asked.

    Args:
        channels: of the instrument; two are shown together.
    """

    def __init__(self, channels: int) -> None:
        self.digits = 7.0
        self.view = "DUAL" if channels > 1 else "SING1"
        self.is_zoomed = False
        self.colours = 1.0
        self.texts = {1: "", 2: ""}
        self.has_text = {1: False, 2: False}
        self.picture = "JPG"

    def text_area(self, number: int) -> int:
        """Upper or lower half; raises ScpiError -114 for another."""
        if number not in self.texts:
            raise ScpiError(-114)
        return number


def picture(style: str) -> bytes:
    """A screen dump: a valid picture of one dark pixel, as nobody looks at a simulated display."""
    makers = {"JPG": lambda: _JPEG, "PNG": _png, "BMP": _bmp, "WMF": _wmf}
    return makers[style]()


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + _PIXEL)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _bmp() -> bytes:
    information = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 2835, 2835, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 58, 0, 0, 54) + information + _PIXEL + b"\0"


def _wmf() -> bytes:
    """A Windows metafile without any record but the last."""
    return struct.pack("<HHHIHIHIH", 1, 9, 0x300, 12, 0, 3, 0, 3, 0)


def block(data: bytes) -> bytes:
    """Data as a block of definite length."""
    length = str(len(data))
    return f"#{len(length)}{length}".encode() + data


def _write_text(i: SimKeysightB2900, number: int, text: str) -> None:
    if len(text) > _LONGEST_TEXT:
        raise refusal(-223)
    i.panel.texts[i.panel.text_area(number)] = text


def _write_text_state(i: SimKeysightB2900, number: int, is_shown: bool) -> None:
    i.panel.has_text[i.panel.text_area(number)] = is_shown


def _dump(i: SimKeysightB2900) -> bytes:
    if not i.system.is_display_on:
        raise refusal(DISPLAY_MUST_BE_ON)
    return block(picture(i.panel.picture))


def _write_view(i: SimKeysightB2900, view: str) -> None:
    if len(i.channels) < 2 and view in ("SING2", "DUAL"):
        raise refusal(-224)
    i.panel.view = view


PANEL_COMMANDS: tuple[Command, ...] = (
    setting(":DISPlay:ENABle", "system.is_display_on", Switch()),
    setting(":DISPlay:DIGits", "panel.digits", Number("", 4, 7, 7, is_integer=True)),
    Command(
        ":DISPlay:VIEW",
        write=_write_view,
        query=lambda i: i.panel.view,
        takes=(Choice("SINGle1", "SINGle2", "DUAL", "GRAPh", "ROLL"),),
    ),
    setting(":DISPlay:ZOOM", "panel.is_zoomed", Switch()),
    setting(":DISPlay:CSET", "panel.colours", Number("", 1, 2, 1, is_integer=True)),
    Command(
        ":DISPlay:WINDow<d>:TEXT:DATA",
        write=_write_text,
        query=lambda i, d: show_text(i.panel.texts[i.panel.text_area(d)]),
        takes=(Text(),),
    ),
    Command(
        ":DISPlay:TEXT:DATA",
        write=lambda i, text: _write_text(i, 1, text),
        query=lambda i: show_text(i.panel.texts[1]),
        takes=(Text(),),
    ),
    Command(
        ":DISPlay:WINDow<d>:TEXT:STATe",
        write=_write_text_state,
        query=lambda i, d: str(int(i.panel.has_text[i.panel.text_area(d)])),
        takes=(Switch(),),
    ),
    Command(
        ":DISPlay:TEXT:STATe",
        write=lambda i, is_shown: _write_text_state(i, 1, is_shown),
        query=lambda i: str(int(i.panel.has_text[1])),
        takes=(Switch(),),
    ),
    Command(":DISPlay:WINDow<d>:DATA", query=lambda i, d: show_text(i.panel.texts[i.panel.text_area(d)])),
    Command(":DISPlay:DATA", query=lambda i: show_text(i.panel.texts[1])),
    setting(":HCOPy:SDUMp:FORMat", "panel.picture", Choice("JPG", "BMP", "PNG", "WMF")),
    Command(":HCOPy:SDUMp:DATA", query=_dump),
    Command(":SYSTem:BEEPer[:IMMediate]", write=ignore, takes=(Number("HZ", 55, 6640), Number("S", 0.05, 12.75))),
    setting(":SYSTem:BEEPer:STATe", "lasting.is_beeping", Switch()),
    setting(":SYSTem:FAN:MODE", "lasting.fan", Choice("NORMal", "RACK")),
)
"""What a user at the front panel would notice."""
