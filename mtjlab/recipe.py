"""What an operator writes: one YAML file that says bench, die or wafer, device and limits, steps, bins and exports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from .bins import TestLimit
from .errors import InputError
from .recipe_steps import AnyStep
from .recipe_units import Amps, Metres, Seconds, Volts, quantity_in
from .wafer_map import Order
from .yaml_files import explained, load_yaml

DieExport = Literal["csv"]
WaferExport = Literal["csv", "parquet", "netcdf", "stdf", "g85", "e142", "sinf"]
_FILE_KEYS = ("map", "network", "pattern", "data")
"""Keys of steps that may be the path of a file."""
BinNumber = Field(ge=0, le=32767)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BenchPart(_Part):
    """On what it runs: a simulated bench, or a station file with its wiring file. Paths count from the recipe's folder.

    Attributes:
        simulated: name of a packaged bench, or the path of a bench file whose `.station.yaml` and `.wiring.yaml` stand
            beside it.
        seed: which simulated die and instruments; the bench file's own if left out.
        station, wiring: of instruments; a wiring file may also be given with a simulated bench, as what is assumed.
        power_cycles: integration time of a reading, power line cycles.
        read_amps_range: range of the ammeter while reading.
    """

    simulated: str | None = None
    seed: int | None = Field(default=None, ge=0)
    station: str | None = None
    wiring: str | None = None
    power_cycles: float = Field(default=0.1, gt=0, le=100)
    read_amps_range: Amps = Field(default=1e-3, gt=0)

    @model_validator(mode="after")
    def _is_one_bench(self) -> BenchPart:
        if (self.simulated is None) == (self.station is None):
            raise _custom("give either 'simulated' or 'station'", "Say 'simulated: passive15', or 'station: FILE'")
        if self.station is not None and self.wiring is None:
            raise _custom("'station' needs 'wiring'", "Add 'wiring: FILE': which line of the array is on which relay")
        if self.station is not None and self.seed is not None:
            raise _custom("'seed' is for simulated benches", "Remove 'seed'")
        return self


class DiePart(_Part):
    """Which die is under the probes; x and y are the prober's."""

    wafer: str = Field(default="", max_length=80)
    x: int = 0
    y: int = 0
    lot: str = Field(default="", max_length=80)


class DrawnMap(_Part):
    """Dies on a round wafer by a rule, see `mtjlab/wafer_map.py`."""

    diameter_metres: Metres = Field(gt=0)
    pitch_metres: tuple[Metres, Metres]
    edge_metres: Metres = Field(default=0.0, ge=0)


class ReprobeRule(_Part):
    """What is done when a die does not make contact: lift, go down further, look again."""

    tries: int = Field(default=1, ge=0, le=10)
    more_metres: Metres = Field(default=5e-6, ge=0)


class CleanRule(_Part):
    """When the prober cleans its probes, which needs a cleaning pad at the prober.

    Attributes:
        on_bad_contact: after the tries of `reprobe`, before a last one.
        every_touchdowns: and before the next die each time that the run has made so many; 0: not.
    """

    on_bad_contact: bool = True
    every_touchdowns: int = Field(default=0, ge=0)


class WaferPart(_Part):
    """A wafer to be walked over.

    Attributes:
        name, lot: of the wafer.
        prober: station name of the prober.
        map: file of the wafer map (CSV, G85, E142, SINF).
        draw: or a rule; neither: the prober's own map.
        order: of the visits.
        only, never: [x, y] of dies that alone, or not at all, are probed.
        overtravel_metres, most_overtravel_metres: beyond first contact, and never further.
        reprobe: if a die makes no contact.
        clean: when the probes are cleaned; never if it is left out.
        write_bins: whether hard bins go into the prober's own map too.
        stop_after_bad: dies in a row without contact before an operator is asked.
    """

    name: str = Field(min_length=1, max_length=80)
    lot: str = Field(default="", max_length=80)
    prober: str | None = None
    map: str | None = None
    draw: DrawnMap | None = None
    order: Order = "rows_serpentine"
    only: list[tuple[int, int]] = []
    never: list[tuple[int, int]] = []
    overtravel_metres: Metres = Field(default=20e-6, ge=0)
    most_overtravel_metres: Metres = Field(default=60e-6, gt=0)
    reprobe: ReprobeRule = ReprobeRule()
    clean: CleanRule | None = None
    write_bins: bool = False
    stop_after_bad: int = Field(default=5, ge=1, le=1000)

    @model_validator(mode="after")
    def _fits(self) -> WaferPart:
        if self.map is not None and self.draw is not None:
            raise _custom("give 'map' or 'draw', not both", "Remove one of them")
        if self.overtravel_metres + self.reprobe.tries * self.reprobe.more_metres > self.most_overtravel_metres:
            raise _custom(
                "overtravel and re-probing go beyond most_overtravel_metres",
                "Lower overtravel_metres or reprobe, or have an engineer raise most_overtravel_metres",
            )
        return self


