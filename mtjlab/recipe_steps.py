"""The steps that a recipe can ask for on a die, their parameters, and the numbers that each can be judged by.

Parameters bear the names that the protocols' own settings have, and their defaults; `test_recipe_steps.py` holds the
two together. What a step does stands in `protocols/die_steps.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from .recipe_units import Ohms, Seconds, Share, Volts

if TYPE_CHECKING:
    from .engine.data_sources import DataRequest

Scheme = Literal["grounded", "floating", "V/2", "V/3", "rows floating"]
WriteScheme = Literal["V/2", "V/3", "floating", "grounded", "gated"]
Measure = Literal["loop", "bias", "write_errors", "read_disturb", "switching"]
Pattern = Literal["checkerboard", "rows", "columns", "random", "all P", "all AP"]
Word = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    WithJsonSchema({"type": ["string", "number"]}),
]
"""A name that may look like a number, such as that of a digit."""
Cell = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class Step(BaseModel):
    """What every step has.

    Attributes:
        name: what its results are called; the kind of the step if left out. Two steps of a recipe need two names.

    Of each kind:
        tests: what it can be judged by -> SI unit ("" for a count, "%" for a share).
        reads, sets, resets, widths: which parameters are a read bias, an amplitude towards P or AP, a pulse's width.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tests: ClassVar[Mapping[str, str]] = {}
    reads: ClassVar[tuple[str, ...]] = ()
    sets: ClassVar[tuple[str, ...]] = ()
    resets: ClassVar[tuple[str, ...]] = ()
    widths: ClassVar[tuple[str, ...]] = ()
    needs_bench: ClassVar[bool] = True

    step: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)

    @property
    def label(self) -> str:
        """What its results are called."""
        return self.name or self.step


class CheckStep(Step):
    """The morning check: who the instruments are, calibration; path, leakage and contact of every line."""

    tests = {"bad_instruments": "", "bad_lines": ""}

    step: Literal["check"]


class ContactStep(Step):
    """A few cells on every line: does each line conduct?

    Attributes:
        stops: if a line is silent, the steps after it are left out.
    """

    tests = {"silent_lines": ""}
    reads = ("read_volts",)

    step: Literal["contact"]
    read_volts: Volts = Field(default=0.1, gt=0)
    stops: bool = True


class ReadStep(Step):
    """Every cell in the state it is in, with an uncertainty; see `protocols/readout_settings.py` for the parameters."""

    tests = {
        "median_siemens": "S",
        "least_siemens": "S",
        "most_siemens": "S",
        "sigma_siemens": "S",
        "unread_cells": "",
    }
    reads = ("read_volts",)

    step: Literal["read"]
    read_volts: Volts = Field(default=0.1, gt=0)
    scheme: Scheme | None = None
    both_polarities: bool = True
    readings: int = Field(default=2, ge=2, le=1000)
    wanted: Share | None = Field(default=None, gt=0)
    most_readings: int = Field(default=64, ge=2, le=10_000)
    segment_ohms: Ohms | None = Field(default=None, ge=0)
    line_ohms: Ohms = Field(default=0.0, ge=0)


def _refuse_large_step(step_volts: float, most_volts: float) -> None:
    if step_volts > most_volts:
        raise PydanticCustomError(
            "order",
            "step_volts of {step} V is larger than the highest amplitude of {most} V",
            {"step": step_volts, "most": most_volts, "key": "step_volts", "remedy": "Lower step_volts"},
        )


class Pulsing(Step):
    """Amplitudes and width of write pulses; see `protocols/write_settings.py`."""

    reads = ("read_volts",)
    sets = ("set_volts", "most_volts")
    resets = ("reset_volts", "most_volts")
    widths = ("pulse_seconds",)

    read_volts: Volts = Field(default=0.1, gt=0)
    set_volts: Volts = Field(default=0.44, gt=0)
    reset_volts: Volts = Field(default=0.56, gt=0)
    step_volts: Volts = Field(default=0.04, gt=0)
    most_volts: Volts = Field(default=0.84, gt=0)
    pulse_seconds: Seconds = Field(default=5e-3, gt=0)

    @model_validator(mode="after")
    def _highest_is_highest(self) -> Pulsing:
        first = max("set_volts", "reset_volts", key=lambda name: getattr(self, name))
        if self.most_volts < getattr(self, first):
            raise PydanticCustomError(
                "order",
                "the first amplitude of {first} V is above most_volts, {most} V",
                {
                    "first": getattr(self, first),
                    "most": self.most_volts,
                    "key": first if first in self.model_fields_set else "most_volts",
                    "remedy": f"Lower {first}, or raise most_volts within the device's limits",
                },
            )
        _refuse_large_step(self.step_volts, self.most_volts)
        return self

    def pulses(self) -> dict[str, Any]:
        """These parameters, as `WriteSettings` takes them."""
        return {name: getattr(self, name) for name in ("set_volts", "reset_volts", "step_volts", "most_volts")} | {
            "pulse_seconds": self.pulse_seconds
        }


