"""A simulated twin of a station of real instruments: the same models at the same addresses, wired as the file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_open_bench import BenchFiles
from .errors import InputError
from .yaml_files import load_yaml

if TYPE_CHECKING:
    from .wiring import Wiring

_MODELS = {
    "mtjlab.drivers.keithley_2400.Keithley2400": "keithley_2400",
    "mtjlab.drivers.keithley_2450.Keithley2450": "keithley_2450",
    "mtjlab.drivers.keithley_2600.Keithley2600": "keithley_2602b",
    "mtjlab.drivers.keysight_b2900.KeysightB2900": "keysight_b2902a",
    "mtjlab.drivers.keysight_b2900.KeysightB2901": "keysight_b2901a",
    "mtjlab.drivers.keithley_707b.Keithley707B": "keithley_707b",
    "mtjlab.drivers.keithley_7001.Keithley7001": "keithley_7001",
    "mtjlab.drivers.keysight_b2200.KeysightB2200": "keysight_b2201a",
}
"""Driver -> the simulated model that stands for it; of a family, a typical member."""
_CARDS = {"keithley_707b": "7174A", "keithley_7001": "7012-S", "keysight_b2201a": "B2211A"}
_SEED = 1


def twin_of(files: BenchFiles, wiring: Wiring, folder: Path) -> BenchFiles:
    """Station, wiring and bench file of the twin, written into a folder.

    Raises InputError if a driver has no simulated model: then nothing can be rehearsed.
    """
    section = load_yaml(files.station).get("instruments") or {}
    names = list(dict.fromkeys(name.partition(".")[0] for name in (*wiring.smus, wiring.matrix)))
    bench, station = folder / "twin.yaml", folder / "twin.station.yaml"
    wired = folder / "twin.wiring.yaml"
    wired.write_bytes(files.wiring.read_bytes())
    specs = [_spec(name, section.get(name) or {}, wiring, files.station) for name in names]
    _link(specs, section, wiring)
    content = {"bench": "twin", "seed": _SEED, "line_hertz": 50, "die": _die(wiring), "instruments": specs}
    _write(bench, {**content, "wiring": wired.name, "faults": []})
    _write(station, {"instruments": {name: _entry(section[name], f"{bench}@mtjlab") for name in names}})
    return BenchFiles(station, wired, bench)


def _spec(name: str, entry: Any, wiring: Wiring, station: Path) -> dict[str, Any]:
    driver = str(entry.get("type", ""))
    if driver not in _MODELS:
        raise InputError(
            f"there is no simulated instrument for the driver of '{name}' ({driver or 'none'})",
            where=str(station),
            remedy="Only bounds are told; time and transactions are not",
        )
    model = _MODELS[driver]
    spec = {"name": name, "model": model, "address": str(entry.get("address", ""))}
    if model in _CARDS:
        slots = max(column // 100 for column in (*wiring.row_lines, *wiring.col_lines))
        return {**spec, "cards": [_CARDS[model]] * slots}
    return spec


def _link(specs: list[dict[str, Any]], section: Any, wiring: Wiring) -> None:
    """A 2600B scans through a 707B on its TSP-Link, where relays may move at 0 V."""
    masters = [spec for spec in specs if spec["model"] == "keithley_2602b"]
    matrix = next((spec for spec in specs if spec["model"] == "keithley_707b"), None)
    if masters and matrix is not None and wiring.relays_move == "at_zero_volts":
        node = int((section[masters[0]["name"]].get("init") or {}).get("matrix_node", 2))
        masters[0]["tsp_link"] = {node: matrix["name"]}


def _die(wiring: Wiring) -> dict[str, int]:
    return {"rows": len(wiring.row_lines), "cols": len(wiring.col_lines)}


def _entry(entry: Any, library: str) -> dict[str, Any]:
    init = dict(entry.get("init") or {})
    return {"type": str(entry["type"]), "address": str(entry["address"]), "init": {**init, "visalib": library}}


def _write(path: Path, content: dict[str, Any]) -> None:
    from ruamel.yaml import YAML

    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(content, file)
