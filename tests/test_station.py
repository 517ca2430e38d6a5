"""Stations: what is opened, what is refused, and that nothing stays open when one of them fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qcodes.instrument import Instrument

from mtjlab.errors import InputError
from mtjlab.roles import SourceMeasureUnit, SwitchMatrix
from mtjlab.sim_instruments.simulated_bench import bench_path, sim_bench
from mtjlab.station import OpenStation, open_station
from mtjlab.wiring import load_wiring

NAMES = ("drive", "half_select", "sense", "matrix")


@pytest.fixture(autouse=True)
def untouched_bench() -> Iterator[None]:
    sim_bench("passive15").reset()
    yield
    sim_bench("passive15").reset()


@pytest.fixture
def opened() -> list[OpenStation]:
    return []


@pytest.fixture
def open_with(tmp_path: Path, opened: list[OpenStation]) -> Iterator[Any]:
    """Opens the packaged station with some text replaced."""

    def open_it(*changes: tuple[str, str]) -> OpenStation:
        text = bench_path("passive15").with_name("passive15.station.yaml").read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        station = tmp_path / "station.yaml"
        station.write_text(text)
        wiring = bench_path("passive15").with_name("passive15.wiring.yaml")
        opened.append(open_station(station, wiring, load_wiring(wiring)))
        return opened[-1]

    yield open_it
    for station in opened:
        station.close()


def refused(open_with: Any, *changes: tuple[str, str]) -> InputError:
    with pytest.raises(InputError) as caught:
        open_with(*changes)
    assert "station.yaml" in caught.value.where
    assert caught.value.remedy
    assert open_instruments() == []
    return caught.value


def open_instruments() -> list[str]:
    """Which of the station's instruments QCoDeS holds open."""
    return [name for name in NAMES if Instrument.exist(name)]


def test_every_instrument_is_opened_by_its_role_and_none_is_switched_on(open_with: Any) -> None:
    station = open_with()
    assert list(station.smus) == ["drive", "half_select", "sense"]
    assert all(isinstance(smu, SourceMeasureUnit) for smu in station.smus.values())
    assert isinstance(station.matrix, SwitchMatrix)
    assert station.addresses == {
        "drive": "GPIB0::24::INSTR",
        "half_select": "GPIB0::25::INSTR",
        "sense": "GPIB0::26::INSTR",
        "matrix": "GPIB0::16::INSTR",
    }
    assert not sim_bench("passive15").world.is_live
    assert open_instruments() == list(NAMES)
    station.close()
    assert open_instruments() == []


def test_messages_are_added_up(open_with: Any) -> None:
    station = open_with()
    before = station.messages()
    station.smus["drive"].set_volts(0.0)
    station.matrix.closed()
    assert station.messages() == (before[0] + 1, before[1] + 1)


def test_closing_goes_on_after_a_session_that_is_dead(open_with: Any) -> None:
    station = open_with()
    station.smus["drive"].close()
    station.close()
    assert open_instruments() == []


def test_a_missing_instrument_is_named_with_a_guess(open_with: Any) -> None:
    error = refused(open_with, ("  sense:", "  sence:"))
    assert "'sense' is missing" in error.what
    assert "did you mean 'sence'?" in error.what
    assert "passive15.wiring.yaml" in error.what


@pytest.mark.parametrize(
    "wrong", ["mtjlab.drivers.keithley_2400.Keithley9", "mtjlab.drivers.nothing.Keithley2400", "nonsense.Driver"]
)
def test_a_driver_that_cannot_be_loaded(open_with: Any, wrong: str) -> None:
    error = refused(open_with, ("mtjlab.drivers.keithley_707b.Keithley707B", wrong))
    assert error.where.endswith("key instruments.matrix")
    assert "driver cannot be loaded" in error.what


def test_a_driver_of_another_role(open_with: Any) -> None:
    old, new = "mtjlab.drivers.keithley_707b.Keithley707B", "mtjlab.drivers.keithley_2400.Keithley2400"
    error = refused(open_with, (old, new))
    assert "'Keithley2400' is not a SwitchMatrix" in error.what
    assert error.where.endswith("key instruments.matrix")


def test_nobody_at_the_address_closes_those_that_were_open(open_with: Any) -> None:
    error = refused(open_with, ("GPIB0::26::INSTR", "GPIB0::7::INSTR"))
    assert "GPIB0::7::INSTR" in str(error)
    assert "sense" in str(error)


def test_a_bench_that_is_not_there(open_with: Any) -> None:
    error_type_and_text = pytest.raises(InputError, match="passive16")
    with error_type_and_text as caught:
        open_with(("passive15@mtjlab", "passive16@mtjlab"))
    assert caught.value.remedy
    assert open_instruments() == []


@pytest.mark.parametrize("text", ["instruments: 5\n", "other: {}\n", "instruments: {drive: 5}\n"])
def test_a_file_without_instruments(tmp_path: Path, text: str) -> None:
    station = tmp_path / "station.yaml"
    station.write_text(text)
    wiring = bench_path("passive15").with_name("passive15.wiring.yaml")
    with pytest.raises(InputError, match="no section 'instruments'"):
        open_station(station, wiring, load_wiring(wiring))
