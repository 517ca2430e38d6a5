"""Temperature, field or anything else as an outer loop: set it, measure, go on; back to rest at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from mtjlab.nouns import Progress, unheard

from .characterize_run import IsStopped, not_stopped

R = TypeVar("R")


def at_each(
    values: Iterable[float],
    set_value: Callable[[float], object],
    measure: Callable[[float], R],
    *,
    rest: float | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[float, R], None] | None = None,
) -> list[tuple[float, R]]:
    """Measure under each of a series of conditions; loops nest, one inside the `measure` of another.

    Args:
        values: kelvin, tesla, or what the instrument takes.
        set_value: brings it about and returns when it has settled.
        measure: a protocol; it is given the value.
        rest: what is set at the end, however the loop ends.
        is_stopped: asked before each value is set; what has been measured by then is returned.
        keep: receives each result as soon as it is there.
    """
    wanted, found = list(values), []
    progress("conditions", 0, len(wanted))
    try:
        for value in wanted:
            if is_stopped():
                break
            set_value(value)
            found.append((value, measure(value)))
            if keep:
                keep(*found[-1])
            progress("conditions", len(found), len(wanted))
    finally:
        if rest is not None:
            set_value(rest)
    return found
