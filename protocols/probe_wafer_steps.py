"""Steps of a wafer run: a survey of all arrays of a die, and what a recipe asks for on a die of one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtjlab.map_frame import MapFrame
from mtjlab.nouns import ArrayMap, CellStatus, Floats
from mtjlab.outliers import is_outlier, robust_sigma
from mtjlab.run_plan import DieTest, RunPlan
from mtjlab.wafer_map import Order, WaferMap

from .probe_wafer_parts import BinRules, StepResult, Visit
from .probe_wafer_parts import Step as WaferStep
from .survey_chip import survey_chip
from .survey_chip_kernel import SurveySettings

CONTACT_UNITS: Mapping[str, str] = {"silent_lines": "", "touchdowns": ""}
_COUNTED = tuple(s for s in CellStatus if s not in (CellStatus.OK, CellStatus.UNREAD))
SURVEY_UNITS: Mapping[str, str] = {
    "healthy_share": "%",
    "defects": "",
    **{status.name.lower(): "" for status in _COUNTED},
    "median_p_siemens": "S",
    "median_ap_siemens": "S",
    "spread_p": "%",
    "spread_ap": "%",
    "tail_cells": "",
    "on_off_siemens": "S",
    "tmr": "%",
    "pulses": "",
    "readings": "",
    "bench_seconds": "s",
}
"""What a survey is judged by, and the unit of each figure; "%" stands for a share of 1."""


def survey_step(settings: SurveySettings | None, name: str = "survey") -> WaferStep:
    """Both states and the status of every cell of every array, see `survey_chip`; also kept: what was found first."""

    def run(visit: Visit) -> StepResult:
        survey = survey_chip(visit.arrays, settings, die=visit.die, progress=visit.progress)
        maps = list(survey.maps.values())
        spent = {"pulses": survey.cost.pulses, "readings": survey.cost.readings}
        figures = map_figures(maps) | spent | {"bench_seconds": survey.cost.bench_seconds}
        return StepResult(maps, figures, {"found": survey.found})

    return WaferStep(name, run)


def map_figures(maps: Sequence[ArrayMap]) -> dict[str, float]:
    """What the maps of a die's arrays are judged by; NaN where no cell is healthy."""
    status = np.stack([one.status for one in maps])
    p, ap = (np.stack([getattr(one, name) for one in maps]) for name in ("siemens_p", "siemens_ap"))
    healthy = (status == CellStatus.OK) & np.isfinite(p) & np.isfinite(ap)
    counts = {each.name.lower(): float((status == each).sum()) for each in _COUNTED}
    tails = is_outlier(p[healthy]) | is_outlier(ap[healthy])
    return {
        "healthy_share": float((status == CellStatus.OK).mean()),
        "defects": sum(counts.values()),
        **counts,
        "median_p_siemens": _median(p[healthy]),
        "median_ap_siemens": _median(ap[healthy]),
        "spread_p": robust_sigma(p[healthy]) / _median(p[healthy]),
        "spread_ap": robust_sigma(ap[healthy]) / _median(ap[healthy]),
        "tail_cells": float(tails.sum()),
        "on_off_siemens": _median(p[healthy] - ap[healthy]),
        "tmr": _median(p[healthy] / ap[healthy] - 1),
    }


def wafer_plan(
    dies: WaferMap,
    units: Mapping[str, Mapping[str, str]],
    bins: BinRules,
    *,
    order: Order = "rows_serpentine",
    only: Sequence[tuple[int, int]] = (),
) -> RunPlan:
    """What a run sets out to do.

    Args:
        dies: the wafer's, in the prober's coordinates.
        units: step -> figure -> unit ("%" for a share of 1), in the order of the steps; test numbers count
            from 1000 for the first step, 2000 for the second and so on.
        bins: whose limits become those of the tests.
        order: of the visits.
        only: if any are named, no other dies are probed.

    Raises InputError if no die is left, or one is named that is not on the map.
    """
    for place in only:
        dies.die(*place)
    visits = tuple(dies.die_id(die) for die in dies.route(order) if not only or (die.x, die.y) in only)
    hard, soft = _bin_names(bins)
    limits = {limit.test: (limit.least, limit.most) for limit in reversed(bins.limits)}
    tests = [
        DieTest(1000 * (place + 1) + number, name, step, unit, *limits.get(f"{step}.{name}", (None, None)))
        for place, (step, figures) in enumerate(units.items())
        for number, (name, unit) in enumerate(figures.items())
    ]
    frame = MapFrame.of(dies, visits)
    return RunPlan(dies.lot, dies.wafer, visits, tuple(units), tuple(tests), hard, soft, (bins.good[0],), frame=frame)


def _bin_names(bins: BinRules) -> tuple[dict[int, str], dict[int, str]]:
    hard: dict[int, str] = {}
    soft: dict[int, str] = {}
    for (own_hard, own_soft), name in (
        (bins.good, "good"),
        (bins.unfinished, "not measured"),
        (bins.no_contact, "no contact"),
    ):
        hard[own_hard] = soft[own_soft] = name
    for limit in bins.limits:
        hard.setdefault(limit.hard, limit.name or limit.test)
        soft.setdefault(limit.soft, limit.name or limit.test)
    return hard, soft


def _median(values: Floats) -> float:
    return float(np.median(values)) if values.size else float("nan")
