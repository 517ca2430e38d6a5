"""A 2400 with a resistor to 0 V, for the tests of what it does."""

from __future__ import annotations

from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
ON = ":SOUR:FUNC VOLT;:SOUR:VOLT 0.1;:SENS:FUNC 'CURR';:SENS:CURR:PROT 1e-3;:OUTP ON"


def make_unit(ohms: float | None = OHMS, *, seed: int = 7) -> SimKeithley2400:
    """The unit, reset; with None nothing is connected."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=seed, line_hertz=50)
    unit = SimKeithley2400("a", world, HostClock(world), serial="42")
    if ohms is not None:
        world.connect("a.hi", "ground", ohms)
    return unit


def errors(unit: SimKeithley2400) -> list[int]:
    """Numbers in the error queue, which is empty afterwards."""
    return [unit.status.errors.take().code for _ in range(len(unit.status.errors))]


def numbers(reply: str) -> list[float]:
    """The numbers of a reply."""
    return [float(part) for part in reply.split(",")]


def point(unit: SimKeithley2400) -> tuple[float, float]:
    """Volts and amperes that are really at the terminal."""
    now = unit.output.point()
    return now.volts, now.amps
