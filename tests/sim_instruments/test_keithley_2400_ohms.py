"""Auto ohms, offset compensation and remote sense of a simulated 2400."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtjlab.sim_instruments.keithley_2400_readings import StatusBit
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

from .keithley_2400_unit import ON, errors, make_unit, numbers, point

OVERFLOW = 9.9e37


@pytest.mark.parametrize(
    ("ohms", "shown", "amps"),
    [
        (18.0, "2.100000E+01", 100e-3),
        (150.0, "2.100000E+02", 10e-3),
        (1e3, "2.100000E+03", 1e-3),
        (1e4, "2.100000E+04", 100e-6),
        (1.5e5, "2.100000E+05", 10e-6),
        (1.5e6, "2.100000E+06", 1e-6),
        (1.5e7, "2.100000E+07", 1e-6),
        (1.5e8, "2.100000E+08", 100e-9),
    ],
)
def test_each_ohms_range_has_its_current(tell: Any, ask: Any, ohms: float, shown: str, amps: float) -> None:
    smu = make_unit(ohms)
    tell(smu, "*RST", ":SENS:FUNC 'RES'", ":FORM:ELEM RES;:OUTP ON")
    assert numbers(ask(smu, ":READ?"))[0] == pytest.approx(ohms, rel=2e-3)
    assert ask(smu, ":SENS:RES:RANG?") == shown
    assert point(smu)[1] == pytest.approx(amps, rel=5e-3)
    assert numbers(ask(smu, ":SOUR:CURR?")) == [pytest.approx(amps)]
    assert ask(smu, ":SOUR:FUNC?") == "CURR"
    assert errors(smu) == []


def test_the_example_status_of_the_manual(tell: Any, ask: Any) -> None:
    smu = make_unit(1e4)
    tell(smu, "*RST", ":SENS:FUNC:ALL;:OUTP ON")
    volts, amps, ohms, _, status = numbers(ask(smu, ":READ?"))
    assert int(status) == 48132, "bits 2, 10, 11, 12, 13 and 15"
    assert (volts, amps) == (pytest.approx(1.0, rel=2e-3), pytest.approx(1e-4, rel=2e-3))
    assert ohms == pytest.approx(volts / amps, rel=1e-5)


def test_manual_ohms_gives_the_source_back(tell: Any, ask: Any) -> None:
    smu = make_unit()
    tell(smu, "*RST", ON, ":SENS:FUNC 'RES'")
    assert ask(smu, ":SOUR:FUNC?") == "CURR"
    tell(smu, ":SOUR:CURR 1e-3", ":SOUR:FUNC VOLT", ":SENS:VOLT:RANG 20", ":SOUR:CURR:RANG 1e-3")
    assert errors(smu) == [825] * 4
    tell(smu, ":SENS:RES:MODE MAN")
    assert ask(smu, ":SOUR:FUNC?;:SOUR:VOLT?;:OUTP?") == "VOLT;1.000000E-01;1"
    assert point(smu)[0] == pytest.approx(0.1, abs=1e-3)
    _, amps, ohms, _, status = numbers(ask(smu, ":READ?"))
    assert (amps, ohms) == (pytest.approx(1e-4, rel=1e-2), pytest.approx(1e3, rel=1e-2))
    assert not int(status) & StatusBit.AUTO_OHMS


def test_a_fixed_ohms_range_overflows_and_limits_bound_the_automatic_one(tell: Any, ask: Any) -> None:
    smu = make_unit(5e3)
    tell(smu, "*RST", ":SENS:FUNC 'RES';:FORM:ELEM RES,STAT;:SENS:RES:RANG 1500;:OUTP ON")
    assert ask(smu, ":SENS:RES:RANG:AUTO?") == "0"
    ohms, status = numbers(ask(smu, ":READ?"))
    assert ohms == OVERFLOW
    assert int(status) & StatusBit.OVERFLOW
    assert int(status) & StatusBit.COMPLIANCE, "5 V would be needed"
    assert point(smu)[0] == pytest.approx(2.11, rel=1e-2)
    tell(smu, ":SENS:RES:RANG:AUTO ON;:SENS:RES:RANG:AUTO:LLIM 1e5")
    assert numbers(ask(smu, ":READ?"))[0] == pytest.approx(5e3, rel=2e-2)
    assert ask(smu, ":SENS:RES:RANG?") == "2.100000E+05"
    tell(smu, ":SENS:RES:RANG:AUTO:ULIM 1e4")
    assert errors(smu) == [-221], "below the lower limit"


def test_an_open_line_overflows_within_compliance(tell: Any, ask: Any) -> None:
    smu = make_unit(None)
    tell(smu, "*RST", ":SENS:FUNC 'RES';:FORM:ELEM RES;:OUTP ON")
    assert numbers(ask(smu, ":READ?"))[0] == OVERFLOW
    assert point(smu)[0] < 21.5


def test_offset_compensation_takes_the_meters_offset_away(tell: Any, ask: Any) -> None:
    misses, spent = [], []
    for state in ("OFF", "ON"):
        smu = make_unit(1.0)
        tell(smu, "*RST", ":SENS:RES:MODE MAN;:SOUR:FUNC CURR;:SOUR:CURR 1e-3;:SENS:FUNC 'RES';:FORM:ELEM RES")
        tell(smu, f":SENS:VOLT:PROT 1;:SENS:RES:OCOM {state};:OUTP ON")
        before = smu.world.seconds
        misses.append(abs(numbers(ask(smu, ":READ?"))[0] - 1.0))
        spent.append(smu.world.seconds - before)
        assert point(smu)[1] == pytest.approx(1e-3, rel=1e-3), "back at its level"
    assert misses[0] > 8e-3
    assert misses[1] < 4e-3
    assert spent[1] > 1.8 * spent[0]


def test_one_shot_ohms(tell: Any, ask: Any) -> None:
    smu = make_unit(1e4)
    tell(smu, "*RST", ":SENS:RES:OCOM ON")
    assert numbers(ask(smu, ":MEAS:RES?"))[2] == pytest.approx(1e4, rel=1e-3)
    assert ask(smu, ":OUTP?;:SENS:RES:OCOM?;:CONF?") == '1;0;"RES"'
    assert point(smu)[1] == pytest.approx(1e-4, rel=1e-3)
    tell(smu, ":CONF:VOLT")
    assert ask(smu, ":SOUR:FUNC?") == "VOLT"


@pytest.fixture
def four_wire(tmp_path: Path) -> Any:
    """A 2400 whose leads have 25 ohm each between it and 100 ohm."""
    path = tmp_path / "bench.yaml"
    path.write_text(
        """
