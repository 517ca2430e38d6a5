"""A simulated wafer of chips under a prober: chips on the simulated board as the chuck brings them, for `mtjlab probe`.

This is composition (wafer, prober, board, driver), so it stands beside the command line; it has no commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtjlab.protocols.probe_wafer_parts import Arrays, ContactFinding, Step, StepResult, Visit, WaferBench, check_lines
from mtjlab.protocols.probe_wafer_steps import survey_step
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.memory_prober import MemoryProber

from .cli_simulated_chips import ChipBench
from .errors import InputError
from .nouns import DieId
from .physics.populations import WaferDescription
from .prober import DiePosition
from .wafer_map import MapDie, WaferMap

SURVEY = "survey"


def map_of_wafer(wafer: WaferDescription) -> WaferMap:
    """The dies that a description has, as a prober's map."""
    dies = tuple(MapDie(x, y) for x, y in wafer.places)
    return WaferMap(wafer.wafer, dies, notch_degrees=180, source="the wafer's description")


class ChipsUnderProber:
    """Every chip of a wafer on a board, one after the other, as the probes touch it.

    What happens to a chip depends on the wafer's seed and its place only: a run that was interrupted finds what it
    would have found. A chip is as it was made whenever it is touched.

    Args:
        chips: the wafer, its boards and how chips are surveyed.

    Attributes:
        prober: with the wafer on its chuck.
        board: of the chip in contact; None while the probes are up.
    """

    def __init__(self, chips: ChipBench) -> None:
        self.chips = chips
        self.prober = MemoryProber(map_of_wafer(chips.wafer), happened=self._moved)
        self.board: SimDaffodilBoard | None = None
        self._seconds_before = 0.0
        self._arrays: Arrays = ()
        self.incidents: list[str] = []

    def _moved(self, what: str, where: DiePosition) -> None:
        if self.is_live():
            self.incidents.append(f"{what} at {where} while lines were driven")
        if self.board is not None and what != "step":
            self._seconds_before += self.board.seconds
            self.incidents += [str(incident) for incident in self.board.incidents]
            self.board, self._arrays = None, ()
        if what == "down":
            self.board = self.chips.board_at(where.x, where.y)

    def is_live(self) -> bool:
        """Whether a write event still connects lines of the board."""
        return self.board is not None and self.board.seconds < self.board.events.released_at

    def seconds(self) -> float:
        """Simulated time of prober and boards together."""
        return self.prober.seconds + self._seconds_before + (self.board.seconds if self.board else 0.0)

    def arrays(self, die: DieId) -> Arrays:
        """Calibrate the board, once for each touch-down; the kernels of the chip in contact."""
        if self.board is None or self.prober.here[:2] != (die.x, die.y):
            raise InputError(f"die ({die.x}, {die.y}) is not in contact", where="simulated wafer")
        self._arrays = self._arrays or list(self.chips.kernels(self.board))
        return self._arrays

    def bench(self) -> WaferBench:
        """As `probe_wafer` takes it. The board is left with no line connected by every Crossbar's own `idle`."""
        return WaferBench(self.arrays, lambda: None, self.seconds, {"board": self.is_live})

    def steps(self) -> list[Step]:
        """The survey of all kernels."""
        return [survey_step(self.chips.settings, SURVEY)]


@dataclass(frozen=True, eq=False)
class _Ahead:
    """What the simulation of a chip gave."""

    die: DieId
    contact: ContactFinding
    survey: StepResult
    seconds: float


class ChipsAhead:
    """Chips that other processes simulate before the chuck brings them; for a simulated wafer only.

    What comes out is what `ChipsUnderProber` gives, since nothing that happens to one chip depends on another; time
    passes as there.

    Args:
        chips: see `ChipsUnderProber`.
        dies: in the order in which they will be visited.
        processes: how many simulate at a time.
    """

    def __init__(self, chips: ChipBench, dies: Sequence[DieId], processes: int) -> None:
        self.under = ChipsUnderProber(chips)
        self.prober = self.under.prober
        self._coming = self._simulated(dies, processes)
        self._now: _Ahead | None = None
        self._seconds = 0.0

    def _simulated(self, dies: Sequence[DieId], processes: int) -> Iterator[_Ahead]:
        import joblib

        work = (joblib.delayed(_simulate)(self.under.chips, die) for die in dies)
        found: Iterator[_Ahead] = joblib.Parallel(n_jobs=processes, return_as="generator", pre_dispatch="2*n_jobs")(
            work
        )
        return found

    def _of(self, visit: Visit) -> _Ahead:
        """The chip under the probes; one that does not come in the order foretold is simulated now."""
        if self._now is None or self._now.die != visit.die:
            coming = next(self._coming, None)
            self._now = coming if coming and coming.die == visit.die else _simulate(self.under.chips, visit.die)
        return self._now

    def check(self, visit: Visit) -> ContactFinding:
        """What the contact check found."""
        found = self._of(visit)
        self._seconds += found.seconds - float(found.survey.scalars["bench_seconds"])
        return found.contact

    def steps(self) -> list[Step]:
        """The survey of all kernels."""

        def run(visit: Visit) -> StepResult:
            found = self._of(visit)
            self._seconds += float(found.survey.scalars["bench_seconds"])
            return found.survey

        return [Step(SURVEY, run)]

    def bench(self) -> WaferBench:
        """As `probe_wafer` takes it."""
        return WaferBench(lambda die: (), lambda: None, lambda: self.prober.seconds + self._seconds)


def _simulate(chips: ChipBench, die: DieId) -> _Ahead:
    board = chips.board_at(die.x, die.y)
    visit = Visit(die, list(chips.kernels(board)))
    contact = check_lines(visit)
    survey = survey_step(chips.settings, SURVEY).run(visit)
    if board.incidents:
        raise InputError(f"the board logged {board.incidents[0]}", where=f"die ({die.x}, {die.y})")
    return _Ahead(die, contact, survey, board.seconds)
