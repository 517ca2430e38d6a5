"""All trains that generators play, brought into the world edge by edge, or, where nothing happens, in one leap.

While all trains repeat themselves, what a cell sees in one period it sees in every one. Switching and breakdown have
no memory beyond the first nanoseconds of a level (die.py), so the expected number of events of one period tells, by one
exponential draw as in `World.wait`, how many periods pass before the next event. A million periods then cost no more
than a few, and nothing is lost.

Where cells switch to and fro all the time, following each event would take for ever. Then the state of each cell
after many periods is drawn from its own two-state chain, in which other cells' states count as they are at the
beginning; the last periods are played.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .pulse_pieces import MOST_MULTIPLE, Piece, common_period, on_a_grid, over_one_period, thinned
from .pulse_train import Train

if TYPE_CHECKING:
    from .world import World

_LEAST_EDGES = 8
_QUIET = 1e-10
"""Expected number of events below which a stretch of time counts as uneventful, as in world.py."""
_LEAST_PERIODS = 4
"""Periods from which a leap pays."""
_MOST_PIECES = 8192
_EDGES_PER_WAIT = 100
"""Events that are followed one by one in one wait, before cells' states are drawn from their chains."""
_LAST_PERIODS = 8
_NEAR = 0.25
"""Expected events of one period from which they are not followed one by one."""


def trains_of(world: World) -> Trains:
    """The trains of a world."""
    return world.processes.shared(Trains, lambda: Trains(world))


_Rates = dict[tuple[float, ...], tuple[float, float]]
"""By the trains' levels: the rate of all events, 1/s, and for how many seconds it counts if it is zero."""


def _is_known(known: tuple[float, float] | None, seconds: float) -> bool:
    return known is not None and (known[0] > 0 or seconds <= known[1])


