"""Runs of several benches and days: found, compared, and read as one table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.dataset
import pytest

from mtjlab.catalogue import Catalogue, touchdowns_of_card
from mtjlab.catalogue_sql import query
from mtjlab.errors import InputError
from mtjlab.exports import export_run, publish
from mtjlab.nouns import DieId
from mtjlab.records import RunStore

from .conftest import DIES, PLAN, PROVENANCE, SetClock, figures_of, probe


@pytest.fixture
def two_benches(create: Callable[..., RunStore], wall: SetClock, tmp_path: Path) -> tuple[Catalogue, list[str]]:
    """A wafer on bench 2, again on bench 5 a day later, another wafer there that is not finished; a share."""
    ids = []
    for name, wafer, bench, dies in (
        ("a", "W07", "bench 2", 6),
        ("b", "W07", "bench 5", 6),
        ("c", "W08", "bench 5", 2),
    ):
        own = tuple(die._replace(wafer=wafer) for die in DIES)
        plan = replace(PLAN, wafer=wafer, dies=own)
        with create(name, plan, replace(PROVENANCE, bench=bench, recipe_revision="B" if name == "a" else "C")) as store:
            ids.append(store.run_id)
            for die in own[:dies]:
                _probe(store, die, 1.1 if name == "b" else 1.0)
            if name != "c":
                store.close()
        wall.seconds += 86_400
    (tmp_path / "share").mkdir()
    export_run(tmp_path / "a")
    publish(tmp_path / "a", tmp_path / "share")
    shutil.rmtree(tmp_path / "a")
    export_run(tmp_path / "b")
    publish(tmp_path / "b", tmp_path / "share")
    return Catalogue([tmp_path]), ids


def _probe(store: RunStore, die: DieId, factor: float) -> None:
    if factor == 1.0:
        probe(store, die)
        return
    store.begin_attempt(die)
    store.contacted(die, 1)
    figures = figures_of(die)
    store.keep(die, "read", scalars=figures | {"median_siemens": factor * figures["median_siemens"]})
    store.finish(die, 7, 7)


def test_every_run_is_listed_once_oldest_first_wherever_it_is(two_benches: tuple[Catalogue, list[str]]) -> None:
    catalogue, ids = two_benches
    entries = catalogue.entries()
    assert [entry.summary.run_id for entry in entries] == ids
    assert [entry.summary.state for entry in entries] == ["complete", "complete", "open"]
    assert [entry.recorded is not None for entry in entries] == [False, True, True]
    assert [entry.exports is not None for entry in entries] == [True, True, False]
    assert [entry.summary.dies for entry in entries][2] == {"done": 2, "planned": 4}
    assert [entry.summary.run_id for entry in catalogue.entries(wafer="W08")] == [ids[2]]
    assert [entry.summary.run_id for entry in catalogue.entries(lot="L1", bench="bench 5")] == ids[1:]
    assert catalogue.problems == []


def test_a_run_is_found_by_the_beginning_of_its_id(two_benches: tuple[Catalogue, list[str]]) -> None:
    catalogue, ids = two_benches
    assert catalogue.entry(ids[1][:12]).summary.run_id == ids[1]
    with pytest.raises(InputError, match="several runs begin with"):
        catalogue.entry("2023")
    with pytest.raises(InputError, match="there is no run 'x'"):
        catalogue.entry("x")


def test_two_runs_are_compared_die_by_die(two_benches: tuple[Catalogue, list[str]]) -> None:
    catalogue, ids = two_benches
    found = catalogue.compare(ids[0], ids[1])
    assert found.bins == {(1, 7): 5, (5, 7): 1}
    figure = next(each for each in found.figures if each.name == "read_median_siemens")
    assert figure.dies == 6
    assert figure.median_after / figure.median_before == pytest.approx(1.1)
    assert figure.median_change == pytest.approx(0.1 * 1.03e-4)
    assert figure.largest_change == pytest.approx(0.1 * 1.04e-4)
    assert figure.where == (4, -1)
    assert "read_noise_amps" not in {each.name for each in found.figures}, "it was measured on neither"
    assert ("recipe_revision", "B", "C") in found.differences
    assert ("bench", "bench 2", "bench 5") in found.differences
    partial = catalogue.compare(ids[0], ids[2])
    assert partial.only_before == tuple(die[1:] for die in DIES[2:])


def test_tables_of_several_runs_are_one(two_benches: tuple[Catalogue, list[str]]) -> None:
    catalogue, ids = two_benches
    table = catalogue.die_table(wafer="W07")
    assert table.num_rows == 12
    assert set(table["run_id"].to_pylist()) == set(ids[:2])
    assert catalogue.die_table([ids[2]]).num_rows == 6
    with pytest.raises(InputError, match="no run fits"):
        catalogue.die_table(lot="none")


def test_duckdb_and_pyarrow_query_lots_and_wafers_over_the_files(two_benches: tuple[Catalogue, list[str]]) -> None:
    catalogue, ids = two_benches
    answer = query(catalogue, "SELECT run_id, avg(is_good::INT) AS y FROM dies GROUP BY run_id ORDER BY run_id")
    assert answer.to_pylist() == [{"run_id": ids[0], "y": pytest.approx(5 / 6)}, {"run_id": ids[1], "y": 0.0}]
    (cells,) = query(catalogue, "SELECT count(siemens) AS n, count(*) AS m FROM cells").to_pylist()
    assert (cells["n"], cells["m"]) == (6 * 2 * 19, 6 * 2 * 20)
    dataset = pyarrow.dataset.dataset([str(path) for path in catalogue.files("dies")])
    assert dataset.count_rows(filter=pyarrow.dataset.field("hard_bin") == 7) == 6
    assert query(catalogue, "SELECT count(*) AS n FROM dies", bench="bench 5").to_pylist() == [{"n": 6}]
    with pytest.raises(InputError, match="the query cannot be carried out"):
        query(catalogue, "SELECT nothing FROM dies")
    with pytest.raises(InputError, match="tables dies and cells"):
        query(catalogue, "SELECT * FROM dies", lot="none")
    assert duckdb.__version__


def test_without_duckdb_a_query_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"DuckDB is not installed. Install it: pip install \"mtjlab\[query\]\""):
        query(Catalogue([tmp_path]), "SELECT 1")


def test_reading_and_listing_need_neither_qcodes_nor_duckdb(whole_run: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from mtjlab.catalogue import Catalogue; from mtjlab.store import open_run\n"
        f"folder = Path({str(whole_run)!r})\n"
        "with open_run(folder) as run: assert len(run.die_maps('read')) == 5\n"
        "assert len(Catalogue([folder]).entries()) == 1\n"
        "print(sorted({'qcodes', 'duckdb', 'xarray', 'pyarrow', 'zarr'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_what_cannot_be_read_is_named_and_the_rest_is_listed(two_benches: tuple[Catalogue, list[str]]) -> None:
    catalogue, ids = two_benches
    (root,) = catalogue.roots
    (root / "broken").mkdir()
    (root / "broken" / "run.json").write_text("{")
    (root / "torn").mkdir()
    (root / "torn" / "ledger.sqlite").write_bytes(b"no database")
    catalogue = Catalogue([root, root / "share of bench 9"])
    assert [entry.summary.run_id for entry in catalogue.entries()] == ids
    assert len(catalogue.problems) == 3
    assert any("share of bench 9: not there" in problem for problem in catalogue.problems)


def test_names_of_lots_never_lead_out_of_the_share(create: Callable[..., RunStore], tmp_path: Path) -> None:
    share = tmp_path / "a" / "share"
    share.mkdir(parents=True)
    for number, (lot, wafer) in enumerate([("../../up", ".."), ("", "."), ("CON", "a/b\\c:d"), ("x. ", "nul.txt")]):
        own = tuple(die._replace(wafer=wafer) for die in DIES)
        with create(f"run{number}", replace(PLAN, lot=lot, wafer=wafer, dies=own)) as store:
            folder = store.folder
            store.close()
        export_run(folder, ("csv",))
        target = publish(folder, share)
        assert len(target.relative_to(share).parts) == 3
        assert target.resolve().is_relative_to(share.resolve())
        assert not {part.partition(".")[0].upper() for part in target.relative_to(share).parts} & {"CON", "NUL"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"share"}
    assert len(Catalogue([share]).entries()) == 4


def test_touch_downs_of_a_card_are_counted_over_the_runs_beside(
    create: Callable[..., RunStore], tmp_path: Path
) -> None:
    for name, card in (("a", "PC-1"), ("b", "PC-1"), ("c", "PC-2")):
        with create(name, provenance=replace(PROVENANCE, probe_card=card)) as store:
            probe(store, DIES[0])
            probe(store, DIES[1])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ledger.sqlite").write_bytes(b"no ledger")
    assert [touchdowns_of_card(tmp_path, card) for card in ("PC-1", "PC-2", "PC-3")] == [4, 2, 0]
