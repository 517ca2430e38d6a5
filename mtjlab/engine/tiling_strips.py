"""Free parts of the columns of kernels, and how lines of a layer are laid onto them piece by piece."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from typing import NamedTuple


class NoRoomError(Exception):
    """The free strips are used up."""


class Strip(NamedTuple):
    """Free cells of one column: `height` of them from `row` downwards. Ordered by kernel, row, column."""

    kernel: int
    row: int
    col: int
    height: int


class Piece(NamedTuple):
    """Consecutive inputs of one line, on consecutive rows of one column from `row` downwards."""

    kernel: int
    row: int
    col: int
    first_input: int
    inputs: int
    line: int


class Strips:
    """All free strips.

    Args:
        free: strips that may be used, none of which overlap.
    """

    def __init__(self, free: list[Strip]) -> None:
        self._by_height: dict[int, list[Strip]] = defaultdict(list)
        self._seen: dict[tuple[int, int], int] = {}  # per height and count: no run begins before this place
        for strip in sorted(free):
            self._give(strip)

    @classmethod
    def of(cls, kernels: int, shape: tuple[int, int]) -> Strips:
        """Every column of so many empty kernels of (rows, cols)."""
        rows, cols = shape
        return cls([Strip(kernel, 0, col, rows) for kernel in range(kernels) for col in range(cols)])

    def lay(self, inputs: int, lines: int, together: int = 1) -> list[Piece]:
        """Pieces of all lines.

        Inputs are cut by the tallest strips there are. What finds no strip of its height is cut again.

        Args:
            inputs: of the layer.
            lines: of the layer.
            together: so many consecutive lines lie in one kernel on the same rows.

        Raises:
            NoRoomError: some of the lines were laid, which stay; the strips are of no use any more.
        """
        groups = [range(first, min(first + together, lines)) for first in range(0, lines, together)]
        return self._lay(range(inputs), groups)

    def _lay(self, inputs: range, groups: list[range]) -> list[Piece]:
        pieces: list[Piece] = []
        while inputs and groups:
            tallest = self._tallest(len(groups[0]))
            block, inputs = inputs[:tallest], inputs[tallest:]
            homeless = self._lay_block(block, groups, pieces)
            if homeless:
                pieces += self._lay(block, homeless)
        return pieces

    def _lay_block(self, block: range, groups: list[range], pieces: list[Piece]) -> list[range]:
        """Lay groups for which there are strips as tall as the block; returns the others.

        What is left below them is free only afterwards, so that the groups lie side by side as long as they can.
        """
        homeless, left = [], []
        for group in groups:
            strips = self._take(len(block), len(group))
            if strips is None:
                homeless.append(group)
                continue
            for line, strip in zip(group, strips, strict=True):
                pieces.append(Piece(strip.kernel, strip.row, strip.col, block[0], len(block), line))
                left.append(Strip(strip.kernel, strip.row + len(block), strip.col, strip.height - len(block)))
        for strip in left:
            self._give(strip)
        return homeless

    def _take(self, height: int, count: int) -> list[Strip] | None:
        """The first `count` strips side by side, of the least height that is enough; taken from the free ones."""
        for enough in sorted(self._by_height):
            first = self._first_run(enough, count) if enough >= height else None
            if first is not None:
                strips = self._by_height[enough]
                taken = strips[first : first + count]
                del strips[first : first + count]
                self._forget(enough, but=count)
                return taken
        return None

    def _tallest(self, count: int) -> int:
        """Height of the tallest strips of which `count` lie side by side."""
        for height in sorted(self._by_height, reverse=True):
            if self._first_run(height, count) is not None:
                return height
        raise NoRoomError

    def _first_run(self, height: int, count: int) -> int | None:
        """Where `count` strips of this height in one kernel and row begin; strips are in order."""
        strips = self._by_height[height]
        for first in range(self._seen.get((height, count), 0), len(strips) - count + 1):
            if strips[first][:2] == strips[first + count - 1][:2]:
                self._seen[height, count] = first
                return first
        self._seen[height, count] = len(strips)
        return None

    def _give(self, strip: Strip) -> None:
        if strip.height:
            insort(self._by_height[strip.height], strip)
            self._forget(strip.height)

    def _forget(self, height: int, but: int | None = None) -> None:
        for key in [key for key in self._seen if key[0] == height and key[1] != but]:
            del self._seen[key]
