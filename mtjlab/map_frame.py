"""How the die numbers of a run lie on its wafer: where x and y grow, notch, pitch, and the dies that it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .map_transform import Axes, signs
from .nouns import DieId
from .wafer_map import DieUse, MapDie, WaferMap

_SIDES = {"U": "up", "D": "down", "R": "to the right", "L": "to the left"}


@dataclass(frozen=True)
class MapFrame:
    """What a wafer map says beyond the dies that are probed; in the prober's coordinates.

    Attributes:
        axes: where the numbers grow, looking at the wafer as it lies: y Up or Down, x to the Right or to the Left.
        notch_degrees: where notch or flat is, clockwise from the top; None if unknown.
        pitch_metres: from die to die in x and in y; None if unknown.
        diameter_metres: None if unknown.
        origin: place of the wafer's centre, in dies.
        product: name of what is on the wafer.
        skipped, edge: dies (x, y) of the wafer that the run leaves out: by choice, or because they are not whole.
    """

    axes: Axes = "UR"
    notch_degrees: int | None = None
    pitch_metres: tuple[float, float] | None = None
    diameter_metres: float | None = None
    origin: tuple[float, float] = (0.0, 0.0)
    product: str = ""
    skipped: tuple[tuple[int, int], ...] = ()
    edge: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, wafer_map: WaferMap, probed: Collection[DieId]) -> MapFrame:
        """Of a map, for a run that probes these dies of it."""
        chosen = {(die.x, die.y) for die in probed}
        rest = [die for die in wafer_map.dies if (die.x, die.y) not in chosen]
        return cls(
            wafer_map.axes,
            wafer_map.notch_degrees,
            wafer_map.pitch_metres,
            wafer_map.diameter_metres,
            wafer_map.origin,
            wafer_map.product,
            skipped=tuple((die.x, die.y) for die in rest if die.use is not DieUse.EDGE),
            edge=tuple((die.x, die.y) for die in rest if die.use is DieUse.EDGE),
        )

    def wafer_map(self, wafer: str, lot: str, probed: Sequence[DieId], source: str = "") -> WaferMap:
        """The map again, with all dies of the wafer."""
        dies = [MapDie(die.x, die.y) for die in probed]
        dies += [MapDie(x, y, DieUse.SKIP) for x, y in self.skipped]
        dies += [MapDie(x, y, DieUse.EDGE) for x, y in self.edge]
        return WaferMap(
            wafer,
            tuple(dies),
            self.pitch_metres,
            self.axes,
            self.notch_degrees,
            self.diameter_metres,
            self.origin,
            lot,
            self.product,
            source=source,
        )

    @property
    def signs(self) -> tuple[int, int]:
        """+1 where x grows to the right, and +1 where y grows upwards; -1 otherwise."""
        return signs(self.axes)

    @property
    def words(self) -> str:
        """For people."""
        degrees = self.notch_degrees
        notch = "notch not known" if degrees is None else f"notch at {degrees} degrees clockwise from the top"
        return f"x grows {_SIDES[self.axes[1]]}, y {_SIDES[self.axes[0]]}, {notch}"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> MapFrame:
        """Read what `dataclasses.asdict` gave, also by way of JSON."""
        given: dict[str, Any] = dict(content)
        for name in ("skipped", "edge"):
            given[name] = tuple((int(x), int(y)) for x, y in given[name])
        for name in ("pitch_metres", "origin"):
            given[name] = None if given[name] is None else (float(given[name][0]), float(given[name][1]))
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