class NarrowerLimits(_Part):
    """Limits of this recipe: the wiring file's, or narrower."""

    read_volts: Volts | None = Field(default=None, gt=0)
    write_volts_positive: Volts | None = Field(default=None, gt=0)
    write_volts_negative: Volts | None = Field(default=None, gt=0)
    pulse_seconds: Seconds | None = Field(default=None, gt=0)
    amps: Amps | None = Field(default=None, gt=0)
    pulses_per_cell: int | None = Field(default=None, gt=0)

    def given(self) -> dict[str, float]:
        """Those that are said."""
        return self.model_dump(exclude_none=True)


class DevicePart(_Part):
    """The device type that the recipe is for, and its limits.

    Attributes:
        type: must be what the wiring file calls it, so that a recipe does not meet another device.
    """

    type: str | None = None
    limits: NarrowerLimits = NarrowerLimits()


class BinPair(_Part):
    """A hard and a soft bin."""

    hard: int = BinNumber
    soft: int = BinNumber


class LimitPart(_Part):
    """A test and its bins: `test` is `<step>.<number>`, bounds bear that number's unit."""

    test: str
    least: str | float | None = None
    most: str | float | None = None
    hard: int = BinNumber
    soft: int = BinNumber
    name: str = Field(default="", max_length=80)

    def limit(self, unit: str) -> TestLimit:
        """With bounds in SI units; raises PydanticCustomError for one of another kind."""
        bounds = [None if value is None else quantity_in(unit, value) for value in (self.least, self.most)]
        return TestLimit(self.test, bounds[0], bounds[1], self.hard, self.soft, self.name)


class BinsPart(_Part):
    """Where dies go."""

    good: BinPair = BinPair(hard=1, soft=1)
    unfinished: BinPair = BinPair(hard=9, soft=90)
    tests: list[LimitPart] = []


class Recipe(_Part):
    """One recipe; see docs/reference/recipes.md."""

    recipe: str = Field(min_length=1, max_length=80, description="what it is called")
    format: Literal[1] = 1
    revision: int = Field(default=1, ge=0)
    bench: BenchPart | None = None
    die: DiePart | None = None
    wafer: WaferPart | None = None
    device: DevicePart = DevicePart()
    steps: list[AnyStep] = Field(min_length=1, max_length=100)
    bins: BinsPart = BinsPart()
    exports: list[WaferExport] = []

    @property
    def needs_bench(self) -> bool:
        """Whether any step touches a die."""
        return any(step.needs_bench for step in self.steps)

    def limits(self) -> list[TestLimit]:
        """Limits of the bins in SI units. The recipe has been checked."""
        return [part.limit(self.units[part.test]) for part in self.bins.tests]

    @property
    def units(self) -> dict[str, str]:
        """Every number that this recipe's steps can give -> its unit."""
        return {f"{step.label}.{test}": unit for step in self.steps for test, unit in step.tests.items()}

    def digest(self) -> str:
        """SHA-256 of what would be done: of all values in SI units, defaults included; layout and comments apart."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class LoadedRecipe:
    """A recipe and the file that it stands in.

    Attributes:
        path: the file.
        content: as parsed, with the lines of everything.
        recipe: what it says.
    """

    path: Path
    content: Any = field(repr=False)
    recipe: Recipe

    def beside(self, name: str) -> Path:
        """A path that the recipe names: it counts from the recipe's folder."""
        return (self.path.parent / Path(name).expanduser()).resolve()

    def step_files(self) -> dict[str, Path]:
        """Files that its steps name (maps, networks, patterns, tables of data), by `<step>.<key>`."""
        named = ((step.label, key, getattr(step, key, None)) for step in self.recipe.steps for key in _FILE_KEYS)
        found = {f"{label}.{key}": self.beside(name) for label, key, name in named if isinstance(name, str)}
        return {what: path for what, path in found.items() if path.is_file()}


def load_recipe(path: Path) -> LoadedRecipe:
    """Read a recipe; raises InputError that names file, line, key and remedy for the first thing that does not fit."""
    return recipe_of(load_yaml(path), path)


def recipe_of(content: Any, path: Path) -> LoadedRecipe:
    """A recipe from what a file, or somebody's options, say.

    Args:
        content: keys and values.
        path: where they are from, for messages; paths in them count from its folder.
    """
    problems, recipe = _validated(content, path)
    if recipe is None:
        raise problems[0]
    return LoadedRecipe(path, content, recipe)


def problems_of(path: Path) -> list[InputError]:
    """Everything in a recipe's own words that does not fit; none for one that can be loaded."""
    return list(_validated(load_yaml(path), path)[0])


def _validated(content: Any, path: Path) -> tuple[Sequence[InputError], Recipe | None]:
    try:
        return [], Recipe.model_validate(content)
    except ValidationError as error:
        return explained(error, content, Recipe, path), None


def recipe_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a recipe, for editors that complete and check YAML."""
    schema = Recipe.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "mtjlab recipe"}


def _custom(what: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("recipe", "{what}", {"what": what, "remedy": remedy})
