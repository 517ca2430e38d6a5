"""Read conductances: one selected row at the read voltage, all other lines grounded, one column sensed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count

import numpy as np

from mtjlab.errors import InstrumentError
from mtjlab.nouns import (
    ArrayMap,
    CellStatus,
    Conditions,
    Floats,
    Ints,
    Line,
    Lines,
    Progress,
    Reading,
    Site,
    State,
    unheard,
)
from mtjlab.roles import Crossbar, LineRead

from .leave_idle import left_idle
from .readout_noise import student_factor

_SILENT_SIEMENS, _SILENT_SHARE = 1e-6, 0.2
READ_VOLTS = 0.1
"""Default read bias (assumption: about a quarter of the lowest switching voltage at millisecond pulses)."""
_NOISE_READINGS = 8
_FIXED_STATES = {
    CellStatus.STUCK_P: State.P,
    CellStatus.STUCK_AP: State.AP,
    CellStatus.SHORT: State.UNKNOWN,
    CellStatus.OPEN: State.UNKNOWN,
    CellStatus.LINE_OPEN: State.UNKNOWN,
}

HeardCell = Callable[[int, float, Reading], None]
Keep = Callable[[ArrayMap], None]
"""Receives the map that a protocol has so far, when it ends and also when it is interrupted."""


def read_cell(crossbar: Crossbar, site: Site, read_volts: float = READ_VOLTS) -> float:
    """Conductance of one cell, siemens: the change of the column's current between 0 V and `read_volts` on its row.

    The difference removes the offsets of sources and ammeter; no relay moves between the two readings. Infinite if
    the ammeter was off scale.
    """
    at_zero, at_volts = crossbar.measure_each(cell_reads(crossbar.shape, site, read_volts))
    return cell_siemens(at_zero, at_volts, read_volts)


def cell_reads(shape: tuple[int, int], site: Site, read_volts: float) -> list[LineRead]:
    """The two readings that `read_cell` takes: at 0 V and at `read_volts`."""
    sense = Line("col", site.col)
    return [LineRead(Lines.selecting(shape, site, volts, 0.0), sense) for volts in (0.0, read_volts)]


def cell_siemens(at_zero: Reading, at_volts: Reading, read_volts: float) -> float:
    """Conductance from these readings, siemens; infinite if the ammeter was off scale."""
    return (amps_of(at_volts) - amps_of(at_zero)) / read_volts


def amps_of(reading: Reading) -> float:
    """Current, amps; infinite if off scale."""
    return float("inf") if reading.is_overflow else reading.amps


def read_cells(
    crossbar: Crossbar,
    sites: Sequence[Site],
    read_volts: float = READ_VOLTS,
    *,
    heard: HeardCell,
    noise_readings: int = 0,
) -> float:
    """`read_cell` of all these sites as one series, which a bench may put into an order of its own.

    Args:
        heard: told of each cell as soon as it has been read: its place in `sites`, siemens, the reading at 0 V.
        noise_readings: so often the first site is read at `read_volts` besides.

    Returns:
        Standard uncertainty by noise of one cell's conductance, from the scatter of those, siemens: 1.96 of it cover
        95 %, few as they are. NaN without them.
    """
    repeated = [cell_reads(crossbar.shape, sites[0], read_volts)[1]] * noise_readings if sites else []
    reads = [read for site in sites for read in cell_reads(crossbar.shape, site, read_volts)]
    zeros: dict[int, Reading] = {}
    tops: dict[int, Reading] = {}
    scatter: list[float] = []

    def take(number: int, reading: Reading) -> None:
        if number < len(repeated):
            scatter.append(amps_of(reading))
            return
        place, is_top = divmod(number - len(repeated), 2)
        (tops if is_top else zeros)[place] = reading
        if place in zeros and place in tops:
            zero = zeros.pop(place)
            heard(place, cell_siemens(zero, tops.pop(place), read_volts), zero)

    crossbar.measure_each([*repeated, *reads], heard=take)
    if len(scatter) < 2 or not np.isfinite(scatter).all():
        return float("nan")
    return float(np.std(scatter, ddof=1) * np.sqrt(2) / abs(read_volts) * student_factor(len(scatter) - 1))


def readout(
    crossbar: Crossbar,
    *,
    read_volts: float = READ_VOLTS,
    sites: Iterable[Site] | None = None,
    reference: ArrayMap | None = None,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> ArrayMap:
    """Read every cell (or `sites`) in the state it is in. Nothing is on at the end.

    Args:
        reference: a map with both states; with it the state of each cell is told by the nearer of its two.
        keep: receives the map, partial if the protocol is interrupted.

    Returns:
        A map whose `siemens` holds what was read. Without a reference state and status stay unknown.
    """
    wanted = list(sites) if sites is not None else all_sites(crossbar.shape)
    siemens = np.full(crossbar.shape, np.nan)
    is_complete, done = False, count(1)

    def keep_cell(place: int, found: float, zero: Reading) -> None:
        del zero
        siemens[wanted[place]] = found
        progress("reading", next(done), len(wanted))

    progress("reading", 0, len(wanted))
    try:
        with left_idle(crossbar):
            noise = read_cells(crossbar, wanted, read_volts, heard=keep_cell, noise_readings=_NOISE_READINGS)
            is_complete = True
    finally:
        result = _as_map(siemens, noise if is_complete else np.nan, read_volts, reference, not is_complete)
        if keep:
            keep(result)
    return result


def all_sites(shape: tuple[int, int]) -> list[Site]:
    """Every site, row by row."""
    return [Site(i, j) for i in range(shape[0]) for j in range(shape[1])]


def check_contact(crossbar: Crossbar, read_volts: float = READ_VOLTS, progress: Progress = unheard) -> None:
    """Raise InstrumentError naming the lines on which nothing conducts; see `silent_lines`."""
    silent = silent_lines(crossbar, read_volts, progress)
    if silent:
        names = ", ".join(f"{line.axis} {line.number}" for line in silent)
        raise InstrumentError(
            f"no current on {names}",
            where="contact check",
            remedy="Re-land the probes or check the cable of these lines",
        )


def silent_lines(crossbar: Crossbar, read_volts: float = READ_VOLTS, progress: Progress = unheard) -> list[Line]:
    """Read three cells on every line; the lines whose three conduct less than a fifth of what is usual on this die.

    Usual is the middle one of all cells read, and the three count together: what a bench reads of a line that leads
    nowhere is noise and offset, which on a board with coarse converters is more than a microsiemens. Cells antiparallel
    among parallel ones conduct enough up to a TMR of 400 %. Numbers are assumptions.
    """
    rows, cols = crossbar.shape
    probes = {Line("row", i): [Site(i, (i + k) % cols) for k in range(3)] for i in range(rows)}
    probes |= {Line("col", j): [Site((j + k) % rows, j) for k in range(3)] for j in range(cols)}
    wanted = list(dict.fromkeys(site for sites in probes.values() for site in sites))
    seen: dict[Site, float] = {}

    def keep_cell(place: int, found: float, zero: Reading) -> None:
        del zero
        seen[wanted[place]] = found
        progress("checking contact", len(seen), len(wanted))

    progress("checking contact", 0, len(wanted))
    with left_idle(crossbar):
        read_cells(crossbar, wanted, read_volts, heard=keep_cell)
    known = [found for found in seen.values() if np.isfinite(found)]
    least = max(_SILENT_SIEMENS, _SILENT_SHARE * float(np.median(known)) if known else 0.0)
    return [line for line, sites in probes.items() if np.mean([seen[site] for site in sites]) < least]


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
