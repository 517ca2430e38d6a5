"""From raw reads of a passive array, sneak paths and wires included, back to the conductance of each cell.

A read (i, j) drives row i with one volt and takes the current into column j, which is held at 0 V; the scheme says
what the other lines do. The reads are an exact function of cells and wires; damped Newton on ln G inverts it
(Levenberg and Marquardt), with the exact derivative of every read with respect to every cell: the product of the cell's
voltage in that read and its voltage in the adjoint one (Tellegen).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..nouns import Bools, Floats
from .blas_threads import one_thread
from .crossbar import Reduction, reduce_array, shared_ohms

_MOST_STEPS = 60
_SETTLED = 1e-9
_LEAST_SIEMENS = 1e-12
_LARGEST_LOG_STEP = 2.0
_RELATIVE_NUDGE = 1e-4
_UNDETERMINED = 0.5
"""A relative standard deviation beyond which the data do not determine a parameter."""


class Scheme(Enum):
    """What the lines do that are not selected."""

    GROUNDED = "grounded"
    FLOATING = "floating"
    HALF = "half"
    THIRD = "third"
    ROWS_FLOAT = "rows float"


@dataclass(frozen=True)
class Wires:
    """Resistances between the instruments and the cells; row i is fed at its first column, column j at its last row.

    Attributes:
        segment_ohms: wire between neighbouring cells, and between a line's end and its first cell.
        row_ohms, col_ohms: in series with each line: driver or sense, lead, probe; scalar or one per line.
    """

    segment_ohms: float = 0.0
    row_ohms: ArrayLike = 0.0
    col_ohms: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class RawReads:
    """Measured reads under one scheme.

    Attributes:
        siemens: (rows, cols), current into the selected column per volt on the selected row; NaN where not read.
        scheme: how they were taken.
        relative_noise: standard deviation of each read as a fraction of it; scalar or (rows, cols).
        floor_siemens: standard deviation that does not go with the read, siemens.
    """

    siemens: Floats
    scheme: Scheme
    relative_noise: ArrayLike = 1e-3
    floor_siemens: ArrayLike = 1e-9

    @property
    def deviations(self) -> Floats:
        """Standard deviation of each read, siemens."""
        share = np.asarray(self.relative_noise) * np.abs(self.siemens)
        return np.asarray(np.hypot(share, np.asarray(self.floor_siemens)))


@dataclass(frozen=True, eq=False)
class Deembedded:
    """What the reads say of the cells.

    Attributes:
        siemens: (rows, cols), conductance of each cell.
        relative_deviation: (rows, cols), standard deviation of ln G that the read noise leaves.
        is_determined: (rows, cols), False where that is so large that the value means nothing.
        wires: as assumed, or as fitted.
        segment_deviation: standard deviation of the fitted segment resistance, ohms; 0 if it was not fitted.
        chi_squared_per_read: mean squared residual in units of the noise; far above 1 means that wires or scheme are
            not as assumed.
        steps: Newton steps taken.
    """

    siemens: Floats
    relative_deviation: Floats
    is_determined: Bools
    wires: Wires
    segment_deviation: float
    chi_squared_per_read: float
    steps: int


def raw_reads(siemens: ArrayLike, scheme: Scheme, wires: Wires) -> Floats:
    """What every single-cell read of an array gives, (rows, cols), siemens: current per volt, exact and noise-free."""
    return _read(_reduced(np.asarray(siemens, dtype=np.float64), wires), scheme)[0]


def deembed(
    reads: Sequence[RawReads],
    wires: Wires,
    *,
    fits_segment: bool = False,
    expected_siemens: float | None = None,
    expected_spread: float = 1.0,
) -> Deembedded:
    """Find the cells behind raw reads.

    Args:
        reads: one or more complete sets of reads of the same cells; several schemes together determine more.
        wires: resistances; the segment resistance is a first guess if it is fitted.
        fits_segment: also find the segment resistance; one scheme alone does not determine it.
        expected_siemens, expected_spread: what is known of the cells beforehand, as median and as standard deviation of
            ln G; it keeps noisy reads from running away. Without a median nothing is assumed.

    Raises InputError if shapes differ, or if the reads cannot determine what is asked for.
    """
    shape = _shape(reads)
    problem = _Problem(reads, wires, shape, fits_segment, expected_siemens, expected_spread)
    with one_thread():
        return _solved(problem)


def _solved(problem: _Problem) -> Deembedded:
    logs = problem.first_guess()
    residual, jacobian = problem.linearised(logs)
    damping, largest, steps = 1e-6, np.inf, 0
    while largest > _SETTLED and steps < _MOST_STEPS:
        step, damping, moved = _damped_step(problem, logs, residual, jacobian, damping)
        logs, residual, jacobian = moved or (logs, residual, jacobian)
        largest, steps = float(np.abs(step).max()), steps + 1
    return problem.result(logs, residual, jacobian, steps)


def _damped_step(
    problem: _Problem, logs: Floats, residual: Floats, jacobian: Floats, damping: float
) -> tuple[Floats, float, tuple[Floats, Floats, Floats] | None]:
    """A step that makes the residual smaller, with as little damping as that takes; None if there is none."""
    normal, slope = jacobian.T @ jacobian, jacobian.T @ residual
    scale = np.diag(normal).max()
    cost = residual @ residual
    while damping < 1e6:
        step = -np.linalg.solve(normal + damping * scale * 1e-6 * np.eye(logs.size), slope)
        largest = np.abs(step).max()
        step *= min(1.0, _LARGEST_LOG_STEP / max(largest, 1e-300))
        found, sloped = problem.linearised(logs + step)
        if found @ found <= cost * (1 + 1e-12):
            return step, damping / 10, (logs + step, found, sloped)
        damping = max(damping, 1e-6) * 10
    return np.zeros(logs.size), damping, None


class _Problem:
    """Residuals and their derivatives in ln G of the cells and, if it is fitted, ln of the segment resistance."""

    def __init__(
        self,
        reads: Sequence[RawReads],
        wires: Wires,
        shape: tuple[int, int],
        fits_segment: bool,
        expected_siemens: float | None,
        expected_spread: float,
    ) -> None:
        self._reads, self._wires, self._shape = reads, wires, shape
        self._fits_segment = fits_segment
        self._cells = shape[0] * shape[1]
        self._prior = None if expected_siemens is None else (np.log(expected_siemens), expected_spread)
        count = sum(int(np.isfinite(r.siemens).sum()) for r in reads)
        if count < self._cells + fits_segment and self._prior is None:
            raise InputError(
                f"{count} reads cannot determine {self._cells} cells" + (" and a wire" if fits_segment else ""),
                remedy="Read every cell, under a second scheme too if the wire resistance is to be fitted",
            )
        if fits_segment and wires.segment_ohms <= 0:
            raise InputError("a fitted segment resistance needs a first guess above zero", remedy="Give some ohms")

    def first_guess(self) -> Floats:
        """The raw reads themselves, as logarithms."""
        middle = float(np.nanmedian(self._reads[0].siemens))
        raw = np.mean([np.nan_to_num(r.siemens, nan=middle) for r in self._reads], axis=0).ravel()
        logs = np.log(np.maximum(raw, middle * 1e-3))
        return np.append(logs, np.log(self._wires.segment_ohms)) if self._fits_segment else logs

    def wires(self, logs: Floats) -> Wires:
        """The wires that belong to these parameters."""
        if not self._fits_segment:
            return self._wires
        return replace(self._wires, segment_ohms=float(np.exp(logs[-1])))

    def linearised(self, logs: Floats) -> tuple[Floats, Floats]:
        """Residuals in units of their noise, and their derivatives."""
        siemens = np.exp(logs[: self._cells])
        reduction = _reduced(siemens.reshape(self._shape), self.wires(logs))
        residuals, slopes = [], []
        for raw in self._reads:
            is_read = np.isfinite(raw.siemens).ravel()
            wanted, deviation = raw.siemens.ravel()[is_read], raw.deviations.ravel()[is_read]
            modelled, slope = _read(reduction, raw.scheme)
            residuals.append((modelled.ravel()[is_read] - wanted) / deviation)
            slope = slope[is_read] * siemens
            if self._fits_segment:
                slope = np.column_stack([slope, self._wire_slope(logs, raw.scheme, modelled)[is_read]])
            slopes.append(slope / deviation[:, None])
        if self._prior is not None:
            middle, spread = self._prior
            residuals.append((logs[: self._cells] - middle) / spread)
            slopes.append(np.eye(self._cells, logs.size) / spread)
        return np.concatenate(residuals), np.vstack(slopes)

    def _wire_slope(self, logs: Floats, scheme: Scheme, modelled: Floats) -> Floats:
        """Change of the reads per unit of ln of the segment resistance, by a small step."""
        nudged = logs.copy()
        nudged[-1] += _RELATIVE_NUDGE
        siemens = np.exp(logs[: self._cells]).reshape(self._shape)
        return (raw_reads(siemens, scheme, self.wires(nudged)) - modelled).ravel() / _RELATIVE_NUDGE

    def result(self, logs: Floats, residual: Floats, jacobian: Floats, steps: int) -> Deembedded:
        """Values with what the noise leaves of them."""
        deviations = _deviations(jacobian)
        is_determined = deviations[: self._cells] < _UNDETERMINED
        if self._fits_segment and deviations[-1] > _UNDETERMINED:
            raise InputError(
                "these reads do not determine the segment resistance",
                remedy="Add reads under another scheme, or give the resistance",
            )
        if is_determined.mean() < 0.5:
            raise InputError(
                f"these reads determine only {int(is_determined.sum())} of {self._cells} cells",
                remedy="Average longer, ground the unselected lines, or give expected_siemens",
            )
        wires = self.wires(logs)
        reads = sum(int(np.isfinite(r.siemens).sum()) for r in self._reads)
        return Deembedded(
            np.exp(logs[: self._cells]).reshape(self._shape),
            deviations[: self._cells].reshape(self._shape),
            is_determined.reshape(self._shape),
            wires,
            float(deviations[-1] * wires.segment_ohms) if self._fits_segment else 0.0,
            float(residual[:reads] @ residual[:reads]) / reads,
            steps,
        )


def _deviations(jacobian: Floats) -> Floats:
    """Standard deviations of the parameters: the covariance is the inverse of J'J; infinite along what is not seen."""
    values, vectors = np.linalg.eigh(jacobian.T @ jacobian)
    least = values[-1] * np.finfo(np.float64).eps * values.size
    return np.asarray(np.sqrt((vectors**2 / np.maximum(values, least)).sum(axis=1)))


