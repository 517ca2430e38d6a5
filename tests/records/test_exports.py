"""What others read: CSV, Parquet, STDF by pystdf record by record, bin maps, and bins assigned anew."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from pystdf.IO import Parser

from mtjlab.errors import InputError
from mtjlab.export_stdf import WaferGeometry, geometry_of, write_stdf
from mtjlab.export_tables import die_table, write_cell_table, write_die_table, write_test_table
from mtjlab.export_wafer_map import bin_map, write_bin_map
from mtjlab.exports import export_run
from mtjlab.ledger_rows import DieRow
from mtjlab.nouns import ArrayMap, DieId
from mtjlab.provenance import Provenance, file_sha256
from mtjlab.rebinning import NewBin, changed_bins, rebin
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan
from mtjlab.run_summary import RunSummary
from mtjlab.stdf_parts import CellResults
from mtjlab.stdf_records import LAYOUTS, record
from mtjlab.store import open_run
from mtjlab.wafer_map import MapDie, WaferMap
from mtjlab.wafer_map_files import read_wafer_map

from .conftest import DIES, KERNELS, PLAN, PROVENANCE, SHAPE, WAFER, figures_of, maps_of, probe


class _Sink:
    """Keeps what pystdf reads: (name, fields) in order."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []

    def after_begin(self, source: object) -> None: ...

    def after_complete(self, source: object) -> None: ...

    def after_send(self, source: object, data: Any) -> None:
        kind, values = data
        self.records.append((type(kind).__name__.upper(), dict(zip(kind.fieldNames, values, strict=True))))


def read_by_pystdf(path: Path) -> list[tuple[str, dict[str, Any]]]:
    sink = _Sink()
    with path.open("rb") as file:
        parser = Parser(inp=file)
        parser.addSink(sink)
        parser.parse()
    return sink.records


def lengths_add_up(path: Path) -> int:
    """Number of records; raises if the file does not consist of whole ones."""
    content, at, count = path.read_bytes(), 0, 0
    while at < len(content):
        (length, _, _) = struct.unpack_from("<HBB", content, at)
        at, count = at + 4 + length, count + 1
    assert at == len(content)
    return count


def test_stdf_holds_the_wafer_record_by_record(whole_run: Path, tmp_path: Path) -> None:
    geometry = WaferGeometry(0.2, 0.01, 0.02, "D", (3, -1), "R", "U")
    with open_run(whole_run) as run:
        path = write_stdf(run, tmp_path / "wafer.stdf", cells=[CellResults("read", ("siemens",))], geometry=geometry)
    found = read_by_pystdf(path)
    assert lengths_add_up(path) == len(found)
    names = [name for name, _ in found]
    done = ["PIR", "FTR", "PTR", "PTR", "PTR", "MPR", "MPR", "PRR"]
    failed = ["PIR", "PRR"]
    ends = ["WRR", "TSR", "TSR", "TSR", "TSR", "HBR", "HBR", "HBR", "SBR", "SBR", "PCR", "MRR"]
    assert names == ["FAR", "MIR", "SDR", "WCR", "WIR", *4 * done, *failed, *done, *ends]
    single = {
        name: fields for name, fields in found if name in ("FAR", "MIR", "SDR", "WCR", "WIR", "WRR", "PCR", "MRR")
    }
    assert single["FAR"] == {"CPU_TYPE": 2, "STDF_VER": 4}
    master = single["MIR"]
    assert (master["LOT_ID"], master["JOB_NAM"], master["JOB_REV"]) == ("L1", "survey", "B")
    assert (master["OPER_NAM"], master["TSTR_TYP"], master["TST_TEMP"]) == ("Ada", "bench 2", "26.85")
    assert (master["NODE_NAM"], master["START_T"], master["FLOW_ID"]) == ("pc", 1_700_000_000, "")
    assert single["SDR"]["HAND_ID"] == "77"
    configuration = single["WCR"]
    assert (configuration["WAFR_SIZ"], configuration["DIE_HT"], configuration["DIE_WID"]) == (200.0, 10.0, 20.0)
    assert (configuration["CENTER_X"], configuration["CENTER_Y"], configuration["WF_FLAT"]) == (3, -1, "D")
    assert (single["WIR"]["WAFER_ID"], single["WRR"]["WAFER_ID"]) == (WAFER, WAFER)
    counts = {"PART_CNT": 6, "RTST_CNT": 1, "ABRT_CNT": 1, "GOOD_CNT": 5, "FUNC_CNT": 5}
    assert {name: single["WRR"][name] for name in counts} == {name: single["PCR"][name] for name in counts} == counts
    assert (single["MRR"]["USR_DESC"], single["MRR"]["EXC_DESC"]) == ("complete", "end of wafer")
    hard = {fields["HBIN_NUM"]: fields for name, fields in found if name == "HBR"}
    assert {number: (each["HBIN_CNT"], each["HBIN_PF"], each["HBIN_NAM"]) for number, each in hard.items()} == {
        1: (5, "P", "good"),
        5: (0, "F", "shorts"),
        9: (1, "F", "no contact"),
    }


