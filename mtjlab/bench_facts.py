"""What an open bench and its prober say of themselves, as a run's provenance keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from .prober import Prober
from .provenance import InstrumentRecord
from .roles import Identity


def bench_records(
    identities: Mapping[str, Identity],
    addresses: Mapping[str, str] | None = None,
    calibrated_until: Mapping[str, date | None] | None = None,
) -> tuple[InstrumentRecord, ...]:
    """Instruments by name, with their addresses and the last days of their calibrations where they are known."""
    where, until = addresses or {}, calibrated_until or {}
    found = []
    for name, each in identities.items():
        last = until.get(name)
        due = "" if last is None else last.isoformat()
        place = where.get(name, "")
        found.append(InstrumentRecord(name, each.vendor, each.model, each.serial, each.firmware, place, due))
    return tuple(found)


def prober_facts(prober: Prober) -> dict[str, Any]:
    """Fields of `Provenance` that a prober tells: temperature of the chuck, overtravel. Nothing moves."""
    found: dict[str, Any] = {}
    can = prober.capabilities
    if can.has_thermal:
        found["chuck_kelvin"] = prober.thermal().kelvin
    if can.has_overtravel:
        found["overtravel_meters"] = prober.overtravel_metres()
    return found


def station_snapshot(instruments: Sequence[Any], config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As `qcodes.Station.snapshot` gives it, of what the drivers know: nothing is sent.

    Args:
        instruments: those that are no QCoDeS instruments are left out.
        config: content of the station file.
    """
    taken = {each.name: each.snapshot(update=False) for each in instruments if hasattr(each, "snapshot")}
    return {"instruments": taken, "parameters": {}, "components": {}, "config": config}
