"""The crosspoints of a 707B: which are closed, by what rule they move, and how long that takes."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from .channel_list import Channel
from .switches import Switches
from .timing import KEITHLEY_707B as TIMING
from .world import World

OFF, BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK = 0, 1, 2
Steps = Generator[float, None, None]


class MatrixRelays:
    """All crosspoints of one mainframe.

    Args:
        world: where they conduct.
        switches: the contacts, in the order of `channels`.
        channels: all crosspoints.

    Attributes:
        closed: channels that are closed now.
        rule: OFF, BREAK_BEFORE_MAKE or MAKE_BEFORE_BREAK.
        is_sequential: whether relays move one after another.
        delays: user delays in seconds.
        counts: how often each channel has closed.
    """

    def __init__(self, world: World, switches: Switches, channels: Iterable[Channel]) -> None:
        self._world = world
        self.switches = switches
        self._numbers = {channel: k for k, channel in enumerate(channels)}
        self.closed: frozenset[Channel] = frozenset()
        self.rule = BREAK_BEFORE_MAKE
        self.is_sequential = False
        self.delays: dict[Channel, float] = {}
        self.counts: dict[Channel, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def moves(self, wanted: frozenset[Channel]) -> Steps:
        """Move so that exactly these are closed; yields the seconds that pass before each next step.

        Manual, section 2, "Connection methods".
        """
        to_open, to_close = self.closed - wanted, wanted - self.closed
        if not to_open and not to_close:
            return
        for channel in to_close:
            self.counts[channel] = self.counts.get(channel, 0) + 1
        if self.rule == OFF:
            yield self._step(wanted, max(len(to_open), len(to_close)), to_close)
            return
        halfway = self.closed - to_open if self.rule == BREAK_BEFORE_MAKE else self.closed | to_close
        if halfway != self.closed:
            is_closing = self.rule == MAKE_BEFORE_BREAK
            yield self._step(halfway, len(to_close if is_closing else to_open), to_close if is_closing else ())
        if wanted != self.closed:
            is_closing = self.rule == BREAK_BEFORE_MAKE
            yield self._step(wanted, len(to_close if is_closing else to_open), to_close if is_closing else ())

    def _step(self, closed: frozenset[Channel], moves: int, closing: Iterable[Channel]) -> float:
        """Move at once; returns how long the instrument waits then."""
        before = self._world.seconds
        self.switches.set(self._numbers[channel] for channel in closed)
        moved = self._world.seconds - before
        self.closed = closed
        delays = [self.delays[channel] for channel in closing if channel in self.delays]
        if self.is_sequential:
            seconds = moves * TIMING.relay_seconds + sum(delays)
        else:
            seconds = TIMING.relay_seconds + max(delays, default=0.0)
        return max(seconds - moved, 0.0)
