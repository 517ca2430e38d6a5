"""One tile of a layer as it stands on its array, ready to multiply input vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Floats, LayerPlan, Line, Lines
from mtjlab.roles import Crossbar, LineRead

from .infer_columns import ColumnCalibration
from .infer_schemes import InputScheme, chosen_scheme, drives_of
from .readout import READ_VOLTS

_AT_ONCE = 16
"""Samples in one transaction where a bench scans by itself: what an interrupt may lose (an own choice)."""
_REMEDY = (
    "Raise read_amps_range (or take a smaller feedback), lower the read voltage, put fewer inputs on one tile, "
    "or place the layer away from the shorts of this die"
)


@dataclass(frozen=True)
class DriveSettings:
    """How input vectors are applied.

    Attributes:
        read_volts: level of a row at full scale.
        scheme: how inputs go in; the one with the fewest measurements that the Crossbar can do if None.
        samples_at_once: samples in one transaction; None for 16 where the instruments scan by themselves, else 1.
    """

    read_volts: float = READ_VOLTS
    scheme: InputScheme | None = None
    samples_at_once: int | None = None

    def at_once(self, crossbar: Crossbar) -> int:
        """Samples in one transaction on this Crossbar."""
        return self.samples_at_once or (_AT_ONCE if crossbar.capabilities.scans_itself else 1)


class TileReader:
    """Multiplies by one tile.

    Args:
        crossbar: the tile's array.
        plan: where on it the tile is.
        bits: magnitude bits of the inputs.
        settings: how they are applied.
        calibration: of the columns, at this read voltage; without it each column's current with no row driven is
            measured once and subtracted, and gains count as 1.

    Attributes:
        scheme: how inputs go in.
        saturated: how many readings of each column were in compliance.
    """

    def __init__(
        self,
        crossbar: Crossbar,
        plan: LayerPlan,
        bits: int,
        settings: DriveSettings,
        calibration: ColumnCalibration | None = None,
    ) -> None:
        self._crossbar, self._plan, self._bits, self._settings = crossbar, plan, bits, settings
        self._calibration = calibration
        self._zero: Floats | None = None
        self.scheme = chosen_scheme(crossbar.capabilities, plan.rows.size, settings.scheme)
        self.saturated: Counter[int] = Counter()

    def prepare(self) -> None:
        """Measure the columns' currents with no row driven, unless a calibration holds them."""
        if self._calibration is None and self._zero is None:
            self._zero = self._amps(np.zeros((1, self._plan.rows.size)))[0]

    def sums(self, levels: NDArray[np.int64]) -> Floats:
        """Per line, the sum over inputs of x (1 is full scale) times conductance: (samples, 2 * outputs), siemens.

        All samples in one series of measurements.

        Args:
            levels: shape (samples, inputs), signed.

        Raises InstrumentError if a column is off scale.
        """
        self.prepare()
        drives = [drives_of(vector, self._bits, self.scheme) for vector in levels]
        amps = self._corrected(self._amps(np.concatenate([one.rows for one in drives])))
        ends = np.cumsum([len(one.weights) for one in drives])[:-1]
        parts = zip(drives, np.split(amps, ends), strict=True)
        return np.array([one.weights @ part for one, part in parts]) / self._settings.read_volts

    def _corrected(self, amps: Floats) -> Floats:
        if self._calibration is not None:
            return self._calibration.corrected(self._plan.cols, amps)
        return amps if self._zero is None else amps - self._zero

    def _amps(self, rows: Floats) -> Floats:
        """Current of every column, shape (measurements, columns), for row levels in units of the read voltage."""
        reads = []
        for levels in rows:
            lines = Lines.grounded(*self._crossbar.shape)
            lines.row_volts[self._plan.rows] = levels * self._settings.read_volts
            reads += [LineRead(lines, Line("col", int(column))) for column in self._plan.cols]
        readings = self._crossbar.measure_each(reads) if reads else []
        for read, reading in zip(reads, readings, strict=True):
            if reading.is_overflow:
                raise InstrumentError(
                    f"column {read.sense.number} draws more current than the ammeter's range while layer "
                    f"{self._plan.name} runs",
                    where="infer",
                    remedy=_REMEDY,
                )
            self.saturated[read.sense.number] += reading.in_compliance
        return np.array([reading.amps for reading in readings]).reshape(len(rows), self._plan.cols.size)


def advice_on(readers: Sequence[TileReader]) -> str:
    """What to do about readings in compliance, in words; empty if there were none."""
    counts = [Counter({col: n for col, n in reader.saturated.items() if n}) for reader in readers]
    total = sum(sum(count.values()) for count in counts)
    if not total:
        return ""
    names = ", ".join(
        f"column {col}" + (f" of tile {number}" if len(readers) > 1 else "")
        for number, count in enumerate(counts)
        for col, _ in sorted(count.items())
    )
    return (
        f"{total} readings were in compliance and count at the limit's value, on {names}. "
        "Raise the current limit within what the cells bear, lower the read voltage, put fewer inputs on one tile, "
        "or place the layer away from the shorts of this die"
    )
