"""Which dies a wafer has, where they lie, which of them are probed and in which order, and their bins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from .errors import InputError
from .map_transform import UNCHANGED, Axes, MapTransform, signs
from .nouns import DieId

MOST_DIES = 1_000_000
"""More than any wafer has (300 mm in dies of 0.3 mm): a map with more is an error in its file."""
MOST_INDEX = 100_000
Order = Literal["rows", "rows_serpentine", "columns", "columns_serpentine", "as_listed"]


class DieUse(Enum):
    """Whether a die is probed."""

    PROBE = "probe"
    SKIP = "skip"
    EDGE = "edge"
    """A part of it lies beyond the usable radius: it is not probed either."""


@dataclass(frozen=True)
class MapDie:
    """One die of a map.

    Attributes:
        x, y: its place, in the coordinates of the map.
        use: whether it is probed.
        bin: what it was sorted into; None if it has not been.
    """

    x: int
    y: int
    use: DieUse = DieUse.PROBE
    bin: int | None = None


@dataclass(frozen=True)
class BinKind:
    """What a bin's number stands for."""

    number: int
    passes: bool
    description: str = ""


@dataclass(frozen=True)
class SkipRules:
    """Which dies of a wafer are left out.

    Attributes:
        edge_metres: dies that reach into this ring at the wafer's edge become edge dies.
        finds_edge: dies that reach beyond the wafer become edge dies also if there is no ring.
        every: only every so many dies in x and in y are probed, counted from `origin`.
        origin: one that is probed.
        only: if any are named, no others are probed.
        never: these are not probed.
    """

    edge_metres: float = 0.0
    every: tuple[int, int] = (1, 1)
    origin: tuple[int, int] = (0, 0)
    only: frozenset[tuple[int, int]] = frozenset()
    never: frozenset[tuple[int, int]] = frozenset()
    finds_edge: bool = False

    def __post_init__(self) -> None:
        if not self.edge_metres >= 0 or min(self.every) < 1:
            raise InputError(
                f"an edge of {self.edge_metres:g} m and every {self.every} dies make no rule",
                where="skip rules",
                remedy="Give an edge of 0 or more, and 1 or more for 'every'",
            )

    def skips(self, x: int, y: int) -> bool:
        """Whether a die that is not at the edge is left out."""
        on_grid = (x - self.origin[0]) % self.every[0] == 0 and (y - self.origin[1]) % self.every[1] == 0
        return not on_grid or (x, y) in self.never or (bool(self.only) and (x, y) not in self.only)


