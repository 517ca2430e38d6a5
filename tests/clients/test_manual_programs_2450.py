"""Programs for a 2450 with its SCPI commands, as its reference manual shows them, by PyVISA."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from .lab import ONE_CELL, Lab, MakeLab, numbers

OHMS = 1000.0


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab({"smu": {"model": "keithley_2450"}}, [{"from": "smu.hi", "to": "ground", "ohms": OHMS}])


@pytest.fixture
def smu(lab: Lab) -> MessageBasedResource:
    return lab.open("smu", "*RST", "*CLS", seconds=30)


def ask(smu: MessageBasedResource, message: str) -> str:
    return smu.query(message).strip()


def tell(smu: MessageBasedResource, *messages: str) -> None:
    for message in messages:
        smu.write(message)
    assert ask(smu, "SYST:ERR?").startswith('0,"No error')


def test_what_it_is_and_how_it_starts(smu: MessageBasedResource) -> None:
    assert ask(smu, "*IDN?").split(",")[:2] == ["KEITHLEY INSTRUMENTS", "MODEL 2450"]
    for query, reply in {
        "*LANG?": "SCPI",
        "SOUR:FUNC?": "VOLT",
        "SENS:FUNC?": '"CURR:DC"',
        "OUTP?": "0",
        "SENS:COUN?": "1",
        "SENS:CURR:NPLC?": "1",
        "SENS:CURR:AZER?": "1",
        "SOUR:VOLT:READ:BACK?": "1",
        "TRAC:ACT?": "0",
        "TRAC:POIN?": "100000",
        "ROUT:TERM?": "FRON",
        "SOUR:VOLT:PROT?": "NONE",
    }.items():
        assert ask(smu, query) == reply, query
    assert float(ask(smu, "SOUR:VOLT:ILIM?")) == 1.05e-4
    assert float(ask(smu, "SOUR:CURR:VLIM?")) == 21


def test_volts_and_amperes_with_all_elements(smu: MessageBasedResource) -> None:
    tell(smu, "SOUR:FUNC VOLT", "SOUR:VOLT:RANG 20", "SOUR:VOLT:ILIM 0.02", "SOUR:VOLT 5", 'SENS:FUNC "CURR"')
    tell(smu, "SENS:CURR:RANG:AUTO ON", "OUTP ON")
    amps, volts, unit, seconds, state = ask(smu, 'READ? "defbuffer1", READ, SOUR, UNIT, REL, SOURSTAT').split(",")
    assert float(amps) == pytest.approx(5e-3, rel=1e-3)
    assert float(volts) == pytest.approx(5, rel=1e-3)
    assert unit == "Amp DC"
    assert float(seconds) == 0
    assert int(state) & 128, "readback"
    assert float(ask(smu, "FETC?")) == float(amps)
    assert float(ask(smu, "MEAS:VOLT?")) == pytest.approx(5, rel=1e-3)
    assert ask(smu, "SENS:FUNC?") == '"VOLT:DC"', "MEAS selects what it measures"


def test_current_source_and_its_limit(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, 'SENS:FUNC "VOLT"', "SENS:VOLT:RANG 2", "SOUR:FUNC CURR", "SOUR:CURR:RANG 1E-3", "SOUR:CURR 1E-3")
    tell(smu, "SOUR:CURR:VLIM 5", "OUTP ON")
    assert float(ask(smu, "READ?")) == pytest.approx(1, rel=1e-3)
    assert ask(smu, "SOUR:CURR:VLIM:TRIP?") == "0"
    tell(smu, "SOUR:CURR:VLIM 0.5")
    assert float(ask(smu, "READ?")) == pytest.approx(0.5, rel=2e-3)
    assert ask(smu, "SOUR:CURR:VLIM:TRIP?") == "1"
    assert lab.point("smu").amps == pytest.approx(5e-4, rel=2e-3)


def test_the_limit_is_not_the_range(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, "SOUR:VOLT:ILIM 0.01", "SOUR:VOLT 1", "OUTP ON", "SENS:CURR:RANG 1E-4")
    assert float(ask(smu, "READ?")) == 9.9e37, "a fixed range below the limit limits, too"
    assert 1.05e-4 < lab.point("smu").amps < 1.2e-4
    assert ask(smu, "SOUR:VOLT:ILIM:TRIP?") == "1"
    tell(smu, "SOUR:VOLT:ILIM 5E-4;:SENS:CURR:RANG 1E-3")
    assert float(ask(smu, "READ?")) == pytest.approx(5e-4, rel=1e-3)
    assert ask(smu, "SOUR:VOLT:ILIM:TRIP?") == "1"


def test_ohms_with_offset_compensation_into_a_buffer_of_ones_own(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, 'TRAC:MAKE "ohms", 100', 'SENS:FUNC "RES"', "SENS:RES:RANG:AUTO ON", "SENS:RES:OCOM ON", "SENS:COUN 5")
    tell(smu, "OUTP ON", 'TRAC:TRIG "ohms"')
    table = np.array(numbers(ask(smu, 'TRAC:DATA? 1, 5, "ohms", READ, REL'))).reshape(5, 2)
    assert table[:, 0] == pytest.approx(OHMS, rel=1e-3)
    assert (np.diff(table[:, 1]) > 0.1).all(), "two readings of three conversions each"
    assert float(ask(smu, 'TRAC:STAT:AVER? "ohms"')) == pytest.approx(table[:, 0].mean(), rel=1e-6)
    tell(smu, 'TRAC:DEL "ohms"')
    assert lab.point("smu").amps == pytest.approx(1e-3, rel=1e-2), "the test current of the 2 kohm range"
    tell(smu, 'SENS:FUNC "CURR"', "OUTP OFF")
    assert ask(smu, "SOUR:FUNC?") == "VOLT", "which the resistance function had replaced"


def test_linear_sweep_as_in_the_manual(smu: MessageBasedResource) -> None:
    tell(
        smu, 'SENS:FUNC "CURR"', "SENS:CURR:RANG:AUTO ON", "SOUR:FUNC VOLT", "SOUR:VOLT:RANG 20", "SOUR:VOLT:ILIM 0.02"
    )
    tell(smu, "SOUR:SWE:VOLT:LIN 0, 10, 21, 200e-3")
    smu.write("INIT")
    smu.write("*WAI")
    table = np.array(numbers(ask(smu, 'TRAC:DATA? 1, 21, "defbuffer1", SOUR, READ, REL'))).reshape(21, 3)
    assert table[:, 0] == pytest.approx(np.linspace(0, 10, 21), abs=5e-3)
    assert table[1:, 1] == pytest.approx(table[1:, 0] / OHMS, rel=1e-3)
    assert np.diff(table[:, 2]) == pytest.approx(0.2 + 0.08, abs=0.01)
    assert ask(smu, "OUTP?") == "0", "a sweep turns the output off"
    assert ask(smu, "TRIG:STAT?").startswith("IDLE")


def test_list_and_dual_sweeps(smu: MessageBasedResource) -> None:
    tell(smu, "SOUR:FUNC VOLT", "SOUR:VOLT:RANG 2", "SOUR:VOLT:ILIM 0.02", "SOUR:VOLT:READ:BACK OFF")
    tell(smu, "SOUR:LIST:VOLT 1, 2, 0.5", "SOUR:LIST:VOLT:APP 0.1", "SOUR:SWE:VOLT:LIST 1, 0.001", "TRAC:CLE")
    smu.write("INIT;*WAI")
    assert numbers(ask(smu, 'TRAC:DATA? 1, 4, "defbuffer1", READ')) == pytest.approx([1e-3, 2e-3, 5e-4, 1e-4], rel=5e-3)
    tell(smu, "SOUR:SWE:VOLT:LIN:STEP -1, 1, 0.5, 1e-3, 1, FIXED, OFF, ON", "TRAC:CLE")
    smu.write("INIT;*WAI")
    assert int(ask(smu, "TRAC:ACT?")) == 10, "there and back"
    volts = numbers(ask(smu, 'TRAC:DATA? 1, 10, "defbuffer1", SOUR'))
    assert volts == pytest.approx([-1, -0.5, 0, 0.5, 1, 1, 0.5, 0, -0.5, -1])


@pytest.mark.parametrize(("form", "kind"), [("REAL", "d"), ("SREAL", "f")])
@pytest.mark.parametrize(("order", "is_big_endian"), [("NORM", True), ("SWAP", False)])
def test_binary_buffers(smu: MessageBasedResource, form: str, kind: Any, order: str, is_big_endian: bool) -> None:
    tell(smu, "SOUR:VOLT 0.5", "SOUR:VOLT:ILIM 0.01", "SENS:COUN 6", "OUTP ON", "TRAC:TRIG")
    tell(smu, f"FORM {form};:FORM:BORD {order}")
    values = smu.query_binary_values(
        'TRAC:DATA? 1, 6, "defbuffer1", READ', datatype=kind, is_big_endian=is_big_endian, data_points=6
    )
    assert values == pytest.approx([5e-4] * 6, rel=1e-3)


def test_trigger_model_from_a_template(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, "SOUR:VOLT 0.5;:SOUR:VOLT:ILIM 0.01;:OUTP ON", 'TRIG:LOAD "SimpleLoop", 10, 0.05, "defbuffer1"')
    smu.write("*ESE 1;*SRE 32")
    smu.write("INIT;*OPC")
    smu.wait_for_srq(5000)  # type: ignore[attr-defined]
    assert int(ask(smu, "TRAC:ACT?")) == 10
    seconds = numbers(ask(smu, 'TRAC:DATA? 1, 10, "defbuffer1", REL'))
    assert np.diff(seconds) == pytest.approx(0.05 + 0.08, abs=0.01)


def test_a_reading_longer_than_the_timeout(lab: Lab) -> None:
    smu = lab.open("smu", "*RST", "SENS:CURR:NPLC 10;:SENS:COUN 20;:OUTP ON", seconds=2)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query("READ?")
    smu.clear()
    smu.write("SENS:COUN 1;:SENS:CURR:NPLC 1")
    assert ask(smu, "*IDN?").startswith("KEITHLEY")
    assert abs(float(ask(smu, "READ?"))) < 1e-6


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (":SENS:CURR:PROT 0.1", -113),
        ("FORM:ELEM CURR", -113),
        ("TRIG:COUN 5", -113),
        ("SOUR:VOLT 300", -222),
        ("SOUR:VOLT", -109),
        ("SENS:CURR:NPLC 20", -222),
        ('READ? "nowhere"', 1115),
        ("INIT", 4501),
    ],
)
def test_typical_mistakes(lab: Lab, message: str, error: int) -> None:
    """A 2400's commands above all, which a 2450 does not know."""
    smu = lab.open("smu", "*RST", "*CLS", message)
    assert int(ask(smu, "SYST:ERR?").split(",")[0]) == error


def test_hysteresis_of_a_cell(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"smu": {"model": "keithley_2450"}},
        [{"from": "smu.hi", "to": "die.row.0"}, {"from": "die.col.0", "to": "ground"}],
        die=ONE_CELL,
    )
    smu = lab.open("smu", "*RST", seconds=60)
    tell(smu, "SOUR:VOLT:RANG 2", "SOUR:VOLT:ILIM 2E-3", "SENS:CURR:RANG 1E-3", "SENS:CURR:NPLC 0.1")
    ohms = []
    for stop in (-1.0, 1.0):
        tell(smu, f"SOUR:SWE:VOLT:LIN 0.1, {stop}, 23, 1e-3, 1, FIXED, OFF, ON", "TRAC:CLE")
        smu.write("INIT;*WAI")
        volts, amps = np.array(numbers(ask(smu, 'TRAC:DATA? 1, 46, "defbuffer1", SOUR, READ'))).reshape(46, 2).T
        ohms.append((volts / amps)[-1])
    antiparallel, parallel = ohms
    die = lab.world.die
    assert parallel == pytest.approx(1 / die.siemens_p[0] + float(die.contact_ohms.sum()), rel=0.02)
    assert 1.6 < antiparallel / parallel < 2.1
