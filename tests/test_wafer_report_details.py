"""What the report of a wafer run shows of dies that failed, figures that never change, steps, recipe and colours."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest

from mtjlab.export_tables import write_die_table
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId
from mtjlab.provenance import InstrumentRecord, Provenance
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan
from mtjlab.store import open_run
from mtjlab.wafer_figures import NONE, colour_range, histogram, histogram_svg, limit_lines, value_colours
from mtjlab.wafer_report import write_wafer_report
from mtjlab.wafer_report_data import Parameter, collect

DIES = tuple(DieId("W1", x, 0) for x in range(4))
TESTS = (DieTest(1000, "silent_lines", "contact", "", high=0.0), DieTest(2000, "level", "read", "S"))


def maps_of(die: DieId) -> list[ArrayMap]:
    siemens = np.full((2, 3), 1e-4)
    status = np.full((2, 3), CellStatus.OK, dtype=np.int8)
    status[0, 1] = CellStatus.STUCK_AP
    return [ArrayMap(siemens, siemens, siemens, status, status, siemens, Conditions(0.1), die=die)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dies are read; the last makes no contact in two touch-downs of one visit."""
    path = tmp_path_factory.mktemp("wafer") / "run"
    plan = RunPlan(
        "L1", "W1", DIES, ("contact", "read"), TESTS, {1: "good", 2: "no contact"}, {1: "good", 21: "silent"}
    )
    known = Provenance(
        recipe_text='{"b": 2, "a": "µ"}', instruments=(InstrumentRecord("smu", calibration_due="2020-01-01"),)
    )
    with RunStore.create(path, plan, known) as store:
        for number, die in enumerate(DIES):
            store.begin_attempt(die)
            store.contacted(die, 1 + (die == DIES[3]))
            store.keep(die, "contact", scalars={"silent_lines": 3.0 * (die == DIES[3])})
            if die == DIES[3]:
                store.fail(die, "no contact", hard_bin=2, soft_bin=21, first_failing="contact.silent_lines")
                continue
            figures = {"level": 1e-4 * (1 + number), "pulses": 240_260.0}
            details, files = {"reason": "all rows are read"}, {"network.npz": b"x"}
            store.keep(
                die, "read", maps_of(die), figures, more_maps={"as_found": maps_of(die)}, details=details, files=files
            )
            store.finish(die, 1, 1)
        store.close()
    return path


def test_a_die_that_failed_shows_what_it_failed_by(folder: Path, tmp_path: Path) -> None:
    with open_run(folder) as run:
        data = collect(run)
        path = write_die_table(run, tmp_path / "dies.csv")
    silent = next(each for each in data.parameters if each.name == "contact.silent_lines")
    assert silent.values.tolist() == [0.0, 0.0, 0.0, 3.0] and silent.failing == 1
    assert data.first_failing == [("contact.silent_lines", 1)]
    assert [row.die for row in data.retested] == [DIES[3]], "touched twice in one visit"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["contact_silent_lines"] for row in rows] == ["0", "0", "0", "3"]
    assert (rows[3]["state"], rows[3]["attempt"], rows[3]["read_level"]) == ("failed", "3", "")


def test_figures_that_never_change_stand_in_a_table_and_are_not_drawn(folder: Path) -> None:
    (page,) = write_wafer_report(folder, with_pdf=False)
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    assert text.count('<svg class="wafer"') == 1 + 2, "bins, silent lines, level"
    constant = text.partition("The same on every die")[2].partition("</table>")[0]
    assert re.search(r"read\.pulses</td><td class=\"num\">240260 </td><td class=\"num\">3<", constant)


def test_steps_recipe_and_what_nobody_knows_are_on_the_page(folder: Path) -> None:
    (page,) = write_wafer_report(folder, with_pdf=False)
    text = page.read_text(encoding="utf-8")
    assert "<td>read</td><td>all rows are read</td><td>as_found, network.npz</td>" in text
    assert "&#34;b&#34;: 2" in text and "µ" in text
    assert "first failing test" in text and "CALIBRATION HAS RUN OUT" in text
    assert "probe card, card touchdowns" in text.partition("not known")[2]
    assert re.search(r'style="background: #[0-9a-f]{6}"></span> 1 stuck ap', text)


def parameter(
    values: list[float], outliers: list[int] | None = None, robust: tuple[float, float] = (0, 0)
) -> Parameter:
    array = np.array(values)
    return Parameter("a.b", "", None, array, robust, np.isin(np.arange(array.size), outliers or []))


def test_outliers_do_not_squash_the_scale_unless_all_else_is_the_same() -> None:
    assert colour_range(parameter([1.0, 2.0, 3.0, 90.0], [3])) == (1.0, 3.0)
    assert colour_range(parameter([1.0, 1.0, 1.0, 90.0], [3])) == (1.0, 90.0)
    low, high = colour_range(parameter([2.0, 2.0]))
    assert low == 2.0 and high > low
    colours = value_colours(parameter([1.0, 3.0, 90.0, math.nan], [2]))
    assert colours[1] == colours[2] != colours[0] and colours[3] == NONE


def test_a_histogram_of_one_value_has_it_in_the_middle() -> None:
    counts, edges = histogram(parameter([5.0, 5.0, math.nan]))
    (column,) = np.flatnonzero(counts)
    assert counts[column] == 2 and edges[column] < 5.0 < edges[column + 1]
    assert column == len(counts) // 2
    assert limit_lines(parameter([5.0], robust=(5.0, 5.0))) == []
    assert [kind for _, kind in limit_lines(parameter([5.0], robust=(4.0, 6.0)))] == ["robust", "robust"]
    assert "2 dies from" in histogram_svg(parameter([5.0, 5.0]))
