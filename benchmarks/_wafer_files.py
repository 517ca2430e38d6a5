"""Files of a wafer of 15 x 15 arrays on a bench of SMUs, a matrix and a prober, made from the packaged ones."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mtjlab.cli_open_bench import packaged_bench_file

_PROBER = "TCPIP0::192.168.0.20::1412::SOCKET"
_RECIPE = """\
recipe: arrays of a wafer
bench: {{simulated: arrays.yaml}}
wafer: {{name: W1, lot: L1, only: {only}, overtravel_metres: 35 um}}
steps:
  - step: contact
  - {{step: classify, how: columns, repeats: 1, step_volts: 80 mV,
     set_volts: 0.5 V, reset_volts: 0.64 V, most_volts: 0.84 V}}
bins:
  tests:
    - {{test: contact.silent_lines, most: 0, hard: 2, soft: 21, name: no contact}}
    - {{test: classify.healthy_share, least: 95 %, hard: 4, soft: 41, name: defects}}
exports: [csv, parquet, stdf, g85]
"""


def write_files(folder: Path, dies: int) -> Path:
    """A 2602B that scans through a 707B, a prober under Velox, a wafer of at least so many dies; returns the recipe.

    Its amplitudes are such that hardly a cell needs a second pulse, in steps of 80 mV: cells that are stuck get half as
    many pulses as by default. On ten dies every cell was found in the same class either way.
    """
    yaml = YAML(typ="rt", pure=True)
    wafer = yaml.load((files("mtjlab.physics") / "wafers" / "passive15.yaml").read_text(encoding="utf-8"))
    wafer["radius_mm"] = 49.5
    bench = yaml.load(packaged_bench_file("linked15.yaml").read_text(encoding="utf-8"))
    del bench["die"]
    bench |= {"bench": "arrays", "wafer": "wafer.yaml", "wiring": "arrays.wiring.yaml"}
    prober = {"name": "prober", "model": "formfactor_velox", "address": _PROBER, "prober": {"axes": "DR"}}
    bench["instruments"].append(prober)
    station = yaml.load(packaged_bench_file("linked15.station.yaml").read_text(encoding="utf-8"))
    station["instruments"]["prober"] = {
        "type": "mtjlab.drivers.formfactor_velox.FormFactorVelox",
        "address": _PROBER,
        "init": {"visalib": "arrays@mtjlab", "axes": "DR"},
    }
    wiring = packaged_bench_file("linked15.wiring.yaml").read_text(encoding="utf-8")
    (folder / "arrays.wiring.yaml").write_text(wiring, encoding="utf-8")
    for name, content in (("wafer", wafer), ("arrays", bench), ("arrays.station", station)):
        _write(yaml, content, folder / f"{name}.yaml")
    recipe = folder / "recipe.yaml"
    recipe.write_text(_RECIPE.format(only=_first(folder / "wafer.yaml", dies)), encoding="utf-8")
    return recipe


def _first(wafer: Path, dies: int) -> list[list[int]]:
    """Places of so many dies, in the prober's coordinates (y counts downwards there)."""
    from mtjlab.physics.populations import WaferDescription

    places = sorted(WaferDescription.load(wafer).places, key=lambda place: (abs(place[1]), abs(place[0])))
    if len(places) < dies:
        raise ValueError(f"the wafer has {len(places)} dies, not {dies}")
    return [[x, -y] for x, y in places[:dies]]


def _write(yaml: Any, content: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
