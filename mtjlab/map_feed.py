"""Maps handed over as dies are finished, and followed at once by whoever trains or infers on them."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Condition

import numpy as np

from .die_maps import DieMaps
from .errors import InputError
from .nouns import ArrayMap, DieId


class MapFeed:
    """Collects the maps of each die's kernels and passes on every die that is complete.

    A protocol calls `hand` (as its `keep`, for example) from any thread; `for die in feed` waits for the next die and
    ends once the feed was closed. Several may follow: each sees all dies from the first. `with feed:` around the
    measurement closes it in any event, so that nobody waits for a bench that has failed.

    Args:
        kernels: arrays per die.
    """

    def __init__(self, kernels: int = 1) -> None:
        if kernels < 1:
            raise InputError(f"a die has at least one kernel, got {kernels}")
        self.kernels = kernels
        self._open: dict[DieId, dict[int, ArrayMap]] = {}
        self._complete: list[DieMaps] = []
        self._is_closed = False
        self._changed = Condition()

    def hand(self, array_map: ArrayMap, kernel: int = 0) -> None:
        """Take the map of one kernel. A later one of an unfinished die replaces the earlier.

        A partial map does not finish its die, nor does one that lacks a state: protocols keep what they have on the
        way, and when they are interrupted.

        Raises:
            InputError: there is no such kernel, the shape differs from the maps before, the die was passed on already,
                or the feed is closed.
        """
        with self._changed:
            self._require_welcome(array_map, kernel)
            maps = self._open.setdefault(array_map.die, {})
            maps[kernel] = array_map
            if len(maps) == self.kernels and all(_is_whole(each) for each in maps.values()):
                self._complete.append(DieMaps.of([[maps[k] for k in range(self.kernels)]]))
                del self._open[array_map.die]
                self._changed.notify_all()

    def close(self) -> None:
        """No more maps will come; those who follow stop after the last complete die."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __enter__(self) -> MapFeed:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[DieMaps]:
        """Every complete die, from the first, as a collection of one; waits for the next until the feed is closed."""
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or len(self._complete) > seen)  # noqa: B023
                if len(self._complete) == seen:
                    return
                die = self._complete[seen]
            seen += 1
            yield die

    @property
    def unfinished(self) -> dict[DieId, tuple[int, ...]]:
        """Dies that lack maps, each with the kernels that are there and whole."""
        with self._changed:
            return {
                die: tuple(sorted(k for k, each in maps.items() if _is_whole(each))) for die, maps in self._open.items()
            }

    def so_far(self) -> DieMaps:
        """All complete dies. Raises InputError if there is none yet."""
        with self._changed:
            complete = list(self._complete)
        if not complete:
            raise InputError("no die is complete yet", remedy="Wait for the first one: iterate over the feed")
        return DieMaps.joined(complete)

    def _require_welcome(self, array_map: ArrayMap, kernel: int) -> None:
        die = array_map.die
        if self._is_closed:
            raise InputError(f"a map of {die} came after the feed was closed")
        if not 0 <= kernel < self.kernels:
            raise InputError(f"kernel {kernel} of a die of {self.kernels}", where=str(die))
        if any(done.dies[0] == die for done in self._complete):
            raise InputError(
                "this die is complete and was passed on", where=str(die), remedy="Give a second measurement another id"
            )
        shape = self._shape()
        if shape is not None and shape != array_map.shape:
            raise InputError(f"a map of shape {array_map.shape} after maps of {shape}", where=str(die))

    def _shape(self) -> tuple[int, int] | None:
        if self._complete:
            return self._complete[0].kernel_shape
        return next((each.shape for maps in self._open.values() for each in maps.values()), None)


def _is_whole(array_map: ArrayMap) -> bool:
    """Whether the array was covered, in both states."""
    both = np.isfinite(array_map.siemens_p) & np.isfinite(array_map.siemens_ap)
    return not array_map.is_partial and bool(both.any())
