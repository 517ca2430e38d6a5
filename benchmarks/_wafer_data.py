"""Wafers of numbers for the benchmarks of the store: dies of 32 kernels of 25 x 25, as a chip survey gives them."""

from __future__ import annotations

import numpy as np

from mtjlab.nouns import ArrayMap, Conditions, DieId, Floats

KERNELS, SHAPE = 32, (25, 25)


def dies_of(wafer: str, count: int) -> tuple[DieId, ...]:
    """So many dies, in rows of six."""
    return tuple(DieId(wafer, k % 6, k // 6) for k in range(count))


def maps_of(die: DieId, rng: np.random.Generator, *, has_all: bool) -> list[ArrayMap]:
    """Maps of one die, 20,000 cells: only what was read, or both states and uncertainties too."""
    return [_map(die, rng, has_all) for _ in range(KERNELS)]


def _map(die: DieId, rng: np.random.Generator, has_all: bool) -> ArrayMap:
    siemens = rng.uniform(5e-5, 2e-4, SHAPE)
    others: list[Floats] = [factor * siemens if has_all else np.full(SHAPE, np.nan) for factor in (1.2, 0.8, 0.01)]
    state = rng.integers(0, 2, SHAPE).astype(np.int8)
    return ArrayMap(siemens, others[0], others[1], state, np.ones(SHAPE, np.int8), others[2], Conditions(0.1), die)
