"""Where the dies of a wafer are drawn: as the wafer lies, whichever way the prober counts."""

from __future__ import annotations

from dataclasses import dataclass

from .run_plan import RunPlan

Place = tuple[int, int]
"""x and y of a die, in the prober's coordinates."""


@dataclass(frozen=True)
class WaferLayout:
    """The grid of a wafer's dies, those that a run leaves out too.

    Attributes:
        probed, others: dies of the run; the rest of the wafer.
        right, up: +1 where x grows to the right, and y upwards; -1 otherwise.
        aspect: height of a die over its width.
        notch_degrees: clockwise from the top; None if unknown.
        radius: of the wafer, in die widths; None if unknown.
        centre: of the wafer, in dies.
    """

    probed: tuple[Place, ...]
    others: tuple[Place, ...] = ()
    right: int = 1
    up: int = 1
    aspect: float = 1.0
    notch_degrees: int | None = None
    radius: float | None = None
    centre: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, plan: RunPlan) -> WaferLayout:
        """Of a run; where nobody has said how its numbers lie, they grow to the right and up."""
        probed = tuple((die.x, die.y) for die in plan.dies)
        frame = plan.frame
        if frame is None:
            return cls(probed)
        right, up = frame.signs
        pitch, size = frame.pitch_metres, frame.diameter_metres
        return cls(
            probed,
            (*frame.skipped, *frame.edge),
            right,
            up,
            1.0 if pitch is None else min(max(pitch[1] / pitch[0], 0.2), 5.0),
            frame.notch_degrees,
            None if pitch is None or size is None else size / 2 / pitch[0],
            frame.origin,
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """All dies."""
        return (*self.probed, *self.others)

    @property
    def columns(self) -> list[int]:
        """Values of x from left to right."""
        return _span([x for x, _ in self.places], self.right)

    @property
    def rows(self) -> list[int]:
        """Values of y from top to bottom."""
        return _span([y for _, y in self.places], -self.up)


def _span(numbers: list[int], sign: int) -> list[int]:
    return list(range(min(numbers), max(numbers) + 1))[::sign]
