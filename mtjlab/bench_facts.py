"""What an open bench and its prober say of themselves, as a run's provenance keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

from .errors import InstrumentError
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
    """Fields of `Provenance` that a prober tells: temperature of the chuck, overtravel; its light goes off.

    Nothing moves. What it refuses to tell or to do (a station may have no heater, no such camera) stays unknown: it is
    no reason not to probe, and a prober that does not answer is found by the run itself.
    """

    def dark() -> bool:
        prober.set_light(False)
        return False

    can = prober.capabilities
    asked: list[tuple[str, bool, Callable[[], Any]]] = [
        ("chuck_kelvin", can.has_thermal, lambda: prober.thermal().kelvin),
        ("overtravel_meters", can.has_overtravel, prober.overtravel_metres),
        ("is_light_on", can.has_light, dark),
    ]
    found: dict[str, Any] = {}
    for name, is_there, ask in asked:
        with suppress(InstrumentError):
            if is_there:
                found[name] = ask()
    return found


def station_snapshot(instruments: Sequence[Any], config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As `qcodes.Station.snapshot` gives it, of what the drivers know: nothing is sent.

    Args:
        instruments: those that are no QCoDeS instruments are left out.
        config: content of the station file.
    """
    taken = {each.name: each.snapshot(update=False) for each in instruments if hasattr(each, "snapshot")}
    return {"instruments": taken, "parameters": {}, "components": {}, "config": config}
