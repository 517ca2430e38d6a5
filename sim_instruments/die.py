"""A simulated die: the cells that were drawn, and the state they are in."""

from __future__ import annotations

import numpy as np

from mtjlab.nouns import Bools, Floats, Site
from mtjlab.physics import mtj, switching
from mtjlab.physics.die_description import DieDescription, Kind
from mtjlab.physics.populations import DrawnDie, draw_die

LONG = 200.0
"""Times t_d, the damping time, after which a cell leaves with its final rate."""


class Die:
    """The cells of one die and the state they are in; arrays have shape (rows * cols,), row-major.

    Args:
        description: what the die was drawn from.
        rng: draws it, unless it is given.
        drawn: the die as it was made.

    Attributes:
        is_tunnelling: cells that conduct through an intact barrier.
        flaws: what is wrong with junctions that conduct and switch, values of `Flaw`.
    """

    def __init__(self, description: DieDescription, rng: np.random.Generator, drawn: DrawnDie | None = None) -> None:
        self.description = description
        made = drawn or draw_die(description, rng)
        self.kind = made.kind.copy()
        self.siemens_p, self.tmr, self.delta = made.siemens_p, made.tmr, made.delta
        self.set_volts, self.reset_volts = made.set_volts, made.reset_volts
        self.breakdown_volts, self.short_siemens = made.breakdown_volts, made.short_siemens
        self.is_parallel = made.is_parallel.copy()
        self.contact_ohms = made.contact_ohms.copy()
        self.line_defects = made.line_defects
        self.flaws = np.zeros_like(made.kind) if made.flaws is None else made.flaws.copy()
        self._note_kinds()

    def break_down(self, index: int) -> None:
        """Turn a cell into a short."""
        self.kind[index] = Kind.SHORT
        self._note_kinds()

    def _note_kinds(self) -> None:
        self.is_tunnelling: Bools = np.asarray((self.kind != Kind.SHORT) & (self.kind != Kind.OPEN))
        self._is_junction: Bools = self.kind == Kind.JUNCTION
        self._dead = np.flatnonzero(~self.is_tunnelling)
        is_short = self.kind[self._dead] == Kind.SHORT
        self._dead_siemens = np.where(is_short, self.short_siemens[self._dead], self.description.open_siemens)

    def siemens(self, volts: Floats | float = 0.0) -> Floats:
        """Conductance of every cell at its bias."""
        g = mtj.conductance(self.is_parallel, volts, self.siemens_p, self.tmr, self.description.tmr_half_volts)
        return self._with_dead_cells(g)

    def current_slope(self, volts: Floats) -> Floats:
        """dI/dV of every cell at its bias, siemens."""
        g = mtj.current_slope(self.is_parallel, volts, self.siemens_p, self.tmr, self.description.tmr_half_volts)
        return self._with_dead_cells(g)

    def _with_dead_cells(self, siemens: Floats) -> Floats:
        siemens[self._dead] = self._dead_siemens
        return siemens

    def switching_rates(self, volts: Floats, field_tesla: float = 0.0) -> Floats:
        """Rate at which each cell leaves its magnetic state, 1/s; zero for cells that cannot.

        Long after the bias came; in the first nanoseconds see `reached_part`. A field along the axis adds to the drive
        as H / H_k, towards P if positive (macrospin: both lower the same barrier Delta (1 - i)^2).
        """
        rates = mtj.switching_rate(self._drive(volts, field_tesla), self.delta, self.description.damping_seconds)
        return np.asarray(rates * self._is_junction)

    def _drive(self, volts: Floats, field_tesla: float) -> Floats:
        return mtj.drive(
            self.is_parallel,
            volts,
            self.set_volts,
            self.reset_volts,
            field_tesla=field_tesla,
            anisotropy_tesla=self.description.anisotropy_tesla,
        )

    def is_long(self, seconds: float) -> bool:
        """Whether a bias that lasts so long makes cells leave with their final rate nearly all the time."""
        return seconds > LONG * self.description.damping_seconds

    def average_part(self, volts: Floats, field_tesla: float, seconds: float) -> Floats:
        """How much of its final rate each cell has on average while a bias that has just come lasts so long."""
        taus = max(seconds / self.description.damping_seconds, 1e-6)
        drive = self._drive(volts, field_tesla)
        final = switching.relaxation_rate(drive, self.delta) * taus
        return np.clip(switching.hazard(drive, self.delta, taus) / final, 0.0, 1.0)

    def reached_part(self, index: int, volts: Floats, field_tesla: float, seconds: float) -> float:
        """How much of its final rate a cell has reached so many seconds after its bias came."""
        if self.is_long(seconds):
            return 1.0
        taus = seconds / self.description.damping_seconds
        drive = self._drive(volts, field_tesla)[index]
        return float(switching.reached_part(drive, self.delta[index], taus))

    def breakdown_rates(self, volts: Floats) -> Floats:
        """Rate at which each barrier breaks down, 1/s."""
        rates = mtj.breakdown_rate(volts, self.breakdown_volts, self.description.breakdown_volts_per_decade)
        return np.asarray(rates * self.is_tunnelling)

    def site(self, index: int) -> Site:
        """Row and column of a cell."""
        return Site(*divmod(int(index), self.description.cols))
