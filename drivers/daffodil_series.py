"""Which readings of a series a Daffodil board makes at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mtjlab.nouns import Line
from mtjlab.roles import LineRead


def series_of(reads: Sequence[LineRead], *, together: bool) -> list[tuple[list[Line], list[int]]]:
    """Lines to sense at once, and the places in `reads` that this serves; in the order of their first places.

    Readings with the same lines belong together. One that is asked for several times is made as often, always with all
    lines that are ever sensed with these lines: through real wires that makes a difference.
    """
    if not together:
        return [([read.sense], [number]) for number, read in enumerate(reads)]
    sensed: dict[bytes, dict[Line, None]] = {}
    places: dict[tuple[bytes, int], list[int]] = {}
    times: Counter[tuple[bytes, Line]] = Counter()
    for number, read in enumerate(reads):
        key = read.lines.row_volts.tobytes() + read.lines.col_volts.tobytes()
        sensed.setdefault(key, {})[read.sense] = None
        places.setdefault((key, times[key, read.sense]), []).append(number)
        times[key, read.sense] += 1
    return [(list(sensed[key]), numbers) for (key, _), numbers in places.items()]
