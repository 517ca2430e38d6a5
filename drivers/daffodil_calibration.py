"""Gain and offset of the amplifiers of a Daffodil board: measured tables, kept in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Floats

from .daffodil_port import SIDE

_FORMAT = "mtjlab.DaffodilCalibration/1"


@dataclass(frozen=True, eq=False)
class RangeCalibration:
    """One setting of the feedback. Arrays have shape (25,), one value per amplifier.

    Attributes:
        feedback_ohms: what each feedback really is.
        offset_volts: output less reference while no current flows.
        sigma_ohms: standard uncertainty of `feedback_ohms`; NaN where nobody has measured it.
    """

    feedback_ohms: Floats
    offset_volts: Floats
    sigma_ohms: Floats

    @property
    def relative_sigma(self) -> float:
        """Largest relative standard uncertainty of a gain; NaN where nobody has measured it."""
        return float((self.sigma_ohms / self.feedback_ohms).max())

    @classmethod
    def nominal(cls, feedback_ohms: Floats) -> RangeCalibration:
        """What the board's own table says, and no offsets."""
        ohms = np.asarray(feedback_ohms, dtype=np.float64)
        return cls(ohms, np.zeros(SIDE), np.full(SIDE, np.nan))


@dataclass(frozen=True, eq=False)
class DaffodilCalibration:
    """Measured tables of one board.

    Attributes:
        ranges: nominal feedback, ohms -> its table.
        provenance: plain values that tell how and against what.
    """

    ranges: dict[float, RangeCalibration]
    provenance: dict[str, str | float] = field(default_factory=dict)

    def save(self, path: Path) -> Path:
        """Write a JSON file; returns its path."""
        tables = {
            str(ohms): {name: list(getattr(table, name)) for name in RangeCalibration.__dataclass_fields__}
            for ohms, table in self.ranges.items()
        }
        path.write_text(
            json.dumps({"format": _FORMAT, "ranges": tables, "provenance": self.provenance}), encoding="utf-8"
        )
        return path

    @classmethod
    def load(cls, path: Path) -> DaffodilCalibration:
        """Read what `save` wrote; raises InputError for anything else."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["format"] != _FORMAT:
                raise ValueError(f"unknown format {stored['format']!r}")
            ranges = {float(ohms): _table(values) for ohms, values in stored["ranges"].items()}
            return cls(ranges, dict(stored["provenance"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"not a calibration of a Daffodil board ({error})",
                where=str(path),
                remedy="Give a file that DaffodilCalibration.save wrote, or calibrate",
            ) from error


def _table(values: Mapping[str, list[float]]) -> RangeCalibration:
    arrays = {name: np.array(values[name], dtype=np.float64) for name in RangeCalibration.__dataclass_fields__}
    if any(array.shape != (SIDE,) for array in arrays.values()):
        raise ValueError(f"a table has {SIDE} values")
    return RangeCalibration(**arrays)


def fit_feedback(amps: Floats, volts: Floats, volts_sigma: Floats, relative_sigma: float) -> tuple[Floats, Floats]:
    """Feedback of each amplifier and its standard uncertainty, by least squares through the origin.

    Args:
        amps: shape (patterns, 25), known change of the current into each amplifier.
        volts: shape (patterns, 25), measured fall of its output.
        volts_sigma: shape (patterns, 25), standard uncertainty of `volts`.
        relative_sigma: of the known currents, common to all.
    """
    squares = (amps**2).sum(axis=0)
    if not (squares > 0).all():
        raise InputError("an amplifier gets no current", remedy="Give a reference that conducts in every column")
    ohms = (amps * volts).sum(axis=0) / squares
    own = np.sqrt((amps**2 * volts_sigma**2).sum(axis=0)) / squares
    return ohms, np.hypot(own, relative_sigma * ohms)
