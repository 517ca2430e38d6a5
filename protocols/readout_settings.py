"""How a read with uncertainty is made: scheme, polarities, averaging, and what is known of instruments and wires."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtjlab.errors import InputError
from mtjlab.nouns import Site
from mtjlab.physics.cell_fit import ReadErrors
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.line_reads import BiasDependence
from mtjlab.roles import Capabilities

from .readout import READ_VOLTS

SCHEME_NAMES = {
    Scheme.GROUNDED: "grounded",
    Scheme.FLOATING: "floating",
    Scheme.HALF: "V/2",
    Scheme.THIRD: "V/3",
    Scheme.ROWS_FLOAT: "rows floating",
}
"""As `Conditions.scheme` says them."""
_LEVELS = {Scheme.GROUNDED: 3, Scheme.FLOATING: 2, Scheme.HALF: 3, Scheme.THIRD: 4, Scheme.ROWS_FLOAT: 3}
"""Distinct levels at once, the sensed line apart from others at 0 V."""
_FLOATING = (Scheme.FLOATING, Scheme.ROWS_FLOAT)


@dataclass(frozen=True)
class Accuracy:
    """What the makers state of the sources and of the ammeter.

    The defaults are a Keithley 2400's one-year figures on its 2 V source range and its 1 mA range (data sheet SPEC-2400
    Rev. H). A bound `b` counts as a standard uncertainty of b / `divisor`: the square root of 3 is the Guide's choice
    where nothing is known but the bound (GUM 4.3.7).

    Attributes:
        source, source_volts: of a level: relative, and volts.
        meter, meter_amps: of a current: relative, and amperes.
        resolution_amps: one count of the ammeter.
        divisor: from a bound to a standard uncertainty.
    """

    source: float = 2e-4
    source_volts: float = 600e-6
    meter: float = 2.7e-4
    meter_amps: float = 60e-9
    resolution_amps: float = 10e-9
    divisor: float = math.sqrt(3)


@dataclass(frozen=True)
class ReadSettings:
    """How an array is read.

    Attributes:
        scheme: what the unselected lines do; chosen from what the Crossbar can do if it is left out.
        read_volts: bias of the selected cell.
        both_polarities: read at +V and -V instead of at V and, for the offset, at 0 V.
        removes_offset: take a reading at 0 V off where only one polarity is read.
        readings: how many at each level, to begin with; at least two, whose scatter tells the noise.
        wanted: relative standard uncertainty that the median cell should have; then as many readings as that takes.
        most_readings: at each level.
        accuracy: of the instruments.
        wires: resistances between the instruments and the cells, to be removed from what was read. Without them the
            conductances contain the wires; sneak paths are removed all the same.
        segment_sigma_ohms: standard uncertainty of the wire between neighbouring cells.
        line_sigma_ohms: likewise in series with each line: contact, lead, relay; one for all, or one per line.
        hold_ohms, hold_sigma_ohms: resistance that unselected lines of one level have in common, and its standard
            uncertainty: output and cable of the source that holds them all; zero where each line has its own.
        bias: how cells conduct at other voltages; matters where unselected cells carry current.
        references: cells whose conductance is known, siemens: they set the scale instead of the instruments.
        references_sigma: relative standard uncertainty that these have in common.
        kelvin, tesla: temperature and field, if known; they are only noted.
    """

    scheme: Scheme | None = None
    read_volts: float = READ_VOLTS
    both_polarities: bool = True
    removes_offset: bool = True
    readings: int = 2
    wanted: float | None = None
    most_readings: int = 64
    accuracy: Accuracy = field(default_factory=Accuracy)
    wires: Wires | None = None
    segment_sigma_ohms: float = 0.0
    line_sigma_ohms: float | tuple[float, ...] = 0.0
    hold_ohms: float = 0.0
    hold_sigma_ohms: float = 0.0
    bias: BiasDependence | None = None
    references: Mapping[Site, float] = field(default_factory=dict)
    references_sigma: float = 0.0
    kelvin: float | None = None
    tesla: float | None = None

    def __post_init__(self) -> None:
        if self.read_volts == 0 or self.readings < 2 or self.most_readings < self.readings:
            raise InputError(
                "a read needs a bias and at least two readings at each level", remedy="Correct the read settings"
            )

    @property
    def levels(self) -> tuple[float, ...]:
        """Bias of the selected cell in each of the readings that make one value, volts."""
        if self.both_polarities:
            return (self.read_volts, -self.read_volts)
        return (0.0, self.read_volts) if self.removes_offset else (self.read_volts,)

    @property
    def weights(self) -> tuple[float, ...]:
        """What the mean current at each level counts in a conductance, 1/volts."""
        if self.both_polarities:
            return (0.5 / self.read_volts, -0.5 / self.read_volts)
        return (-1 / self.read_volts, 1 / self.read_volts) if self.removes_offset else (1 / self.read_volts,)

    @property
    def errors(self) -> ReadErrors:
        """Standard uncertainties that all reads have in common.

        Sources' and ammeter's offsets are constant while a range is kept: they go out with the readings' difference. If
        they do not, a millivolt on a line that counts as grounded drives all its cells.
        """
        a = self.accuracy
        has_offset = len(self.levels) == 1
        of_offset = a.source_volts / abs(self.read_volts) if has_offset else 0.0
        return ReadErrors(
            meter=a.meter / a.divisor,
            drive=a.source / a.divisor,
            unselected=a.source / a.divisor,
            level_offset=of_offset / a.divisor,
            offset_siemens=a.meter_amps / abs(self.read_volts) / a.divisor if has_offset else 0.0,
            segment_ohms=self.segment_sigma_ohms,
            line_ohms=self.line_sigma_ohms,
            hold_ohms=self.hold_sigma_ohms,
        )


def chosen_scheme(settings: ReadSettings, can: Capabilities) -> Scheme:
    """The scheme asked for, or else grounded lines if there are sources for it, floating lines if not.

    Where transistors cut off the cells of floating lines, these have no sneak paths and are the first choice. They are
    the only one there if wires are to be removed: what the others connect is not what de-embedding takes for granted.

    Raises InputError if the Crossbar cannot do it.
    """
    levels = can.levels + (can.sensed_lines > 1)
    fits = [s for s in Scheme if levels >= _LEVELS[s] and (can.can_float or s not in _FLOATING)]
    if can.isolates_cells and Scheme.FLOATING in fits:
        others = [s for s in fits if s is not Scheme.FLOATING]
        fits = [Scheme.FLOATING, *(others if settings.wires is None else [])]
    wanted = fits[0] if settings.scheme is None and fits else settings.scheme
    if wanted in fits:
        return wanted
    name = "any scheme" if wanted is None else SCHEME_NAMES[wanted]
    if can.isolates_cells and fits:
        raise InputError(
            f"wires cannot be removed from what this bench reads with {name}: transistors cut off other cells",
            remedy="Read with floating lines, or leave the wires out",
        )
    raise InputError(
        f"this bench has {can.levels} levels at once and cannot read with {name}",
        remedy="Choose another scheme, or add an SMU to the station and the wiring file",
    )
