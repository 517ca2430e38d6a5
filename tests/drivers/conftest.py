"""A scripted VISA resource: says what it is told to say, and insists on hearing exactly what the script says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

Step = tuple[str, str | Exception | list[str | bytes] | None]
"""What must be sent, and what comes back: text, an exception, None where nothing is asked, or what is read in turn."""


class ScriptedVisa:
    """Enough of a pyvisa MessageBasedResource for a QCoDeS VisaInstrument."""

    resource_name = "GPIB0::9::INSTR"

    def __init__(self, script: Sequence[Step]) -> None:
        self.script = list(script)
        self.visalib = self
        self.session: int | None = 1
        self.timeout = 0.0
        self.read_termination = self.write_termination = ""
        self.pending: list[str | bytes] = []
        self.clears = 0
        self.status = 32
        self.clear_fails: Exception | None = None

    def write(self, message: str) -> None:
        assert self.script, f"nothing more was expected, but '{message}' was sent"
        expected, reply = self.script.pop(0)
        assert message == expected
        if isinstance(reply, Exception):
            raise reply
        self.pending += reply if isinstance(reply, list) else [] if reply is None else [reply]

    def read_raw(self) -> bytes:
        assert self.pending, "read although nothing was asked"
        reply = self.pending.pop(0)
        assert isinstance(reply, str)
        return f"{reply}{self.read_termination}".encode()

    def read_bytes(self, count: int) -> bytes:
        reply = self.pending.pop(0)
        assert isinstance(reply, bytes)
        assert len(reply) == count
        return reply

    def read_stb(self) -> int:
        return self.status

    def clear(self) -> None:
        self.clears += 1
        if self.clear_fails:
            raise self.clear_fails

    def close(self) -> None:
        self.session = None


Dialogue = Callable[..., Any]


@pytest.fixture
def dialogue() -> Dialogue:
    """`with dialogue(Driver, step, step, ...) as instrument`: on leaving, the script must have been used up."""

    @contextmanager
    def hold(driver: Callable[..., Any], *script: Step) -> Iterator[Any]:
        visa = ScriptedVisa(script)
        instrument = driver("unit", resource=visa)
        try:
            yield instrument
            assert visa.script == [], "left over"
            assert visa.pending == [], "not read"
        finally:
            instrument.close()

    return hold
