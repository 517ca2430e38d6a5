"""What a run's page shows of single cells: loops, bias dependence, switching probability with its fit, error rates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from markupsafe import Markup

from . import figures_cells
from .report_parts import Picture, Section, Table
from .run_result import StepRow

_MICRO = 1e6


def add_cells(section: Section, step: StepRow) -> None:
    """Everything of a step `characterize`."""
    cells: list[dict[str, Any]] = step.details["cells"]
    for build in (_loops, _biases, _switching):
        section.pictures += build(cells, section.anchor)
    head = ("Cell (row, column)", "To P", "To AP", "TMR at zero bias", "Δ", "V_c0", "Write errors", "Read disturb", "")
    section.tables.append(Table("Every cell", head, [_cell_row(one) for one in cells]))


def _named(cell: dict[str, Any]) -> str:
    return f"cell ({cell['cell'][0]}, {cell['cell'][1]})"


def _having(cells: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [one for one in cells if one.get(key)]


def _loops(cells: list[dict[str, Any]], anchor: str) -> list[Picture]:
    has = _having(cells, "loop_volts")
    if not has:
        return []
    curves = [figures_cells.Curve(_named(c), c["loop_volts"], _micro(c["loop_siemens"])) for c in has]
    svg = figures_cells.loops_figure(curves, "Loop of conductance over pulse amplitude", f"{anchor}-loops")
    caption = "After each pulse the cell is read: it jumps up where it switches to P, down where it switches to AP."
    return [Picture("Loop over pulse amplitude", Markup(svg), caption, is_wide=True)]


def _biases(cells: list[dict[str, Any]], anchor: str) -> list[Picture]:
    has = _having(cells, "bias_volts")
    if not has:
        return []
    p, ap = (
        [figures_cells.Curve(f"{_named(c)}, {words}", c["bias_volts"], _micro(c[key])) for c in has]
        for words, key in (("P", "bias_siemens_p"), ("AP", "bias_siemens_ap"))
    )
    svg = figures_cells.bias_figure(p, ap, "Conductance in both states against bias", f"{anchor}-bias")
    caption = "The gap between the states, and with it the TMR, shrinks as the bias grows."
    return [Picture("Both states against bias", Markup(svg), caption, is_wide=True)]


def _switching(cells: list[dict[str, Any]], anchor: str) -> list[Picture]:
    has = _having(cells, "switching")
    if not has:
        return []
    measured, given, fits = [], [], []
    for cell in has:
        points, fit = cell["switching"], cell.get("switching_fit")
        share = [switched / pulses for switched, pulses in zip(points["switched"], points["given"], strict=True)]
        measured.append(figures_cells.Curve(_named(cell), points["volts"], share))
        given.append(points["given"])
        fits.append(fit and figures_cells.Curve("", fit["volts"], fit["probability"]))
    svg = figures_cells.switching_figure(
        measured, given, fits, "Switching probability against amplitude", f"{anchor}-switching"
    )
    words = "Dots: share of pulses towards P that switched, larger for more pulses. Lines: the fitted probability."
    told = [f"{_named(c)}: {_interval(c)}" for c in has if c.get("switching_fit")]
    return [Picture("Switching probability", Markup(svg), f"{words} {'; '.join(told)}".strip(), is_wide=True)]


def _interval(cell: dict[str, Any]) -> str:
    delta, volts = cell["switching_fit"]["delta"], cell["switching_fit"]["critical_volts"]
    return f"Δ {cell['delta']:.3g} ({_between(delta, 1)}), V_c0 {cell['critical_volts']:.3g} V ({_between(volts, 1)})"


def _between(ends: list[float | None], scale: float) -> str:
    low, high = (("unbounded" if end is None else f"{end * scale:.3g}") for end in ends)
    return f"95 %: {low} to {high}"


def _cell_row(cell: dict[str, Any]) -> tuple[str, ...]:
    def told(key: str, unit: str, scale: float = 1.0, digits: str = ".4g") -> str:
        value = cell.get(key)
        return "–" if value is None else f"{value * scale:{digits}}{unit}"

    return (
        str(tuple(cell["cell"])),
        told("to_p_volts", " V"),
        told("to_ap_volts", " V"),
        told("tmr0", " %", 100),
        told("delta", "", digits=".3g"),
        told("critical_volts", " V", digits=".3g"),
        told("write_error_rate", " %", 100),
        told("read_disturb_rate", " %", 100),
        f"refused: {cell['refused']}" if "refused" in cell else "✓",
    )


def _micro(siemens: Iterable[float | None]) -> list[float]:
    return [np.nan if one is None else one * _MICRO for one in siemens]
