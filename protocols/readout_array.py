"""Read cells with a stated uncertainty under any scheme: sneak paths and wires removed, averaged as far as wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Floats, Progress, Site, State, unheard
from mtjlab.physics.cell_fit import FittedCells, fit_cells
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.isolated_cells import isolated_cells
from mtjlab.roles import Crossbar

from .leave_idle import left_idle
from .readout import Keep, all_sites, nearest_state
from .readout_samples import Means, Samples
from .readout_settings import SCHEME_NAMES, ReadSettings, chosen_scheme

_NEAR_FLOOR = 0.9
"""Beyond this part of the wanted uncertainty, what averaging cannot reduce makes more readings useless."""


@dataclass(frozen=True)
class Averaging:
    """How many readings at each level it came to, and why no more or fewer."""

    readings: int
    reason: str


def read_array(
    crossbar: Crossbar,
    settings: ReadSettings | None = None,
    *,
    sites: Iterable[Site] | None = None,
    reference: ArrayMap | None = None,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> ArrayMap:
    """Read every cell (or `sites`: a row, a cell) in the state it is in, with a standard uncertainty for each.

    The uncertainty combines the noise that the readings' own scatter tells, what the makers state of the instruments,
    what is unknown of wires and contacts, and the cells' bias dependence; 1.96 of it cover 95 %. Where only some cells
    are read, the others count as typical ones, give or take half, or now and then a short; that is in it too.

    Args:
        reference: a map with both states; with it the state of each cell is told by the nearer of its two.
        keep: receives the map, partial if the protocol is interrupted.

    Returns:
        A map whose `siemens` and `sigma` hold what was found; off scale means infinite. Its provenance says how many
        readings were averaged and why, and the median of each part of the uncertainty, siemens.

    Raises InputError if the Crossbar cannot do what is asked for.
    """
    job = _Job(crossbar, settings or ReadSettings(), sites, progress)
    is_complete = False
    try:
        with left_idle(crossbar):
            averaging = job.run()
            is_complete = True
    finally:
        result = job.as_map(averaging if is_complete else None, reference)
        if keep:
            keep(result)
    return result


class _Job:
    """One read: what was asked for and what was sampled."""

    def __init__(
        self, crossbar: Crossbar, settings: ReadSettings, sites: Iterable[Site] | None, progress: Progress
    ) -> None:
        self.crossbar, self.settings, self.progress = crossbar, settings, progress
        self.scheme = chosen_scheme(settings, crossbar.capabilities)
        self.sites = list(sites) if sites is not None else all_sites(crossbar.shape)
        self.samples = Samples(crossbar.shape, settings.levels, self.scheme)

    def run(self) -> Averaging:
        self._take(self.settings.readings, "reading")
        if self.settings.wanted is None or not self.sites:
            return Averaging(self.settings.readings, "as many as the settings say")
        averaging = self._averaging(self.fitted(), self.settings.wanted)
        if averaging.readings > self.settings.readings:
            self._take(averaging.readings - self.settings.readings, "averaging")
        return averaging

    def _take(self, readings: int, what: str) -> None:
        done = 0
        self.progress(what, 0, len(self.sites))

        def heard(site: Site) -> None:
            nonlocal done
            done += 1
            self.progress(what, done, len(self.sites))

        self.samples.take(self.crossbar, self.sites, readings, heard)

    def _averaging(self, fitted: FittedCells, wanted: float) -> Averaging:
        """How many readings bring the median cell to the wanted relative uncertainty."""
        used, most = self.settings.readings, self.settings.most_readings
        size = np.abs(fitted.siemens)
        noise = float(np.median((fitted.noise / size)[fitted.is_read]))
        rest = float(np.median((np.sqrt(fitted.sigma**2 - fitted.noise**2) / size)[fitted.is_read]))
        goal = math.sqrt(max(wanted**2 - rest**2, (1 - _NEAR_FLOOR**2) * wanted**2))
        needed = max(math.ceil(used * (noise / goal) ** 2), used)
        if rest > _NEAR_FLOOR * wanted:
            reason = f"{rest:.2%} of the median cell come from instruments and wires, which no averaging reduces"
        elif needed > most:
            reason = f"{needed} readings would be needed for {wanted:.2%}, more than the settings allow"
        else:
            reason = f"as many as bring the median cell to {wanted:.2%}"
        return Averaging(min(needed, most), reason)

    def means(self) -> Means:
        return self.samples.combined(self.settings.weights, self.settings.accuracy.resolution_amps)

    def fitted(self) -> FittedCells:
        """Cells behind what has been sampled; raises InputError if that does not determine them."""
        settings, means, wires = self.settings, self.means(), self.settings.wires or Wires()
        bias, volts = settings.bias, settings.read_volts
        if self.crossbar.capabilities.isolates_cells and self.scheme is Scheme.FLOATING:
            found = isolated_cells(means.raw, means.noise, wires, settings.errors, bias=bias, read_volts=volts)
        else:
            hold, errors = settings.hold_ohms, settings.errors
            found = fit_cells(
                means.raw, means.noise, self.scheme, wires, errors, hold_ohms=hold, bias=bias, read_volts=volts
            )
        return _scaled(found, settings)

    def as_map(self, averaging: Averaging | None, reference: ArrayMap | None) -> ArrayMap:
        siemens, sigma, parts = self._values(is_partial=averaging is None)
        blank = np.full(siemens.shape, np.nan)
        unknown = np.full(siemens.shape, State.UNKNOWN, dtype=np.int8)
        unread = np.full(siemens.shape, CellStatus.UNREAD, dtype=np.int8)
        return ArrayMap(
            siemens=siemens,
            siemens_p=reference.siemens_p if reference else blank,
            siemens_ap=reference.siemens_ap if reference else blank,
            state=nearest_state(siemens, reference) if reference else unknown,
            status=reference.status if reference else unread,
            sigma=sigma,
            conditions=self._conditions(),
            provenance=parts if averaging is None else {**parts, **vars(averaging)},
            is_partial=averaging is None,
        )

    def _values(self, *, is_partial: bool) -> tuple[Floats, Floats, dict[str, float]]:
        raw = self.means().raw
        try:
            fitted = self.fitted()
        except InputError:
            if not is_partial and self.sites:
                raise
            return raw, np.full(raw.shape, np.nan), {}
        siemens = np.where(np.isfinite(raw), fitted.siemens, raw)
        sigma = np.where(np.isfinite(raw), fitted.sigma, np.nan)
        names = ("noise", "instruments", "wires", "bias")
        parts = {f"sigma_{name}": float(np.median(getattr(fitted, name)[fitted.is_read])) for name in names}
        return siemens, sigma, parts

    def _conditions(self) -> Conditions:
        settings, wires = self.settings, self.settings.wires
        return Conditions(
            settings.read_volts,
            SCHEME_NAMES[self.scheme],
            settings.kelvin,
            None if wires is None else float(wires.segment_ohms),
            None if wires is None else _mean_ohms(wires, self.crossbar.shape),
            settings.tesla,
            len(settings.levels) if settings.both_polarities else 1,
            self.crossbar.capabilities.is_four_wire,
        )


def _mean_ohms(wires: Wires, shape: tuple[int, int]) -> float:
    rows, cols = (np.broadcast_to(ohms, n) for ohms, n in zip((wires.row_ohms, wires.col_ohms), shape, strict=True))
    return float(np.concatenate([rows, cols]).mean())


def _scaled(fitted: FittedCells, settings: ReadSettings) -> FittedCells:
    """Reference cells set the scale: instead of the instruments' errors count theirs, and what scaling leaves of them.

    Where unselected lines are at other levels, an error of these is no common factor and partly stays.
    """
    if not settings.references:
        return fitted
    sites = tuple(np.array(list(settings.references)).T)
    known = np.array(list(settings.references.values()))
    if not (fitted.is_read[sites].all() and (known / fitted.siemens[sites] > 0).all()):
        raise InputError("a reference cell was not read, or does not conduct", remedy="Choose healthy cells")
    ratio = known / fitted.siemens[sites]
    own = np.hypot(fitted.noise[sites], fitted.wires[sites]) / fitted.siemens[sites]
    weights = 1 / np.maximum(own, 1e-9) ** 2
    scale, scale_sigma = float((weights * ratio).sum() / weights.sum()), 1 / math.sqrt(float(weights.sum()))
    of_scale = (weights * fitted.common[:, *sites] / fitted.siemens[sites]).sum(axis=1) / weights.sum()
    with np.errstate(invalid="ignore"):  # a cell that is shorted beyond measure is infinite
        siemens, left = fitted.siemens * scale, fitted.common - of_scale[:, None, None] * fitted.siemens
        common = np.concatenate([left, [siemens * settings.references_sigma, siemens * scale_sigma]])
    instruments = np.sqrt((common**2).sum(axis=0))
    sigma = np.sqrt(fitted.noise**2 + instruments**2 + fitted.wires**2 + fitted.bias**2)
    return replace(fitted, siemens=siemens, instruments=instruments, sigma=sigma, common=common)


def read_row(crossbar: Crossbar, row: int, settings: ReadSettings | None = None) -> tuple[Floats, Floats]:
    """One row: conductances and their standard uncertainties, (cols,) each, siemens."""
    found = read_array(crossbar, settings, sites=[Site(row, j) for j in range(crossbar.shape[1])])
    return found.siemens[row], found.sigma[row]


def read_kernels(
    kernels: Iterable[tuple[str, Callable[[], Crossbar]]],
    settings: ReadSettings | None = None,
    *,
    progress: Progress = unheard,
    keep: Callable[[str, ArrayMap], None] | None = None,
) -> dict[str, ArrayMap]:
    """A whole chip, kernel by kernel: opens each in turn, reads it and leaves it idle.

    Args:
        kernels: name of each and what makes its Crossbar.
        keep: receives each map as it is done, partial if interrupted.
    """
    found: dict[str, ArrayMap] = {}
    for name, opened in kernels:
        crossbar = opened()
        try:
            found[name] = read_array(
                crossbar,
                settings,
                progress=lambda what, done, total, name=name: progress(f"{name}: {what}", done, total),  # type: ignore[misc]
                keep=(lambda one, name=name: keep(name, one)) if keep else None,  # type: ignore[misc]
            )
        finally:
            crossbar.idle()
    return found
