"""From kernels measured one after the other, through a placed network, to targets that writing takes as they are."""

from dataclasses import replace
from typing import Any

import numpy as np

from mtjlab.engine.tiling import plain_tiling
from mtjlab.engine.tiling_dies import place_on_dies, placed_cells
from mtjlab.engine.tiling_plan import kernel_targets, plan_tiled_network
from mtjlab.map_feed import MapFeed
from mtjlab.nouns import DieId, State
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.write_verify import write_verify

KERNELS = 2
SHORT, STUCK = (1, 2), (4, 3)


def test_a_network_is_placed_on_two_measured_kernels_and_written(make_world: Any) -> None:
    defects = [
        {"row": SHORT[0], "col": SHORT[1], "kind": "short"},
        {"row": STUCK[0], "col": STUCK[1], "kind": "stuck_p"},
    ]
    made = [make_world(kernel, defects=defects if kernel == 0 else []) for kernel in range(KERNELS)]
    feed = MapFeed(KERNELS)
    with feed:
        for kernel, (_, crossbar) in enumerate(made):
            _, known = survey(crossbar)
            feed.hand(replace(known, die=DieId("W", 1, 1)), kernel)
    maps = feed.so_far()
    plain = plain_tiling([6, 4, 2], kernels=KERNELS, kernel_shape=(6, 6))
    placed = place_on_dies(plain, maps)
    shorts = [sum((placed_cells(maps, [t], k).siemens_p > 1e-3).sum() for k in range(2)) for t in (plain, placed[0])]
    assert shorts == [1, 0]

    rng = np.random.default_rng(0)
    bits = [rng.integers(0, 2, (layer.inputs, layer.lines)).astype(np.int8) for layer in plain.layers]
    targets = kernel_targets(plan_tiled_network(placed[0], bits), KERNELS, (6, 6))
    written = [write_verify(made[k][1], targets[k], maps.map_of(0, k)).written for k in range(KERNELS)]
    states = np.array([each.state for each in written])
    truth = np.array([world.die.is_parallel.reshape(6, 6) for world, _ in made])
    for layer, wanted in zip(placed[0].layers, bits, strict=True):
        wrong = truth[layer.cells] != wanted
        is_stuck = (layer.cells.kernel == 0) & (layer.cells.row == STUCK[0]) & (layer.cells.col == STUCK[1])
        assert not (wrong & ~is_stuck).any()
        assert (states[layer.cells] == wanted)[~is_stuck].all()
    assert (targets != State.UNKNOWN).sum() == plain.devices == 64
    assert all(world.incidents == [] for world, _ in made)
