"""Wafer maps as the exchange formats have them: rows of bin codes, the top row first, looking at the wafer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import InputError
from .map_transform import Axes, signs
from .wafer_map import BinKind, DieUse, MapDie, WaferMap

MOST_CELLS = 4_000_000
"""Places of a grid, those without a die included."""
ORIGINS = {"UpperLeft": (0, 0), "UpperRight": (1, 0), "LowerLeft": (0, 1), "LowerRight": (1, 1), "Center": (0.5, 0.5)}
"""Where the numbers begin, as a part of the grid's width to the right and of its height downwards."""


@dataclass(frozen=True)
class Numbering:
    """Numbers of the die at the upper left of a grid, and where they grow."""

    x: int
    y: int
    axes: Axes

    def at(self, row: int, col: int) -> tuple[int, int]:
        """Numbers of the die in a row and column of the grid."""
        right, up = signs(self.axes)
        return self.x + right * col, self.y - up * row

    def place(self, x: int, y: int) -> tuple[int, int]:
        """Row and column of a die."""
        right, up = signs(self.axes)
        return up * (self.y - y), right * (x - self.x)

    @classmethod
    def counted_from(cls, origin: str, axes: Axes, rows: int, cols: int) -> Numbering:
        """Numbers that begin with (0, 0) at one of `ORIGINS`."""
        part_right, part_down = ORIGINS[origin]
        col, row = (
            int(part_right * (cols - 1 if part_right == 1 else cols)),
            int(part_down * (rows - 1 if part_down == 1 else rows)),
        )
        right, up = signs(axes)
        return cls(-right * col, up * row, axes)

    @classmethod
    def of(cls, wafer_map: WaferMap) -> Numbering:
        """Of the smallest grid that holds a map."""
        left, most_x, bottom, top = wafer_map.bounds
        right, up = signs(wafer_map.axes)
        return cls(left if right > 0 else most_x, top if up > 0 else bottom, wafer_map.axes)


@dataclass(frozen=True)
class Codes:
    """What the codes of a grid mean.

    Attributes:
        null: codes of places without a die.
        uses: codes of dies that have no bin, and why.
        bins: number of the bin that each other code stands for.
    """

    null: frozenset[str]
    uses: Mapping[str, DieUse] = field(default_factory=dict)
    bins: Mapping[str, int] = field(default_factory=dict)

    def die(self, code: str, x: int, y: int, where: str) -> MapDie | None:
        """What a code says of a place. Raises InputError if nobody has said what it means."""
        if code in self.null:
            return None
        if code in self.uses:
            return MapDie(x, y, self.uses[code])
        if code not in self.bins:
            raise InputError(f"bin code '{code[:16]}' of die ({x}, {y}) is not defined", where=where)
        return MapDie(x, y, bin=self.bins[code])


def check_size(rows: int, cols: int, where: str) -> None:
    """Raises InputError if a grid cannot be a wafer's."""
    if rows < 1 or cols < 1 or rows * cols > MOST_CELLS:
        raise InputError(
            f"a map of {rows} rows and {cols} columns cannot be a wafer's",
            where=where,
            remedy=f"At most {MOST_CELLS} places are read",
        )


def dies_of(rows: Sequence[Sequence[str]], numbering: Numbering, codes: Codes, where: str) -> tuple[MapDie, ...]:
    """The dies of a grid. Raises InputError for rows of different lengths, or codes that nobody has defined."""
    check_size(len(rows), len(rows[0]) if rows else 0, where)
    found = []
    for row, line in enumerate(rows):
        if len(line) != len(rows[0]):
            raise InputError(
                f"row {row + 1} of the map has {len(line)} places, the first one {len(rows[0])}",
                where=where,
                remedy="The file is cut off or damaged; get it again",
            )
        for col, code in enumerate(line):
            die = codes.die(code, *numbering.at(row, col), where)
            if die is not None:
                found.append(die)
    return tuple(found)


def rows_of(wafer_map: WaferMap, code_of: Mapping[DieUse | int | None, str]) -> list[list[str]]:
    """The smallest grid that holds a map.

    Args:
        code_of: code of every bin, of each use without a bin, and (None) of no die.
    """
    numbering = Numbering.of(wafer_map)
    left, right, bottom, top = wafer_map.bounds
    rows, cols = top - bottom + 1, right - left + 1
    check_size(rows, cols, wafer_map.source)
    grid = [[code_of[None]] * cols for _ in range(rows)]
    for die in wafer_map.dies:
        row, col = numbering.place(die.x, die.y)
        grid[row][col] = code_of[die.use if die.bin is None or die.use is not DieUse.PROBE else die.bin]
    return grid


def bin_kinds(wafer_map: WaferMap) -> list[tuple[BinKind, int]]:
    """Every bin that is defined or used, ascending, and how many dies it has.

    Raises InputError for a bin that is used and not defined.
    """
    counts = {kind.number: 0 for kind in wafer_map.bins}
    for die in wafer_map.dies:
        if die.bin is not None and die.use is DieUse.PROBE:
            if die.bin not in counts:
                raise InputError(
                    f"die ({die.x}, {die.y}) is in bin {die.bin}, which is not defined",
                    where=wafer_map.source,
                    remedy="Say of every bin whether it passes",
                )
            counts[die.bin] += 1
    return [(kind, counts[kind.number]) for kind in sorted(wafer_map.bins, key=lambda kind: kind.number)]


def split_codes(line: str, width: int) -> list[str]:
    """Codes of a row: apart where there are blanks, `width` signs each otherwise."""
    parts = line.split()
    if len(parts) > 1 or not parts:
        return parts
    text = parts[0]
    return [text[k : k + width] for k in range(0, len(text), width)]
