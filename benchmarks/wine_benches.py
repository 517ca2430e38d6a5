"""The same Wine networks on the same die: through drivers and simulated instruments, and on the array in memory."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np

from mtjlab.engine.datasets import load_wine
from mtjlab.engine.training import train
from mtjlab.engine.wine_solutions import STUDY_G, study_settings
from mtjlab.protocols.wine_study import run_solution, survey_array
from mtjlab.protocols.wine_study_conditions import LIMITS, SIZES, StudyConditions
from mtjlab.roles import Crossbar
from mtjlab.sim_instruments.array_crossbar import THREE_UNITS, ArrayCrossbar

from ._benches import KINDS, crossbar_of, rig_of

_BENCH = KINDS[4]
"""Its instruments scan by themselves, so that a solution takes seconds."""
_LINE_OHMS = 0.6
"""Cable, relay and output of the bench, beside the contact."""


def _die_keys(kind: StudyConditions) -> str:
    die = kind.wafer().die
    return f"diameters_nm: {die.diameters_nm}, segment_ohms: {die.segment_ohms}, delta: {die.delta}"


def _outcomes(crossbar: Crossbar, kind: StudyConditions, perceptron: Any, data: Any) -> list[dict[str, Any]]:
    array = survey_array(crossbar, perceptron, kind)
    return [run_solution(array, perceptron.solution(k), data, kind, STUDY_G) for k in range(len(perceptron))]


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    data = load_wine(0)
    perceptron = train(data, study_settings(1 if quick else 2, 600 if quick else 2000, seed=1))
    rows: list[list[Any]] = [
        [
            "array",
            "solution",
            "fidelity bench",
            "memory",
            "untuned bench",
            "memory",
            "tuned bench",
            "memory",
            "g bench",
            "memory",
        ]
    ]
    away: dict[str, list[float]] = {"untuned": [], "tuned": [], "write_fidelity": [], "g_tuned": []}
    seconds = {"bench": 0.0, "memory": 0.0}
    for kind in SIZES[1:2] if quick else SIZES[1::2]:
        with rig_of(_BENCH, (15, 15), _die_keys(kind)) as rig:
            die = copy.deepcopy(rig.bench.world.die)
            die.contact_ohms = die.contact_ohms + _LINE_OHMS
            with crossbar_of(_BENCH, rig) as crossbar:
                started = time.perf_counter()
                on_bench = _outcomes(crossbar, kind, perceptron, data)
                seconds["bench"] += time.perf_counter() - started
        limits = _limits_for(len(perceptron))
        in_memory = ArrayCrossbar(die, np.random.default_rng(0), limits=limits, capabilities=THREE_UNITS)
        started = time.perf_counter()
        found = _outcomes(in_memory, kind, perceptron, data)
        seconds["memory"] += time.perf_counter() - started
        for k, (bench, memory) in enumerate(zip(on_bench, found, strict=True)):
            rows.append([kind.name, k, *_pairs(bench, memory)])
            _note(away, bench, memory)
    figures = {f"{name}_largest_difference": float(np.max(np.abs(values))) for name, values in away.items()}
    means = {f"{name}_mean_difference": float(np.mean(values)) for name, values in away.items()}
    per = {f"{name}_seconds": round(value, 1) for name, value in seconds.items()}
    return f"{len(rows) - 1} networks on {_BENCH.title} and in memory", rows, {**figures, **means, **per}


def _limits_for(solutions: int) -> Any:
    """All solutions are one run here, as on the bench."""
    return LIMITS.model_copy(update={"pulses_per_cell": LIMITS.pulses_per_cell * solutions})


def _pairs(bench: dict[str, Any], memory: dict[str, Any]) -> list[str]:
    cells = []
    for read in (
        lambda row: f"{100 * row['write_fidelity']:.1f} %",
        lambda row: f"{100 * row['untuned']['all']:.1f} %",
        lambda row: f"{100 * row['tuned']['all']:.1f} %",
        lambda row: f"{row['g_tuned']:.3f}",
    ):
        cells += [read(bench), read(memory)]
    return cells


def _note(away: dict[str, list[float]], bench: dict[str, Any], memory: dict[str, Any]) -> None:
    for name in ("untuned", "tuned"):
        away[name].append(100 * (memory[name]["all"] - bench[name]["all"]))
    away["write_fidelity"].append(100 * (memory["write_fidelity"] - bench["write_fidelity"]))
    away["g_tuned"].append(memory["g_tuned"] - bench["g_tuned"])
