"""How die numbers lie on the wafer is kept with a run, and every map of it follows that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from matplotlib.figure import Figure

from mtjlab import wafer_pages
from mtjlab.export_stdf import WaferGeometry, geometry_of, write_stdf
from mtjlab.export_wafer_map import write_bin_map
from mtjlab.map_frame import MapFrame
from mtjlab.map_transform import Axes
from mtjlab.records import RunStore
from mtjlab.run_plan import RunPlan
from mtjlab.store import open_run
from mtjlab.wafer_figures import map_svg
from mtjlab.wafer_layout import WaferLayout
from mtjlab.wafer_map import DieUse, draw_map
from mtjlab.wafer_map_files import MapFormat, read_wafer_map
from mtjlab.wafer_report import write_wafer_report

from .conftest import DIES, PLAN, probe

FRAME = MapFrame(
    axes="DL",
    notch_degrees=90,
    pitch_metres=(5e-3, 10e-3),
    diameter_metres=0.1,
    origin=(3.0, 0.0),
    product="MTJ-15",
    skipped=((2, 1), (3, 1)),
    edge=((4, 1),),
)
FRAMED = replace(PLAN, frame=FRAME)


@pytest.fixture
def folder(create: Callable[..., RunStore]) -> Path:
    with create(plan=FRAMED) as store:
        for die in DIES:
            probe(store, die)
        return store.folder


def test_a_plan_keeps_its_frame_and_older_plans_have_none() -> None:
    assert RunPlan.from_json(FRAMED.to_json()) == FRAMED
    older = PLAN.to_json().replace(', "frame": null', "")
    assert "frame" not in older and RunPlan.from_json(older) == PLAN


def test_a_frame_is_that_of_the_map_and_gives_it_back() -> None:
    drawn = draw_map("W07", diameter_metres=0.05, pitch_metres=(0.01, 0.01), axes="DR", notch_degrees=270, lot="L1")
    dies = tuple(replace(die, use=DieUse.EDGE) if (die.x, die.y) == (2, 1) else die for die in drawn.dies)
    drawn = replace(drawn, dies=dies)
    probed = [drawn.die_id(die) for die in drawn.dies if die.y == 0]
    frame = MapFrame.of(drawn, probed)
    again = frame.wafer_map("W07", "L1", probed)
    assert {(d.x, d.y) for d in again.probed} == {(d.x, d.y) for d in probed}
    assert {(d.x, d.y) for d in again.dies} == {(d.x, d.y) for d in drawn.dies} and frame.edge == ((2, 1),)
    assert (again.axes, again.notch_degrees, again.pitch_metres) == ("DR", 270, (0.01, 0.01))
    assert frame.words == "x grows to the right, y down, notch at 270 degrees clockwise from the top"


@pytest.mark.parametrize("format", get_args(MapFormat))
def test_bin_maps_lie_as_the_wafer_does(folder: Path, tmp_path: Path, format: Any) -> None:
    with open_run(folder) as run:
        found = read_wafer_map(write_bin_map(run, tmp_path / f"bins.{format}", format=format))
    assert (found.axes, found.notch_degrees, found.lot) == ("DL", 90, "L1")
    assert {(d.x, d.y): d.bin for d in found.dies if d.use is DieUse.PROBE} == {
        (die.x, die.y): 5 if die == DIES[5] else 1 for die in DIES
    }
    assert {(d.x, d.y): d.use for d in found.dies if d.use is not DieUse.PROBE} == {
        (2, 1): DieUse.SKIP,
        (3, 1): DieUse.SKIP,
        (4, 1): DieUse.EDGE,
    }


def test_rows_of_a_bin_map_begin_at_the_top_of_the_wafer(folder: Path, tmp_path: Path) -> None:
    """y grows downwards: the smallest is at the top; x to the left: the largest is at the left."""
    with open_run(folder) as run:
        text = write_bin_map(run, tmp_path / "bins.txt", format="sinf").read_text(encoding="ascii")
    rows = [line.removeprefix("RowData:").split() for line in text.splitlines() if line.startswith("RowData:")]
    assert rows == [["01", "01", "01"], ["05", "01", "01"], ["FE", "FD", "FD"]]
    assert "FNLOC:90" in text and "DEVICE:MTJ-15" in text


def test_stdf_says_where_the_numbers_grow(folder: Path, tmp_path: Path, create: Callable[..., RunStore]) -> None:
    wanted = WaferGeometry(0.1, 10e-3, 5e-3, "R", (3, 0), "L", "D")
    assert geometry_of(FRAMED.wafer_map()) == wanted
    with open_run(folder) as run:
        own = write_stdf(run, tmp_path / "own.stdf").read_bytes()
        assert own == write_stdf(run, tmp_path / "given.stdf", geometry=wanted).read_bytes()
        assert own != write_stdf(run, tmp_path / "other.stdf", geometry=replace(wanted, positive_y="U")).read_bytes()
    with create("bare") as store:
        probe(store, DIES[0])
        with open_run(store.folder) as run:
            bare = write_stdf(run, tmp_path / "bare.stdf").read_bytes()
            assert bare == write_stdf(run, tmp_path / "none.stdf", geometry=WaferGeometry()).read_bytes()


@pytest.mark.parametrize("axes", get_args(Axes))
def test_the_map_on_the_page_lies_as_the_wafer_does(axes: Axes) -> None:
    layout = WaferLayout.of(replace(PLAN, frame=replace(FRAME, axes=axes)))
    count = len(DIES)
    svg = map_svg(layout, ["#123456"] * count, [f"die {d.x} {d.y}" for d in DIES], ["a"] * count, [False] * count)
    found = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"[^>]*fill="#123456"><title>die (-?\d+) (-?\d+)<', svg)
    places = {(int(x), int(y)): (float(left), float(top)) for left, top, x, y in found}
    assert len(places) == count
    assert (places[3, 0][0] > places[2, 0][0]) == axes.endswith("R")
    assert (places[2, 0][1] < places[2, -1][1]) == axes.startswith("U")
    assert svg.count('class="left-out"') == 3
    assert places[2, -1][1] - places[2, 0][1] == pytest.approx(60.0 if axes[0] == "U" else -60.0), (
        "dies are twice as high"
    )


@pytest.mark.parametrize("axes", get_args(Axes))
def test_the_map_in_the_pdf_lies_as_the_wafer_does(axes: Axes) -> None:
    layout = WaferLayout.of(replace(PLAN, frame=replace(FRAME, axes=axes)))
    drawn = Figure().add_subplot()
    wafer_pages._draw_map(drawn, layout, ["#123456"] * len(DIES))
    right, up = (drawn.transData.transform((x, y)) for x, y in ((3, 0), (2, 0)))
    assert (right[0] > up[0]) == axes.endswith("R")
    assert drawn.yaxis_inverted() == axes.startswith("D")


def test_a_report_says_how_the_numbers_lie_or_that_nobody_has(folder: Path, create: Callable[..., RunStore]) -> None:
    (page,) = write_wafer_report(folder, with_pdf=False)
    said = page.read_text(encoding="utf-8")
    assert "X grows to the left, y down, notch at 90 degrees clockwise from the top" in said
    assert said.count('class="notch"') == said.count('<svg class="wafer"') > 1
    with create("bare") as store:
        probe(store, DIES[0])
    (page,) = write_wafer_report(store.folder, with_pdf=False)
    assert "How the numbers lie was not recorded" in page.read_text(encoding="utf-8")
