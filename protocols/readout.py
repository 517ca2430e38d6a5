"""Read conductances: one selected row at the read voltage, all other lines grounded, one column sensed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from mtjlab.errors import InstrumentError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Floats, Ints, Line, Lines, Progress, Site, State, unheard
from mtjlab.roles import Crossbar

READ_VOLTS = 0.1
"""Default read bias (assumption: about a quarter of the lowest switching voltage at millisecond pulses)."""
_NOISE_READINGS = 8
_FIXED_STATES = {
    CellStatus.STUCK_P: State.P,
    CellStatus.STUCK_AP: State.AP,
    CellStatus.SHORT: State.UNKNOWN,
    CellStatus.OPEN: State.UNKNOWN,
}

Keep = Callable[[ArrayMap], None]
"""Receives the map that a protocol has so far, when it ends and also when it is interrupted."""


def read_cell(crossbar: Crossbar, site: Site, read_volts: float = READ_VOLTS) -> float:
    """Conductance of one cell, siemens: the change of the column's current between 0 V and `read_volts` on its row.

    The difference removes the offsets of sources and ammeter; no relay moves between the two readings. Infinite if
    the ammeter was off scale.
    """
    at_zero = read_amps(crossbar, site, 0.0)
    return (read_amps(crossbar, site, read_volts) - at_zero) / read_volts


def read_amps(crossbar: Crossbar, site: Site, read_volts: float) -> float:
    """Current into the site's column with only its row driven, amps; infinite if off scale."""
    lines = Lines.selecting(crossbar.shape, site, read_volts, 0.0)
    reading = crossbar.measure(lines, [Line("col", site.col)])[0]
    return float("inf") if reading.is_overflow else reading.amps


def readout(
    crossbar: Crossbar,
    *,
    read_volts: float = READ_VOLTS,
    sites: Iterable[Site] | None = None,
    reference: ArrayMap | None = None,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> ArrayMap:
    """Read every cell (or `sites`) in the state it is in.

    Args:
        reference: a map with both states; with it the state of each cell is told by the nearer of its two.
        keep: receives the map, partial if the protocol is interrupted.

    Returns:
        A map whose `siemens` holds what was read. Without a reference state and status stay unknown.
    """
    wanted = list(sites) if sites is not None else all_sites(crossbar.shape)
    siemens = np.full(crossbar.shape, np.nan)
    is_complete = False
    progress("reading", 0, len(wanted))
    try:
        noise = read_noise(crossbar, wanted[0], read_volts) if wanted else float("nan")
        for done, site in enumerate(wanted):
            siemens[site] = read_cell(crossbar, site, read_volts)
            progress("reading", done + 1, len(wanted))
        is_complete = True
    finally:
        result = _as_map(siemens, noise if is_complete else np.nan, read_volts, reference, not is_complete)
        if keep:
            keep(result)
    return result


def read_noise(crossbar: Crossbar, site: Site, read_volts: float) -> float:
    """Standard uncertainty of one `read_cell`, siemens, from the scatter of repeated readings of one cell."""
    repeated = np.array([read_amps(crossbar, site, read_volts) for _ in range(_NOISE_READINGS)])
    if not np.isfinite(repeated).all():
        return float("nan")
    return float(repeated.std(ddof=1) * np.sqrt(2) / read_volts)


def all_sites(shape: tuple[int, int]) -> list[Site]:
    """Every site, row by row."""
    return [Site(i, j) for i in range(shape[0]) for j in range(shape[1])]


def check_contact(crossbar: Crossbar, read_volts: float = READ_VOLTS, progress: Progress = unheard) -> None:
    """Read three cells on every line; raises InstrumentError naming the lines on which none of them conducts."""
    rows, cols = crossbar.shape
    silent: list[Line] = []
    probes = {Line("row", i): [Site(i, (i + k) % cols) for k in range(3)] for i in range(rows)}
    probes |= {Line("col", j): [Site((j + k) % rows, j) for k in range(3)] for j in range(cols)}
    seen: dict[Site, float] = {}
    for done, (line, sites) in enumerate(probes.items()):
        progress("checking contact", done, len(probes))
        for site in sites:
            if site not in seen:
                seen[site] = abs(read_cell(crossbar, site, read_volts))
        if max(seen[site] for site in sites) < 1e-6:
            silent.append(line)
    progress("checking contact", len(probes), len(probes))
    if silent:
        names = ", ".join(f"{line.axis} {line.number}" for line in silent)
        raise InstrumentError(
            f"no current on {names}",
            where="contact check",
            remedy="Re-land the probes or check the cable of these lines",
        )


def _as_map(siemens: Floats, noise: float, read_volts: float, reference: ArrayMap | None, is_partial: bool) -> ArrayMap:
    blank = np.full(siemens.shape, np.nan)
    unknown = np.full(siemens.shape, State.UNKNOWN, dtype=np.int8)
    unread = np.full(siemens.shape, CellStatus.UNREAD, dtype=np.int8)
    return ArrayMap(
        siemens=siemens,
        siemens_p=reference.siemens_p if reference else blank,
        siemens_ap=reference.siemens_ap if reference else blank,
        state=nearest_state(siemens, reference) if reference else unknown,
        status=reference.status if reference else unread,
        sigma=np.where(np.isnan(siemens), np.nan, noise),
        conditions=Conditions(read_volts),
        is_partial=is_partial,
    )


def nearest_state(siemens: Floats, reference: ArrayMap) -> Ints:
    """State each cell is in: of a cell that switches, told by the middle between its two conductances.

    A stuck cell is in its one state; shorts, opens and cells without both conductances are UNKNOWN.
    """
    middle = (reference.siemens_p + reference.siemens_ap) / 2
    told = np.where(siemens > middle, State.P, State.AP)
    told = np.where(np.isnan(siemens) | np.isnan(middle), State.UNKNOWN, told)
    for status, state in _FIXED_STATES.items():
        told = np.where(reference.status == status, state, told)
    return np.asarray(told, dtype=np.int8)