def _shape(reads: Sequence[RawReads]) -> tuple[int, int]:
    shapes = {r.siemens.shape for r in reads}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise InputError(f"reads of shapes {sorted(shapes)} given", remedy="Give (rows, cols) of one array each time")
    rows, cols = next(iter(shapes))
    return rows, cols


def _reduced(siemens: Floats, wires: Wires) -> Reduction:
    rows, cols = siemens.shape
    ohms = shared_ohms(rows, cols, wires.segment_ohms, wires.row_ohms, wires.col_ohms)
    return reduce_array(np.maximum(siemens, _LEAST_SIEMENS), ohms)


def _read(reduction: Reduction, scheme: Scheme) -> tuple[Floats, Floats]:
    """All reads, (rows, cols), and their derivatives (rows * cols, cells) with respect to every cell."""
    rows = int((reduction.lines.max(axis=0) > 0).sum())
    cols = reduction.lines.shape[1] - rows
    ports = reduction.port_siemens
    ports = (ports + ports.T) / 2
    volts, adjoint = _potentials(ports, rows, cols, scheme)
    sensed = np.tile(np.arange(rows, rows + cols), rows)
    amps = -np.einsum("rl,rl->r", volts, ports[sensed])
    slopes = -(volts @ reduction.to_cells.T) * (adjoint @ reduction.to_cells.T)
    return amps.reshape(rows, cols), slopes


