"""Networks placed on the chips of a simulated wafer: time, and how much less their defects hurt.

Maps are the cells as they were drawn, with their transistors: what is timed and compared is the placement alone.
"""

from __future__ import annotations

import time
from importlib.resources import as_file, files
from itertools import product
from typing import Any

import numpy as np

from mtjlab.die_maps import DieMaps
from mtjlab.engine.placement import CellPair, StateErrors, cell_errors
from mtjlab.engine.tiling import NetworkTiling, plain_tiling
from mtjlab.engine.tiling_dies import place_on_dies
from mtjlab.engine.tiling_search import tiling_cost
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId, Floats, Ints
from mtjlab.physics.die_description import Kind
from mtjlab.physics.populations import WaferDescription
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip
from mtjlab.sim_instruments.daffodil_kernel import Kernel

_READ_VOLTS = 0.1
_GATE_VOLTS = 3.3
_STATUS = {
    Kind.JUNCTION: CellStatus.OK,
    Kind.SHORT: CellStatus.SHORT,
    Kind.OPEN: CellStatus.OPEN,
    Kind.STUCK_P: CellStatus.STUCK_P,
    Kind.STUCK_AP: CellStatus.STUCK_AP,
}
BRIGHT_CENTRE = np.exp(-(((np.mgrid[:14, :14] - 6.5) ** 2).sum(axis=0)) / 18).ravel()
"""Mean square of each of 14 x 14 inputs, dark at the rim as images of single figures are; not taken from data."""


def _as_drawn(kernel: Kernel, die: DieId) -> ArrayMap:
    """Both states of every cell, its transistor in series."""
    cells, found = kernel.die, []
    for is_parallel in (False, True):
        cells.is_parallel[:] = is_parallel
        siemens = cells.siemens(_READ_VOLTS).reshape(kernel.shape)
        found.append(siemens / (1 + siemens * kernel.access.on_ohms(_GATE_VOLTS)))
    ap, p = found
    kind = cells.kind.reshape(kernel.shape)
    status = np.select([kind == each for each in _STATUS], [int(s) for s in _STATUS.values()]).astype(np.int8)
    for stuck, own, other in ((CellStatus.STUCK_P, p, ap), (CellStatus.STUCK_AP, ap, p)):
        other[status == stuck] = own[status == stuck]
    state = np.zeros(kernel.shape, dtype=np.int8)
    return ArrayMap(ap.copy(), p, ap, state, status, np.zeros(kernel.shape), Conditions(_READ_VOLTS), die)


def _maps(dies: int) -> DieMaps:
    with as_file(files("mtjlab.physics") / "wafers" / "cmos20k.yaml") as path:
        wafer = WaferDescription.load(path)
    places = wafer.places[:dies]
    chips = [(DieId(wafer.wafer, x, y), DaffodilChip.of_wafer(wafer, x, y, seed=1)) for x, y in places]
    return DieMaps.of([[_as_drawn(kernel, die) for kernel in chip.kernels] for die, chip in chips])


def _bits(tiling: NetworkTiling) -> list[Ints]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 2, (layer.inputs, layer.lines)).astype(np.int8) for layer in tiling.layers]


def _cost(tilings: list[NetworkTiling], errors: list[StateErrors], **kinds: Any) -> float:
    return float(np.mean([tiling_cost(t, e, **kinds) for t, e in zip(tilings, errors, strict=True)]))


def _figures(
    maps: DieMaps, sizes: list[int], powers: list[Floats | None], with_bits: bool, lines: int | None
) -> dict[str, float]:
    plain = plain_tiling(sizes)
    ap, p = maps.reachable()
    errors = [cell_errors(CellPair(ap[k], p[k]), maps.status[k]) for k in range(len(maps))]
    kinds = {"bits": _bits(plain) if with_bits else None, "input_powers": powers}
    started = time.perf_counter()
    placed = place_on_dies(plain, maps, lines_per_tile=lines, **kinds)  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    return {
        "devices": plain.devices,
        "plain_cost": round(_cost([plain] * len(maps), errors, **kinds), 2),
        "placed_cost": round(_cost(placed, errors, **kinds), 2),
        "plain_tiles": sum(len(layer.tiles) for layer in plain.layers),
        "placed_tiles": round(float(np.mean([sum(len(layer.tiles) for layer in each.layers) for each in placed])), 1),
        "seconds": round(seconds, 2),
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    maps = _maps(4 if quick else 36)
    bad = (maps.status != CellStatus.OK).sum(axis=(1, 2, 3))
    rows: list[list[Any]] = [["network", "inputs", "bits", "devices", "plain", "placed", "tiles", "seconds"]]
    results = []
    cases = [("alike", None, None), ("dark rim", BRIGHT_CENTRE, None), ("dark rim", BRIGHT_CENTRE, 5)]
    for sizes, (inputs, powers, lines), with_bits in product(([196, 47, 10], [196, 48, 10]), cases, (False, True)):
        found = _figures(maps, sizes, [powers, None], with_bits, lines)
        name, bits = "-".join(map(str, sizes)), "known" if with_bits else "unknown"
        results.append({"network": name, "inputs": inputs, "bits": bits, "lines_per_tile": lines, **found})
        tiles = f"{found['plain_tiles']} -> {found['placed_tiles']}"
        costs = [found[key] for key in ("devices", "plain_cost", "placed_cost")]
        rows.append([name, inputs, bits, *costs, tiles, found["seconds"]])
    title = f"{len(maps)} chips of 20,000 cells, {bad.mean():.0f} of them bad: squared weight error, mean over chips"
    return title, rows, {"dies": len(maps), "bad_cells": int(bad.sum()), "placements": results}
