"""A wafer run of 36 dies of 32 x 625 cells, replayed into a store; prints when each die was done. Run as a program.

Arguments: a new folder, the number of dies, seconds that the instruments are said to take for each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId
from mtjlab.provenance import Provenance
from mtjlab.records import RunStore
from mtjlab.run_control import RunChannel
from mtjlab.run_plan import DieTest, RunPlan

SHAPE = (32, 25, 25)


def maps_of(die: DieId) -> list[ArrayMap]:
    """Both states of every cell."""
    rng = np.random.default_rng([die.x, die.y])
    p = rng.normal(1.1e-4, 4e-6, SHAPE)
    ap = p / rng.normal(2.0, 0.05, SHAPE)
    status = np.where(rng.random(SHAPE) < 0.005, CellStatus.SHORT, CellStatus.OK).astype(np.int8)
    state = rng.integers(0, 2, SHAPE).astype(np.int8)
    where = Conditions(0.1, "grounded")
    return [
        ArrayMap(ap[k], p[k], ap[k], state[k], status[k], 0.01 * ap[k], where, die, {"kernel": k}) for k in range(32)
    ]


def replay(folder: Path, dies: int, instrument_seconds: float) -> dict[str, object]:
    """The run; times by the wall clock, and how long it took by a steady one and in processor time."""
    places = tuple(DieId("W1", number % 6, number // 6) for number in range(dies))
    tests = (DieTest(1, "healthy_share", "survey", "%", 0.9, None),)
    plan = RunPlan("L1", "W1", places, ("contact", "survey"), tests)
    maps = [maps_of(die) for die in places]
    done: dict[str, float] = {}
    with RunStore.create(folder, plan, Provenance()) as store:
        channel = RunChannel(folder)
        print("begun", flush=True)
        sys.stdin.readline()
        started, used = time.perf_counter(), time.process_time()
        for number, die in enumerate(places):
            channel.publish(doing="probing dies", done=number, total=dies)
            channel.take()
            store.begin_attempt(die)
            store.contacted(die, 1)
            store.measuring(die, "contact")
            store.keep(die, "contact", scalars={"silent_lines": 0})
            store.measuring(die, "survey")
            time.sleep(instrument_seconds)
            store.keep(die, "survey", maps[number], {"healthy_share": 0.995})
            store.finish(die, 1, 1)
            done[f"{die.x},{die.y}"] = time.time()
        figures = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - used, "done": done}
        channel.close()
        store.close()
    return figures


if __name__ == "__main__":
    print(json.dumps(replay(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))), flush=True)
