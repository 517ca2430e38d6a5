"""All single-cell reads of an array with floating lines, from one port matrix, beside one sparse solution per read."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from mtjlab.nouns import Floats
from mtjlab.physics.blas_threads import one_thread
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_reads import read_biased, read_floating, read_grounded, read_with_floating_rows
from mtjlab.physics.crossbar_wires import Wires

from ._measure import SEGMENT_OHMS, blas, cpu_seconds, junctions, significant

_SCHEMES = {
    "floating": read_floating,
    "grounded": read_grounded,
    "V/2": lambda ports: read_biased(ports, 1 / 2, 1 / 2),
    "V/3": lambda ports: read_biased(ports, 1 / 3, 2 / 3),
    "rows floating": read_with_floating_rows,
}


def _nodal(g: Floats) -> csc_matrix:
    """Conductances between all wire nodes (rows' first), without any line end."""
    m, n = g.shape
    rows = np.arange(m * n).reshape(m, n)
    cols = rows + m * n
    pairs = [(rows, cols, g), (rows[:, :-1], rows[:, 1:], None), (cols[:-1], cols[1:], None)]
    a = np.concatenate([first.ravel() for first, _, _ in pairs])
    b = np.concatenate([second.ravel() for _, second, _ in pairs])
    siemens = np.concatenate(
        [np.full(first.size, 1 / SEGMENT_OHMS) if own is None else own.ravel() for first, _, own in pairs]
    )
    values = np.concatenate([siemens, siemens, -siemens, -siemens])
    places = (np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a]))
    return csc_matrix((values, places), shape=(2 * m * n, 2 * m * n))


def _brute_force(matrix: csc_matrix, shape: tuple[int, int], row: int, col: int) -> float:
    """One read: an ampere into the row's end, the column's end grounded, everything else floating."""
    m, n = shape
    end = 2 * m * n - n + col
    grounded = matrix.copy()
    grounded[end, end] += 1 / SEGMENT_OHMS
    right = np.zeros(2 * m * n)
    right[row * n] = 1.0
    return 1 / float(spsolve(grounded, right)[row * n] + SEGMENT_OHMS)


def _at(n: int, times: int, sampled: int) -> dict[str, Any]:
    g = junctions(2, n, n, shorts=0.005, opens=0.01)
    wires = Wires.of((n, n), SEGMENT_OHMS)
    ports = reduce_to_ports(g, wires)
    seconds = {scheme: cpu_seconds(lambda read=read: read(ports), times) for scheme, read in _SCHEMES.items()}  # type: ignore[misc]
    reduction = cpu_seconds(lambda: reduce_to_ports(g, wires), times)
    matrix, rng = _nodal(g), np.random.default_rng(3)
    places = [(int(row), int(col)) for row, col in rng.integers(0, n, (sampled, 2))]
    brute = cpu_seconds(lambda: _brute_force(matrix, g.shape, *places[0]), max(sampled - 1, 1))  # type: ignore[arg-type]
    wanted = np.array([_brute_force(matrix, g.shape, *place) for place in places])  # type: ignore[arg-type]
    found = read_floating(ports)[tuple(np.array(places).T)]
    return {
        "reduction_ms": significant(1e3 * reduction),
        "all_reads_ms": {scheme: significant(1e3 * value) for scheme, value in seconds.items()},
        "brute_force_ms_per_read": significant(1e3 * brute),
        "brute_force_seconds_extrapolated": significant(brute * n * n),
        "times_faster": significant(brute * n * n / (reduction + seconds["floating"])),
        "largest_difference": float(np.abs(found / wanted - 1).max()),
        "sampled": sampled,
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; brute force is extrapolated from a few reads."""
    sizes = {25: (20, 4), 64: (5, 2)} if quick else {25: (100, 12), 64: (30, 8), 128: (10, 6)}
    with one_thread():
        found = {n: _at(n, *how) for n, how in sizes.items()}
    rows: list[list[Any]] = [
        [
            "n x n",
            "reduction, ms",
            *(f"{scheme}, ms" for scheme in _SCHEMES),
            "brute force, s",
            "times faster",
            "difference",
        ]
    ]
    for n, figures in found.items():
        times = [figures["all_reads_ms"][scheme] for scheme in _SCHEMES]
        brute, ratio = figures["brute_force_seconds_extrapolated"], figures["times_faster"]
        rows.append(
            [n, figures["reduction_ms"], *times, f"{brute:g} *", f"{ratio:g}", f"{figures['largest_difference']:.1e}"]
        )
    title = "All single-cell reads; times faster: floating, reduction included; * extrapolated from a sample of reads"
    return title, rows, {"blas": blas(), "wanted_times_faster_at_128": 20_000, "sizes": found}
