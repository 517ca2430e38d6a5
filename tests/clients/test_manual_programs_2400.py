"""Programs for a 2400 as its user's manual and application notes show them, by PyVISA, on a resistor and on a cell."""

from __future__ import annotations

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from .lab import ONE_CELL, Lab, MakeLab, numbers

OHMS = 1000.0
LEAD_OHMS = 50.0
FRONT, LIMITED, AUTO_OHMS, RANGE_LIMITED, REMOTE = 4, 8, 1024, 65536, 1 << 22
VOLTS_READ, AMPS_READ, OHMS_READ, VOLTS_SOURCE, AMPS_SOURCE = 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab({"smu": {"model": "keithley_2400"}}, [{"from": "smu.hi", "to": "ground", "ohms": OHMS}])


@pytest.fixture
def smu(lab: Lab) -> MessageBasedResource:
    return lab.open("smu", "*RST", "*CLS", seconds=20)


def ask(smu: MessageBasedResource, message: str) -> str:
    return smu.query(message).strip()


def tell(smu: MessageBasedResource, *messages: str) -> None:
    for message in messages:
        smu.write(message)
    assert ask(smu, ":SYST:ERR?") == '0,"No error"'


def test_what_it_is_and_how_it_starts(smu: MessageBasedResource) -> None:
    maker, model, serial, firmware = ask(smu, "*IDN?").split(",")
    assert (maker, model) == ("KEITHLEY INSTRUMENTS INC.", "MODEL 2400")
    assert serial and "/" in firmware
    for query, reply in {
        ":SOUR:FUNC?": "VOLT",
        ":SOUR:VOLT:MODE?": "FIX",
        ":SENS:FUNC?": '"CURR:DC"',
        ":OUTP?": "0",
        ":ROUT:TERM?": "FRON",
        ":SYST:RSEN?": "0",
        ":SYST:AZER?": "1",
        ":TRIG:COUN?": "1",
        ":FORM:ELEM?": "VOLT,CURR,RES,TIME,STAT",
        ":SOUR:CLE:AUTO?": "0",
        ":SENS:RES:MODE?": "AUTO",
    }.items():
        assert ask(smu, query) == reply, query
    values = ":SENS:CURR:PROT?;:SENS:VOLT:PROT?;:SOUR:VOLT:RANG?;:SOUR:CURR:RANG?;:SENS:RES:RANG?;:SOUR:DEL?"
    told = numbers(ask(smu, values).replace(";", ","))
    assert told == [105e-6, 21, 21, 105e-6, 2.1e5, 1e-3], "as PyMeasure's users have found on real units"


def test_current_of_a_resistor_and_the_status_word(smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:FUNC VOLT;:SOUR:VOLT:MODE FIXED;:SOUR:VOLT:RANG 20;:SOUR:VOLT:LEV 10")
    tell(smu, ':SENS:CURR:PROT 20E-3;:SENS:FUNC "CURR";:SENS:CURR:RANG 20E-3;:FORM:ELEM CURR,STAT;:OUTP ON')
    amps, status = numbers(ask(smu, ":READ?"))
    assert amps == pytest.approx(10e-3, rel=2e-3)
    assert int(status) == FRONT | AUTO_OHMS | AMPS_READ | VOLTS_SOURCE == 21508


def test_voltage_of_a_current_source(smu: MessageBasedResource) -> None:
    tell(smu, ":SOUR:FUNC CURR;:SOUR:CURR:MODE FIXED;:SOUR:CURR:RANG MIN;:SOUR:CURR:LEV 0")
    tell(smu, ':SENS:FUNC "VOLT";:SENS:VOLT:PROT 25;:SENS:VOLT:RANG 20;:FORM:ELEM VOLT;:OUTP ON')
    assert float(ask(smu, ":SOUR:CURR:RANG?")) == 1.05e-6, "the manual's voltmeter takes the lowest range"
    assert float(ask(smu, ":READ?")) == pytest.approx(0, abs=2e-3)
    tell(smu, ":SOUR:CURR:RANG 1E-2;LEV 4E-3")
    assert float(ask(smu, ":READ?")) == pytest.approx(4, rel=1e-3)


def test_compliance_and_range_compliance_are_told_apart(lab: Lab, smu: MessageBasedResource) -> None:
    tell(smu, ":SENS:CURR:PROT 5E-4;:SOUR:VOLT 1;:FORM:ELEM CURR,STAT;:OUTP ON")
    amps, status = numbers(ask(smu, ":READ?"))
    assert amps == pytest.approx(5e-4, rel=2e-3)
    assert int(status) & (LIMITED | RANGE_LIMITED) == LIMITED
    assert ask(smu, ":SENS:CURR:PROT:TRIP?") == "1"
    assert lab.point("smu").volts == pytest.approx(0.5, rel=2e-3)
    tell(smu, ":SENS:CURR:PROT 5E-3;RANG 1E-4")
    amps, status = numbers(ask(smu, ":READ?"))
    assert amps == pytest.approx(1.05e-4, rel=2e-3), "what the range lets through"
    assert int(status) & (LIMITED | RANGE_LIMITED) == RANGE_LIMITED
    smu.write(":SENS:CURR:RANG 1E-2")
    assert ask(smu, ":SYST:ERR?") == '0,"No error"'
    assert numbers(ask(smu, ":READ?"))[0] == pytest.approx(1e-3, rel=2e-3)


def test_compliance_too_small_for_the_range_is_refused(smu: MessageBasedResource) -> None:
    tell(smu, ":SENS:CURR:PROT 1E-3;RANG 1E-3")
    smu.write(":SENS:CURR:PROT 1E-7")
    assert ask(smu, ":SYST:ERR?").startswith("+822,")
    assert float(ask(smu, ":SENS:CURR:PROT?")) == 1e-3


def test_four_wires_do_away_with_the_leads(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"smu": {"model": "keithley_2400"}},
        [
            {"from": "smu.hi", "to": "joint.dut", "ohms": LEAD_OHMS},
            {"from": "smu.sense_hi", "to": "joint.dut", "ohms": LEAD_OHMS},
            {"from": "joint.dut", "to": "ground", "ohms": OHMS},
        ],
    )
    smu = lab.open("smu", "*RST")
    tell(smu, ':SENS:FUNC "RES";:SENS:RES:RANG 2E3;:FORM:ELEM RES,STAT;:OUTP ON')
    ohms, status = numbers(ask(smu, ":READ?"))
    assert ohms == pytest.approx(OHMS + LEAD_OHMS, rel=1e-3)
    assert int(status) & AMPS_SOURCE
    tell(smu, ":SYST:RSEN ON;:SENS:RES:OCOM ON")
    assert ask(smu, ":OUTP?") == "0", "another way of sensing turns the output off"
    tell(smu, ":OUTP ON")
    ohms, status = numbers(ask(smu, ":READ?"))
    assert ohms == pytest.approx(OHMS, rel=1e-3)
    assert int(status) & REMOTE


