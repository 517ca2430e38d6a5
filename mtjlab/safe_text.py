"""Reading text that somebody sent: sizes, encodings and names are checked before anything is made of it."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import InputError

MOST_BYTES = 16 * 2**20
_BAD_NAME = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MOST_NAME = 64


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The whole file. Raises InputError if it cannot be read, is no file, is empty or too large."""
    try:
        if not path.is_file():
            raise InputError("is no file", where=str(path), remedy="Give the path of a file")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if len(content) > most_bytes:
        raise InputError(f"is larger than {most_bytes // 2**20} MiB", where=str(path), remedy="That is no wafer map")
    if not content.strip():
        raise InputError("is empty", where=str(path), remedy="Get the file again")
    return content


def decoded(content: bytes, where: str) -> str:
    """Text in UTF-8, with or without a byte order mark. Raises InputError for any other encoding."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not text in UTF-8 (byte {error.start})", where=where, remedy="Save it as UTF-8 or plain ASCII"
        ) from error
    if "\x00" in text:
        raise InputError("holds null characters", where=where, remedy="Save it as UTF-8: it may be UTF-16, or no text")
    return text


def checked_name(name: str, what: str, where: str) -> str:
    """A name that may become a part of a file's name on every system; blanks around it go.

    Raises InputError if it climbs out of its folder, or Windows could not have it.
    """
    name = name.strip()
    if (
        len(name) > _MOST_NAME
        or _BAD_NAME.search(name)
        or (name and not name.strip("."))
        or name.endswith(".")
        or _RESERVED.fullmatch(name)
    ):
        raise InputError(
            f"{what} {name[:_MOST_NAME]!r} cannot be used as a name",
            where=where,
            remedy=f"Names have at most {_MOST_NAME} signs, none of them / \\ : * ? < > | or a control character",
        )
    return name


def number_in(text: str, what: str, where: str) -> float:
    """A finite number. Raises InputError if it is none."""
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e15 or not re.fullmatch(r"\s*[-+.\deE]+\s*", text):
        raise InputError(f"{what} is {text[:32]!r}, which is no number", where=where)
    return found


def whole_in(text: str, what: str, where: str) -> int:
    """A whole number of at most nine digits. Raises InputError if it is none."""
    if not re.fullmatch(r"\s*[-+]?\d{1,9}\s*", text, re.ASCII):
        raise InputError(f"{what} is {text[:32]!r}, which is no whole number", where=where)
    return int(text)
