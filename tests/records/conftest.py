"""Small wafers whose every number is known, and a run that records them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtjlab.nouns import ArrayMap, Conditions, DieId
from mtjlab.provenance import InstrumentRecord, Provenance
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan

WAFER = "W07"
DIES = tuple(DieId(WAFER, x, y) for y in (-1, 0) for x in (2, 3, 4))
TESTS = (
    DieTest(10, "contact", "check", is_functional=True),
    DieTest(20, "median_siemens", "read", "S", 5e-5, 2e-4),
    DieTest(30, "shorts", "read", "", None, 3),
    DieTest(40, "noise_amps", "read", "A"),
)
PLAN = RunPlan(
    "L1",
    WAFER,
    DIES,
    ("check", "read"),
    TESTS,
    {1: "good", 5: "shorts", 9: "no contact"},
    {1: "good", 51: "many shorts"},
)
PROVENANCE = Provenance(
    recipe_name="survey",
    recipe_revision="B",
    recipe_text="steps: [check, read]\n",
    bench="bench 2",
    operator="Ada",
    host="pc",
    chuck_kelvin=300.0,
    instruments=(InstrumentRecord("prober", "FormFactor", "Velox", "77", "7.2", calibration_due="2026-03-01"),),
)
KERNELS, SHAPE = 2, (4, 5)


def maps_of(die: DieId, seed: int = 0, has_states: bool = True) -> list[ArrayMap]:
    """Two kernels whose numbers depend on die and seed alone."""
    rng = np.random.default_rng([seed, die.x + 100, die.y + 100])
    return [_map(rng, die, kernel, has_states) for kernel in range(KERNELS)]


def _map(rng: np.random.Generator, die: DieId, kernel: int, has_states: bool) -> ArrayMap:
    siemens = rng.uniform(5e-5, 2e-4, SHAPE)
    siemens[1, 2] = np.nan
    return ArrayMap(
        siemens=siemens,
        siemens_p=1.2 * siemens if has_states else np.full(SHAPE, np.nan),
        siemens_ap=0.8 * siemens if has_states else np.full(SHAPE, np.nan),
        state=rng.integers(-1, 2, SHAPE).astype(np.int8),
        status=rng.integers(0, 12, SHAPE).astype(np.int8),
        sigma=0.01 * siemens,
        conditions=Conditions(0.1, "V/2", kelvin=300.0),
        die=die,
        provenance={"kernel": kernel, "scheme": "rows"},
        is_partial=kernel == 1,
    )


def figures_of(die: DieId) -> dict[str, float]:
    """One figure that is never measured, one that fails on the die (4, 0)."""
    return {"median_siemens": 1e-4 + 1e-6 * die.x, "shorts": 7 if die[1:] == (4, 0) else 1, "noise_amps": float("nan")}


def probe(store: RunStore, die: DieId, seed: int = 0) -> None:
    """One whole visit."""
    store.begin_attempt(die)
    store.contacted(die, 1)
    store.keep(die, "check", scalars={"contact": True})
    store.measuring(die, "read")
    store.keep(die, "read", maps_of(die, seed), figures_of(die), {"trace": np.arange(6.0).reshape(2, 3) + die.x})
    is_good = figures_of(die)["shorts"] <= 3
    store.finish(die, 1 if is_good else 5, 1 if is_good else 51, first_failing="" if is_good else "read.shorts")


def same_maps(found: list[ArrayMap], wanted: list[ArrayMap]) -> bool:
    """Whether maps are the same, bit for bit, with all that belongs to them."""
    names = ("siemens", "siemens_p", "siemens_ap", "state", "status", "sigma")
    return len(found) == len(wanted) and all(
        one.die == other.die
        and one.conditions == other.conditions
        and one.provenance == other.provenance
        and one.is_partial == other.is_partial
        and all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)
        for one, other in zip(found, wanted, strict=True)
    )


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> SetClock:
    return SetClock(1_700_000_000.0)


@pytest.fixture
def create(tmp_path: Path, wall: SetClock) -> Callable[..., RunStore]:
    """Makes a run of the small wafer in a folder of its own; it is closed by the test."""

    def made(name: str = "run", plan: RunPlan = PLAN, provenance: Provenance = PROVENANCE, **more: object) -> RunStore:
        return RunStore.create(tmp_path / name, plan, provenance, wall=wall, lock_seconds=0.05, **more)  # type: ignore[arg-type]

    return made


@pytest.fixture
def whole_run(create: Callable[..., RunStore]) -> Path:
    """The folder of a finished run: five dies done, one of them after a retest, one failed."""
    store = create(snapshot={"station": {"instruments": {"smu": {"volts": 0.5}}}})
    for die in DIES[:5]:
        probe(store, die)
    store.begin_attempt(DIES[5])
    store.contacted(DIES[5], 3)
    store.fail(DIES[5], "no contact after 3 touchdowns", hard_bin=9)
    store.plan_again(DIES[0], "probe marks look faint")
    probe(store, DIES[0], seed=1)
    store.close("complete", "end of wafer")
    return store.folder
