"""A 2450 on a known resistor, for the tests of its parts."""

from __future__ import annotations

from mtjlab.sim_instruments.keithley_2450 import SimKeithley2450
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
ON = ':SOUR:FUNC VOLT;:SOUR:VOLT:ILIM 1e-3;:SOUR:VOLT 0.1;:SENS:FUNC "CURR";:OUTP ON'


def on_a_kilohm() -> SimKeithley2450:
    """A 2450 with a kilohm from HI to 0 V."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2450("a", world, HostClock(world), serial="04412345")
    world.add_source("ground", "ground.hi").drive_volts(0.0, 2.0)
    world.connect("a.hi", "ground.hi", OHMS)
    return unit


def errors(smu: SimKeithley2450) -> list[int]:
    """Codes of the errors in the log, which is then empty."""
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    """The numbers of a reply."""
    return [float(part) for part in reply.split(",")]
