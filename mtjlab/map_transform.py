"""How the die numbers of one coordinate system become those of another: a file's, a prober's, the maker's."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import InputError

Axes = Literal["UR", "UL", "DR", "DL"]
"""Where the numbers grow, looking at the wafer: y Up or Down, x to the Right or to the Left."""


@dataclass(frozen=True)
class MapTransform:
    """Exchange x and y if asked, then turn around, then shift; all in whole dies.

    Attributes:
        swaps: x and y are exchanged first.
        flips_x, flips_y: the result then counts the other way.
        shift_x, shift_y: is added last.
    """

    swaps: bool = False
    flips_x: bool = False
    flips_y: bool = False
    shift_x: int = 0
    shift_y: int = 0

    def __call__(self, x: int, y: int) -> tuple[int, int]:
        """The same die's numbers in the other system."""
        if self.swaps:
            x, y = y, x
        return (-x if self.flips_x else x) + self.shift_x, (-y if self.flips_y else y) + self.shift_y

    def inverse(self) -> MapTransform:
        """The way back."""
        bare = MapTransform(
            self.swaps,
            self.flips_y if self.swaps else self.flips_x,
            self.flips_x if self.swaps else self.flips_y,
        )
        x, y = bare(self.shift_x, self.shift_y)
        return MapTransform(bare.swaps, bare.flips_x, bare.flips_y, -x, -y)

    def then(self, other: MapTransform) -> MapTransform:
        """Both, `other` last."""
        x, y = other(*self(0, 0))
        right, up = other(*self(1, 0)), other(*self(0, 1))
        return _from_images((x, y), right, up)

    def axes(self, before: Axes) -> Axes:
        """Where the numbers grow in the other system, if they grow like `before` in this one."""
        right, up = signs(before)
        if self.swaps:
            raise InputError("x and y are exchanged: the axes of the other system are not those of a wafer upright")
        return _named(-right if self.flips_x else right, -up if self.flips_y else up)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, to be stored with the data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> MapTransform:
        """What `as_dict` gave. Raises InputError for anything else."""
        try:
            found = cls(**stored)
        except TypeError as error:
            raise InputError(f"is no transform between maps ({error})", where="transform") from error
        if any(not isinstance(value, bool) for value in (found.swaps, found.flips_x, found.flips_y)):
            raise InputError("swaps, flips_x and flips_y of a transform are true or false", where="transform")
        if any(isinstance(v, bool) or not isinstance(v, int) for v in (found.shift_x, found.shift_y)):
            raise InputError("shift_x and shift_y of a transform are whole numbers", where="transform")
        return found

    @classmethod
    def between(cls, axes: Axes, other_axes: Axes) -> MapTransform:
        """From numbers that grow one way to numbers that grow another, (0, 0) being the same die."""
        (x, y), (other_x, other_y) = signs(axes), signs(other_axes)
        return cls(flips_x=x != other_x, flips_y=y != other_y)

    @classmethod
    def of_pairs(cls, pairs: Mapping[tuple[int, int], tuple[int, int]]) -> MapTransform:
        """The one transform that takes every key to its value: dies that a person has recognised in both systems.

        Raises InputError if there is none, or if these dies (all in one line, say) would allow several.
        """
        fitting = [found for found in _candidates(pairs) if all(found(*here) == there for here, there in pairs.items())]
        if len(fitting) != 1:
            what = "allow more than one transform" if fitting else "fit no transform"
            raise InputError(
                f"the {len(pairs)} dies that were named in both maps {what}",
                where="transform",
                remedy="Name three dies that do not lie in one line, and check their numbers",
            )
        return fitting[0]


UNCHANGED = MapTransform()


def _candidates(pairs: Mapping[tuple[int, int], tuple[int, int]]) -> list[MapTransform]:
    if not pairs:
        return [MapTransform(), MapTransform(shift_x=1)]
    here, there = next(iter(pairs.items()))
    found = []
    for swaps, flips_x, flips_y in itertools.product((False, True), repeat=3):
        x, y = MapTransform(swaps, flips_x, flips_y)(*here)
        found.append(MapTransform(swaps, flips_x, flips_y, there[0] - x, there[1] - y))
    return found


def _from_images(origin: tuple[int, int], right: tuple[int, int], up: tuple[int, int]) -> MapTransform:
    swaps = right[0] == origin[0]
    along_x, along_y = (up, right) if swaps else (right, up)
    return MapTransform(swaps, along_x[0] < origin[0], along_y[1] < origin[1], *origin)


def signs(axes: Axes) -> tuple[int, int]:
    """+1 where x grows to the right, and +1 where y grows upwards; -1 otherwise."""
    return (1 if axes[1] == "R" else -1), (1 if axes[0] == "U" else -1)


def _named(x: int, y: int) -> Axes:
    names: dict[tuple[int, int], Axes] = {(1, 1): "UR", (-1, 1): "UL", (1, -1): "DR", (-1, -1): "DL"}
    return names[x, y]
