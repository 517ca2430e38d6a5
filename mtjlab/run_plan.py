"""What a wafer run sets out to do: dies in their order, steps, and the tests that bins are decided by."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .errors import InputError
from .map_frame import MapFrame
from .nouns import DieId
from .wafer_map import MapDie, WaferMap


@dataclass(frozen=True)
class DieTest:
    """One figure of a die that is recorded, and may be judged.

    Attributes:
        number: test number, unique in the plan, 1 .. 2**32 - 1 (STDF).
        name: the scalar that `RunStore.keep` is given for it.
        step: of the recipe, in which it is measured.
        units: SI unit, e.g. "S"; empty for a count or ratio; "%" for a share of 1 that people read in percent.
        low, high: limits, both included; None where there is none.
        is_functional: passed or not, instead of a value.
    """

    number: int
    name: str
    step: str
    units: str = ""
    low: float | None = None
    high: float | None = None
    is_functional: bool = False

    @property
    def is_share(self) -> bool:
        """Whether people read it in percent; values and limits are shares of 1."""
        return self.units == "%"

    @property
    def si_units(self) -> str:
        """Unit of the value itself: none for a share."""
        return "" if self.is_share else self.units

    def passes(self, value: float) -> bool:
        """Whether the value is within the limits; NaN is not, unless there are none."""
        if self.is_functional:
            return bool(value == value and value)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class RunPlan:
    """A wafer run.

    Attributes:
        lot, wafer: their names.
        dies: in the order in which they are to be probed; each of this wafer and named once.
        steps: names of the recipe's steps, in their order.
        tests: figures that are exported as tests.
        hard_bin_names, soft_bin_names: what each bin is called.
        passing_bins: hard bins of good dies.
        retests: which attempt of a die counts: "last", or "best" (one in a passing bin is not replaced by another).
        frame: how the dies' numbers lie on the wafer; None where nobody has said.
    """

    lot: str
    wafer: str
    dies: tuple[DieId, ...]
    steps: tuple[str, ...]
    tests: tuple[DieTest, ...] = ()
    hard_bin_names: dict[int, str] = field(default_factory=lambda: {1: "pass"})
    soft_bin_names: dict[int, str] = field(default_factory=lambda: {1: "pass"})
    passing_bins: tuple[int, ...] = (1,)
    retests: Literal["last", "best"] = "last"
    frame: MapFrame | None = None

    def __post_init__(self) -> None:
        strange = [die for die in self.dies if die.wafer != self.wafer]
        if strange:
            raise InputError(f"die {tuple(strange[0])} is not of wafer {self.wafer!r}", where="plan of the run")
        for what, values in (("die", self.dies), ("step", self.steps), ("test", [t.number for t in self.tests])):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise InputError(f"{what} {twice[0]} stands twice in the plan", where="plan of the run")
        if not self.dies or not self.steps:
            raise InputError("a plan needs at least one die and one step", where="plan of the run")
        for name in self.steps:
            require_name(name, "step")
        for test in self.tests:
            if test.step not in self.steps:
                raise InputError(f"test {test.number} is of step {test.step!r}, which the plan lacks")

    def wafer_map(self, source: str = "") -> WaferMap:
        """All dies of the wafer as far as they are known, those that the run leaves out too.

        Where nobody has said how the numbers lie, they count to the right and up.
        """
        if self.frame is None:
            return WaferMap(self.wafer, tuple(MapDie(die.x, die.y) for die in self.dies), lot=self.lot, source=source)
        return self.frame.wafer_map(self.wafer, self.lot, self.dies, source)

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self) | {"dies": [[die.x, die.y] for die in self.dies]})

    @classmethod
    def from_json(cls, text: str) -> RunPlan:
        """Read what `to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        return cls(
            lot=content["lot"],
            wafer=content["wafer"],
            dies=tuple(DieId(content["wafer"], x, y) for x, y in content["dies"]),
            steps=tuple(content["steps"]),
            tests=tuple(DieTest(**test) for test in content["tests"]),
            hard_bin_names={int(number): name for number, name in content["hard_bin_names"].items()},
            soft_bin_names={int(number): name for number, name in content["soft_bin_names"].items()},
            passing_bins=tuple(content["passing_bins"]),
            retests=content["retests"],
            frame=MapFrame.from_dict(content["frame"]) if content.get("frame") else None,
        )


def require_name(name: str, what: str) -> None:
    """Raise InputError unless it can be the name of a column, of a file and of an array."""
    if not (name.isidentifier() and name.isascii()) or name.startswith("_"):
        raise InputError(
            f"{what} {name!r} is not a plain name", remedy="Use letters, digits and underscores, a letter first"
        )
