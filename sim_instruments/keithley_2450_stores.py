"""What a 2450 keeps by name: reading buffers and the files of its USB drive."""

from __future__ import annotations

import re

from .keithley_2450_buffer import DEFAULT_CAPACITY, LARGEST_CAPACITY, LARGEST_COMPACT, Buffer
from .scpi_errors import ScpiError

DEFAULT_BUFFERS = ("defbuffer1", "defbuffer2")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}\Z")
_DRIVE = "/usb1/"


def _share(style: str, capacity: float) -> float:
    return capacity * LARGEST_CAPACITY / LARGEST_COMPACT if style == "COMP" else capacity


def _room(buffer: Buffer) -> float:
    return _share(buffer.style, buffer.capacity)


class Buffers:
    """The reading buffers; two of them are always there.

    Attributes:
        active: name of the one that the front panel shows: the last one made.
    """

    def __init__(self) -> None:
        self._buffers = {
            name: Buffer(name, DEFAULT_CAPACITY, fill_mode="CONT", is_logged=True) for name in DEFAULT_BUFFERS
        }
        self.active = DEFAULT_BUFFERS[0]

    def named(self, name: str | None) -> Buffer:
        """A buffer, defbuffer1 if no name is given; raises ScpiError 1115 if there is none of that name."""
        found = self._buffers.get(name or DEFAULT_BUFFERS[0])
        if found is None:
            raise ScpiError(1115, f"Parameter error, reading buffer {name} does not exist")
        return found

    def measured(self, name: str | None) -> Buffer:
        """A buffer that takes measurements; raises ScpiError 1115, or -221 if it is a writable one."""
        found = self.named(name)
        if found.is_writable:
            raise ScpiError(-221, f"Settings conflict, reading buffer {found.name} is writable")
        return found

    def make(self, name: str, capacity: float, style: str | None) -> None:
        """TRACe:MAKE."""
        if not _NAME.match(name):
            raise ScpiError(-151)
        if name in self._buffers:
            raise ScpiError(1115, "Parameter error: TRACe:MAKE cannot take an existing reading buffer name")
        made = Buffer(name, 0, style=style or "STAN")
        self.check_room(made, capacity)
        made.capacity = int(capacity)
        self._buffers[name] = made
        self.active = name

    def check_room(self, buffer: Buffer, capacity: float) -> None:
        """Raise ScpiError -222 if `buffer` cannot have this capacity beside the others; four compact readings count
        as one.
        """
        others = [other for other in self._buffers.values() if other is not buffer]
        if sum(map(_room, others)) + _share(buffer.style, capacity) > LARGEST_CAPACITY:
            raise ScpiError(-222)

    def delete(self, name: str) -> None:
        """TRACe:DELete; the default buffers stay."""
        if name in DEFAULT_BUFFERS:
            raise ScpiError(-221)
        del self._buffers[self.named(name).name]
        if self.active == name:
            self.active = DEFAULT_BUFFERS[0]


class UsbDrive:
    """The files of a USB drive that is always plugged in, by path."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def save(self, path: str, text: str, *, appends: bool = False) -> None:
        """Write a file; raises ScpiError -224 for another drive or another kind than .csv."""
        if not path.startswith(_DRIVE) or len(path) == len(_DRIVE):
            raise ScpiError(-224)
        name, dot, ending = path.rpartition(".")
        if dot and "/" not in ending and ending != "csv":
            raise ScpiError(-224)
        full = path if ending == "csv" and name else f"{path}.csv"
        self.files[full] = (self.files.get(full, "") if appends else "") + text
