"""An ArrayMap as a matplotlib plot: a quantity of every cell in colour, defects lettered, unknown cells hatched."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.patches import Patch

from .errors import InputError
from .figures import (
    MAP_AP_COLOUR,
    MAP_P_COLOUR,
    MAP_UNKNOWN_COLOUR,
    STATUS_STYLE,
    STYLE,
    WRONG_COLOUR,
    draw_cells,
)
from .map_words import die_words
from .nouns import ArrayMap, CellStatus, Floats, State
from .yaml_files import nearest

QUANTITIES = {
    "siemens": "G as last read",
    "siemens_p": "G in P",
    "siemens_ap": "G in AP",
    "tmr": "TMR",
    "sigma": "standard uncertainty of G",
    "state": "state",
    "status": "status",
}
_MICRO = 1e6
_TAIL, _FAR = 2.0, 0.6
"""While nobody knows which cells are defective: per cent of them at each end that do not set the scale, and how far
beyond the others, as a share, a cell may lie and still be on it."""
_LETTERED = 40
"""Most rows or columns whose defects are lettered: beyond, a letter is smaller than can be read."""


def plot_map(one: ArrayMap, quantity: str | None = None, *, axes: Axes | None = None) -> Axes:
    """Draw a map.

    Args:
        quantity: one of `QUANTITIES`; None: conductance as last read, or, where nothing was read so, in P.
        axes: where to draw; None: a new figure.

    Raises InputError for a quantity that there is not.
    """
    what = quantity or _default(one)
    if what not in QUANTITIES:
        remedy = nearest(what, QUANTITIES)
        raise InputError(f"there is no quantity {what!r} of a map", where="quantity", remedy=remedy)
    with matplotlib.rc_context(STYLE):
        axes = _new_axes() if axes is None else axes
        if what == "status":
            _draw_status(axes, one)
        elif what == "state":
            _draw_state(axes, one)
        else:
            _draw_values(axes, one, what)
        axes.set_title(_title(one, what), fontsize=9, loc="left")
    return axes


def _default(one: ArrayMap) -> str:
    return "siemens_p" if np.isnan(one.siemens).all() and not np.isnan(one.siemens_p).all() else "siemens"


def _new_axes() -> Axes:
    from matplotlib import pyplot

    _, axes = pyplot.subplots(figsize=(5.2, 4.4), layout="constrained")
    return axes


def _title(one: ArrayMap, what: str) -> str:
    words = [QUANTITIES[what], die_words(one), "partial" if one.is_partial else ""]
    return ", ".join(filter(None, words))


def _draw_values(axes: Axes, one: ArrayMap, what: str) -> None:
    colours = matplotlib.colormaps["viridis"].with_extremes(over=WRONG_COLOUR, under="#1a1a1a")
    values, unit = _values(one, what)
    norm = _norm(values, one, is_log=what != "tmr")
    draw_cells(axes, values, colours, norm)
    _letter(axes, one, values, colours, norm)
    place = axes.inset_axes((1.04, 0.0, 0.05, 1.0))  # as high as the cells, whatever their shape
    beyond = _beyond(values, norm)
    bar = axes.figure.colorbar(ScalarMappable(norm, colours), cax=place, extend=beyond)
    bar.set_label(f"{QUANTITIES[what]} ({unit})")
    if isinstance(norm, LogNorm):
        _few_ticks(bar, norm)


def _values(one: ArrayMap, what: str) -> tuple[Floats, str]:
    """Values in the unit that people read them in; NaN where there is none."""
    if what == "tmr":
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 100 * (one.siemens_p / one.siemens_ap - 1)
        return np.where(np.isfinite(found), found, np.nan), "%"
    return np.asarray(getattr(one, what)) * _MICRO, "µS"


def _norm(values: Floats, one: ArrayMap, *, is_log: bool) -> Normalize:
    """Over the healthy cells, or, where none is known to be, over the middle of all: shorts must not flatten the rest.

    By the logarithm, over those above zero: noise makes the current of an open cell negative.
    """
    usable = np.isfinite(values) & ((values > 0) | (not is_log))
    healthy = usable & (one.status == CellStatus.OK)
    kept = values[healthy] if healthy.any() else values[usable]
    if not kept.size:
        return LogNorm(1.0, 10.0) if is_log else Normalize(0.0, 1.0)
    low, high = float(kept.min()), float(kept.max())
    if not healthy.any():  # most cells are sound: what lies far beyond them is not
        middle_low, middle_high = (float(end) for end in np.percentile(kept, (_TAIL, 100.0 - _TAIL)))
        low, high = max(low, middle_low - _FAR * abs(middle_low)), min(high, middle_high + _FAR * abs(middle_high))
    low, high = low - 0.02 * abs(low), high + 0.02 * abs(high)
    return LogNorm(low, high) if is_log else Normalize(low, high if high > low else low + 1.0)


def _beyond(values: Floats, norm: Normalize) -> str:
    """At which ends of the scale there are cells outside of it."""
    kept = values[np.isfinite(values)]
    low, high = norm.vmin or 0.0, norm.vmax or 0.0
    is_under, is_over = bool((kept < low).any()), bool((kept > high).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max"}.get((is_under, is_over), "both")


def _few_ticks(bar: Any, norm: LogNorm) -> None:
    """Ticks at 1, 2 and 5 of each decade, or, within less than one, at round values: one tick alone says little."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

    low, high = float(norm.vmin or 1.0), float(norm.vmax or 1.0)
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    steps = np.array([1.0, 2.0, 5.0] if high / low < 1e3 else [1.0])
    ticks = np.outer(10.0**decades, steps).ravel()
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    if ticks.size < 3:
        ticks = np.asarray(MaxNLocator(5).tick_values(low, high))
    bar.locator = FixedLocator(ticks[(ticks >= low) & (ticks <= high)].tolist())
    bar.formatter = FuncFormatter(lambda value, _: f"{value:g}")
    bar.minorlocator, bar.minorformatter = NullLocator(), NullFormatter()
    bar.update_ticks()


