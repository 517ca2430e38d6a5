"""The steps of a recipe on single cells: characterize a few in depth, write a pattern into all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import ArrayMap, CellStatus, Ints, Pulse, Site, State
from mtjlab.recipe_steps import CharacterizeStep, WriteStep

from .characterize_bias import tmr_against_bias
from .characterize_cell import Drive
from .characterize_loops import loop_facts, pulsed_loop, staircase
from .characterize_read_disturb import read_disturb
from .characterize_switching import switching_adaptively
from .characterize_switching_fit import PulseCounts, SwitchingFit
from .characterize_write_errors import write_errors
from .die_steps import DieContext, StepFound
from .write_lines import WriteScheme
from .write_verify import WriteSettings, write_verify

_FINE = 0.01
"""Relative step of the amplitudes that switching pulses are chosen from."""


def characterized(step: CharacterizeStep, context: DieContext) -> StepFound:
    """Each cell in turn; one that does not switch is counted and left."""
    sites = chosen_cells(step.cells, context.array.shape, context.known)
    cells: list[dict[str, Any]] = []
    for number, site in enumerate(sites):
        context.progress("characterizing cells", number, len(sites))
        cells.append({"cell": list(site), **_cell(step, site, context)})
    context.progress("characterizing cells", len(sites), len(sites))
    refused = sum("refused" in cell for cell in cells)
    numbers = {
        name: _median(cell[name] for cell in cells if name in cell)
        for name in step.tests
        if name not in ("cells_measured", "cells_refused")
    }
    counted = {"cells_measured": float(len(cells) - refused), "cells_refused": float(refused)}
    return StepFound(counted | numbers, details={"cells": cells})


def chosen_cells(cells: int | list[tuple[int, int]], shape: tuple[int, int], known: ArrayMap | None) -> list[Site]:
    """Those named; or so many, spread evenly over the healthy cells of the map, or over all where there is none."""
    if not isinstance(cells, int):
        return [Site(*cell) for cell in cells]
    good = np.ones(shape, dtype=bool) if known is None else known.status == CellStatus.OK
    places = np.argwhere(good if good.any() else np.ones(shape, dtype=bool))
    picked = np.unique(np.linspace(0, len(places) - 1, cells + 2).round().astype(int)[1:-1])
    return [Site(int(row), int(col)) for row, col in places[picked]]


def _cell(step: CharacterizeStep, site: Site, context: DieContext) -> dict[str, Any]:
    found: dict[str, Any] = {}
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "loop": lambda: _loop(step, site, context),
        "bias": lambda: _bias(step, site, context),
        "write_errors": lambda: _write_errors(step, site, context),
        "read_disturb": lambda: _read_disturb(step, site, context),
        "switching": lambda: _switching(step, site, context),
    }
    try:
        for name in step.measure:
            found |= measures[name]()
    except InstrumentError as error:
        if not error.where.startswith("cell "):
            raise
        found["refused"] = error.what  # a cell without two states is something found, not a fault
    return found


def _loop(step: CharacterizeStep, site: Site, context: DieContext) -> dict[str, Any]:
    loop = pulsed_loop(
        context.array,
        site,
        staircase(step.most_volts, step.least_volts, step.step_volts),
        pulse_seconds=step.pulse_seconds,
        read_volts=step.read_volts,
        **_common(context),
    )
    facts = loop_facts(loop.drive, loop.siemens)
    points = {
        "loop_volts": loop.drive.tolist(),
        "loop_siemens": loop.siemens.tolist(),
        "loop_ending": loop.ending.reason,
    }
    return {"to_p_volts": facts.to_p, "to_ap_volts": facts.to_ap, "loop_tmr": facts.tmr, **points}


def _bias(step: CharacterizeStep, site: Site, context: DieContext) -> dict[str, Any]:
    curve = tmr_against_bias(context.array, site, step.bias_volts, drive=_drive(step), **_common(context))
    points = {
        "bias_volts": curve.volts.tolist(),
        "bias_siemens_p": curve.siemens_p.tolist(),
        "bias_siemens_ap": curve.siemens_ap.tolist(),
        "bias_ending": curve.ending.reason,
    }
    fit = {} if curve.fit is None else {"tmr0": curve.fit.tmr0.value, "volts_half": curve.fit.volts_half.value}
    return fit | points


def _write_errors(step: CharacterizeStep, site: Site, context: DieContext) -> dict[str, Any]:
    drive = _drive(step)
    pulses = [drive.set_pulse, drive.reset_pulse]
    found = write_errors(context.array, site, pulses, most_writes=step.writes, drive=drive, **_common(context))
    counts = [{"volts": one.pulse.volts, "writes": one.writes, "errors": one.errors} for one in found.counts]
    rates = [one.rate().value for one in found.counts if one.writes]
    return {"write_error_rate": max(rates, default=np.nan), "writes": counts, "writes_ending": found.ending.reason}


def _read_disturb(step: CharacterizeStep, site: Site, context: DieContext) -> dict[str, Any]:
    found = read_disturb(
        context.array, site, [step.read_volts], readings=step.readings, drive=_drive(step), **_common(context)
    )
    rates = [one.per_reading().value for one in found.counts if one.readings]
    counts = [{"state": one.state.name, "readings": one.readings, "disturbs": one.disturbs} for one in found.counts]
    return {"read_disturb_rate": max(rates, default=np.nan), "disturbs": counts, "disturb_ending": found.ending.reason}


def _switching(step: CharacterizeStep, site: Site, context: DieContext) -> dict[str, Any]:
    """From AP towards P, each pulse chosen by those before: where and how steeply it switches says Delta and V_c0."""
    least, most = step.switching_volts
    found = switching_adaptively(
        context.array,
        site,
        State.P,
        np.geomspace(least, most, 1 + round(np.log(most / least) / _FINE)).tolist(),
        [step.pulse_seconds],
        most_pulses=step.switching_pulses,
        drive=_drive(step),
        **_common(context),
    )
    counts, fit = found.counts, found.fit
    points = {"volts": counts.volts.tolist(), "given": counts.given.tolist(), "switched": counts.switched.tolist()}
    known = {"switching": points | {"seconds": step.pulse_seconds}, "switching_ending": found.ending.reason}
    return known if fit is None else known | _fitted(counts, fit)


def _fitted(counts: PulseCounts, fit: SwitchingFit) -> dict[str, Any]:
    """Delta and V_c0 with their intervals, and the fitted curve to be drawn."""
    volts = np.linspace(0.8 * counts.volts.min(), 1.15 * counts.volts.max(), 61)
    none = np.zeros(volts.size, dtype=np.int64)
    fine = PulseCounts(volts, np.full(volts.size, counts.seconds[0]), none, none)
    delta, volts_c0 = np.array([fit.delta.value]), np.array([fit.volts_c0.value])
    return {
        "delta": fit.delta.value,
        "critical_volts": fit.volts_c0.value,
        "switching_fit": {
            "volts": volts.tolist(),
            "probability": fine.probabilities(delta, volts_c0, fit.damping_seconds)[0].tolist(),
            "delta": [fit.delta.low, fit.delta.high],
            "critical_volts": [fit.volts_c0.low, fit.volts_c0.high],
            "chance": fit.chance,
        },
    }


def _drive(step: CharacterizeStep) -> Drive:
    width = step.pulse_seconds
    return Drive(Pulse(step.set_volts, width), Pulse(step.reset_volts, width), step.read_volts)


def _common(context: DieContext) -> dict[str, Any]:
    return {"is_stopped": context.is_stopped, "progress": context.progress}


def written(step: WriteStep, context: DieContext) -> StepFound:
    """A pattern, with verification."""
    known = context.map_for(step.map)
    settings = WriteSettings(
        **step.pulses(),
        passes=step.passes,
        scheme=None if step.scheme is None else WriteScheme(step.scheme),
        by_row=step.by_row,
        searched_cells=step.searched_cells,
    )
    target = pattern(step.pattern, context.array.shape, step.seed, context.beside)
    done = write_verify(
        context.array,
        target,
        known,
        settings=settings,
        read_volts=step.read_volts,
        is_stopped=context.is_stopped,
        progress=context.progress,
        keep=lambda one: context.keep(f"{step.label}_written" if step.name else "written", one),
    )
    context.known = done.written
    numbers = {
        "fidelity": done.fidelity,
        "unwritten_cells": float(len(done.unwritten)),
        "mended_cells": float(done.mended),
        "pulses": float(done.cost.pulses),
    }
    details = {
        "wanted": target.tolist(),
        "scheme": done.scheme.value,
        "unwritten": [list(site) for site in done.unwritten],
        "joules": done.joules,
    }
    return StepFound(numbers, done.reason, details)


def pattern(name: str, shape: tuple[int, int], seed: int, beside: Callable[[str], Path]) -> Ints:
    """State per cell, (rows, cols): one of the patterns by name, or a file of 0, 1 and -1."""
    row, col = np.indices(shape)
    known: dict[str, NDArray[Any]] = {
        "checkerboard": (row + col) % 2,
        "rows": row % 2,
        "columns": col % 2,
        "random": np.random.default_rng(seed).integers(0, 2, shape),
        "all P": np.full(shape, State.P),
        "all AP": np.full(shape, State.AP),
    }
    if name in known:
        return np.asarray(known[name], dtype=np.int8)
    return _pattern_file(beside(name), shape)


def _pattern_file(path: Path, shape: tuple[int, int]) -> Ints:
    remedy = f"Give {shape[0]} rows of {shape[1]} numbers 0 (AP), 1 (P) or -1 (leave it)"
    try:
        is_npy = path.suffix == ".npy"
        values = np.load(path, allow_pickle=False) if is_npy else np.loadtxt(path, delimiter=_delimiter(path), ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"is no pattern ({error})", where=str(path), remedy=remedy) from error
    if values.shape != shape or not np.isin(values, [-1, 0, 1]).all():
        raise InputError(f"is no pattern of {shape[0]} x {shape[1]} cells", where=str(path), remedy=remedy)
    return np.asarray(values, dtype=np.int8)


def _delimiter(path: Path) -> str | None:
    return "," if path.suffix.lower() == ".csv" else None


def _median(values: Iterable[float]) -> float:
    seen = [value for value in values if np.isfinite(value)]
    return float(np.median(seen)) if seen else float("nan")
