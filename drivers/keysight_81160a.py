"""Keysight (Agilent) 81160A pulse function generator (SCPI); its channels play PulseSource.

Headers as public programs for it and for the 81150A have them (PyMeasure's class among them), pulse facts from its
User's Guide ("Pulse Period", "Pulse Width"). That TRIGger<n> alone fires one channel, and that *OPC? waits for the end
of its burst, is to be checked on the instrument. QCoDeS has no driver for it.
"""

from __future__ import annotations

from typing import ClassVar

from .pulse_generator import Dialect, PulseGenerator


class Keysight81160A(PulseGenerator):
    """An 81160A (or an 81150A, which has the same commands)."""

    models: ClassVar[tuple[str, ...]] = ("81160A", "81150A")
    manual: ClassVar[str] = "81150A and 81160A user's guide"
    shortest_seconds: ClassVar[float] = 1.5e-9
    shortest_edge_seconds: ClassVar[float] = 1e-9
    dialect: ClassVar[Dialect] = Dialect(
        width=":PULS:WIDT{n}",
        period=":PULS:PER{n}",
        edge=":PULS:TRAN{n}",
        edge_told=":PULS:TRAN{n}",
        volts=":VOLT{n}",
        cycles=":BURS{n}:NCYC",
        set_up=(
            ":ARM:SOUR{n} MAN;:VOLT{n}:UNIT VPP;:FUNC{n} PULS;:PULS:HOLD{n} WIDT;:PULS:TRAN{n}:TRA:AUTO ON;"
            ":BURS{n}:MODE TRIG;:BURS{n}:NCYC 1;:BURS{n}:STAT ON"
        ),
        trigger=":TRIG{n}",
        most_load_ohms=1e6,
    )
