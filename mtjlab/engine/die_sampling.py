"""Dies that a network could meet: drawn from fitted statistics of defects, or from measured dies put together anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..die_maps import DieMaps
from ..errors import InputError
from ..nouns import CellStatus, Floats
from .cell_states import CellStates
from .placement import CellPair
from .tiling import CellIndex

LayerShape = tuple[int, int]
"""(inputs, lines) of a layer."""

_FIXED = {
    "short": (CellStatus.SHORT, CellStatus.LINE_SHORT),
    "open": (CellStatus.OPEN, CellStatus.LINE_OPEN),
    "stuck_p": (CellStatus.STUCK_P,),
    "stuck_ap": (CellStatus.STUCK_AP,),
}


class DieSource(Protocol):
    """Something that dies can be drawn from."""

    def draw(self, dies: int, random: torch.Generator) -> list[CellStates]:
        """Cells under every layer, (dies, inputs, lines), in units of weight; the generator alone decides which."""
        ...


@dataclass(frozen=True)
class DefectStatistics:
    """What dies of a kind have in common; conductances in units of a die's own median G_P - G_AP.

    Attributes:
        short, open, stuck_p, stuck_ap: mean rate per cell.
        rate_spread: relative standard deviation of these rates between dies.
        short_weight, short_spread: median and log-normal spread of what a short conducts.
        ap_weight: median G_AP of cells that switch.
        on_off_ratio: median G_P / G_AP of cells that switch.
        spread: log-normal spread of a cell's conductances, common to both states.
        ratio_spread: log-normal spread of G_P / G_AP beside it.
    """

    short: float
    open: float
    stuck_p: float
    stuck_ap: float
    rate_spread: float
    short_weight: float
    short_spread: float
    ap_weight: float
    on_off_ratio: float
    spread: float
    ratio_spread: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers by name."""
        return {name: float(value) for name, value in asdict(self).items()}

    def times(self, factor: float) -> DefectStatistics:
        """The same with all defects so many times as frequent."""
        values = self.as_dict()
        return DefectStatistics(**{**values, **{name: min(factor * values[name], 1.0) for name in _FIXED}})


def fit_statistics(maps: DieMaps) -> DefectStatistics:
    """Defect statistics of measured dies, from what was measured alone.

    A class that no die has gets half a defect in all cells together; shorts that nobody saw count like the largest
    healthy conductance tenfold.

    Raises:
        InputError: a die has no healthy cell.
    """
    unit = maps.on_off_siemens()[:, None, None, None]
    counts = {name: np.isin(maps.status, kinds).sum(axis=(1, 2, 3)) for name, kinds in _FIXED.items()}
    cells = maps.status[0].size
    rates = {name: max(float(per_die.sum()), 0.5) / (cells * len(maps)) for name, per_die in counts.items()}
    good = (maps.status == CellStatus.OK) & (maps.siemens_p > maps.siemens_ap) & (maps.siemens_ap > 0)
    log_ap = np.log((maps.siemens_ap / unit)[good])
    log_ratio = np.log(maps.siemens_p[good] / maps.siemens_ap[good])
    shorts = _measured(maps, unit, _FIXED["short"])
    if not shorts.size:
        shorts = np.array([10 * float((maps.siemens_p / unit)[good].max())])
    return DefectStatistics(
        **rates,
        rate_spread=_rate_spread(counts["short"] + counts["open"]),
        short_weight=float(np.exp(np.median(np.log(shorts)))),
        short_spread=_robust_spread(np.log(shorts)),
        ap_weight=float(np.exp(np.median(log_ap))),
        on_off_ratio=float(np.exp(np.median(log_ratio))),
        spread=_robust_spread(log_ap),
        ratio_spread=_robust_spread(log_ratio),
    )


@dataclass(frozen=True, eq=False)
class FittedDies:
    """Dies drawn from statistics, with defects anywhere.

    Attributes:
        statistics: of the dies.
        shapes: of the layers.
    """

    statistics: DefectStatistics
    shapes: tuple[LayerShape, ...]

    def draw(self, dies: int, random: torch.Generator) -> list[CellStates]:
        """New dies."""
        factors = self._rate_factors(dies, random)
        return [self._layer((dies, *shape), factors, random) for shape in self.shapes]

    def _rate_factors(self, dies: int, random: torch.Generator) -> Tensor:
        """Log-normal factors of mean one, one per die."""
        sigma = float(np.sqrt(np.log1p(self.statistics.rate_spread**2)))
        return torch.exp(sigma * torch.randn(dies, 1, 1, generator=random) - sigma**2 / 2)

    def _layer(self, shape: tuple[int, int, int], factors: Tensor, random: torch.Generator) -> CellStates:
        s = self.statistics
        off = s.ap_weight * torch.exp(s.spread * torch.randn(shape, generator=random))
        on_off = s.on_off_ratio * torch.exp(s.ratio_spread * torch.randn(shape, generator=random))
        swing = off * (on_off - 1)
        draw = torch.rand(shape, generator=random) / factors
        place = tuple((draw < s.short + s.open + s.stuck_p + s.stuck_ap).nonzero(as_tuple=True))
        # few cells are defective: what they are is decided for these alone
        own = draw[place]
        short = s.short_weight * torch.exp(s.short_spread * torch.randn(own.shape, generator=random))
        in_p = off[place] + swing[place]
        edges = np.cumsum([s.short, s.open, s.stuck_p])
        fixed = torch.where(
            own < edges[0],
            short,
            torch.where(own < edges[1], 0.0 * short, torch.where(own < edges[2], in_p, off[place])),
        )
        off[place], swing[place] = fixed, torch.zeros_like(fixed)
        return CellStates(off, swing)