def test_staircase_as_in_the_manual(smu: MessageBasedResource) -> None:
    """User's manual, section 10: a linear sweep from 1 to 10 V in steps of 1 V."""
    tell(smu, ":SENS:FUNC:CONC OFF", ":SOUR:FUNC VOLT", ":SENS:FUNC 'CURR:DC'", ":SENS:CURR:PROT 0.1")
    tell(smu, ":SOUR:VOLT:START 1", ":SOUR:VOLT:STOP 10", ":SOUR:VOLT:STEP 1", ":SOUR:VOLT:MODE SWE")
    tell(smu, ":SOUR:SWE:RANG AUTO", ":SOUR:SWE:SPAC LIN", ":TRIG:COUN 10", ":SOUR:DEL 0.1", ":OUTP ON")
    table = np.array(numbers(ask(smu, ":READ?"))).reshape(10, 5)
    assert table[:, 0].tolist() == list(range(1, 11))
    assert table[:, 1] == pytest.approx(table[:, 0] / OHMS, rel=2e-3)
    assert (table[:, 2] == 9.91e37).all()
    assert np.diff(table[:, 3]) == pytest.approx(0.1 + 0.06, abs=0.01), "delay and three conversions of a cycle"
    tell(smu, ":SOUR:SWE:SPAC LOG;POIN 4;:SOUR:VOLT:START 0.01;STOP 10;:TRIG:COUN 4;:FORM:ELEM CURR")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2], rel=2e-2)
    tell(smu, ":SOUR:SWE:CAB EARL;SPAC LIN;:SOUR:VOLT:STAR 0;STOP 4;STEP 1;:TRIG:COUN 5;:SENS:CURR:PROT 2.5E-3")
    assert len(numbers(ask(smu, ":READ?"))) == 3, "the sweep ends where compliance is reached"


def test_source_memory(smu: MessageBasedResource) -> None:
    """Section 10: a sweep over setups that were saved."""
    tell(smu, ":SENS:CURR:PROT 0.1")
    for location, volts in enumerate((1, 2, 4, 8), start=1):
        tell(smu, f":SOUR:VOLT {volts};:SOUR:MEM:SAVE {location}")
    tell(smu, ":SOUR:FUNC MEM;:SOUR:MEM:POIN 4;STAR 1;:TRIG:COUN 4;:FORM:ELEM CURR;:OUTP ON")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([1e-3, 2e-3, 4e-3, 8e-3], rel=3e-3)


