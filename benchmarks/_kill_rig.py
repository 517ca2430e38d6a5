"""A wafer of 36 small dies on the simulated bench with its Velox station, whose every number its seed and place fix.

Everything between the recipe and the disk is what `mtjlab run` uses: the bench of SMUs and a matrix behind PyVISA, the
prober behind its driver, exports and report. Two things are arranged so that an interrupted run can be held against an
undisturbed one: noise begins anew with every touch-down, fixed by the die; and contacts are ideal, since a pad that was
touched once more is not what it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mtjlab.cli_open_bench import packaged_bench_file
from mtjlab.sim_instruments.prober_dies import DiesUnderProbes

SIDE = 3
PLACES = [(x, y) for y in range(-3, 3) for x in range(-3, 3)]
"""In the station's numbers."""
_ADDRESS = "TCPIP0::192.168.0.20::1412::SOCKET"
_CARD = {"spread": 0.0, "dirty_rate": 0.0, "wear_touchdowns": 1e12, "debris_touchdowns": 1e12}
_RECIPE = f"""\
recipe: wafer that is killed
bench: {{simulated: arrays.yaml}}
wafer: {{name: K36, lot: kills, only: {[list(place) for place in PLACES]}, overtravel_metres: 35 um}}
steps:
  - step: contact
  - {{step: classify, how: columns}}
bins:
  tests:
    - {{test: contact.silent_lines, most: 0, hard: 2, soft: 21, name: no contact}}
    - {{test: classify.healthy_share, least: 95 %, hard: 4, soft: 41, name: defects}}
exports: [csv, parquet, stdf, g85]
"""


def write_files(folder: Path) -> Path:
    """Bench, station, wiring, wafer and recipe; returns the recipe."""
    yaml = YAML(typ="rt", pure=True)
    wafer = yaml.load((files("mtjlab.physics") / "wafers" / "passive15.yaml").read_text(encoding="utf-8"))
    wafer["die"] |= {"rows": SIDE, "cols": SIDE}
    bench = yaml.load(packaged_bench_file("linked15.yaml").read_text(encoding="utf-8"))
    del bench["die"]
    bench |= {"bench": "arrays", "wafer": "wafer.yaml", "wiring": "arrays.wiring.yaml"}
    station_part = {"axes": "DR", "card": _CARD}
    bench["instruments"].append(
        {"name": "prober", "model": "formfactor_velox", "address": _ADDRESS, "prober": station_part}
    )
    station = yaml.load(packaged_bench_file("linked15.station.yaml").read_text(encoding="utf-8"))
    station["instruments"]["prober"] = {
        "type": "mtjlab.drivers.formfactor_velox.FormFactorVelox",
        "address": _ADDRESS,
        "init": {"visalib": "arrays@mtjlab", "axes": "DR"},
    }
    wiring = yaml.load(packaged_bench_file("linked15.wiring.yaml").read_text(encoding="utf-8"))
    for lines in ("row_lines", "col_lines"):
        wiring[lines] = wiring[lines][:SIDE]
    contents = {"wafer": wafer, "arrays": bench, "arrays.station": station, "arrays.wiring": wiring}
    for name, content in contents.items():
        with (folder / f"{name}.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(content, file)
    recipe = folder / "recipe.yaml"
    recipe.write_text(_RECIPE, encoding="utf-8")
    return recipe


def probe(recipe: Path, folder: Path) -> None:
    """Begin the run in this folder or go on with it, then export and report, as `mtjlab run` does."""
    from mtjlab.cli_open_bench import checked
    from mtjlab.cli_recipe_wafer import WaferRun, walk
    from mtjlab.cli_wafer_run import finished
    from mtjlab.recipe import load_recipe
    from mtjlab.run_names import LEDGER

    repeat_draws()
    loaded = load_recipe(recipe)
    bench, wiring = checked(loaded)
    assert bench is not None and wiring is not None
    run = WaferRun(loaded, bench, wiring, folder, (folder / LEDGER).is_file())
    began = time.perf_counter()
    outcome = walk(run, lambda store, under: {})
    finished(folder, outcome, began, list(loaded.recipe.exports), report=True)


def repeat_draws() -> None:
    """From now on, noise begins anew with every touch-down in this process, fixed by the die."""
    touch: Callable[[DiesUnderProbes, Any], None] = DiesUnderProbes.touch

    def renewed(self: DiesUnderProbes, factors: Any) -> None:
        self._world.renew_draws(*self._place)
        touch(self, factors)

    DiesUnderProbes.touch = renewed


def touched(folder: Path) -> list[tuple[int, int]]:
    """Places of all touch-downs that the station has counted for a run, in the station's numbers, in their order.

    The station's journal counts in the numbers of the wafer's description, where y grows upwards.
    """
    path = folder / "station.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    events = [json.loads(line) for line in lines]
    return [(int(x), -int(y)) for kind, x, y, *_ in (e for e in events if e[0] == "touched")]
