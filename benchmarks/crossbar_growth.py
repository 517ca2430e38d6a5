"""How time and memory of the exact crossbar network grow with the number of lines, from 16 to 512."""

from __future__ import annotations

from typing import Any

from mtjlab.physics.crossbar_fields import solve_drive
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_reads import read_floating
from mtjlab.physics.crossbar_wires import Wires

from ._measure import SEGMENT_OHMS, blas, cpu_seconds, exponent, in_child, junctions, significant

_USES = ("reduction", "one drive", "all floating reads", "one changed cell")


def _seconds(n: int, times: int) -> dict[str, float]:
    g, wires = junctions(4, n, n, shorts=0.005, opens=0.01), Wires.of((n, n), SEGMENT_OHMS)
    ports, drive = reduce_to_ports(g, wires), wires.drive(left=1.0)
    return {
        "reduction": cpu_seconds(lambda: reduce_to_ports(g, wires), times),
        "one drive": cpu_seconds(lambda: solve_drive(g, wires, drive), times),
        "all floating reads": cpu_seconds(lambda: read_floating(ports), times),
        "one changed cell": cpu_seconds(lambda: ports.with_cell(n // 2, n // 3, 1e-4), times),
        "steps": float(solve_drive(g, wires, drive).steps),
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; each size in a process of its own, for its memory."""
    sizes = {16: 20, 32: 10, 64: 5} if quick else {16: 100, 32: 50, 64: 20, 128: 10, 256: 5, 512: 3}
    found = {n: in_child(_seconds, n, times) for n, times in sizes.items()}
    least = found[16][1]
    rows: list[list[Any]] = [["n x n", *(f"{use}, ms" for use in _USES), "steps of the drive", "MB above 16 x 16"]]
    for n, (seconds, megabytes) in found.items():
        times = [significant(1e3 * seconds[use]) for use in _USES]
        rows.append([n, *times, round(seconds["steps"]), round(megabytes - least)])
    fitted = {}
    for use in _USES:
        large = [n for n in sizes if n >= (16 if quick else 64)]
        fitted[use] = round(exponent(large, [found[n][0][use] for n in large]), 2)
    rows.append(["exponent", *(fitted[use] for use in _USES), "", ""])
    figures = {
        "blas": blas(),
        "exponents_from_64_lines": fitted,
        "ms": {n: {use: significant(1e3 * seconds[use]) for use in _USES} for n, (seconds, _) in found.items()},
        "megabytes": {n: round(megabytes) for n, (_, megabytes) in found.items()},
    }
    return "Cost against size, CPU time, one BLAS thread; exponents fitted from 64 lines up", rows, figures
