"""Only what a source reaches is solved, and that gives what solving everything gives."""

from __future__ import annotations

import numpy as np
import pytest

from mtjlab.sim_instruments import circuit
from mtjlab.sim_instruments.components import labels
from mtjlab.sim_instruments.world import World

CLEAN = {"rows": 4, "cols": 4, "defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}


def solved() -> tuple[np.ndarray, list[float]]:
    world = World.from_description(CLEAN, seed=3, line_hertz=50)
    row, col, lone = (world.add_source(name, f"{name}.hi") for name in ("row", "col", "lone"))
    relays = world.add_switches("m", [("row.hi", "die.row.1"), ("col.hi", "die.col.2"), ("lone.hi", "die.row.0")], 0.1)
    world.connect("lone.hi", "joint.x", 500.0)
    world.connect("joint.x", "ground", 500.0)
    world.connect("col.hi", "ground", 1000.0)
    world.connect("joint.far", "joint.farther", 10.0)
    lone.drive_volts(2.0, 1.0)
    seen = [lone.point().amps]
    relays.set({0, 1})
    row.drive_volts(0.1, 1.0)
    col.drive_amps(0.0, 1.0)
    seen += [source.point().amps for source in (row, col, lone)] + [col.point().volts]
    return world.cell_volts(), seen


def test_it_gives_what_solving_everything_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, seen = solved()
    assert seen[0] == pytest.approx(2e-3, rel=1e-4)
    assert seen[3] == pytest.approx(2e-3, rel=1e-4)
    assert abs(cells).max() > 0.001
    monkeypatch.setattr(circuit, "labels", lambda size, *_: np.zeros(size, dtype=np.int64))
    all_cells, all_seen = solved()
    assert cells == pytest.approx(all_cells, rel=1e-6, abs=1e-9)
    assert seen == pytest.approx(all_seen, rel=1e-6, abs=1e-12)


def test_nodes_that_hang_together_have_one_label() -> None:
    found = labels(8, [(1, 4), (4, 5), (6, 7)], 2, 7)
    assert found[0] == found[1] == found[4] == found[5]
    assert len({found[0], found[2], found[3], found[6], found[7]}) == 5
