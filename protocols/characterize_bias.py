"""TMR against bias: one cell's conductance in both states from small bias to where it would switch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Floats, Progress, Site, State, unheard
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .characterize_bias_fit import TmrFit, fit_tmr
from .characterize_cell import Cell, Drive
from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped
from .characterize_top import TopMeter

_LEAST_BIASES = 3
_PULSE_SECONDS = 1e-3


@dataclass(frozen=True, eq=False)
class BiasCurve:
    """Conductances against bias.

    Attributes:
        volts: biases, in the order in which they were taken.
        siemens_p, siemens_ap: conductance in each state; NaN where it was not measured or the cell left the state.
        fit: TMR_0 and V_h; None if there are too few points.
        ending: cost, and why it ended.
    """

    __repr__ = in_short

    volts: Floats
    siemens_p: Floats
    siemens_ap: Floats
    fit: TmrFit | None
    ending: Ending


def tmr_against_bias(
    crossbar: Crossbar,
    site: Site,
    volts: Sequence[float],
    *,
    drive: Drive | None = None,
    pulse_seconds: float | None = None,
    readings: int = 1,
    path_ohms: float = 0.0,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[BiasCurve], None] | None = None,
) -> BiasCurve:
    """Measure a cell in both states at each bias; beyond the read bias on the tops of pulses.

    After each bias the state is looked at: a point at which the cell left its state does not count, and higher biases
    of that sign are left out in that state.

    Args:
        volts: biases other than 0, either sign.
        pulse_seconds: length of the pulses beyond the read bias; short ones let the bias go further. By default 1 ms,
            or the shortest that the bench makes.
        readings: how many are averaged at each bias.
        path_ohms: series resistance of lines and contacts, for the fit; the conductances contain it.

    Raises InstrumentError if the cell does not switch, LimitError if a bias is beyond the device's limits.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    used, biases = drive or Drive(), np.asarray([v for v in volts if v], dtype=np.float64)
    found = {state: np.full(biases.size, np.nan) for state in (State.AP, State.P)}

    def act() -> str:
        cell = Cell(run, site, used)
        seconds = pulse_seconds or max(_PULSE_SECONDS, crossbar.capabilities.shortest_pulse_seconds)
        meter = TopMeter(run, site, used.read_volts, seconds)
        for part, (state, siemens) in enumerate(found.items()):
            switching = {1.0: np.inf, -1.0: np.inf}
            for done, k in enumerate(np.argsort(np.abs(biases), kind="stable")):
                run.progress("TMR against bias", part * biases.size + done, 2 * biases.size)
                sign = float(np.sign(biases[k]))
                if abs(biases[k]) < switching[sign]:
                    cell.bring(state)
                    value = float(np.mean([meter.siemens(float(biases[k])) for _ in range(readings)]))
                    if cell.look() == state:
                        siemens[k] = value
                    else:
                        switching[sign] = abs(biases[k])
        run.progress("TMR against bias", 2 * biases.size, 2 * biases.size)
        return "all biases were measured, as far as the states held"

    def result(ending: Ending) -> BiasCurve:
        p, ap = found[State.P], found[State.AP]
        both = np.isfinite(p) & np.isfinite(ap)
        is_enough = np.unique(np.abs(biases[both])).size >= _LEAST_BIASES
        fit = fit_tmr(biases, p, ap, path_ohms=path_ohms) if is_enough else None
        return BiasCurve(biases, p, ap, fit, ending)

    return run.conclude(act, result, keep)
