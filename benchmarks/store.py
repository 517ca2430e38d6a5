"""What recording a wafer costs: seconds and bytes per die, beside one scalar row per cell; growth; exports."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from mtjlab.export_stdf import write_stdf
from mtjlab.export_tables import write_cell_table
from mtjlab.provenance import Provenance, here
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan
from mtjlab.stdf_parts import CellResults
from mtjlab.store import open_run

from ._wafer_data import dies_of, maps_of

_TESTS = (DieTest(1, "median_siemens", "read", "S", 1e-5, 1e-3), DieTest(2, "shorts", "read", "", None, 10))


@dataclass(frozen=True)
class _Spent:
    wall: float
    cpu: float


@contextmanager
def _timed(into: list[_Spent]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into.append(_Spent(time.perf_counter() - wall, time.process_time() - cpu))


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Print seconds to disk, growth over dies and wafers, and seconds of the exports."""
    dies, wafers = (6, 24) if quick else (36, 100)
    with tempfile.TemporaryDirectory(prefix="mtjlab-store-") as name:
        base = Path(name)
        provenance = here(bench="benchmark")
        _record(base / "warm", 1, provenance, has_all=True, repeats=0)
        results: dict[str, Any] = {"dies": dies, "cells": 20_000, "sync_ms": _sync_milliseconds(base)}
        rows: list[list[Any]] = [["what", "wall s", "CPU s", "MB", "ms per die"]]
        for key, what, has_all, repeats in (
            ("values", f"{dies} dies x 20,000 values", False, 0),
            ("maps", f"{dies} dies x 6 arrays of 20,000", True, 0),
            ("repeats", f"{dies} dies, 10 repeats of 2 x 20,000", False, 10),
        ):
            spent, per_die, size = _record(base / key, dies, provenance, has_all=has_all, repeats=repeats)
            rows.append([what, f"{spent.wall:.2f}", f"{spent.cpu:.2f}", f"{size:.0f}", f"{_milliseconds(per_die):.1f}"])
            results[key] = {"wall_s": round(spent.wall, 3), "cpu_s": round(spent.cpu, 3), "megabytes": round(size, 1)}
            results[key] |= _growth(per_die, "die")
        _exports(base / "maps", rows, results)
        _scalar_rows(base, 2 if quick else dies, rows, results)
        _wafers(base, wafers, dies if not quick else 4, provenance, rows, results)
    return "Recording wafers", rows, results


def _record(
    folder: Path, count: int, provenance: Provenance, *, has_all: bool, repeats: int
) -> tuple[_Spent, list[_Spent], float]:
    """All of it, each die, and megabytes on the disk; making up the numbers is not counted."""
    dies = dies_of("W1", count)
    rng = np.random.default_rng(count)
    maps = [maps_of(die, rng, has_all=has_all) for die in dies[:6]]
    traces = rng.uniform(5e-5, 2e-4, (repeats, 2, 32, 25, 25))
    per_die: list[_Spent] = []
    whole: list[_Spent] = []
    with _timed(whole):
        store = RunStore.create(folder, RunPlan("L1", "W1", dies, ("read",), _TESTS), provenance)
        for number, die in enumerate(dies):
            own = [_as_of(each, die) for each in maps[number % 6]]
            with _timed(per_die):
                store.begin_attempt(die)
                store.contacted(die, 1)
                arrays = {"repeats": traces} if repeats else {}
                store.keep(die, "read", own, {"median_siemens": 1e-4, "shorts": 3}, arrays)
                store.finish(die, 1, 1)
        store.close()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return whole[0], per_die, size


def _as_of(array_map: Any, die: Any) -> Any:
    from dataclasses import replace

    return replace(array_map, die=die)


def _milliseconds(spent: list[_Spent]) -> float:
    return 1e3 * median(each.wall for each in spent)


