"""Sweeps: computed once, resumed after a stop, free when run again, also on a cluster that loses a worker."""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.sweeps import SweepError, code_version, content_key, read_record, run_sweep, shard, write_record

CALLS: list[Any] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


def squares(config: dict[str, Any]) -> dict[str, Any]:
    CALLS.append(config["n"])
    if config.get("fails"):
        raise ZeroDivisionError("no square today")
    n = config["n"]
    return {"square": n * n, "table": np.arange(n) ** 2, "nested": [{"half": np.float64(n / 2)}, None, "text", (1, 2)]}


CONFIGS = [{"n": n} for n in range(5)]


def test_records_come_in_the_order_of_the_configurations_and_are_kept(tmp_path: Path) -> None:
    first = run_sweep(squares, CONFIGS, tmp_path)
    assert [record["square"] for record in first] == [0, 1, 4, 9, 16] and CALLS == [0, 1, 2, 3, 4]
    assert first[3]["table"].tolist() == [0, 1, 4] and first[3]["nested"] == [{"half": 1.5}, None, "text", [1, 2]]
    again = run_sweep(squares, CONFIGS[::-1], tmp_path)
    assert len(CALLS) == 5  # nothing was computed again
    for one, other in zip(first, again[::-1], strict=True):
        assert one["nested"] == other["nested"] and one["table"].dtype == other["table"].dtype
        np.testing.assert_array_equal(one["table"], other["table"])


