"""An ArrayMap in words: one line for a terminal, a small table with a picture for a notebook."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .nouns import ArrayMap, Floats

_PREFIXES = ((1.0, "S"), (1e-3, "mS"), (1e-6, "uS"), (1e-9, "nS"), (1e-12, "pS"))
_PICTURE_DPI = 72


@dataclass(frozen=True)
class MapSummary:
    """What a map comes to.

    Attributes:
        siemens, siemens_p, siemens_ap: medians of the cells that are not known to be defective; NaN if not measured.
        tmr: median of G_P / G_AP - 1 of the cells with both.
        unread: cells without a reading of any kind.
        counts: cells by status, without those that nothing is known of.
    """

    siemens: float
    siemens_p: float
    siemens_ap: float
    tmr: float
    unread: int
    counts: dict[str, int]


def summary_of(one: ArrayMap) -> MapSummary:
    """The figures that tell a map."""
    from .nouns import CellStatus

    sound = (one.status == CellStatus.OK) | (one.status == CellStatus.UNREAD)
    known = ~np.isnan(one.siemens) | ~np.isnan(one.siemens_p) | ~np.isnan(one.siemens_ap)
    with np.errstate(divide="ignore", invalid="ignore"):
        tmr = np.asarray(one.siemens_p / one.siemens_ap - 1)
    found = ((status.name, int((one.status == status).sum())) for status in CellStatus if status)
    return MapSummary(
        siemens=_median(one.siemens[sound]),
        siemens_p=_median(one.siemens_p[sound]),
        siemens_ap=_median(one.siemens_ap[sound]),
        tmr=_median(tmr[sound]),
        unread=int((~known).sum()),
        counts={_word(name): count for name, count in found if count},
    )


def map_line(one: ArrayMap) -> str:
    """Die, shape, medians, what is wrong, how it was read: the map in one line."""
    found = summary_of(one)
    rows, cols = one.shape
    parts = [f"{rows} x {cols}", die_words(one), *_values(found), *_counts(found), read_words(one)]
    return f"ArrayMap({', '.join(filter(None, parts))}{', PARTIAL' * one.is_partial})"


def map_html(one: ArrayMap) -> str:
    """A table of the same, beside a picture of the cells."""
    found = summary_of(one)
    rows, cols = one.shape
    lines = [
        ("die", die_words(one) or "not told"),
        ("cells", f"{rows} rows x {cols} columns" + (f", {found.unread} not read" if found.unread else "")),
        ("G, P", _siemens(found.siemens_p)),
        ("G, AP", _siemens(found.siemens_ap)),
        ("G, as last read", _siemens(found.siemens)),
        ("TMR", "not measured" if np.isnan(found.tmr) else f"{found.tmr:.0%}"),
        ("cells by status", ", ".join(_counts(found)) or "not classified"),
        ("read", read_words(one).removeprefix("read ")),
    ]
    if one.is_partial:
        lines.append(("partial", "stopped before the whole array was covered"))
    table = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left;max-width:24em">{escape(text.replace("uS", "µS"))}</td></tr>'
        for name, text in lines
    )
    picture = f'<img alt="cells" src="data:image/png;base64,{b64encode(_picture(one)).decode()}">'
    flow = "display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start"
    caption = '<caption style="text-align:left;font-weight:bold">ArrayMap</caption>'
    return f'<div style="{flow}"><table>{caption}{table}</table>{picture}</div>'


def die_words(one: ArrayMap) -> str:
    """Which die; empty where nobody said."""
    from .nouns import NO_DIE

    return "" if one.die == NO_DIE else f"die {one.die.wafer} ({one.die.x}, {one.die.y})".replace("die  ", "die ")


def read_words(one: ArrayMap) -> str:
    """Under which conditions."""
    how = one.conditions
    parts = [f"read at {how.read_volts:g} V", how.scheme]
    parts += ["four-wire"] * how.is_four_wire + ["both polarities"] * (how.polarities == 2)
    parts += [f"{how.kelvin:.5g} K"] if how.kelvin is not None else []
    parts += [f"{how.tesla:.3g} T"] if how.tesla is not None else []
    parts += ["wires taken off"] if how.segment_ohms is not None or how.line_ohms is not None else []
    return ", ".join(parts)


def _values(found: MapSummary) -> list[str]:
    if np.isnan(found.siemens_p) and np.isnan(found.siemens_ap):
        return [f"G {_siemens(found.siemens)}"]
    tmr = [] if np.isnan(found.tmr) else [f"TMR {found.tmr:.0%}"]
    return [f"P {_siemens(found.siemens_p)}", f"AP {_siemens(found.siemens_ap)}", *tmr]


def _counts(found: MapSummary) -> list[str]:
    told = [f"{count} {word}" for word, count in found.counts.items()]
    return [*told, *([f"{found.unread} not read"] if found.unread else [])]


def _siemens(value: float) -> str:
    if np.isnan(value):
        return "not measured"
    scale, unit = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / scale:.4g} {unit}"


def _word(name: str) -> str:
    """ "STUCK_AP" as people write it."""
    return " ".join(word if word in ("P", "AP", "TMR") else word.lower() for word in name.split("_"))


def _median(values: Floats) -> float:
    kept = values[np.isfinite(values)]
    return float(np.median(kept)) if kept.size else float("nan")


def _picture(one: ArrayMap) -> bytes:
    import io

    from matplotlib.figure import Figure

    from .map_plot import plot_map

    figure = Figure(figsize=(3.4, 2.9), layout="constrained")
    plot_map(one, axes=figure.subplots())
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=_PICTURE_DPI)
    return sink.getvalue()
