"""What the scripts in a Keithley 2600B answer: one line about how it went, then a binary block of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mtjlab.nouns import Floats, Reading

_OVERFLOW = 9.8e37
_COMPLIANCE = 64
"""Bit of `bufferVar.statuses` (reference manual)."""
_STATUS_END = 256


@dataclass
class Answer:
    """An answer.

    Attributes:
        count, columns: shape of the numbers.
        flags: one 0 or 1 per entry: whether any channel limited.
        outcomes: further words of the script.
        problems: what went wrong; empty if nothing did.
        values: shape (count, columns).
    """

    count: int
    columns: int
    flags: str
    outcomes: str
    problems: str
    values: Floats = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def size(self) -> int:
        """How many numbers follow."""
        return self.count * self.columns

    def fill(self, block: bytes, size: int) -> None:
        """Take the numbers from a block; raises ValueError if it is none."""
        if block[:2] != b"#0" or block[-1:] != b"\n" or len(block) != block_bytes(self, size):
            raise ValueError(block[:20])
        numbers = np.frombuffer(block[2:-1], dtype=f"<f{size}")
        self.values = numbers.astype(np.float64).reshape(self.count, self.columns)


def parsed(line: str) -> Answer | None:
    """The line that comes first; None if it is none."""
    parts = line.rstrip("\r\n").split("\t", 4)
    if len(parts) != 5 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        return None
    if set(parts[2]) - {"0", "1"}:
        return None
    return Answer(int(parts[0]), int(parts[1]), parts[2], parts[3], parts[4])


def outcomes(answer: Answer) -> list[tuple[int, bool]] | None:
    """How many pulses each task got and whether it is done; None if that makes no sense."""
    found = []
    for text in answer.outcomes.split(";"):
        pulses, _, is_done = text.partition(",")
        if not (pulses.isdecimal() and is_done in ("0", "1")):
            return None
        found.append((int(pulses), is_done == "1"))
    return found if sum(pulses + 1 for pulses, _ in found) == answer.count else None


def block_bytes(answer: Answer, size: int) -> int:
    """Bytes of the block with its header and the newline behind it."""
    return 2 + answer.size * size + 1


def readings(values: Floats | Sequence[Sequence[float]], flags: str = "") -> list[Reading]:
    """Readings from rows of volts, amps, status. Raises ValueError if a status is none."""
    found = []
    for number, (volts, amps, status) in enumerate(values):
        if not (0 <= status < _STATUS_END and float(status).is_integer()):
            raise ValueError(f"no status: {status}")
        limited = bool(int(status) & _COMPLIANCE) or flags[number : number + 1] == "1"
        is_overflow = bool(abs(amps) > _OVERFLOW)
        found.append(Reading(float(volts), float(amps), in_compliance=limited, is_overflow=is_overflow))
    return found
