"""One cell under test: bring it into a state, tell the state quickly, and precisely where there is doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Pulse, Site, State

from .characterize_run import Ended, Run
from .readout import READ_VOLTS

_SET, _RESET = Pulse(0.6, 5e-3), Pulse(-0.76, 5e-3)
_TRIES = 20
_LEAST_RATIO = 1.1
_DOUBT = 0.5
"""A fast read nearer to the middle between the states than this share of half their distance is doubtful."""
_BEYOND = 3.0
"""Beyond the middle by more than so many half distances, a cell is no longer in either of its states."""
_PRECISE_READINGS = 4


@dataclass(frozen=True)
class Drive:
    """Pulses that bring a cell into either state nearly always; assumptions for the packaged bench's device.

    Attributes:
        set_pulse: towards P, positive.
        reset_pulse: towards AP, negative.
        read_volts: bias at which the state is told.
    """

    set_pulse: Pulse = _SET
    reset_pulse: Pulse = _RESET
    read_volts: float = READ_VOLTS

    def towards(self, state: State) -> Pulse:
        """The pulse that leads to a state."""
        return self.set_pulse if state == State.P else self.reset_pulse


@dataclass(frozen=True)
class Levels:
    """What a cell reads in its two states at `read_volts`, siemens, and the column's current at 0 V."""

    siemens_p: float
    siemens_ap: float
    zero_amps: float

    def place(self, siemens: float) -> float:
        """Where a reading lies: 1 at P, -1 at AP."""
        middle, half = (self.siemens_p + self.siemens_ap) / 2, (self.siemens_p - self.siemens_ap) / 2
        return (siemens - middle) / half


class Cell:
    """A cell whose two states are known, and which of them it is in.

    Learning them costs two or more pulses; the cell is in AP afterwards.

    Args:
        run: gives the pulses and readings.
        drive: how it is written and read.

    Attributes:
        doubts: how many fast reads had to be followed by a precise one.

    Raises InstrumentError if the cell does not show two states.
    """

    def __init__(self, run: Run, site: Site, drive: Drive) -> None:
        self.run, self.site, self.drive = run, site, drive
        self.doubts = 0
        self.levels = self._learned()
        self.state = State.AP

    def _learned(self) -> Levels:
        p = ap = float("nan")
        for _ in range(_TRIES):
            p = self._siemens_after(State.P)
            ap = self._siemens_after(State.AP)
            if np.isfinite(p) and p > _LEAST_RATIO * ap > 0:
                return Levels(p, ap, self.run.amps(self.site, 0.0))
        raise InstrumentError(
            f"does not show two states: {p:.3g} S after a pulse of {self.drive.set_pulse.volts:g} V, "
            f"{ap:.3g} S after {self.drive.reset_pulse.volts:g} V",
            where=f"cell {tuple(self.site)}",
            remedy="Choose a cell that switches, or higher set and reset pulses",
        )

    def _siemens_after(self, state: State) -> float:
        pulse = self.drive.towards(state)
        self.run.pulse(self.site, pulse.volts, pulse.seconds)
        return self.siemens()

    def siemens(self, volts: float | None = None, readings: int = 1) -> float:
        """Conductance at a bias within the read limit, siemens, the current at 0 V taken off; a mean of `readings`."""
        bias = self.drive.read_volts if volts is None else volts
        zero = np.mean([self.run.amps(self.site, 0.0) for _ in range(readings)])
        return float((np.mean([self.run.amps(self.site, bias) for _ in range(readings)]) - zero) / bias)

    def look(self) -> State:
        """Tell the state: by one reading, or a precise one in doubt; raises Ended if it is in neither state."""
        bias = self.drive.read_volts
        place = self.levels.place((self.run.amps(self.site, bias) - self.levels.zero_amps) / bias)
        if not _DOUBT <= abs(place) <= _BEYOND:
            self.doubts += 1
            place = self.levels.place(self.siemens(readings=_PRECISE_READINGS))
        if not abs(place) <= _BEYOND:
            raise Ended(f"cell {tuple(self.site)} is in neither of its two states any more")
        self.state = State.P if place > 0 else State.AP
        return self.state

    def bring(self, state: State) -> None:
        """Pulse until it is in this state; raises Ended if it refuses."""
        pulse = self.drive.towards(state)
        for _ in range(_TRIES):
            if self.state == state:
                return
            self.run.pulse(self.site, pulse.volts, pulse.seconds)
            self.look()
        if self.state != state:
            raise Ended(f"cell {tuple(self.site)} does not go to {state.name} by {_TRIES} pulses of {pulse.volts:g} V")

    def probe(self, volts: float, seconds: float) -> bool:
        """Give one pulse from the state that it leads out of; whether the cell switched."""
        towards = State.P if volts > 0 else State.AP
        self.bring(State.AP if towards == State.P else State.P)
        self.run.pulse(self.site, volts, seconds)
        return self.look() == towards
