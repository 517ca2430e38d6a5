"""How cells are written: amplitudes, widths, what the unselected lines do, when a cell is given up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Pulse, State

from .write_lines import WriteScheme


@dataclass(frozen=True)
class WriteSettings:
    """Amplitudes and widths of the write pulses; all are assumptions for the packaged bench's device.

    Attributes:
        set_volts, reset_volts: first amplitude towards P (positive) and towards AP (applied as negative).
        step_volts: how much higher each retry is.
        most_volts: no retry goes higher, nor beyond the limits of a Crossbar that tells them.
        pulse_seconds: width, of the first pulse if it is the width that grows.
        passes: how often exposed neighbours are read again and mended; 0 leaves them unread.
        scheme: what the unselected lines do; chosen from what the Crossbar can do if it is left out.
        by_row: pulse all cells of a row that need the same together, as an outer product, or cell by cell; chosen from
            what the Crossbar can do if it is left out.
        grows: what retries raise.
        width_factor: from the width of one retry to the next, where it is the width that grows.
        most_seconds: no pulse is longer.
        searched_cells: on so many cells for each polarity the switching threshold is searched first; amplitudes and
            step then come from what is found, and the ones above count only where nothing was found.
        search_from: where the search begins, as a fraction of the highest amplitude.
        search_ratio: from one amplitude of the search to the next.
        doubt: a reading that is nearer to the middle between a cell's states than this part of their distance is made
            again, several times.
        doubt_readings: how often.
    """

    set_volts: float = 0.44
    reset_volts: float = 0.56
    step_volts: float = 0.04
    most_volts: float = 0.84
    pulse_seconds: float = 5e-3
    passes: int = 8
    scheme: WriteScheme | None = None
    by_row: bool | None = None
    grows: Literal["amplitude", "width"] = "amplitude"
    width_factor: float = 2.0
    most_seconds: float = 0.05
    searched_cells: int = 0
    search_from: float = 0.3
    search_ratio: float = 1.08
    doubt: float = 0.15
    doubt_readings: int = 4

    def __post_init__(self) -> None:
        is_rising = self.step_volts > 0 and self.width_factor > 1 and self.search_ratio > 1
        is_sane = min(self.set_volts, self.reset_volts, self.pulse_seconds, self.search_from) > 0 and is_rising
        if not is_sane or min(self.passes, self.searched_cells) < 0 or self.doubt_readings < 1:
            raise InputError(
                "amplitudes, widths and steps of a write must be above zero, and numbers of passes not below it",
                where="write settings",
                remedy="Correct them",
            )

    def gently(self) -> WriteSettings:
        """For mending: from three quarters of the first amplitudes, so that fewer neighbours are hit."""
        return replace(self, set_volts=0.75 * self.set_volts, reset_volts=0.75 * self.reset_volts)

    def starting_at(self, state: State, volts: float, step_volts: float) -> WriteSettings:
        """The same with another first amplitude (a magnitude) towards this state, and another step."""
        if state == State.P:
            return replace(self, set_volts=volts, step_volts=step_volts)
        return replace(self, reset_volts=volts, step_volts=step_volts)

    def first_volts(self, state: State) -> float:
        """First amplitude towards this state, signed."""
        return self.set_volts if state == State.P else -self.reset_volts

    def amplitudes(self, state: State) -> list[float]:
        """Signed amplitudes to try in turn for this target state."""
        first = abs(self.first_volts(state))
        count = int(np.floor((self.most_volts - first) / self.step_volts + 1e-9)) + 1
        sign = 1.0 if state == State.P else -1.0
        return [sign * (first + k * self.step_volts) for k in range(max(count, 1))]

    def pulses(self, state: State) -> list[Pulse]:
        """Pulses to try in turn for this target state: higher each time, or longer."""
        if self.grows == "amplitude":
            return [Pulse(volts, self.pulse_seconds) for volts in self.amplitudes(state)]
        ratio = max(self.most_seconds / self.pulse_seconds, 1.0)
        count = int(np.floor(np.log(ratio) / np.log(self.width_factor) + 1e-9)) + 1
        volts = self.first_volts(state)
        return [Pulse(volts, self.pulse_seconds * self.width_factor**k) for k in range(count)]
