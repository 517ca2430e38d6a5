"""Resistances of wires come back from reads between lines, within their uncertainties."""

from __future__ import annotations

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.line_reads import BiasDependence, LineReads, respond
from mtjlab.physics.wire_fit import WireEstimate, between_lines, fit_wires, line_pairs

SHAPE = (7, 8)
BIAS = BiasDependence(0.5)


def found(seed: int, noise: float, **changed: float) -> tuple[WireEstimate, Wires]:
    rng = np.random.default_rng(seed)
    siemens = np.where(rng.random(SHAPE) < 0.5, 2e-4, 1e-4) * np.exp(0.05 * rng.standard_normal(SHAPE))
    siemens[2, 2], siemens[4, 1] = 4e-3, 1e-9
    true = Wires(2 + 0.2 * rng.standard_normal(), 6 + rng.standard_normal(7), 6 + rng.standard_normal(8))
    sites = [(i, j) for i in range(7) for j in range(8)]
    cells = respond(siemens, LineReads.of_cells(SHAPE, sites, Scheme.GROUNDED), true, BIAS, 0.1).siemens
    pairs = respond(siemens, between_lines(SHAPE, line_pairs(SHAPE)), true, BIAS, 0.1).siemens
    cells, pairs = (a + noise * rng.standard_normal(a.shape) for a in (cells, pairs))
    sigma = {"line_sigma_ohms": 1.0, "segment_sigma_ohms": 0.2} | changed
    estimate = fit_wires(cells.reshape(SHAPE), pairs, (noise, noise), Wires(2.0, 6.0, 6.0), bias=BIAS, **sigma)
    return estimate, true


def ohms(wires: Wires) -> Floats:
    return np.concatenate([np.broadcast_to(wires.row_ohms, 7), np.broadcast_to(wires.col_ohms, 8)])


def test_without_noise_the_resistances_are_exact() -> None:
    estimate, true = found(0, 1e-11)
    assert ohms(estimate.wires) == pytest.approx(ohms(true), abs=2e-3)
    assert estimate.wires.segment_ohms == pytest.approx(true.segment_ohms, rel=1e-3)


def test_the_uncertainty_is_the_scatter_of_the_results() -> None:
    lines, segments = [], []
    for seed in range(25):
        estimate, true = found(seed, 5e-8)
        lines.append((ohms(estimate.wires) - ohms(true)) / estimate.line_sigma_ohms)
        segments.append((estimate.wires.segment_ohms - true.segment_ohms) / estimate.segment_sigma_ohms)
        assert (estimate.line_sigma_ohms < 1.0).all(), "it has learned something"
        assert estimate.segment_sigma_ohms < 0.03
        assert 0.3 < estimate.chi_squared_per_read < 2.5
    assert np.std(lines) == pytest.approx(1.0, abs=0.12)
    assert np.std(segments) == pytest.approx(1.0, abs=0.35)


def test_what_is_known_exactly_is_held() -> None:
    estimate, _ = found(1, 5e-8, segment_sigma_ohms=0.0)
    assert estimate.wires.segment_ohms == 2.0
    assert estimate.segment_sigma_ohms == 0.0


def test_incomplete_reads_are_refused() -> None:
    with pytest.raises(InputError, match="complete"):
        fit_wires(np.full((2, 2), np.inf), np.zeros(2), (1, 1), Wires(), line_sigma_ohms=1.0, segment_sigma_ohms=0.1)


def test_pairs_are_of_one_kind() -> None:
    assert line_pairs((3, 2)) == [(0, 1), (0, 2), (1, 2), (3, 4)]
