"""Breakdown ramp: destroys cells that were given up by name, and says what all others had to bear."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.errors import BudgetError, InputError, LimitError
from mtjlab.nouns import Lines, Progress, Site, unheard
from mtjlab.roles import Crossbar

from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped
from .readout import READ_VOLTS

_BROKEN_RATIO = 3.0
"""Conductance over that of the beginning from which on a barrier counts as broken; both states lie within two or so."""


@dataclass(frozen=True)
class Ramped:
    """What became of one cell.

    Attributes:
        site: which.
        volts: at which it broke, or up to which it held; signed, 0 if no pulse was given.
        is_broken: whether it broke.
        siemens: conductance afterwards.
    """

    site: Site
    volts: float
    is_broken: bool
    siemens: float


@dataclass(frozen=True)
class Breakdown:
    """A breakdown ramp.

    Attributes:
        cells: one entry per cell, as far as they were ramped.
        volts_elsewhere: largest magnitude that any cell which was not given up has seen.
        pulses_elsewhere: how many pulses cells on shared lines were half-selected by, at most.
        ending: cost, and why it ended.
    """

    cells: tuple[Ramped, ...]
    volts_elsewhere: float
    pulses_elsewhere: int
    ending: Ending


def breakdown_ramp(
    crossbar: Crossbar,
    sites: Sequence[Site],
    volts: Sequence[float],
    pulse_seconds: float,
    *,
    may_destroy: Collection[Site] = (),
    most_volts_elsewhere: float = 0.5,
    read_volts: float = READ_VOLTS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Breakdown], None] | None = None,
) -> Breakdown:
    """Give each cell pulses of rising voltage, reading after each, until its barrier breaks. This destroys cells.

    Other cells on the same lines see half of the voltage, or a third with all others where the bench has four levels.
    The limits of the device hold: a ramp ends where the Crossbar refuses, which an engineer has to have raised for it.

    Args:
        sites: one after the other.
        volts: amplitudes in the order in which they are given, signed.
        may_destroy: the permission: every cell of `sites` must be named here.
        most_volts_elsewhere: no other cell may see more.

    Raises:
        InputError: before anything is sent, if a cell is not among those that may be destroyed.
        LimitError: before anything is sent, if other cells would see more than `most_volts_elsewhere`.
    """
    share = _share_elsewhere(crossbar)
    _check_permission(sites, volts, may_destroy, share, most_volts_elsewhere)
    run = Run(crossbar, budget, is_stopped, progress)
    found: list[Ramped] = []
    given: list[float] = []

    def act() -> str:
        is_refused = False
        for number, site in enumerate(sites):
            progress("breakdown ramps", number, len(sites))
            is_refused |= _ramp(run, site, volts, pulse_seconds, read_volts, share, found, given)
        progress("breakdown ramps", len(sites), len(sites))
        return "the device's limits ended a ramp" if is_refused else "all ramps are over"

    def result(ending: Ending) -> Breakdown:
        elsewhere = share * max(map(abs, given), default=0.0) if crossbar.shape != (1, 1) else 0.0
        return Breakdown(tuple(found), elsewhere, len(given), ending)

    return run.conclude(act, result, keep)


def _check_permission(
    sites: Sequence[Site], volts: Sequence[float], may_destroy: Collection[Site], share: float, most: float
) -> None:
    allowed = {tuple(site) for site in may_destroy}
    refused = [str(tuple(site)) for site in sites if tuple(site) not in allowed]
    if refused:
        raise InputError(
            f"a breakdown ramp destroys its cell, and nobody has given up {', '.join(refused)}; nothing was sent",
            where="may_destroy",
            remedy="Name the cells that may be destroyed, and no others",
        )
    elsewhere = share * max(map(abs, volts), default=0.0)
    if elsewhere > most * (1 + 1e-9):
        raise LimitError(
            f"other cells would see {elsewhere:.3g} V, {most:g} V are allowed",
            where="most_volts_elsewhere",
            remedy="End the ramp lower, or take a bench with more levels",
        )


def _share_elsewhere(crossbar: Crossbar) -> float:
    """Share of the pulse that half-selected cells see: a third where there are four levels, else half."""
    return 1 / 3 if crossbar.capabilities.levels >= 4 else 1 / 2


def _lines(crossbar: Crossbar, site: Site, volts: float, share: float) -> Lines:
    lines = Lines.selecting(crossbar.shape, site, volts, share * volts)
    lines.col_volts[:] = (1 - share) * volts
    lines.col_volts[site.col] = 0.0
    return lines


def _ramp(
    run: Run,
    site: Site,
    volts: Sequence[float],
    seconds: float,
    read_volts: float,
    share: float,
    found: list[Ramped],
    given: list[float],
) -> bool:
    """Ramp one cell, keeping its record up to date; whether the device's limits ended it."""

    def siemens() -> float:
        return (run.amps(site, read_volts) - run.amps(site, 0.0)) / read_volts

    first = siemens()
    found.append(Ramped(site, 0.0, False, first))
    for amplitude in volts:
        try:
            run.pulse_lines(_lines(run.crossbar, site, amplitude, share), seconds)
        except BudgetError:
            raise
        except LimitError:
            return True
        given.append(amplitude)
        found[-1] = Ramped(site, amplitude, False, np.nan)
        now = siemens()
        found[-1] = Ramped(site, amplitude, now > _BROKEN_RATIO * first, now)
        if found[-1].is_broken:
            return False
    return False