@dataclass(frozen=True)
class WaferMap:
    """The dies of a wafer in one coordinate system.

    Attributes:
        wafer, lot, product: its names.
        dies: in the order in which they were listed.
        pitch_metres: from die to die in x and in y; None where the source does not say.
        axes: where x and y grow, looking at the wafer as it lies.
        notch_degrees: where notch or flat is, clockwise from the top: 0, 90 (right), 180, 270; None if unknown.
        diameter_metres: None if unknown.
        origin: place, in dies, of the wafer's centre: the die (0, 0) is centred there if it is (0, 0).
        bins: what the numbers of bins stand for.
        transform: from the coordinates of `source` to these.
        source: where the map comes from, in words.
    """

    wafer: str
    dies: tuple[MapDie, ...]
    pitch_metres: tuple[float, float] | None = None
    axes: Axes = "UR"
    notch_degrees: int | None = None
    diameter_metres: float | None = None
    origin: tuple[float, float] = (0.0, 0.0)
    lot: str = ""
    product: str = ""
    bins: tuple[BinKind, ...] = ()
    transform: MapTransform = UNCHANGED
    source: str = ""
    _places: dict[tuple[int, int], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.dies) <= MOST_DIES:
            raise InputError(
                f"a wafer map with {len(self.dies)} dies cannot be used",
                where=self.source,
                remedy=f"It needs at least one and at most {MOST_DIES}",
            )
        places = {(die.x, die.y): number for number, die in enumerate(self.dies)}
        if len(places) != len(self.dies):
            twice = next((die.x, die.y) for number, die in enumerate(self.dies) if places[die.x, die.y] != number)
            raise InputError(f"die {twice} is listed twice", where=self.source, remedy="List every die once")
        if any(abs(value) > MOST_INDEX for place in places for value in place):
            raise InputError(
                f"a die's number is beyond {MOST_INDEX}", where=self.source, remedy="Count dies from the wafer's centre"
            )
        object.__setattr__(self, "_places", places)

    def __contains__(self, place: object) -> bool:
        return place in self._places

    def die(self, x: int, y: int) -> MapDie:
        """The die at a place. Raises InputError if there is none."""
        if (x, y) not in self._places:
            raise InputError(
                f"the map has no die ({x}, {y})", where=self.source, remedy="Take its numbers from the map"
            )
        return self.dies[self._places[x, y]]

    def die_id(self, die: MapDie) -> DieId:
        """The name under which a die's data are kept."""
        return DieId(self.wafer, die.x, die.y)

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Smallest and largest x, smallest and largest y."""
        xs, ys = [die.x for die in self.dies], [die.y for die in self.dies]
        return min(xs), max(xs), min(ys), max(ys)

    @property
    def probed(self) -> tuple[MapDie, ...]:
        """Dies that are probed, in the order listed."""
        return tuple(die for die in self.dies if die.use is DieUse.PROBE)

    def route(self, order: Order = "rows_serpentine") -> tuple[MapDie, ...]:
        """Dies that are probed, in an order of visits; serpentine turns at every end instead of going back."""
        if order == "as_listed":
            return self.probed
        by_rows = order.startswith("rows")
        lines: dict[int, list[MapDie]] = {}
        for die in self.probed:
            lines.setdefault(die.y if by_rows else die.x, []).append(die)
        visits: list[MapDie] = []
        for turn, number in enumerate(sorted(lines)):
            backwards = order.endswith("serpentine") and turn % 2 == 1
            visits += sorted(lines[number], key=lambda die: die.x if by_rows else die.y, reverse=backwards)
        return tuple(visits)

    def place_metres(self, x: int, y: int) -> tuple[float, float]:
        """Centre of a die from the wafer's centre, to the right and upwards.

        Raises InputError if the pitch is not known.
        """
        if self.pitch_metres is None:
            raise InputError("the map does not say how far dies are apart", where=self.source, remedy="Add the pitch")
        right, up = signs(self.axes)
        return (
            right * (x - self.origin[0]) * self.pitch_metres[0],
            up * (y - self.origin[1]) * self.pitch_metres[1],
        )

    def with_uses(self, rules: SkipRules) -> WaferMap:
        """The same with these rules instead of what was skipped before. Edge rules need pitch and diameter."""
        return replace(self, dies=tuple(replace(die, use=self._use(die, rules)) for die in self.dies))

    def _use(self, die: MapDie, rules: SkipRules) -> DieUse:
        if (rules.edge_metres > 0 or rules.finds_edge) and self._reach_metres(die) > self._usable_metres(rules):
            return DieUse.EDGE
        return DieUse.SKIP if rules.skips(die.x, die.y) else DieUse.PROBE

    def _usable_metres(self, rules: SkipRules) -> float:
        if self.diameter_metres is None:
            raise InputError(
                "the map does not say how large the wafer is", where=self.source, remedy="Add the diameter"
            )
        return self.diameter_metres / 2 - rules.edge_metres

    def _reach_metres(self, die: MapDie) -> float:
        """How far the corner that is furthest out is from the wafer's centre."""
        (x, y), pitch = self.place_metres(die.x, die.y), self.pitch_metres or (0.0, 0.0)
        return math.hypot(abs(x) + pitch[0] / 2, abs(y) + pitch[1] / 2)

    def with_bins(self, found: Mapping[tuple[int, int], int], kinds: Iterable[BinKind] = ()) -> WaferMap:
        """The same with these bins; dies that are not named lose theirs.

        Raises InputError if there is no such die.
        """
        unknown = [place for place in found if place not in self._places]
        if unknown:
            raise InputError(f"a bin is given for die {unknown[0]}, which is not on the map", where=self.source)
        dies = tuple(replace(die, bin=found.get((die.x, die.y))) for die in self.dies)
        return replace(self, dies=dies, bins=tuple(kinds) or self.bins)

    def transformed(self, transform: MapTransform) -> WaferMap:
        """The same dies in another coordinate system; what became of the source's coordinates is kept in `transform`.

        Raises InputError if x and y would be exchanged: that is a wafer turned by a quarter, whose pitches, axes and
        notch a prober has to be told too (`turned`).
        """
        if transform.swaps:
            raise InputError(
                "this transform exchanges x and y", where=self.source, remedy="Turn the map first, with 'turned'"
            )
        dies = tuple(replace(die, x=x, y=y) for die in self.dies for x, y in [transform(die.x, die.y)])
        x, y = self.origin
        origin = (
            (-x if transform.flips_x else x) + transform.shift_x,
            (-y if transform.flips_y else y) + transform.shift_y,
        )
        return replace(
            self,
            dies=dies,
            axes=transform.axes(self.axes),
            origin=origin,
            transform=self.transform.then(transform),
        )

    def turned(self, quarters: int) -> WaferMap:
        """The wafer turned clockwise by so many quarters; x and y count towards the same sides as before."""
        turned = self
        for _ in range(quarters % 4):
            turned = turned._turned_once()
        return turned

    def _turned_once(self) -> WaferMap:
        """What was above is to the right, what was to the right is below: right' = up, up' = -right."""
        right, up = signs(self.axes)
        # x' counts to the side that x did: x' = right * (up * y); y' = up * (-(right * x))
        step = MapTransform(swaps=True, flips_x=right * up < 0, flips_y=right * up > 0)
        dies = tuple(replace(die, x=x, y=y) for die in self.dies for x, y in [step(die.x, die.y)])
        origin = (right * up * self.origin[1], -right * up * self.origin[0])
        pitch = None if self.pitch_metres is None else (self.pitch_metres[1], self.pitch_metres[0])
        notch = None if self.notch_degrees is None else (self.notch_degrees + 90) % 360
        return replace(
            self,
            dies=dies,
            origin=origin,
            pitch_metres=pitch,
            notch_degrees=notch,
            transform=self.transform.then(step),
        )


