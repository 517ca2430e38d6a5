"""Dies and wafers of dies, drawn from a seeded description: spreads, correlations over wafer and die, defects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from ..nouns import Bools, DieId, Floats, Ints
from ..yaml_files import check_model, load_yaml
from . import mtj
from .die_description import DieDescription, Flaw, Kind, LineDefect

_DEFECTS = (Kind.SHORT, Kind.OPEN, Kind.STUCK_P, Kind.STUCK_AP)


@dataclass(frozen=True, eq=False)
class DrawnDie:
    """One die as it was made; arrays have shape (rows * cols,), row-major, but for `contact_ohms` (rows + cols,).

    Attributes:
        kind: what each cell really is, values of `Kind`.
        siemens_p, tmr, delta, set_volts, reset_volts, breakdown_volts: of its junction.
        short_siemens: conductance it has if it is or becomes a short.
        is_parallel: its state as found.
        contact_ohms: probe contact of each line, rows first.
        line_defects: broken lines and lines that touch; cells beyond a break are open in `kind` already.
        flaws: what is wrong with junctions that conduct and switch, values of `Flaw`; None for nothing anywhere.
    """

    kind: Ints
    siemens_p: Floats
    tmr: Floats
    delta: Floats
    set_volts: Floats
    reset_volts: Floats
    breakdown_volts: Floats
    short_siemens: Floats
    is_parallel: Bools
    contact_ohms: Floats
    line_defects: tuple[LineDefect, ...] = ()
    flaws: Ints | None = None


@dataclass(frozen=True)
class _Shifts:
    """What makes one die differ from the description: natural logarithms to add, scalars or per cell, and rates."""

    logs: dict[str, Floats | float] = field(default_factory=dict)
    rate_factors: dict[str, float] = field(default_factory=dict)
    more_defects: Callable[[Ints, np.random.Generator], Ints] = lambda kinds, rng: kinds
    line_defects: tuple[LineDefect, ...] = ()

    def of(self, name: str) -> Floats:
        return np.exp(self.logs.get(name, 0.0))


def draw_die(description: DieDescription, rng: np.random.Generator, shifts: _Shifts | None = None) -> DrawnDie:
    """Draw one die. The same description and generator state give the same die."""
    d, moved = description, shifts or _Shifts()
    kind = moved.more_defects(_draw_kinds(d, rng, moved.rate_factors), rng)
    area = np.repeat(_relative_area(d), d.cols)
    cells = area.size
    siemens_p = _nominal_siemens(d) * area * _lognormal(rng, d.conductance_spread, cells) * moved.of("conductance")
    tmr = d.tmr * _lognormal(rng, d.tmr_spread, cells) * moved.of("tmr")
    delta = d.delta * area * _lognormal(rng, d.delta_spread, cells) * moved.of("delta")
    set_volts = d.set_volts_c0 * _lognormal(rng, d.volts_c0_spread, cells) * moved.of("volts_c0")
    reset_volts = d.reset_volts_c0 * _lognormal(rng, d.volts_c0_spread, cells) * moved.of("volts_c0")
    breakdown_volts = d.breakdown_volts * _lognormal(rng, d.breakdown_spread, cells)
    short_siemens = _lognormal(rng, d.short_spread, cells) / d.short_ohms
    is_parallel = rng.random(cells) < 0.5
    contact_ohms = d.contact_ohms * _lognormal(rng, d.contact_spread, d.rows + d.cols)
    line_defects = (*d.line_defects, *moved.line_defects)
    _break_lines(d, line_defects, kind, contact_ohms)
    is_parallel[kind == Kind.STUCK_P] = True
    is_parallel[kind == Kind.STUCK_AP] = False
    flaws = _draw_flaws(d, kind, rng)
    _weaken(d, flaws, rng, tmr, delta, set_volts, reset_volts)
    return DrawnDie(
        kind,
        siemens_p,
        tmr,
        delta,
        set_volts,
        reset_volts,
        breakdown_volts,
        short_siemens,
        is_parallel,
        contact_ohms,
        line_defects,
        flaws,
    )


def _draw_flaws(description: DieDescription, kind: Ints, rng: np.random.Generator) -> Ints:
    """Flaws of the junctions; nothing is drawn where there are none, so that such dies stay as they were."""
    rates = description.flaw_rates
    edges = np.cumsum([rates.low_tmr, rates.telegraph, rates.soft])
    flaws = np.zeros(kind.size, dtype=np.int8)
    if edges[-1] > 0:
        flaws = (np.searchsorted(edges, rng.random(kind.size), side="right") + 1).astype(np.int8)
        flaws[(flaws > Flaw.SOFT) | (kind != Kind.JUNCTION)] = Flaw.NONE
    return flaws


def _weaken(
    description: DieDescription,
    flaws: Ints,
    rng: np.random.Generator,
    tmr: Floats,
    delta: Floats,
    set_volts: Floats,
    reset_volts: Floats,
) -> None:
    if not flaws.any():
        return
    rates = description.flaw_rates
    is_low, is_telegraph, is_soft = (flaws == flaw for flaw in (Flaw.LOW_TMR, Flaw.TELEGRAPH, Flaw.SOFT))
    tmr[is_low] *= rates.low_tmr_factor * _lognormal(rng, rates.low_tmr_spread, int(is_low.sum()))
    delta[is_telegraph] = rates.telegraph_delta * _lognormal(rng, rates.telegraph_spread, int(is_telegraph.sum()))
    factor = rates.soft_factor * _lognormal(rng, rates.soft_spread, int(is_soft.sum()))
    set_volts[is_soft] *= factor
    reset_volts[is_soft] *= factor


def _break_lines(d: DieDescription, defects: tuple[LineDefect, ...], kind: Ints, contact_ohms: Floats) -> None:
    """Rows are fed at their first column, columns at their last row: what lies beyond a break counts as open."""
    grid = kind.reshape(d.rows, d.cols)
    for broken in (defect for defect in defects if defect.kind == "open"):
        if broken.after_cells == 0:
            contact_ohms[broken.line + (0 if broken.axis == "row" else d.rows)] = np.inf
        elif broken.axis == "row":
            grid[broken.line, broken.after_cells :] = Kind.OPEN
        else:
            grid[: d.rows - broken.after_cells, broken.line] = Kind.OPEN


def _relative_area(description: DieDescription) -> Floats:
    diameters = np.asarray(description.diameters_nm)
    per_row = diameters[np.arange(description.rows) * diameters.size // description.rows]
    return np.asarray((per_row / np.median(diameters)) ** 2, dtype=np.float64)


def _nominal_siemens(description: DieDescription) -> float:
    metres = float(np.median(description.diameters_nm)) * 1e-9
    return float(mtj.area_siemens(metres, description.ra_ohm_um2 * 1e-12))


def _lognormal(rng: np.random.Generator, sigma: float, size: int) -> Floats:
    return np.exp(sigma * rng.standard_normal(size))


def _draw_kinds(description: DieDescription, rng: np.random.Generator, factors: dict[str, float]) -> Ints:
    rates = description.defect_rates
    names = ("short", "open", "stuck_p", "stuck_ap")
    edges = np.cumsum([min(getattr(rates, name) * factors.get(name, 1.0), 1.0) for name in names])
    draw = rng.random(description.rows * description.cols)
    kinds = (np.searchsorted(edges, draw, side="right") + 1).astype(np.int8)
    kinds[kinds > Kind.STUCK_AP] = Kind.JUNCTION
    for defect in description.defects:
        kinds[defect.row * description.cols + defect.col] = Kind[defect.kind.upper()]
    return kinds


class Spread(BaseModel):
    """Standard deviations, or shifts, of the logarithm of each quantity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conductance: float = 0.0
    tmr: float = 0.0
    delta: float = 0.0
    volts_c0: float = 0.0

    def items(self) -> list[tuple[str, float]]:
        """Name and value of each."""
        return [(name, float(getattr(self, name))) for name in ("conductance", "tmr", "delta", "volts_c0")]