def test_stdf_results_are_those_of_each_die_to_the_last_bit_of_a_32_bit_float(
    create: Callable[..., RunStore], tmp_path: Path
) -> None:
    with create() as store:
        for die in DIES:
            probe(store, die)
        with open_run(store.folder) as run:
            path = write_stdf(run, tmp_path / "wafer.stdf", cells=[CellResults("read", ("siemens_ap", "status"))])
    found = read_by_pystdf(path)
    parts = [k for k, (name, _) in enumerate(found) if name == "PIR"]
    for die, start in zip(DIES, parts, strict=True):
        (_, contact), *results, (_, part) = found[start + 1 : start + 10]
        assert (contact["TEST_NUM"], contact["TEST_FLG"], contact["TEST_TXT"]) == (10, 0, "check.contact")
        assert (part["X_COORD"], part["Y_COORD"], part["NUM_TEST"]) == (die.x, die.y, 8)
        assert (part["HARD_BIN"], part["SOFT_BIN"], part["PART_FLG"]) == ((5, 51, 8) if die == DIES[5] else (1, 1, 0))
        assert ("read.shorts" in part["PART_TXT"]) == (die == DIES[5])
        median, shorts, noise = (fields for _, fields in results[:3])
        assert median["RESULT"] == np.float32(figures_of(die)["median_siemens"])
        assert (median["TEST_NUM"], median["UNITS"], median["TEST_FLG"], median["OPT_FLAG"]) == (20, "S", 0, 0x0E)
        assert (median["LO_LIMIT"], median["HI_LIMIT"]) == (np.float32(5e-5), np.float32(2e-4))
        assert (shorts["RESULT"], shorts["TEST_FLG"], shorts["OPT_FLAG"]) == (
            (7.0, 0x80, 0x4E) if die == DIES[5] else (1.0, 0, 0x4E)
        )
        assert (shorts["PARM_FLG"], noise["TEST_FLG"]) == (0xC8 if die == DIES[5] else 0xC0, 0x42)
        for kernel, (_, cells) in enumerate(results[3:5]):
            wanted = maps_of(die)[kernel].siemens_ap.astype("<f4").ravel()
            assert np.array(cells["RTN_RSLT"], "<f4").tobytes() == wanted.tobytes()
            assert (cells["TEST_NUM"], cells["UNITS"]) == (1_000_000 + kernel, "S")
            assert cells["TEST_TXT"] == f"read.siemens_ap[{kernel}]"
        assert results[5][1]["RTN_RSLT"] == maps_of(die)[0].status.ravel().tolist()


