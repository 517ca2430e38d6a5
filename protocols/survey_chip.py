"""Survey a whole chip, kernel by kernel: both states and the status of all its cells, kept as one file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import NO_DIE, ArrayMap, Conditions, Cost, DieId, Floats, Progress, unheard
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .survey_chip_kernel import Survey, SurveySettings, survey_array

_FORMAT = "mtjlab.ChipSurvey/1"
_ARRAYS = ("siemens", "siemens_p", "siemens_ap", "state", "status", "sigma")

Kernels = Iterable[tuple[str, Callable[[], Crossbar]]]
"""Name of each kernel and what opens its Crossbar."""


@dataclass(frozen=True, eq=False)
class ChipSurvey:
    """Maps of all kernels of a chip, all of one shape.

    Attributes:
        die: which.
        maps: kernel -> map of both states with status and uncertainty, in the order in which they were measured.
        found: (kernels, rows, cols), siemens as found, in that order.
        cost: pulses, readings and bench seconds of all together.
    """

    __repr__ = in_short

    die: DieId
    maps: Mapping[str, ArrayMap]
    found: Floats
    cost: Cost

    def save(self, path: Path) -> Path:
        """Write one .npz without pickled objects: (kernels, rows, cols) arrays, a JSON header; returns its path."""
        header = {
            "format": _FORMAT,
            "die": list(self.die),
            "cost": vars(self.cost),
            "kernels": [
                {"name": name, "conditions": vars(m.conditions), "provenance": m.provenance, "is_partial": m.is_partial}
                for name, m in self.maps.items()
            ],
        }
        arrays: dict[str, Any] = {name: np.stack([getattr(m, name) for m in self.maps.values()]) for name in _ARRAYS}
        with path.open("wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), found=self.found, **arrays)
        return path

    @classmethod
    def load(cls, path: Path) -> ChipSurvey:
        """Read what `save` wrote; raises InputError for anything else."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                header = json.loads(str(stored["header"]))
                arrays = {name: stored[name] for name in (*_ARRAYS, "found")}
            if header["format"] != _FORMAT:
                raise ValueError(f"unknown format {header['format']!r}")
            die, kernels = DieId(*header["die"]), header["kernels"]
            maps = {one["name"]: _map(arrays, k, one, die) for k, one in enumerate(kernels)}
            return cls(die, maps, arrays["found"], Cost(**header["cost"]))
        except (OSError, ValueError, KeyError, EOFError, TypeError, IndexError, BadZipFile, zlib.error) as error:
            raise InputError(
                f"not the survey of a chip ({error})", where=str(path), remedy="Give a .npz file that mtjlab wrote"
            ) from error


def _map(arrays: Mapping[str, Any], number: int, one: Mapping[str, Any], die: DieId) -> ArrayMap:
    return ArrayMap(
        **{name: arrays[name][number] for name in _ARRAYS},
        conditions=Conditions(**one["conditions"]),
        die=die,
        provenance=one["provenance"],
        is_partial=one["is_partial"],
    )


def survey_chip(
    kernels: Kernels,
    settings: SurveySettings | None = None,
    *,
    die: DieId = NO_DIE,
    progress: Progress = unheard,
    keep: Callable[[str, ArrayMap], None] | None = None,
) -> ChipSurvey:
    """Open each kernel in turn, survey it and leave it idle.

    Args:
        kernels: name of each and what makes its Crossbar.
        keep: receives each map as it is done, partial if interrupted.
    """
    maps: dict[str, ArrayMap] = {}
    found, cost = [], Cost()
    for name, opened in kernels:
        survey = _one(name, opened(), settings, die, progress, keep)
        maps[name] = replace(survey.known, die=die)
        found.append(survey.found)
        cost = cost + survey.cost
    return ChipSurvey(die, maps, np.stack(found) if found else np.zeros((0, 0, 0)), cost)


def _one(
    name: str,
    crossbar: Crossbar,
    settings: SurveySettings | None,
    die: DieId,
    progress: Progress,
    keep: Callable[[str, ArrayMap], None] | None,
) -> Survey:
    def told(what: str, done: int, total: int) -> None:
        progress(f"{name}: {what}", done, total)

    def kept(known: ArrayMap) -> None:
        if keep:
            keep(name, replace(known, die=die))

    try:
        return survey_array(crossbar, settings, progress=told, keep=kept)
    finally:
        crossbar.idle()
