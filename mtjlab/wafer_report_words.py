"""What the report of a wafer run says in words: summary, numbers, reasons, where the data come from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime

from .ledger_rows import DieRow
from .provenance_words import provenance_lines
from .wafer_figures import in_units
from .wafer_report_data import WaferData


def orientation(data: WaferData) -> str:
    """How the die numbers lie on the wafer, as the maps are drawn."""
    frame = data.plan.frame
    return "how the numbers lie was not recorded: x is drawn to the right, y up" if frame is None else frame.words


def recipe_text(data: WaferData) -> str:
    """The resolved text, indented where it is JSON."""
    text = data.provenance.recipe_text
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except ValueError:
        return text


def sources_of(data: WaferData) -> list[tuple[str, str]]:
    """(what, what is known of it) of where the data come from."""
    return provenance_lines(data.provenance, datetime.fromtimestamp(data.started_wall).date())


def outliers_by_die(data: WaferData) -> list[tuple[DieRow, list[str]]]:
    """Dies that are outliers, with the parameters that they are of; most first."""
    found = [(row, data.outliers_of(place)) for place, row in enumerate(data.rows)]
    return sorted((pair for pair in found if pair[1]), key=lambda pair: -len(pair[1]))


def die_words(data: WaferData, row: DieRow) -> str:
    """What stands above the picture of a die."""
    name = "" if row.hard_bin is None else f"bin {row.hard_bin} {data.plan.hard_bin_names.get(row.hard_bin, '')}"
    why = row.reason if row.reason != data.plan.hard_bin_names.get(row.hard_bin or 0) else ""
    return f"({row.die.x}, {row.die.y})  {name}" + (f"\n{why[:48]}" if why else "")


def summary_lines(data: WaferData) -> list[str]:
    """What the run came to, for the first page of a PDF."""
    ended = data.state + (f": {data.reason}" if data.reason else "")
    return [
        f"run {data.run_id}, {when(data.started_wall)}, {ended}",
        f"yield {percent(data.yield_fraction)} of {data.binned} dies with a bin",
        f"dies: {', '.join(f'{count} {state}' for state, count in data.states().items())}",
        *(f"first failing {name}: {count}" for name, count in data.first_failing),
        f"{len(data.visits)} visits, {sum(row.touchdowns for row in data.rows)} touch-downs, "
        f"{len(data.retested)} dies probed more than once",
        *_few([f"probed more than once: {_place_text(row)}, {_whys(data, row)}" for row in data.retested]),
        *_few([f"outlier: {_place_text(row)}, {', '.join(names)}" for row, names in outliers_by_die(data)]),
        f"map: {orientation(data)}",
        *_constant_lines(data),
        f"{hours(data.bench_seconds)} of bench time" + " (simulated)" * bool(data.provenance.is_simulated),
    ]


def source_lines(data: WaferData) -> list[str]:
    """Where the data come from, and what nobody knows of it."""
    unknown = ", ".join(data.provenance.unknown()).replace("_", " ")
    lines = [f"{name}: {value}" for name, value in sources_of(data)]
    return [*lines, *([f"not known: {unknown}"] if unknown else [])]


def _few(lines: list[str], most: int = 6) -> list[str]:
    """As many as the first page of a PDF has room for."""
    return lines if len(lines) <= most else [*lines[: most - 1], f"and {len(lines) - most + 1} more, see report.html"]


def _place_text(row: DieRow) -> str:
    return f"({row.die.x}, {row.die.y})"


def _whys(data: WaferData, row: DieRow) -> str:
    reasons = dict.fromkeys(visit.reason for visit in data.visits if visit.die == row.die and visit.reason)
    return "; ".join((f"{row.attempts} visits, {row.touchdowns} touch-downs", *reasons))[:160]


def _constant_lines(data: WaferData) -> list[str]:
    said = []
    for each in data.constant:
        factor, unit = in_units(each.units)
        said.append(f"{each.name} {number_text(float(each.known[0]), factor)} {unit}".strip())
    return [f"the same on every die: {', '.join(said)}"] if said else []


def number_text(value: float, factor: float) -> str:
    """A figure in the unit that people read it in; counts as whole numbers."""
    shown = value * factor
    return f"{shown:.0f}" if shown.is_integer() and abs(shown) < 1e9 else f"{shown:.5g}"


def limits_text(bounds: Sequence[float | None], factor: float) -> str:
    """Lower and upper limit of a figure; "none" where there is none."""
    if all(bound is None for bound in bounds):
        return "none"
    return " to ".join("…" if bound is None else number_text(bound, factor) for bound in bounds)


def percent(value: float) -> str:
    """A share of 1; a dash where there is none."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "–"


def when(wall: float | None) -> str:
    """A moment of the wall clock, in the time zone of this computer; a dash for None."""
    return "–" if wall is None else datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def hours(seconds: float) -> str:
    """Seconds as hours."""
    return f"{seconds / 3600:.2f} h"


def capitalized(text: str) -> str:
    """The same with a capital letter first."""
    return text[:1].upper() + text[1:]