def test_stdf_sums_up_each_test_and_says_shares_in_percent(create: Callable[..., RunStore], tmp_path: Path) -> None:
    share = DieTest(50, "yield", "read", "%", 0.9)
    plan = replace(PLAN, tests=(*PLAN.tests[:2], share))
    shares = (0.875, 1.0, 0.9375)
    with create(plan=plan) as store:
        for die, value in zip(DIES, shares, strict=False):
            store.begin_attempt(die)
            store.keep(die, "read", scalars={"yield": value, "median_siemens": float("nan")})
            store.finish(die, 1, 1)
        with open_run(store.folder) as run:
            found = read_by_pystdf(write_stdf(run, tmp_path / "wafer.stdf"))
            table = write_die_table(run, tmp_path / "dies.parquet")
    first, *_ = (fields for name, fields in found if name == "PTR" and fields["TEST_NUM"] == 50)
    assert (first["UNITS"], first["RES_SCAL"], first["LLM_SCAL"], first["TEST_FLG"]) == ("", 2, 2, 0x80)
    sums = {fields["TEST_NUM"]: fields for name, fields in found if name == "TSR"}
    assert (sums[50]["EXEC_CNT"], sums[50]["FAIL_CNT"], sums[50]["OPT_FLAG"]) == (3, 1, 0xCC)
    assert [sums[50][name] for name in ("TEST_MIN", "TEST_MAX", "TST_SUMS")] == [0.875, 1.0, sum(shares)]
    assert sums[50]["TST_SQRS"] == np.float32(sum(value**2 for value in shares))
    assert sums[20]["OPT_FLAG"] == 0xFF, "nothing that was a number"
    metadata = pyarrow.parquet.read_schema(table).field("read_yield").metadata
    assert metadata == {b"low": b"0.9"}, "a share of 1 has no unit"


