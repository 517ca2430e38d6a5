"""The report of a wafer run: one HTML file without scripts or links to load, and the same as PDF."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from . import wafer_figures as draw
from . import wafer_pages as pages_of
from .errors import InputError, RecordError
from .figures import STATUS_STYLE
from .ledger_rows import DieRow
from .nouns import ArrayMap, CellStatus, Floats
from .store import open_run
from .stored_run import StoredRun
from .wafer_report_data import Parameter, WaferData, collect, die_name, mosaic, words_of, worst_cells
from .wafer_report_words import (
    capitalized,
    die_words,
    hours,
    limits_text,
    number_text,
    orientation,
    outliers_by_die,
    percent,
    recipe_text,
    source_lines,
    sources_of,
    summary_lines,
    when,
)
from .whole_files import whole_file

_TEMPLATE = Path(__file__).with_name("wafer_report.html.j2")
_MOST_EVENTS = 300
_MOST_OUTLIERS = 60


def write_wafer_report(folder: Path, binning: int | None = None, *, with_pdf: bool = True) -> list[Path]:
    """Write `report.html` and `report.pdf` into the folder of a run; returns their paths.

    Both show a run as it is now, also one that is still going on. Data that are damaged are said to be.

    Args:
        folder: of the run.
        binning: whose bins; None: the newest.

    Raises:
        InputError: there is no run.
        RecordError: it cannot be read, or the disk will not take the files.
    """
    with open_run(folder) as run:
        data = collect(run, binning)
        pictures = _Pictures(run, data)
        written = [_write(folder / "report.html", _page(data, pictures).encode("utf-8"))]
        if with_pdf:
            written.append(_write_pdf(folder / "report.pdf", data, pictures))
    return written


class _Pictures:
    """Maps of the dies, read one after the other so that a large wafer needs no more memory than a die."""

    def __init__(self, run: StoredRun, data: WaferData) -> None:
        self._run, self._data = run, data
        self.what = "Conductance as last read"
        self.limits = self._typical_limits()

    def maps(self, row: DieRow) -> list[ArrayMap] | None:
        """Of a die; None if it has none that can be read."""
        try:
            return self._run.maps(row.die, self._data.map_step) or None
        except (InputError, RecordError):
            return None

    def steps(self, row: DieRow) -> list[tuple[str, str, list[str]]]:
        """Name, why it ended, and what else was kept, of each step of the attempt that counts."""
        run, attempt = self._run, row.attempt
        if attempt is None:
            return []
        kept = [step for step in self._data.plan.steps if run.has_step(attempt, step)]
        said = [
            (step, str(run.details(attempt, step).get("reason", "")), run.names_kept(attempt, step)) for step in kept
        ]
        return [each for each in said if each[1] or each[2]]

    def siemens(self, row: DieRow) -> Floats | None:
        """Conductance in P of a die as one picture; None if there is none."""
        maps = self.maps(row)
        return None if maps is None else mosaic(maps, _shown(maps))

    def _typical_limits(self) -> tuple[float, float]:
        """Of the colour scale, from a die in the middle of the plan that has maps."""
        rows = self._data.rows
        for row in (*rows[len(rows) // 2 :], *rows):
            maps = self.maps(row) if self._data.map_step and row.attempt is not None else None
            if maps:
                self.what = "Conductance in P" if _shown(maps) == "siemens_p" else self.what
                values = np.concatenate([getattr(one, _shown(maps)).ravel() for one in maps])
                known = values[np.isfinite(values)]
                if known.size:
                    low, high = np.percentile(known, [2, 98])
                    return float(low * 0.9), float(high * 1.1 or 1.0)
        return 0.0, 1.0


def _shown(maps: Sequence[ArrayMap]) -> str:
    has_states = any(np.isfinite(one.siemens_p).any() for one in maps)
    return "siemens_p" if has_states else "siemens"


def _write(path: Path, content: bytes) -> Path:
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content)
    return path


def _page(data: WaferData, pictures: _Pictures) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "when": when, "hours": hours, "capitalize_first": capitalized}
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        data=data,
        orientation=orientation(data),
        recipe=recipe_text(data),
        hard=data.bins("hard"),
        soft=data.bins("soft"),
        colours=_colours(data),
        bin_map=Markup(_bin_map(data)),
        parameters=[_parameter(data, each) for each in data.varying],
        constant=[_parameter(data, each) for each in data.constant],
        dies=[_die(data, pictures, place, row) for place, row in enumerate(data.rows)],
        outliers=outliers_by_die(data),
        most_outliers=_MOST_OUTLIERS,
        events=data.told[-_MOST_EVENTS:],
        hidden_events=max(0, len(data.told) - _MOST_EVENTS),
        provenance=sources_of(data),
        unknown=data.provenance.unknown(),
        limits=[siemens * 1e6 for siemens in pictures.limits],
        what=pictures.what,
        status_colours={words_of(each): STATUS_STYLE[each][0] for each in CellStatus},
    )


def _colours(data: WaferData) -> dict[int, str]:
    numbers = [number for number, _, _ in data.bins("hard")]
    return draw.bin_colours(numbers, data.plan.passing_bins)


def _bin_map(data: WaferData) -> str:
    own = _bin_colours(data)
    words = [
        f"({row.die.x}, {row.die.y}): {row.state}" + ("" if row.hard_bin is None else f", hard bin {row.hard_bin}")
        for row in data.rows
    ]
    retested = {row.die for row in data.retested}
    return draw.map_svg(data.layout, own, words, _links(data), [row.die in retested for row in data.rows])


def _bin_colours(data: WaferData) -> list[str]:
    colours = _colours(data)
    return [draw.NONE if row.hard_bin is None else colours[row.hard_bin] for row in data.rows]


def _links(data: WaferData) -> list[str]:
    return [die_name(row.die) for row in data.rows]


def _parameter(data: WaferData, each: Parameter) -> dict[str, Any]:
    factor, unit = draw.in_units(each.units)
    words = [
        f"({x}, {y}): " + (f"{number_text(float(value), factor)} {unit}" if math.isfinite(value) else "not measured")
        for (x, y), value in zip(data.layout.probed, each.values, strict=True)
    ]
    marks = [bool(mark) for mark in each.is_outlier]
    colours = draw.value_colours(each)
    test = each.test
    bounds = [None, None] if test is None else [test.low, test.high]
    return {
        "name": each.name,
        "unit": unit,
        "map": Markup(draw.map_svg(data.layout, colours, words, _links(data), marks)),
        "histogram": Markup(draw.histogram_svg(each)),
        "median": number_text(float(np.median(each.known)), factor),
        "range": f"{number_text(float(each.known.min()), factor)} to {number_text(float(each.known.max()), factor)}",
        "robust": f"{number_text(each.robust[0], factor)} to {number_text(each.robust[1], factor)}",
        "limits": limits_text(bounds, factor),
        "failing": each.failing,
        "dies": each.known.size,
        "outliers": int(each.is_outlier.sum()),
        "number": test.number if test else "",
    }


def _die(data: WaferData, pictures: _Pictures, place: int, row: DieRow) -> dict[str, Any]:
    maps = pictures.maps(row) if data.map_step and row.attempt is not None else None
    figures = [
        (each.name, f"{number_text(float(each.values[place]), factor)} {unit}", bool(each.is_outlier[place]))
        for each in data.parameters
        for factor, unit in [draw.in_units(each.units)]
        if math.isfinite(each.values[place])
    ]
    return {
        "anchor": die_name(row.die),
        "row": row,
        "visits": [visit for visit in data.visits if visit.die == row.die],
        "figures": figures,
        "cells": worst_cells(maps) if maps else {},
        "steps": pictures.steps(row),
        "siemens": None if maps is None else draw.conductance_png(mosaic(maps, _shown(maps)), pictures.limits),
        "status": None if maps is None else draw.status_png(mosaic(maps, "status")),
    }


def _write_pdf(path: Path, data: WaferData, pictures: _Pictures) -> Path:
    from matplotlib.backends.backend_pdf import PdfPages

    colours = _colours(data)
    bins = [
        pages_of.BinKey(colours[number], f"hard bin {number} {name}: {count}")
        for number, name, count in data.bins("hard")
    ]
    title = f"{data.plan.lot} {data.plan.wafer}".strip()
    with (
        whole_file(path) as unfinished,
        unfinished.open("wb") as file,  # a path would get matplotlib's own ending
        PdfPages(file, metadata={"CreationDate": None}) as pages,
    ):
        pages.savefig(pages_of.map_page(title, summary_lines(data), data.layout, _bin_colours(data), bins))
        for figure in pages_of.parameter_pages(data.varying, data.layout):
            pages.savefig(figure)
        for figure in pages_of.die_pages(_pictures_of(data, pictures), pictures.limits, pictures.what):
            pages.savefig(figure)
        for figure in pages_of.text_pages("Where it comes from", source_lines(data)):
            pages.savefig(figure)
    return path


def _pictures_of(data: WaferData, pictures: _Pictures) -> list[tuple[str, Callable[[], Floats | None]]]:
    if not data.map_step:
        return []
    return [(die_words(data, row), partial(pictures.siemens, row)) for row in data.rows if row.attempt is not None]
