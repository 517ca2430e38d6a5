"""Parts of a period in which no train changes, and what one period does to cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtjlab.nouns import Floats

MOST_MULTIPLE = 64
"""Trains whose common period is at most so many times the longest's are followed exactly, others as a mixture."""
_MOST_LEVELS, _GRID = 200, 64
"""Where there are more different levels, they are rounded to this many steps of the amplitude."""
_FEW = 16
_SAME = 1e-9


class Piece(NamedTuple):
    """A part of a period in which no train changes: how long, and the level of each."""

    seconds: float
    levels: tuple[float, ...]


def over_one_period(exposed: list[tuple[float, Floats, Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
    """What one period does to a cell's chance p of being in the other state: p becomes kept * p + gained.

    Args:
        exposed: for each piece its seconds and every cell's rates of leaving its state, returning and breaking down.

    Returns kept, gained, and the expected breakdowns.
    """
    size = exposed[0][1].size
    kept, gained, wear = np.ones(size), np.zeros(size), np.zeros(size)
    for seconds, leaving, returning, breaking in exposed:
        total = leaving + returning
        decay = np.exp(-total * seconds)
        settled = np.divide(leaving, total, out=np.zeros(size), where=total > 0)
        kept, gained = kept * decay, gained * decay + settled * (1 - decay)
        wear += breaking * seconds
    return kept, gained, wear


def on_a_grid(pieces: list[Piece]) -> list[Piece]:
    """Where there are many different levels, the same with levels rounded to a grid: each costs a solution."""
    if len({piece.levels for piece in pieces}) <= _MOST_LEVELS:
        return pieces
    return [Piece(p.seconds, tuple(round(level * _GRID) / _GRID for level in p.levels)) for p in pieces]


def thinned(shares: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A few levels instead of many, of equal shares together: each the highest or lowest of its group."""
    if len(shares) <= _FEW:
        return shares
    ordered = sorted(shares, key=lambda shared: shared[1])
    size = -(-len(ordered) // _FEW)
    groups = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
    return [(sum(share for share, _ in g), max((level for _, level in g), key=lambda v: abs(v - 0.5))) for g in groups]


def common_period(periods: Sequence[float]) -> float | None:
    """The shortest that is a multiple of all (zero: constant); None if there is none that is short enough."""
    own = [period for period in periods if period > 0]
    longest = max(own)
    for multiple in range(1, MOST_MULTIPLE + 1):
        common = multiple * longest
        if all(abs(common / period - round(common / period)) < _SAME * round(common / period) for period in own):
            return common
    return None
