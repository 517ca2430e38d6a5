"""The map while it is measured: what is drawn is what was read, at most so often, and never in the protocol's way."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.live_plot import LivePlot, notebook_display
from mtjlab.nouns import Line, Lines, Site
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.readout import read_cell, readout
from mtjlab.roles import Crossbar
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

PNG = b"\x89PNG"


@pytest.fixture
def crossbar() -> WorldCrossbar:
    die = {"rows": 3, "cols": 4, "defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
    return WorldCrossbar(World.from_description(die, seed=1, line_hertz=50), None)


class Clock:
    """Grows by a second at every look."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


def test_what_is_drawn_is_what_the_protocol_read(crossbar: WorldCrossbar) -> None:
    shown: list[bytes] = []
    with LivePlot(crossbar, show=shown.append, redraw_seconds=4.0, clock=Clock()) as live:
        die = readout(live.crossbar, progress=live.progress)
        assert np.allclose(live.map.siemens, die.siemens, rtol=1e-9)
    assert 2 < len(shown) < 12 and all(one.startswith(PNG) for one in shown)
    assert len(set(shown)) == len(shown), "each shows more than the one before"
    assert live.problems == []


def test_cells_that_were_not_read_yet_are_unknown(crossbar: WorldCrossbar) -> None:
    with LivePlot(crossbar) as live:
        read_cell(live.crossbar, Site(1, 2))
        assert np.argwhere(np.isfinite(live.map.siemens)).tolist() == [[1, 2]]


def test_writing_is_followed_by_what_was_read_last(crossbar: WorldCrossbar) -> None:
    with LivePlot(crossbar) as live:
        _, both = survey(live.crossbar, progress=live.progress)
        assert np.allclose(live.map.siemens, both.siemens_ap, rtol=1e-6), "cells are left in AP"
        live.keep(both)
        assert live.map is both


def test_currents_of_many_cells_at_once_are_not_taken_for_one(crossbar: WorldCrossbar) -> None:
    lines = Lines.grounded(3, 4)
    lines.row_volts[:] = 0.1
    with LivePlot(crossbar) as live:
        live.crossbar.measure(lines, [Line("col", 0)])
        assert np.isnan(live.map.siemens).all()
        lines.row_volts[1:] = 0.0
        readings = live.crossbar.measure(lines, [Line("col", number) for number in range(4)])
        assert np.allclose(live.map.siemens[0], [reading.amps / 0.1 for reading in readings])


def test_a_picture_that_cannot_be_drawn_is_no_reason_to_stop(crossbar: WorldCrossbar) -> None:
    def fails(png: bytes) -> None:
        raise RuntimeError("the browser has gone")

    with LivePlot(crossbar, show=fails, redraw_seconds=0.0, clock=Clock()) as live:
        die = readout(live.crossbar, progress=live.progress)
    assert np.isfinite(die.siemens).all()
    assert live.problems[0] == "RuntimeError: the browser has gone" and len(live.problems) <= 10


def test_drawing_takes_at_most_a_tenth_of_the_time(crossbar: WorldCrossbar) -> None:
    clock, shown = Clock(), list[float]()

    def slow(png: bytes) -> None:
        clock.seconds += 50.0
        shown.append(clock.seconds)

    with LivePlot(crossbar, show=slow, redraw_seconds=0.1, clock=clock) as live:
        while clock.seconds < 2500.0:
            read_cell(live.crossbar, Site(0, 0))
    assert len(shown) >= 3 and min(np.diff(shown[:-1])) >= 10 * 50.0


def test_an_interrupted_protocol_leaves_its_last_picture(crossbar: WorldCrossbar, tmp_path: Path) -> None:
    shown: list[bytes] = []

    def stop(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), LivePlot(crossbar, show=shown.append) as live:
        readout(live.crossbar, progress=stop)
    assert np.isfinite(live.map.siemens).sum() >= 4
    assert live.save(tmp_path / "a.png").read_bytes() == shown[-1]


def test_outside_of_a_notebook_nothing_is_shown(monkeypatch: pytest.MonkeyPatch, crossbar: WorldCrossbar) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert notebook_display() is None
    assert "IPython" not in sys.modules
    with LivePlot(crossbar) as live:
        readout(live.crossbar, progress=live.progress)
    assert live.picture().startswith(PNG)


def test_in_a_notebook_one_picture_replaces_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    class Handle:
        def update(self, image: Any) -> None:
            shown.append(("update", image.data))

    def display(image: Any, display_id: bool) -> Handle:
        shown.append(("new", image.data))
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    parts = types.SimpleNamespace(Image=lambda data: types.SimpleNamespace(data=data), display=display)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", parts)
    show = notebook_display()
    assert show is not None
    for picture in (b"1", b"2", b"3"):
        show(picture)
    assert shown == [("new", b"1"), ("update", b"2"), ("update", b"3")]
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace()))
    assert notebook_display() is None, "a console in a terminal"


def test_it_is_a_crossbar_like_the_one_inside(crossbar: WorldCrossbar) -> None:
    live = LivePlot(crossbar)
    assert isinstance(live.crossbar, Crossbar)
    assert live.crossbar.shape == crossbar.shape and live.crossbar.capabilities == crossbar.capabilities
    assert "3 x 4" in repr(live.crossbar)
