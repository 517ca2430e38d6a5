"""What a step gives beside its figures and its own map: further maps, files, details; kept, read back, exported."""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import xarray

from mtjlab.engine.perceptron import Perceptron
from mtjlab.errors import InputError, RecordError
from mtjlab.exports import export_run
from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import LayerPlan, WeightPlan
from mtjlab.records import RunStore
from mtjlab.store import open_run

from .conftest import DIES, KERNELS, SHAPE, maps_of, same_maps

GIVEN: dict[str, Any] = {
    "map_name": "both_states",
    "more_maps": {"as_found": maps_of(DIES[0], seed=7)},
    "files": {"network.npz": b"weights"},
    "details": {"reason": "done", "unwritten": [(1, 2)], "points": np.array([1.0, np.nan]), "cells": None},
}


def keep(store: RunStore, **other: Any) -> None:
    store.keep(DIES[0], "read", maps_of(DIES[0]), {"shorts": 1}, **(GIVEN | other))


@pytest.fixture
def folder(create: Callable[..., RunStore]) -> Path:
    """Of a run with one die that has all of it."""
    with create() as store:
        store.begin_attempt(DIES[0])
        keep(store)
        keep(store)  # the same again
        store.finish(DIES[0], 1, 1)
        return store.folder


def test_every_map_of_a_step_comes_back_by_its_name(folder: Path) -> None:
    with open_run(folder) as run:
        assert same_maps(run.maps(DIES[0], "read"), maps_of(DIES[0]))
        assert same_maps(run.maps(DIES[0], "read", name="both_states"), maps_of(DIES[0]))
        assert same_maps(run.maps(DIES[0], "read", name="as_found"), maps_of(DIES[0], seed=7))
        assert run.further_maps("read") == ["as_found"] and run.further_maps("check") == []
        assert run.die_maps("read", name="as_found").siemens.shape == (1, KERNELS, *SHAPE)
        assert run.names_kept(0, "read") == ["as_found", "network.npz"]
        assert run.problems() == []
        with pytest.raises(InputError, match="no map 'written'"):
            run.maps(DIES[0], "read", name="written")
    database = sqlite3.connect(folder / "data.db")
    assert database.execute("SELECT name, count(*) FROM runs GROUP BY name").fetchall() == [
        ("read", 1),
        ("read.as_found", 1),
    ]
    assert database.execute('SELECT count(*) FROM "results-1-1"').fetchone() == (1,)
    database.close()


def test_files_and_details_come_back(folder: Path) -> None:
    with open_run(folder) as run:
        assert run.file(DIES[0], "read", "network.npz") == b"weights"
        assert run.details(0, "read") == {
            "reason": "done",
            "unwritten": [[1, 2]],
            "points": [1.0, "nan"],
            "cells": None,
        }
        with pytest.raises(InputError, match="no file 'other"):
            run.file(DIES[0], "read", "other.npz")


def test_damage_of_a_file_or_a_further_map_is_found(folder: Path) -> None:
    (folder / "files" / "0" / "read" / "network.npz").write_bytes(b"wEights")
    database = sqlite3.connect(folder / "data.db")
    table = database.execute("SELECT result_table_name FROM runs WHERE name = 'read.as_found'").fetchone()[0]
    database.execute(f'UPDATE "{table}" SET siemens = siemens_p')
    database.commit()
    database.close()
    with open_run(folder) as run:
        assert [("as_found" in problem, "network.npz" in problem) for problem in run.problems()] == [(True, False)]
        with pytest.raises(RecordError, match="not what was written"):
            run.file(DIES[0], "read", "network.npz")


@pytest.mark.parametrize(
    "other",
    [
        {"files": {"network.npz": b"others"}},
        {"files": {}},
        {"more_maps": {"as_found": maps_of(DIES[0], seed=8)}},
        {"more_maps": {}},
        {"details": {"reason": "stopped"}},
    ],
)
def test_other_results_do_not_take_the_place_of_what_is_kept(
    create: Callable[..., RunStore], other: dict[str, Any]
) -> None:
    with create() as store:
        store.begin_attempt(DIES[0])
        keep(store)
        with pytest.raises(InputError, match="other data of this step"):
            keep(store, **other)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"files": {"../network.npz": b""}}, "cannot be called"),
        ({"files": {"a.tar.gz": b""}}, "cannot be called"),
        ({"more_maps": {"as found": []}}, "not a plain name"),
        ({"more_maps": {"both_states": []}}, "two maps of a step"),
        ({"details": {"who": object()}}, "details of a step hold object"),
    ],
)
def test_names_and_values_that_cannot_be_kept_are_refused(
    create: Callable[..., RunStore], other: dict[str, Any], message: str
) -> None:
    with create() as store:
        store.begin_attempt(DIES[0])
        with pytest.raises(InputError, match=message):
            keep(store, **other)
        assert not (store.folder / "files").exists()


