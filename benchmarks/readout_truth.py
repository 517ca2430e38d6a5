"""Whether the true conductance lies within the stated 95 % uncertainty, per readout scheme, for 10,000 cells."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from mtjlab.nouns import ArrayMap, CellStatus, Floats, Site
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.die_description import Kind
from mtjlab.physics.line_reads import BiasDependence, LineReads, respond
from mtjlab.protocols.readout import readout
from mtjlab.protocols.readout_array import read_array, read_row
from mtjlab.protocols.readout_settings import SCHEME_NAMES, Accuracy, ReadSettings
from mtjlab.protocols.readout_wires import measure_wires, with_wires

from . import _truth_board
from ._truth_board import board
from ._truth_rigs import (
    CONTACT_OHMS,
    HALF_VOLTS,
    HALF_VOLTS_SIGMA,
    LINE_OHMS_SIGMA,
    SEGMENT_OHMS,
    SEGMENT_SIGMA,
    SIDE,
    Rig,
    bench,
    four_wire_bench,
    in_memory,
)

_NOISE_AMPS = 20e-9
_CELLS = 10_000
_COVERAGE = 1.959964
_FLOOR = Accuracy(source=2e-3, meter=2e-3)
"""Instruments so wrong that their part is no smaller than the others."""


class Found(NamedTuple):
    """What a read came to and what would have been right, all (rows, cols), siemens; NaN where nothing is claimed."""

    siemens: Floats
    sigma: Floats
    truth: Floats


_Read = Callable[[Rig, Scheme], Found]
_Open = Callable[[int], AbstractContextManager[Rig]]


@dataclass(frozen=True)
class _Case:
    """A way of reading: on what, how, with which scheme, and how many cells one die has."""

    name: str
    opened: _Open
    read: _Read
    scheme: Scheme
    cells: int = SIDE**2


def _settings(rig: Rig, scheme: Scheme, **changed: Any) -> ReadSettings:
    plain: dict[str, Any] = {
        "scheme": scheme,
        "wires": Wires(SEGMENT_OHMS, rig.line_ohms, rig.line_ohms),
        "accuracy": rig.accuracy,
        "segment_sigma_ohms": SEGMENT_SIGMA,
        "line_sigma_ohms": LINE_OHMS_SIGMA,
        "hold_ohms": rig.hold_ohms,
        "hold_sigma_ohms": rig.hold_sigma,
        "bias": BiasDependence(HALF_VOLTS, HALF_VOLTS_SIGMA),
    }
    return ReadSettings(**{**plain, **changed})


def _whole(rig: Rig, settings: ReadSettings) -> Found:
    found = read_array(rig.crossbar, settings)
    assert (found.status == CellStatus.UNREAD).all()
    return _held_against(found, rig.truth(settings.read_volts))


def _held_against(found: ArrayMap, truth: Floats) -> Found:
    return Found(found.siemens, found.sigma, truth)


def _plain(**changed: Any) -> _Read:
    return lambda rig, scheme: _whole(rig, _settings(rig, scheme, **changed))


def _references(rig: Rig, scheme: Scheme) -> Found:
    """Four healthy cells known to a permille set the scale; they are not counted."""
    healthy = np.argwhere(rig.die.kind.reshape(rig.crossbar.shape) == Kind.JUNCTION)[::50][:4]
    truth, error = rig.truth(0.1), 1e-3
    off = 1 + error * np.random.default_rng([rig.seed, 1]).standard_normal()
    known = {Site(int(i), int(j)): float(truth[i, j]) * off for i, j in healthy}
    found = _whole(rig, _settings(rig, scheme, references=known, references_sigma=error))
    for site in known:
        found.sigma[site] = np.nan
    return found


def _measured(rig: Rig, scheme: Scheme) -> Found:
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
    return _whole(rig, with_wires(settings, found))


def _by_row(rig: Rig, scheme: Scheme) -> Found:
    """Each row by itself, with nothing known of the others."""
    settings = _settings(rig, scheme)
    rows = [read_row(rig.crossbar, row, settings) for row in range(rig.crossbar.shape[0])]
    siemens, sigma = (np.stack([row[k] for row in rows]) for k in (0, 1))
    return Found(siemens, sigma, rig.truth(settings.read_volts))


def _with_wires(rig: Rig) -> Floats:
    """(rows, cols), what grounded reads without any error would give, wires included."""
    description, ohms = rig.die.description, rig.die.contact_ohms + (rig.line_ohms - CONTACT_OHMS)
    rows, cols = rig.crossbar.shape
    sites = [(i, j) for i in range(rows) for j in range(cols)]
    reads = LineReads.of_cells((rows, cols), sites, Scheme.GROUNDED)
    wires = Wires(description.segment_ohms, ohms[:rows], ohms[rows:])
    bias = BiasDependence(description.tmr_half_volts)
    return respond(rig.truth(0.1), reads, wires, bias, 0.1).siemens.reshape(rows, cols)


def _wires_left_in(rig: Rig, scheme: Scheme) -> Found:
    found = read_array(rig.crossbar, ReadSettings(scheme=scheme, accuracy=rig.accuracy))
    return _held_against(found, _with_wires(rig))


def _readout(rig: Rig, scheme: Scheme) -> Found:
    """The plain read of a demonstration: one reading at each level, no wires removed, its uncertainty only noise."""
    assert scheme is Scheme.GROUNDED
    return _held_against(readout(rig.crossbar), _with_wires(rig))


def _ideal(seed: int) -> AbstractContextManager[Rig]:
    return in_memory(seed, Accuracy(), _NOISE_AMPS)


def _poor(seed: int) -> AbstractContextManager[Rig]:
    return in_memory(seed, _FLOOR, _NOISE_AMPS)


def cases() -> list[_Case]:
    """Every way of reading that states an uncertainty."""
    on_board = _plain(read_volts=_truth_board.READ_VOLTS)
    return [
        *(_Case("bench, two-wire", bench, _plain(), scheme) for scheme in Scheme),
        *(_Case("bench, four-wire", four_wire_bench, _plain(), s) for s in (Scheme.GROUNDED, Scheme.FLOATING)),
        *(_Case("in memory", _ideal, _plain(), scheme) for scheme in Scheme),
        _Case("bench, wires measured", bench, _measured, Scheme.GROUNDED),
        _Case("in memory, wires measured", _ideal, _measured, Scheme.FLOATING),
        _Case("in memory, one polarity", _ideal, _plain(both_polarities=False), Scheme.GROUNDED),
        _Case(
            "bench, two-wire, offset left in",
            bench,
            _plain(both_polarities=False, removes_offset=False),
            Scheme.GROUNDED,
        ),
        _Case("in memory, averaged", _ideal, _plain(readings=16), Scheme.FLOATING),
        _Case("in memory, as many as wanted", _ideal, _plain(wanted=2.2e-3), Scheme.GROUNDED),
        _Case("in memory, row by row", _ideal, _by_row, Scheme.GROUNDED),
        _Case("in memory, 0.2 % instruments", _poor, _plain(), Scheme.GROUNDED),
        _Case("in memory, 0.2 % instruments", _poor, _plain(), Scheme.HALF),
        _Case("in memory, reference cells", _poor, _references, Scheme.GROUNDED),
        _Case("in memory, reference cells", _poor, _references, Scheme.HALF),
        _Case("in memory, wires left in", _ideal, _wires_left_in, Scheme.GROUNDED),
        _Case("in memory, plain readout", _ideal, _readout, Scheme.GROUNDED),
        _Case("board, calibrated", board, on_board, Scheme.FLOATING, _truth_board.SIDE**2),
    ]


def _deviations(case: _Case, dies: int) -> tuple[Floats, Floats, int]:
    """Errors in units of the stated uncertainty, relative uncertainties, and incidents."""
    errors, widths, incidents = [], [], 0
    for seed in range(dies):
        with case.opened(1000 + seed) as rig:
            found = case.read(rig, case.scheme)
            incidents += len(rig.log.incidents)
        known = np.isfinite(found.sigma)
        errors.append(((found.siemens - found.truth) / found.sigma)[known])
        widths.append((found.sigma / found.truth)[known])
    return np.concatenate(errors), np.concatenate(widths), incidents


def measured(case: _Case, *, quick: bool) -> tuple[list[Any], dict[str, Any]]:
    """Row of the table and figures of one way of reading."""
    dies = max(_CELLS // case.cells // (33 if quick else 1), 1)
    started = time.perf_counter()
    errors, widths, incidents = _deviations(case, dies)
    seconds = time.perf_counter() - started
    share, width = float((np.abs(errors) < _COVERAGE).mean()), float(np.median(widths))
    largest = float(np.abs(errors).max())
    row = [case.name, SCHEME_NAMES[case.scheme], errors.size, f"{share:.2%}", f"{width:.2%}"]
    figures = {
        "cells": errors.size,
        "within": round(share, 4),
        "median_relative_sigma": round(width, 5),
        "largest_error_sigmas": round(largest, 2),
        "incidents": incidents,
    }
    return [*row, f"{largest:.1f} sigma", f"{seconds:.0f}"], figures


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    rows: list[list[Any]] = [["Crossbar", "scheme", "cells", "within 95 %", "median sigma", "largest error", "seconds"]]
    figures: dict[str, Any] = {}
    for case in cases():
        row, figures[f"{case.name}, {SCHEME_NAMES[case.scheme]}"] = measured(case, quick=quick)
        rows.append(row)
    shares = [one["within"] for one in figures.values()]
    worst = {"wanted": [0.93, 0.97], "least": min(shares), "most": max(shares)}
    title = f"dies of {SIDE} x {SIDE} cells, kernels of 25 x 25; contacts unknown to 20 %"
    return title, rows, {**worst, "cases": figures}