def draw_map(
    wafer: str,
    *,
    diameter_metres: float,
    pitch_metres: tuple[float, float],
    skip: SkipRules | None = None,
    origin: tuple[float, float] = (0.0, 0.0),
    axes: Axes = "UR",
    notch_degrees: int = 180,
    lot: str = "",
    product: str = "",
) -> WaferMap:
    """A map by rule: every die whose centre lies on the wafer; with an edge, those that reach into it are edge dies.

    Args:
        origin: place of the wafer's centre in dies: (0.5, 0.5) where four dies meet at the centre.

    Raises InputError for sizes that make no wafer, or a die count beyond `MOST_DIES`.
    """
    if not (0 < diameter_metres < 1 and all(0 < pitch < math.inf for pitch in pitch_metres)):
        raise InputError(
            f"a wafer of {diameter_metres:g} m in dies of {pitch_metres} m cannot be drawn",
            remedy="Give sizes in metres: 0.2 for a wafer of 200 mm",
        )
    radius = diameter_metres / 2
    if (diameter_metres / pitch_metres[0] + 2) * (diameter_metres / pitch_metres[1] + 2) > 2 * MOST_DIES:
        raise InputError(f"dies of {pitch_metres} m are too many for one wafer", remedy="Give the pitch in metres")
    spans = [_indices(radius / pitch, middle) for pitch, middle in zip(pitch_metres, origin, strict=True)]
    dies = tuple(
        MapDie(x, y)
        for y in spans[1]
        for x in spans[0]
        if math.hypot((x - origin[0]) * pitch_metres[0], (y - origin[1]) * pitch_metres[1]) <= radius
    )
    drawn = WaferMap(
        wafer, dies, pitch_metres, axes, notch_degrees, diameter_metres, origin, lot, product, source="drawn by rule"
    )
    return drawn.with_uses(skip) if skip else drawn


def _indices(reach: float, middle: float) -> range:
    return range(math.ceil(middle - reach), math.floor(middle + reach) + 1)
