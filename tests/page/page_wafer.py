"""A wafer of 36 dies whose recording is halted wherever a test or a picture wants it, and a server of the page."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn

from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId
from mtjlab.page_app import page_app
from mtjlab.provenance import InstrumentRecord, Provenance
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan

WAFER = "MTJ-07"
TOKEN = "a-token-for-tests-only"
_WIDTHS = {2: 4, 1: 6, 0: 8, -1: 8, -2: 6, -3: 4}
DIES = tuple(
    DieId(WAFER, x, y)
    for y, width in _WIDTHS.items()
    for x in (range(-width // 2, width // 2) if y % 2 else reversed(range(-width // 2, width // 2)))
)
PLAN = RunPlan(
    "L12",
    WAFER,
    DIES,
    ("contact", "survey"),
    (
        DieTest(1000, "silent_lines", "contact"),
        DieTest(2000, "healthy_share", "survey", "%", 0.97, None),
        DieTest(2001, "median_p_siemens", "survey", "S", 9e-5, 1.3e-4),
        DieTest(2002, "tmr", "survey", "%", 0.8, None),
    ),
    {1: "good", 2: "defects", 3: "low TMR", 8: "no contact", 9: "not measured"},
    {1: "good", 20: "defects", 30: "low TMR", 80: "no contact", 90: "not measured"},
)
PROVENANCE = Provenance(
    recipe_name="probe a wafer",
    recipe_revision="C",
    bench="bench 2",
    operator="Ada",
    host="pc",
    is_simulated=True,
    instruments=(
        InstrumentRecord("prober", "FormFactor", "Velox", "77", "7.2"),
        InstrumentRecord("board", "NIST", "Daffodil", "4", "1.1"),
    ),
)


class SteadyClock:
    """Grows by the same at every look."""

    def __init__(self, start: float, step: float) -> None:
        self.seconds, self.step = start, step

    def __call__(self) -> float:
        self.seconds += self.step
        return self.seconds


def maps_of(die: DieId, kernels: int, side: int) -> list[ArrayMap]:
    """A population that drifts over the wafer, with shorts, opens, stuck cells and, on some dies, a broken line."""
    rng = np.random.default_rng([7, die.x + 50, die.y + 50])
    shape = (kernels, side, side)
    p = rng.normal(1.1e-4 * (1 + 0.012 * die.x), 4e-6, shape)
    ap = p / (1.0 + rng.normal(1.05 - 0.02 * abs(die.y), 0.04, shape))
    p *= 1 + 0.04 * np.linspace(-1, 1, side)[None, None, :]
    share = 0.02 if (die.x + 3 * die.y) % 7 == 0 else 0.004
    kinds = [CellStatus.SHORT, CellStatus.OPEN, CellStatus.STUCK_P, CellStatus.STUCK_AP, CellStatus.LOW_TMR]
    draw = rng.random(shape)
    status = np.where(draw < 2 * share, rng.choice(kinds, shape), CellStatus.OK).astype(np.int8)
    if (die.x - die.y) % 5 == 0:
        status[kernels // 2, :, side // 3] = CellStatus.LINE_OPEN
    for array in (p, ap):
        array[status == CellStatus.SHORT] = 1.4e-3
        array[(status == CellStatus.OPEN) | (status == CellStatus.LINE_OPEN)] = 2e-7
    state = rng.integers(0, 2, shape).astype(np.int8)
    return [
        ArrayMap(
            siemens=np.where(state[k] == 1, p[k], ap[k]),
            siemens_p=p[k],
            siemens_ap=ap[k],
            state=state[k],
            status=status[k],
            sigma=rng.uniform(0.5e-6, 1e-6, shape[1:]),
            conditions=Conditions(0.1, "grounded"),
            die=die,
            provenance={"kernel": k},
        )
        for k in range(kernels)
    ]


def create(folder: Path) -> RunStore:
    """A run in which nothing has happened; its clocks depend on nothing."""
    return RunStore.create(
        folder, PLAN, PROVENANCE, wall=SteadyClock(1_785_830_400.0, 9.0), monotonic=SteadyClock(0.0, 21.0)
    )


def probe(store: RunStore, die: DieId, *, kernels: int = 2, side: int = 4, ends: bool = True) -> None:
    """One visit; the dies whose numbers come out so have no contact."""
    store.begin_attempt(die)
    store.contacted(die, 1)
    store.measuring(die, "contact")
    if (die.x * 5 + die.y) % 17 == 9:
        store.contacted(die, 2)
        store.note("re-probed: 7 of 50 lines are silent: row 3, row 4, row 5 ...", "contact")
        store.keep(die, "contact", scalars={"silent_lines": 7})
        store.fail(die, "no contact: 7 of 50 lines are silent", hard_bin=8, soft_bin=80)
        return
    store.keep(die, "contact", scalars={"silent_lines": 0})
    store.measuring(die, "survey")
    maps = maps_of(die, kernels, side)
    status = np.stack([one.status for one in maps])
    healthy, tmr = float((status == CellStatus.OK).mean()), 1.05 - 0.02 * abs(die.y)
    median = float(np.median([one.siemens_p for one in maps]))
    store.keep(die, "survey", maps, {"healthy_share": healthy, "median_p_siemens": median, "tmr": tmr})
    if not ends:
        return
    hard, failing = (2, "survey.healthy_share") if healthy < 0.97 else (3, "survey.tmr") if die.x == 3 else (1, "")
    reason = {1: "", 2: "defects", 3: "low TMR"}[hard]
    store.finish(die, hard, {1: 1, 2: 20, 3: 30}[hard], reason, first_failing=failing)


@contextmanager
def serving(root: Path, poll_seconds: float = 0.02, port: int = 0) -> Iterator[str]:
    """The page over HTTP on a free port of this machine, or a given one; gives its address.

    Locks on instruments are looked for in `locks` under the root alone: what this machine does otherwise is not shown.
    """
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(
            page_app(root, TOKEN, poll_seconds=poll_seconds, locks=root / "locks"),
            log_level="error",
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