class BootstrappedDies:
    """Measured dies put together anew: each kernel's map is taken from a die drawn at random, its lines permuted.

    What cells are like together (clusters, whole lines, the spread between dies) stays as it was measured; where they
    are does not. Dies that are to judge the network must not be among those given.

    Args:
        pair: conductances of the dies for training, (dies, kernels, rows, cols), in units of weight; NaN counts as
            the median of all.
        index: per layer (kernel, row, col), each (inputs, lines): the cells under it.
    """

    def __init__(self, pair: CellPair, index: Sequence[CellIndex]) -> None:
        ap, p = (_filled(values) for values in pair)
        self._off = torch.as_tensor(ap, dtype=torch.float32)
        self._swing = torch.as_tensor(p - ap, dtype=torch.float32)
        self._index = [tuple(torch.as_tensor(part, dtype=torch.int64) for part in layer) for layer in index]

    @classmethod
    def of(cls, maps: DieMaps, index: Sequence[CellIndex], *, unit: Floats | None = None) -> BootstrappedDies:
        """From maps, each die in units of its own median G_P - G_AP, or of `unit`, shape (dies,), siemens."""
        own = maps.on_off_siemens() if unit is None else unit
        ap, p = maps.reachable()
        return cls(CellPair(ap / own[:, None, None, None], p / own[:, None, None, None]), index)

    def draw(self, dies: int, random: torch.Generator) -> list[CellStates]:
        """New dies of old parts."""
        count, kernels, rows, cols = self._off.shape
        source = torch.randint(count, (dies,), generator=random)
        kernel = torch.rand(dies, kernels, generator=random).argsort(dim=1)
        row = torch.rand(dies, kernels, rows, generator=random).argsort(dim=2)
        col = torch.rand(dies, kernels, cols, generator=random).argsort(dim=2)
        found = []
        for k, i, j in self._index:
            place = (source[:, None, None], kernel[:, k], row[:, k, i], col[:, k, j])
            found.append(CellStates(self._off[place], self._swing[place]))
        return found


def put_defects(
    cells: Sequence[CellStates], kind: str, number: int, typical: DefectStatistics, random: torch.Generator
) -> None:
    """So many defects of a kind at random cells of all layers together, on every die, in place.

    Args:
        kind: "short", "open", "stuck_p" or "stuck_ap".
    """
    sizes = [layer.off[0].numel() for layer in cells]
    starts = np.cumsum([0, *sizes])
    for die in range(len(cells[0].off)):
        for cell in torch.randperm(int(starts[-1]), generator=random)[:number].tolist():
            k = int(np.searchsorted(starts, cell, side="right")) - 1
            off, swing = (part[die].view(-1) for part in cells[k])
            place = cell - int(starts[k])
            own = {"open": 0.0, "stuck_ap": float(off[place]), "stuck_p": float(off[place] + swing[place])}
            short = typical.short_weight * float(torch.exp(typical.short_spread * torch.randn(1, generator=random)))
            off[place], swing[place] = (short if kind == "short" else own[kind]), 0.0


def _measured(maps: DieMaps, unit: Floats, kinds: Sequence[CellStatus]) -> Floats:
    found = (maps.siemens / unit)[np.isin(maps.status, kinds)]
    return np.asarray(found[np.isfinite(found) & (found > 0)])


def _robust_spread(logs: Floats) -> float:
    """Standard deviation of a normal distribution from its quartiles; few values give what they have."""
    if logs.size < 8:
        return float(logs.std()) if logs.size > 1 else 0.3
    low, high = np.percentile(logs, (25, 75))
    return float((high - low) / 1.349)


def _rate_spread(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Relative spread of a rate between dies beyond what counting alone makes."""
    mean = float(counts.mean())
    if len(counts) < 2 or mean == 0:
        return 0.0
    return float(np.sqrt(max(float(counts.var(ddof=1)) - mean, 0.0)) / mean)


def _filled(values: Floats) -> Floats:
    """Unknown cells get the median of all."""
    unknown = ~np.isfinite(values)
    if not unknown.any():
        return values
    if unknown.all():
        raise InputError("no cell of these dies has a known conductance", remedy="Read them in both states")
    return np.asarray(np.where(unknown, np.median(values[~unknown]), values))
