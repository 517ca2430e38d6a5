"""What a 2450 keeps by name: reading buffers and source configuration lists."""

from __future__ import annotations

import re

from .keithley_2450_buffer import DEFAULT_CAPACITY, Buffer
from .keithley_2450_settings import SourceSettings
from .scpi_errors import ScpiError

_DEFAULTS = ("defbuffer1", "defbuffer2")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}\Z")


class Buffers:
    """The reading buffers; two of them are always there."""

    def __init__(self) -> None:
        self._buffers = {name: Buffer(name, DEFAULT_CAPACITY, fill_mode="CONT") for name in _DEFAULTS}

    def named(self, name: str | None) -> Buffer:
        """A buffer, defbuffer1 if no name is given; raises ScpiError 1115 if there is none of that name."""
        found = self._buffers.get(name or _DEFAULTS[0])
        if found is None:
            raise ScpiError(1115, f"Parameter error, reading buffer {name} does not exist")
        return found

    def make(self, name: str, capacity: float, style: str | None) -> None:
        """TRACe:MAKE."""
        if not _NAME.match(name):
            raise ScpiError(-151)
        if name in self._buffers:
            raise ScpiError(1101, f"Parameter error, the name {name} is in use")
        self._buffers[name] = Buffer(name, int(capacity), style=style or "STAN")

    def delete(self, name: str) -> None:
        """TRACe:DELete; the default buffers stay."""
        if name in _DEFAULTS:
            raise ScpiError(-221)
        del self._buffers[self.named(name).name]


class SourceLists:
    """The source configuration lists."""

    def __init__(self) -> None:
        self._lists: dict[str, list[SourceSettings]] = {}

    def named(self, name: str) -> list[SourceSettings]:
        """A list; raises ScpiError 1115 if there is none of that name."""
        found = self._lists.get(name)
        if found is None:
            raise ScpiError(1115, f"Parameter error, configuration list {name} does not exist")
        return found

    def put(self, name: str, points: list[SourceSettings]) -> None:
        """Make or replace a list."""
        self._lists[name] = points

    def delete(self, name: str) -> None:
        """SOURce:CONFiguration:LIST:DELete."""
        self.named(name)
        del self._lists[name]
