"""Cells of a 25 x 25 passive array from raw reads through sneak paths and wires, beside plain thresholding."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Bools, Floats
from mtjlab.physics.deembed import RawReads, Scheme, Wires, deembed, raw_reads

_WIRES = Wires(2.0, row_ohms=10.0, col_ohms=10.0)
_PARALLEL, _ANTIPARALLEL, _SPREAD = 2e-4, 1e-4, 0.05


def _array(side: int, rng: np.random.Generator) -> tuple[Floats, Bools]:
    parallel = rng.random((side, side)) < 0.5
    siemens = np.where(parallel, _PARALLEL, _ANTIPARALLEL) * np.exp(_SPREAD * rng.standard_normal((side, side)))
    return siemens, parallel


def _misread(siemens: Floats, parallel: Bools) -> int:
    """Cells on the wrong side of the threshold that separates the states best, as somebody would set it by eye."""
    levels = np.sort(siemens.ravel())
    return min(int(((siemens > level) != parallel).sum()) for level in (levels[1:] + levels[:-1]) / 2)


def _case(
    side: int, scheme: Scheme, noise: float, assumed: Wires, seeds: int, expected: float | None
) -> dict[str, Any]:
    plain, found, errors, refused, seconds = 0, 0, [], 0, []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        siemens, parallel = _array(side, rng)
        raw = raw_reads(siemens, scheme, _WIRES) * (1 + noise * rng.standard_normal((side, side)))
        plain += _misread(raw, parallel)
        started = time.perf_counter()
        try:
            solved = deembed([RawReads(raw, scheme, noise)], assumed, expected_siemens=expected, expected_spread=0.5)
        except InputError:
            refused += 1
            continue
        finally:
            seconds.append(time.perf_counter() - started)
        found += int(((solved.siemens > np.sqrt(_PARALLEL * _ANTIPARALLEL)) != parallel).sum())
        errors.append(np.log(solved.siemens / siemens).std())
    cells = side * side
    return {
        "plain": plain / (seeds * cells),
        "found": found / (max(seeds - refused, 1) * cells),
        "rms": float(np.mean(errors)) if errors else float("nan"),
        "refused": refused,
        "seconds": float(np.median(seconds)),
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    side, seeds = (15, 2) if quick else (25, 5)
    wrong = replace(_WIRES, segment_ohms=2.2)
    middle = float(np.sqrt(_PARALLEL * _ANTIPARALLEL))
    cases = {
        "floating, 0.1 % noise": (Scheme.FLOATING, 1e-3, _WIRES, None),
        "floating, 0.1 % noise, wire 10 % wrong": (Scheme.FLOATING, 1e-3, wrong, None),
        "floating, 1 % noise": (Scheme.FLOATING, 1e-2, _WIRES, None),
        "floating, 1 % noise, something known": (Scheme.FLOATING, 1e-2, _WIRES, middle),
        "floating, 1 % noise, wire 10 % wrong, known": (Scheme.FLOATING, 1e-2, wrong, middle),
        "rows floating, 0.1 % noise": (Scheme.ROWS_FLOAT, 1e-3, _WIRES, None),
        "V/2, 0.1 % noise": (Scheme.HALF, 1e-3, _WIRES, None),
        "grounded, 1 % noise, wire 10 % wrong": (Scheme.GROUNDED, 1e-2, wrong, None),
    }
    rows: list[list[Any]] = [["reads", "misread plainly", "misread de-embedded", "rms of ln G", "refused", "seconds"]]
    figures: dict[str, Any] = {}
    for name, (scheme, noise, assumed, expected) in cases.items():
        found = _case(side, scheme, noise, assumed, seeds, expected)
        shares = [f"{found['plain']:.2%}", f"{found['found']:.2%}", f"{found['rms']:.4f}"]
        rows.append([name, *shares, f"{found['refused']} of {seeds}", f"{found['seconds']:.2f}"])
        figures[name] = {what: round(value, 5) for what, value in found.items()}
    return f"{side} x {side}, 2 ohm per segment, TMR 100 %, 5 % spread, {seeds} arrays", rows, figures
