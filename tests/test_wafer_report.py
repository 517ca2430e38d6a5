"""The report of a wafer run: what it says, that it loads nothing, outliers, retests, bins assigned anew."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId, Floats
from mtjlab.outliers import is_outlier, robust_limits
from mtjlab.provenance import Provenance
from mtjlab.rebinning import NewBin, rebin
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan
from mtjlab.store import open_run
from mtjlab.wafer_report import write_wafer_report
from mtjlab.wafer_report_data import collect, mosaic

DIES = tuple(DieId("W<5>", x, y) for y in range(-2, 2) for x in range(5))
ODD = DIES[7]


def known(die: DieId, level: float) -> ArrayMap:
    siemens = np.full((3, 4), level)
    status = np.full((3, 4), CellStatus.OK, dtype=np.int8)
    status[1, 2] = CellStatus.SHORT
    state = np.zeros((3, 4), dtype=np.int8)
    return ArrayMap(siemens, siemens, siemens / 2, state, status, siemens * 0.01, Conditions(0.1), die=die)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wafer") / "run"
    tests = (DieTest(1000, "tmr", "survey", "%", low=0.5), DieTest(1001, "level", "survey", "S"))
    plan = RunPlan("L1", "W<5>", DIES, ("survey",), tests, {1: "good", 4: "low TMR"}, {1: "good", 40: "low TMR"})
    with RunStore.create(path, plan, Provenance(operator="Ada", is_simulated=True)) as store:
        for number, die in enumerate(DIES[:-1]):
            if number == 3:
                store.begin_attempt(die)
                store.fail(die, "step 'survey': drive: no reply", again=True, bench_seconds=600.0)
            store.begin_attempt(die)
            store.contacted(die, 1)
            level = 1e-4 * (1 + 0.01 * (number % 5)) * (10 if die == ODD else 1)
            store.keep(die, "survey", [known(die, level)] * 2, {"tmr": 0.4 if number == 2 else 0.9, "level": level})
            hard, soft, first = (4, 40, "survey.tmr") if number == 2 else (1, 1, "")
            store.finish(die, hard, soft, first_failing=first, bench_seconds=300.0)
        store.close("stopped", "lunch")
    return path


def text_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_says_what_the_run_came_to(folder: Path) -> None:
    page, pdf = write_wafer_report(folder)
    text = re.sub(r"\s+", " ", text_of(folder))
    assert "yield 94.7 %" in text and "18 of 19 dies with a bin are good; 1 of 20 have none" in text
    assert "<b>stopped</b>: lunch" in text
    assert "W&lt;5&gt;" in text and "W<5>" not in text
    assert "low TMR" in text and 'fails <span class="bad">survey.tmr</span>' in text
    assert "simulated bench time" in text and f"{(19 * 300 + 600) / 3600:.2f} h" in text
    assert "step &#39;survey&#39;: drive: no reply" in text
    assert text.count("<details") == len(DIES)
    assert pdf.read_bytes().startswith(b"%PDF") and page.name == "report.html"


def test_the_page_loads_nothing_and_runs_nothing(folder: Path) -> None:
    write_wafer_report(folder, with_pdf=False)
    text = text_of(folder)
    assert "<script" not in text and "<link" not in text and "@import" not in text
    assert set(re.findall(r'(?:src|href)="([^"]{0,10})', text)) == {"data:image", "#die_0_m2", *_anchors()}
    for anchor in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{anchor}"' in text


def _anchors() -> set[str]:
    return {f"#die_{x}_{'m' * (y < 0)}{abs(y)}"[:10] for x in range(5) for y in range(-2, 2)}


def test_outliers_and_retests_are_found(folder: Path) -> None:
    with open_run(folder) as run:
        data = collect(run)
    assert [(row.die, data.outliers_of(place)) for place, row in enumerate(data.rows) if data.outliers_of(place)] == [
        (DIES[2], ["survey.tmr"]),
        (ODD, ["survey.level"]),
    ]
    assert [row.die for row in data.retested] == [DIES[3]]
    assert [each.failing for each in data.parameters] == [1, 0]
    assert data.bench_seconds == 19 * 300 + 600


def test_bins_assigned_anew_are_shown_without_touching_the_run(folder: Path) -> None:
    rebin(folder, lambda row, figures: NewBin(1, 1), name="limits 2", reason="TMR of 0.4 will do")
    write_wafer_report(folder, with_pdf=False)
    assert "yield 100.0 %" in text_of(folder) and "limits 2: TMR of 0.4 will do" in text_of(folder)
    write_wafer_report(folder, binning=0, with_pdf=False)
    assert "yield 94.7 %" in text_of(folder)


def test_without_a_run_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write_wafer_report(tmp_path)


def test_arrays_of_a_die_stand_beside_each_other() -> None:
    maps = [known(DIES[0], float(level)) for level in range(1, 6)]
    picture = mosaic(maps, "siemens")
    assert picture[0, 0] == 1 and picture[0, 5] == 2
    assert np.nansum(picture) == 12 * (1 + 2 + 3 + 4 + 5)
    assert np.isnan(picture[3]).all() and np.isnan(picture[:, 4]).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0, 100.0], [5]),
        ([2.0] * 9 + [2.1], [9]),
        ([0.1 + 0.2, 0.3, 0.3, 0.3], []),
        ([np.nan, np.nan], []),
    ],
)
def test_robust_limits(values: list[float], expected: list[int]) -> None:
    array: Floats = np.array(values)
    assert np.flatnonzero(is_outlier(array)).tolist() == expected


def test_robust_limits_are_six_sigmas_of_a_normal_population() -> None:
    low, high = robust_limits(np.random.default_rng(0).normal(10.0, 2.0, 200_000))
    assert (low, high) == (pytest.approx(-2.0, abs=0.1), pytest.approx(22.0, abs=0.1))
