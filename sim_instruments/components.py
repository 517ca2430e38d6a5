"""Which nodes of the bench's network hang together: what no source can reach is at 0 V and need not be solved."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels = NDArray[np.int64]


def labels(size: int, pairs: Iterable[tuple[int, int]], lines: int, ground: int | None) -> Labels:
    """A number for each node, the same for nodes that conduct to each other.

    Args:
        size: how many nodes.
        pairs: nodes with something between them.
        lines: the first nodes are the die's line ends, joined by its cells.
        ground: the node at 0 V, which joins nothing.
    """
    chain = [(k, k + 1) for k in range(lines - 1)]
    edges = np.array([*chain, *(pair for pair in pairs if ground not in pair)], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
