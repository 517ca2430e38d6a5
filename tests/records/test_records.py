"""Recording a wafer and reading it back: through mtjlab, QCoDeS, xarray and Zarr."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from qcodes.dataset import load_by_id
from qcodes.dataset.sqlite.database import connect

from mtjlab.errors import InputError, RecordError
from mtjlab.provenance import InstrumentRecord, Provenance, here
from mtjlab.records import RunStore
from mtjlab.run_dataset import write_netcdf
from mtjlab.store import open_run

from .conftest import DIES, KERNELS, PLAN, PROVENANCE, SHAPE, figures_of, maps_of, probe, same_maps


def test_maps_come_back_bit_for_bit_with_all_that_belongs_to_them(whole_run: Path) -> None:
    with open_run(whole_run) as run:
        for die in DIES[1:5]:
            assert same_maps(run.maps(die, "read"), maps_of(die))
        assert same_maps(run.maps(DIES[0], "read"), maps_of(DIES[0], seed=1))
        assert same_maps(run.maps(DIES[0], "read", attempt=0), maps_of(DIES[0]))
        collected = run.die_maps("read")
        assert collected.dies == DIES[:5]
        assert np.array_equal(collected.siemens[3, 1], maps_of(DIES[3])[1].siemens, equal_nan=True)
        assert (run.array(DIES[2], "read", "trace") == np.arange(6.0).reshape(2, 3) + DIES[2].x).all()
        assert (run.state, run.reason, run.problems()) == ("complete", "end of wafer", [])
        assert run.figures()[1]["read.median_siemens"] == figures_of(DIES[1])["median_siemens"]
        assert np.isnan(run.figures()[1]["read.noise_amps"])


def test_a_run_in_progress_shows_what_has_been_saved_so_far(create: Callable[..., RunStore]) -> None:
    with create() as store, open_run(store.folder) as run:
        assert run.dies_with("read") == []
        with pytest.raises(InputError, match="no die has data of step 'read' yet"):
            run.dataset("read")
        probe(store, DIES[0])
        assert same_maps(run.maps(DIES[0], "read"), maps_of(DIES[0]))
        store.begin_attempt(DIES[1])
        store.keep(DIES[1], "read", maps_of(DIES[1]))
        assert run.dies_with("read") == [DIES[0]]
        assert same_maps(run.maps(DIES[1], "read", attempt=1), maps_of(DIES[1]))
        with pytest.raises(InputError, match="no data that count"):
            run.maps(DIES[1], "read")
        store.finish(DIES[1], 1, 1)
        assert run.dataset("read").sizes["die"] == 2
        assert run.state == "open"
        assert run.ended_wall is None


def test_the_xarray_dataset_has_axes_units_bins_and_figures(whole_run: Path) -> None:
    with open_run(whole_run) as run:
        found = run.dataset("read", with_arrays=True)
    assert dict(found.sizes) == {"die": 5, "kernel": KERNELS, "row": 4, "col": 5, "trace_0": 2, "trace_1": 3}
    assert found["x"].values.tolist() == [die.x for die in DIES[:5]]
    assert found["hard_bin"].values.tolist() == [1, 1, 1, 1, 1]
    assert found["attempt"].values.tolist() == [6, 1, 2, 3, 4]
    assert found["siemens"].attrs["units"] == found["median_siemens"].attrs["units"] == "S"
    assert "stuck_ap" in found["status"].attrs["flag_meanings"]
    assert np.array_equal(found["siemens_p"][2, 0], maps_of(DIES[2])[0].siemens_p, equal_nan=True)
    assert found["median_siemens"].values.tolist() == [figures_of(die)["median_siemens"] for die in DIES[:5]]
    assert (found["trace"][1] == np.arange(6.0).reshape(2, 3) + DIES[1].x).all()
    assert (found.attrs["lot"], found.attrs["wafer"]) == ("L1", "W07")


def test_netcdf_is_read_back_by_xarray(whole_run: Path, tmp_path: Path) -> None:
    with open_run(whole_run) as run:
        path = write_netcdf(run, "read", tmp_path / "read.nc", with_arrays=True)
        with xarray.open_dataset(path, engine="h5netcdf") as stored:
            xarray.testing.assert_equal(stored.load(), run.dataset("read", with_arrays=True))
            assert Provenance.from_json(stored.attrs["provenance"]) == PROVENANCE


def test_qcodes_reads_the_database_as_any_other(whole_run: Path) -> None:
    connection = connect(whole_run / "data.db")
    try:
        run = load_by_id(2, connection)
        assert (run.name, run.exp_name, run.sample_name, run.completed) == ("read", "L1", "W07", True)
        data = run.get_parameter_data()
        assert data["siemens"]["siemens"].shape == (6, KERNELS, *SHAPE)
        assert np.array_equal(data["siemens"]["siemens"][2], [m.siemens for m in maps_of(DIES[2])], equal_nan=True)
        assert data["siemens"]["col"][0, 0, 0].tolist() == [0, 1, 2, 3, 4]
        median = figures_of(DIES[1])["median_siemens"]
        assert data["median_siemens"]["median_siemens"][1] == pytest.approx(median, rel=1e-14)  # it reads 15 digits
        assert data["die_x"]["die_x"].tolist() == [die.x for die in (*DIES[:5], DIES[0])]
        assert dict(run.to_xarray_dataset().sizes) == {"attempt": 6, "kernel": KERNELS, "row": 4, "col": 5}
        assert run.paramspecs["siemens"].unit == run.paramspecs["median_siemens"].unit == "S"
        assert run.snapshot == {"station": {"instruments": {"smu": {"volts": 0.5}}}}
        assert Provenance.from_json(run.metadata["mtjlab_provenance"]) == PROVENANCE
        assert (run.metadata["mtjlab_state"], run.metadata["mtjlab_reason"]) == ("complete", "end of wafer")
        assert load_by_id(1, connection).name == "check"
    finally:
        connection.close()


def test_zarr_reads_the_large_arrays_and_the_row_names_them_with_their_hash(whole_run: Path) -> None:
    array = zarr.open_array(whole_run / "arrays.zarr" / "read" / "trace", mode="r")
    assert array.shape == (7, 2, 3)
    assert (np.asarray(array[1]) == np.arange(6.0).reshape(2, 3) + DIES[1].x).all()
    assert np.isnan(np.asarray(array[5])).all(), "attempt 5 failed and kept none"
    with open_run(whole_run) as run:
        (reference,) = run.references(1, "read")
    assert (reference.path, reference.index, reference.shape) == ("read/trace", 1, (2, 3))
    database = sqlite3.connect(whole_run / "data.db")
    (record,) = database.execute('SELECT record FROM "results-1-2" WHERE attempt = 1').fetchone()
    database.close()
    assert reference.sha256 in record


def test_arrays_that_were_not_measured_take_no_room_and_come_back_as_nan(create: Callable[..., RunStore]) -> None:
    with create() as store:
        store.begin_attempt(DIES[0])
        store.keep(DIES[0], "read", maps_of(DIES[0], has_states=False))
        store.finish(DIES[0], 1, 1)
        with open_run(store.folder) as run:
            assert same_maps(run.maps(DIES[0], "read"), maps_of(DIES[0], has_states=False))
        database = sqlite3.connect(store.folder / "data.db")
        assert database.execute('SELECT siemens_p FROM "results-1-1"').fetchone() == (None,)
        database.close()


def test_keeping_the_same_again_keeps_it_once(create: Callable[..., RunStore]) -> None:
    with create() as store:
        store.begin_attempt(DIES[0])
        for _ in range(3):
            store.keep(DIES[0], "read", maps_of(DIES[0]), {"shorts": 1})
        store.finish(DIES[0], 1, 1)
        database = sqlite3.connect(store.folder / "data.db")
        assert database.execute('SELECT count(*) FROM "results-1-1"').fetchone() == (1,)
        database.close()


@pytest.mark.parametrize(
    "other",
    [
        {"maps": maps_of(DIES[0], seed=9)},
        {"scalars": {"shorts": 2}},
        {"arrays": {"trace": np.ones(3)}},
        {"arrays": {}},
    ],
)
def test_other_data_do_not_take_the_place_of_what_is_kept(
    create: Callable[..., RunStore], other: dict[str, object]
) -> None:
    first = {"maps": maps_of(DIES[0]), "scalars": {"shorts": 1}, "arrays": {"trace": np.zeros(3)}}
    with create() as store:
        store.begin_attempt(DIES[0])
        store.keep(DIES[0], "read", **first)
        with pytest.raises(InputError, match="other data of this step"):
            store.keep(DIES[0], "read", **(first | other))
        store.keep(DIES[0], "read", **first)
        store.finish(DIES[0], 1, 1)
        with open_run(store.folder) as run:
            assert run.problems() == []
            assert run.array(DIES[0], "read", "trace").tolist() == [0, 0, 0]


def test_a_figure_that_only_a_later_die_has_is_not_lost(create: Callable[..., RunStore]) -> None:
    with create() as store:
        probe(store, DIES[0])
        store.begin_attempt(DIES[1])
        store.keep(DIES[1], "read", maps_of(DIES[1]), {"surprise_volts": 0.25})
        store.finish(DIES[1], 1, 1)
        with open_run(store.folder) as run:
            assert run.figures()[1] == {"read.surprise_volts": 0.25}
            assert run.dataset("read")["surprise_volts"].values[1] == 0.25


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"scalars": {"siemens": 1.0}}, "a figure cannot be called 'siemens'"),
        ({"scalars": {"x": 1.0}}, "column of its own"),
        ({"arrays": {"status": np.zeros(2)}}, "an array cannot be called 'status'"),
        ({"scalars": {"a": 1.0}, "arrays": {"a": np.zeros(2)}}, "a figure and an array are both called 'a'"),
        ({"scalars": {"two words": 1.0}}, "not a plain name"),
        ({"scalars": {"text": "yes"}}, "not a number"),
        ({"arrays": {"trace": np.array(["a"])}}, "is of type"),
        ({"arrays": {"../up": np.zeros(2)}}, "not a plain name"),
        ({"maps": maps_of(DIES[1])}, "a map is of die"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(
    create: Callable[..., RunStore], kept: dict[str, object], message: str
) -> None:
    with create() as store:
        store.begin_attempt(DIES[0])
        with pytest.raises(InputError, match=message):
            store.keep(DIES[0], "read", **kept)  # type: ignore[arg-type]
        assert not (store.folder / "data.db").exists()
        store.keep(DIES[0], "read", maps_of(DIES[0]))
        store.finish(DIES[0], 1, 1)


def test_arrays_of_one_name_have_one_shape(create: Callable[..., RunStore]) -> None:
    with create() as store:
        store.begin_attempt(DIES[0])
        store.keep(DIES[0], "check", arrays={"trace": np.zeros((2, 3))})
        store.keep(DIES[0], "read", arrays={"trace": np.zeros(3)})
        store.finish(DIES[0], 1, 1)
        store.begin_attempt(DIES[1])
        with pytest.raises(InputError, match=r"of earlier dies is \(2, 3\)"):
            store.keep(DIES[1], "check", arrays={"trace": np.zeros((3, 3))})


def test_damage_is_found_and_named(whole_run: Path) -> None:
    chunk = next(path for path in (whole_run / "arrays.zarr/read/trace/c/2").rglob("*") if path.is_file())
    other = next(path for path in (whole_run / "arrays.zarr/read/trace/c/3").rglob("*") if path.is_file())
    chunk.write_bytes(other.read_bytes())
    database = sqlite3.connect(whole_run / "data.db")
    database.execute('UPDATE "results-1-2" SET sigma = (SELECT sigma FROM "results-1-2" WHERE id = 1) WHERE id = 2')
    database.commit()
    database.close()
    with open_run(whole_run) as run:
        first, second = run.problems()
        assert "sigma of attempt 1, step read is not what was written" in first
        assert "row 2 is not what was written" in second
        with pytest.raises(RecordError, match="sigma of attempt 1"):
            run.maps(DIES[1], "read")


def test_a_run_that_was_ended_can_be_gone_on_with(whole_run: Path) -> None:
    with RunStore.open(whole_run) as store:
        assert store.resume().dies == ()
        store.plan_again(DIES[5], "card cleaned")
        assert store.resume().dies == (DIES[5],)
        probe(store, DIES[5])
        store.close()
    with open_run(whole_run) as run:
        assert run.dies_with("read") == list(DIES)
        assert same_maps(run.maps(DIES[5], "read"), maps_of(DIES[5]))
        assert same_maps(run.maps(DIES[1], "read"), maps_of(DIES[1]))
        assert run.problems() == []


def test_a_run_is_recorded_by_one_program(create: Callable[..., RunStore]) -> None:
    with create() as store, pytest.raises(InputError, match="another program is recording"):
        RunStore.open(store.folder)
    RunStore.open(store.folder).leave()


def test_folders_that_will_not_do_are_refused(create: Callable[..., RunStore], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        create("full")
    with pytest.raises(InputError, match="path contains #"):
        create("lot#3")
    with pytest.raises(InputError, match="network share"):
        RunStore.create(Path("//server/share/run"), PLAN, PROVENANCE)
    with pytest.raises(InputError, match="there is no run here"):
        RunStore.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is no run here"):
        open_run(tmp_path / "nowhere")


def test_a_finished_run_is_whole_without_side_files_and_readable_in_a_folder_that_may_not_be_written(
    whole_run: Path,
) -> None:
    names = {path.name for path in whole_run.iterdir()}
    assert names == {"ledger.sqlite", "data.db", "arrays.zarr", "writer.lock"}
    whole_run.chmod(0o555)
    try:
        with open_run(whole_run) as run:
            assert same_maps(run.maps(DIES[1], "read"), maps_of(DIES[1]))
    finally:
        whole_run.chmod(0o755)


def test_a_run_that_was_never_closed_is_not_read_in_part_where_its_log_cannot_be_used(
    create: Callable[..., RunStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a medium that may not be written, where SQLite would show the database without its latest data."""
    with create() as store:
        probe(store, DIES[0])
        shutil.copytree(store.folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "ledger.sqlite-wal").stat().st_size
    connect_for_real = sqlite3.connect

    def as_on_read_only_media(name: str, **more: object) -> sqlite3.Connection:
        if "mode=ro" in name and "immutable" not in name:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorname = "SQLITE_CANTOPEN"
            raise error
        return connect_for_real(name, **more)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr("mtjlab.sqlite_files.sqlite3.connect", as_on_read_only_media)
    with pytest.raises(RecordError, match="never closed, and its folder may not be written"):
        open_run(tmp_path / "copy")
    with open_run(store.folder) as run:
        assert run.dies()[0].attempt == 0


