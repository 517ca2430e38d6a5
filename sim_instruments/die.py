"""A simulated die: a seeded population of junctions with defects, and the description it is drawn from."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mtjlab.nouns import Bools, Floats, Ints, Site
from mtjlab.physics import mtj


class Kind(IntEnum):
    """What a cell really is."""

    JUNCTION = 0
    SHORT = 1
    OPEN = 2
    STUCK_P = 3
    STUCK_AP = 4


class Defect(BaseModel):
    """One defect put at a known place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: int = Field(ge=0)
    col: int = Field(ge=0)
    kind: Literal["short", "open", "stuck_p", "stuck_ap"]


class DefectRates(BaseModel):
    """Probability per cell of each defect; assumptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    short: float = Field(default=0.004, ge=0, le=1)
    open: float = Field(default=0.005, ge=0, le=1)
    stuck_p: float = Field(default=0.003, ge=0, le=1)
    stuck_ap: float = Field(default=0.003, ge=0, le=1)


class DieDescription(BaseModel):
    """What a die is drawn from. Nobody has published these numbers for a passive MTJ array: all are assumptions.

    The junctions follow the ranges that RA and current density of comparable perpendicular cells allow; sizes differ
    over the array by rows, `diameters_nm` repeating over blocks of equal height.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(default=15, ge=1, le=256)
    cols: int = Field(default=15, ge=1, le=256)
    diameters_nm: list[float] = Field(default=[46.0, 48.0, 50.0, 52.0, 54.0], min_length=1)
    ra_ohm_um2: float = Field(default=10.0, gt=0)
    conductance_spread: float = Field(default=0.05, ge=0, description="lognormal sigma of G_P within one size")
    tmr: float = Field(default=1.0, gt=0, description="TMR ratio at zero bias")
    tmr_spread: float = Field(default=0.03, ge=0)
    tmr_half_volts: float = Field(default=0.5, gt=0)
    delta: float = Field(default=60.0, gt=0, description="thermal stability of the median size; goes with area")
    delta_spread: float = Field(default=0.05, ge=0)
    set_volts_c0: float = Field(default=0.75, gt=0, description="V_c0 of AP to P")
    reset_volts_c0: float = Field(default=0.95, gt=0, description="V_c0 of P to AP, as a magnitude")
    volts_c0_spread: float = Field(default=0.06, ge=0)
    damping_seconds: float = Field(default=1.9e-9, gt=0)
    anisotropy_tesla: float = Field(default=0.2, gt=0, description="field that by itself removes the barrier (assumed)")
    breakdown_volts: float = Field(default=1.6, gt=0, description="bias that breaks the median cell in one second")
    breakdown_spread: float = Field(default=0.03, ge=0)
    breakdown_volts_per_decade: float = Field(default=0.06, gt=0)
    limit_volts: float = Field(default=1.2, gt=0, description="beyond this a cell counts as over-stressed")
    limit_amps: float = Field(default=1.5e-3, gt=0)
    short_ohms: float = Field(default=250.0, gt=0)
    short_spread: float = Field(default=0.3, ge=0)
    open_siemens: float = Field(default=1e-9, ge=0)
    segment_ohms: float = Field(default=2.0, ge=0, description="wire between neighbouring cells")
    contact_ohms: float = Field(default=5.0, gt=0, description="probe contact and pad, per line")
    contact_spread: float = Field(default=0.2, ge=0)
    defect_rates: DefectRates = DefectRates()
    defects: list[Defect] = []

    @model_validator(mode="after")
    def _defects_are_on_the_array(self) -> DieDescription:
        for defect in self.defects:
            if defect.row >= self.rows or defect.col >= self.cols:
                raise ValueError(f"defect at row {defect.row}, col {defect.col} is outside {self.rows} x {self.cols}")
        return self


class Die:
    """The cells of one die and the state they are in; arrays have shape (rows * cols,), row-major.

    Attributes:
        is_tunnelling: cells that conduct through an intact barrier.
    """

    def __init__(self, description: DieDescription, rng: np.random.Generator) -> None:
        self.description = description
        self.kind = _draw_kinds(description, rng)
        area = np.repeat(_relative_area(description), description.cols)
        self.siemens_p = (
            _nominal_siemens(description) * area * _lognormal(rng, description.conductance_spread, area.size)
        )
        self.tmr = description.tmr * _lognormal(rng, description.tmr_spread, area.size)
        self.delta = description.delta * area * _lognormal(rng, description.delta_spread, area.size)
        self.set_volts = description.set_volts_c0 * _lognormal(rng, description.volts_c0_spread, area.size)
        self.reset_volts = description.reset_volts_c0 * _lognormal(rng, description.volts_c0_spread, area.size)
        self.breakdown_volts = description.breakdown_volts * _lognormal(rng, description.breakdown_spread, area.size)
        self.short_siemens = _lognormal(rng, description.short_spread, area.size) / description.short_ohms
        self.is_parallel = rng.random(area.size) < 0.5
        self.is_parallel[self.kind == Kind.STUCK_P] = True
        self.is_parallel[self.kind == Kind.STUCK_AP] = False
        self._note_kinds()
        lines = description.rows + description.cols
        self.contact_ohms = description.contact_ohms * _lognormal(rng, description.contact_spread, lines)

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

        A field along the axis adds to the overdrive as H / H_k, towards P if positive (macrospin: both lower the same
        barrier Delta (1 - i)^2).
        """
        overdrive = np.where(self.is_parallel, -volts / self.reset_volts, volts / self.set_volts)
        if field_tesla:
            overdrive += np.where(self.is_parallel, -1.0, 1.0) * (field_tesla / self.description.anisotropy_tesla)
        rates = mtj.switching_rate(overdrive, self.delta, self.description.damping_seconds)
        return np.asarray(rates * self._is_junction)

    def breakdown_rates(self, volts: Floats) -> Floats:
        """Rate at which each barrier breaks down, 1/s."""
        rates = mtj.breakdown_rate(volts, self.breakdown_volts, self.description.breakdown_volts_per_decade)
        return np.asarray(rates * self.is_tunnelling)

    def site(self, index: int) -> Site:
        """Row and column of a cell."""
        return Site(*divmod(int(index), self.description.cols))


def _relative_area(description: DieDescription) -> Floats:
    diameters = np.asarray(description.diameters_nm)
    per_row = diameters[np.arange(description.rows) * diameters.size // description.rows]
    return np.asarray((per_row / np.median(diameters)) ** 2, dtype=np.float64)


def _nominal_siemens(description: DieDescription) -> float:
    metres = float(np.median(description.diameters_nm)) * 1e-9
    return float(mtj.area_siemens(metres, description.ra_ohm_um2 * 1e-12))


def _lognormal(rng: np.random.Generator, sigma: float, size: int) -> Floats:
    return np.exp(sigma * rng.standard_normal(size))


def _draw_kinds(description: DieDescription, rng: np.random.Generator) -> Ints:
    rates = description.defect_rates
    edges = np.cumsum([rates.short, rates.open, rates.stuck_p, rates.stuck_ap])
    draw = rng.random(description.rows * description.cols)
    kinds = (np.searchsorted(edges, draw, side="right") + 1).astype(np.int8)
    kinds[kinds > Kind.STUCK_AP] = Kind.JUNCTION
    for defect in description.defects:
        kinds[defect.row * description.cols + defect.col] = Kind[defect.kind.upper()]
    return kinds
