"""A scripted VISA resource: says what it is told to say, and insists on hearing exactly what the script says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

Step = tuple[str, str | Exception | None]
"""What must be sent, and what comes back: text, an exception, or None where nothing is asked."""


class ScriptedVisa:
    """Enough of a pyvisa MessageBasedResource for a QCoDeS VisaInstrument."""

    resource_name = "GPIB0::9::INSTR"

    def __init__(self, script: Sequence[Step]) -> None:
        self.script = list(script)
        self.visalib = self
        self.session: int | None = 1
        self.timeout = 0.0
        self.read_termination = self.write_termination = ""
        self.clears = 0
        self.clear_fails: Exception | None = None

    def write(self, message: str) -> None:
        self._next(message, is_query=False)

    def query(self, message: str) -> str:
        reply = self._next(message, is_query=True)
        assert reply is not None
        return reply

    def clear(self) -> None:
        self.clears += 1
        if self.clear_fails:
            raise self.clear_fails

    def close(self) -> None:
        self.session = None

    def _next(self, message: str, *, is_query: bool) -> str | None:
        assert self.script, f"nothing more was expected, but '{message}' was sent"
        expected, reply = self.script.pop(0)
        assert message == expected
        if isinstance(reply, Exception):
            raise reply
        assert is_query == (reply is not None), f"'{message}' sent as a {'query' if is_query else 'write'}"
        return reply


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
        finally:
            instrument.close()

    return hold
