"""How fast the relays of the SCPI switching mainframes are and what they are made of, electrically."""

from __future__ import annotations

from dataclasses import dataclass

from .timing import MatrixTiming


@dataclass(frozen=True)
class CardElectrics:
    """A switch card's relays.

    Attributes:
        relay_seconds: actuation of one relay, settling included.
        path_ohms: one closed crosspoint, connector to connector.
        isolation_ohms: an open one.
    """

    relay_seconds: float
    path_ohms: float
    isolation_ohms: float


GENERAL_PURPOSE = CardElectrics(3e-3, 0.5, 1e10)
"""7011, 7012 and 7052, assumed: their data sheets give 3 ms, below 1 ohm when new, and 1 to 10 gigaohm."""
SOLID_STATE = CardElectrics(0.5e-3, 50.0, 1e9)
"""7015, assumed."""
LOW_CURRENT = CardElectrics(2e-3, 1.0, 1e13)
"""7152 and 7153, assumed."""

KEITHLEY_7001 = MatrixTiming(
    command_seconds=3e-3,  # assumed: a mainframe of 1991
    relay_seconds=GENERAL_PURPOSE.relay_seconds,
)
KEYSIGHT_B2200 = MatrixTiming(
    command_seconds=2e-3,  # assumed
    relay_seconds=5e-3,  # assumed; drivers for it wait 20 ms
)
B2200_PATH_OHMS = 0.5
"""Assumed; the data sheet bounds it at 1 ohm."""
KEYSIGHT_E5250A = MatrixTiming(
    command_seconds=4e-3,  # assumed
    relay_seconds=7e-3,  # assumed; drivers for it wait 20 ms
)
E5250A_PATH_OHMS = 0.5
"""Assumed."""
KEYSIGHT_34980A = MatrixTiming(
    command_seconds=0.5e-3,  # assumed
    relay_seconds=0.5e-3,  # assumed for the reeds of a 34934A
)
K34932A_RELAY_SECONDS = 4e-3
"""Armature relays of the 34931A and 34932A: data sheet."""
K34934A_PATH_OHMS = 0.5
"""A channel relay of a 34934A without the row protection (assumed)."""
K34932A_PATH_OHMS = 0.5
"""Assumed; the data sheet bounds it at 1.5 ohm."""
K34980A_ISOLATION_OHMS = 1e10
"""Between a column and the rest of its module (data sheet: above 10 gigaohm)."""
PROTECTION_OHMS = 100.0
"""Row protection resistor of a 34934A (34934A User's Guide, "Row Protection")."""
BYPASS_OHMS = 0.2
"""The relay that bypasses it (assumed)."""
