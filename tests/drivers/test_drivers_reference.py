"""The tables of docs/reference/drivers.md name every driver under the role that it plays."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from qcodes.station import Station

from mtjlab import roles
from mtjlab.drivers.keysight_33500 import Keysight33500
from mtjlab.drivers.keysight_81160a import Keysight81160A
from mtjlab.drivers.prober_visa import ProberVisa
from mtjlab.drivers.pulse_generator_channel import PulseGeneratorChannel
from mtjlab.drivers.scpi_matrix import ScpiMatrix
from mtjlab.prober import Prober
from mtjlab.sim_instruments.simulated_bench import sim_bench

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "drivers.md"
HELPERS = {ScpiMatrix, ProberVisa}
ROLES = {**vars(roles), "Prober": Prober}

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="documentation is in the checkout only")


def told() -> list[tuple[str, str]]:
    """Role and driver of every row."""
    found, role = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        heading = re.match(r"^## (\w+)$", line)
        row = re.match(r"^\| `([\w.]+)` \|", line)
        role = heading[1] if heading else role
        if row:
            found.append((role, row[1]))
    return found


def loaded(driver: str) -> Any:
    module, _, name = driver.rpartition(".")
    return getattr(importlib.import_module(f"mtjlab.drivers.{module}"), name)


def played(role: Any) -> set[str]:
    """Drivers that play a role by themselves."""
    found = set()
    for path in (ROOT / "drivers").glob("*.py"):
        module = importlib.import_module(f"mtjlab.drivers.{path.stem}")
        for name, value in vars(module).items():
            is_own = isinstance(value, type) and value.__module__ == module.__name__
            if is_own and issubclass(value, role) and value not in HELPERS:
                found.add(f"{path.stem}.{name}")
    return found


def test_every_row_names_a_driver_that_plays_the_role() -> None:
    rows = told()
    assert len(rows) >= 8
    for role, driver in rows:
        cls = loaded(driver)
        if role == "PulseSource":
            assert cls in (Keysight33500, Keysight81160A)
            assert issubclass(PulseGeneratorChannel, roles.PulseSource)
        elif role != "SourceMeasureUnit":  # whose channels may be what plays it
            assert issubclass(cls, ROLES[role]), driver
        assert cls.__doc__


def test_smus_take_as_many_levels_as_the_table_says(dialogue: Any) -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(keithley_2\w+\.\w+|keysight_b29\w+\.\w+)` \|(.*)$", text, re.MULTILINE)
    counts = {driver: int(cells.split("|")[2].split()[0]) for driver, cells in reversed(rows)}
    assert len(counts) == 6
    for driver, count in counts.items():
        with dialogue(loaded(driver)) as instrument:
            smu = next(iter(instrument.submodules.values()), instrument)
            assert isinstance(smu, roles.SourceMeasureUnit)
            assert smu.most_levels == count, driver


@pytest.mark.parametrize("role", ["SwitchMatrix", "FieldSource", "ScanUnit", "Crossbar", "Prober"])
def test_every_driver_has_a_row(role: str) -> None:
    assert played(ROLES[role]) == {driver for told_role, driver in told() if told_role == role}


def test_the_station_entry_of_the_page_opens_and_makes_a_field(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(magnet:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    entry = block[1].replace("init: {", "init: {visalib: showroom@mtjlab, ")
    station_file = tmp_path / "station.yaml"
    station_file.write_text("instruments:\n" + "".join(f"  {line}\n" for line in entry.splitlines()), encoding="utf-8")
    bench = sim_bench("showroom")
    bench.reset()
    station = Station(config_file=str(station_file), default=False)
    magnet = station.load_instrument("magnet")
    try:
        magnet.prepare(tesla_limit=0.05)
        magnet.set_tesla(0.03)
        assert bench.world.field_tesla == pytest.approx(0.03, rel=2e-3)
        magnet.output_off()
    finally:
        magnet.close()
        bench.reset()
