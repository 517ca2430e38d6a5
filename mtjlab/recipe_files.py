"""Whether what a recipe names can be used: maps and networks of earlier runs, a prober, a wafer drawn by rule.

Looked at before anything moves: a file that turns out to be none after the die has been written costs the die.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import InputError
from .prober import MOST_OVERTRAVEL_METRES
from .recipe import LoadedRecipe
from .recipe_steps import InferStep, TrainStep, WriteStep
from .yaml_files import nearest, refusal

Place = Sequence[int | str]


def named_file_problems(loaded: LoadedRecipe) -> Iterator[InputError]:
    """Maps and networks that are there but cannot be used, in the order of the steps."""
    for number, step in enumerate(loaded.recipe.steps):
        if isinstance(step, TrainStep | WriteStep | InferStep) and step.map is not None:
            yield from _refused(loaded, ["steps", number, "map"], _map_problem(loaded.beside(step.map)))
        if isinstance(step, InferStep) and step.network is not None:
            yield from _refused(loaded, ["steps", number, "network"], _network_problem(loaded.beside(step.network)))


def wafer_problems(loaded: LoadedRecipe, station_file: Path | None) -> Iterator[InputError]:
    """A prober that the station does not have, an overtravel that none may go to, a rule that draws no wafer."""
    part = loaded.recipe.wafer
    if part is None:
        return
    if part.most_overtravel_metres > MOST_OVERTRAVEL_METRES:
        most = f"{MOST_OVERTRAVEL_METRES * 1e6:g} um"
        what = f"is beyond {most}, further than which no prober is driven"
        yield from _refused(loaded, ["wafer", "most_overtravel_metres"], (what, f"Give at most {most}"))
    if part.draw is not None:
        yield from _refused(loaded, ["wafer", "draw"], _draw_problem(loaded))
    if station_file is not None:
        yield from _refused(loaded, ["wafer", "prober"], _prober_problem(part.prober or "prober", station_file))


def _refused(loaded: LoadedRecipe, place: Place, found: tuple[str, str] | None) -> Iterator[InputError]:
    if found is not None:
        what, remedy = found
        yield refusal(f"key '{'.'.join(map(str, place))}' {what}", place, loaded.content, loaded.path, remedy)


def _map_problem(path: Path) -> tuple[str, str] | None:
    import numpy as np

    from .nouns import ArrayMap

    if not path.is_file():
        return None  # told where the steps are looked at
    remedy = "Give the maps/both_states.npz of a run that classified the die"
    try:
        found = ArrayMap.load(path)
    except InputError as error:
        return f"names {path}: {error.what}", remedy
    if not (np.isfinite(found.siemens_p) & np.isfinite(found.siemens_ap)).any():
        return f"names {path}, where no cell was measured in both states", remedy
    return None


def _network_problem(path: Path) -> tuple[str, str] | None:
    from .network_file import PlacedNetwork

    if not path.is_file():
        return None
    try:
        PlacedNetwork.load(path)
    except InputError:
        return f"names {path}, which is no network", "Give the network.npz of a run that trained one"
    return None


def _draw_problem(loaded: LoadedRecipe) -> tuple[str, str] | None:
    from .wafer_map import draw_map

    part = loaded.recipe.wafer
    assert part is not None and part.draw is not None
    try:
        drawn = draw_map(part.name, diameter_metres=part.draw.diameter_metres, pitch_metres=part.draw.pitch_metres)
    except InputError as error:
        return f"draws nothing: {error.what}", error.remedy
    if max(part.draw.pitch_metres) > part.draw.diameter_metres:
        return "has dies that are larger than the wafer", "Correct pitch_metres or diameter_metres"
    for name in ("only", "never"):
        for x, y in getattr(part, name):
            if (x, y) not in drawn:
                return f"has no die ({x}, {y}), which '{name}' names", f"Correct '{name}'"
    return None


def _prober_problem(name: str, station_file: Path) -> tuple[str, str] | None:
    from .station import entries_of

    entries = entries_of(station_file)
    if name in entries:
        return None
    return f"is '{name}', which {station_file} does not have", nearest(name, entries)
