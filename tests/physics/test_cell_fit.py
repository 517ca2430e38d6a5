"""Cells behind noisy reads: within their uncertainties, whatever is wrong with instruments and wires."""

from __future__ import annotations

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.cell_fit import ReadErrors, fit_cells
from mtjlab.physics.deembed import Scheme, Wires, raw_reads
from mtjlab.physics.line_reads import BiasDependence, LineReads, respond

SHAPE = (6, 7)
WIRES = Wires(2.0, 5.0, 6.0)
every_scheme = pytest.mark.parametrize("scheme", list(Scheme))


def array(seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    siemens = np.where(rng.random(SHAPE) < 0.5, 2e-4, 1e-4) * np.exp(0.05 * rng.standard_normal(SHAPE))
    siemens[0, 0], siemens[3, 3] = 4e-3, 1e-9
    return siemens


@every_scheme
def test_reads_without_noise_give_the_cells_back(scheme: Scheme) -> None:
    siemens = array(0)
    raw = raw_reads(siemens, scheme, WIRES)
    found = fit_cells(raw, np.full(SHAPE, 1e-9), scheme, WIRES, ReadErrors())
    assert found.siemens == pytest.approx(siemens, rel=1e-5, abs=1e-11)
    assert found.is_read.all()


@every_scheme
def test_the_uncertainty_is_the_scatter_of_the_results(scheme: Scheme) -> None:
    siemens, rng = array(1), np.random.default_rng(2)
    raw, noise = raw_reads(siemens, scheme, WIRES), np.full(SHAPE, 3e-7)
    fits = [fit_cells(raw + noise * rng.standard_normal(SHAPE), noise, scheme, WIRES, ReadErrors()) for _ in range(60)]
    deviations = np.stack([(fit.siemens - siemens) / fit.noise for fit in fits])
    assert deviations.std() == pytest.approx(1.0, abs=0.05)
    assert abs(deviations.mean()) < 0.1
    below_zero = np.mean([fit.siemens[3, 3] < 0 for fit in fits])
    assert 0.3 < below_zero < 0.7, "an open cell is as often below zero as above"


@every_scheme
@pytest.mark.parametrize("kind", ["meter", "drive", "unselected", "segment_ohms", "line_ohms", "hold_ohms"])
def test_a_common_error_moves_cells_by_what_is_stated(scheme: Scheme, kind: str) -> None:
    """One standard uncertainty of one thing, and no noise, moves the cells by exactly their part of the uncertainty."""
    siemens = array(3)
    size = {"segment_ohms": 0.02, "line_ohms": 0.02, "hold_ohms": 0.02}.get(kind, 1e-4)
    sites = [(i, j) for i in range(6) for j in range(7)]
    reads = LineReads.of_cells(SHAPE, sites, scheme)
    wires = {
        "segment_ohms": Wires(2.02, 5.0, 6.0),
        "line_ohms": Wires(2.0, 5.0, np.where(np.arange(7) == 2, 6.02, 6.0)),
    }.get(kind, WIRES)
    true = respond(siemens, reads, wires)
    of_drive = true.of_levels[np.arange(42), reads.driven]
    error = {
        "meter": true.siemens,
        "drive": of_drive,
        "unselected": true.siemens - of_drive,
        "hold_ohms": true.per_hold_ohm,
    }.get(kind, 0.0)
    raw = (true.siemens + size * error).reshape(SHAPE)
    ohms = np.zeros(13)
    ohms[6 + 2] = size
    errors = ReadErrors(**{kind: ohms if kind == "line_ohms" else size})
    found = fit_cells(raw, np.full(SHAPE, 1e-10), scheme, WIRES, errors)
    stated = np.hypot(found.instruments, found.wires)
    assert np.abs(found.siemens - siemens) == pytest.approx(stated, rel=0.02, abs=3e-9)


def test_bias_dependence_is_removed_and_its_uncertainty_stated() -> None:
    siemens = array(4)
    sites = [(i, j) for i in range(6) for j in range(7)]
    reads = LineReads.of_cells(SHAPE, sites, Scheme.FLOATING)
    raw = respond(siemens, reads, WIRES, BiasDependence(0.5), 0.1).siemens.reshape(SHAPE)
    noise = np.full(SHAPE, 1e-9)
    good = fit_cells(raw, noise, Scheme.FLOATING, WIRES, ReadErrors(), bias=BiasDependence(0.5), read_volts=0.1)
    assert good.siemens == pytest.approx(siemens, rel=1e-5, abs=1e-10)
    assumed = BiasDependence(0.55, half_volts_sigma=0.05)
    off = fit_cells(raw, noise, Scheme.FLOATING, WIRES, ReadErrors(), bias=assumed, read_volts=0.1)
    error = np.abs(off.siemens - siemens)
    assert np.median(error / siemens) > 5e-4
    assert error.sum() == pytest.approx(off.bias.sum(), rel=0.4), "to first order"


def test_unread_cells_count_as_typical_ones_and_widen_the_uncertainty() -> None:
    siemens = array(5)
    siemens[0, 0] = 2e-4
    raw = raw_reads(siemens, Scheme.GROUNDED, WIRES)
    raw[1:] = np.nan
    found = fit_cells(raw, np.full(SHAPE, 1e-9), Scheme.GROUNDED, WIRES, ReadErrors())
    assert found.is_read.sum() == 7
    assert (np.abs(found.siemens - siemens)[0] < 3 * found.sigma[0]).all()
    assert (found.sigma[0] > 2e-9).all(), "what is not read loads the columns"
    assert (found.sigma[1:] > 0.1 * 1e-4).all()


def test_an_off_scale_cell_counts_as_one_that_conducts_much() -> None:
    siemens = array(6)
    raw = raw_reads(siemens, Scheme.GROUNDED, WIRES)
    raw[0, 0] = np.inf
    found = fit_cells(raw, np.full(SHAPE, 1e-9), Scheme.GROUNDED, WIRES, ReadErrors())
    healthy = found.is_read.copy()
    healthy[3, 3] = False
    assert found.siemens[healthy] == pytest.approx(siemens[healthy], rel=1e-2)
    assert (np.abs(found.siemens - siemens) < 3 * found.sigma + 1e-9)[healthy].all()


@pytest.mark.parametrize(
    ("raw", "match"), [(np.full((2, 2), np.nan), "nothing was read"), (np.ones((50, 50)), "too many")]
)
def test_what_cannot_be_solved_is_refused(raw: Floats, match: str) -> None:
    with pytest.raises(InputError, match=match):
        fit_cells(raw, np.ones(raw.shape), Scheme.GROUNDED, WIRES, ReadErrors())
