"""Dies with every kind of defect, what the classification makes of them, and how often that is right."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mtjlab.nouns import CellStatus, Ints, Line
from mtjlab.physics.die_description import DefectRates, DieDescription, Flaw, FlawRates, Kind, LineDefect
from mtjlab.physics.populations import Clusters, DrawnDie, LineDefectRates, WaferDescription
from mtjlab.protocols.classify import Classification, classify
from mtjlab.protocols.classify_lines import LineEvidence
from mtjlab.protocols.classify_rules import ClassThresholds
from mtjlab.protocols.readout_settings import Accuracy
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

from ._truth_rigs import NoisyCrossbar

_NOISE_AMPS = 20e-9
_SHORTEST_BREAK = ClassThresholds().least_run
"""Fewer open cells at the end of a line are open cells, whatever made them."""
WAFER = WaferDescription(
    wafer="defects",
    die=DieDescription(
        defect_rates=DefectRates(short=0.012, open=0.012, stuck_p=0.012, stuck_ap=0.012),
        flaw_rates=FlawRates(low_tmr=0.015, telegraph=0.015, soft=0.015),
    ),
    clusters=[Clusters(per_die=0.3, kind="short"), Clusters(per_die=0.3, kind="open")],
    lines=LineDefectRates(row_open=0.02, col_open=0.02, row_short=0.03, col_short=0.03),
)
"""All classes much more frequent than on any die worth measuring; sizes differ by rows, levels from die to die."""
_OF_KIND = {
    Kind.JUNCTION: CellStatus.OK,
    Kind.SHORT: CellStatus.SHORT,
    Kind.OPEN: CellStatus.OPEN,
    Kind.STUCK_P: CellStatus.STUCK_P,
    Kind.STUCK_AP: CellStatus.STUCK_AP,
}
_OF_FLAW = {
    Flaw.LOW_TMR: CellStatus.LOW_TMR,
    Flaw.TELEGRAPH: CellStatus.UNSTABLE,
    Flaw.SOFT: CellStatus.DISTURBED,
}
CLASSES = (
    CellStatus.OK,
    CellStatus.SHORT,
    CellStatus.OPEN,
    CellStatus.STUCK_P,
    CellStatus.STUCK_AP,
    CellStatus.LOW_TMR,
    CellStatus.UNSTABLE,
    CellStatus.DISTURBED,
    CellStatus.LINE_OPEN,
    CellStatus.LINE_SHORT,
    CellStatus.UNREAD,
)


def _true_lines(drawn: DrawnDie, shape: tuple[int, int]) -> list[LineDefect]:
    """Line defects that a measurement could tell: breaks that cut off enough cells."""
    return [d for d in drawn.line_defects if d.kind == "short" or _cut(d, shape) >= _SHORTEST_BREAK]


def _cut(defect: LineDefect, shape: tuple[int, int]) -> int:
    return (shape[1] if defect.axis == "row" else shape[0]) - defect.after_cells


def _evidence(defect: LineDefect) -> LineEvidence:
    return LineEvidence(defect.kind, Line(defect.axis, defect.line), defect.after_cells, "", 0.0, 0.0)


def truth(drawn: DrawnDie, shape: tuple[int, int]) -> Ints:
    """Status that every cell of a die should be given."""
    status = np.array([_OF_KIND[Kind(kind)] for kind in drawn.kind], dtype=np.int8)
    for flaw, own in _OF_FLAW.items():
        assert drawn.flaws is not None
        status[drawn.flaws == flaw] = own
    grid = status.reshape(shape)
    lines = sorted(_true_lines(drawn, shape), key=lambda defect: defect.kind == "open")
    for defect in lines:
        kind = CellStatus.LINE_SHORT if defect.kind == "short" else CellStatus.LINE_OPEN
        grid[_evidence(defect).cells(shape)] = kind
    return grid


def _one(seed: int) -> tuple[Ints, Classification, list[LineDefect], int]:
    drawn = WAFER.draw(seed % 20, seed // 20, seed=7)
    world = World(WAFER.die, seed=seed, line_hertz=50, drawn=drawn)
    crossbar = NoisyCrossbar(WorldCrossbar(world), np.random.default_rng(seed), Accuracy(), _NOISE_AMPS)
    found = classify(crossbar)
    return truth(drawn, crossbar.shape), found, _true_lines(drawn, crossbar.shape), len(world.incidents)


def _line_key(defect: LineDefect | LineEvidence) -> tuple[str, str, int]:
    if isinstance(defect, LineDefect):
        return defect.kind, defect.axis, defect.line
    return defect.kind, defect.line.axis, defect.line.number


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    dies = 6 if quick else 100
    confusion = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    places = {int(status): number for number, status in enumerate(CLASSES)}
    lines = {kind: {"true": 0, "found": 0, "right": 0, "place_right": 0} for kind in ("open", "short")}
    incidents, pulses, readings, started = 0, 0, 0, time.perf_counter()
    for seed in range(dies):
        true, found, defects, mishaps = _one(seed)
        np.add.at(confusion, tuple(np.vectorize(places.get)(a.ravel()) for a in (true, found.known.status)), 1)
        _count_lines(lines, defects, found.lines)
        incidents += mishaps
        pulses, readings = pulses + found.cost.pulses, readings + found.cost.readings
    rows: list[list[Any]] = [["truth \\ found", *(s.name.lower() for s in CLASSES), "recall", "precision"]]
    figures: dict[str, Any] = {}
    for number, status in enumerate(CLASSES[:-1]):
        recall, precision = _shares(confusion, number)
        rows.append([status.name.lower(), *confusion[number].tolist(), f"{recall:.2%}", f"{precision:.2%}"])
        figures[status.name.lower()] = {
            "recall": _rounded(recall),
            "precision": _rounded(precision),
            "cells": int(confusion[number].sum()),
        }
    result = {
        "dies": dies,
        "classes": figures,
        "lines": lines,
        "incidents": incidents,
        "pulses_per_cell": round(pulses / (dies * true.size), 2),
        "readings_per_cell": round(readings / (dies * true.size), 2),
        "seconds": round(time.perf_counter() - started, 1),
    }
    return f"{dies} dies of 15 x 15 cells, five sizes", rows, result


def _count_lines(counts: dict[str, dict[str, int]], defects: list[LineDefect], found: tuple[LineEvidence, ...]) -> None:
    true = {_line_key(defect): defect.after_cells for defect in defects}
    seen = {_line_key(evidence): evidence.after_cells for evidence in found}
    for kind, one in counts.items():
        right = [key for key in true if key in seen and key[0] == kind]
        one["true"] += sum(key[0] == kind for key in true)
        one["found"] += sum(key[0] == kind for key in seen)
        one["right"] += len(right)
        one["place_right"] += sum(true[key] == seen[key] for key in right)


def _rounded(share: float) -> float | None:
    return None if np.isnan(share) else round(share, 4)


def _shares(confusion: Any, number: int) -> tuple[float, float]:
    right, true, found = confusion[number, number], confusion[number].sum(), confusion[:, number].sum()
    return float(right / true) if true else float("nan"), float(right / found) if found else float("nan")
