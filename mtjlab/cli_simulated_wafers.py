"""A simulated wafer of chips under a prober: chips on the simulated board as the chuck brings them, for `mtjlab probe`.

This is composition (wafer, prober, board, driver), so it stands beside the command line; it has no commands. The
probers are in cli_simulated_stations.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtjlab.protocols.probe_wafer_parts import (
    Arrays,
    ContactFinding,
    ContactRules,
    Step,
    StepResult,
    Visit,
    WaferBench,
    check_lines,
)
from mtjlab.protocols.probe_wafer_steps import survey_step
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import SIDE
from mtjlab.sim_instruments.prober_dies import Place, UnderProbes, bare_chip, contacts_of, make_contact

from .cli_simulated_chips import ChipBench
from .errors import InputError
from .nouns import DieId, Floats

SURVEY = "survey"
PlaceOf = Callable[[DieId], Place]
"""A die of the prober's map -> its place in the numbers of the wafer's description."""
Foretell = Callable[[DieId, int], Floats]
"""Contacts of the next touch-down on a die, if so many on other dies come before it."""


class ChipsUnderProber(UnderProbes):
    """Every chip of a wafer on a board, one after the other, as the probes touch it.

    What happens to a chip depends on the wafer's seed, its place and the contacts of the touch-down only: a run that
    was interrupted finds what it would have found. A chip is as it was made whenever it is touched, on a board of its
    own.

    Args:
        chips: the wafer, its boards and how chips are surveyed.

    Attributes:
        factors: contacts of the present touch-down, as `UnderProbes.touch` has them; None while the probes are up.
        incidents: of the boards so far.
    """

    def __init__(self, chips: ChipBench) -> None:
        super().__init__(chips.wafer, chips.seed)
        self.chips = chips
        self.factors: Floats | None = None
        self.incidents: list[str] = []
        self._place: Place = (0, 0, 0)
        self._board: SimDaffodilBoard | None = None
        self._arrays: Arrays = ()
        self._seconds = 0.0

    @property
    def lines(self) -> int:
        """Rows and columns of a kernel, which all kernels have in common."""
        return 2 * SIDE

    @property
    def is_live(self) -> bool:
        """Whether a write event still connects lines of the board."""
        return self._board is not None and self._board.seconds < self._board.events.released_at

    def bring(self, place: Place) -> None:
        """See UnderProbes."""
        self._leave()
        self._place = place

    def touch(self, factors: Floats) -> None:
        """See UnderProbes."""
        self._leave()
        self.factors = factors.copy()

    def lift(self) -> None:
        """See UnderProbes."""
        self._leave()

    def _leave(self) -> None:
        if self._board is not None:
            self._seconds += self._board.seconds
            self.incidents += [str(incident) for incident in self._board.incidents]
        self._board, self._arrays, self.factors = None, (), None

    def seconds(self) -> float:
        """Simulated time of all boards together."""
        return self._seconds + (self._board.seconds if self._board else 0.0)

    def arrays(self, place: Place) -> Arrays:
        """Calibrate the board, once for each touch-down; the kernels of the chip in contact.

        Raises InputError if the chip of that place is not in contact.
        """
        if self.factors is None or self._place != place:
            raise InputError(f"the chip at {place[:2]} is not in contact", where="simulated wafer")
        if self._board is None:
            self._board = _board(self.chips, place, self.factors, is_there=self.has(place))
            self._arrays = list(self.chips.kernels(self._board))
        return self._arrays


class ChipsInTurn:
    """Chips that are simulated when they are in contact.

    Args:
        under: the chips.
        place_of: see `PlaceOf`.
        prober_seconds: clock of the prober.
    """

    def __init__(self, under: ChipsUnderProber, place_of: PlaceOf, prober_seconds: Callable[[], float]) -> None:
        self.under, self._place_of, self._prober_seconds = under, place_of, prober_seconds
        self._survey = survey_step(under.chips.settings, SURVEY)

    def arrays(self, die: DieId) -> Arrays:
        """See `ChipsUnderProber.arrays`."""
        return self.under.arrays(self._place_of(die))

    def seconds(self) -> float:
        """Of prober and boards."""
        return self._prober_seconds() + self.under.seconds()

    def bench(self) -> WaferBench:
        """As `probe_wafer` takes it. The board is left with no line connected by every Crossbar's own `idle`."""
        return WaferBench(self.arrays, lambda: None, self.seconds, {"board": lambda: self.under.is_live})

    def steps(self) -> list[Step]:
        """The survey of all kernels."""
        return [self._survey]

    def rules(self, rules: ContactRules) -> ContactRules:
        """Those of the contact, as they look at these chips."""
        return rules


