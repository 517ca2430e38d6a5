"""Simulated chips of 32 x 25 x 25 cells surveyed through the simulated board: time, and the maps against the truth."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mtjlab.cli_simulated_chips import ChipBench, measured_chips, packaged_wafer
from mtjlab.nouns import CellStatus, Floats
from mtjlab.physics.die_description import Kind
from mtjlab.protocols.survey_chip import ChipSurvey
from mtjlab.sim_instruments.daffodil_kernel import Kernel

_COVERED = 1.96
_FULL_GATE_VOLTS = 3.3
_OF_KIND = {
    Kind.JUNCTION: CellStatus.OK,
    Kind.SHORT: CellStatus.SHORT,
    Kind.OPEN: CellStatus.OPEN,
    Kind.STUCK_P: CellStatus.STUCK_P,
    Kind.STUCK_AP: CellStatus.STUCK_AP,
}


def true_siemens(kernel: Kernel, volts: float, *, is_parallel: bool) -> Floats:
    """Junctions in one state with their transistors, (rows, cols), at a bias of the junction."""
    die, before = kernel.die, kernel.die.is_parallel.copy()
    die.is_parallel[:] = is_parallel
    g = die.siemens(volts).reshape(kernel.shape)
    die.is_parallel[:] = before
    return np.asarray(g / (1 + g * kernel.access.on_ohms(_FULL_GATE_VOLTS)))


def _compare(bench: ChipBench, survey: ChipSurvey) -> tuple[list[Floats], list[Floats], Any]:
    """Relative errors of both states and the same in units of sigma, of healthy cells; pairs of true and found."""
    errors: list[Floats] = []
    pulls: list[Floats] = []
    pairs = []
    for kernel, known in zip(bench.chip(survey.die.x, survey.die.y).kernels, survey.maps.values(), strict=True):
        kind = kernel.die.kind.reshape(kernel.shape)
        for found, is_parallel in ((known.siemens_p, True), (known.siemens_ap, False)):
            off = found - true_siemens(kernel, 0.1, is_parallel=is_parallel)
            healthy = (kind == Kind.JUNCTION) & np.isfinite(found)
            errors.append((off / (found - off))[healthy])
            pulls.append((off / known.sigma)[healthy])
        pairs.append(np.stack([kind.ravel(), known.status.ravel()]))
    return errors, pulls, np.concatenate(pairs, axis=1)


def _spread(parts: list[Floats], state: int) -> dict[str, float]:
    values = np.concatenate(parts[state::2])
    return {"median": round(float(np.median(values)), 5), "std": round(float(np.std(values)), 5)}


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    bench = ChipBench(packaged_wafer())
    places = bench.wafer.places[:1] if quick else bench.wafer.places
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), time.process_time()
        surveys = measured_chips(bench, Path(folder), places=places, jobs=1 if quick else 2)
        seconds = time.perf_counter() - started
        cpu = time.process_time() - cpu
        started = time.perf_counter()
        measured_chips(bench, Path(folder), places=places)
        again = time.perf_counter() - started
    compared = [_compare(bench, survey) for survey in surveys]
    errors, pulls = ([part for one in compared for part in one[which]] for which in (0, 1))
    pairs = np.concatenate([one[2] for one in compared], axis=1)
    rows: list[list[Any]] = [["truth \\ found", *(s.name.lower() for s in CellStatus)]]
    wrong: dict[str, int] = {}
    for kind, status in _OF_KIND.items():
        found = pairs[1][pairs[0] == kind]
        rows.append([kind.name.lower(), *(int((found == s).sum()) for s in CellStatus)])
        wrong[kind.name.lower()] = int((found != status).sum())
    kernels = sum(len(survey.maps) for survey in surveys)
    result: dict[str, Any] = {
        "dies": len(surveys),
        "kernels": kernels,
        "seconds": round(seconds, 1),
        "seconds_per_kernel": round(seconds / kernels, 4),
        "seconds_per_die": round(seconds / len(surveys), 2),
        "seconds_again": round(again, 2),
        "bench_seconds_per_die": round(float(np.mean([s.cost.bench_seconds for s in surveys])), 2),
        "pulses_per_die": round(float(np.mean([s.cost.pulses for s in surveys]))),
        "readings_per_die": round(float(np.mean([s.cost.readings for s in surveys]))),
        "relative_error": {name: _spread(errors, k) for k, name in enumerate(("p", "ap"))},
        "covered": {
            name: round(float((np.abs(np.concatenate(pulls[k::2])) < _COVERED).mean()), 4)
            for k, name in enumerate(("p", "ap"))
        },
        "misclassified": wrong,
    }
    if quick:
        result["cpu_seconds_per_kernel"] = round(cpu / kernels, 4)
    return f"{len(surveys)} chips of {KERNEL_CELLS} cells", rows, result


KERNEL_CELLS = "32 x 25 x 25"
