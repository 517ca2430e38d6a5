"""The independent method that the exact network is held against: modified nodal analysis, no mathematics shared.

Unknowns are all node voltages and the currents of all wire segments, so that segments without resistance are allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from mtjlab.nouns import Floats
from mtjlab.physics.crossbar_wires import Wires


@dataclass
class Solved:
    cell_volts: Floats
    port_amps: Floats


def solve(g: Floats, wires: Wires, volts: Floats, ohms: Floats | float = 0.0, excess: Floats | None = None) -> Solved:
    """One drive by brute force; NaN floats. Nodes: row nodes, column nodes, one terminal per end."""
    m, n = g.shape
    row = lambda i, j: i * n + j  # noqa: E731
    col = lambda i, j: m * n + i * n + j  # noqa: E731
    ends = wires.ends
    terminals = [("left", i) for i in np.flatnonzero(ends.left)] + [("right", i) for i in np.flatnonzero(ends.right)]
    terminals += [("top", j) for j in np.flatnonzero(ends.top)] + [("bottom", j) for j in np.flatnonzero(ends.bottom)]
    first_terminal = 2 * m * n
    at = {name: first_terminal + k for k, name in enumerate(terminals)}
    series = dict(zip(terminals, np.broadcast_to(ohms, len(terminals)), strict=True))
    branches: list[tuple[int, int, float]] = []
    for i in range(m):
        for j in range(1, n):
            branches.append((row(i, j - 1), row(i, j), wires.row_ohms[i, j]))
    for j in range(n):
        for i in range(1, m):
            branches.append((col(i - 1, j), col(i, j), wires.col_ohms[i, j]))
    inner = len(branches)
    for side, k in terminals:
        node, own = {
            "left": lambda k: (row(k, 0), wires.row_ohms[k, 0]),
            "right": lambda k: (row(k, n - 1), wires.row_ohms[k, n]),
            "top": lambda k: (col(0, k), wires.col_ohms[0, k]),
            "bottom": lambda k: (col(m - 1, k), wires.col_ohms[m, k]),
        }[side](k)
        branches.append((at[side, k], node, own + series[side, k]))
    nodes = first_terminal + len(terminals)
    size = nodes + len(branches)
    entries: list[tuple[int, int, float]] = []
    right = np.zeros(size)
    for i in range(m):
        for j in range(n):
            a, b = row(i, j), col(i, j)
            entries += [(a, a, g[i, j]), (b, b, g[i, j]), (a, b, -g[i, j]), (b, a, -g[i, j])]
            if excess is not None:
                right[a] -= excess[i, j]
                right[b] += excess[i, j]
    for k, (a, b, resistance) in enumerate(branches):
        current = nodes + k
        entries += [(a, current, 1.0), (b, current, -1.0), (current, a, 1.0), (current, b, -1.0)]
        entries.append((current, current, -resistance))
    # a driven terminal is held at its voltage: its current law gives way to that
    held = {first_terminal + k for k in range(len(terminals)) if not np.isnan(volts[k])}
    entries = [entry for entry in entries if entry[0] not in held] + [(node, node, 1.0) for node in held]
    for node in held:
        right[node] = volts[node - first_terminal]
    rows, cols, values = zip(*entries, strict=True)
    factor = splu(coo_matrix((values, (rows, cols)), shape=(size, size)).tocsc())
    found = factor.solve(right)
    across = found[: m * n].reshape(m, n) - found[m * n : 2 * m * n].reshape(m, n)
    return Solved(across, found[nodes + inner :])


@pytest.fixture(scope="session")
def nodal_analysis() -> Callable[..., Solved]:
    """`solve`: cell voltages and port currents of one drive."""
    return solve
