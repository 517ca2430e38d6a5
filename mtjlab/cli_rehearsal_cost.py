"""What a rehearsal leaves out and the run will spend: samples of a network that were not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cli_open_bench import OpenBench

_RUNNING = ": running "
"""In the words of a stage that does as many things as there are samples."""


@dataclass(frozen=True)
class Spent:
    """Readings, bench seconds and messages."""

    readings: float = 0.0
    bench_seconds: float = 0.0
    messages: float = 0.0


class Reckoner:
    """What a network that was run with some of its samples would have spent on the others, stage by stage."""

    def __init__(self, bench: OpenBench) -> None:
        self._bench = bench
        self._stage, self._began, self._more = "", self._now(), Spent()

    def hear(self, what: str, share: float) -> None:
        """A stage does something; `share` of the samples are run."""
        if what != self._stage:
            self._close(share)
            self._stage = what

    def step_is_over(self, share: float) -> Spent:
        """What is to be added to the step."""
        self._close(share)
        more, self._stage, self._more = self._more, "", Spent()
        return more

    def _close(self, share: float) -> None:
        now, began, times = self._now(), self._began, 1 / share - 1
        if _RUNNING in self._stage:
            self._more = Spent(
                self._more.readings + times * (now.readings - began.readings),
                self._more.bench_seconds + times * (now.bench_seconds - began.bench_seconds),
                self._more.messages + times * (now.messages - began.messages),
            )
        self._began = now

    def _now(self) -> Spent:
        spent = self._bench.crossbar.spent
        return Spent(spent.readings, spent.bench_seconds, sum(self._bench.messages()))
