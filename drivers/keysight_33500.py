"""Keysight (Agilent) 33500 and 33600 series waveform generators (SCPI); their channels play PulseSource.

Facts from the 33500 Series Operating and Service Guide. QCoDeS's stock driver is not used;
docs/decisions/0006-own-drivers.md says why.
"""

from __future__ import annotations

from typing import ClassVar

from .pulse_generator import Dialect, PulseGenerator


class Keysight33500(PulseGenerator):
    """A 33509B to 33522B, 33521A, 33522A or 33611A to 33622A."""

    models: ClassVar[tuple[str, ...]] = ("3350", "3351", "3352", "3361", "3362")
    manual: ClassVar[str] = "33500 series operating and service guide"
    shortest_seconds: ClassVar[float] = 5e-9
    shortest_edge_seconds: ClassVar[float] = 2.9e-9
    dialect: ClassVar[Dialect] = Dialect(
        width=":SOUR{n}:FUNC:PULS:WIDT",
        period=":SOUR{n}:FUNC:PULS:PER",
        edge=":SOUR{n}:FUNC:PULS:TRAN:BOTH",
        edge_told=":SOUR{n}:FUNC:PULS:TRAN:LEAD",
        volts=":SOUR{n}:VOLT",
        cycles=":SOUR{n}:BURS:NCYC",
        set_up=(
            ":TRIG{n}:SOUR BUS;:SOUR{n}:VOLT:UNIT VPP;:SOUR{n}:FUNC PULS;:SOUR{n}:FUNC:PULS:HOLD WIDT;"
            ":SOUR{n}:BURS:MODE TRIG;:SOUR{n}:BURS:NCYC 1;:SOUR{n}:BURS:STAT ON"
        ),
        trigger=":TRIG{n}",
        most_load_ohms=10e3,
    )
