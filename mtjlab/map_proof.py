"""Proof that a wafer map and a prober mean the same dies, by going there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import InputError
from .prober import ErrorClass, Prober, ProberError
from .wafer_map import MapDie, WaferMap

PARTS_OF_PITCH = 0.25
"""A stage that is further from where the map has the die than this part of the pitch is on another die (assumption)."""


def prove_map(prober: Prober, wafer_map: WaferMap, dies: Sequence[MapDie], *, touches: bool = False) -> list[float]:
    """Go to each of these dies and compare what the prober reads back with what the map says.

    Numbers alone prove little: a map that counts the other way has a die of that number too. So the way of the stage
    from die to die is compared with the map's pitch and axes as well, where the prober tells it and the map has them.

    Args:
        dies: not all in one line, or a map that is turned over passes.
        touches: touch down on each as well.

    Returns:
        how far the stage was from where the map has the die, metres, for each but the first; empty where it is unknown.

    Raises:
        InputError: fewer than three dies, or all in one line.
        ProberError: the prober is elsewhere (operator).
    """
    _check_spread(dies)
    found: list[tuple[float, float]] = []
    for die in dies:
        prober.to_die(die.x, die.y)
        if touches:
            prober.contact()
            prober.separate()
        if prober.capabilities.reads_stage and wafer_map.pitch_metres is not None:
            found.append(prober.stage_metres())
    return [_away(wafer_map, dies[0], die, found[0], place) for die, place in zip(dies[1:], found[1:], strict=False)]


def _check_spread(dies: Sequence[MapDie]) -> None:
    first = dies[0] if dies else MapDie(0, 0)
    steps = [(die.x - first.x, die.y - first.y) for die in dies]
    if not any(a * d - b * c for a, b in steps for c, d in steps):
        raise InputError("dies in one line do not prove a map", remedy="Name three dies that make a triangle")


def _away(
    wafer_map: WaferMap, first: MapDie, die: MapDie, start: tuple[float, float], place: tuple[float, float]
) -> float:
    before, after = wafer_map.place_metres(first.x, first.y), wafer_map.place_metres(die.x, die.y)
    away = math.hypot(*(place[k] - start[k] - (after[k] - before[k]) for k in (0, 1)))
    if away > PARTS_OF_PITCH * min(wafer_map.pitch_metres or (math.inf,)):
        raise ProberError(
            f"from die ({first.x}, {first.y}) to die ({die.x}, {die.y}) the stage went "
            f"{1e3 * (place[0] - start[0]):.3f} mm to the right and {1e3 * (place[1] - start[1]):.3f} mm up, "
            f"but by the map it is {1e3 * (after[0] - before[0]):.3f} mm and {1e3 * (after[1] - before[1]):.3f} mm",
            error_class=ErrorClass.OPERATOR,
            where=wafer_map.source,
            remedy="Correct pitch, axes or transform of the map, or the wafer map of the prober",
        )
    return away