class Clusters(BaseModel):
    """Groups of like defects, as a particle or a scratch leaves them.

    Attributes:
        per_die: mean number of groups on a die (Poisson).
        radius_cells: standard deviation of a group's extent.
        cells: mean number of defects in a group (Poisson).
        kind: what its cells become.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_die: float = Field(default=0.0, ge=0)
    radius_cells: float = Field(default=1.5, gt=0)
    cells: float = Field(default=4.0, ge=0)
    kind: str = Field(default="short", pattern="^(short|open|stuck_p|stuck_ap)$")


class LineDefectRates(BaseModel):
    """Probability per line of a break and, per pair of neighbours, of a short between them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row_open: float = Field(default=0.0, ge=0, le=1)
    col_open: float = Field(default=0.0, ge=0, le=1)
    row_short: float = Field(default=0.0, ge=0, le=1)
    col_short: float = Field(default=0.0, ge=0, le=1)
    whole_line: float = Field(default=0.5, ge=0, le=1, description="share of breaks before the first cell")
    short_ohms: float = Field(default=50.0, gt=0)


class WaferDescription(BaseModel):
    """What a wafer is drawn from, one file; all numbers are assumptions but where the file says otherwise.

    Attributes:
        wafer: its name.
        die: what all dies have in common, as in a bench file.
        pitch_mm: distance between dies, (x, y).
        radius_mm: dies whose centre is within it exist.
        dies: exactly so many, the nearest to the centre, instead of all within the radius.
        die_to_die: spread between dies.
        radial: change of the logarithm from the wafer's centre to its edge, as the square of the radius.
        within_die: spread of the part that is smooth over a die, beside the cells' own in `die`.
        correlation_cells: length over which it is smooth.
        rate_spread: relative standard deviation of each defect rate between dies (gamma distributed).
        edge_rate: factor by which defect rates rise from the wafer's centre to its edge.
        clusters: groups of like defects.
        lines: line defects.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wafer: str
    die: DieDescription = DieDescription()
    pitch_mm: tuple[float, float] = (5.0, 5.0)
    radius_mm: float = Field(default=95.0, gt=0)
    dies: int | None = Field(default=None, gt=0)
    die_to_die: Spread = Spread(conductance=0.03, tmr=0.02, delta=0.03, volts_c0=0.02)
    radial: Spread = Spread(conductance=0.05, tmr=-0.05)
    within_die: Spread = Spread(conductance=0.02, volts_c0=0.01)
    correlation_cells: float = Field(default=5.0, gt=0)
    rate_spread: float = Field(default=0.6, ge=0)
    edge_rate: float = Field(default=2.0, ge=1)
    clusters: list[Clusters] = []
    lines: LineDefectRates = LineDefectRates()

    @classmethod
    def load(cls, path: Path) -> WaferDescription:
        """Read a wafer file. Raises InputError that names the line."""
        return check_model(load_yaml(path), cls, path)

    @property
    def places(self) -> list[tuple[int, int]]:
        """(x, y) of every die, in rows from the smallest y, x ascending; the die at the centre is (0, 0)."""
        reach = [int(self.radius_mm // pitch) for pitch in self.pitch_mm]
        found = [
            (x, y)
            for y in range(-reach[1], reach[1] + 1)
            for x in range(-reach[0], reach[0] + 1)
            if self._radius(x, y) <= 1
        ]
        nearest = sorted(found, key=lambda place: (self._radius(*place), place[1], place[0]))[: self.dies]
        return sorted(nearest, key=lambda place: (place[1], place[0]))

    def _radius(self, x: int, y: int) -> float:
        return float(np.hypot(x * self.pitch_mm[0], y * self.pitch_mm[1]) / self.radius_mm)

    def draw(self, x: int, y: int, seed: int) -> DrawnDie:
        """The die at a place; it does not depend on which others are drawn."""
        rng = np.random.default_rng([seed, crc32(self.wafer.encode()), x & 0xFFFFFFFF, y & 0xFFFFFFFF])
        radius = self._radius(x, y)
        shifts = _Shifts(
            self._log_shifts(radius, rng), self._rate_factors(radius, rng), self._clustered, self._line_defects(rng)
        )
        return draw_die(self.die, rng, shifts)

    def draw_all(self, seed: int) -> dict[DieId, DrawnDie]:
        """Every die of the wafer, in the order of `places`."""
        return {DieId(self.wafer, x, y): self.draw(x, y, seed) for x, y in self.places}

    def _log_shifts(self, radius: float, rng: np.random.Generator) -> dict[str, Floats | float]:
        radial, within = dict(self.radial.items()), dict(self.within_die.items())
        shape = (self.die.rows, self.die.cols)
        return {
            name: sigma * rng.standard_normal() + radial[name] * radius**2 + within[name] * self._smooth(shape, rng)
            for name, sigma in self.die_to_die.items()
        }

    def _smooth(self, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
        """A field of unit variance that is smooth over `correlation_cells`, one value per cell."""
        margin = int(np.ceil(4 * self.correlation_cells))
        white = rng.standard_normal((shape[0] + 2 * margin, shape[1] + 2 * margin))
        kernel = ndimage.gaussian_filter1d(np.eye(1, 8 * margin + 1, 4 * margin)[0], self.correlation_cells)
        smooth = ndimage.gaussian_filter(white, self.correlation_cells) / (kernel**2).sum()
        return np.asarray(smooth[margin : margin + shape[0], margin : margin + shape[1]].ravel())

    def _rate_factors(self, radius: float, rng: np.random.Generator) -> dict[str, float]:
        edge = 1 + (self.edge_rate - 1) * radius**2
        shape = 1 / self.rate_spread**2 if self.rate_spread > 0 else np.inf
        draws = rng.gamma(shape, 1 / shape, len(_DEFECTS)) if np.isfinite(shape) else np.ones(len(_DEFECTS))
        return {kind.name.lower(): edge * float(draw) for kind, draw in zip(_DEFECTS, draws, strict=True)}

    def _clustered(self, kinds: Ints, rng: np.random.Generator) -> Ints:
        shape = (self.die.rows, self.die.cols)
        grid = kinds.reshape(shape).copy()
        for clusters in self.clusters:
            for _ in range(rng.poisson(clusters.per_die)):
                centre = rng.random(2) * shape
                offsets = clusters.radius_cells * rng.standard_normal((rng.poisson(clusters.cells), 2))
                sites = np.floor(centre + offsets).astype(np.int64)
                on_die = ((sites >= 0) & (sites < shape)).all(axis=1)
                grid[tuple(sites[on_die].T)] = Kind[clusters.kind.upper()]
        return grid.ravel()

    def _line_defects(self, rng: np.random.Generator) -> tuple[LineDefect, ...]:
        rates, rows, cols = self.lines, self.die.rows, self.die.cols
        found = []
        axes: tuple[tuple[Literal["row", "col"], int, int], ...] = (("row", rows, cols), ("col", cols, rows))
        for axis, lines, cells in axes:
            for line in np.flatnonzero(rng.random(lines) < getattr(rates, f"{axis}_open")):
                after = 0 if cells < 2 or rng.random() < rates.whole_line else int(rng.integers(1, cells))
                found.append(LineDefect(axis=axis, line=int(line), kind="open", after_cells=after))
            for line in np.flatnonzero(rng.random(lines - 1) < getattr(rates, f"{axis}_short")):
                found.append(LineDefect(axis=axis, line=int(line), kind="short", ohms=rates.short_ohms))
        return tuple(found)
