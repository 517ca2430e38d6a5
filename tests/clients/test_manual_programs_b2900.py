"""Programs for a B2902A and a B2912A as Keysight's programming guide shows them, by PyVISA."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from .lab import ONE_CELL, Lab, MakeLab, numbers

OHMS = 1000.0
IDLE = 1170


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab({"smu": {"model": "keysight_b2902a"}}, [{"from": "smu.{1,2}.hi", "to": "ground", "ohms": OHMS}])


@pytest.fixture
def smu(lab: Lab) -> MessageBasedResource:
    return lab.open("smu", "*RST", "*CLS", seconds=30)


def ask(smu: MessageBasedResource, message: str) -> str:
    return smu.query(message).strip()


def tell(smu: MessageBasedResource, *messages: str) -> None:
    for message in messages:
        smu.write(message)
    assert ask(smu, ":SYST:ERR?") == '+0,"No error"'


def test_what_it_is_and_how_it_starts(smu: MessageBasedResource) -> None:
    assert ask(smu, "*IDN?").split(",")[:2] == ["Keysight Technologies", "B2902A"]
    for query, reply in {
        ":SOUR1:FUNC:MODE?": "VOLT",
        ":SOUR2:FUNC:SHAP?": "DC",
        ":SENS:FUNC?": '"VOLT","CURR"',
        ":OUTP?": "0",
        ":OUTP:ON:AUTO?": "1",
        ":OUTP:PROT?": "0",
        ":SENS:REM?": "0",
        ":TRIG:SOUR?": "AINT",
        ":TRIG:COUN?": "1",
        ":FORM?": "ASC",
        ":FORM:BORD?": "NORM",
        ":FORM:ELEM:SENS?": "VOLT,CURR,RES,TIME,STAT,SOUR",
        ":STAT:OPER:COND?": str(IDLE),
    }.items():
        assert ask(smu, query) == reply, query
    assert float(ask(smu, ":SENS:CURR:PROT?")) == 1e-4
    assert float(ask(smu, ":SENS:VOLT:PROT?")) == 2


def test_spot_measurements_of_both_channels(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR1:VOLT 1;:SENS1:CURR:PROT 0.01;:OUTP1 ON", ":SOUR2:FUNC:MODE CURR;:SOUR2:CURR 2E-3")
    tell(smu, ":SENS2:VOLT:PROT 5;:OUTP2 ON")
    table = np.array(numbers(ask(smu, ":MEAS? (@1,2)"))).reshape(2, 6)
    assert table[:, 0] == pytest.approx([1, 2], rel=1e-3)
    assert table[:, 1] == pytest.approx([1e-3, 2e-3], rel=1e-3)
    assert (table[:, 2] == 9.91e37).all(), "resistance is not measured"
    assert table[:, 5] == pytest.approx([1, 2e-3]), "the sources' levels"
    assert float(ask(smu, ":MEAS:CURR? (@1)")) == pytest.approx(1e-3, rel=1e-3)
    assert lab.point("smu", 1).amps == pytest.approx(2e-3, rel=1e-3)


def test_compliance(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:VOLT 1;:SENS:CURR:PROT 5E-4;:FORM:ELEM:SENS CURR,STAT;:OUTP ON")
    amps, status = numbers(ask(smu, ":MEAS? (@1)"))
    assert amps == pytest.approx(5e-4, rel=1e-3)
    assert int(status) & 2
    assert ask(smu, ":SENS:CURR:PROT:TRIP?") == "1"
    tell(smu, ":OUTP:PROT ON")
    assert ask(smu, ":OUTP?") == "0", "protection turns it off"
    assert lab.point("smu").volts == pytest.approx(0, abs=1e-3)


def test_staircase_as_in_the_guide(smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:FUNC:MODE VOLT", ":SOUR:VOLT:MODE SWE", ":SOUR:VOLT:STAR 0", ":SOUR:VOLT:STOP 0.1")
    tell(smu, ":SOUR:VOLT:POIN 5", ':SENS:FUNC "CURR"', ":SENS:CURR:RANG:AUTO ON", ":SENS:CURR:APER 1E-4")
    tell(smu, ":SENS:CURR:PROT 0.1", ":TRIG:SOUR AINT", ":TRIG:COUN 5", ":OUTP ON", ":INIT (@1)")
    assert numbers(ask(smu, ":FETC:ARR:CURR? (@1)")) == pytest.approx(np.linspace(0, 1e-4, 5), abs=1e-6)
    assert numbers(ask(smu, ":FETC:ARR:SOUR? (@1)")) == pytest.approx(np.linspace(0, 0.1, 5))
    assert (np.diff(numbers(ask(smu, ":FETC:ARR:TIME? (@1)"))) > 1e-4).all()


def test_list_sweep_of_two_channels_at_once(smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0,0.1,0.2", ":SOUR1:LIST:VOLT:APP -0.1")
    tell(smu, ":SOUR2:VOLT:MODE SWE;:SOUR2:VOLT:STAR 0;:SOUR2:VOLT:STOP 3;:SOUR2:VOLT:POIN 4")
    tell(smu, ":SENS1:CURR:PROT 0.01;:SENS2:CURR:PROT 0.01", ":TRIG1:COUN 4;:TRIG2:COUN 4", ":INIT (@1,2)")
    assert ask(smu, ":OUTP1?;:OUTP2?") == "1;1", "the initiated outputs turn on by themselves"
    table = np.array(numbers(ask(smu, ":FETC:ARR:CURR? (@1,2)"))).reshape(4, 2)
    assert table[:, 0] == pytest.approx([0, 1e-4, 2e-4, -1e-4], abs=2e-6)
    assert table[:, 1] == pytest.approx([0, 1e-3, 2e-3, 3e-3], abs=5e-6)


def test_pulses_at_their_time(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:FUNC:SHAP PULS;:SOUR:PULS:DEL 5E-4;:SOUR:PULS:WIDT 1E-3;:SOUR:VOLT:MODE SWE")
    tell(smu, ":SOUR:VOLT:STAR 0.2;:SOUR:VOLT:STOP 1;:SOUR:VOLT:POIN 5", ':SENS:FUNC:OFF "VOLT"')
    tell(smu, ":SENS:CURR:RANG:AUTO OFF;:SENS:CURR:RANG 1E-3;APER 1E-4;PROT 0.01", ":TRIG:ACQ:DEL 1.2E-3")
    tell(smu, ":TRIG:SOUR TIM;TIM 4E-3;COUN 5", ":OUTP ON", ":INIT (@1)")
    assert numbers(ask(smu, ":FETC:ARR:CURR? (@1)")) == pytest.approx(np.linspace(0.2e-3, 1e-3, 5), rel=5e-3)
    assert np.diff(numbers(ask(smu, ":FETC:ARR:TIME? (@1)"))) == pytest.approx(4e-3)
    assert lab.point("smu").volts == pytest.approx(0, abs=1e-3), "at the base between pulses"


@pytest.mark.parametrize(("form", "kind"), [("REAL,32", "f"), ("REAL,64", "d")])
@pytest.mark.parametrize(("order", "is_big_endian"), [("NORM", True), ("SWAP", False)])
def test_binary_arrays(smu: MessageBasedResource, form: str, kind: Any, order: str, is_big_endian: bool) -> None:
    tell(smu, ":SOUR:VOLT 0.5;:SENS:CURR:PROT 0.01;:TRIG:COUN 100", f":FORM {form};:FORM:BORD {order}", ":INIT (@1)")
    values = smu.query_binary_values(":FETC:ARR:CURR? (@1)", datatype=kind, is_big_endian=is_big_endian)
    assert values == pytest.approx([5e-4] * 100, rel=3e-3)


def test_end_of_a_sweep_by_service_request_and_by_condition(smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:VOLT 0.5;:SENS:CURR:PROT 0.01;:TRIG:COUN 20;:OUTP ON", ":STAT:OPER:ENAB 18;:*SRE 128")
    smu.write(":INIT (@1)")
    smu.wait_for_srq(5000)  # type: ignore[attr-defined]
    assert int(ask(smu, ":STAT:OPER?")) & 18 == 18
    assert int(ask(smu, ":STAT:OPER:COND?")) == IDLE
    tell(smu, "*CLS", "*ESE 1;*SRE 32")
    smu.write(":INIT (@1);*OPC")
    smu.wait_for_srq(5000)  # type: ignore[attr-defined]
    assert ask(smu, "*ESR?") == "1"


def test_trace_buffer_and_its_statistics(smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:VOLT 0.5;:SENS:CURR:PROT 0.01;:FORM:ELEM:SENS CURR", ":TRAC:POIN 10;:TRAC:FEED SENS")
    tell(smu, ":TRAC:FEED:CONT NEXT;:TRIG:COUN 10;:INIT (@1)")
    amps = np.array(numbers(ask(smu, ":TRAC:DATA?")))
    assert amps.size == int(ask(smu, ":TRAC:POIN:ACT?")) == 10
    tell(smu, ":TRAC:STAT:FORM MEAN")
    assert numbers(ask(smu, ":TRAC:STAT:DATA?"))[0] == pytest.approx(amps.mean(), rel=1e-5)


def test_a_measurement_longer_than_the_timeout(lab: Lab) -> None:
    smu = lab.open("smu", "*RST", ":SENS:CURR:APER 1;:TRIG:COUN 5;:OUTP ON", seconds=2)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query(":READ? (@1)")
    smu.clear()
    assert ask(smu, "*IDN?").startswith("Keysight")


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (":SOUR:VOLT 300", -222),
        (":SOUR3:VOLT 1", -114),
        (":FOO", -113),
        (":SOUR:VOLT 1,2", -108),
        (":SOUR:VOLT abc", -104),
        (":MEAS? (@3)", -220),
        (":TRIG:SOUR NEVER", -224),
        ("*IDN?;:FOO?", -113),
    ],
)
def test_typical_mistakes(lab: Lab, message: str, error: int) -> None:
    smu = lab.open("smu", "*RST", "*CLS", message)
    if "?" in message:
        smu.clear()
    assert int(ask(smu, ":SYST:ERR?").split(",")[0]) == error


def test_low_current_of_a_gigohm(make_lab: MakeLab) -> None:
    lab = make_lab({"smu": {"model": "keysight_b2912a"}}, [{"from": "smu.1.hi", "to": "ground", "ohms": 1e9}])
    smu = lab.open("smu", "*RST", seconds=30)
    tell(smu, ":SOUR:VOLT 1;:SENS:CURR:PROT 1E-8;RANG:AUTO OFF;:SENS:CURR:RANG 1E-8;NPLC 1")
    tell(smu, ":TRIG:COUN 20;:OUTP ON;:INIT (@1)")
    amps = np.array(numbers(ask(smu, ":FETC:ARR:CURR? (@1)")))
    assert amps.mean() == pytest.approx(1e-9, rel=0.1)
    assert 1e-15 < amps.std() < 1e-12


def test_hysteresis_of_a_cell_by_a_double_sweep(make_lab: MakeLab) -> None:
    cables = [{"from": "smu.1.hi", "to": "die.row.0"}, {"from": "die.col.0", "to": "ground"}]
    lab = make_lab({"smu": {"model": "keysight_b2902a"}}, cables, die=ONE_CELL)
    smu = lab.open("smu", "*RST", seconds=30)
    tell(smu, ":SOUR:VOLT:MODE SWE;RANG 2;:SOUR:SWE:STA DOUB;:SENS:CURR:PROT 5E-3", ":TRIG:COUN 82;:OUTP ON")
    ohms = {}
    for stop in (-1.0, 1.0):
        tell(smu, f":SOUR:VOLT:STAR 0;STOP {stop};POIN 41", ":INIT (@1)")
        volts, amps = (np.array(numbers(ask(smu, f":FETC:ARR:{what}? (@1)"))) for what in ("VOLT", "CURR"))
        ohms[stop] = volts[-5] / amps[-5]
    assert 1.7 < ohms[-1.0] / ohms[1.0] < 2.2
    assert ohms[1.0] == pytest.approx(
        1 / lab.world.die.siemens_p[0] + float(lab.world.die.contact_ohms.sum()), rel=0.02
    )
