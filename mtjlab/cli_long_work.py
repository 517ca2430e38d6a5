"""How far long computations are: bars in a terminal, elsewhere a line on standard error now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from .nouns import Progress

_SAY_EVERY_SECONDS = 10.0


@contextmanager
def told_progress() -> Iterator[Progress]:
    """A `mtjlab.nouns.Progress` that says how far each piece of work is, and how long it may still take."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from .screen import ProgressScreen

    with ProgressScreen() as screen:
        yield screen


def _lines() -> Progress:
    begun: dict[str, tuple[float, int]] = {}
    said = [0.0]

    def say(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        started, first = begun.setdefault(what, (now, done))
        if done < total and now - said[0] < _SAY_EVERY_SECONDS:
            return
        said[0] = now
        fresh = done - first
        left = f", about {(now - started) / fresh * (total - done):.0f} s left" if fresh and done < total else ""
        typer.echo(f"{what}: {done} of {total}{left}", err=True)

    return say
