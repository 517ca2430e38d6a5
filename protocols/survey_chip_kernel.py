"""Survey one array: read as found, all cells to P, read, all cells to AP, read; retries for the doubtful ones only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mtjlab.errors import LimitError
from mtjlab.nouns import ArrayMap, Bools, CellStatus, Conditions, Cost, Floats, Ints, Progress, State, unheard
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.roles import Crossbar

from .classify_reads import LOOKS, ClassifyReads
from .classify_rules import CellEvidence, ClassThresholds, judge
from .readout import READ_VOLTS, Keep
from .readout_settings import SCHEME_NAMES
from .survey_chip_reads import is_even, look_at, read_scheme, without_offsets
from .survey_chip_wires import WireKnowledge
from .survey_chip_writes import pulse_columns
from .write_verify import WriteSettings

AS_FOUND, IN_P, IN_AP = "as found", "in P", "in AP"
"""Those of `LOOKS` that a survey takes."""
_NO_STATES = (CellStatus.SHORT, CellStatus.OPEN, CellStatus.LINE_OPEN, CellStatus.UNREAD)


@dataclass(frozen=True)
class SurveySettings:
    """How an array is surveyed. Amplitudes are assumptions for the packaged chip, transistors and wires included.

    Attributes:
        write: amplitudes and width of the pulses; the first should write nearly every cell.
        read_volts: bias of the reads, of either polarity in turn.
        repeats: readings per polarity in each look at the array; two or more tell noise from what depends on the sign.
        dead_ratio, dead_fraction: cells that conduct more than this many times the median as found, or less than this
            fraction of it, get no pulse.
        odd_part: a reading that differs by this part of the typical one between the polarities, beyond what the cells
            of its column do, is taken again by itself.
        least_step: relative difference of the two states below which a cell is doubtful and gets higher pulses.
        wires: resistances of the lines, to be removed from what was read; without them the maps contain them.
        segment_sigma_ohms, line_sigma_ohms: standard uncertainties of these, of each segment alike and of each line.
        gain_sigma: relative standard uncertainty of the ammeters.
        thresholds: where the classes part.
    """

    write: WriteSettings = field(
        default_factory=lambda: WriteSettings(set_volts=0.56, reset_volts=0.72, step_volts=0.06, most_volts=0.96)
    )
    read_volts: float = READ_VOLTS
    repeats: int = 2
    dead_ratio: float = 3.0
    dead_fraction: float = 0.2
    odd_part: float = 0.15
    least_step: float = 0.08
    wires: Wires | None = None
    segment_sigma_ohms: float = 0.0
    line_sigma_ohms: float = 0.0
    gain_sigma: float = 0.0
    thresholds: ClassThresholds = field(default_factory=ClassThresholds)


@dataclass(frozen=True, eq=False)
class Survey:
    """What the survey of an array came to.

    Attributes:
        known: both states, status and uncertainty of every cell; its `siemens` is the last reading.
        found: (rows, cols), siemens as found, wires treated as in `known`; NaN where not read.
        cells: evidence of every cell that is not OK.
        retried: how many cells were doubtful after the first pulses.
        cost: pulses, readings and bench seconds spent.
    """

    known: ArrayMap
    found: Floats
    cells: tuple[CellEvidence, ...]
    retried: int
    cost: Cost


def survey_array(
    crossbar: Crossbar,
    settings: SurveySettings | None = None,
    *,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> Survey:
    """Measure both states of every cell and classify the cells; for any Crossbar.

    Whole rows are read at once where the bench can, whole columns are written by one pulse each. Cells whose two states
    do not differ get pulses of rising amplitude before they count as stuck. Cells end in AP as far as they can. The
    classes are those of `classify`, by its rules, but for what only half-selected cells and neighbouring lines tell.

    Args:
        keep: receives the map so far, also when the protocol is interrupted.

    Raises:
        LimitError: before any pulse, if the first amplitude or the reads are beyond the device's limits.
    """
    used, started = settings or SurveySettings(), crossbar.spent
    job, is_complete = _Job(crossbar, used, progress), False
    try:
        job.run()
        is_complete = True
    finally:
        survey = job.judged(crossbar.spent - started, is_partial=not is_complete)
        if keep:
            keep(survey.known)
    return survey


class _Job:
    """One survey: what was asked for and what was read."""

    def __init__(self, crossbar: Crossbar, settings: SurveySettings, progress: Progress) -> None:
        self.crossbar, self.settings, self.progress = crossbar, settings, progress
        self.reads = ClassifyReads.blank(crossbar.shape, settings.repeats)
        self.alive = np.ones(crossbar.shape, dtype=np.bool_)
        self.is_alone = np.zeros((len(LOOKS), *crossbar.shape), dtype=np.bool_)
        self.retried = 0
        self.wires = WireKnowledge(
            settings.wires,
            settings.segment_sigma_ohms,
            settings.line_sigma_ohms,
            read_scheme(crossbar.capabilities) is Scheme.ROWS_FLOAT,
        )

    def run(self) -> None:
        write = self.settings.write
        set_volts, reset_volts = write.amplitudes(State.P), write.amplitudes(State.AP)
        self._look(AS_FOUND)
        alive = self.alive = self._in_range()
        self._write("writing P", alive, set_volts[0])
        self._look(IN_P)
        self._write("writing AP", alive, reset_volts[0])
        self._look(IN_AP)
        self._note(alive, set_volts[0], reset_volts[0])
        self._retries(set_volts, reset_volts)
        if self.retried and not self.crossbar.capabilities.isolates_cells:
            self._write("resetting neighbours", alive, reset_volts[0])

    def _retries(self, set_volts: list[float], reset_volts: list[float]) -> None:
        self.retried = int(self._doubtful().sum())
        for attempt in range(1, max(len(set_volts), len(reset_volts))):
            doubtful = self._doubtful()
            if not doubtful.any() or not self._retry(doubtful, _at(set_volts, attempt), _at(reset_volts, attempt)):
                return

    def _look(self, name: str) -> None:
        """The whole array but for dead cells; what looks odd is read again by itself, as it is found.

        What a short carries reaches the other columns of its row, and which columns are connected together decides what
        flows between them. A cell alone has none of that.
        """
        plus, minus = (polarity[LOOKS.index(name)] for polarity in (self.reads.plus, self.reads.minus))
        self._look_at(f"looking, {name}", self.alive, plus, minus)
        odd = np.argwhere(self.alive & ~(self._in_range() & is_even(plus, minus, self.settings.odd_part)))
        heard = _counted(self.progress, f"looking at odd cells, {name}", len(odd))
        for site in odd:
            cell = np.zeros(self.crossbar.shape, dtype=np.bool_)
            cell[tuple(site)] = self.is_alone[(LOOKS.index(name), *site)] = True
            look_at(self.crossbar, cell, self.settings.read_volts, self.settings.repeats, plus, minus, heard)

    def _look_at(self, what: str, cells: Bools, plus: Floats, minus: Floats) -> None:
        heard = _counted(self.progress, what, int(cells.any(axis=1).sum()))
        look_at(self.crossbar, cells, self.settings.read_volts, self.settings.repeats, plus, minus, heard)

    def _in_range(self) -> Bools:
        found = self.reads.look(AS_FOUND)
        typical = float(np.nanmedian(found))
        low, high = self.settings.dead_fraction * typical, self.settings.dead_ratio * typical
        return np.asarray((found >= low) & (found <= high))

    def _write(self, what: str, cells: Bools, volts: float) -> None:
        heard = _counted(self.progress, what, int(cells.any(axis=0).sum()))
        pulse_columns(self.crossbar, cells, volts, self.settings.write.pulse_seconds, heard)

    def _note(self, cells: Bools, set_volts: float, reset_volts: float) -> None:
        reads = self.reads
        reads.in_p[cells], reads.in_ap[cells] = reads.look(IN_P)[cells], reads.look(IN_AP)[cells]
        reads.set_volts[cells], reads.reset_volts[cells] = set_volts, -reset_volts

    def _doubtful(self) -> Bools:
        return np.asarray(self.alive & ~(self.reads.in_p > (1 + self.settings.least_step) * self.reads.in_ap))

    def _retry(self, cells: Bools, set_volts: float, reset_volts: float) -> bool:
        """Once with higher pulses; False if the limits do not allow them."""
        try:
            self._write("writing P again", cells, set_volts)
            in_p = self._again(cells)
            self._write("writing AP again", cells, reset_volts)
        except LimitError:
            return False
        self.reads.in_p[cells], self.reads.in_ap[cells] = in_p[cells], self._again(cells)[cells]
        self.reads.set_volts[cells], self.reads.reset_volts[cells] = set_volts, -reset_volts
        return True

    def _again(self, cells: Bools) -> Floats:
        plus, minus = (np.full((self.settings.repeats, *cells.shape), np.nan) for _ in range(2))
        self._look_at("looking again", cells, plus, minus)
        return np.asarray((plus.mean(axis=0) + minus.mean(axis=0)) / 2)

    # what it comes to

    def judged(self, cost: Cost, *, is_partial: bool) -> Survey:
        verdict = judge(without_offsets(self.reads, self.is_alone), self.settings.thresholds)
        found, in_p, in_ap, last = self._cells(np.isin(verdict.status, _NO_STATES[:-1]))
        spent = {"pulses": cost.pulses, "readings": cost.readings, "bench_seconds": cost.bench_seconds}
        known = ArrayMap(
            siemens=last,
            siemens_p=in_p,
            siemens_ap=in_ap,
            state=_states(last, in_p, in_ap, verdict.status),
            status=verdict.status,
            sigma=self._sigma(last, np.fmax(in_p, in_ap), verdict.levels.noise),
            conditions=self._conditions(),
            provenance={"protocol": "survey_array", **spent, "retried": self.retried},
            is_partial=is_partial,
        )
        return Survey(known, found, verdict.cells, self.retried, cost)

    def _cells(self, is_dead: Bools) -> tuple[Floats, Floats, Floats, Floats]:
        """As found, in P, in AP, last: wires removed. Dead cells have their last reading in both states."""
        reads, isolates = self.reads, self.crossbar.capabilities.isolates_cells
        none = np.zeros(self.crossbar.shape, dtype=np.bool_)
        is_beside = self.alive | (not isolates)

        def cells(name: str) -> Floats:
            is_alone = self.is_alone[LOOKS.index(name)] & isolates
            whole = _latest(reads.look(AS_FOUND), reads.look(name))
            return np.where(np.isnan(reads.look(name)), np.nan, self.wires.cells(whole, is_beside, is_alone))

        found, *looks = (cells(name) for name in (AS_FOUND, IN_P, IN_AP))
        states = []
        for own, name, look in zip((reads.in_p, reads.in_ap), (IN_P, IN_AP), looks, strict=True):
            again = np.isfinite(own) & (own != reads.look(name))
            whole = np.where(again, own, np.nan if isolates else _latest(reads.look(AS_FOUND), reads.look(name)))
            mended = self.wires.cells(whole, is_beside, none) if again.any() else own
            states.append(np.where(again, mended, np.where(np.isnan(own), own, look)))
        last = _latest(found, *looks, states[1])
        in_p, in_ap = (np.where(np.isnan(own) & is_dead, last, own) for own in states)
        return found, in_p, in_ap, last

    def _sigma(self, last: Floats, states: Floats, noise: float) -> Floats:
        """Of the larger of the two states."""
        largest = _latest(last, states)
        parts = noise, self.settings.gain_sigma * largest, self.wires.sigma(largest)
        sigma = np.sqrt(sum(np.square(part) for part in parts))
        return np.where(np.isfinite(largest), sigma, np.nan)

    def _conditions(self) -> Conditions:
        wires = self.settings.wires
        return Conditions(
            self.settings.read_volts,
            SCHEME_NAMES[read_scheme(self.crossbar.capabilities)],
            polarities=2,
            segment_ohms=None if wires is None else float(wires.segment_ohms),
            line_ohms=None
            if wires is None
            else float(np.mean([np.asarray(ohms).mean() for ohms in (wires.row_ohms, wires.col_ohms)])),
            is_four_wire=self.crossbar.capabilities.is_four_wire,
        )


def _at(amplitudes: list[float], attempt: int) -> float:
    return amplitudes[min(attempt, len(amplitudes) - 1)]


def _counted(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    """Something that counts whatever it is told of."""
    done = 0
    progress(what, 0, total)

    def heard(number: int) -> None:
        del number
        nonlocal done
        done += 1
        progress(what, done, total)

    return heard


def _latest(*values: Floats) -> Floats:
    """Where a later one was read, that."""
    found = values[0]
    for value in values[1:]:
        found = np.where(np.isnan(value), found, value)
    return found


def _states(siemens: Floats, in_p: Floats, in_ap: Floats, status: Ints) -> Ints:
    """By the middle between each cell's own two readings; unknown where there are no two states."""
    with np.errstate(invalid="ignore"):
        told = np.where(siemens > (in_p + in_ap) / 2, State.P, State.AP)
    told = np.where(status == CellStatus.STUCK_P, State.P, told)
    told = np.where(status == CellStatus.STUCK_AP, State.AP, told)
    return np.asarray(np.where(np.isnan(siemens) | np.isin(status, _NO_STATES), State.UNKNOWN, told), dtype=np.int8)
