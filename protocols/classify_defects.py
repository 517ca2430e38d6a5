"""Exercise every cell in both states and tell healthy cells from shorts, opens and stuck ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import LimitError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Floats, Ints, Progress, Site, State, unheard
from mtjlab.roles import Crossbar

from .leave_idle import left_idle
from .readout import READ_VOLTS, Keep, all_sites, nearest_state, read_cell, readout
from .write_verify import WriteSettings, pulse_cell


@dataclass(frozen=True)
class Thresholds:
    """Where the classes part, as ratios to the population's own medians.

    Attributes:
        short: conductance above this many times the median is a short; such a cell gets no pulse.
        open: conductance below this fraction of the median is an open.
        least_ratio: G_P / G_AP below this counts as not having switched.
    """

    short: float = 3.0
    open: float = 0.2
    least_ratio: float = 1.25


def survey(
    crossbar: Crossbar,
    *,
    settings: WriteSettings | None = None,
    thresholds: Thresholds | None = None,
    read_volts: float = READ_VOLTS,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> tuple[ArrayMap, ArrayMap]:
    """Read the die as found, then write every cell to P and to AP and read both; classify the cells.

    A cell that does not tell two states apart gets pulses of rising amplitude before it counts as stuck. Cells end
    in AP as far as they can.

    Returns:
        The map as found (with the states that the classification tells) and the map with both states.
    """
    write, limits = settings or WriteSettings(), thresholds or Thresholds()
    found = readout(crossbar, read_volts=read_volts, progress=progress, keep=keep)
    blank = np.full(crossbar.shape, np.nan)
    p, ap = blank.copy(), blank.copy()
    sites, is_complete = all_sites(crossbar.shape), False
    progress("writing both states", 0, len(sites))
    try:
        with left_idle(crossbar):
            for done, site in enumerate(sites):
                if _is_dead(found.siemens, site, limits):
                    p[site] = ap[site] = found.siemens[site]
                else:
                    p[site], ap[site] = exercise(crossbar, site, write, limits.least_ratio, read_volts)
                progress("writing both states", done + 1, len(sites))
            is_complete = True
    finally:
        known = replace(
            classify_defects(found.siemens, p, ap, found.sigma, found.conditions, limits), is_partial=not is_complete
        )
        if keep:
            keep(known)
    state = nearest_state(found.siemens, known)
    return replace(known, siemens=found.siemens, state=state), known


def exercise(
    crossbar: Crossbar, site: Site, settings: WriteSettings, least_ratio: float, read_volts: float
) -> tuple[float, float]:
    """Pulse one cell towards P and then AP, higher each time until the two differ; returns (G_P, G_AP), siemens."""
    set_volts, reset_volts = settings.amplitudes(State.P), settings.amplitudes(State.AP)
    p = ap = float("nan")
    for attempt in range(max(len(set_volts), len(reset_volts))):
        try:
            pulse_cell(crossbar, site, set_volts[min(attempt, len(set_volts) - 1)], settings.pulse_seconds)
            p = read_cell(crossbar, site, read_volts)
            pulse_cell(crossbar, site, reset_volts[min(attempt, len(reset_volts) - 1)], settings.pulse_seconds)
            ap = read_cell(crossbar, site, read_volts)
        except LimitError:
            if attempt == 0:
                raise
            break
        if p > least_ratio * ap:
            break
    return p, ap


def classify_defects(
    found: Floats,
    siemens_p: Floats,
    siemens_ap: Floats,
    sigma: Floats,
    conditions: Conditions,
    thresholds: Thresholds | None = None,
) -> ArrayMap:
    """Status of every cell from its readings as found and after writing both states.

    Args:
        found, siemens_p, siemens_ap: shape (rows, cols), siemens; NaN where not measured.
    """
    limits = thresholds or Thresholds()
    status = np.full(found.shape, CellStatus.UNREAD, dtype=np.int8)
    measured = ~np.isnan(siemens_p) & ~np.isnan(siemens_ap)
    switches = siemens_p > limits.least_ratio * siemens_ap
    middle = _middle_between_states(siemens_p, siemens_ap, switches & measured, found)
    status[measured & ~switches & (siemens_ap > middle)] = CellStatus.STUCK_P
    status[measured & ~switches & (siemens_ap <= middle)] = CellStatus.STUCK_AP
    status[measured & switches] = CellStatus.OK
    typical = float(np.nanmedian(found))
    status[measured & (siemens_ap > limits.short * typical)] = CellStatus.SHORT
    status[measured & (siemens_p < limits.open * typical)] = CellStatus.OPEN
    return ArrayMap(
        siemens=siemens_ap.copy(),
        siemens_p=siemens_p,
        siemens_ap=siemens_ap,
        state=_state_after_survey(status),
        status=status,
        sigma=sigma,
        conditions=conditions,
    )


def _is_dead(found: Floats, site: Site, limits: Thresholds) -> bool:
    typical = float(np.nanmedian(found))
    return bool(found[site] > limits.short * typical or found[site] < limits.open * typical)


def _middle_between_states(p: Floats, ap: Floats, switches: NDArray[np.bool_], found: Floats) -> float:
    if switches.any():
        return float(np.median(p[switches]) + np.median(ap[switches])) / 2
    return float(np.nanmedian(found))


def _state_after_survey(status: Ints) -> Ints:
    state = np.full(status.shape, State.AP, dtype=np.int8)
    state[(status == CellStatus.STUCK_P)] = State.P
    state[(status == CellStatus.SHORT) | (status == CellStatus.OPEN) | (status == CellStatus.UNREAD)] = State.UNKNOWN
    return state
