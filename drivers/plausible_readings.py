"""Whether a reading can be what an instrument measured: what a spoilt answer says is mostly not."""

from __future__ import annotations

import math

from mtjlab.nouns import Reading

_VOLTS_SLACK, _RELATIVE_SLACK = 0.02, 0.02
"""How far measured or programmed volts may be from a level: offsets, noise, and lines that have not settled."""
_AMPS_SLACK = 1.1


def is_plausible(reading: Reading, level: float | None, most_amps: float) -> bool:
    """Whether volts are those of the level, unless it limits, and amps no more than the compliance lets flow.

    Args:
        level: volts it was told; None if nobody knows.
        most_amps: the compliance.
    """
    if reading.is_overflow:
        return True
    if not (math.isfinite(reading.volts) and math.isfinite(reading.amps)):
        return False
    if abs(reading.amps) > most_amps * _AMPS_SLACK:
        return False
    if level is None or reading.in_compliance:  # whoever limits, others may decide where the line is
        return True
    return abs(reading.volts - level) <= _VOLTS_SLACK + _RELATIVE_SLACK * abs(level)
