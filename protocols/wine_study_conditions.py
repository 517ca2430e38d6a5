"""Under which conditions networks are written and run in the study of many solutions: every assumption in one place.

Nobody has published junctions, wires, spreads or defects of a passive 15 x 15 array with such networks. What is not
set here comes from the wafer file (physics/wafers/passive15.yaml: RA 10 ohm um^2, TMR 100 %, five sizes around the
median, 5 % spread of conductance, 5 ohm contacts, defects and spreads over the wafer), from `WriteSettings` and from
`DeviceLimits`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from mtjlab.engine.perceptron import Precision
from mtjlab.limits import DeviceLimits
from mtjlab.physics import mtj
from mtjlab.physics.populations import WaferDescription

from .run_perceptron import RunSettings
from .write_verify import WriteSettings

REFERENCE_NM = 50.0
"""Median diameter of the wafer file."""
WALL_NM = 55.0
"""Beyond this diameter a domain wall passes, and stability goes with the diameter instead of the area (the smallest
cells for which Santos et al., arXiv 2008.01343, used that law)."""
LIMITS = DeviceLimits(write_volts_positive=0.9, write_volts_negative=0.9)
"""What cells may be exposed to, as in the packaged bench's wiring file."""
BLIND_VOLTS = 0.62
"""Amplitude of the writes that are not verified: a fixed one, in the middle of what verified writes need."""


@dataclass(frozen=True)
class StudyConditions:
    """One kind of array and how it is written and run.

    Attributes:
        name: for tables and figures.
        diameter_nm: median diameter of the junctions; the five sizes of the wafer file go with it.
        segment_ohms: wire resistance between neighbouring cells.
        is_placed: whether layers go where the die's defects hurt least, or onto the first rows and columns.
        run: how networks are written and run.
    """

    name: str
    diameter_nm: float
    segment_ohms: float = 2.0
    is_placed: bool = True
    run: RunSettings = field(default_factory=lambda: RunSettings(precision=Precision(input_bits=5, hidden_bits=4)))

    def wafer(self) -> WaferDescription:
        """The wafer that arrays are drawn from."""
        packaged = WaferDescription.load(Path(str(files("mtjlab.physics") / "wafers" / "passive15.yaml")))
        scale, reference = self.diameter_nm / REFERENCE_NM, REFERENCE_NM * 1e-9
        delta = mtj.delta_of_size(self.diameter_nm * 1e-9, reference, packaged.die.delta, WALL_NM * 1e-9)
        changes = {
            "diameters_nm": [scale * diameter for diameter in packaged.die.diameters_nm],
            "segment_ohms": self.segment_ohms,
            "delta": float(delta),
        }
        return packaged.model_copy(update={"die": packaged.die.model_copy(update=changes)})

    @property
    def design_siemens(self) -> float:
        """G_P - G_AP of the median junction by design, at zero bias: the normalising conductance before tuning."""
        die = self.wafer().die
        parallel = mtj.area_siemens(self.diameter_nm * 1e-9, die.ra_ohm_um2 * 1e-12)
        return float(parallel * die.tmr / (1 + die.tmr))

    @property
    def parallel_ohms(self) -> float:
        """Resistance of the median junction in P by design."""
        return float(1 / mtj.area_siemens(self.diameter_nm * 1e-9, self.wafer().die.ra_ohm_um2 * 1e-12))


def _blind() -> RunSettings:
    """One pulse of a fixed amplitude per cell, whatever it was; nothing is looked at again."""
    fixed = WriteSettings(set_volts=BLIND_VOLTS, reset_volts=BLIND_VOLTS, most_volts=BLIND_VOLTS, passes=0)
    return RunSettings(write=fixed)


SIZES = (
    StudyConditions("40 nm", 40.0),
    StudyConditions("50 nm", 50.0),
    StudyConditions("65 nm", 65.0),
    StudyConditions("85 nm", 85.0),
)
"""Sizes of junctions whose P resistance goes from 8 to 1.8 kilohm."""
WORSE = (
    StudyConditions("85 nm, 5 ohm wires", 85.0, segment_ohms=5.0),
    StudyConditions("50 nm, plain placement", 50.0, is_placed=False),
    StudyConditions("50 nm, one pulse per cell", 50.0, run=_blind()),
)
"""Poor wires under large junctions, defects under the layers, write errors that nobody mends."""


def assumptions() -> list[str]:
    """What is assumed, in words, a line each."""
    reference = StudyConditions("reference", REFERENCE_NM)
    die, write, run = reference.wafer().die, reference.run.write, reference.run
    rates = die.defect_rates
    return [
        f"Junctions: RA {die.ra_ohm_um2:g} ohm um^2, TMR {100 * die.tmr:g} % at zero bias and half of that at "
        f"{die.tmr_half_volts:g} V; five sizes from 92 to 108 % of the median, by rows; spread of G_P "
        f"{100 * die.conductance_spread:g} %, of TMR {100 * die.tmr_spread:g} %, beside that of dies.",
        f"Switching: V_c0 {die.set_volts_c0:g} V to P and {die.reset_volts_c0:g} V to AP, spread "
        f"{100 * die.volts_c0_spread:g} %; thermal stability {die.delta:g} at {REFERENCE_NM:g} nm, with the area up "
        f"to {WALL_NM:g} nm and with the diameter beyond.",
        f"Defects per cell at the wafer's centre, on average: {100 * rates.short:g} % shorts of {die.short_ohms:g} "
        f"ohm, {100 * rates.open:g} % open, {100 * rates.stuck_p:g} % stuck in P, {100 * rates.stuck_ap:g} % stuck in "
        "AP. Arrays are the wafer's central dies as they come; none is left out.",
        f"Wires: as the table says; {die.contact_ohms:g} ohm per contact with a spread of "
        f"{100 * die.contact_spread:g} %. Every line is driven or held; the network is solved exactly.",
        f"Writing: V/2 scheme, pulses of {1e3 * write.pulse_seconds:g} ms from {write.set_volts:g} V (to P) and "
        f"{write.reset_volts:g} V (to AP) in steps of {write.step_volts:g} V up to {write.most_volts:g} V, each "
        f"verified; then up to {write.passes} rounds for what neighbours' pulses disturbed. One pulse per cell: "
        f"{BLIND_VOLTS:g} V, never looked at again.",
        f"Reading: {run.read_volts:g} V with all other lines grounded; inputs of {run.precision.input_bits} bits and "
        f"hidden activations of {run.precision.hidden_bits} bits and a sign, bit by bit; ammeter noise 20 nA, gain "
        "errors up to 0.03 % and offsets up to 60 nA per line.",
        "Placement: on the lines where the defects of the die hurt least, fitted to each solution's bits; plain "
        "placement: the first rows and columns.",
    ]
