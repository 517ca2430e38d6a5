"""Whether the parts of a recipe fit each other, its bench and its device's limits: all that is known without moving.

Every problem names the line of the recipe and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic_core import PydanticCustomError

from .errors import InputError, LimitError
from .limits import DeviceLimits
from .recipe import DieExport, LoadedRecipe
from .recipe_steps import CharacterizeStep, InferStep, Pattern, ReadStep, Step, TrainStep, WriteStep
from .wiring import Wiring
from .yaml_files import nearest, refusal

Place = Sequence[int | str]


@dataclass(frozen=True)
class _Problem:
    what: str
    place: Place
    remedy: str


def check_recipe(loaded: LoadedRecipe, wiring: Wiring | None, *, wiring_file: Path | None = None) -> Wiring | None:
    """The wiring with the recipe's own limits, if all fits together.

    Args:
        wiring: of the recipe's bench; None if it has none.
        wiring_file: where that stands, for messages.

    Raises InputError for the first problem.
    """
    for problem in recipe_problems(loaded, wiring, wiring_file=wiring_file):
        raise problem
    return wiring if wiring is None else narrowed(wiring, loaded)


def recipe_problems(
    loaded: LoadedRecipe, wiring: Wiring | None, *, wiring_file: Path | None = None
) -> Iterator[InputError]:
    """Every problem, in the order of the file's parts."""
    found = [*_parts(loaded), *_steps(loaded), *_bins(loaded)]
    if wiring is not None:
        found += [*_device(loaded, wiring, wiring_file), *_limits(loaded, wiring), *_cells(loaded, wiring)]
        found += _networks(loaded, wiring)
    for one in found:
        yield refusal(one.what, one.place, loaded.content, loaded.path, one.remedy)


def narrowed(wiring: Wiring, loaded: LoadedRecipe) -> Wiring:
    """The wiring, its limits those of the recipe where that says some."""
    limits = _limits_of(wiring, loaded)
    return wiring.model_copy(update={"device": wiring.device.model_copy(update={"limits": limits})})


def _limits_of(wiring: Wiring, loaded: LoadedRecipe) -> DeviceLimits:
    given = loaded.recipe.device.limits.given()
    twins = {"pulse_seconds_negative": "pulse_seconds", "amps_negative": "amps"}
    twins["pulses_per_cell_negative"] = "pulses_per_cell"
    own = wiring.device.limits.model_dump()
    lower = {twin: min(own[twin], given[name]) for twin, name in twins.items() if own[twin] and name in given}
    return DeviceLimits(**own | given | lower)


def _parts(loaded: LoadedRecipe) -> Iterator[_Problem]:
    recipe = loaded.recipe
    if recipe.needs_bench and recipe.bench is None:
        yield _Problem("key 'bench' is missing", [], "Add 'bench: {simulated: passive15}', or a station and its wiring")
    if recipe.bench is not None and not recipe.needs_bench and any(step.step == "reproduce" for step in recipe.steps):
        yield _Problem("key 'bench': 'reproduce' needs none", ["bench"], "Remove 'bench'")
    kinds = {step.step for step in recipe.steps}
    if "reproduce" in kinds and len(recipe.steps) > 1:
        place = [step.step for step in recipe.steps].index("reproduce")
        yield _Problem(
            f"key 'steps.{place}': 'reproduce' needs a recipe of its own", ["steps", place], "Remove the other steps"
        )
    if recipe.die is not None and recipe.wafer is not None:
        yield _Problem("a recipe is for a die or for a wafer, not for both", ["die"], "Remove 'die' or 'wafer'")
    for number, export in enumerate(recipe.exports):
        if recipe.wafer is None and export not in get_args(DieExport):
            yield _Problem(
                f"key 'exports.{number}': a die cannot be exported as {export}, only a wafer",
                ["exports", number],
                nearest(export, get_args(DieExport)),
            )
    if recipe.wafer is not None and recipe.wafer.map and not loaded.beside(recipe.wafer.map).is_file():
        yield _missing_file(["wafer", "map"], loaded.beside(recipe.wafer.map))


def _steps(loaded: LoadedRecipe) -> Iterator[_Problem]:
    seen: dict[str, int] = {}
    kinds: set[str] = set()
    for number, step in enumerate(loaded.recipe.steps):
        if step.label in seen:
            yield _Problem(
                f"steps {seen[step.label] + 1} and {number + 1} are both called '{step.label}'",
                ["steps", number],
                f"Give this one a name of its own, 'name: {step.label}_2'",
            )
        seen.setdefault(step.label, number)
        yield from _step_inputs(loaded, step, number, kinds)
        kinds.add(step.step)


