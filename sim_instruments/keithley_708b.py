"""A simulated Keithley 708B switching matrix: a 707B with one slot (Models 707B and 708B Reference Manual)."""

from __future__ import annotations

from typing import ClassVar

from .keithley_707b import SimKeithley707B


class SimKeithley708B(SimKeithley707B):
    """One 708B. Nodes as on a 707B: rows `<name>.row.<A..H>`, columns `<name>.col.<100 + c>`."""

    model: ClassVar[str] = "708B"
    slots: ClassVar[int] = 1
