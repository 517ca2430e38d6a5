"""36 dies with exact wire resistance, 10,000 inputs on every array: 32 kernels of 25 x 25, and 4 arrays of 100 x 50."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_wires import Wires

from . import _badcrossbar
from ._measure import SEGMENT_OHMS, blas, in_child, junctions, significant

_CASES = {"32 kernels of 25 x 25": (32, 25, 25), "4 arrays of 100 x 50": (4, 100, 50)}


def _inputs(many: int, rows: int) -> Floats:
    return np.random.default_rng(5).uniform(0, 1, (many, rows))


def _ours(dies: int, arrays: int, rows: int, cols: int, many: int) -> dict[str, float]:
    """CPU seconds of reducing all arrays and of all products; a checksum so that nothing is left out."""
    wires, inputs = Wires.of((rows, cols), SEGMENT_OHMS), _inputs(many, rows)
    reduce_to_ports(junctions(0, rows, cols), wires)
    reducing = multiplying = total = 0.0
    for die in range(dies):
        g = junctions(die, arrays, rows, cols, shorts=0.003, opens=0.005)
        started = time.process_time()
        transfer = reduce_to_ports(g, wires).transfer_siemens
        reduced = time.process_time()
        for one in transfer:
            total += float((inputs @ one)[-1, -1])
        reducing += reduced - started
        multiplying += time.process_time() - reduced
    return {"reducing": reducing, "multiplying": multiplying, "checksum": total}


def _theirs(rows: int, cols: int, many: int) -> tuple[float, Floats]:
    """CPU seconds of one array and the outputs of its first inputs."""
    compute, inputs = _badcrossbar.compute(), _inputs(many, rows).T
    g = np.maximum(junctions(0, 1, rows, cols, shorts=0.003, opens=0.005)[0], 1e-300)
    started = time.process_time()
    found = compute(inputs, 1 / g, SEGMENT_OHMS, node_voltages=False, all_currents=False)
    return time.process_time() - started, np.asarray(found.currents.output)[:50]


def _case(name: str, dies: int, many: int, sample: int) -> dict[str, Any]:
    arrays, rows, cols = _CASES[name]
    ours, megabytes = in_child(_ours, dies, arrays, rows, cols, many)
    (few, _), _ = in_child(_theirs, rows, cols, sample // 10)
    (more, outputs), their_megabytes = in_child(_theirs, rows, cols, sample)
    per_input = (more - few) / (sample - sample // 10)
    theirs = dies * arrays * (more + per_input * (many - sample))
    g = junctions(0, 1, rows, cols, shorts=0.003, opens=0.005)[0]
    own = reduce_to_ports(g, Wires.of((rows, cols), SEGMENT_OHMS)).multiply(_inputs(sample, rows)[:50])
    return {
        "arrays": dies * arrays,
        "seconds": {"reducing": significant(ours["reducing"]), "multiplying": significant(ours["multiplying"])},
        "megabytes": round(megabytes),
        "badcrossbar_seconds_extrapolated": significant(theirs),
        "badcrossbar_sample": f"one array, {sample} inputs",
        "badcrossbar_megabytes_of_sample": round(their_megabytes),
        "times_faster": significant(theirs / (ours["reducing"] + ours["multiplying"])),
        "largest_difference": float(np.abs(own / outputs - 1).max()),
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; badcrossbar's time is extrapolated from one array."""
    _badcrossbar.compute()
    dies, many = (2, 1000) if quick else (36, 10_000)
    samples = [200, 200] if quick else [10_000, 1000]
    found = {name: _case(name, dies, many, sample) for name, sample in zip(_CASES, samples, strict=True)}
    headings = ["per die", "arrays", "reducing, s", "products, s", "MB", "badcrossbar, s *", "its MB", "times faster"]
    rows: list[list[Any]] = [[*headings, "difference"]]
    for name, figures in found.items():
        own = figures["seconds"]
        rows.append(
            [
                name,
                figures["arrays"],
                own["reducing"],
                own["multiplying"],
                figures["megabytes"],
                f"{figures['badcrossbar_seconds_extrapolated']:g}",
                f"{figures['badcrossbar_megabytes_of_sample']} ({figures['badcrossbar_sample']})",
                f"{figures['times_faster']:g}",
                f"{figures['largest_difference']:.1e}",
            ]
        )
    title = f"{dies} dies, {many} inputs on every array, exact wires; CPU time; * extrapolated from the sample named"
    return title, rows, {"blas": blas(), "dies": dies, "inputs": many, "cases": found}