def _growth(spent: list[_Spent], unit: str) -> dict[str, float]:
    """Medians of the last ten (or third) over the first ten; the very first also makes the database."""
    few = min(10, len(spent) // 3)
    later = spent[1:]
    return {
        f"last_over_first_{unit}s_{kind}": round(
            median(getattr(each, kind) for each in later[-few:]) / median(getattr(each, kind) for each in later[:few]),
            2,
        )
        for kind in ("wall", "cpu")
    }


def _sync_milliseconds(base: Path) -> float:
    """What this disk takes for one write of 160 kB that is synced: two of them per die are the least there is."""
    taken = []
    with (base / "sync").open("wb") as file:
        for _ in range(30):
            file.write(bytes(160_000))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    return round(1e3 * median(taken), 2)


def _exports(folder: Path, rows: list[list[Any]], results: dict[str, Any]) -> None:
    cells = [CellResults("read", ("siemens",), kind) for kind in ("MPR", "PTR")]
    out = folder / "exports"
    with open_run(folder) as stored:
        for key, what, act in (
            ("stdf_mpr", "STDF, a value per cell (MPR)", lambda: write_stdf(stored, out / "a.stdf", cells=cells[:1])),
            ("stdf_ptr", "STDF, a record per cell (PTR)", lambda: write_stdf(stored, out / "b.stdf", cells=cells[1:])),
            ("parquet", "Parquet, a row per cell", lambda: write_cell_table(stored, "read", out / "c.parquet")),
            ("xarray", "read as an xarray Dataset", lambda: stored.dataset("read")),
            ("die_maps", "read as DieMaps", lambda: stored.die_maps("read")),
        ):
            _export(key, what, act, rows, results)


def _export(key: str, what: str, act: Callable[[], Any], rows: list[list[Any]], results: dict[str, Any]) -> None:
    spent: list[_Spent] = []
    with _timed(spent):
        made = act()
    size = f"{made.stat().st_size / 1e6:.0f}" if isinstance(made, Path) else ""
    rows.append([what, f"{spent[0].wall:.2f}", f"{spent[0].cpu:.2f}", size, ""])
    results[key] = {"wall_s": round(spent[0].wall, 3), "cpu_s": round(spent[0].cpu, 3)}


def _scalar_rows(base: Path, count: int, rows: list[list[Any]], results: dict[str, Any]) -> None:
    """One `add_result` per cell, as scripts do: without QCoDeS' cache over the whole wafer, with it over two dies."""
    for key, what, dies, has_cache in (
        ("scalar_rows", "a scalar row per cell, no cache", count, False),
        ("scalar_rows_default", "a scalar row per cell, default", 2, True),
    ):
        per_die = _scalar_run(base / f"{key}.db", dies, has_cache)
        wall, cpu = sum(each.wall for each in per_die), sum(each.cpu for each in per_die)
        size = (base / f"{key}.db").stat().st_size / 1e6
        each = f"{1e3 * wall / dies:.0f}"
        rows.append([f"{what}, {dies} dies", f"{wall:.2f}", f"{cpu:.2f}", f"{size:.0f}", each])
        results[key] = {"dies": dies, "wall_s": round(wall, 2), "last_die_s": round(per_die[-1].wall, 2)}


def _scalar_run(path: Path, count: int, has_cache: bool) -> list[_Spent]:
    from qcodes.dataset import Measurement, load_or_create_experiment
    from qcodes.dataset.sqlite.database import connect

    connection = connect(path)
    measurement = Measurement(exp=load_or_create_experiment("L1", "W1", conn=connection))
    measurement.register_custom_parameter("die")
    measurement.register_custom_parameter("cell")
    measurement.register_custom_parameter("siemens", setpoints=("die", "cell"))
    values = np.random.default_rng(1).uniform(5e-5, 2e-4, 20_000).tolist()
    spent: list[_Spent] = []
    with measurement.run(in_memory_cache=has_cache) as saver:
        for die in range(count):
            with _timed(spent):
                for cell, value in enumerate(values):
                    saver.add_result(("die", die), ("cell", cell), ("siemens", value))
                saver.flush_data_to_database()
    connection.close()
    return spent


def _wafers(
    base: Path, wafers: int, dies: int, provenance: Provenance, rows: list[list[Any]], results: dict[str, Any]
) -> None:
    """Many wafers in one process: whether the last ones cost what the first did, in time and memory."""
    process, spent, megabytes = psutil.Process(), [], []
    for number in range(wafers):
        whole, _, _ = _record(base / f"wafer{number}", dies, provenance, has_all=False, repeats=0)
        shutil.rmtree(base / f"wafer{number}")
        spent.append(_Spent(whole.wall / dies, whole.cpu / dies))
        gc.collect()
        megabytes.append(process.memory_info().rss / 1e6)
    growth = _growth(spent, "wafer")
    added = median(megabytes[-10:]) - median(megabytes[:10])
    what = f"{wafers} wafers of {dies} dies, one process"
    wall, cpu = sum(each.wall for each in spent) * dies, sum(each.cpu for each in spent) * dies
    rows.append([what, f"{wall:.1f}", f"{cpu:.1f}", f"RSS {added:+.1f}", f"{_milliseconds(spent):.1f}"])
    results["wafers"] = {"wafers": wafers, "dies": dies, "rss_added_megabytes": round(added, 1)} | growth