bench: leads
seed: 3
line_hertz: 50
die: {}
instruments: [{name: k2400, model: keithley_2400, address: "GPIB0::24::INSTR"}]
cables:
  - {from: k2400.hi, to: joint.load, ohms: 25}
  - {from: k2400.sense_hi, to: joint.load, ohms: 25}
  - {from: joint.load, to: ground, ohms: 100}
"""
    )
    bench: SimBench = sim_bench(str(path))
    yield bench.by_name["k2400"]
    bench.close()


def test_remote_sense_leaves_the_leads_out(four_wire: Any, tell: Any, ask: Any) -> None:
    smu = four_wire
    tell(smu, "*RST", ":SENS:FUNC 'RES';:FORM:ELEM RES,STAT;:OUTP ON")
    ohms, status = numbers(ask(smu, ":READ?"))
    assert ohms == pytest.approx(125, rel=2e-3)
    assert not int(status) & StatusBit.REMOTE_SENSE
    tell(smu, ":SYST:RSEN ON")
    assert ask(smu, ":OUTP?") == "0", "changing it turns the output off"
    tell(smu, ":OUTP ON")
    ohms, status = numbers(ask(smu, ":READ?"))
    assert ohms == pytest.approx(100, rel=2e-3)
    assert int(status) & StatusBit.REMOTE_SENSE
    tell(smu, ":SYST:RSEN ON")
    assert ask(smu, ":OUTP?") == "1", "nothing was changed"


def test_remote_sense_regulates_at_the_load(four_wire: Any, tell: Any, ask: Any) -> None:
    smu = four_wire
    tell(smu, "*RST", ":SYST:RSEN ON;:SOUR:VOLT 1;:SENS:CURR:PROT 0.1;:FORM:ELEM CURR;:OUTP ON")
    assert numbers(ask(smu, ":READ?"))[0] == pytest.approx(0.01, rel=2e-3), "1 V across the 100 ohm"
    tell(smu, ":SYST:RSEN OFF;:OUTP ON")
    assert numbers(ask(smu, ":READ?"))[0] == pytest.approx(0.008, rel=2e-3)