def _step_inputs(loaded: LoadedRecipe, step: Step, number: int, before: set[str]) -> Iterator[_Problem]:
    """A map and a network come from a step before, or from a file."""
    if isinstance(step, TrainStep | WriteStep | InferStep):
        if step.map is None and "classify" not in before:
            yield _Problem(
                f"step '{step.label}' needs a map of both states",
                ["steps", number],
                "Put a step 'classify' before it, or give an earlier one with 'map: FILE'",
            )
        if step.map is not None and not loaded.beside(step.map).is_file():
            yield _missing_file(["steps", number, "map"], loaded.beside(step.map))
    if isinstance(step, TrainStep):
        yield from _data(loaded, step, number)
    if isinstance(step, InferStep):
        if step.network is None and "train" not in before:
            yield _Problem(
                f"step '{step.label}' needs a network",
                ["steps", number],
                "Put a step 'train' before it, or give an earlier one with 'network: FILE'",
            )
        if step.network is not None and not loaded.beside(step.network).is_file():
            yield _missing_file(["steps", number, "network"], loaded.beside(step.network))
    if isinstance(step, WriteStep):
        yield from _pattern(loaded, step, number)
    if isinstance(step, ReadStep) and step.most_readings < step.readings:
        yield _Problem(
            f"most_readings of {step.most_readings} is below readings of {step.readings}",
            ["steps", number, "most_readings"],
            f"Give at least {step.readings}",
        )


def _data(loaded: LoadedRecipe, step: TrainStep, number: int) -> Iterator[_Problem]:
    """A table that is not there or is none; MNIST that is nowhere."""
    from .engine.data_sources import NAMES

    if step.data not in NAMES and not loaded.beside(step.data).is_file():
        what = f"'{step.data}' is no data set, and there is no such file"
        yield _Problem(what, ["steps", number, "data"], f"{nearest(step.data, NAMES)}; or give the path of a CSV file")
        return
    if step.data == "wine" and not step.classes and not step.inputs:
        return
    try:
        step.request(loaded.beside).load()
    except InputError as error:
        where = f"{error.where}: " if error.where else ""
        yield _Problem(f"data of step '{step.label}': {where}{error.what}", ["steps", number, "data"], error.remedy)


def _networks(loaded: LoadedRecipe, wiring: Wiring) -> Iterator[_Problem]:
    """Whether what is trained fits the array of the bench."""
    from .engine.data_sources import fit_problem

    array = len(wiring.row_lines), len(wiring.col_lines)
    for number, step in enumerate(loaded.recipe.steps):
        if isinstance(step, TrainStep):
            try:
                found = fit_problem(step.request(loaded.beside).shape(), step.hidden, array)
            except InputError:
                continue  # told where the data are looked at
            if found is not None:
                yield _Problem(f"step '{step.label}': {found[0]}", ["steps", number], found[1])


def _pattern(loaded: LoadedRecipe, step: WriteStep, number: int) -> Iterator[_Problem]:
    words = get_args(Pattern)
    if step.pattern not in words and not loaded.beside(step.pattern).is_file():
        yield _Problem(
            f"'{step.pattern}' is no pattern, and there is no such file",
            ["steps", number, "pattern"],
            nearest(step.pattern, words),
        )


def _bins(loaded: LoadedRecipe) -> Iterator[_Problem]:
    recipe, units = loaded.recipe, loaded.recipe.units
    for number, part in enumerate(recipe.bins.tests):
        place: list[int | str] = ["bins", "tests", number]
        if part.test not in units:
            yield _Problem(f"no step gives '{part.test}'", [*place, "test"], nearest(part.test, units))
            continue
        if part.least is None and part.most is None:
            yield _Problem(f"'{part.test}' has no bound", place, "Add 'least: ...' or 'most: ...'")
        if part.hard == recipe.bins.good.hard:
            yield _Problem(
                f"hard bin {part.hard} is that of good dies", [*place, "hard"], "Give failing dies another number"
            )
        yield from _bounds(loaded, number, units[part.test])


