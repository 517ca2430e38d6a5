"""Dies of one threshold spread, their maps, and ways to write them, from the same state and judged by the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, Bools, CellStatus, Conditions, Floats, Ints, Line, Lines, Site, State
from mtjlab.physics import mtj
from mtjlab.physics.die_description import DieDescription, Flaw, Kind
from mtjlab.protocols.classify_defects import classify_defects
from mtjlab.protocols.readout import READ_VOLTS, nearest_state
from mtjlab.protocols.readout_settings import Accuracy
from mtjlab.protocols.write_lines import WriteScheme
from mtjlab.protocols.write_verify import WriteResult, WriteSettings, pulse_cell, write_verify
from mtjlab.roles import Crossbar
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

from ._truth_rigs import NoisyCrossbar

LIMIT_VOLTS = 0.9
"""As in the packaged wiring file."""
_SOURCE_ERROR = 1e-3
"""What a source may be off; beyond limit and error a cell counts as over-stressed."""
_NOISE_AMPS = 20e-9
_LIMITS = DeviceLimits(write_volts_positive=LIMIT_VOLTS, write_volts_negative=LIMIT_VOLTS)
BASE = WriteSettings(most_volts=LIMIT_VOLTS, searched_cells=6, scheme=WriteScheme.HALF, by_row=False)
"""No amplitude in it counts: all come from six cells of each die and polarity."""


class Subject:
    """One die with a random pattern on it, the map of both states, and another random pattern to be written.

    Five junction sizes, defects at the usual rates, wires, sources and an ammeter within their makers' accuracy.
    """

    def __init__(self, spread: float, seed: int) -> None:
        description = DieDescription(volts_c0_spread=spread, limit_volts=LIMIT_VOLTS * (1 + _SOURCE_ERROR))
        self.world = World(description, seed=seed, line_hertz=50)
        rng = np.random.default_rng(seed)
        self.crossbar = NoisyCrossbar(WorldCrossbar(self.world, _LIMITS), rng, Accuracy(), _NOISE_AMPS)
        self.target: Ints = rng.integers(0, 2, self.crossbar.shape).astype(np.int8)
        self._found = self.world.die.is_parallel.copy()
        self.known = self._map_by_field()
        self.put_back()

    @property
    def is_good(self) -> Bools:
        """(rows, cols): junctions that switch, by the truth."""
        die = self.world.die
        return np.asarray((die.kind == Kind.JUNCTION) & (die.flaws == Flaw.NONE)).reshape(self.crossbar.shape)

    @property
    def is_right(self) -> Bools:
        """(rows, cols): by the truth, now."""
        return np.asarray(self.world.die.is_parallel.reshape(self.crossbar.shape) == (self.target == State.P))

    def put_back(self) -> None:
        """The pattern that was found."""
        self._put(self._found)

    def _put(self, is_parallel: Bools) -> None:
        self.world.die.is_parallel[:] = is_parallel
        for index in range(is_parallel.size):
            self.world.circuit.cell_changed(index)

    def _map_by_field(self) -> ArrayMap:
        """Both states of all cells, read as fields that saturate would leave them; no pulse has touched the die."""
        found, states = self._read(), []
        for is_up in (True, False):
            self._put(np.where(self.world.die.kind == Kind.JUNCTION, is_up, self._found))
            states.append(self._read())
        known = classify_defects(found, states[0], states[1], np.full_like(found, np.nan), Conditions(READ_VOLTS))
        return replace(known, siemens=found, state=nearest_state(found, known))

    def _read(self) -> Floats:
        """All cells as they are, a row at a time."""
        shape = self.crossbar.shape
        amps = np.zeros((2, *shape))
        for row in range(shape[0]):
            for place, volts in enumerate((0.0, READ_VOLTS)):
                lines = Lines.grounded(*shape)
                lines.row_volts[row] = volts
                readings = self.crossbar.measure(lines, [Line("col", col) for col in range(shape[1])])
                amps[place, row] = [reading.amps for reading in readings]
        return np.asarray((amps[1] - amps[0]) / READ_VOLTS)


@dataclass(frozen=True)
class Outcome:
    """One die written one way.

    Attributes:
        good, changed: good cells, and those of them that had to change.
        wrong: good cells that are not in their target, by the truth.
        unnoticed: those of them that the result calls right.
        pulses, readings: spent.
        mended, unwritten, joules: as the result says; energy is None where nobody estimates it.
        incidents: cells that were over-stressed or broke.
    """

    good: int
    changed: int
    wrong: int
    unnoticed: int
    pulses: int
    readings: int
    mended: int
    unwritten: int
    joules: float | None
    incidents: int

    @property
    def fidelity(self) -> float:
        """Fraction of the good cells that are right."""
        return 1 - self.wrong / self.good


Way = Callable[[Subject], WriteResult | None]


def written(subject: Subject, way: Way) -> Outcome:
    """Write a die from the state in which it was found."""
    subject.put_back()
    good = subject.is_good
    changed = int((good & ~subject.is_right).sum())
    began, incidents = subject.crossbar.spent, len(subject.world.incidents)
    result = way(subject)
    cost = subject.crossbar.spent - began
    wrong = good & ~subject.is_right
    claimed = np.zeros_like(wrong) if result is None else result.written.state == subject.target
    return Outcome(
        good=int(good.sum()),
        changed=changed,
        wrong=int(wrong.sum()),
        unnoticed=int((wrong & claimed).sum()),
        pulses=cost.pulses,
        readings=cost.readings,
        mended=result.mended if result else 0,
        unwritten=len(result.unwritten) if result else 0,
        joules=result.joules if result else None,
        incidents=len(subject.world.incidents) - incidents,
    )


def verifying(settings: WriteSettings) -> Way:
    """`write_verify` with these settings."""
    return lambda subject: write_verify(subject.crossbar, subject.target, subject.known, settings=settings)


def one_shot(factor: float) -> Way:
    """One V/2 pulse for each cell that has to change, this much above what switches half of the median cells."""
    return lambda subject: _one_shot(subject, factor)


def _one_shot(subject: Subject, factor: float) -> None:
    d = subject.world.die.description
    seconds = BASE.pulse_seconds
    known, crossbar = subject.known, subject.crossbar
    for state, volts_c0, sign in ((State.P, d.set_volts_c0, 1), (State.AP, d.reset_volts_c0, -1)):
        volts = sign * factor * mtj.volts_for_probability(0.5, seconds, d.delta, volts_c0, d.damping_seconds)
        wrong = (known.status == CellStatus.OK) & (subject.target == state) & (known.state != state)
        for row, col in np.argwhere(wrong):
            _pulse(crossbar, Site(int(row), int(col)), volts, seconds)


def _pulse(crossbar: Crossbar, site: Site, volts: float, seconds: float) -> None:
    pulse_cell(crossbar, site, max(min(volts, LIMIT_VOLTS), -LIMIT_VOLTS), seconds)