def test_references_never_lead_out_of_the_store(whole_run: Path) -> None:
    database = sqlite3.connect(whole_run / "ledger.sqlite")
    database.execute("UPDATE steps SET record = replace(record, 'read/trace', '../other') WHERE attempt = 1")
    database.commit()
    database.close()
    with open_run(whole_run) as run, pytest.raises(InputError, match="not a plain name"):
        run.array(DIES[1], "read", "trace")


def test_provenance_comes_back_says_what_is_unknown_and_whose_calibration_ran_out(whole_run: Path) -> None:
    with open_run(whole_run) as run:
        found = run.provenance
    assert found == PROVENANCE
    assert len(found.recipe_sha256) == 64
    assert "probe_card" in found.unknown()
    assert "operator" not in found.unknown()
    assert [each.name for each in found.overdue(date(2026, 3, 2))] == ["prober"]
    assert found.overdue(date(2026, 3, 1)) == []
    assert InstrumentRecord("smu").is_overdue(date(2026, 1, 1)) is None


def test_provenance_of_here_names_machine_and_software_and_keeps_what_is_unknown_to_it() -> None:
    found = here(probe_card="PC-12")
    assert found.probe_card == "PC-12"
    assert found.software is not None
    assert len(found.software.packages_sha256) == 64
    again = Provenance.from_json(found.to_json())
    assert again == found
    later = Provenance.from_json('{"operator": "Ada", "humidity_percent": 40}')
    assert (later.operator, later.more) == ("Ada", {"humidity_percent": 40})
    with pytest.raises(InputError, match="JSON cannot say"):
        Provenance(more={"what": object()}).to_json()
