"""What the report of a wafer run shows, collected from the recorded run: no drawing in here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .ledger_rows import AttemptRow, DieRow, DieState, EventRow, standing_attempts
from .nouns import ArrayMap, CellStatus, DieId, Floats, Ints
from .outliers import PART_SIGMAS, is_outlier, robust_limits
from .provenance import Provenance
from .run_plan import DieTest, RunPlan
from .stored_run import StoredRun
from .wafer_layout import WaferLayout

TOLD_EVENTS = ("operator", "contact", "clock", "interrupted", "bench changed", "calibration", "note")
"""Events that the report lists, beside all that the prober had to say."""


@dataclass(frozen=True, eq=False)
class Parameter:
    """One figure over the wafer.

    Attributes:
        name: `<step>.<figure>`.
        units: SI; "%" for a share of 1.
        test: with its limits; None if it is none of the plan's.
        values: shape (dies,), in the order of `WaferData.rows`; NaN where there is none.
        robust: lower and upper robust limit over the wafer.
        is_outlier: shape (dies,).
    """

    name: str
    units: str
    test: DieTest | None
    values: Floats
    robust: tuple[float, float]
    is_outlier: np.ndarray

    @property
    def known(self) -> Floats:
        """Those that are numbers."""
        return self.values[np.isfinite(self.values)]

    @property
    def is_constant(self) -> bool:
        """Whether it is the same on every die that has it."""
        return bool(np.ptp(self.known) == 0)

    @property
    def failing(self) -> int:
        """How many dies fail its limits."""
        return 0 if self.test is None else sum(not self.test.passes(float(value)) for value in self.known)


@dataclass(frozen=True, eq=False)
class WaferData:
    """A run as its report has it.

    Attributes:
        rows: dies in the plan's order, with the bins of one binning.
        visits: of every die.
        parameters: in the order of steps and tests.
        told: events that somebody should know.
        binning: name and reason of the bins, "" for the run's own.
        map_step: the last step with maps; "" if none has any.
    """

    plan: RunPlan
    run_id: str
    state: str
    reason: str
    started_wall: float
    ended_wall: float | None
    provenance: Provenance
    rows: tuple[DieRow, ...]
    visits: tuple[AttemptRow, ...]
    parameters: tuple[Parameter, ...]
    told: tuple[EventRow, ...]
    binning: str
    map_step: str

    @property
    def good(self) -> int:
        """Dies in a passing bin."""
        return sum(row.hard_bin in self.plan.passing_bins for row in self.rows)

    @property
    def binned(self) -> int:
        """Dies in any bin."""
        return sum(row.hard_bin is not None for row in self.rows)

    @property
    def yield_fraction(self) -> float:
        """Good dies among those with a bin; NaN without any."""
        return self.good / self.binned if self.binned else math.nan

    @property
    def bench_seconds(self) -> float:
        """Of all visits, those that failed too."""
        return sum(visit.bench_seconds or 0.0 for visit in self.visits)

    @property
    def varying(self) -> list[Parameter]:
        """Those that are worth a picture."""
        return [each for each in self.parameters if not each.is_constant]

    @property
    def constant(self) -> list[Parameter]:
        """Those that are the same on every die."""
        return [each for each in self.parameters if each.is_constant]

    @property
    def layout(self) -> WaferLayout:
        """Where the dies are drawn."""
        return WaferLayout.of(self.plan)

    @property
    def retested(self) -> list[DieRow]:
        """Dies that were visited more than once, or touched more often than visited."""
        return [row for row in self.rows if row.attempts > 1 or row.touchdowns > row.attempts]

    @property
    def first_failing(self) -> list[tuple[str, int]]:
        """Tests that dies failed first, and how many dies, most first."""
        return Counter(row.first_failing for row in self.rows if row.first_failing).most_common()

    def bins(self, kind: str) -> list[tuple[int, str, int]]:
        """(number, name, dies) of every hard or soft bin that has any."""
        names = self.plan.hard_bin_names if kind == "hard" else self.plan.soft_bin_names
        numbers = [row.hard_bin if kind == "hard" else row.soft_bin for row in self.rows]
        counts = Counter(number for number in numbers if number is not None)
        return [(number, names.get(number, ""), counts[number]) for number in sorted(counts)]

    def states(self) -> dict[str, int]:
        """Dies by state."""
        return dict(Counter(str(row.state) for row in self.rows))

    def outliers_of(self, place: int) -> list[str]:
        """Names of the parameters that a die is an outlier of."""
        return [each.name for each in self.parameters if each.is_outlier[place]]


def collect(run: StoredRun, binning: int | None = None) -> WaferData:
    """Everything but the maps. Raises InputError or RecordError if the run cannot be read."""
    rows = tuple(run.dies(binning))
    with_maps = [step for step in run.plan.steps if (dies := run.dies_with(step)) and run.maps(dies[0], step)]
    return WaferData(
        plan=run.plan,
        run_id=run.run_id,
        state=run.state,
        reason=run.reason,
        started_wall=run.started_wall,
        ended_wall=run.ended_wall,
        provenance=run.provenance,
        rows=rows,
        visits=tuple(run.attempts()),
        parameters=tuple(_parameters(run, rows)),
        told=tuple(event for event in run.events() if event.kind in TOLD_EVENTS or event.kind.startswith("prober")),
        binning=_name_of(run, binning),
        map_step=with_maps[-1] if with_maps else "",
    )


def _name_of(run: StoredRun, number: int | None) -> str:
    binnings = run.binnings()
    chosen = [each for each in binnings if each.number == number] if number is not None else binnings[-1:]
    return f"{chosen[0].name}: {chosen[0].reason}" if chosen else ""


def _parameters(run: StoredRun, rows: Sequence[DieRow]) -> list[Parameter]:
    figures = run.figures()
    standing = {row.die: attempt for attempt, row in standing_attempts(list(rows), run.attempts()).items()}
    own = [figures.get(standing.get(row.die, -1), {}) for row in rows]
    tests = {f"{test.step}.{test.name}": test for test in run.plan.tests}
    names = dict.fromkeys([*tests, *(name for each in own for name in each)])
    found = []
    for name in names:
        values = np.array([each.get(name, math.nan) for each in own], dtype=np.float64)
        if np.isfinite(values).any():
            test = tests.get(name)
            limits = robust_limits(values, PART_SIGMAS)
            found.append(Parameter(name, test.units if test else "", test, values, limits, is_outlier(values)))
    return found


def mosaic(maps: Sequence[ArrayMap], name: str) -> Floats:
    """One picture of a die: its arrays beside each other, as square as can be, a gap of NaN between; (rows, cols)."""
    rows, cols = maps[0].shape
    across = math.ceil(math.sqrt(len(maps) * rows / cols))
    down = math.ceil(len(maps) / across)
    picture = np.full((down * (rows + 1) - 1, across * (cols + 1) - 1), np.nan)
    for number, one in enumerate(maps):
        row, col = number // across * (rows + 1), number % across * (cols + 1)
        picture[row : row + rows, col : col + cols] = getattr(one, name)
    return picture


def worst_cells(maps: Sequence[ArrayMap]) -> dict[str, int]:
    """Number of cells per status that is neither OK nor UNREAD, over all arrays, by words; none that are 0."""
    status: Ints = np.stack([one.status for one in maps])
    skip = (CellStatus.OK, CellStatus.UNREAD)
    counts = {words_of(each): int((status == each).sum()) for each in CellStatus if each not in skip}
    return {name: count for name, count in counts.items() if count}


def words_of(status: CellStatus) -> str:
    """For people."""
    return status.name.lower().replace("_", " ")


def die_name(die: DieId) -> str:
    """As an anchor of the page."""
    return f"die_{die.x}_{die.y}".replace("-", "m")


def is_unfinished(row: DieRow) -> bool:
    """Whether it has not been measured to the end."""
    return row.state != DieState.DONE