class ClassifyStep(Pulsing):
    """Both states of every cell, and what is wrong with cells and lines.

    Attributes:
        how: "thorough" looks five times and half-selects every cell; "quick" writes each cell to P and to AP once;
            "columns" writes whole columns by one pulse each, see `protocols/survey_chip_kernel.py`.
        repeats: readings at each polarity whenever the array is looked at, of the thorough way and by columns; with
            one, a cell that jumps between readings is told by its two polarities only.
        exposures: of the thorough way, see `protocols/classify_reads.py`.
    """

    tests = {
        "healthy_share": "%",
        "defects": "",
        **dict.fromkeys(
            ("short", "open", "stuck_p", "stuck_ap", "unstable", "low_tmr", "disturbed", "line_open", "line_short"), ""
        ),
        "median_p_siemens": "S",
        "median_ap_siemens": "S",
        "on_off_siemens": "S",
        "tmr": "%",
    }

    step: Literal["classify"]
    how: Literal["thorough", "quick", "columns"] = "thorough"
    repeats: int = Field(default=2, ge=1, le=100)
    exposures: int = Field(default=5, ge=1, le=100)

    @model_validator(mode="after")
    def _nothing_is_overlooked(self) -> ClassifyStep:
        """Says so where a field is given that the chosen way does not heed."""
        ways = {"repeats": ("thorough", "columns"), "exposures": ("thorough",)}
        for name in sorted(self.model_fields_set & set(ways)):
            if self.how not in ways[name]:
                raise PydanticCustomError(
                    "unheeded",
                    "the way '{how}' has no {name}",
                    {
                        "how": self.how,
                        "name": name,
                        "key": name,
                        "remedy": f"Leave {name} out, or choose how: {' or '.join(ways[name])}",
                    },
                )
        return self


class CharacterizeStep(Step):
    """Single cells in depth.

    Attributes:
        cells: so many, spread over the array, or [row, column] of each.
        measure: what; see `protocols/characterize_*.py`.
        most_volts, least_volts, step_volts, pulse_seconds: of the loop of pulses.
        set_volts, reset_volts: what brings a cell into either state nearly always; also the pulses whose errors are
            counted.
        bias_volts: at which TMR is measured.
        writes: of each kind of pulse, for the errors.
        readings: in each state, for the read disturb.
        switching_volts, switching_pulses: range of amplitudes towards P to choose from, and how many pulses are given,
            for Delta and V_c0; those that bring the cell back not counted.
    """

    tests = {
        "cells_measured": "",
        "cells_refused": "",
        "to_p_volts": "V",
        "to_ap_volts": "V",
        "loop_tmr": "%",
        "tmr0": "%",
        "volts_half": "V",
        "write_error_rate": "%",
        "read_disturb_rate": "%",
        "delta": "",
        "critical_volts": "V",
    }
    reads = ("read_volts",)
    sets = ("most_volts", "set_volts")
    resets = ("least_volts", "reset_volts")
    widths = ("pulse_seconds",)

    step: Literal["characterize"]
    cells: Annotated[int, Field(ge=1, le=1000)] | Annotated[list[Cell], Field(min_length=1, max_length=1000)] = 3
    measure: list[Measure] = Field(default=["loop"], min_length=1)
    read_volts: Volts = Field(default=0.1, gt=0)
    most_volts: Volts = Field(default=0.6, gt=0)
    least_volts: Volts = Field(default=-0.75, lt=0)
    step_volts: Volts = Field(default=0.05, gt=0)
    pulse_seconds: Seconds = Field(default=5e-3, gt=0)
    set_volts: Volts = Field(default=0.6, gt=0)
    reset_volts: Volts = Field(default=-0.76, lt=0)
    bias_volts: list[Volts] = Field(default=[0.05, 0.1, 0.15, -0.25], min_length=3, max_length=100)
    writes: int = Field(default=20, ge=1, le=1_000_000)
    readings: int = Field(default=200, ge=1, le=1_000_000)
    switching_volts: Annotated[list[Volts], Field(min_length=2, max_length=2)] = [0.3, 0.6]
    switching_pulses: int = Field(default=60, ge=10, le=100_000)

    @model_validator(mode="after")
    def _has_small_steps(self) -> CharacterizeStep:
        _refuse_large_step(self.step_volts, min(self.most_volts, -self.least_volts))
        least, most = self.switching_volts
        if not 0 < least < most:
            raise PydanticCustomError(
                "order",
                "switching_volts of {least} V to {most} V is no range",
                {"least": least, "most": most, "key": "switching_volts", "remedy": "Write [least, most], both above 0"},
            )
        return self


