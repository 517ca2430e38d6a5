"""Bring all cells of an array into one state at once by a magnetic field."""

from __future__ import annotations

from dataclasses import dataclass

from mtjlab.nouns import Line, Lines, State
from mtjlab.roles import Crossbar, FieldSource


@dataclass(frozen=True)
class FieldStart:
    """What initialises an array.

    Attributes:
        source: prepared for at least `tesla`.
        tesla: magnitude that switches every cell.
    """

    source: FieldSource
    tesla: float


def initialise_by_field(crossbar: Crossbar, start: FieldStart, state: State) -> None:
    """All cells that can switch into `state`; no bias, and no field at the end, however it ends.

    The field stays while one reading at 0 V is made. Cells without a target are switched as well.
    """
    crossbar.idle()
    try:
        start.source.set_tesla(start.tesla if state == State.P else -start.tesla)
        crossbar.measure(Lines.grounded(*crossbar.shape), [Line("col", 0)])
    finally:
        try:
            start.source.set_tesla(0.0)
        finally:
            crossbar.idle()
