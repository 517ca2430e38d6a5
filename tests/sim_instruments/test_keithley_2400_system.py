"""System, display, formats, status and defaults of a simulated 2400."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.wire_instrument import NoReply

from .keithley_2400_unit import ON, errors, make_unit, numbers, point


@pytest.fixture
def smu() -> SimKeithley2400:
    return make_unit()


DEFAULTS = [
    (":CALC:STAT?", "0"),
    (":CALC:MATH:NAME?", '"POWER"'),
    (":CALC2:FEED?", "VOLT"),
    (":CALC2:NULL:OFFS?", "0.000000E+00"),
    (":CALC2:NULL:STAT?", "0"),
    (":CALC2:LIM1:STAT?", "0"),
    (":CALC2:LIM1:COMP:FAIL?", "IN"),
    (":CALC2:LIM:COMP:SOUR2?", "15"),
    (":CALC2:LIM2:UPP?", "1.000000E+00"),
    (":CALC2:LIM12:LOW?", "-1.000000E+00"),
    (":CALC2:LIM5:UPP? MAX", "9.999999E+20"),
    (":CALC2:LIM3:PASS:SOUR2?", "15"),
    (":CALC2:CLIM:MODE?", "GRAD"),
    (":CALC2:CLIM:BCON?", "IMM"),
    (":CALC2:CLIM:CLE:AUTO?", "1"),
    (":CALC2:CLIM:PASS:SML?", "NEXT"),
    (":DISP:ENAB?", "1"),
    (":DISP:DIG?", "6"),
    (":DISP:WIND2:TEXT:STAT?", "0"),
    (":FORM:BORD?", "NORM"),
    (":FORM:ELEM:CALC?", "CALC"),
    (":FORM:SREG?", "ASC"),
    (":FORM:SOUR2?", "ASC"),
    (":OUTP:ENAB?", "0"),
    (":OUTP:ENAB:TRIP?", "1"),
    (":SENS:FUNC:OFF?", '"VOLT:DC","RES"'),
    (":SENS:FUNC:OFF:COUN?", "2"),
    (":SENS:CURR:RANG:AUTO:LLIM?", "1.050000E-06"),
    (":SENS:CURR:RANG:AUTO:ULIM?", "1.050000E-04"),
    (":SENS:CURR:RANG:HOLD?", "0"),
    (":SENS:VOLT:RANG:AUTO:LLIM?", "2.100000E-01"),
    (":SENS:VOLT:PROT:RSYN?", "0"),
    (":SENS:RES:MODE?", "AUTO"),
    (":SENS:RES:OCOM?", "0"),
    (":SENS:RES:RANG?", "2.100000E+05"),
    (":SENS:RES:RANG:AUTO?", "1"),
    (":SENS:RES:RANG:AUTO:ULIM?", "2.100000E+08"),
    (":SENS:AVER:TCON?", "REP"),
    (":SENS:AVER:COUN? MAX", "100"),
    (":SOUR:CLE:AUTO:MODE?", "ALW"),
    (":SOUR:FUNC:SHAP?", "DC"),
    (":SOUR:VOLT:PROT?", "2.100000E+02"),
    (":SOUR:VOLT:TRIG:SFAC?", "1.000000E+00"),
    (":SOUR:SWE:DIR?", "UP"),
    (":SOUR:SWE:RANG?", "BEST"),
    (":SOUR:SWE:CAB?", "NEV"),
    (":SOUR:MEM:POIN?", "1"),
    (":SOUR:SOAK?", "0.000000E+00"),
    (":SOUR2:TTL?", "15"),
    (":SOUR2:BSIZ?", "4"),
    (":SOUR2:TTL4:MODE?", "EOT"),
    (":SOUR2:CLE:AUTO:DEL?", "1.000000E-04"),
    (":SYST:GUAR?", "CABL"),
    (":SYST:RCM?", "SING"),
    (":SYST:AZER:CACH?", "0"),
    (":SYST:TIME:RES:AUTO?", "0"),
    (":SYST:VERS?", "1996.0"),
    (":ARM:SOUR?", "IMM"),
    (":ARM:TIM?", "1.000000E-01"),
    (":ARM:TIM? MIN", "1.000000E-03"),
    (":ARM:DIR?", "ACC"),
    (":ARM:ILIN?", "1"),
    (":ARM:OLIN?", "2"),
    (":ARM:OUTP?", "NONE"),
    (":TRIG:SOUR?", "IMM"),
    (":TRIG:INP?", "SOUR"),
    (":TRIG:OUTP?", "NONE"),
    (":TRIG:COUN? MAX", "2500"),
    (":TRAC:POIN? DEF", "100"),
    (":STAT:QUES:COND?", "0"),
]


@pytest.mark.parametrize(("query", "reply"), DEFAULTS)
def test_reset_values_of_the_manuals_tables(smu: SimKeithley2400, tell: Any, ask: Any, query: str, reply: str) -> None:
    tell(smu, ":CALC2:FEED RES;:ARM:TIM 3;:FORM:BORD SWAP;:SENS:RES:RANG 20;:SOUR2:TTL 3;:DISP:DIG 4;*RST")
    assert ask(smu, query) == reply
    assert errors(smu) == []


def test_long_forms_are_the_same_commands(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, ":calculate1:math:expression:name 'power';:CALCULATE2:LIMIT2:UPPER:DATA 5;:source1:memory:start 7")
    tell(smu, ":SENSE1:RESISTANCE:RANGE:UPPER 1000;:TRACE:TSTAMP:FORMAT DELTA;:SOURCE2:TTL:LEVEL:DEFAULT 9")
    tell(smu, ":TRIGGER:SEQUENCE1:TCONFIGURE:ASYNCHRONOUS:INPUT DELAY,SENSE;:SENSE:CURRENT:DC:RANGE:HOLDOFF:DELAY 1")
    assert errors(smu) == []
    assert ask(smu, ":CALC2:LIM2:UPP?;:SOUR:MEM:STAR?;:SENS:RES:RANG?") == "5.000000E+00;7;2.100000E+03"
    assert ask(smu, ":DATA:TST:FORM?;:SOUR2:TTL?;:TRIG:INP?") == "DELT;9;DEL,SENS"


def test_registers_in_other_bases(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*ESE #B101100;:STAT:MEAS:ENAB 512")
    replies = [ask(smu, f":FORM:SREG {base};*ESE?;:STAT:MEAS:ENAB?") for base in ("ASC", "HEX", "OCT", "BIN")]
    assert replies == ["44;512", "#H2C;#H200", "#Q54;#Q1000", "#B101100;#B1000000000"]


def test_bytes_of_binary_readings(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":CALC:STAT ON;:SENS:FUNC 'VOLT';:FORM SREAL;:FORM:BORD SWAP;:INIT")
    for query, count in ((":FETC?", 5), (":CALC:DATA?", 1)):
        tell(smu, query)
        data, _ = smu.send(1000, timeout_seconds=None, termination=None, bus_seconds=0)
        assert (data[:2], data[-1:], len(data)) == (b"#0", b"\n", 3 + 4 * count)
        assert struct.unpack("<f", data[2:6])[0] == pytest.approx(0.1 if count == 5 else 1e-5, rel=1e-2)
    tell(smu, ":FORM REAL,64")
    assert errors(smu) == [-224]


def test_the_output_enable_line(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":OUTP:ENAB ON")
    assert ask(smu, ":OUTP?;:OUTP:ENAB:TRIP?") == "0;0", "nothing closes the line"
    tell(smu, ":OUTP ON", ":SOUR:CLE:AUTO ON;:INIT")
    assert errors(smu) == [802, 802]
    smu.is_enable_asserted = True
    tell(smu, ":OUTP ON")
    assert point(smu)[0] == pytest.approx(0.1, abs=1e-3)
    assert ask(smu, ":OUTP:INT:TRIP?") == "1"
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 1 << 11


@pytest.mark.parametrize("change", [":ROUT:TERM REAR", ":SYST:RSEN ON", ":SYST:GUAR OHMS"])
def test_changed_connections_turn_the_output_off(smu: SimKeithley2400, tell: Any, ask: Any, change: str) -> None:
    tell(smu, "*RST", ON, change)
    assert ask(smu, ":OUTP?") == "0"
    tell(smu, ":OUTP ON", change)
    assert ask(smu, ":OUTP?") == "1", "nothing was changed"


def test_texts_on_the_display(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, ":DISP:TEXT:DATA #15hello;STAT ON", ":DISP:WIND2:TEXT 'below'")
    assert ask(smu, ":DISP:WIND1:TEXT?;:DISP:DATA?") == '"hello";"hello               "'
    assert ask(smu, ":DISP:WIND2:TEXT:DATA?;:DISP:WIND2:DATA?") == f'"below";"{" " * 32}"'
    tell(smu, f":DISP:TEXT '{'x' * 21}'")
    assert errors(smu) == [-223]


def test_keys(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST;:SOUR:VOLT 0.1;:SYST:KEY 24")
    assert ask(smu, ":OUTP?;:SYST:KEY?") == "1;24"
    tell(smu, ":SYST:KEY 19")
    assert ask(smu, ":SOUR:FUNC?;:OUTP?") == "CURR;0"
    tell(smu, ":SYST:KEY 15")
    assert ask(smu, ":SENS:FUNC?") == '"VOLT:DC"'


def test_which_errors_are_queued(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*CLS;:STAT:QUE:DIS (-113, -220:-225)", ":NOTHING", ":SOUR:VOLT 300", ":SOUR:VOLT")
    assert ask(smu, ":SYST:ERR:CODE:ALL?") == "-109"
    assert int(ask(smu, "*ESR?")) & 48 == 48, "but their bits are set"
    assert ask(smu, ":STAT:QUE:ENAB?") == "(-440:-226,-219:-114,-112:-1,500:999)"
    tell(smu, ":STAT:QUE:ENAB (-110:-222)", ":SOUR:VOLT", ":SOUR:VOLT 300")
    assert errors(smu) == [-222]
    tell(smu, ":STAT:PRES", ":SOUR:VOLT")
    assert errors(smu) == [-109]


@pytest.mark.parametrize(
    ("setup", "border", "volts"), [("RST", "NORM", 0.0), ("PRES", "SWAP", 0.0), ("SAV2", "NORM", 0.4)]
)
def test_the_setup_after_power_on(
    smu: SimKeithley2400, tell: Any, ask: Any, setup: str, border: str, volts: float
) -> None:
    tell(smu, f":SYST:POS {setup};:SOUR:VOLT 0.4;*SAV 2;:SOUR:VOLT 1;:OUTP ON;:SOUR:MEM:SAVE 9")
    smu.power_cycle()
    assert ask(smu, ":FORM:BORD?;:OUTP?;:SYST:POS?") == f"{border};0;{setup}"
    assert float(ask(smu, ":SOUR:VOLT?")) == volts
    tell(smu, ":SOUR:MEM:REC 9")
    assert float(ask(smu, ":SOUR:VOLT?")) == 1, "the source memory is kept"


def test_synchronized_ranges(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:CURR:RANG 1e-3")
    assert errors(smu) == [824]
    tell(smu, ":SENS:CURR:PROT:RSYN ON;:SENS:CURR:RANG 1e-3")
    assert ask(smu, ":SENS:CURR:PROT?;:SENS:CURR:RANG?") == "1.050000E-03;1.050000E-03"
    tell(smu, ":SENS:CURR:PROT 5e-6")
    assert ask(smu, ":SENS:CURR:PROT?;:SENS:CURR:RANG?") == "5.000000E-06;1.050000E-05"
    assert errors(smu) == []


def test_compliance_goes_down_to_a_thousandth_of_the_range(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:CURR:RANG 1e-4;:SENS:CURR:PROT 9e-8")
    assert errors(smu) == [822]
    tell(smu, ":SENS:CURR:RANG 1e-6;:SENS:CURR:PROT 1e-12;:SENS:VOLT:RANG:AUTO ON;:SENS:VOLT:PROT 0")
    assert ask(smu, ":SENS:CURR:PROT?;:SENS:VOLT:PROT?") == "1.000000E-09;2.000000E-04"


def test_a_serial_line_answers_only_when_asked(tell: Any) -> None:
    smu = make_unit()
    smu.has_end = False
    tell(smu, "*RST", ON, ":ARM:SOUR BUS", ":READ?")
    with pytest.raises(NoReply):
        smu.send(100, timeout_seconds=1, termination=b"\n", bus_seconds=0)
    tell(smu, "*TRG")
    data, _ = smu.send(1000, timeout_seconds=1, termination=b"\n", bus_seconds=0)
    assert len(numbers(data.decode())) == 5
