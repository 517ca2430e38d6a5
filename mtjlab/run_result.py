"""What `result.json` of a run holds, read leniently: a run that was stopped early lacks keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from .errors import InputError
from .nouns import Ints, State


class Accuracy(BaseModel):
    """Fractions of the samples classified correctly; None where not measured."""

    software: float | None = None
    predicted_from_map: float | None = None
    on_chip: float | None = None
    on_chip_untuned: float | None = None


class Incident(BaseModel):
    """Something that may have harmed the die or an instrument, at which second of bench time."""

    seconds: float | None = None
    kind: str = ""
    message: str = ""


class NormalisingConductance(BaseModel):
    """Conductance that one unit of weight is taken to be worth, before and after tuning on the measured map."""

    untuned_siemens: float | None = None
    tuned_siemens: float | None = None


class Curve(BaseModel):
    """Accuracy predicted from the map for each normalising conductance."""

    g_siemens: list[float] = []
    predicted: list[float] = []


class Layer(BaseModel):
    """Which cells a layer uses and which bit each should hold; `served` says how the array computes it."""

    name: str = ""
    rows: list[int]
    cols: list[int]
    bits: list[list[int]]
    served: str = ""

    def wanted(self, shape: tuple[int, int]) -> Ints | None:
        """`State` wanted of every cell, UNKNOWN where unused; None if the layer does not fit the array."""
        target = np.full(shape, State.UNKNOWN, dtype=np.int8)
        try:
            target[np.ix_(self.rows, self.cols)] = np.array(self.bits, dtype=np.int8)
        except (IndexError, ValueError, OverflowError):
            return None
        return target


class Instrument(BaseModel):
    """One instrument as it identified itself, and what it did in the run."""

    name: str = ""
    address: str = ""
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    job: str = ""


class Stage(BaseModel):
    """What one part of the run took."""

    name: str = ""
    wall_seconds: float | None = None
    bench_seconds: float | None = None
    readings: int | None = None
    pulses: int | None = None


class RecipeRow(BaseModel):
    """The recipe of a run; `resolved` is all of it in plain values."""

    name: str = ""
    revision: int | None = None
    file: str = ""
    sha256: str = ""
    released: dict[str, Any] | None = None
    resolved: dict[str, Any] = {}


class StepRow(BaseModel):
    """What a step of a recipe found, as plain values; `shown` are its numbers with units."""

    name: str = ""
    step: str = ""
    numbers: dict[str, float | None] = {}
    shown: dict[str, str] = {}
    reason: str = ""
    details: dict[str, Any] = {}
    pulses: int | None = None
    readings: int | None = None
    bench_seconds: float | None = None
    wall_seconds: float | None = None


class BinRow(BaseModel):
    """Where the die went, and by which tests."""

    hard: int | None = None
    soft: int | None = None
    is_good: bool = False
    name: str = ""
    failed: str = ""
    all_failed: list[str] = []


class RunResult(BaseModel):
    """What `result.json` holds; everything but `status` may be missing from a run that ended early.

    Attributes:
        outputs: per SMU, read back at the end: True off, False still on, None if it did not answer.
        is_simulated: whether the bench was a simulated one; None if the run does not say.
        recipe, steps, bin, die: of a run of a recipe; None and empty for others.
        warnings: what a reader has to know before using the numbers.
        data: name of the data set of the network.
    """

    status: str
    command: str = ""
    reason: str = ""
    started: str = ""
    seed: int | None = None
    is_simulated: bool | None = None
    accuracy: Accuracy = Accuracy()
    write_fidelity: float | None = None
    write_pulses: int | None = None
    readings: int | None = None
    bench_seconds: float | None = None
    wall_seconds: float | None = None
    visa_writes: int | None = None
    visa_queries: int | None = None
    defects: dict[str, int] | None = None
    incidents: list[Incident] | None = None
    outputs_off: bool | None = None
    outputs: dict[str, bool | None] = {}
    relays_open: bool | None = None
    g_norm: NormalisingConductance = NormalisingConductance()
    curve: Curve = Curve()
    confusion: list[list[int]] = []
    class_names: list[str] = []
    layers: list[Layer] = []
    instruments: list[Instrument] = []
    stages: list[Stage] = []
    settings: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    problems: list[str] = []
    recipe: RecipeRow | None = None
    steps: list[StepRow] = []
    bin: BinRow | None = None
    die: dict[str, Any] | None = None
    warnings: list[str] = []
    data: str = "wine"
    saturated_readings: int = 0

    @property
    def noun(self) -> str:
        """What the samples of the data set are called."""
        return "wines" if self.data == "wine" else f"samples ({self.data})"

    @property
    def used_bench(self) -> bool:
        """Whether there were instruments; a recipe that only trains has none."""
        resolved = self.recipe.resolved if self.recipe else {}
        return self.recipe is None or bool(self.instruments) or resolved.get("bench") is not None

    @property
    def parts(self) -> list[Stage]:
        """What each part of the run took: its stages, or the steps of its recipe."""
        return self.stages or [
            Stage(
                name=step.name,
                wall_seconds=step.wall_seconds,
                bench_seconds=step.bench_seconds,
                readings=step.readings,
                pulses=step.pulses,
            )
            for step in self.steps
        ]


def load_result(path: Path) -> tuple[RunResult, list[str]]:
    """Read `result.json`; returns it without the keys that do not fit, and a sentence about each of those.

    Raises:
        InputError: if the file cannot be read or has no `status`.
    """
    remedy = "Give a run folder that mtjlab wrote"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", where=str(path), remedy=remedy) from error
    if not isinstance(content, dict) or not isinstance(content.get("status"), str):
        raise InputError("has no status", where=str(path), remedy=remedy)
    given = {key: value for key, value in content.items() if value is not None or key == "relays_open"}
    try:
        return RunResult.model_validate(given), []
    except ValidationError as error:
        bad = sorted({str(one["loc"][0]) for one in error.errors()})
    kept = {key: value for key, value in given.items() if key not in bad}
    return RunResult.model_validate(kept), [f"{key} in result.json could not be read" for key in bad]
