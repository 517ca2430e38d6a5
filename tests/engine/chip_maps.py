"""Maps of small chips that were never measured, and pictures that are easily told apart, for tests of studies."""

import numpy as np

from mtjlab.die_maps import DieMaps
from mtjlab.engine.images import ImageData
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId

KERNELS, SIDE = 32, 25
RATES = {"short": 0.002, "open": 0.004, "stuck_p": 0.006, "stuck_ap": 0.008}
AP_SIEMENS, RATIO, SPREAD, RATIO_SPREAD = 1e-4, 2.25, 0.08, 0.04
"""Median G_AP and G_P / G_AP, and their log-normal spreads."""
SHORT_WEIGHT, SHORT_SPREAD = 6.0, 0.2
"""What shorts conduct, in units of the median G_P - G_AP, and its spread."""

_STATUS = {
    "short": CellStatus.SHORT,
    "open": CellStatus.OPEN,
    "stuck_p": CellStatus.STUCK_P,
    "stuck_ap": CellStatus.STUCK_AP,
}


def chip_maps(
    dies: int, *, kernels: int = KERNELS, side: int = SIDE, rates: dict[str, float] | None = None, seed: int = 0
) -> DieMaps:
    """Dies with defects anywhere, every die with conductances of its own level."""
    rng = np.random.default_rng(seed)
    return DieMaps.of([_die(x, kernels, side, RATES if rates is None else rates, rng) for x in range(dies)])


def _die(x: int, kernels: int, side: int, rates: dict[str, float], rng: np.random.Generator) -> list[ArrayMap]:
    level = AP_SIEMENS * (1 + 0.2 * x)
    return [_kernel(DieId("W", x, 0), level, side, rates, rng) for _ in range(kernels)]


def _kernel(die: DieId, level: float, side: int, rates: dict[str, float], rng: np.random.Generator) -> ArrayMap:
    shape = (side, side)
    ap = level * np.exp(SPREAD * rng.standard_normal(shape))
    p = ap * RATIO * np.exp(RATIO_SPREAD * rng.standard_normal(shape))
    status = rng.choice(
        [CellStatus.OK, *(_STATUS[name] for name in rates)], size=shape, p=[1 - sum(rates.values()), *rates.values()]
    ).astype(np.int8)
    unit = level * (RATIO - 1)
    fixed = {
        CellStatus.SHORT: SHORT_WEIGHT * unit * np.exp(SHORT_SPREAD * rng.standard_normal(shape)),
        CellStatus.OPEN: np.full(shape, 1e-9),
        CellStatus.STUCK_P: p.copy(),
        CellStatus.STUCK_AP: ap.copy(),
    }
    for kind, values in fixed.items():
        here = status == kind
        p[here] = ap[here] = values[here]
    state = np.zeros(shape, dtype=np.int8)
    return ArrayMap(ap.copy(), p, ap, state, status, 1e-3 * ap, Conditions(0.1), die)


def easy_pictures(train: int = 256, test: int = 128, side: int = 8, seed: int = 0) -> ImageData:
    """Ten patterns of light and dark blocks under noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((10, (side // 2) ** 2)) > 0.5
    patterns = blocks.reshape(10, side // 2, side // 2).repeat(2, axis=1).repeat(2, axis=2).reshape(10, -1)
    labels = np.arange(train + test, dtype=np.int64) % 10
    noisy = 0.8 * patterns[labels] + 0.2 * rng.random((train + test, side**2))
    features = noisy.astype(np.float32)
    return ImageData("patterns", features[:train], labels[:train], features[train:], labels[train:], side)
