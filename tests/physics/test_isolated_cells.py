"""Cells that transistors isolate: Ohm's law both ways, and uncertainties that are the scatter of the results."""

from __future__ import annotations

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.cell_fit import ReadErrors
from mtjlab.physics.deembed import Wires
from mtjlab.physics.isolated_cells import isolated_cells
from mtjlab.physics.line_reads import BiasDependence

SHAPE = (4, 5)


def cells(seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(SHAPE) < 0.5, 2e-4, 1e-4) * np.exp(0.05 * rng.standard_normal(SHAPE))


def read(siemens: Floats, wires: Wires) -> Floats:
    """One cell after the other, each in series with its own wires."""
    raw = np.empty(SHAPE)
    row, col = np.broadcast_to(wires.row_ohms, 4), np.broadcast_to(wires.col_ohms, 5)
    for i, j in np.ndindex(*SHAPE):
        ohms = wires.segment_ohms * ((j + 1) + (4 - i)) + row[i] + col[j]
        raw[i, j] = 1 / (1 / siemens[i, j] + ohms)
    return raw


def test_wires_are_removed_and_what_was_not_read_stays_unknown() -> None:
    wires = Wires(3.0, np.arange(4) + 5.0, 7.0)
    raw = read(cells(), wires)
    raw[1, 1], raw[2, 2] = np.nan, np.inf
    found = isolated_cells(raw, np.full(SHAPE, 1e-9), wires, ReadErrors())
    assert found.is_read.sum() == 18
    assert found.siemens[found.is_read] == pytest.approx(cells()[found.is_read], rel=1e-12)
    assert np.isnan(found.siemens[~found.is_read]).all()
    assert np.isnan(found.sigma[~found.is_read]).all()


def test_the_uncertainty_is_the_scatter_of_the_results() -> None:
    rng, true = np.random.default_rng(1), cells()
    errors = ReadErrors(meter=2e-3, drive=1e-3, segment_ohms=0.5, line_ohms=4.0)
    deviations = []
    for _ in range(400):
        segment = 3 + 0.5 * rng.standard_normal()
        actual = Wires(segment, 20 + 4 * rng.standard_normal(4), 20 + 4 * rng.standard_normal(5))
        scale = 1 + np.hypot(2e-3, 1e-3) * rng.standard_normal()
        raw = read(true, actual) * scale + 3e-7 * rng.standard_normal(SHAPE)
        found = isolated_cells(raw, np.full(SHAPE, 3e-7), Wires(3.0, 20.0, 20.0), errors)
        deviations.append((found.siemens - true) / found.sigma)
    assert np.std(deviations) == pytest.approx(1.0, abs=0.04)
    assert found.sigma == pytest.approx(
        np.sqrt(found.noise**2 + found.instruments**2 + found.wires**2 + found.bias**2), rel=1e-9
    )


def test_a_cell_at_less_than_the_bias_is_told_at_the_bias() -> None:
    true, wires, bias = cells(2), Wires(100.0, 50.0, 50.0), BiasDependence(0.5)
    is_parallel, volts = true > 1.5e-4, np.full(SHAPE, 0.1)
    for _ in range(30):
        now = true * bias.factor(volts, 0.1, is_parallel)
        volts = 0.1 * read(now, wires) / now
    assert (volts < 0.092).any()
    raw = read(now, wires)
    with_bias = isolated_cells(raw, np.full(SHAPE, 1e-9), wires, ReadErrors(), bias=BiasDependence(0.5, 0.05))
    without = isolated_cells(raw, np.full(SHAPE, 1e-9), wires, ReadErrors())
    assert with_bias.siemens == pytest.approx(true, rel=1e-9)
    assert without.siemens[~is_parallel].max() > 1.001 * true[~is_parallel].min()
    assert (with_bias.bias[~is_parallel] > 0).all()


def test_a_cell_that_conducts_better_than_its_wires_is_infinite() -> None:
    raw = read(cells(), Wires(3.0))
    raw[0, 0] = 0.1
    found = isolated_cells(raw, np.full(SHAPE, 1e-9), Wires(3.0), ReadErrors())
    assert np.isposinf(found.siemens[0, 0])
    assert np.isnan(found.sigma[0, 0])
    assert np.isfinite(found.sigma).sum() == 19


def test_nothing_read_is_refused() -> None:
    with pytest.raises(InputError, match="nothing was read"):
        isolated_cells(np.full(SHAPE, np.nan), np.ones(SHAPE), Wires(), ReadErrors())