@dataclass(frozen=True, eq=False)
class _Ahead:
    """What the simulation of a chip gave, with these contacts; no survey of one whose contact is bad."""

    die: DieId
    factors: Floats
    contact: ContactFinding
    contact_seconds: float
    survey: StepResult | None
    survey_seconds: float


class ChipsAhead(ChipsInTurn):
    """Chips that other processes simulate before the chuck brings them; for a simulated wafer only.

    What was simulated ahead counts if the prober has brought that chip into contact, with the contacts foretold.
    Anything else (another touch-down, a die that comes again) is simulated now: so the outcome is that of
    `ChipsInTurn`, and time passes as there.

    Args:
        foretell: see `Foretell`.
        dies: in the order in which they will be visited.
        processes: how many simulate at a time.
        most_silent_lines: with more, no survey is simulated ahead.
    """

    def __init__(
        self,
        under: ChipsUnderProber,
        place_of: PlaceOf,
        prober_seconds: Callable[[], float],
        foretell: Foretell,
        dies: Sequence[DieId],
        processes: int,
        most_silent_lines: int = 0,
    ) -> None:
        super().__init__(under, place_of, prober_seconds)
        self._number = {die: number for number, die in enumerate(dies)}
        self._foretell, self._most_silent = foretell, most_silent_lines
        self._reached = self._pulled = 0
        self._coming = self._simulated(dies, processes)
        self._now: _Ahead | None = None
        self._seconds_ahead = 0.0

    def _simulated(self, dies: Sequence[DieId], processes: int) -> Iterator[_Ahead]:
        import joblib

        def work() -> Iterator[tuple[Callable[..., _Ahead], tuple[object, ...], dict[str, object]]]:
            for number, die in enumerate(dies):
                factors = self._foretell(die, max(number - self._reached, 0))
                yield joblib.delayed(_simulate)(self.under.chips, die, self._place_of(die), factors, self._most_silent)

        found: Iterator[_Ahead] = joblib.Parallel(n_jobs=processes, return_as="generator", pre_dispatch="2*n_jobs")(
            work()
        )
        return found

    def _known(self, die: DieId) -> _Ahead | None:
        """What was simulated of the chip in contact, with the contacts that it has."""
        number = self._number.get(die, -1)
        self._reached = max(self._reached, number + 1)
        while self._pulled <= number:
            self._now, self._pulled = next(self._coming, None), self._pulled + 1
        ahead, factors = self._now, self.under.factors
        if ahead is None or ahead.die != die or factors is None or not np.array_equal(ahead.factors, factors):
            return None
        return ahead

    def _check(self, visit: Visit) -> ContactFinding:
        ahead = self._known(visit.die)
        if ahead is None:
            return check_lines(replace(visit, arrays=self.arrays(visit.die)))
        self._seconds_ahead += ahead.contact_seconds
        return ahead.contact

    def _run(self, visit: Visit) -> StepResult:
        ahead = self._known(visit.die)
        if ahead is None or ahead.survey is None:
            return self._survey.run(replace(visit, arrays=self.arrays(visit.die)))
        self._seconds_ahead += ahead.survey_seconds
        return ahead.survey

    def seconds(self) -> float:
        """See ChipsInTurn."""
        return super().seconds() + self._seconds_ahead

    def bench(self) -> WaferBench:
        """See ChipsInTurn; boards are calibrated by the steps that need them."""
        return replace(super().bench(), arrays=lambda die: ())

    def steps(self) -> list[Step]:
        """See ChipsInTurn."""
        return [Step(SURVEY, self._run)]

    def rules(self, rules: ContactRules) -> ContactRules:
        """See ChipsInTurn."""
        return replace(rules, check=self._check)


def _board(chips: ChipBench, place: Place, factors: Floats, *, is_there: bool = True) -> SimDaffodilBoard:
    """The board with that chip, as the probes touch it."""
    board = chips.board_at(place[0], place[1])
    if not is_there:
        board.chip = bare_chip(chips.wafer)
    make_contact(board.chip, contacts_of(board.chip), factors)
    return board


def _simulate(chips: ChipBench, die: DieId, place: Place, factors: Floats, most_silent_lines: int) -> _Ahead:
    board = _board(chips, place, factors)
    visit = Visit(die, list(chips.kernels(board)))
    contact = check_lines(visit)
    seconds, survey = board.seconds, None
    if len(contact.silent) <= most_silent_lines:
        survey = survey_step(chips.settings, SURVEY).run(visit)
    if board.incidents:
        raise InputError(f"the board logged {board.incidents[0]}", where=f"die ({die.x}, {die.y})")
    return _Ahead(die, factors, contact, seconds, survey, board.seconds - seconds)
