"""What a run's page shows of each step of its recipe: facts, figures and tables, from the stored result and maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from . import figures, figures_cells
from .nouns import ArrayMap, CellStatus, Floats, Ints, State
from .report_characterize import add_cells
from .report_parts import Picture, Section, Table, cut
from .report_words import number_words, step_words, with_micro
from .run_result import StepRow

_MICRO = 1e6


Maps = Mapping[str, ArrayMap]
_TITLES = {
    "check": "Morning check",
    "contact": "Contact",
    "read": "Conductance of every cell",
    "classify": "Both states of every cell, and what is wrong",
    "characterize": "Single cells in depth",
    "train": "Training",
    "write": "Writing",
    "infer": "The network on the array",
}


def sections_of(steps: list[StepRow], asked: list[dict[str, Any]], maps: Maps) -> list[Section]:
    """A section per step that was done.

    Args:
        asked: steps as the recipe has them; those beyond the ones that were done are left out.
        maps: by their names in the run folder.
    """
    found = []
    for number, step in enumerate(steps):
        wanted = asked[number] if number < len(asked) else {"step": step.step}
        title = _TITLES.get(step.step, step.step)
        if step.name not in ("", step.step):
            title = f"{title} ({step.name})"
        facts = [
            (number_words(name), with_micro(step.shown[name])) for name in step.shown if not _is_in_key(step, name)
        ]
        one = Section(f"step-{number + 1}", title, step_words(wanted), step.reason, facts)
        try:
            _BUILDERS.get(step.step, _nothing)(one, step, maps)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            one.problems.append(f"details of this step could not be read ({type(error).__name__})")
        found.append(one)
    partial = {name: one for name, one in maps.items() if one.is_partial}
    return [*found, _unfinished(partial)] if partial else found


def _unfinished(partial: Maps) -> Section:
    """Maps that were being measured when the run ended."""
    words = "Maps that were not finished when the run ended; cells that had not been reached are hatched."
    section = Section(
        "unfinished", "What had been measured of the step that was going on", words, "", [], is_done=False
    )
    for name, one in partial.items():
        title = name.replace("_", " ").capitalize()
        svg = figures.conductance_figure(
            one, _near_the_median(one.siemens), f"Conductance map: {title}, partial", None, f"unfinished-{name}"
        )
        measured = int(np.isfinite(one.siemens).sum())
        section.pictures.append(Picture(title, Markup(svg), f"{measured} of {one.siemens.size} cells."))
    return section


def _nothing(section: Section, step: StepRow, maps: Maps) -> None:
    del section, step, maps


def _is_in_key(step: StepRow, name: str) -> bool:
    """Kinds of defects are counted beside their map."""
    return step.step == "classify" and name.upper() in CellStatus.__members__


def _map_of(step: StepRow, what: str, maps: Maps) -> ArrayMap | None:
    return maps.get(what if step.name in ("", step.step) else f"{step.name}_{what}")


# check and contact


def _check(section: Section, step: StepRow, maps: Maps) -> None:
    del maps
    findings = [(one["what"], one["found"], one["wanted"], _mark(one["is_good"])) for one in step.details["findings"]]
    head = ("What", "Found", "Wanted", "")
    section.tables.append(Table("Instruments", head, findings))
    bad = {line: ", ".join(problems) for line, problems in step.details["lines"].items()}
    if bad:
        section.tables.append(Table("Lines that are not as they should be", ("Line", "Why"), list(bad.items())))
    paths = step.details["paths"]
    rows = [_line_row(one, bad) for one in paths]
    section.tables.append(Table(f"All {len(rows)} lines", ("Line", "Path", "Leak", "Its cells", ""), rows, folded=True))
    drawn = (("path_ohms", 1.0, "Path (ohm)", "Resistance of the path to each line",
              "Two relays and their cables, between two instruments that meet on the line."),
             ("cells_siemens", _MICRO, "Cells of the line (µS)", "What the cells of each line conduct together",
              "A line far below the others makes no contact; one far above has a short."))  # fmt: skip
    for key, scale, axis, title, caption in drawn:
        rows_of, cols_of = (_per_line(paths, axis_name, key, scale) for axis_name in ("row", "col"))
        svg = figures_cells.spread_of_lines_figure(rows_of, cols_of, None, axis, title, f"{section.anchor}-{key}")
        section.pictures.append(Picture(title, Markup(svg), caption, is_wide=True))


def _line_row(one: Mapping[str, Any], bad: Mapping[str, str]) -> tuple[str, ...]:
    path = "open" if one["path_ohms"] is None else f"{one['path_ohms']:.3g} ohm"
    leak = f"{one['leak_siemens'] * 1e9:.3g} nS"
    return one["line"], path, leak, f"{one['cells_siemens'] * _MICRO:.4g} µS", _mark(one["line"] not in bad)


def _per_line(paths: list[dict[str, Any]], axis: str, key: str, scale: float) -> Floats:
    found = [one[key] for one in paths if one["line"].split()[0] == axis]
    return np.array([np.nan if value is None else value * scale for value in found], dtype=np.float64)


def _contact(section: Section, step: StepRow, maps: Maps) -> None:
    del maps
    silent = [(str(line),) for line in step.details["silent"]]
    if silent:
        section.tables.append(Table("Lines on which nothing conducts", ("Line",), silent))


# maps


def _read(section: Section, step: StepRow, maps: Maps) -> None:
    one = _map_of(step, "as_found", maps)
    if one is None:
        section.problems.append("the map of this step is not in the run folder")
        return
    limits = _near_the_median(one.siemens)
    shown = figures.conductance_figure(one, limits, "Conductance map: as read", None, f"{section.anchor}-map")
    measured = int(np.isfinite(one.siemens).sum())
    caption = f"{measured} of {one.siemens.size} cells have a reading; others are hatched. Orange lies above, black "
    caption += "below the scale, which reaches from a quarter of the median to four times the median at most."
    section.pictures.append(Picture("Conductance, cell by cell", Markup(shown), caption))
    svg = figures_cells.histogram_figure(
        one.siemens * _MICRO, "Histogram of the conductance", "Conductance (µS)", f"{section.anchor}-spread"
    )
    mixed = "Cells are in whatever state they were found in: two heaps are the states AP (left) and P (right)."
    section.pictures.append(Picture("Distribution", Markup(svg), mixed, is_wide=True))
    share = 100 * one.sigma / np.abs(one.siemens)
    svg = figures_cells.value_map_figure(
        share, "Map of the uncertainty", "Uncertainty (sigma, % of the value)", f"{section.anchor}-sigma"
    )
    parts = {"noise": "sigma_noise", "instruments": "sigma_instruments", "wires": "sigma_wires", "bias": "sigma_bias"}
    told = [
        "wires not counted"
        if key == "sigma_wires" and one.conditions.segment_ohms is None
        else f"{words} {one.provenance[key] * 1e9:.3g} nS"
        for words, key in parts.items()
        if key in one.provenance
    ]
    caption = f"1.96 sigma cover 95 %. Of the median cell: {', '.join(told)}." if told else "1.96 sigma cover 95 %."
    section.pictures.append(Picture("Uncertainty, cell by cell", Markup(svg), caption))


def _near_the_median(siemens: Floats) -> tuple[float, float]:
    """Ends of a colour scale that shorts and opens do not stretch."""
    known = siemens[np.isfinite(siemens)]
    middle = float(np.median(known)) if known.size else 0.0
    near = known[(known > middle / 4) & (known < middle * 4)]
    if near.size == 0:
        return 0.0, 100e-6
    margin = 0.02 * float(np.ptp(near)) or 0.05 * abs(middle)
    return max(0.0, float(near.min()) - margin), float(near.max()) + margin


def _classify(section: Section, step: StepRow, maps: Maps) -> None:
    both = _map_of(step, "both_states", maps)
    if both is None:
        section.problems.append("the map of both states is not in the run folder")
    else:
        section.pictures += _both_states(both, section.anchor)
        section.status_rows = status_rows(both.status)
    cells = [(str(tuple(one["cell"])), _kind(one["is"]), one["because"]) for one in step.details.get("cells", [])]
    if cells:
        head = ("Cell (row, column)", "Is", "Because of")
        section.tables.append(
            cut(Table("Cells that are not healthy, and what tells so", head, cells, folded=len(cells) > 12))
        )


def _kind(name: str) -> str:
    """A status by its name, in the words of the map beside."""
    known = CellStatus.__members__.get(name.upper())
    return name if known is None else figures.STATUS_STYLE[known][2]


def _both_states(both: ArrayMap, anchor: str) -> list[Picture]:
    status = figures.defect_figure(both.status, "Status of every cell", f"{anchor}-status")
    pictures = [Picture("Status, cell by cell", Markup(status), "Letters are explained below.", has_key=True)]
    for state, values in (("P", both.siemens_p), ("AP", both.siemens_ap)):
        svg = figures_cells.value_map_figure(
            values * _MICRO, f"Conductance in {state}", f"Conductance in {state} (µS)", f"{anchor}-{state.lower()}"
        )
        pictures.append(Picture(f"Conductance in {state}", Markup(svg), "Hatched where there is no reading."))
    good = (both.status == CellStatus.OK) & np.isfinite(both.siemens_p) & np.isfinite(both.siemens_ap)
    if not good.any():
        return pictures
    p, ap = both.siemens_p[good], both.siemens_ap[good]
    svg = figures.spread_figure(both, "Histogram of the conductance in the P and the AP state", f"{anchor}-spread")
    spread = (
        f"{int(good.sum())} healthy cells; relative standard deviation {np.std(p) / np.mean(p):.1%} in P (hatched), "
    )
    spread += f"{np.std(ap) / np.mean(ap):.1%} in AP."
    pictures.append(Picture("Distribution of both states", Markup(svg), spread, is_wide=True))
    svg = figures_cells.histogram_figure(100 * (p / ap - 1), "Histogram of the TMR", "TMR (%)", f"{anchor}-tmr")
    ends = np.percentile(100 * (p / ap - 1), [5, 95])
    caption = f"(G_P - G_AP) / G_AP of the healthy cells; nine of ten lie between {ends[0]:.0f} and {ends[1]:.0f} %."
    pictures.append(Picture("Distribution of the TMR", Markup(svg), caption, is_wide=True))
    return pictures


def status_rows(status: Ints) -> list[tuple[str, str, str, int]]:
    """(colour, letter, words, count) of each status that some cell has, and of healthy ones."""
    found = []
    for one, (colour, letter, words) in figures.STATUS_STYLE.items():
        how_many = int((status == one).sum())
        if how_many or one is CellStatus.OK:
            found.append((colour, letter, words, how_many))
    return found


def _write(section: Section, step: StepRow, maps: Maps) -> None:
    written = _map_of(step, "written", maps)
    if written is None:
        section.problems.append("the map as written is not in the run folder")
        return
    wanted = np.asarray(step.details.get("wanted", []), dtype=np.int8)
    if wanted.shape == written.shape:
        svg = figures.written_figure(wanted, written.state, "State as written", f"{section.anchor}-written")
        asked = wanted != State.UNKNOWN
        wrong = int((asked & (written.state != wanted)).sum())
        caption = (
            f"Dark: P (1), light: AP (0). {int(asked.sum()) - wrong} of {int(asked.sum())} cells were read as wanted"
        )
        caption += "; a cross marks the others." if wrong else "."
        section.pictures.append(Picture("Written against wanted", Markup(svg), caption))
    limits = figures.conductance_limits([written])
    svg = figures.conductance_figure(written, limits, "Conductance map: as written", None, f"{section.anchor}-map")
    section.pictures.append(Picture("Conductance as written", Markup(svg), "Letters mark cells that are not healthy."))
    svg = figures.defect_figure(written.status, "Status of every cell", f"{section.anchor}-status")
    section.pictures.append(Picture("Status, cell by cell", Markup(svg), "Letters are explained below.", has_key=True))
    section.status_rows = status_rows(written.status)
    refused = [(str(tuple(site)),) for site in step.details.get("unwritten", [])]
    if refused:
        section.tables.append(cut(Table("Cells that refused their target", ("Cell (row, column)",), refused)))


def _mark(is_good: bool) -> str:
    return "✓" if is_good else "✕"


def _characterize(section: Section, step: StepRow, maps: Maps) -> None:
    del maps
    add_cells(section, step)


def _train(section: Section, step: StepRow, maps: Maps) -> None:
    del maps
    told = step.details
    aware = "the conductances of its very cells" if told["aware"] == "hardware" else "ideal junctions with spread"
    rows = [
        ("Data", str(told["data"])),
        ("Network", " - ".join(str(size) for size in told["network"])),
        ("Trained with", aware),
        ("Samples trained on", str(told["training_samples"])),
        ("Samples for the array", str(told["samples_on_array"])),
        ("Classes", ", ".join(told["classes"])),
        ("Inputs", ", ".join(told["inputs"])),
    ]
    section.tables.append(Table("Data and network", ("", ""), rows))


_BUILDERS: dict[str, Callable[[Section, StepRow, Maps], None]] = {
    "check": _check,
    "contact": _contact,
    "read": _read,
    "classify": _classify,
    "characterize": _characterize,
    "train": _train,
    "write": _write,
}
