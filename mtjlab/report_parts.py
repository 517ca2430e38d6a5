"""What a section of a run's page is made of: facts, pictures, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

_MOST_ROWS = 60
"""Rows of a table beyond which the rest is counted."""


@dataclass(frozen=True)
class Picture:
    """A figure and what is to be said of it; `has_key`: it has the colours of states of cells; `is_wide`: with axes."""

    title: str
    svg: Markup
    caption: str = ""
    has_key: bool = False
    is_wide: bool = False


@dataclass(frozen=True)
class Table:
    """A table: headings and rows of words; `folded` ones are opened by a click."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    folded: bool = False
    note: str = ""


@dataclass
class Section:
    """One step.

    Attributes:
        anchor: id of its element.
        title: what it was.
        asked: in words.
        ended: why it ended.
        facts: (label, value) of its numbers.
        status_rows: (colour, letter, words, count) of cells, where it has a map of what is wrong.
        problems: what could not be shown.
        is_done: whether it is a step that was done to its end.
    """

    anchor: str
    title: str
    asked: str
    ended: str
    facts: list[tuple[str, str]]
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    status_rows: list[tuple[str, str, str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_done: bool = True


def cut(table: Table) -> Table:
    """The first rows; how many more there are is said."""
    if len(table.rows) <= _MOST_ROWS:
        return table
    more = f"and {len(table.rows) - _MOST_ROWS} more in result.json"
    return Table(table.title, table.head, table.rows[:_MOST_ROWS], table.folded, more)
