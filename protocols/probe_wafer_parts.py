"""What a wafer run is given: what stands behind the probes, the steps of a die, the rules, and whom it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from numpy.typing import NDArray

from mtjlab.bins import TestLimit
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, DieId, Line, Progress, unheard
from mtjlab.roles import Crossbar

from .readout import READ_VOLTS, silent_lines

CONTACT = "contact"
"""Name of the step that looks whether the probes make contact; it comes before all others."""

_ARRAYS_LOOKED_AT = 3
"""Broken lines of the same number in so many arrays of a die are taken for a lost probe (assumption)."""

Arrays = Sequence[tuple[str, Callable[[], Crossbar]]]
"""Name of each array (kernel) of the die under the probes, and what opens its Crossbar."""


@dataclass(frozen=True)
class WaferBench:
    """What stands behind the probes.

    Attributes:
        arrays: the arrays of a die, once the probes are down on it.
        idle: all levels to 0 V and outputs off; the chuck moves only after it has returned.
        seconds: clock of the bench, simulated or not.
        outputs: what must be off before anything moves: name -> whether it is on.
        recover: makes instruments listen again after one has failed.
    """

    arrays: Callable[[DieId], Arrays]
    idle: Callable[[], None]
    seconds: Callable[[], float]
    outputs: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    recover: Callable[[], None] = lambda: None


@dataclass(frozen=True, eq=False)
class StepResult:
    """What a step gave, as `RunStore.keep` takes it.

    Attributes:
        maps: one per array.
        scalars: figures of the die, which bins are decided by.
        arrays: anything larger, by name.
        ends_die: why the steps after it make no sense; "" if they do.
        map_name: what `maps` are called, where there are others.
        more_maps: what the die was on the way there, by name.
        files: small files by name: trained networks.
        details: plain values for the record.
    """

    maps: Sequence[ArrayMap] = ()
    scalars: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    ends_die: str = ""
    map_name: str = ""
    more_maps: Mapping[str, Sequence[ArrayMap]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """What a step works with.

    Attributes:
        die: under the probes, in contact.
        arrays: its arrays.
        earlier: what the steps before gave on this die, by name.
        progress: to be told how far it is.
    """

    die: DieId
    arrays: Arrays
    earlier: Mapping[str, StepResult] = field(default_factory=dict)
    progress: Progress = unheard


@dataclass(frozen=True)
class Step:
    """A step of a die: its name, as in the plan, and what does it. It leaves all levels at 0 V, also when it fails."""

    name: str
    run: Callable[[Visit], StepResult]


@dataclass(frozen=True)
class ContactFinding:
    """Whether the probes make contact.

    Attributes:
        silent: lines on which nothing conducts.
        lines: how many there are.
    """

    silent: tuple[Line, ...]
    lines: int

    @property
    def words(self) -> str:
        """For an operator."""
        if not self.silent:
            return "every line conducts"
        named = ", ".join(f"{line.axis} {line.number}" for line in self.silent[:6])
        return f"{len(self.silent)} of {self.lines} lines are silent: {named}" + (" ..." * (len(self.silent) > 6))


def check_lines(visit: Visit, read_volts: float = READ_VOLTS) -> ContactFinding:
    """Look at a few cells on every line: which probes touch nothing.

    The probes are common to all arrays of a die. So a line that is silent in the first array is looked at in others: a
    lost probe is silent in all of them, and a line that conducts in one of them has its probe down and is broken in
    the first. Of a die of one array the two look the same.
    """
    silent: list[Line] = []
    lines = 0
    for number, (_, opened) in enumerate(visit.arrays[:_ARRAYS_LOOKED_AT]):
        crossbar = opened()
        try:
            found = silent_lines(crossbar, read_volts, visit.progress)
        finally:
            crossbar.idle()
        silent = [line for line in found if line in silent or number == 0]
        lines = sum(crossbar.shape)
        if not silent:
            break
    return ContactFinding(tuple(silent), lines)


@dataclass(frozen=True)
class ContactRules:
    """What makes a contact, and what is done without one. Numbers are assumptions.

    Attributes:
        check: looks; None where nothing is to be looked at.
        tries: how often the probes are lifted and set down again as soon as any line is silent.
        more_metres: so much further down each time, within the prober's limit.
        cleans: whether the probes are cleaned after the tries and before a last one, by a prober that can.
        clean_every: and before the next die each time that the run has made so many touch-downs; 0: not.
        most_silent_lines: with so many, which may be broken on a die of one array, it is measured all the same.
        most_bad_in_a_row: dies without contact, one after the other, before a person is asked.
    """

    check: Callable[[Visit], ContactFinding] | None = check_lines
    tries: int = 1
    more_metres: float = 5e-6
    cleans: bool = False
    clean_every: int = 0
    most_silent_lines: int = 2
    most_bad_in_a_row: int = 5

    def __post_init__(self) -> None:
        counts = (self.tries, self.more_metres, self.clean_every, self.most_bad_in_a_row - 1, self.most_silent_lines)
        if min(counts) < 0:
            raise InputError("contact rules count from 0, dies in a row from 1", remedy="Correct the numbers")


@dataclass(frozen=True)
class BinRules:
    """Where a die goes: (hard, soft) bins of dies that are good, were not measured to the end, or make no contact.

    Attributes:
        limits: in the order in which they count; tests are called `<step>.<scalar>`.
    """

    limits: tuple[TestLimit, ...] = ()
    good: tuple[int, int] = (1, 1)
    unfinished: tuple[int, int] = (9, 90)
    no_contact: tuple[int, int] = (8, 80)


class Answer(Enum):
    """What a person decides."""

    RETRY = "retry"
    """It has been seen to: once more."""
    SKIP = "skip"
    """Leave this die out and go on."""
    STOP = "stop"
    """End the run here; it can be resumed."""


@dataclass(frozen=True)
class Question:
    """What a person is asked while the bench is idle.

    Attributes:
        what: was being done.
        reason: what went wrong, in words.
        die: which it is about; None for the run as a whole.
    """

    what: str
    reason: str
    die: DieId | None = None


Ask = Callable[[Question], Answer]


def nobody(question: Question) -> Answer:
    """The Ask of a bench without a person: the run stops, and can be resumed."""
    del question
    return Answer.STOP


@dataclass(frozen=True)
class WaferSettings:
    """How a wafer is probed. Numbers are assumptions.

    Attributes:
        contact: rules of the contact check.
        bins: where dies go.
        retries: how often the prober is tried again by itself after an error that may pass.
        die_retries: how often a die is visited again by itself after an instrument has failed on it.
        overtravel_limit_metres: the hard maximum.
        overtravel_metres: what the prober is set to at the start; None to leave what it has.
        writes_bins: whether the hard bin of each die goes into the prober's own map, once it is on the disk here.
    """

    contact: ContactRules = field(default_factory=ContactRules)
    bins: BinRules = field(default_factory=BinRules)
    retries: int = 2
    die_retries: int = 1
    overtravel_limit_metres: float = 80e-6
    overtravel_metres: float | None = None
    writes_bins: bool = False


@dataclass(frozen=True)
class WaferOutcome:
    """What a run came to.

    Attributes:
        state, reason: how it ended.
        visited: dies, in the order of the visits; one that was visited again stands there again.
        left: still to be probed.
        touchdowns: of this run, since it was started or resumed.
        bench_seconds: likewise.
    """

    state: str
    reason: str
    visited: tuple[DieId, ...]
    left: tuple[DieId, ...]
    touchdowns: int
    bench_seconds: float
