"""Commands as typed, and small benches to type them at; for the tests beside this file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from mtjlab.cli import app
from mtjlab.sim_instruments import benches

PACKAGED = Path(benches.__file__).parent
TINY_WAFER = """\
wafer: tiny
die: {rows: 2, cols: 2, contact_ohms: 10, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}
pitch_mm: [5, 5]
radius_mm: 6
"""
TINY_DIES = 5


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def typed(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout


def result_of(*arguments: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed(*arguments, "--json", status=status).splitlines()[-1])
    return found


def tiny_wafer(folder: Path, recipe: str) -> None:
    """The bench `tiny.yaml` of SMUs and a prober on a wafer of 2 x 2 arrays, and `r.yaml`, in this folder."""
    for kind in ("wiring.", "station.", ""):
        shutil.copy(PACKAGED / f"probed15.{kind}yaml", folder / f"tiny.{kind}yaml")
    (folder / "wafer.yaml").write_text(TINY_WAFER, encoding="utf-8")
    change(folder / "tiny.yaml", "wafer: passive15", "wafer: wafer.yaml")
    change(folder / "tiny.yaml", "wiring: probed15", "wiring: tiny")
    change(folder / "tiny.wiring.yaml", str([*range(101, 113), 201, 202, 203]), "[101, 102]")
    change(folder / "tiny.wiring.yaml", str([*range(204, 213), *range(301, 307)]), "[204, 205]")
    (folder / "r.yaml").write_text(recipe, encoding="utf-8")
