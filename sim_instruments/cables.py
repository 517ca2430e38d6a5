"""Cables of a bench file: resistances between terminals, written one by one or for a range of terminals at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .circuit import GROUND
from .world import World

_RANGE = re.compile(r"\{([0-9,\s-]+)\}")
_CABLE_OHMS = 0.05


class CableSpec(BaseModel):
    """One entry of `cables`: `{from: smu.hi, to: ground, ohms: 1000}`.

    A terminal may hold one range in braces, which stands for as many cables: `{from: "matrix.col.{101-112,201-203}",
    to: "die.row.{0-14}"}`. `ground` is the common ground, `joint.<anything>` a place to join cables.

    Attributes:
        begin, end: terminals, `from` and `to` in the file.
        ohms: resistance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    ohms: float = Field(default=_CABLE_OHMS, gt=0)

    @model_validator(mode="after")
    def _ends_match(self) -> CableSpec:
        begins, ends = expanded(self.begin), expanded(self.end)
        if len(begins) != len(ends) and 1 not in (len(begins), len(ends)):
            raise ValueError(f"'from' names {len(begins)} terminals and 'to' names {len(ends)}")
        return self

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """Pairs of terminals; a single one is paired with each of several."""
        begins, ends = expanded(self.begin), expanded(self.end)
        count = max(len(begins), len(ends))
        yield from zip(begins * (count // len(begins)), ends * (count // len(ends)), strict=True)


def connect(world: World, cables: list[CableSpec]) -> str | None:
    """Connect them; returns a terminal that does not exist, if there is one, else None."""
    pairs = [(pair, cable.ohms) for cable in cables for pair in cable.pairs]
    for pair, _ in pairs:
        for terminal in pair:
            if terminal != GROUND and not terminal.startswith("joint.") and not world.circuit.has_node(terminal):
                return terminal
    for (begin, end), ohms in pairs:
        world.connect(begin, end, ohms)
    return None


def expanded(terminal: str) -> list[str]:
    """The terminals that one with a range in braces stands for; raises ValueError if the range cannot be read."""
    found = _RANGE.search(terminal)
    if found is None:
        if "{" in terminal or "}" in terminal:
            raise ValueError(f"'{terminal}': a range is written like {{101-112,201}}")
        return [terminal]
    head, tail = terminal[: found.start()], terminal[found.end() :]
    return [f"{head}{number}{tail}" for part in found[1].split(",") for number in _numbers(part.strip())]


def _numbers(part: str) -> range:
    first, dash, last = part.partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        raise ValueError(f"'{part}' is no number and no range")
    return range(int(first), int(last if dash else first) + 1)
