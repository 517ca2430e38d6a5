"""Measure the resistance of wires and contacts on the array itself, to be removed from what is read afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtjlab.nouns import Floats, Line, Lines, Progress, Reading, Site, unheard
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.wire_fit import WireEstimate, fit_wires, line_pairs
from mtjlab.roles import Crossbar, LineRead

from .leave_idle import left_idle
from .readout import all_sites, amps_of
from .readout_noise import pooled_variance
from .readout_samples import Samples
from .readout_settings import ReadSettings


def measure_wires(
    crossbar: Crossbar,
    known: Wires,
    *,
    line_sigma_ohms: float,
    segment_sigma_ohms: float,
    settings: ReadSettings | None = None,
    progress: Progress = unheard,
) -> WireEstimate:
    """Resistances in series with every line and of the wire between cells, with their uncertainties.

    Reads every cell and the current from every row to every other one, and from column to column, all other lines
    grounded, at both polarities; then fits cells and resistances together.

    Args:
        known: what is known of the resistances beforehand, with its standard uncertainty `line_sigma_ohms` (each line)
            and `segment_sigma_ohms`.
        settings: bias, readings at each level, bias dependence of the cells, resistance that held lines have in common;
            scheme and wires are not looked at.

    Raises InputError if a reading was off scale: mend or leave out shorted lines first.
    """
    used = settings or ReadSettings()
    levels = (used.read_volts, -used.read_volts)
    samples = Samples(crossbar.shape, levels, Scheme.GROUNDED)
    sites = all_sites(crossbar.shape)
    done = 0
    progress("reading cells", 0, len(sites))

    def heard(site: Site) -> None:
        nonlocal done
        done += 1
        progress("reading cells", done, len(sites))

    with left_idle(crossbar):
        samples.take(crossbar, sites, used.readings, heard)
        pairs, noise = _pairs(crossbar, used, progress)
    means = samples.combined((0.5 / used.read_volts, -0.5 / used.read_volts), used.accuracy.resolution_amps)
    return fit_wires(
        means.raw,
        pairs,
        (float(np.nanmedian(means.noise)), noise),
        known,
        line_sigma_ohms=line_sigma_ohms,
        segment_sigma_ohms=segment_sigma_ohms,
        hold_ohms=used.hold_ohms,
        hold_sigma_ohms=used.hold_sigma_ohms,
        bias=used.bias,
        read_volts=used.read_volts,
    )


def with_wires(settings: ReadSettings, found: WireEstimate) -> ReadSettings:
    """The same read with these wires removed and their uncertainty taken into account."""
    return replace(
        settings,
        wires=found.wires,
        line_sigma_ohms=tuple(float(sigma) for sigma in found.line_sigma_ohms),
        segment_sigma_ohms=found.segment_sigma_ohms,
        hold_ohms=found.hold_ohms,
        hold_sigma_ohms=found.hold_sigma_ohms,
    )


def _pairs(crossbar: Crossbar, settings: ReadSettings, progress: Progress) -> tuple[Floats, float]:
    """Conductance of every pair of lines, and the standard deviation of each, siemens."""
    shape, volts = crossbar.shape, settings.read_volts
    pairs = line_pairs(shape)
    signs = [1.0, -1.0, -1.0, 1.0] * (settings.readings // 2) + [1.0, -1.0] * (settings.readings % 2)
    reads = [_read(shape, driven, sensed, sign * volts) for driven, sensed in pairs for sign in signs]
    progress("reading from line to line", 0, len(reads))

    def heard(number: int, reading: Reading) -> None:
        del reading
        progress("reading from line to line", number + 1, len(reads))

    readings = crossbar.measure_each(reads, heard=heard)
    amps = np.array([np.inf if reading.in_compliance else amps_of(reading) for reading in readings])
    by_pair = amps.reshape(len(pairs), len(signs))
    forward, backward = by_pair[:, np.array(signs) > 0], by_pair[:, np.array(signs) < 0]
    variance, _ = pooled_variance([group.tolist() for group in (*forward, *backward)])
    deviation = (
        np.sqrt(max(variance, settings.accuracy.resolution_amps**2 / 12, 1e-30) / (2 * settings.readings)) / volts
    )
    return (forward.mean(axis=1) - backward.mean(axis=1)) / (2 * volts), float(abs(deviation))


def _read(shape: tuple[int, int], driven: int, sensed: int, volts: float) -> LineRead:
    rows = shape[0]
    lines = Lines.grounded(*shape)
    if driven < rows:
        lines.row_volts[driven] = volts
    else:
        lines.col_volts[driven - rows] = volts
    return LineRead(lines, Line("row", sensed) if sensed < rows else Line("col", sensed - rows))
