"""The provenance of a run as people read it, line by line: for reports and the terminal."""

from __future__ import annotations

from datetime import date
from typing import Any

from .provenance import InstrumentRecord, Provenance


def provenance_lines(known: Provenance, on: date | None = None) -> list[tuple[str, str]]:
    """(what, what is known of it), without what is not known.

    Args:
        on: the day of the run, which calibrations have to reach.
    """
    facts: list[tuple[str, Any]] = [
        ("operator", known.operator),
        ("bench", known.bench + (" (simulated)" if known.is_simulated else "")),
        ("host", known.host),
        ("wall clock", known.clock_source),
        ("recipe", f"{known.recipe_name} {known.recipe_revision}".strip()),
        ("recipe SHA-256", known.recipe_sha256),
        ("limits", known.limits_revision and f"revision {known.limits_revision}"),
        ("wafer map", f"{known.map_file} {known.map_sha256}".strip()),
        ("orientation", known.map_orientation),
        ("transform", known.map_transform),
        ("subsite", "" if known.subsite is None else known.subsite),
        ("probe card", _card(known)),
        ("overtravel", "" if known.overtravel_meters is None else f"{known.overtravel_meters * 1e6:g} µm"),
        ("chuck", "" if known.chuck_kelvin is None else _kelvin(known.chuck_kelvin)),
        ("field", "" if known.tesla is None else f"{known.tesla * 1e3:g} mT"),
        ("light", "" if known.is_light_on is None else ("on" if known.is_light_on else "off")),
        ("parent run", known.parent_run),
        *((f"instrument {one.name}", _instrument(one, on)) for one in known.instruments),
        *((f"{name} file SHA-256", sha256) for name, sha256 in known.files_sha256.items()),
    ]
    return [(name, str(value)) for name, value in (*facts, *_software(known)) if value not in ("", None)]


def _card(known: Provenance) -> str:
    before = "" if known.card_touchdowns is None else f"{known.card_touchdowns} touch-downs before this run"
    return ", ".join(part for part in (known.probe_card, before) if part)


def _kelvin(kelvin: float) -> str:
    return f"{kelvin:.2f} K ({kelvin - 273.15:.1f} °C)"


def _instrument(one: InstrumentRecord, on: date | None) -> str:
    named = " ".join(part for part in (one.vendor, one.model) if part)
    parts = [
        named,
        one.serial and f"serial {one.serial}",
        one.firmware and f"firmware {one.firmware}",
        f"calibrated until {one.calibration_due}" if one.calibration_due else "calibration not known",
        one.address,
    ]
    said = ", ".join(part for part in parts if part)
    return f"{said} - CALIBRATION HAS RUN OUT" if on is not None and one.is_overdue(on) else said


def _software(known: Provenance) -> list[tuple[str, str]]:
    software = known.software
    if software is None:
        return []
    commit = "" if software.git_commit is None else f" at commit {software.git_commit[:12]}"
    modified = " with uncommitted changes" * bool(software.is_modified)
    return [
        ("software", f"mtjlab {software.mtjlab}{commit}{modified}"),
        ("Python, system", f"{software.python}, {software.system}"),
        ("packages SHA-256", software.packages_sha256),
    ]