def _bounds(loaded: LoadedRecipe, number: int, unit: str) -> Iterator[_Problem]:
    part = loaded.recipe.bins.tests[number]
    place: list[int | str] = ["bins", "tests", number]
    for name in ("least", "most"):
        try:
            part.model_copy(update={"least": None, "most": None, name: getattr(part, name)}).limit(unit)
        except PydanticCustomError as error:
            remedy = str((error.context or {}).get("remedy", "Correct it"))
            yield _Problem(f"key '{'.'.join(map(str, place))}.{name}': {error.message()}", [*place, name], remedy)
            return
    limit = part.limit(unit)
    if limit.least is not None and limit.most is not None and limit.least > limit.most:
        yield _Problem(f"'{part.test}': least is above most", [*place, "least"], "Exchange them")


def _device(loaded: LoadedRecipe, wiring: Wiring, wiring_file: Path | None) -> Iterator[_Problem]:
    device, where = loaded.recipe.device, wiring_file or "the wiring file"
    if device.type is not None and device.type != wiring.device.name:
        yield _Problem(
            f"the recipe is for '{device.type}', but {where} says '{wiring.device.name}'",
            ["device", "type"],
            "Use the recipe of this device, or correct the one that is wrong",
        )
    for name, value in device.limits.given().items():
        most = getattr(wiring.device.limits, name)
        if value > most * (1 + 1e-9):
            yield _Problem(
                f"key 'device.limits.{name}': {value:g} is wider than the {most:g} of {where}",
                ["device", "limits", name],
                "Limits of a recipe can only be narrower; have an engineer raise the one in the wiring file",
            )


def _limits(loaded: LoadedRecipe, wiring: Wiring) -> Iterator[_Problem]:
    """Every amplitude, width and bias of every step, against the device's limits."""
    limits = _limits_of(wiring, loaded)
    for number, step in enumerate(loaded.recipe.steps):
        width = max((getattr(step, name) for name in step.widths), default=0.0)
        for signs, names in ((1.0, step.sets), (-1.0, step.resets)):
            for name in names:
                yield from _refused(limits, number, name, signs * abs(getattr(step, name)), width, step)
        for name in step.reads:
            yield from _refused(limits, number, name, getattr(step, name), None, step)
        if isinstance(step, CharacterizeStep) and "bias" in step.measure:
            for place, volts in enumerate(step.bias_volts):
                if abs(volts) > limits.read_volts:
                    yield from _refused(limits, number, "bias_volts", volts, width, step, place)
        if isinstance(step, CharacterizeStep) and "switching" in step.measure:
            for place, volts in enumerate(step.switching_volts):
                yield from _refused(limits, number, "switching_volts", volts, width, step, place)


def _refused(
    limits: DeviceLimits, number: int, name: str, volts: float, seconds: float | None, step: Step, *inner: int
) -> Iterator[_Problem]:
    try:
        if seconds is None:
            limits.check_read(volts)
        else:
            limits.check_pulse(volts, seconds)
    except LimitError as error:
        key = name if "seconds" not in error.where else step.widths[0]
        where = ".".join(str(part) for part in ("steps", number, key, *inner))
        yield _Problem(f"key '{where}': {error.what} ({error.where})", ["steps", number, key, *inner], error.remedy)


def _cells(loaded: LoadedRecipe, wiring: Wiring) -> Iterator[_Problem]:
    rows, cols = len(wiring.row_lines), len(wiring.col_lines)
    for number, step in enumerate(loaded.recipe.steps):
        if not isinstance(step, CharacterizeStep):
            continue
        if isinstance(step.cells, int):
            if step.cells > rows * cols:
                yield _beyond(number, [], f"{step.cells} cells", rows, cols)
            continue
        for place, (row, col) in enumerate(step.cells):
            if row >= rows or col >= cols:
                yield _beyond(number, [place], f"cell [{row}, {col}]", rows, cols)


def _beyond(number: int, place: Place, what: str, rows: int, cols: int) -> _Problem:
    key = ".".join(str(part) for part in ("steps", number, "cells", *place))
    return _Problem(
        f"key '{key}': {what} on an array of {rows} x {cols}",
        ["steps", number, "cells", *place],
        f"Rows are 0 to {rows - 1}, columns 0 to {cols - 1}",
    )


def _missing_file(place: Place, path: Path) -> _Problem:
    key = ".".join(str(part) for part in place)
    return _Problem(
        f"key '{key}': there is no file {path}", place, "Correct the path; it counts from the recipe's folder"
    )
