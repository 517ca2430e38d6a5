"""Wires measured on the array itself, and reads that are true with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.deembed import Wires
from mtjlab.physics.line_reads import BiasDependence
from mtjlab.protocols.readout_array import read_array
from mtjlab.protocols.readout_settings import ReadSettings
from mtjlab.protocols.readout_wires import measure_wires, with_wires

SETTINGS = ReadSettings(bias=BiasDependence(0.5))
GUESS = Wires(1.5, 4.0, 4.0)


def lines_of(wires: Wires) -> Floats:
    return np.concatenate([np.asarray(wires.row_ohms), np.asarray(wires.col_ohms)])


def test_ideal_sources_find_contacts_and_wires(make_world: Any) -> None:
    world, crossbar = make_world(2, tmr_spread=0.0, contact_spread=0.4, segment_ohms=2.2)
    heard: set[str] = set()
    found = measure_wires(
        crossbar,
        GUESS,
        line_sigma_ohms=5.0,
        segment_sigma_ohms=1.0,
        settings=SETTINGS,
        progress=lambda what, done, total: heard.add(what),
    )
    true = world.die.contact_ohms + 0.06
    assert found.wires.segment_ohms == pytest.approx(2.2, abs=4 * found.segment_sigma_ohms)
    assert found.segment_sigma_ohms < 0.05
    assert (np.abs(lines_of(found.wires) - true) < 4 * found.line_sigma_ohms + 0.05).all()
    assert np.median(found.line_sigma_ohms) < 1.0
    assert heard == {"reading cells", "reading from line to line"}
    assert world.incidents == []


def test_reads_with_measured_wires_are_true(bench: Any) -> None:
    simulated, make = bench
    world = simulated.world
    with make() as crossbar:
        crossbar.start()
        found = measure_wires(crossbar, GUESS, line_sigma_ohms=3.0, segment_sigma_ohms=1.0, settings=SETTINGS)
        settings = with_wires(SETTINGS, found)
        read = read_array(crossbar, settings)
    assert read.conditions.segment_ohms == found.wires.segment_ohms
    error = np.abs(read.siemens - world.die.siemens(0.1).reshape(4, 4))
    assert (error < 4 * read.sigma).all()
    assert world.incidents == []
    assert not world.is_live


def test_an_off_scale_reading_is_refused(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, crossbar = make_world(0)
    measure = crossbar.measure
    monkeypatch.setattr(
        crossbar, "measure", lambda *request: [replace(r, is_overflow=r.amps > 1e-5) for r in measure(*request)]
    )
    with pytest.raises(InputError, match="complete"):
        measure_wires(crossbar, GUESS, line_sigma_ohms=3.0, segment_sigma_ohms=1.0)


def test_lines_that_touch_are_seen_in_the_fit_or_refused(make_world: Any) -> None:
    _, crossbar = make_world(0, line_defects=[{"axis": "row", "line": 1, "kind": "short", "ohms": 200.0}])
    try:
        found = measure_wires(crossbar, GUESS, line_sigma_ohms=3.0, segment_sigma_ohms=1.0)
    except InputError as error:
        assert "touch" in str(error)
    else:
        assert found.chi_squared_per_read > 100
