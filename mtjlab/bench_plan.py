"""Which source drives which lines, and in which order to read so that the fewest relays move; no instrument in here.

A plan routes lines to sources. Sources are the SMUs by their station names, and the common ground where the wiring has
a matrix row for it: it keeps lines at 0 V that would otherwise take an SMU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .errors import InputError
from .nouns import Line, Lines, Site
from .roles import LineRead
from .wiring import GROUND

Routes = Mapping[str, frozenset[Line]]
"""Which lines each source is connected to; sources without a line are left out."""
Groups = Mapping[str, tuple[float, frozenset[Line]]]
"""Likewise with the level of each source."""


@dataclass(frozen=True)
class Sources:
    """What can drive lines.

    Attributes:
        names: SMUs: the first drives the selected line, the last senses, those between hold the unselected lines.
        has_ground: whether lines can be connected to the common ground without an SMU.
    """

    names: tuple[str, ...]
    has_ground: bool = False

    @property
    def levels(self) -> int:
        """How many distinct levels there can be at once."""
        return len(self.names) + self.has_ground


@dataclass(frozen=True)
class Block:
    """Reads that need no relay to move between them.

    Attributes:
        routes: what is connected meanwhile.
        numbers: which reads of the series, in order.
    """

    routes: Routes
    numbers: tuple[int, ...]


def driven(lines: Lines) -> dict[Line, float]:
    """Level of every line that is not floating."""
    rows = {Line("row", i): v for i, v in enumerate(lines.row_volts.tolist()) if v == v}
    return rows | {Line("col", j): v for j, v in enumerate(lines.col_volts.tolist()) if v == v}


def level_of(lines: Lines, line: Line) -> float:
    """Level of one line."""
    return float((lines.row_volts if line.axis == "row" else lines.col_volts)[line.number])


def is_driven(lines: Lines, line: Line) -> bool:
    """Whether there is such a line and it is not floating."""
    volts = lines.row_volts if line.axis == "row" else lines.col_volts
    return 0 <= line.number < volts.size and not np.isnan(volts[line.number])


def is_any_driven(lines: Lines) -> bool:
    """Whether not all lines float."""
    return not (np.isnan(lines.row_volts).all() and np.isnan(lines.col_volts).all())


def furthest_from_ground(lines: Lines) -> Line:
    """The line that a pulse selects."""
    levels = driven(lines)
    return max(levels, key=lambda line: abs(levels[line]))


def selected_sites(lines: Lines) -> list[tuple[Site, float]]:
    """Cells that see more than three quarters of the largest voltage, and the volts across each."""
    across = lines.row_volts[:, None] - lines.col_volts[None, :]
    across[np.isnan(across)] = 0.0
    size = np.abs(across)
    rows, cols = np.nonzero(size > 0.75 * size.max())
    volts = across[rows, cols].tolist()
    return [(Site(i, j), own) for i, j, own in zip(rows.tolist(), cols.tolist(), volts, strict=True)]


def routes_for(
    series: Sequence[Mapping[Line, float]], sources: Sources, sense: Line | None = None, selected: Line | None = None
) -> Routes:
    """Routes that serve all of these levels in turn: lines that always go together share a source.

    The sensed line has the last SMU to itself, the selected line is with the first one, which is also where the
    largest level is. Raises InputError if there are more levels at once than sources.
    """
    together: dict[tuple[float, ...], set[Line]] = {}
    for line in series[0]:
        if line != sense:
            together.setdefault(tuple(levels[line] for levels in series), set()).add(line)
    names = list(sources.names if sense is None else sources.names[:-1])
    pulsed = None if selected is None else tuple(levels[selected] for levels in series)
    routes = {} if sense is None else {sources.names[-1]: frozenset([sense])}
    at_zero = tuple(0.0 for _ in series)
    if sources.has_ground and at_zero in together and at_zero != pulsed:
        routes[GROUND] = frozenset(together.pop(at_zero))
    order = sorted(together, key=lambda levels: (levels != pulsed, -_largest(levels), tuple(-v for v in levels)))
    if len(order) > len(names):
        raise InputError(
            f"{len(order)} levels at once need {len(order)} SMUs, {len(names)} are free",
            remedy="Use a scheme with fewer levels, or add an SMU to the station and the wiring file",
        )
    if order == [at_zero] and sense is not None and len(names) > 1:
        names = names[1:]
    return routes | {name: frozenset(together[levels]) for name, levels in zip(names, order, strict=False)}


def serves(routes: Routes, lines: Lines, sources: Sources, sense: Line | None, selected: Line | None) -> bool:
    """Whether these routes can put these lines at their levels without a relay moving."""
    levels = driven(lines)
    if not routes or levels.keys() != frozenset().union(*routes.values()):
        return False
    if sense is not None and routes.get(sources.names[-1]) != frozenset([sense]):
        return False
    if any(len({levels[line] for line in on}) > 1 for on in routes.values()):
        return False
    if any(levels[line] for line in routes.get(GROUND, ())):
        return False
    drives = routes.get(sources.names[0], frozenset())
    if selected is not None and selected not in drives:
        return False
    largest = max((volts for line, volts in levels.items() if line != sense), key=abs, default=0.0)
    return not largest or any(levels[line] == largest for line in drives)


def groups_of(routes: Routes, lines: Lines) -> Groups:
    """The level of each source, for routes that serve these lines."""
    return {name: (level_of(lines, next(iter(on))), on) for name, on in routes.items()}


def blocks(reads: Sequence[LineRead], sources: Sources) -> list[Block]:
    """Neighbours in a series that can share routes, which read each cell with all its levels on the same source.

    A read with all lines at 0 V could share the routes of those before it as well as of those after it: it belongs to
    what comes after it, as the zero of that.
    """
    if not reads:
        return []
    series = _levels_of(reads)
    cuts = _Cuts()
    found: list[Block] = []
    first, parts = 0, cuts.first(series[0])
    for number in range(1, len(reads)):
        levels, begun = series[number], series[first]
        is_like = levels is begun or levels.keys() == begun.keys()
        goes_on = is_like and reads[number].sense == reads[first].sense
        finer = cuts.cut(parts, levels) if goes_on else parts
        if goes_on and _goes_on(finer, reads, series, number, sources):
            parts = finer
        else:
            found.append(_block(first, number, reads, series, sources))
            first, parts = number, cuts.first(levels)
    return [*found, _block(first, len(reads), reads, series, sources)]


def _levels_of(reads: Sequence[LineRead]) -> list[Mapping[Line, float]]:
    """Levels of each read; reads that share their lines share these."""
    known = {id(lines): driven(lines) for lines in {id(read.lines): read.lines for read in reads}.values()}
    return [known[id(read.lines)] for read in reads]


def _block(
    first: int, end: int, reads: Sequence[LineRead], series: Sequence[Mapping[Line, float]], sources: Sources
) -> Block:
    different = list({id(levels): levels for levels in series[first:end]}.values())
    return Block(routes_for(different, sources, reads[first].sense), tuple(range(first, end)))


def _goes_on(
    parts: _Parts, reads: Sequence[LineRead], series: Sequence[Mapping[Line, float]], number: int, sources: Sources
) -> bool:
    """Whether a read goes on with the block that has been cut into these parts by it and those before it."""
    sense = reads[number].sense
    if not parts.fit(sense, sources):
        return False
    if any(series[number].values()) or number + 1 == len(reads):
        return True
    after = series[number + 1]
    if reads[number + 1].sense != sense or after.keys() != series[number].keys():
        return True
    return parts.cut(after).fit(sense, sources) or not _Parts.whole(after).cut(after).fit(sense, sources)


@dataclass(frozen=True)
class _Parts:
    """Lines that have always gone together so far.

    Attributes:
        of: the part of each line.
        at_zero: parts that have always been at 0 V.
    """

    of: Mapping[Line, int]
    at_zero: frozenset[int]

    @classmethod
    def whole(cls, lines: Iterable[Line]) -> _Parts:
        """Nothing is known yet."""
        return cls(dict.fromkeys(lines, 0), frozenset([0]))

    def cut(self, levels: Mapping[Line, float]) -> _Parts:
        """Lines part whose levels differ."""
        numbers: dict[tuple[int, float], int] = {}
        of = {line: numbers.setdefault((part, levels[line]), len(numbers)) for line, part in self.of.items()}
        at_zero = (number for (part, level), number in numbers.items() if part in self.at_zero and level == 0)
        return _Parts(of, frozenset(at_zero))

    def fit(self, sense: Line, sources: Sources) -> bool:
        """Whether there is a source for each part beside the sensed line."""
        own = self.of.get(sense)
        groups = self.sizes.keys() - {own} if own is not None and self.sizes[own] == 1 else self.sizes.keys()
        return len(groups - self.at_zero if sources.has_ground else groups) <= len(sources.names) - 1

    @cached_property
    def sizes(self) -> Mapping[int, int]:
        """How many lines each part has."""
        return Counter(self.of.values())


class _Cuts:
    """Parts that have been cut before: a series of reads puts the same few levels on, again and again."""

    def __init__(self) -> None:
        self._first: dict[int, _Parts] = {}
        self._cut: dict[tuple[int, int], _Parts] = {}

    def first(self, levels: Mapping[Line, float]) -> _Parts:
        """As the first read of a block cuts them. The levels must live as long as this."""
        if id(levels) not in self._first:
            self._first[id(levels)] = _Parts.whole(levels).cut(levels)
        return self._first[id(levels)]

    def cut(self, parts: _Parts, levels: Mapping[Line, float]) -> _Parts:
        """`parts.cut(levels)`; the parts must have come from here."""
        key = id(parts), id(levels)
        if key not in self._cut:
            self._cut[key] = parts.cut(levels)
        return self._cut[key]


def in_order(found: Sequence[Block], present: Routes) -> list[Block]:
    """The blocks so that few relays move from one to the next: always the nearest, the earliest of those as near.

    From any cell of an array to any other in the same row or column it is the same few relays, so a whole array is
    read row after row with the fewest moves that there can be.
    """
    places: dict[tuple[str, Line], int] = {}
    masks = [_mask(block.routes, places) for block in found]
    now = _mask(present, places)
    left, order = dict(enumerate(masks)), []
    while left:
        nearest = min(left, key=lambda number: ((left[number] ^ now).bit_count(), number))
        now = left.pop(nearest)
        order.append(found[nearest])
    return order


def held_source(routes: Routes) -> str | None:
    """The source with the most lines: a matrix that can hold lines holds those; none if no source has two."""
    largest = max(routes, key=lambda name: (len(routes[name]), name == GROUND))
    return largest if len(routes[largest]) > 1 else None


def relay_moves(order: Iterable[Block], present: Routes) -> int:
    """How many relays open or close on the way through these blocks."""
    places: dict[tuple[str, Line], int] = {}
    now, moves = _mask(present, places), 0
    for block in order:
        then = _mask(block.routes, places)
        now, moves = then, moves + (then ^ now).bit_count()
    return moves


def _mask(routes: Routes, places: dict[tuple[str, Line], int]) -> int:
    """The closed relays as bits; `places` numbers them as they come."""
    mask = 0
    for name, on in routes.items():
        for line in on:
            mask |= 1 << places.setdefault((name, line), len(places))
    return mask


def _largest(levels: Sequence[float]) -> float:
    return max(abs(level) for level in levels)
