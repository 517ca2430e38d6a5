"""What the relays of the switching mainframes are like: one table of contacts and resistances by card.

"data sheet" marks what the maker prints, from memory unless a document is named; a maker's open and close times include
bounce, how much of them is bounce is assumed. What is assumed altogether says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from .relay_contacts import INSTANT, Contacts
from .timing import MatrixTiming


@dataclass(frozen=True)
class CardElectrics:
    """A switch card's relays.

    Attributes:
        contacts: how they move.
        path_ohms: one closed crosspoint, connector to connector.
        isolation_ohms: from a row to a column through open crosspoints.
    """

    contacts: Contacts
    path_ohms: float
    isolation_ohms: float


ARMATURE_3MS = Contacts(2.3e-3, 0.7e-3, 1.5e-3)
"""Data sheets of the 7011, 7012 and 7052: actuation in less than 3 ms; release assumed."""
REED_2MS = Contacts(1.7e-3, 0.3e-3, 0.7e-3)
"""7152 and 7153, assumed: data sheets bound it at 2 ms."""
SOLID_STATE_SWITCH = Contacts(0.5e-3, 0.0, 0.5e-3, 0)
"""7015, assumed; semiconductors do not bounce."""
ARMATURE_4MS = Contacts(3.0e-3, 1.0e-3, 4.0e-3)
"""34921A, 34922A, 34931A, 34932A: 4 ms to open and to close (34980A data sheet, selection tables)."""
REED_500US = Contacts(0.35e-3, 0.15e-3, 0.5e-3)
"""34923A, 34924A, 34933A: 0.5 ms to open and to close (34980A data sheet, selection tables)."""
REED_350US = Contacts(0.25e-3, 0.10e-3, 0.10e-3)
"""34934A: 0.35 ms to close, 0.10 ms to open (34980A data sheet, matrix selection table)."""
FET_250US = Contacts(0.25e-3, 0.0, 0.25e-3, 0)
"""34925A (assumed)."""
GUARDED_REED = Contacts(4.0e-3, 1.0e-3, 2.0e-3)
"""B2211A (assumed; drivers for it wait 20 ms)."""
OLDER_GUARDED_REED = Contacts(5.5e-3, 1.5e-3, 3.0e-3)
"""E5252A (assumed; drivers for it wait 20 ms)."""
K707B_RELAY = Contacts(3.3e-3, 0.7e-3, 4.0e-3)
"""Cards of a 707B (assumed: the longest among comparable latching and reed cards)."""

GENERAL_PURPOSE = CardElectrics(ARMATURE_3MS, 0.5, 1e10)
"""7011, 7012 and 7052: their data sheets give below 1 ohm when new, and 1 to 10 gigaohm."""
SOLID_STATE = CardElectrics(SOLID_STATE_SWITCH, 50.0, 1e9)
"""7015, assumed."""
LOW_CURRENT = CardElectrics(REED_2MS, 1.0, 1e13)
"""7152 and 7153, assumed."""
B2211A = CardElectrics(GUARDED_REED, 0.5, 1e12)
"""Assumed; the data sheet bounds the path at 1 ohm."""
E5252A = CardElectrics(OLDER_GUARDED_REED, 0.5, 1e12)
"""Assumed."""
GROUND_RELAYS = CardElectrics(GUARDED_REED, 0.1, float("inf"))
"""The relays around the ground port of a B2200 (assumed)."""
K34931A = CardElectrics(ARMATURE_4MS, 0.5, 1e10)
"""34931A and 34932A: data sheet below 1.5 ohm, above 10 gigaohm."""
K34933A = CardElectrics(REED_500US, 0.5, 1e10)
"""Data sheet: below 1.5 ohm, above 10 gigaohm."""
K34921A = CardElectrics(ARMATURE_4MS, 0.5, 1e10)
"""34921A and 34922A: data sheet below 1.5 ohm into the analog bus, above 10 gigaohm."""
K34923A = CardElectrics(REED_500US, 0.5, 1e10)
"""34923A and 34924A with their in-rush resistors bypassed (data sheet: below 1.5 ohm; 200 ohm with them)."""
K34925A = CardElectrics(FET_250US, 500.0, 1e10)
"""Data sheet: below 700 ohm, above 10 gigaohm."""
K34934A = CardElectrics(REED_350US, 0.5, 1e10)
"""A channel relay without the row protection: data sheet below 1 ohm, 10 gigaohm."""
PROTECTION_OHMS = 100.0
"""Row protection resistor of a 34934A (34934A User's Guide, "Row Protection")."""
BYPASS_OHMS = 0.2
"""The relay that bypasses it (assumed)."""
PROTECTING = CardElectrics(REED_350US, PROTECTION_OHMS, float("inf"))
BYPASSING = CardElectrics(REED_350US, BYPASS_OHMS, float("inf"))
IDEAL = CardElectrics(INSTANT, 1e-3, float("inf"))
"""A relay as a textbook has it."""

KEITHLEY_7001 = MatrixTiming(
    command_seconds=3e-3,  # assumed: a mainframe of 1991
    relay_seconds=ARMATURE_3MS.settle_seconds,
)
KEYSIGHT_B2200 = MatrixTiming(
    command_seconds=2e-3,  # assumed
    relay_seconds=GUARDED_REED.settle_seconds,
)
KEYSIGHT_E5250A = MatrixTiming(
    command_seconds=4e-3,  # assumed
    relay_seconds=OLDER_GUARDED_REED.settle_seconds,
)
KEYSIGHT_34980A = MatrixTiming(
    command_seconds=0.5e-3,  # assumed
    relay_seconds=REED_350US.settle_seconds,
)
