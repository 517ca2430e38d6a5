"""Exact crossbar currents beside badcrossbar: CPU time, ratio, agreement; new arrays, many inputs, the same again."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics.blas_threads import one_thread
from mtjlab.physics.crossbar_fields import solve_drive
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_wires import Wires
from mtjlab.physics.tile_kernels import LEAF_CELLS, SMALL_SIDE

from . import _badcrossbar
from ._measure import SEGMENT_OHMS, blas, cpu_seconds, junctions, significant

_INPUTS = 100
_WANTED = {"1 input": {25: 50, 64: 40, 128: 30, 256: 30}, "100 inputs": 15, "again": 5000}


def _one_input(g: Floats, volts: Floats) -> Floats:
    """Currents of all columns of a new array for one input: no reduction, conjugate gradients."""
    wires = Wires.of(g.shape, SEGMENT_OHMS)  # type: ignore[arg-type]
    return -solve_drive(g, wires, wires.drive(left=volts)).port_amps[g.shape[0] :]


def _many_inputs(g: Floats, volts: Floats) -> Floats:
    """The same for many inputs: one reduction and a product."""
    return reduce_to_ports(g, Wires.of(g.shape, SEGMENT_OHMS)).multiply(volts)  # type: ignore[arg-type]


def _reduction_flops(i0: int, i1: int, j0: int, j1: int, n: int) -> float:
    """Operations of the reduction by halves: the same cuts and products as in tile_kernels.py."""
    a, b = i1 - i0, j1 - j0
    if a * b <= LEAF_CELLS:
        ports = (a + b) + (a if j1 < n else 0) + (b if i0 > 0 else 0)
        return float(sum((k + ports) ** 2 for k in range(a * b)))
    sides = [a] if j1 < n else []
    if b >= a:
        cut, s = j0 + b // 2, a
        below = _reduction_flops(i0, i1, j0, cut, n) + _reduction_flops(i0, i1, cut, j1, n)
        x = a + (cut - j0) * (2 if i0 > 0 else 1)
        y = sum(sides) + (j1 - cut) * (2 if i0 > 0 else 1)
    else:
        cut, s = i0 + a // 2, b
        below = _reduction_flops(cut, i1, j0, j1, n) + _reduction_flops(i0, cut, j0, j1, n)
        x = b + (i1 - cut) * (2 if j1 < n else 1)
        y = (b if i0 > 0 else 0) + (cut - i0) * (2 if j1 < n else 1)
    if s <= SMALL_SIDE:
        return below + float(sum(2 * (2 * k + x + y) ** 2 for k in range(s)))
    return below + 2 / 3 * s**3 + 6 * s**3 + 2 * s * (s * x + 2 * s * y + x * x + x * y + y * y)


def _at(n: int, times: int, compute: Any) -> dict[str, Any]:
    g = junctions(0, n, n)
    volts = np.random.default_rng(1).uniform(0, 1, (_INPUTS, n))
    few = max(times // 4, 2)

    def theirs(inputs: Floats) -> Floats:
        found = compute(inputs.T, 1 / g, SEGMENT_OHMS, node_voltages=False, all_currents=False)
        return np.asarray(found.currents.output)

    ports = reduce_to_ports(g, Wires.of((n, n), SEGMENT_OHMS))
    seconds = {
        "badcrossbar, 1 input": cpu_seconds(lambda: theirs(volts[:1]), few),
        "badcrossbar, 100 inputs": cpu_seconds(lambda: theirs(volts), few),
        "1 input": cpu_seconds(lambda: _one_input(g, volts[0]), times, 4),
        "100 inputs": cpu_seconds(lambda: _many_inputs(g, volts), times),
        "again": cpu_seconds(lambda: ports.multiply(volts), times, 20),
    }
    one, many = theirs(volts[:1])[0], theirs(volts)
    steps = solve_drive(g, ports.wires, ports.wires.drive(left=volts[0])).steps
    ratios = {
        "1 input": seconds["badcrossbar, 1 input"] / seconds["1 input"],
        "100 inputs": seconds["badcrossbar, 100 inputs"] / seconds["100 inputs"],
        "again": seconds["badcrossbar, 100 inputs"] / seconds["again"],
    }
    return {
        "ms": {what: significant(1e3 * value) for what, value in seconds.items()},
        "times_faster": {what: significant(value) for what, value in ratios.items()},
        "largest_difference": {
            "1 input": float(np.abs(_one_input(g, volts[0]) / one - 1).max()),
            "100 inputs": float(np.abs(_many_inputs(g, volts) / many - 1).max()),
        },
        "bound": {
            "drive_steps": steps,
            "drive_ns_per_cell_and_step": significant(1e9 * seconds["1 input"] / (steps + 1) / n**2),
            "reduction_megaflop": significant(_reduction_flops(0, n, 0, n, n) / 1e6),
            "reduction_gflops": significant(_reduction_flops(0, n, 0, n, n) / seconds["100 inputs"] / 1e9),
            "product_gflops": significant(2 * _INPUTS * n * n / seconds["again"] / 1e9),
        },
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    compute = _badcrossbar.compute()
    sizes = {25: 20, 64: 8} if quick else {25: 200, 64: 60, 128: 20, 256: 8}
    with one_thread():
        found = {n: _at(n, times, compute) for n, times in sizes.items()}
    rows: list[list[Any]] = [
        ["n x n", "use", "badcrossbar 1.1.0, ms", "mtjlab, ms", "times faster", "wanted", "largest rel. difference"]
    ]
    for n, figures in found.items():
        for use, wanted in _WANTED.items():
            theirs = figures["ms"][f"badcrossbar, {'1 input' if use == '1 input' else '100 inputs'}"]
            least = wanted[n] if isinstance(wanted, dict) else "-" if use == "again" and n < 64 else wanted
            name = {"again": "same array, 100 inputs"}.get(use, f"new array, {use}")
            rows.append(
                [
                    n,
                    name,
                    theirs,
                    figures["ms"][use],
                    f"{figures['times_faster'][use]:g}",
                    least,
                    f"{figures['largest_difference'].get(use, figures['largest_difference']['100 inputs']):.1e}",
                ]
            )
    return "Exact crossbar currents, CPU time, one BLAS thread", rows, {"blas": blas(), "sizes": found}
