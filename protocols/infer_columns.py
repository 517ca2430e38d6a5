"""Offset and gain of every sensed column, measured against cells whose conductances are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import ArrayMap, CellStatus, Cost, Floats, Line, Lines, Progress, unheard
from mtjlab.roles import Crossbar, LineRead

from .infer_prediction import transfer_of
from .infer_schemes import InputScheme, chosen_scheme
from .readout import READ_VOLTS

_UNSURE = (
    CellStatus.SHORT,
    CellStatus.OPEN,
    CellStatus.UNSTABLE,
    CellStatus.DISTURBED,
    CellStatus.LINE_OPEN,
    CellStatus.LINE_SHORT,
)
"""Cells that a gain should not rest on: their conductances count as unknown."""
_LEAST_ROWS = 2


@dataclass(frozen=True, eq=False)
class ColumnCalibration:
    """What each column reports of a current: offset + gain times the current. Arrays have shape (columns,).

    Attributes:
        cols: physical columns, ascending.
        offset_amps, gain: of each.
        offset_sigma, gain_sigma: their standard uncertainties.
        noise_amps: standard deviation of one reading.
        read_volts: level of the driven rows.
        cost: what it took.
    """

    cols: NDArray[np.int64]
    offset_amps: Floats
    gain: Floats
    offset_sigma: Floats
    gain_sigma: Floats
    noise_amps: float
    read_volts: float
    cost: Cost

    def corrected(self, cols: NDArray[np.int64], amps: Floats) -> Floats:
        """True currents, shape (..., columns), of what these columns report.

        Raises InputError if a column was not calibrated.
        """
        missing = np.setdiff1d(cols, self.cols)
        if missing.size:
            raise InputError(f"column {missing[0]} is not calibrated", remedy="Calibrate every column in use")
        place = np.searchsorted(self.cols, cols)
        return np.asarray((amps - self.offset_amps[place]) / self.gain[place], dtype=np.float64)


def calibrate_columns(
    crossbar: Crossbar,
    known: ArrayMap,
    *,
    cols: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
    patterns: int = 16,
    repeats: int = 2,
    driven: float = 0.5,
    read_volts: float = READ_VOLTS,
    others_conduct: bool | None = None,
    relative_sigma: float = 0.0,
    seed: int = 0,
    progress: Progress = unheard,
) -> ColumnCalibration:
    """Measure offset and gain of columns against the cells as they stand.

    Rows are driven as inference will drive them: where the Crossbar has a level for every row, all at random levels,
    else random halves of them at the read voltage; of either sign in turn. What a column reports against what its known
    cells carry is a straight line. Fitted by generalised least squares: the covariance holds the noise of the readings
    and what is unknown of the cells, which the patterns share.

    A board's gain may depend on the range that it chooses for the size of the current: choose `driven` so that the
    currents are like those of inference.

    Args:
        known: conductances as they are now, measured by something better than this Crossbar or under conditions that
            are known better (reference cells, another instrument). Its `sigma` counts where it is finite.
        cols: which; all if left out.
        rows: which rows may be driven; those with a known cell on all of these columns if left out. Shorts, opens and
            unstable cells count as known to 100 % only, so that what they really carry hardly matters.
        patterns: sets of driven rows, at least 4.
        repeats: readings of each, at least 2: their scatter tells the noise.
        driven: mean level of a driven row in units of the read voltage, or part of the rows that one pattern drives.
        others_conduct: whether the cells of the other columns conduct meanwhile; None for what the Crossbar says.
        relative_sigma: standard uncertainty that all known conductances have in common, as a fraction.
        seed: of the choice of rows.

    Raises:
        InputError: nothing to calibrate against; nothing has been sent.
        InstrumentError: a column went off scale.
    """
    if patterns < 4 or repeats < 2 or not 0 < driven <= 1:
        raise InputError("a calibration needs 4 patterns, 2 repeats and a part of driven rows above 0 and up to 1")
    columns = np.unique(np.arange(crossbar.shape[1]) if cols is None else np.asarray(cols, dtype=np.int64))
    usable = _usable_rows(known, columns) if rows is None else np.asarray(rows, dtype=np.int64)
    if usable.size < _LEAST_ROWS:
        raise InputError(
            f"{usable.size} rows have known cells on all of the {columns.size} columns",
            remedy="Read the array first, name the rows to drive, or calibrate fewer columns at a time",
        )
    conduct = not crossbar.capabilities.isolates_cells if others_conduct is None else others_conduct
    transfer = transfer_of(known, None if conduct else columns)[np.ix_(usable, columns)]
    is_unsure = np.isin(known.status[np.ix_(usable, columns)], _UNSURE)
    sigma = np.where(is_unsure, np.abs(transfer), np.nan_to_num(known.sigma[np.ix_(usable, columns)]))
    is_analogue = chosen_scheme(crossbar.capabilities, usable.size) is InputScheme.ANALOGUE
    draw = _levels if is_analogue else _subsets
    volts = draw((patterns, usable.size), driven, np.random.default_rng(seed)) * read_volts
    volts[1::2] *= -1  # one sign per pattern, so that two levels are enough
    started = crossbar.spent
    amps = _measured(crossbar, usable, columns, volts, repeats, progress)
    noise = float(np.sqrt(amps.var(axis=0, ddof=1).mean()))
    fits = [
        _fitted(volts, transfer[:, j], sigma[:, j], amps[:, :, j].mean(axis=0), noise / np.sqrt(repeats))
        for j in range(columns.size)
    ]
    offset, gain, offset_sigma, gain_sigma = np.array(fits).T
    gain_sigma = np.hypot(gain_sigma, gain * relative_sigma)
    cost = crossbar.spent - started
    return ColumnCalibration(columns, offset, gain, offset_sigma, gain_sigma, noise, read_volts, cost)


def _usable_rows(known: ArrayMap, columns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isfinite(known.siemens[:, columns]).all(axis=1))


def _subsets(shape: tuple[int, int], driven: float, rng: np.random.Generator) -> Floats:
    """Shape (patterns, rows): so many of the rows at 1."""
    found = np.zeros(shape)
    for pattern in found:
        pattern[rng.permutation(shape[1])[: max(1, round(driven * shape[1]))]] = 1.0
    return found


def _levels(shape: tuple[int, int], driven: float, rng: np.random.Generator) -> Floats:
    """Shape (patterns, rows): all rows at levels of this mean, none of them at 0."""
    reach = min(driven, 1 - driven)
    return driven + reach * rng.uniform(-0.9, 0.9, shape)


def _measured(
    crossbar: Crossbar,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    volts: Floats,
    repeats: int,
    progress: Progress,
) -> Floats:
    """Shape (repeats, patterns, columns), amps as reported."""
    found = np.zeros((repeats, len(volts), columns.size))
    what, total = "calibrating columns", repeats * len(volts)
    progress(what, 0, total)
    for repeat in range(repeats):
        for number, levels in enumerate(volts):
            lines = Lines.grounded(*crossbar.shape)
            lines.row_volts[rows] = levels
            readings = crossbar.measure_each([LineRead(lines, Line("col", int(column))) for column in columns])
            for column, reading in zip(columns, readings, strict=True):
                if reading.is_overflow or reading.in_compliance:
                    raise InstrumentError(
                        f"column {column} is at the end of the ammeter's range with {np.count_nonzero(levels)} rows on",
                        where="column calibration",
                        remedy="Drive a smaller part of the rows, or raise read_amps_range",
                    )
            found[repeat, number] = [reading.amps for reading in readings]
            progress(what, repeat * len(volts) + number + 1, total)
    return found


def _fitted(volts: Floats, siemens: Floats, sigma: Floats, amps: Floats, noise: float) -> tuple[float, ...]:
    """Offset, gain and their standard uncertainties of one column.

    Args:
        volts: shape (patterns, rows).
        siemens, sigma: shape (rows,), of the known cells.
        amps: shape (patterns,), means.
        noise: standard uncertainty of these, amps.
    """
    design = np.column_stack([np.ones(len(volts)), volts @ siemens])
    scale = np.array([1.0, float(np.abs(design[:, 1]).max(initial=0.0)) or 1.0])
    design = design / scale
    plain, *_ = np.linalg.lstsq(design, amps, rcond=None)
    left = max(len(amps) - 2, 1)
    scatter = float(((amps - design @ plain) ** 2).sum() / left)
    # readings without any noise of their own, or cells without a stated uncertainty: the misfit is what there is
    own = max(noise**2, scatter if not sigma.any() else 0.0, (1e-9 * float(np.abs(amps).max())) ** 2, 1e-30)
    covariance = own * np.eye(len(amps)) + (volts * sigma**2) @ volts.T
    weighted = np.linalg.solve(covariance, design)
    spread = np.linalg.inv(design.T @ weighted)
    offset, gain = spread @ (weighted.T @ amps) / scale
    offset_sigma, gain_sigma = np.sqrt(np.diag(spread)) / scale
    return float(offset), float(gain), float(offset_sigma), float(gain_sigma)
