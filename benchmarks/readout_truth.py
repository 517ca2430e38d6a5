"""Whether the true conductance lies within the stated 95 % uncertainty, per readout scheme, for 10,000 cells."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from mtjlab.nouns import CellStatus, Floats, Site
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.die_description import Kind
from mtjlab.physics.line_reads import BiasDependence
from mtjlab.protocols.readout_array import read_array
from mtjlab.protocols.readout_settings import SCHEME_NAMES, Accuracy, ReadSettings
from mtjlab.protocols.readout_wires import measure_wires, with_wires

from ._truth_rigs import (
    HALF_VOLTS,
    HALF_VOLTS_SIGMA,
    LINE_OHMS_SIGMA,
    SEGMENT_OHMS,
    SEGMENT_SIGMA,
    SIDE,
    Rig,
    bench,
    in_memory,
)

_NOISE_AMPS = 20e-9
_COVERAGE = 1.959964
_FLOOR = Accuracy(source=2e-3, meter=2e-3)
"""Instruments so wrong that their part is no smaller than the others."""


def _settings(rig: Rig, scheme: Scheme, **changed: Any) -> ReadSettings:
    return ReadSettings(
        scheme=scheme,
        wires=Wires(SEGMENT_OHMS, rig.line_ohms, rig.line_ohms),
        segment_sigma_ohms=SEGMENT_SIGMA,
        line_sigma_ohms=LINE_OHMS_SIGMA,
        hold_ohms=rig.hold_ohms,
        hold_sigma_ohms=rig.hold_sigma,
        bias=BiasDependence(HALF_VOLTS, HALF_VOLTS_SIGMA),
        **changed,
    )


def _references(rig: Rig, scheme: Scheme) -> ReadSettings:
    """Four healthy cells known to a permille set the scale."""
    healthy = np.argwhere(rig.world.die.kind.reshape(rig.crossbar.shape) == Kind.JUNCTION)[::50][:4]
    truth, error = rig.truth(0.1), 1e-3
    off = 1 + error * np.random.default_rng(rig.world.die.kind.size).standard_normal()
    known = {Site(int(i), int(j)): float(truth[i, j]) * off for i, j in healthy}
    return _settings(rig, scheme, references=known, references_sigma=error)


def _measured(rig: Rig, scheme: Scheme) -> ReadSettings:
    """Wires and contacts are measured first, on the array itself."""
    settings = _settings(rig, scheme)
    assert settings.wires is not None
    found = measure_wires(
        rig.crossbar,
        settings.wires,
        line_sigma_ohms=LINE_OHMS_SIGMA,
        segment_sigma_ohms=SEGMENT_SIGMA,
        settings=replace(settings, readings=8),
    )
    return with_wires(settings, found)


_Choose = Callable[[Rig, Scheme], ReadSettings]
_Open = Callable[[int], AbstractContextManager[Rig]]


def _deviations(opened: _Open, choose: _Choose, scheme: Scheme, dies: int) -> tuple[Floats, Floats, int]:
    """Errors in units of the stated uncertainty, relative uncertainties, and incidents."""
    errors, widths, incidents = [], [], 0
    for seed in range(dies):
        with opened(1000 + seed) as rig:
            settings = choose(rig, scheme)
            found = read_array(rig.crossbar, settings)
            truth = rig.truth(settings.read_volts)
            incidents += len(rig.world.incidents)
        known = np.isfinite(found.sigma)
        for site in settings.references:
            known[site] = False
        errors.append(((found.siemens - truth) / found.sigma)[known])
        widths.append((found.sigma / truth)[known])
        assert (found.status == CellStatus.UNREAD).all()
    return np.concatenate(errors), np.concatenate(widths), incidents


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    dies = 3 if quick else 100

    def ideal(seed: int) -> AbstractContextManager[Rig]:
        return in_memory(seed, Accuracy(), _NOISE_AMPS)

    def poor(seed: int) -> AbstractContextManager[Rig]:
        return in_memory(seed, _FLOOR, _NOISE_AMPS)

    plain: _Choose = _settings
    cases: list[tuple[str, _Open, _Choose, Scheme]] = [("bench", bench, plain, scheme) for scheme in Scheme]
    cases += [("in memory", ideal, plain, scheme) for scheme in Scheme]
    cases += [
        ("bench, wires measured", bench, _measured, Scheme.GROUNDED),
        ("in memory, wires measured", ideal, _measured, Scheme.FLOATING),
        ("in memory, one polarity", ideal, lambda r, s: _settings(r, s, both_polarities=False), Scheme.GROUNDED),
        ("in memory, averaged", ideal, lambda r, s: replace(_settings(r, s), readings=16), Scheme.FLOATING),
        ("in memory, 0.2 % instruments", poor, lambda r, s: _settings(r, s, accuracy=_FLOOR), Scheme.GROUNDED),
        ("in memory, 0.2 % instruments", poor, lambda r, s: _settings(r, s, accuracy=_FLOOR), Scheme.HALF),
        ("in memory, reference cells", poor, _references, Scheme.GROUNDED),
    ]
    rows: list[list[Any]] = [["Crossbar", "scheme", "cells", "within 95 %", "median sigma", "largest error", "seconds"]]
    figures: dict[str, Any] = {}
    for name, opened, choose, scheme in cases:
        started = time.perf_counter()
        errors, widths, incidents = _deviations(opened, choose, scheme, dies)
        seconds = time.perf_counter() - started
        share, width = float((np.abs(errors) < _COVERAGE).mean()), float(np.median(widths))
        largest = float(np.abs(errors).max())
        rows.append(
            [
                name,
                SCHEME_NAMES[scheme],
                errors.size,
                f"{share:.2%}",
                f"{width:.2%}",
                f"{largest:.1f} sigma",
                f"{seconds:.0f}",
            ]
        )
        figures[f"{name}, {SCHEME_NAMES[scheme]}"] = {
            "cells": errors.size,
            "within": round(share, 4),
            "median_relative_sigma": round(width, 5),
            "largest_error_sigmas": round(largest, 2),
            "incidents": incidents,
        }
    shares = [one["within"] for one in figures.values()]
    worst = {"wanted": [0.93, 0.97], "least": min(shares), "most": max(shares)}
    return f"{dies} dies of {SIDE} x {SIDE} cells per case, contacts unknown to 20 %", rows, {**worst, "cases": figures}
