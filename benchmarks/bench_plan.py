"""What a bench still to be bought would give: seconds to read an array, from data sheets, beside simulated benches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mtjlab.bench_estimate import BenchTimes, estimate_reading
from mtjlab.sim_instruments.relay_contacts import Contacts
from mtjlab.sim_instruments.switching_tables import GUARDED_REED, K707B_RELAY, REED_350US

from ._benches import INTEGRATION_SECONDS, Shape
from ._measure import significant


def _times(contacts: Contacts, **rest: Any) -> BenchTimes:
    return BenchTimes(
        INTEGRATION_SECONDS,
        open_seconds=contacts.seconds(closes=False, opens=True),
        close_seconds=contacts.seconds(closes=True, opens=False),
        **rest,
    )


LINKED = _times(
    K707B_RELAY,
    reading_seconds=0.15e-3,
    level_seconds=0.1e-3,
    route_seconds=0.9e-3,
    scans_itself=True,
    start_seconds=0.05,
)
"""A 2602B that scans a 707B over TSP-Link: fitted to its simulation."""
BIASED = _times(GUARDED_REED, reading_seconds=1.2e-3, level_seconds=1e-3, route_seconds=7e-3, holds_lines=True)
"""A B2902A with a B2201A whose ground mode holds the lines, relays moving at 0 V: likewise."""
BENCHES = {
    "2602B + 707B, TSP-Link": LINKED,
    "B2902A + B2201A, relays at 0 V": BIASED,
    "8 channels over TSP-Link + 707B": replace(LINKED, sensed_lines=7),
    "16 channels over TSP-Link + 707B": replace(LINKED, sensed_lines=15),
    "2602B + fast reeds (0.35 ms), scanned": _times(
        REED_350US, reading_seconds=0.15e-3, level_seconds=0.1e-3, route_seconds=0.9e-3, scans_itself=True
    ),
    "2602B + 707B, TSP-Link, 0.01 PLC": replace(LINKED, integration_seconds=INTEGRATION_SECONDS / 10),
}


def run(*, quick: bool = False) -> tuple[str, list[list[str]], dict[str, Any]]:
    """Estimates only; `bench_seconds` simulates the first two."""
    rows, result = [["bench", "array", "s", "floor s", "x floor", "routes", "closings", "messages"]], {}
    shapes: list[Shape] = [(15, 15)] if quick else [(15, 15), (25, 25), (64, 64)]
    for shape in shapes:
        for title, times in BENCHES.items():
            found = estimate_reading(shape, times)
            numbers = found.seconds, found.floor_seconds, found.seconds / found.floor_seconds
            counts = found.routes, found.relay_closings, found.transactions
            array = f"{shape[0]} x {shape[1]}"
            rows.append([title, array, *(f"{n:.3g}" for n in numbers), *map(str, counts)])
            result[f"{title}, {array}"] = {k: significant(v) for k, v in vars(found).items()}
    return "Reading a whole array, estimated, 0.1 PLC at 50 Hz", rows, {"benches": result}