def test_the_table_of_tests_says_what_the_columns_are(whole_run: Path, tmp_path: Path) -> None:
    with open_run(whole_run) as run:
        path = write_test_table(run, tmp_path / "tests.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["column"] for row in rows] == [f"{test.step}_{test.name}" for test in PLAN.tests]
    assert (rows[1]["number"], rows[1]["units"]) == ("20", "S")
    assert (float(rows[1]["low"]), float(rows[1]["high"])) == (5e-5, 2e-4)
    assert (rows[2]["low"], rows[0]["is_functional"]) == ("", "true")


def test_stdf_with_a_record_per_cell_says_names_and_units_once(whole_run: Path, tmp_path: Path) -> None:
    with open_run(whole_run) as run:
        path = write_stdf(run, tmp_path / "wafer.stdf", cells=[CellResults("read", ("siemens",), "PTR")])
    cells = [fields for name, fields in read_by_pystdf(path) if name == "PTR" and fields["TEST_NUM"] >= 1_000_000]
    size = KERNELS * SHAPE[0] * SHAPE[1]
    assert len(cells) == 5 * size
    assert [fields["TEST_NUM"] for fields in cells] == 5 * [1_000_000 + k for k in range(size)]
    assert (cells[23]["TEST_TXT"], cells[23]["UNITS"]) == ("read.siemens[1,0,3]", "S")
    assert {fields["TEST_TXT"] for fields in cells[size:]} == {None}
    order = [*DIES[1:5], DIES[0]]
    wanted = np.concatenate([[m.siemens for m in maps_of(die, int(die == DIES[0]))] for die in order]).ravel()
    assert np.array([f["RESULT"] for f in cells], "<f4").tobytes() == wanted.astype("<f4").tobytes()
    assert {k % size for k, fields in enumerate(cells) if fields["TEST_FLG"] & 2} == {7, 27}, "the cells never read"


def test_stdf_of_all_attempts_lets_the_last_supersede_the_one_before(whole_run: Path, tmp_path: Path) -> None:
    with open_run(whole_run) as run:
        path = write_stdf(run, tmp_path / "wafer.stdf", all_attempts=True)
    parts = [fields for name, fields in read_by_pystdf(path) if name == "PRR"]
    assert len(parts) == 7
    first, last = (f for f in parts if (f["X_COORD"], f["Y_COORD"]) == DIES[0][1:])
    assert (first["PART_FLG"], last["PART_FLG"]) == (0, 2)
    assert [f["PART_FLG"] for f in parts if f["HARD_BIN"] == 9] == [0x0C]


def test_kernels_of_more_cells_than_a_record_holds_are_split(tmp_path: Path) -> None:
    die = DieId("big", 0, 0)
    siemens = np.linspace(1e-6, 1e-4, 160 * 125).reshape(160, 125)
    whole = np.zeros(siemens.shape, np.int8)
    big = ArrayMap(siemens, siemens, siemens, whole, whole, siemens, maps_of(DIES[0])[0].conditions, die)
    with RunStore.create(tmp_path / "run", RunPlan("", "big", (die,), ("read",)), Provenance()) as store:
        store.begin_attempt(die)
        store.keep(die, "read", big)
        store.finish(die, 1, 1)
        with open_run(store.folder) as run:
            path = write_stdf(run, tmp_path / "wafer.stdf", cells=[CellResults("read", ("siemens",))])
    cells = [fields for name, fields in read_by_pystdf(path) if name == "MPR"]
    assert [len(fields["RTN_RSLT"]) for fields in cells] == [15_000, 5_000]
    assert [fields["TEST_TXT"] for fields in cells] == ["read.siemens[0]", "read.siemens[0]+15000"]
    joined = np.array(cells[0]["RTN_RSLT"] + cells[1]["RTN_RSLT"], "<f4")
    assert joined.tobytes() == siemens.ravel().astype("<f4").tobytes()


def test_every_kind_of_stdf_record_is_read_back_field_by_field(tmp_path: Path) -> None:
    path = tmp_path / "all.stdf"
    values = {
        name: [_example(field, k) for k, field in enumerate(layout.split())] for name, (_, _, layout) in LAYOUTS.items()
    }
    values["FAR"] = [2, 4]
    values["SDR"][2:4] = [2, (7, 8)]
    values["MPR"][5:9] = [3, 2, (1, 2, 3), (0.5, -0.25)]
    values["MPR"][19] = (10, 11, 12)
    values["FTR"][12:18] = [2, 1, (4, 5), (9, 10), (6,), (3,)]
    path.write_bytes(b"".join(record(name, *values[name]) for name in LAYOUTS))
    found = dict(read_by_pystdf(path))
    values["MPR"][7], values["FTR"][15], values["FTR"][17] = (
        (0x21, 0x03),
        (0xA9,),
        (0x03,),
    )  # nibbles, as it leaves them
    for name, given in values.items():
        read = list(found[name].values())
        assert len(read) == len(given), name
        for wanted, back in zip(given, read, strict=True):
            assert back == (list(wanted) if isinstance(wanted, tuple) else wanted), name


def _example(field: str, number: int) -> Any:
    if field == "Cn":
        return f"text {number}"
    if field in ("Bn", "Dn"):
        return ()
    return {"C1": "X", "R4": 0.25 * number, "I1": -3, "I2": -300, "I4": -70_000}.get(field, number % 200)


def test_stdf_refuses_what_it_cannot_say(whole_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not fit a PIR record"):
        record("PIR", 256, 1)
    with pytest.raises(InputError, match="has 2 fields, not 3"):
        record("PIR", 1, 1, 1)
    with pytest.raises(InputError, match="too long for STDF"):
        record("SDR", 1, 1, 1, np.zeros(70_000), *[""] * 16)
    far = DieId(WAFER, 40_000, 0)
    with RunStore.create(tmp_path / "far", RunPlan("", WAFER, (far,), ("read",)), Provenance()) as store:
        store.begin_attempt(far)
        store.keep(far, "read", scalars={"shorts": 1})
        store.finish(far, 1, 1)
        with open_run(store.folder) as run, pytest.raises(InputError, match="coordinate 40000 is too large"):
            write_stdf(run, tmp_path / "far.stdf")
    assert not list(tmp_path.glob("far.stdf*"))


def test_long_texts_are_cut_to_what_a_field_holds() -> None:
    assert record("DTR", "ä" + 300 * "x")[4:] == b"\xff?" + 254 * b"x"


def test_tables_have_a_row_per_die_with_names_units_and_nothing_for_what_was_not_measured(
    whole_run: Path, tmp_path: Path
) -> None:
    with open_run(whole_run) as run:
        path = write_die_table(run, tmp_path / "dies.parquet")
        write_die_table(run, tmp_path / "dies.csv")
        write_die_table(run, tmp_path / "attempts.csv", all_attempts=True)
    table = pyarrow.parquet.read_table(path)
    rows = table.to_pylist()
    assert [(row["x"], row["y"]) for row in rows] == [die[1:] for die in DIES]
    assert {(row["lot"], row["wafer"], row["bench"]) for row in rows} == {("L1", WAFER, "bench 2")}
    assert [row["state"] for row in rows] == 5 * ["done"] + ["failed"]
    assert (rows[0]["attempt"], rows[0]["attempts"], rows[5]["touchdowns"]) == (6, 2, 3)
    assert [row["read_median_siemens"] for row in rows[:5]] == [figures_of(die)["median_siemens"] for die in DIES[:5]]
    assert (rows[5]["read_median_siemens"], rows[0]["read_noise_amps"], rows[5]["attempt"]) == (None, None, 5)
    assert (rows[5]["reason"], rows[5]["is_good"], rows[1]["is_good"]) == ("no contact after 3 touchdowns", False, True)
    said = table.schema.field("read_median_siemens").metadata
    assert (said[b"units"], said[b"low"], said[b"high"]) == (b"S", b"5e-05", b"0.0002")
    assert Provenance.from_json(table.schema.metadata[b"mtjlab_provenance"].decode()) == PROVENANCE
    with (tmp_path / "dies.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [float(row["read_median_siemens"]) for row in read[:5]] == [row["read_median_siemens"] for row in rows[:5]]
    assert read[5]["read_median_siemens"] == ""
    assert len((tmp_path / "attempts.csv").read_text().splitlines()) == 1 + 7


def test_cell_tables_hold_every_cell_exactly(whole_run: Path, tmp_path: Path) -> None:
    with open_run(whole_run) as run:
        table = pyarrow.parquet.read_table(write_cell_table(run, "read", tmp_path / "cells.parquet"))
        lines = write_cell_table(run, "read", tmp_path / "cells.csv").read_text().splitlines()
    assert table.num_rows == len(lines) - 1 == 5 * KERNELS * SHAPE[0] * SHAPE[1]
    for row in table.to_pylist():
        die = DieId(WAFER, row["x"], row["y"])
        wanted = maps_of(die, int(die == DIES[0]))[row["kernel"]]
        value = wanted.siemens_p[row["row"], row["col"]]
        assert row["siemens_p"] == (None if np.isnan(value) else value)
        assert row["status"] == wanted.status[row["row"], row["col"]]


def test_a_table_needs_an_ending_and_something_to_write(create: Callable[..., RunStore], tmp_path: Path) -> None:
    with create() as store, open_run(store.folder) as run:
        with pytest.raises(InputError, match=r"no table is written as '.xlsx'"):
            write_die_table(run, tmp_path / "dies.xlsx")
        with pytest.raises(InputError, match="nothing to write yet"):
            write_cell_table(run, "read", tmp_path / "cells.parquet")
        assert die_table(run).num_rows == len(DIES)
    assert not list(tmp_path.glob("*.p*"))


def test_figures_of_two_steps_never_share_a_column(create: Callable[..., RunStore]) -> None:
    with create(plan=replace(PLAN, steps=("read", "read_again"), tests=())) as store:
        store.begin_attempt(DIES[0])
        store.keep(DIES[0], "read", scalars={"again_z": 1})
        store.keep(DIES[0], "read_again", scalars={"z": 2})
        store.finish(DIES[0], 1, 1)
        with open_run(store.folder) as run, pytest.raises(InputError, match="share the column 'read_again_z'"):
            die_table(run)


def test_all_exports_in_one_call_with_a_summary_and_their_hashes(whole_run: Path) -> None:
    summary = export_run(whole_run, cells_as_csv=True, cells_in_stdf=[CellResults("read")])
    exports = whole_run / "exports"
    assert set(summary.files) == {path.name for path in exports.iterdir()} - {"run.json"}
    assert set(summary.files) == {
        "dies.csv", "attempts.csv", "tests.csv", "dies.parquet", "read_cells.parquet", "read_cells.csv", "read.nc",
        "wafer.stdf", "wafer_all_attempts.stdf",
    }  # fmt: skip
    assert all(file_sha256(exports / name) == wanted for name, wanted in summary.files.items())
    assert RunSummary.load(exports / "run.json") == summary
    assert (summary.dies, summary.hard_bins) == ({"done": 5, "failed": 1}, {1: 5, 9: 1})
    assert (summary.good, summary.yield_fraction, summary.touchdowns) == (5, 5 / 6, 9)
    with pytest.raises(InputError, match="there is no export 'excel'"):
        export_run(whole_run, ("excel",))


def test_bins_are_assigned_anew_beside_those_of_the_run(whole_run: Path, tmp_path: Path) -> None:
    def by_median(row: DieRow, figures: dict[str, float]) -> NewBin:
        if figures["read.median_siemens"] > 1.025e-4:
            return NewBin(6, 61, "read.median_siemens")
        return NewBin(1, 1)

    number = rebin(whole_run, by_median, name="limits C", reason="customer asked")
    with open_run(whole_run) as run:
        assert [row.hard_bin for row in run.dies()] == [1, 6, 6, 1, 6, 9]
        assert [row.first_failing for row in run.dies()][1] == "read.median_siemens"
        assert [row.hard_bin for row in run.dies(0)] == [1, 1, 1, 1, 1, 9]
        assert [(each.number, each.name, each.reason) for each in run.binnings()] == [(1, "limits C", "customer asked")]
        parts = [f for n, f in read_by_pystdf(write_stdf(run, tmp_path / "new.stdf")) if n == "PRR"]
        old = [f for n, f in read_by_pystdf(write_stdf(run, tmp_path / "old.stdf", binning=0)) if n == "PRR"]
        with pytest.raises(InputError, match="there is no binning 7"):
            run.dies(7)
    assert sorted(f["HARD_BIN"] for f in parts) == [1, 1, 6, 6, 6, 9]
    assert sorted(f["HARD_BIN"] for f in old) == [1, 1, 1, 1, 1, 9]
    assert changed_bins(whole_run, 0, number) == {DIES[1]: (1, 6), DIES[2]: (1, 6), DIES[4]: (1, 6)}


def test_a_die_that_is_probed_after_binning_anew_has_the_bin_of_its_new_attempt(whole_run: Path) -> None:
    rebin(whole_run, lambda row, figures: NewBin(8, 8), name="all eight", reason="")
    with RunStore.open(whole_run) as store:
        store.plan_again(DIES[1], "again")
        probe(store, DIES[1])
    with open_run(whole_run) as run:
        assert [row.hard_bin for row in run.dies()] == [8, 1, 8, 8, 8, 9]


@pytest.mark.parametrize("format", ["csv", "g85", "e142", "sinf"])
def test_bin_maps_are_read_back_with_the_bins_of_the_run(whole_run: Path, tmp_path: Path, format: Any) -> None:
    with open_run(whole_run) as run:
        path = write_bin_map(run, tmp_path / f"bins.{format}", format=format)
    found = read_wafer_map(path)
    bins = {(die.x, die.y): die.bin for die in found.dies if die.bin is not None}
    assert bins == {die[1:]: (9 if die == DIES[5] else 1) for die in DIES}
    assert {kind.number: kind.passes for kind in found.bins} == {1: True, 9: False} or format in ("csv", "sinf")


def test_a_bin_map_takes_the_dies_of_the_wafer_and_refuses_another_wafers(whole_run: Path) -> None:
    places = tuple(MapDie(x, y) for x in range(6) for y in range(-2, 2))
    wafer_map = WaferMap(WAFER, places, pitch_metres=(0.02, 0.01), diameter_metres=0.2, notch_degrees=180, axes="UR")
    with open_run(whole_run) as run:
        found = bin_map(run, wafer_map)
        assert len(found.dies) == 24
        assert sum(die.bin is not None for die in found.dies) == 6
        with pytest.raises(InputError, match="the map is of wafer 'other'"):
            bin_map(run, replace(wafer_map, wafer="other"))
        soft = bin_map(run, kind="soft")
        assert sorted(die.bin for die in soft.dies if die.bin is not None) == [1, 1, 1, 1, 1]
    assert geometry_of(wafer_map) == WaferGeometry(0.2, 0.01, 0.02, "D", (0, 0), "R", "U")