def _letter(axes: Axes, one: ArrayMap, values: Floats, colours: Colormap, norm: Normalize) -> None:
    if max(one.shape) > _LETTERED:
        return
    for (row, col), status in np.ndenumerate(one.status):
        letter = STATUS_STYLE[CellStatus(int(status))][1]
        if letter and np.isfinite(values[row, col]):
            _write(axes, row, col, letter, colours(norm(max(float(values[row, col]), 1e-12))), max(one.shape))


def _write(axes: Axes, row: int, col: int, letter: str, background: Any, count: int) -> None:
    red, green, blue = matplotlib.colors.to_rgb(background)
    ink = "#1a1a1a" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
    size = min(8.0, 130 / count)
    axes.text(col, row, letter, ha="center", va="center_baseline", color=ink, weight="bold", size=size, clip_on=True)


def _draw_status(axes: Axes, one: ArrayMap) -> None:
    order = list(STATUS_STYLE)
    colours = ListedColormap([STATUS_STYLE[status][0] for status in order])
    places = np.array([order.index(CellStatus(number)) for number in range(len(order))])
    index = places[one.status].astype(float)
    index[one.status == CellStatus.UNREAD] = np.nan
    draw_cells(axes, index, colours, BoundaryNorm(np.arange(len(order) + 1) - 0.5, len(order)))
    if max(one.shape) <= _LETTERED:
        for (row, col), status in np.ndenumerate(one.status):
            colour, letter, _ = STATUS_STYLE[CellStatus(int(status))]
            if letter:
                _write(axes, row, col, letter, colour, max(one.shape))
    counted = [(status, int((one.status == status).sum())) for status in order]
    _legend(axes, [(STATUS_STYLE[one][0], f"{STATUS_STYLE[one][2]}: {count}") for one, count in counted if count])


def _draw_state(axes: Axes, one: ArrayMap) -> None:
    shown = one.state.astype(float)
    shown[one.state == State.UNKNOWN] = np.nan
    draw_cells(axes, shown, ListedColormap([MAP_AP_COLOUR, MAP_P_COLOUR]), BoundaryNorm([-0.5, 0.5, 1.5], 2))
    counts = {state: int((one.state == state).sum()) for state in State}
    kinds = ((State.P, MAP_P_COLOUR, "P"), (State.AP, MAP_AP_COLOUR, "AP"), (State.UNKNOWN, MAP_UNKNOWN_COLOUR, "?"))
    _legend(axes, [(colour, f"{name}: {counts[state]}") for state, colour, name in kinds if counts[state]])


def _legend(axes: Axes, entries: list[tuple[str, str]]) -> None:
    handles = [Patch(facecolor=colour, edgecolor="#6b7785", label=words) for colour, words in entries]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, borderaxespad=0.0)
