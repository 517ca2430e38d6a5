"""Characterization: Delta and V_c0 of 500 cells within their intervals, chosen pulses beside even grids of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from mtjlab.nouns import Cost, Floats, Line, Lines, Pulse, Reading, Site, State
from mtjlab.physics.mtj import volts_for_probability
from mtjlab.physics.switching import switching_probability
from mtjlab.protocols.characterize_cell import Drive
from mtjlab.protocols.characterize_next_pulse import Expected
from mtjlab.protocols.characterize_switching import Switching, switching_adaptively, switching_on_grid
from mtjlab.protocols.characterize_switching_fit import DAMPING_SECONDS, SwitchingFit
from mtjlab.roles import Capabilities, Crossbar

_SITE = Site(0, 0)
_WIDTHS = (1e-7, 1e-5, 1e-3)
_OFFERED = np.geomspace(0.2, 1.5, 160)
_EXPECTED = Expected((15.0, 150.0), (0.3, 2.0))
_DRIVE = Drive(Pulse(2.5, 1e-3), Pulse(-2.5, 1e-3))
_SIEMENS = {State.P: 2e-4, State.AP: 1e-4}
_READ_NOISE = 5e-9


class _OneCell(Crossbar):
    """A cell on ideal lines whose every pulse is one draw of the switching model, and an ammeter with noise."""

    def __init__(self, delta: float, volts_c0: float, rng: np.random.Generator) -> None:
        self._delta, self._volts_c0, self._rng = delta, volts_c0, rng
        self._state, self._pulses, self._readings = State.AP, 0, 0

    @property
    def shape(self) -> tuple[int, int]:
        return (1, 1)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(2, 2, shortest_pulse_seconds=0.0, can_float=True)

    @property
    def spent(self) -> Cost:
        return Cost(self._pulses, self._readings, 0.0)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        self._readings += 1
        amps = _SIEMENS[self._state] * float(lines.row_volts[0] - lines.col_volts[0])
        return [Reading(0.0, amps + _READ_NOISE * self._rng.standard_normal())]

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        self._pulses += 1
        volts = float(lines.row_volts[0] - lines.col_volts[0])
        drive = (volts if self._state == State.AP else -volts) / self._volts_c0
        if self._rng.random() < switching_probability(drive, seconds, self._delta, DAMPING_SECONDS):
            self._state = State.P if volts > 0 else State.AP
        return Reading(volts, _SIEMENS[self._state] * volts)

    def idle(self) -> None:
        return


def _cells(count: int) -> list[tuple[float, float, State]]:
    """Delta, V_c0, volts, and the direction in which the cell is measured."""
    rng = np.random.default_rng(11)
    deltas, volts = rng.uniform(35, 85, count), rng.uniform(0.5, 1.1, count)
    return [
        (float(d), float(v), State.P if k % 2 else State.AP) for k, (d, v) in enumerate(zip(deltas, volts, strict=True))
    ]


def _adaptive(cell: tuple[float, float, State], seed: int) -> Switching:
    crossbar = _OneCell(*cell[:2], np.random.default_rng([1, seed]))
    return switching_adaptively(
        crossbar,
        _SITE,
        cell[2],
        _OFFERED.tolist(),
        _WIDTHS,
        wanted_delta=0.08,
        wanted_volts=0.025,
        expected=_EXPECTED,
        drive=_DRIVE,
    )


def _even(cell: tuple[float, float, State], seed: int, volts: Floats, repeats: int) -> Switching:
    crossbar = _OneCell(*cell[:2], np.random.default_rng([2, seed]))
    return switching_on_grid(crossbar, _SITE, cell[2], volts.tolist(), _WIDTHS, repeats, drive=_DRIVE)


def _informed(cell: tuple[float, float, State]) -> Floats:
    """An even grid from where the longest pulse switches in 1 % to where the shortest does in 99 %."""
    low, high = (
        volts_for_probability(p, s, cell[0], cell[1], DAMPING_SECONDS) for p, s in ((0.01, 1e-3), (0.99, 1e-7))
    )
    return np.linspace(low, high, 20)


def _widths(fit: SwitchingFit) -> Floats:
    return np.log([fit.delta.high / fit.delta.low, fit.volts_c0.high / fit.volts_c0.low])


def _coverage(count: int) -> tuple[dict[str, Any], list[Switching]]:
    hits, found, began = np.zeros(2), [], time.process_time()
    cells = _cells(count)
    for seed, cell in enumerate(cells):
        found.append(_adaptive(cell, seed))
        fit = found[-1].fit
        assert fit is not None
        hits += [fit.delta.covers(cell[0]), fit.volts_c0.covers(cell[1])]
    pulses = [each.counts.pulses for each in found]
    return {
        "cells": count,
        "delta_covered": round(hits[0] / count, 3),
        "volts_c0_covered": round(hits[1] / count, 3),
        "pulses_median": int(np.median(pulses)),
        "pulses_with_resets_median": int(np.median([each.ending.cost.pulses for each in found])),
        "seconds_per_cell": round((time.process_time() - began) / count, 3),
    }, found


def _ratio(adaptive: list[Switching], is_informed: bool, repeats: int) -> dict[str, Any]:
    """Chosen pulses over those that an even grid needs for intervals as narrow: widths go with one over the root."""
    ratios, covered = [], np.zeros(2)
    cells = _cells(len(adaptive))
    for seed, (cell, chosen) in enumerate(zip(cells, adaptive, strict=True)):
        even = _even(cell, seed, _informed(cell) if is_informed else np.linspace(0.2, 1.5, 40), repeats)
        assert even.fit is not None and chosen.fit is not None
        covered += [even.fit.delta.covers(cell[0]), even.fit.volts_c0.covers(cell[1])]
        needed = even.counts.pulses * (_widths(even.fit) / _widths(chosen.fit)) ** 2
        ratios.append(chosen.counts.pulses / needed)
    delta, volts = np.median(ratios, axis=0)
    return {
        "delta": round(float(delta), 3),
        "volts_c0": round(float(volts), 3),
        "covered": (covered / len(cells)).tolist(),
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    coverage, found = _coverage(20 if quick else 500)
    some = found[: 8 if quick else 50]
    whole, informed = _ratio(some, False, 8), _ratio(some, True, 16)
    rows: list[list[Any]] = [["what", "Delta", "V_c0"]]
    rows.append(
        [
            f"truth in the 95 % interval, {coverage['cells']} cells",
            coverage["delta_covered"],
            coverage["volts_c0_covered"],
        ]
    )
    rows.append(["chosen pulses over even grid 0.2 to 1.5 V, same interval", whole["delta"], whole["volts_c0"]])
    rows.append(["... over even grid within 1 to 99 % of the cell", informed["delta"], informed["volts_c0"]])
    rows.append(
        [
            "pulses per cell, median (with those that bring back)",
            coverage["pulses_median"],
            coverage["pulses_with_resets_median"],
        ]
    )
    figures = {**coverage, "over_even_grid": whole, "over_informed_grid": informed}
    return "Delta 35 to 85, V_c0 0.5 to 1.1 V; to 8 % of Delta and 2.5 % of V_c0", rows, figures