def _potentials(ports: Floats, rows: int, cols: int, scheme: Scheme) -> tuple[Floats, Floats]:
    """Voltages of all lines in every read, and in its adjoint (one volt on the sensed column), (reads, lines) each."""
    i, j = (grid.ravel() for grid in np.indices((rows, cols)))
    lines = np.eye(rows + cols)
    selected, sensed = lines[i], lines[rows + j]
    if scheme is Scheme.FLOATING:
        return _floating(ports, i, rows + j)
    if scheme is Scheme.ROWS_FLOAT:
        return _rows_floating(ports, rows, i, j)
    other_rows, other_cols = {Scheme.GROUNDED: (0, 0), Scheme.HALF: (0.5, 0.5), Scheme.THIRD: (1 / 3, 2 / 3)}[scheme]
    rest = np.concatenate([np.full(rows, other_rows), np.full(cols, other_cols)])
    volts = selected + rest * (1 - selected) * (1 - sensed)
    return volts, sensed


def _floating(ports: Floats, row: np.ndarray, col: np.ndarray) -> tuple[Floats, Floats]:
    """All other lines float: potentials of a current from one line to the other, scaled to one volt between them."""
    size = len(ports)
    scale = np.diag(ports).mean()
    spread = np.linalg.inv(ports + scale / size)
    volts = spread[row] - spread[col]
    between = np.take_along_axis(volts, row[:, None], 1) - np.take_along_axis(volts, col[:, None], 1)
    volts = (volts - np.take_along_axis(volts, col[:, None], 1)) / between
    return volts, 1 - volts


def _rows_floating(ports: Floats, rows: int, i: np.ndarray, j: np.ndarray) -> tuple[Floats, Floats]:
    """Other rows float, other columns are at 0 V."""
    of_rows = np.linalg.inv(ports[:rows, :rows])
    driven = of_rows[i] / of_rows[i, i][:, None]
    volts = np.hstack([driven, np.zeros((i.size, len(ports) - rows))])
    induced = -(of_rows @ ports[:rows, rows:]).T[j]
    held = induced - driven * np.take_along_axis(induced, i[:, None], 1)
    adjoint = np.hstack([held, np.eye(len(ports) - rows)[j]])
    return volts, adjoint