class TrainStep(Step):
    """Networks trained for this die's map; the one that the map predicts the best for is kept.

    Attributes:
        data: wine, digits (8 x 8 pixels), mnist (7 x 7), or the path of a CSV file with a row of headings.
        labels: column of the CSV file that has the classes; the last one if left out.
        inputs: only so many features, those that tell the classes apart best.
        classes: only these.
        samples: so many held-out samples are run on the array later on; of Wine, all.
        folder, download: where MNIST is, and whether it may be fetched, see `mtjlab/engine/images.py`.
        hidden: width of the layer between inputs and classes.
        aware: "hardware" trains with the conductances of the very cells that the network goes onto.
        map: an earlier run's `maps/both_states.npz`; the map of the step `classify` before if left out.
    """

    tests = {"software_accuracy": "%", "planned_accuracy": "%"}
    needs_bench = False

    step: Literal["train"]
    data: str = Field(default="wine", min_length=1)
    labels: str | None = None
    inputs: int | None = Field(default=None, ge=1)
    classes: list[Word] | None = Field(default=None, min_length=2)
    samples: int = Field(default=100, ge=1, le=10_000)
    folder: str | None = None
    download: bool = False
    hidden: int = Field(default=6, ge=1, le=1000)
    aware: Literal["ideal", "hardware"] = "ideal"
    solutions: int = Field(default=32, ge=1, le=1000)
    epochs: int = Field(default=4000, ge=1, le=1_000_000)
    seed: int = Field(default=0, ge=0)
    input_bits: int = Field(default=5, ge=1, le=12)
    hidden_bits: int = Field(default=4, ge=1, le=12)
    map: str | None = None

    def request(self, beside: Callable[[str], Path]) -> DataRequest:
        """Which data that is; `beside` gives the path of a file that the recipe names."""
        from .engine.data_sources import NAMES, DataRequest

        return DataRequest(
            data=self.data if self.data in NAMES else str(beside(self.data)),
            labels=self.labels or "",
            seed=self.seed,
            inputs=self.inputs,
            classes=tuple(self.classes or ()),
            samples=self.samples,
            folder="" if self.folder is None else str(beside(self.folder)),
            may_download=self.download,
        )


class WriteStep(Pulsing):
    """A pattern written with verification; see `protocols/write_settings.py`.

    Attributes:
        pattern: by name; or the path of a .npy or text file of 0 (AP), 1 (P) and -1 (leave it) for every cell.
        seed: of a random pattern.
        map: as for `train`.
    """

    tests = {"fidelity": "%", "unwritten_cells": "", "mended_cells": "", "pulses": ""}

    step: Literal["write"]
    pattern: Pattern | str = "checkerboard"
    seed: int = Field(default=0, ge=0)
    passes: int = Field(default=8, ge=0, le=100)
    scheme: WriteScheme | None = None
    by_row: bool | None = None
    searched_cells: int = Field(default=0, ge=0, le=1000)
    map: str | None = None


class InferStep(Pulsing):
    """The trained network written layer by layer, each run on the array with all samples.

    Attributes:
        network: an earlier run's `network.npz`; the network of the step `train` before if left out.
        map: as for `train`.
        input_bits, hidden_bits: how finely inputs go in.
    """

    tests = {
        "accuracy": "%",
        "accuracy_untuned": "%",
        "predicted_accuracy": "%",
        "software_accuracy": "%",
        "write_fidelity": "%",
    }

    step: Literal["infer"]
    network: str | None = None
    map: str | None = None
    input_bits: int = Field(default=5, ge=1, le=12)
    hidden_bits: int = Field(default=4, ge=1, le=12)


class ReproduceStep(Step):
    """A published system on simulated arrays, as `mtjlab reproduce` does it; needs no bench."""

    needs_bench = False

    step: Literal["reproduce"]
    system: Literal["wine", "mnist"]
    quick: bool = False
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=2, ge=1, le=256)
    download: bool = False


AnyStep = Annotated[
    CheckStep
    | ContactStep
    | ReadStep
    | ClassifyStep
    | CharacterizeStep
    | TrainStep
    | WriteStep
    | InferStep
    | ReproduceStep,
    Field(discriminator="step"),
]
KINDS: dict[str, type[Step]] = {
    "check": CheckStep,
    "contact": ContactStep,
    "read": ReadStep,
    "classify": ClassifyStep,
    "characterize": CharacterizeStep,
    "train": TrainStep,
    "write": WriteStep,
    "infer": InferStep,
    "reproduce": ReproduceStep,
}
"""The steps by the word that a recipe has for them."""