def test_equal_configurations_are_computed_once(tmp_path: Path) -> None:
    records = run_sweep(squares, [{"n": 2}, {"n": 3}, {"n": 2}], tmp_path)
    assert [record["square"] for record in records] == [4, 9, 4] and CALLS == [2, 3]


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    def stop(done: int, total: int, seconds: float | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(squares, CONFIGS, tmp_path, progress=stop)
    before, CALLS[:] = list(CALLS), []
    assert [record["square"] for record in run_sweep(squares, CONFIGS, tmp_path)] == [0, 1, 4, 9, 16]
    assert before == [0, 1, 2] and CALLS == [3, 4]


def test_progress_tells_what_is_done_and_how_long_the_rest_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sweep(squares, CONFIGS[:1], tmp_path)
    clock = iter([100.0, 102.0, 104.0, 106.0, 108.0])
    monkeypatch.setattr("mtjlab.sweeps._attempt", attempt_without_clock)
    monkeypatch.setattr("mtjlab.sweeps.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    seen: list[tuple[int, int, float | None]] = []
    run_sweep(squares, CONFIGS, tmp_path, progress=lambda *how: seen.append(how))
    assert seen == [(1, 5, None), (2, 5, 6.0), (3, 5, 4.0), (4, 5, 2.0), (5, 5, 0.0)]
    run_sweep(squares, CONFIGS, tmp_path, progress=lambda *how: seen.append(how))
    assert seen[5:] == [(5, 5, 0.0)]


def attempt_without_clock(task: Any, key: str, config: Any) -> tuple[str, Any, str, float]:
    return key, dict(task(config)), "", 0.0


def test_tasks_that_fail_do_not_cost_the_others(tmp_path: Path) -> None:
    configs = [{"n": 1}, {"n": 2, "fails": True}, {"n": 3}]
    with pytest.raises(SweepError, match=r"1 of 3 tasks failed(.|\n)*'n': 2(.|\n)*no square today") as caught:
        run_sweep(squares, configs, tmp_path)
    assert caught.value.where == str(tmp_path) and CALLS == [1, 2, 3]
    with pytest.raises(SweepError):
        run_sweep(squares, configs, tmp_path)
    assert CALLS == [1, 2, 3, 2]


# Keys


@dataclass(frozen=True)
class Settings:
    epochs: int
    weights: Any


def other_task(config: Any) -> dict[str, Any]:
    return {}


def test_the_key_changes_with_whatever_the_result_depends_on(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("1,2")
    settings = Settings(3, np.eye(2))
    given: dict[str, Any] = {"data": {"wine": np.ones(3), "file": file}, "version": "1"}
    key = content_key(squares, settings, **given)
    assert key == content_key(squares, Settings(3, np.eye(2)), **given)  # the content counts, not the object
    assert content_key(squares, {"a": 1, "b": 2.0}) == content_key(squares, {"b": 2.0, "a": 1})
    others = [
        content_key(other_task, settings, **given),
        content_key(squares, Settings(4, np.eye(2)), **given),
        content_key(squares, Settings(3, np.eye(2, dtype=np.float32)), **given),
        content_key(squares, Settings(3, np.eye(2).ravel()), **given),
        content_key(squares, settings, **{**given, "version": "2"}),
        content_key(squares, settings, data={"wine": np.zeros(3), "file": file}, version="1"),
        content_key(squares, settings),
    ]
    file.write_text("1,3")
    others.append(content_key(squares, settings, **given))
    assert len({key, *others}) == 9


def test_the_version_is_the_source_of_the_module_that_the_task_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = []
    for factor in (2, 3):
        name = f"tasks_{factor}"
        (tmp_path / f"{name}.py").write_text(f"def task(config):\n    return {{'x': {factor} * config}}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        versions.append(code_version(__import__(name).task))
    assert versions[0] != versions[1]
    homeless = ModuleType("homeless")
    exec("def task(config): return {}", homeless.__dict__)
    monkeypatch.setitem(sys.modules, "homeless", homeless)
    with pytest.raises(InputError, match="Name a `version`"):
        content_key(homeless.task, 1)
    assert content_key(homeless.task, 1, version="1") != content_key(homeless.task, 2, version="1")


def test_what_has_no_content_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.layers\[1\] is a object"):
        run_sweep(squares, [{"layers": [1, object()]}], tmp_path)
    with pytest.raises(InputError, match="array of objects"):
        run_sweep(squares, [np.array([object()])], tmp_path)
    with pytest.raises(InputError, match="function of a module"):
        run_sweep(lambda config: {}, CONFIGS, tmp_path)
    with pytest.raises(InputError, match="data wine cannot be read"):
        run_sweep(squares, CONFIGS, tmp_path, data={"wine": tmp_path / "nothing.csv"})
    assert CALLS == []


# Files


def test_a_record_that_is_not_whole_is_computed_again(tmp_path: Path) -> None:
    run_sweep(squares, [{"n": 4}], tmp_path)
    key = content_key(squares, {"n": 4})
    (tmp_path / f"{key}.npz").write_bytes(b"PK cut short")
    assert read_record(tmp_path, key) is None
    (tmp_path / f"{key}.npz").unlink()
    assert read_record(tmp_path, key) is None
    (record,) = run_sweep(squares, [{"n": 4}], tmp_path)
    assert record["table"].tolist() == [0, 1, 4, 9] and CALLS == [4, 4]
    (tmp_path / f"{key}.json").write_text("{")
    run_sweep(squares, [{"n": 4}], tmp_path)
    assert CALLS == [4, 4, 4] and not list(tmp_path.glob("*.part"))


def test_records_are_json_with_arrays_beside_it_and_nothing_is_pickled(tmp_path: Path) -> None:
    run_sweep(squares, [{"n": 3, "weights": np.ones(2)}], tmp_path)
    names = sorted(path.suffix for path in tmp_path.iterdir())
    assert names == [".json", ".npz"]
    (path,) = tmp_path.glob("*.json")
    content = json.loads(path.read_text())
    assert content["task"].endswith("squares") and content["config"]["n"] == 3 and content["record"]["square"] == 9
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        assert arrays[content["record"]["table"]["npz"]].tolist() == [0, 1, 4]


def bad_record(config: Any) -> dict[str, Any]:
    return {"found": np.array([object()]) if config else object()}


@pytest.mark.parametrize(("config", "words"), [(1, "have to be pickled"), (0, "holds a object")])
def test_records_of_objects_are_refused(tmp_path: Path, config: int, words: str) -> None:
    with pytest.raises(SweepError, match=words):
        run_sweep(bad_record, [config], tmp_path)
    with pytest.raises(InputError, match="may hold plain values"):
        write_record(tmp_path, "key", {"found": {1, 2}}, {})


def test_parts_of_a_sweep_make_the_whole(tmp_path: Path) -> None:
    parts = [shard(CONFIGS, number, 3) for number in range(3)]
    assert sorted(config["n"] for part in parts for config in part) == [0, 1, 2, 3, 4]
    for part in parts:
        run_sweep(squares, part, tmp_path)
    assert [record["square"] for record in run_sweep(squares, CONFIGS, tmp_path)] == [0, 1, 4, 9, 16]
    assert len(CALLS) == 5
    with pytest.raises(InputError, match="no part 3 of 3"):
        shard(CONFIGS, 3, 3)


# More than one process

TASKS = '''
"""Tasks that leave a mark for every call; one of them brings its process down, the first time."""

import os
import uuid
from pathlib import Path

import numpy as np


def task(config):
    folder = Path(config["marks"])
    (folder / f"{config['n']}-{uuid.uuid4().hex}").touch()
    if config["n"] == config["deadly"] and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(9)
    return {"square": config["n"] ** 2, "process": os.getpid(), "table": np.arange(config["n"])}
'''

ON_DASK = """
import sys
from pathlib import Path

import joblib
from distributed import Client, LocalCluster

from mtjlab.sweeps import run_sweep
from tasks import task

if __name__ == "__main__":
    marks, records = Path("marks"), Path("records")
    configs = [{"n": n, "marks": str(marks.resolve()), "deadly": 10} for n in range(20)]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        with joblib.parallel_config(backend="dask"):
            found = run_sweep(task, configs, records)
    assert [record["square"] for record in found] == [n * n for n in range(20)]
    print(len({record["process"] for record in found}))
"""


def marks_of(folder: Path) -> list[int]:
    return sorted(int(path.name.split("-")[0]) for path in folder.glob("*-*"))


def test_processes_of_this_machine_share_a_sweep_and_one_that_dies_costs_no_record_twice(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "marks").mkdir()
    script = (
        "from pathlib import Path\nfrom mtjlab.sweeps import SweepError, run_sweep\nfrom tasks import task\n"
        "configs = [{'n': n, 'marks': str(Path('marks').resolve()), 'deadly': 8} for n in range(12)]\n"
        "run_sweep(task, configs[:6], Path('records'), jobs=2)\n"
        "try:\n    run_sweep(task, configs, Path('records'), jobs=2)\nexcept SweepError as error:\n    print(error)\n"
        "found = run_sweep(task, configs, Path('records'), jobs=2)\n"
        "assert [record['square'] for record in found] == [n * n for n in range(12)]\n"
    )
    (tmp_path / "sweep.py").write_text(script)
    done = subprocess.run([sys.executable, "sweep.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "a process died after" in done.stdout
    calls = marks_of(tmp_path / "marks")
    assert set(calls) == set(range(12)) and calls.count(8) == 2
    assert all(calls.count(n) == 1 for n in range(6))  # what had been kept was not computed again


@pytest.mark.skipif(find_spec("distributed") is None, reason="Dask's `distributed`, the extra `cluster`, is missing")
def test_a_cluster_that_loses_a_worker_half_way_finishes_the_sweep_and_a_re_run_is_free(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "sweep.py").write_text(ON_DASK)
    (tmp_path / "marks").mkdir()
    for run in range(2):
        done = subprocess.run([sys.executable, "sweep.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        calls = marks_of(tmp_path / "marks")
        if run == 0:
            first = calls
            assert (tmp_path / "marks" / "died").exists() and calls.count(10) == 2
            assert set(calls) == set(range(20)) and int(done.stdout) >= 2  # processes that computed records
    assert calls == first
    assert {path.suffix for path in (tmp_path / "records").iterdir()} == {".json", ".npz"}