def test_buffer_full_requests_service(smu: MessageBasedResource) -> None:
    tell(smu, ":SENS:CURR:NPLC 0.1;:SENS:CURR:PROT 1E-2;:SOUR:VOLT 0.5")
    tell(smu, ":TRAC:CLE;POIN 20;FEED SENS;FEED:CONT NEXT;:TRIG:COUN 20;:STAT:MEAS:ENAB 512;:*SRE 1;:OUTP ON")
    smu.write(":INIT")
    assert smu.wait_for_srq(5000) is None  # type: ignore[attr-defined]
    assert smu.read_stb() == 1, "the request itself was read by wait_for_srq"
    assert int(ask(smu, ":STAT:MEAS?")) & 512
    table = np.array(numbers(ask(smu, ":TRAC:DATA?"))).reshape(20, 5)
    mean, deviation = (numbers(ask(smu, f":CALC3:FORM {form};DATA?"))[1] for form in ("MEAN", "SDEV"))
    assert mean == pytest.approx(table[:, 1].mean(), rel=1e-6)
    assert deviation == pytest.approx(table[:, 1].std(ddof=1), rel=1e-2)
    assert 1e-9 < deviation < 1e-6, "noise of the 1 mA range at 0.1 PLC"


@pytest.mark.parametrize(("order", "is_big_endian"), [("NORM", True), ("SWAP", False)])
def test_binary_readings(smu: MessageBasedResource, order: str, is_big_endian: bool) -> None:
    tell(smu, ":SOUR:VOLT 0.5;:SENS:CURR:PROT 1E-2;:FORM:ELEM VOLT,CURR;:TRIG:COUN 8;:OUTP ON")
    tell(smu, f":FORM SRE;:FORM:BORD {order}")
    values = smu.query_binary_values(":READ?", is_big_endian=is_big_endian, data_points=16)
    assert values[::2] == pytest.approx([0.5] * 8)
    assert values[1::2] == pytest.approx([5e-4] * 8, rel=1e-3)


def test_a_reading_longer_than_the_timeout(lab: Lab) -> None:
    smu = lab.open("smu", "*RST", ":SENS:CURR:NPLC 10;:TRIG:COUN 30;:OUTP ON", seconds=2)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query(":READ?")
    smu.clear()
    assert ask(smu, "*IDN?").startswith("KEITHLEY"), "after a device clear it answers what it is asked"
    smu.write(":TRIG:COUN 1")
    smu.timeout = 20_000
    assert len(numbers(ask(smu, ":READ?"))) == 5


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (":READ?", 803),
        (":SOUR:VOLTS 1", -113),
        (":SOUR:VOLT 300", -222),
        (":SOUR:VOLT 1,2", -108),
        (":SOUR:VOLT", -109),
        (":SOUR:VOLT 5 A", -131),
        (":SENS:CURR:RANG 1E-2", 824),
        (":SENS:CURR:PROT 1;:SOUR:VOLT 150", 826),
        (":TRIG:COUN 5000", -222),
        (":SENS:CURR:NPLC 50", -222),
    ],
)
def test_typical_mistakes(lab: Lab, message: str, error: int) -> None:
    smu = lab.open("smu", "*RST", "*CLS", message)
    assert int(ask(smu, ":SYST:ERR?").split(",")[0]) == error
    assert not smu.read_stb() & 16
    smu.write("*CLS")
    assert ask(smu, ":SYST:ERR?") == '0,"No error"'


def test_resistance_against_voltage_of_a_cell_by_a_list_sweep(make_lab: MakeLab) -> None:
    """The loop that a user draws: up beyond the switching voltage, down beyond the other, and back."""
    lab = make_lab(
        {"smu": {"model": "keithley_2400"}},
        [{"from": "smu.hi", "to": "die.row.0"}, {"from": "die.col.0", "to": "ground"}],
        die=ONE_CELL,
    )
    smu = lab.open("smu", "*RST", seconds=60)
    half = np.linspace(0, 1.0, 21)
    volts = np.concatenate([-half, -half[::-1], half, half[::-1]])
    tell(smu, ":SENS:CURR:PROT 1E-3;:SOUR:FUNC VOLT;:SOUR:VOLT:RANG 2;:SOUR:VOLT:MODE LIST;:SENS:CURR:NPLC 0.1")
    tell(smu, ":SOUR:LIST:VOLT " + ",".join(f"{v:.3f}" for v in volts[:50]))
    tell(smu, ":SOUR:LIST:VOLT:APP " + ",".join(f"{v:.3f}" for v in volts[50:]))
    tell(smu, f":TRIG:COUN {len(volts)};:FORM:ELEM CURR;:OUTP ON")
    amps = np.array(numbers(ask(smu, ":READ?")))
    ohms = volts[abs(volts) > 0.02] / amps[abs(volts) > 0.02]
    low, high = ohms[78 - 1], ohms[39]
    die = lab.world.die
    assert die.is_parallel[0], "it ended after the positive side"
    contacts = float(die.contact_ohms.sum())
    assert low == pytest.approx(1 / die.siemens_p[0] + contacts, rel=0.02)
    assert 1.5 < high / low < 2.2, "a tunnelling magnetoresistance of about 100 % at low bias"
    assert lab.world.incidents == []