def test_what_fails_half_way_is_kept_once_when_it_is_tried_again(
    create: Callable[..., RunStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with create() as store:
        store.begin_attempt(DIES[0])
        with monkeypatch.context() as patch, pytest.raises(RecordError, match="the disk is full"):
            patch.setattr("mtjlab.whole_files.os.fsync", full)
            keep(store)
        kept = store._ledger.set_kept

        def locked(*given: Any) -> None:
            raise RecordError("another program holds it locked")

        monkeypatch.setattr(store._ledger, "set_kept", locked)
        with pytest.raises(RecordError, match="locked"):
            keep(store)
        monkeypatch.setattr(store._ledger, "set_kept", kept)
        keep(store)
        store.finish(DIES[0], 1, 1)
    with open_run(store.folder) as run:
        assert run.problems() == []
    database = sqlite3.connect(store.folder / "data.db")
    tables = [name for (name,) in database.execute("SELECT result_table_name FROM runs")]
    assert [database.execute(f'SELECT count(*) FROM "{name}"').fetchone() for name in tables] == [(1,), (1,)]
    database.close()


def test_exports_have_every_map_and_the_details(folder: Path) -> None:
    files = export_run(folder, ("csv", "parquet", "netcdf")).files
    assert {"read_cells.parquet", "read_as_found_cells.parquet", "read.nc", "read_as_found.nc"} <= set(files)
    exports = folder / "exports"
    for name, called in (("read", "both_states"), ("read_as_found", "as_found")):
        table = pyarrow.parquet.read_table(exports / f"{name}_cells.parquet")
        assert set(table["map"].to_pylist()) == {called} and set(table["step"].to_pylist()) == {"read"}
    found = np.stack([one.siemens for one in maps_of(DIES[0], seed=7)])
    assert np.array_equal(table["siemens"].to_numpy(), found.ravel(), equal_nan=True)
    with xarray.open_dataset(exports / "read_as_found.nc", engine="h5netcdf") as dataset:
        assert np.array_equal(dataset["siemens"][0], found, equal_nan=True)
        assert "shorts" not in dataset and dataset.attrs["map"] == "as_found"
    (line,) = (exports / "details.jsonl").read_text(encoding="utf-8").splitlines()
    said = json.loads(line)
    assert (said["x"], said["y"], said["step"], said["files"]) == (DIES[0].x, DIES[0].y, "read", ["network.npz"])
    assert said["details"]["reason"] == "done"
    with zipfile.ZipFile(exports / "files.zip") as archive:
        assert archive.namelist() == [f"{DIES[0].x}_{DIES[0].y}/read/network.npz"]
        assert archive.read(archive.namelist()[0]) == b"weights"
    again = export_run(folder, ("csv",)).files
    assert again["files.zip"] == files["files.zip"], "the same files make the same archive"


def test_a_network_is_read_back_from_its_bytes() -> None:
    bits, biases = np.ones((1, 13, 6), dtype=np.int8), np.zeros((1, 3))
    solution = Perceptron(bits, biases, np.ones((1, 3, 6), dtype=np.int8), np.zeros((1, 3)))
    layer = LayerPlan("hidden", np.arange(3), np.arange(2), np.ones((3, 2), dtype=np.int8), np.zeros(2))
    network = PlacedNetwork(solution, WeightPlan((layer,)), "wine", 3)
    content = network.to_bytes()
    assert content == network.to_bytes(), "the same network has the same hash"
    found = PlacedNetwork.load(io.BytesIO(content))
    assert (found.data, found.seed) == ("wine", 3)
    assert np.array_equal(found.solution.bits_1, bits) and found.plan.layers[0].name == "hidden"
    with pytest.raises(InputError, match="not a network"):
        PlacedNetwork.load(io.BytesIO(content[:40]))
