"""What a die is drawn from: sizes, spreads, defects, wires. Every number that nobody has published stands here."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Kind(IntEnum):
    """What a cell really is."""

    JUNCTION = 0
    SHORT = 1
    OPEN = 2
    STUCK_P = 3
    STUCK_AP = 4


class Flaw(IntEnum):
    """What is wrong with a junction that conducts and switches."""

    NONE = 0
    LOW_TMR = 1
    TELEGRAPH = 2
    """It changes its state by itself."""
    SOFT = 3
    """Half of a write amplitude switches it."""


class Defect(BaseModel):
    """One defect put at a known place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: int = Field(ge=0)
    col: int = Field(ge=0)
    kind: Literal["short", "open", "stuck_p", "stuck_ap"]


class LineDefect(BaseModel):
    """A broken line, or two neighbouring lines that touch.

    Attributes:
        axis, line: which one; a short is between this line and the next.
        kind: "open" or "short".
        after_cells: an open line conducts as far as this many cells from where it is fed. What lies beyond counts as
            open cells; that the rest of the line still joins them is left out.
        ohms: resistance of a short, at the ends where the lines are fed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: Literal["row", "col"]
    line: int = Field(ge=0)
    kind: Literal["open", "short"]
    after_cells: int = Field(default=0, ge=0)
    ohms: float = Field(default=50.0, gt=0)


class DefectRates(BaseModel):
    """Probability per cell of each defect; assumptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    short: float = Field(default=0.004, ge=0, le=1)
    open: float = Field(default=0.005, ge=0, le=1)
    stuck_p: float = Field(default=0.003, ge=0, le=1)
    stuck_ap: float = Field(default=0.003, ge=0, le=1)


class FlawRates(BaseModel):
    """Probability per cell of each flaw, and how it shows; spreads are of the logarithm. Assumptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low_tmr: float = Field(default=0.0, ge=0, le=1)
    telegraph: float = Field(default=0.0, ge=0, le=1)
    soft: float = Field(default=0.0, ge=0, le=1)
    low_tmr_factor: float = Field(default=0.3, gt=0, le=1)
    low_tmr_spread: float = Field(default=0.15, ge=0)
    telegraph_delta: float = Field(default=16.0, gt=0)
    telegraph_spread: float = Field(default=0.06, ge=0)
    soft_factor: float = Field(default=0.45, gt=0, le=1, description="on both switching voltages")
    soft_spread: float = Field(default=0.05, ge=0)


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
    flaw_rates: FlawRates = FlawRates()
    defects: list[Defect] = []
    line_defects: list[LineDefect] = []

    @model_validator(mode="after")
    def _defects_are_on_the_array(self) -> DieDescription:
        for defect in self.defects:
            if defect.row >= self.rows or defect.col >= self.cols:
                raise ValueError(f"defect at row {defect.row}, col {defect.col} is outside {self.rows} x {self.cols}")
        for broken in self.line_defects:
            lines, cells = (self.rows, self.cols) if broken.axis == "row" else (self.cols, self.rows)
            last = lines - (1 if broken.kind == "open" else 2)
            if broken.line > last or broken.after_cells >= cells:
                raise ValueError(f"line defect at {broken.axis} {broken.line} is outside {self.rows} x {self.cols}")
        return self