class Trains:
    """All trains that are being played in a world; a process of it.

    Attributes:
        watchers: how many look at every edge, as a trigger input does; nothing is leapt over while there are any.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._playing: list[Train] = []
        self._fast: list[Train] = []
        self._known: _Rates = {}
        self._known_for: tuple[object, ...] = ()
        self._own_changes = 0
        self._edges_left = _EDGES_PER_WAIT
        self._next_try = self._harmful_until = 0.0
        self._rng = world.rng("trains")
        self.watchers = 0

    def start(self, train: Train, at: float) -> None:
        """Play it from world second `at` on; its output rests until then."""
        self.stop(train)
        train.begin(at)
        if train.is_playing:
            self._playing.append(train)
            if at <= self._world.seconds:
                train.advance()
            self._world.processes.start(self, self._world.seconds)
        train.drive(train.level)

    def stop(self, train: Train) -> None:
        """Break off; the output stays where it is."""
        train.next = math.inf
        if train in self._playing:
            self._playing.remove(train)
            if not self._playing:
                self._world.processes.stop(self)

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        self._edges_left = _EDGES_PER_WAIT
        self._next_try = self._harmful_until = start
        self._known.clear()

    def next_change(self) -> float:
        """See Process."""
        return min((train.next for train in self._playing), default=math.inf)

    def change(self, now: float) -> None:
        """See Process: over all edges of this moment at once, then as far ahead as nothing happens."""
        self._edges_left -= 1
        self._own_changes += 1
        with self._world.at_once():
            for train in tuple(self._playing):
                if train.next <= now:
                    while train.next <= now:
                        train.advance()
                    train.drive(train.level)
                if not train.is_playing:
                    self.stop(train)
        if self._playing and self.watchers == 0:
            self._leap()

    def _leap(self) -> None:
        now = self._world.seconds
        until = min(self._world.processes.next_but(self), *(train.steady_until for train in self._playing))
        if not math.isfinite(until) or now < self._next_try:
            return
        if now >= self._harmful_until and self._edges_before(until) >= _LEAST_EDGES:
            if self._is_harmless(until):
                self._skip(until - now)
                self._drive_present()
                return
            self._harmful_until = until
        self._fast = [train for train in self._playing if train.period > 0]
        while self._fast and not self._leap_with_fast(until):
            self._fast.remove(max(self._fast, key=lambda train: train.period))

    def _edges_before(self, until: float) -> float:
        return sum(train.edges_until(self._world.seconds, until) for train in self._playing)

    def _leap_with_fast(self, until: float) -> bool:
        """Leap to the next edge of those that are not fast, if the fast ones have enough periods before it."""
        slow = [train for train in self._playing if train not in self._fast]
        until = min([until, *(train.next for train in slow)])
        longest, left = max(train.period for train in self._fast), until - self._world.seconds
        if left / longest < _LEAST_PERIODS:
            return False
        common = common_period([train.period for train in self._fast])
        if common is not None and left / common >= _LEAST_PERIODS and self._has_few_edges(common):
            self._leap_over(self._pieces(common), common, until)
            return True
        if left / longest >= (MOST_MULTIPLE if self._edges_left > 0 else _LEAST_PERIODS):
            self._leap_over(self._mixture(longest), longest, until)
            return True
        return False

    def _has_few_edges(self, period: float) -> bool:
        return sum(train.edges_until(0.0, period) for train in self._fast) <= _MOST_PIECES

    def _is_harmless(self, until: float) -> bool:
        """Whether no combination of levels, met or not, can do anything to a cell until then.

        Cells' voltages follow the levels linearly and their rates their voltages monotonically, so that none is
        exposed to more than at the extreme levels.
        """
        bound, seconds = 0.0, until - self._world.seconds
        with self._world.at_once():
            for levels in product(*(train.extremes for train in self._playing)):
                for train, level in zip(self._playing, levels, strict=True):
                    train.drive(level)
                bound += self._world.event_bound(seconds)
            self._drive_present()
        return bound * seconds < _QUIET

    def _pieces(self, period: float) -> list[Piece]:
        """One period from now on."""
        now = self._world.seconds
        playing = enumerate(self._playing)
        edges = [(at, number, level) for number, train in playing for at, level in train.edges(now, period)]
        levels, begin, pieces = [train.level for train in self._playing], 0.0, []
        for at, number, level in sorted(edges):
            if at > begin:
                pieces.append(Piece(at - begin, tuple(levels)))
                begin = at
            levels[number] = level
        return on_a_grid([*pieces, Piece(period - begin, tuple(levels))])

    def _mixture(self, period: float) -> list[Piece]:
        """Trains that do not keep step: each level of one meets each level of the others as often as chance has it."""
        shares = [train.shares() if train in self._fast else [(1.0, train.level)] for train in self._playing]
        if math.prod(len(of_one) for of_one in shares) > _MOST_PIECES:
            shares = [thinned(of_one) for of_one in shares]
        pieces = [
            Piece(period * math.prod(share for share, _ in met), tuple(level for _, level in met))
            for met in product(*shares)
        ]
        return on_a_grid(pieces)

    def _leap_over(self, pieces: list[Piece], period: float, until: float) -> None:
        self._next_try = min(until, self._world.seconds + period)
        periods = math.floor((until - self._world.seconds) / period) - 1
        if periods < 1:
            return
        expected = self._expected(pieces, periods)
        of_period = sum(expected)
        if (of_period > _NEAR or self._edges_left <= 0) and periods > _LAST_PERIODS:
            self._draw_from_chains(pieces, period, periods - _LAST_PERIODS)
            return
        if of_period > _NEAR:
            return
        draw = self._rng.exponential()
        quiet = periods if of_period <= 0 else min(math.floor(draw / of_period), periods)
        self._skip(quiet * period)
        self._next_try = self._world.seconds
        if quiet < periods:
            self._meet(pieces, expected, draw - quiet * of_period)

    def _expected(self, pieces: list[Piece], periods: float) -> list[float]:
        """Expected events in each piece of a period, with the cells as they are now."""
        exposed: dict[tuple[float, ...], float] = {}
        for piece in pieces:
            exposed[piece.levels] = exposed.get(piece.levels, 0.0) + piece.seconds * periods
        stretches = _longest_stretches(pieces)
        known = self._rates_known()
        unknown = [levels for levels, seconds in exposed.items() if not _is_known(known.get(levels), seconds)]
        for levels in unknown:
            self._drive(levels)
            known[levels] = (self._world.event_rate(exposed[levels], stretches[levels]), exposed[levels])
        if unknown:
            self._drive_present()
        return [known[piece.levels][0] * piece.seconds for piece in pieces]

    def _rates_known(self) -> _Rates:
        """Rates found before in this wait, if nothing but edges of these trains has happened since."""
        die, others = self._world.die, self._world.processes.changes - self._own_changes
        now = (others, tuple(map(id, self._playing)), die.is_parallel.tobytes(), die.kind.tobytes())
        if self._known_for != now:
            self._known.clear()
            self._known_for = now
        return self._known

    def _drive(self, levels: Sequence[float]) -> None:
        with self._world.at_once():
            for train, level in zip(self._playing, levels, strict=True):
                train.drive(level)

    def _drive_present(self) -> None:
        self._drive([train.level for train in self._playing])

    def _skip(self, seconds: float) -> None:
        if seconds > 0:
            self._world.pass_quietly(seconds)
            for train in self._playing:
                train.skip(seconds)
                self._catch_up(train)

    def _catch_up(self, train: Train) -> None:
        while train.next < self._world.seconds:
            train.advance()

    def _meet(self, pieces: list[Piece], expected: list[float], draw: float) -> None:
        """The event of this period happens where the draw is used up."""
        passed, struck, share = 0.0, pieces[-1], 1.0
        for piece, events in zip(pieces, expected, strict=True):
            if draw < events:
                struck, share = piece, draw / events
                break
            draw -= events
            passed += piece.seconds
        self._world.pass_quietly(min(passed + struck.seconds * share, sum(piece.seconds for piece in pieces)))
        for train in self._playing:
            self._catch_up(train)
        self._drive(struck.levels)
        self._world.strike()
        self._drive_present()

    def _draw_from_chains(self, pieces: list[Piece], period: float, periods: int) -> None:
        """Every cell's state after many periods, from the rates with which it leaves each of its two states."""
        rates = {}
        for levels, stretch_seconds in _longest_stretches(pieces).items():
            self._drive(levels)
            rates[levels] = self._world.exposure(stretch_seconds)
        kept, gained, wear = over_one_period([(piece.seconds, *rates[piece.levels]) for piece in pieces])
        still_kept = kept**periods
        with np.errstate(invalid="ignore", divide="ignore"):
            gathered = np.where(kept < 1, gained * (1 - still_kept) / (1 - kept), gained * periods)
        chance_of_other = np.clip(gathered, 0.0, 1.0)
        switched = np.flatnonzero(self._rng.random(kept.size) < chance_of_other)
        broken = np.flatnonzero(self._rng.random(kept.size) < -np.expm1(-wear * periods))
        self._skip(periods * period)
        self._drive_present()
        self._world.overtake(switched.tolist(), broken.tolist())


def _longest_stretches(pieces: list[Piece]) -> dict[tuple[float, ...], float]:
    """For each combination of levels, how long it lasts at a time, at most."""
    found: dict[tuple[float, ...], float] = {}
    for piece in pieces:
        found[piece.levels] = max(found.get(piece.levels, 0.0), piece.seconds)
    return found
