"""Where the time of a run went: stages by name, each with its wall time and what it cost on the bench."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .nouns import Cost, Progress


class Stages:
    """A Progress that notes when the stage changes, and passes everything on.

    Args:
        spent: what the bench has cost so far.
        then: the Progress that shows it.
    """

    def __init__(self, spent: Callable[[], Cost], then: Progress) -> None:
        self._spent = spent
        self._then = then
        self._began: tuple[str, float, Cost] | None = None
        self._finished: list[dict[str, Any]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        """The `mtjlab.nouns.Progress` callable."""
        if self._began is None or self._began[0] != what:
            self.close()
            self._began = (what, time.perf_counter(), self._spent())
        self._then(what, done, total)

    def close(self) -> list[dict[str, Any]]:
        """End the running stage; returns all stages so far, as plain values."""
        if self._began is not None:
            what, started, before = self._began
            cost = self._spent() - before
            self._finished.append(
                {
                    "name": what,
                    "wall_seconds": round(time.perf_counter() - started, 3),
                    "bench_seconds": round(cost.bench_seconds, 3),
                    "readings": cost.readings,
                    "pulses": cost.pulses,
                }
            )
            self._began = None
        return self._finished
