"""Hysteresis loops of one cell: resistance against voltage, quasi-static or after pulses, and against field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Floats, Progress, Site, unheard
from mtjlab.roles import Crossbar, FieldSource
from mtjlab.short_words import in_short

from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped
from .characterize_top import TopMeter
from .readout import READ_VOLTS

_LEAST_JUMP = 0.1
"""A change of conductance between neighbouring points counts as a jump from this share of the smaller one on."""


@dataclass(frozen=True, eq=False)
class Loop:
    """One hysteresis loop.

    Attributes:
        kind: "quasi-static", "pulsed" or "field".
        drive: volts or tesla of each point, in the order in which they were taken.
        siemens: conductance at each point; NaN where it was not measured.
        ending: cost, and why it ended.
    """

    __repr__ = in_short

    kind: str
    drive: Floats
    siemens: Floats
    ending: Ending


@dataclass(frozen=True)
class LoopFacts:
    """What a loop shows; NaN where it shows none of it.

    Attributes:
        to_p, to_ap: volts or tesla, half-way between the points about the largest jump up and down.
        tmr: (G_P - G_AP) / G_AP of the points of smallest drive in either state.
    """

    to_p: float
    to_ap: float
    tmr: float

    @property
    def coercivity(self) -> float:
        """Half of the distance between the jumps."""
        return (self.to_p - self.to_ap) / 2

    @property
    def offset(self) -> float:
        """Middle between the jumps: stray field, if the drive is a field."""
        return (self.to_p + self.to_ap) / 2


def staircase(most: float, least: float, step: float) -> Floats:
    """Drives of a loop: from 0 to `most` (above 0), down to `least` (below 0) and up to `most` again, in equal steps.

    The second way up is there because a cell that begins in P has nothing to show on the first.
    """
    if not (least < 0 < most and step > 0):
        raise InputError("a loop goes from below zero to above it", remedy="Give most > 0 > least and a step above 0")
    up = np.linspace(0, most, max(round(most / step), 1) + 1)
    down = np.linspace(0, least, max(round(-least / step), 1) + 1)
    return np.concatenate([up, up[-2::-1], down[1:], down[-2::-1], up[1:]])


def quasi_static_loop(
    crossbar: Crossbar,
    site: Site,
    volts: Sequence[float] | Floats,
    *,
    hold_seconds: float = 5e-3,
    read_volts: float = READ_VOLTS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Loop], None] | None = None,
) -> Loop:
    """Conductance of a cell at each of a series of biases, each held for `hold_seconds`.

    Biases up to `read_volts` are plain readings, those beyond are pulses; what half-selected cells on the same row take
    is removed by further pulses, see `characterize_top`. There is no point at 0 V.

    Args:
        volts: in this order, as `staircase` gives them.

    Raises LimitError at the first bias that is beyond the device's limits.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    meter = TopMeter(run, site, read_volts, hold_seconds)
    biases = [float(v) for v in volts if v]
    return _followed(run, "quasi-static", biases, meter.siemens, keep)


def pulsed_loop(
    crossbar: Crossbar,
    site: Site,
    volts: Sequence[float] | Floats,
    *,
    pulse_seconds: float = 5e-3,
    read_volts: float = READ_VOLTS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Loop], None] | None = None,
) -> Loop:
    """Conductance at `read_volts` after each of a series of pulses; at 0 V it is read without any pulse.

    Arguments and errors as for `quasi_static_loop`.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    meter = TopMeter(run, site, read_volts, pulse_seconds)

    def siemens(amplitude: float) -> float:
        if amplitude:
            run.pulse(site, amplitude, pulse_seconds)
        return meter.siemens(read_volts)

    return _followed(run, "pulsed", [float(v) for v in volts], siemens, keep)


def field_loop(
    crossbar: Crossbar,
    site: Site,
    field: FieldSource,
    tesla: Sequence[float] | Floats,
    *,
    read_volts: float = READ_VOLTS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Loop], None] | None = None,
) -> Loop:
    """Conductance at `read_volts` in each of a series of fields; the field is off afterwards.

    Args:
        field: prepared, with a limit that covers the series.
        tesla: in this order.

    Raises InstrumentError if the field source cannot make a field. All cells of the array are exposed to the fields.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    meter = TopMeter(run, site, read_volts, 0.0)

    def siemens(field_tesla: float) -> float:
        run.check()
        field.set_tesla(field_tesla)
        return meter.siemens(read_volts)

    try:
        return _followed(run, "field", [float(t) for t in tesla], siemens, keep)
    finally:
        field.output_off()


def loop_facts(drive: Floats, siemens: Floats) -> LoopFacts:
    """Where a loop jumps, and its TMR; a pure function of the points in the order in which they were taken."""
    seen = np.isfinite(siemens)
    x, g = np.asarray(drive, float)[seen], np.asarray(siemens, float)[seen]
    if g.size < 2:
        return LoopFacts(float("nan"), float("nan"), float("nan"))
    rises = np.diff(g) / np.minimum(g[1:], g[:-1])
    to_p, to_ap = (_place_of_jump(x, sign * rises) for sign in (1.0, -1.0))
    is_parallel = _is_parallel(rises)
    if is_parallel is None or is_parallel.all() or not is_parallel.any():
        return LoopFacts(to_p, to_ap, float("nan"))
    p, ap = (float(g[known][np.argmin(np.abs(x[known]))]) for known in (is_parallel, ~is_parallel))
    return LoopFacts(to_p, to_ap, (p - ap) / ap)


def _place_of_jump(x: Floats, rises: Floats) -> float:
    k = int(np.argmax(rises))
    return float(x[k] + x[k + 1]) / 2 if rises[k] >= _LEAST_JUMP else float("nan")


def _is_parallel(rises: Floats) -> np.ndarray | None:
    """State at each point: changed by jumps only, before the first one the opposite of what it led to."""
    jumps = np.flatnonzero(np.abs(rises) >= max(_LEAST_JUMP, float(np.abs(rises).max()) / 2))
    if not jumps.size:
        return None
    states = np.empty(rises.size + 1, dtype=np.bool_)
    states[: jumps[0] + 1] = rises[jumps[0]] < 0
    for k, jump in enumerate(jumps):
        end = jumps[k + 1] + 1 if k + 1 < jumps.size else states.size
        states[jump + 1 : end] = rises[jump] > 0
    return states


def _followed(
    run: Run, kind: str, drives: Sequence[float], siemens: Callable[[float], float], keep: Callable[[Loop], None] | None
) -> Loop:
    found = np.full(len(drives), np.nan)
    what = f"{kind} loop"

    def act() -> str:
        run.progress(what, 0, len(drives))
        for k, drive in enumerate(drives):
            found[k] = siemens(drive)
            run.progress(what, k + 1, len(drives))
        return "the loop is closed"

    return run.conclude(act, lambda ending: Loop(kind, np.array(drives, dtype=np.float64), found, ending), keep)
