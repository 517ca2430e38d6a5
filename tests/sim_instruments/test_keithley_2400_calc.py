"""Math, null, limit tests, digital port and statistics of a simulated 2400."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.keithley_2400_errors import refused
from mtjlab.sim_instruments.keithley_2400_expressions import parse
from mtjlab.sim_instruments.keithley_2400_readings import NOT_A_NUMBER, OVERFLOW, SmuReading, StatusBit
from mtjlab.sim_instruments.scpi_errors import ScpiError

from .keithley_2400_unit import ON, errors, make_unit, numbers

READINGS = [SmuReading(2.0, 3.0, -100.0, 5.0, 0), SmuReading(4.0, 3.5, 10.0, 6.0, 0)]


@pytest.fixture
def smu() -> SimKeithley2400:
    return make_unit()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(volt * curr)", 6.0),
        ("VOLTAGE + CURRENT ^ 2 * 2", 20.0),
        ("-volt^2", 4.0),
        ("2 - 3 - 4", -5.0),
        ("2^3^2", 64.0),
        ("(volt[1] - volt[0]) / (curr[1]-curr[0])", 4.0),
        ("log(res)", 2.0),
        ("ln(exp(volt))", 2.0),
        ("sin(0) + cos(0) + tan(0)", 1.0),
        ("1.5e3 * time", 7500.0),
        ("1 / (volt - 2)", OVERFLOW),
        ("(volt - 2) / 0", NOT_A_NUMBER),
        ("exp(1000)", OVERFLOW),
        ("-exp(1000)", -OVERFLOW),
    ],
)
def test_expressions(text: str, value: float) -> None:
    assert parse(text).result(READINGS) == pytest.approx(value)


def test_what_is_not_known_cannot_be_calculated_with() -> None:
    unknown = [SmuReading(NOT_A_NUMBER, OVERFLOW, 1.0, 0.0, 0)]
    assert parse("volt * 0").result(unknown) == NOT_A_NUMBER
    assert parse("curr + 1").result(unknown) == OVERFLOW


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("()", 811),
        ("(volt *)", 811),
        ("(volt + curr", 812),
        ("(volt[0 - 1)", 814),
        ("(volt))", 815),
        ("(" * 100 + "1" + ")" * 100, 815),
        ("(volt curr)", 816),
        ("1" * 300, 816),
        ("(square(volt))", 817),
        ("(1.2.3 * volt)", 818),
        ("(1e * volt)", 819),
        ("(1e999)", 820),
        ("(volt[2500])", 821),
        ("(volt[curr])", 821),
    ],
)
def test_expressions_that_are_none(text: str, code: int) -> None:
    with pytest.raises(ScpiError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.text) == (code, refused(code).text)


def test_power_of_the_manuals_example(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:FUNC:OFF:ALL", ":SENS:FUNC 'VOLT','CURR';:SENS:CURR:PROT 1e-2;:SOUR:VOLT 2")
    tell(smu, ':CALC:MATH:EXPR:NAME "POWER"', ":CALC:STAT ON;:OUTP ON;:INIT")
    volts, amps, _, _, status = numbers(ask(smu, ":FETC?"))
    assert numbers(ask(smu, ":CALC:DATA?")) == [pytest.approx(volts * amps, rel=1e-5)]
    assert volts * amps == pytest.approx(4e-3, rel=5e-3)
    assert int(status) & StatusBit.MATH
    assert ask(smu, ":CALC:MATH?;:CALC:MATH:UNIT?") == '(VOLT * CURR);"W  "'


@pytest.mark.parametrize(("name", "value"), [("OFFCOMPOHM", 1000.0), ("VARALPHA", 1.0)])
def test_two_point_expressions(smu: SimKeithley2400, tell: Any, ask: Any, name: str, value: float) -> None:
    tell(
        smu,
        "*RST",
        ":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:SENS:VOLT:PROT 20;:SOUR:CURR:MODE LIST;:SOUR:LIST:CURR 1e-3,5e-3",
    )
    tell(smu, f":TRIG:COUN 4;:CALC:MATH:NAME {name};:CALC:STAT ON;:FORM:ELEM:CALC CALC,TIME;:OUTP ON;:INIT")
    first, _, second, last = numbers(ask(smu, ":CALC1:DATA?"))
    assert (first, second) == (pytest.approx(value, rel=1e-2), pytest.approx(value, rel=1e-2))
    assert last == numbers(ask(smu, ":FETC?"))[-2], "the time of the last reading"
    assert numbers(ask(smu, ":CALC1:DATA:LAT?"))[0] == second
    tell(smu, ":TRIG:COUN 3;:INIT")
    assert errors(smu) == [801]
    assert numbers(ask(smu, ":CALC1:DATA?"))[2] == NOT_A_NUMBER


def test_expressions_of_the_users_own(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":CALC:MATH (volt * 3)")
    assert errors(smu) == [807], "not named"
    tell(smu, ':CALC:MATH:UNIT "mW "', ':CALC:MATH:NAME "mine"', ':CALC:MATH:NAME "other"')
    assert errors(smu) == [805], "mine is not defined yet"
    tell(smu, ":CALC:MATH:EXPR:DEF (curr * 1e6)", ":CALC:STAT ON", ":INIT")
    assert numbers(ask(smu, ":CALC:DATA?")) == [pytest.approx(100, rel=1e-2)]
    assert ask(smu, ":CALC:MATH:CAT?") == '"POWER","OFFCOMPOHM","VOLTCOEF","VARALPHA","%DEV","MINE"'
    tell(smu, *(f':CALC:MATH:NAME "n{k}";:CALC:MATH ({k})' for k in range(5)))
    assert errors(smu)[0] == 804
    tell(smu, ':CALC:MATH:DEL "nobody"', ':CALC:MATH:DEL:SEL "POWER"', ':CALC:MATH:DEL "mine"', "*RST")
    assert errors(smu) == [806, 808]
    assert '"N3"' in ask(smu, ":CALC:MATH:CAT?"), "*RST leaves them"
    tell(smu, ":CALC:MATH:DEL:ALL")
    assert ask(smu, ":CALC:MATH:NAME?;CAT?").startswith('"POWER";')
    assert ask(smu, ":CALC:MATH:CAT?").endswith('"%DEV"')


def test_no_results_without_readings_or_without_math(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":CALC:DATA?", ":CALC:STAT ON", ":CALC:DATA?", ":INIT", ":CALC2:DATA?")
    assert errors(smu) == [-230, -230, -230]


def test_null(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":CALC2:FEED CURR;:CALC2:NULL:ACQ;STAT ON", ":INIT")
    offset = float(ask(smu, ":CALC2:NULL:OFFS?"))
    assert offset == pytest.approx(1e-4, rel=1e-2), "the next reading, as there was none"
    tell(smu, ":SOUR:VOLT 0.15;:INIT")
    assert numbers(ask(smu, ":CALC2:DATA?")) == [pytest.approx(5e-5, rel=2e-2)]
    _, amps, _, _, status = numbers(ask(smu, ":FETC?"))
    assert amps == pytest.approx(1.5e-4, rel=1e-2), "readings are not nulled"
    assert int(status) & StatusBit.NULL
    tell(smu, ":CALC2:NULL:ACQ")
    assert float(ask(smu, ":CALC2:NULL:OFFS?")) == pytest.approx(amps, rel=1e-6)
    tell(smu, ":CALC2:NULL:OFFS 1e-4")
    assert numbers(ask(smu, ":CALC2:DATA:LAT?")) == [pytest.approx(amps - 1e-4, rel=1e-4)]


GRADE = "*RST;:SENS:RES:MODE MAN;:SENS:FUNC 'RES';:SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:OUTP ON;:CALC2:FEED RES"


@pytest.mark.parametrize(
    ("low", "high", "failed", "bits", "event", "pattern"),
    [
        (950, 1050, "0", 0, 1 << 5, 3),
        (1050, 1100, "1", 1 << 9, 1 << 1, 5),
        (900, 950, "1", 1 << 9 | 1 << 21, 1 << 2, 6),
    ],
)
def test_grading(
    smu: SimKeithley2400, tell: Any, ask: Any, low: float, high: float, failed: str, bits: int, event: int, pattern: int
) -> None:
    tell(smu, GRADE, f":CALC2:LIM2:LOW {low};UPP {high};LOW:SOUR2 5", ":CALC2:LIM2:UPP:SOUR2 6;:CALC2:LIM2:STAT ON")
    tell(smu, ":CALC2:CLIM:PASS:SOUR2 3;:SOUR2:TTL 12;:INIT")
    assert ask(smu, ":CALC2:LIM2:FAIL?") == failed
    assert int(ask(smu, ":STAT:MEAS?")) & 0x3F == event
    word = int(numbers(ask(smu, ":FETC?"))[4])
    assert word & StatusBit.LIMITS
    assert word & (3 << 8 | 7 << 19) == bits
    assert ask(smu, ":SOUR2:TTL:ACT?;:SOUR2:TTL?") == f"{pattern};12"
    assert numbers(ask(smu, ":CALC2:DATA?")) == [pytest.approx(1000, rel=1e-2)]
    tell(smu, ":CALC2:CLIM:CLE")
    assert ask(smu, ":CALC2:LIM2:FAIL?;:SOUR2:TTL:ACT?") == "0;12"


def test_the_first_failure_ends_immediate_grading_but_not_that_at_the_end(
    smu: SimKeithley2400, tell: Any, ask: Any
) -> None:
    tell(smu, GRADE, ":CALC2:LIM3:UPP 900;UPP:SOUR2 1", ":CALC2:LIM3:STAT ON;:CALC2:LIM12:LOW 2000;UPP 3000;STAT ON")
    tell(smu, ":INIT")
    assert ask(smu, ":CALC2:LIM3:FAIL?;:CALC2:LIM12:FAIL?") == "1;0"
    tell(smu, ":CALC2:CLIM:BCON END;:TRIG:COUN 3;:SOUR2:TTL 8;:INIT")
    assert ask(smu, ":CALC2:LIM3:FAIL?;:CALC2:LIM12:FAIL?") == "1;1"
    assert [lines for _, lines in smu.calculations.port.history][-2:] == [8, 1], "shown once, at the end"
    assert int(numbers(ask(smu, ":FETC?"))[4]) & (3 << 8 | 7 << 19) == 3 << 8 | 1 << 21


def test_the_compliance_test(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:CURR:PROT 5e-5;:CALC2:LIM1:STAT ON;COMP:SOUR2 9", ":INIT")
    assert ask(smu, ":CALC2:LIM1:FAIL?;:SOUR2:TTL:ACT?") == "1;9"
    assert int(numbers(ask(smu, ":FETC?"))[4]) & (3 << 8 | 7 << 19) == 1 << 8
    tell(smu, ":CALC2:LIM1:COMP:FAIL OUT;:INIT")
    assert ask(smu, ":CALC2:LIM1:FAIL?;:SOUR2:TTL:ACT?") == "0;15"


@pytest.mark.parametrize(
    ("ohms", "code", "pattern", "failed"),
    [(1000.0, 0b00010, 2, "0;1"), (2000.0, 0b01100, 4, "1;0"), (5e3, 0x1F, 7, "1;1")],
)
def test_sorting(tell: Any, ask: Any, ohms: float, code: int, pattern: int, failed: str) -> None:
    smu = make_unit(ohms)
    tell(smu, GRADE, ":CALC2:CLIM:MODE SORT;FAIL:SOUR2 7", ":CALC2:LIM2:LOW 900;UPP 1100;PASS:SOUR2 2")
    tell(smu, ":CALC2:LIM2:STAT ON;:CALC2:LIM12:LOW 1800;UPP 2200;PASS:SOUR2 4", ":CALC2:LIM12:STAT ON;:INIT")
    word = int(numbers(ask(smu, ":FETC?"))[4])
    assert (word >> 8 & 3) | (word >> 19 & 7) << 2 == code
    assert ask(smu, ":SOUR2:TTL:ACT?") == str(pattern)
    assert ask(smu, ":CALC2:LIM2:FAIL?;:CALC2:LIM12:FAIL?").split(";")[0] == failed.split(";")[0]
    assert bool(int(ask(smu, ":STAT:MEAS?")) & 1 << 5) == (code != 0x1F)


def test_the_digital_port(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", GRADE, ":CALC2:LIM2:LOW 900;UPP 1100;STAT ON", ":CALC2:CLIM:PASS:SOUR2 #B0101;:FORM:SOUR2 BIN")
    assert ask(smu, ":CALC2:CLIM:PASS:SOUR2?;:SOUR2:TTL?") == "#B101;#B1111"
    tell(smu, ":FORM:SOUR2 HEX;:SOUR2:CLE:AUTO ON;:SOUR2:CLE:AUTO:DEL 0.05;:INIT")
    assert ask(smu, ":SOUR2:TTL:ACT?") == "#H5"
    smu.world.wait(0.06)
    assert ask(smu, ":SOUR2:TTL:ACT?") == "#HF", "the pattern was a pulse"
    tell(smu, ":SOUR2:BSIZ 3;TTL 8")
    assert errors(smu) == [-222]
    tell(smu, ":SOUR2:TTL 1;:SOUR2:CLE:AUTO OFF;:SOUR2:TTL4:BST 1", ":INIT;:FORM:SOUR2 ASC")
    assert ask(smu, ":SOUR2:TTL:ACT?") == "13", "line 4 says that the test has ended"
    tell(smu, ":SOUR2:CLE")
    assert ask(smu, ":SOUR2:TTL:ACT?") == "1"


def test_the_contact_check_is_an_option(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":CALC2:LIM4:STAT ON", ":SYST:CCH ON")
    assert errors(smu) == [-241, -241]
    assert ask(smu, ":CALC2:LIM4:FAIL?;:SYST:CCH?;*OPT?") == "0;0;0"


@pytest.mark.parametrize(("feed", "scale"), [("CALC1", 1e6), ("CALC2", 1.0)])
def test_the_buffer_takes_results_too(smu: SimKeithley2400, tell: Any, ask: Any, feed: str, scale: float) -> None:
    tell(smu, "*RST", ON, ':CALC:MATH:NAME "micro";:CALC:MATH (curr * 1e6);:CALC:STAT ON;:CALC2:FEED CURR;NULL:STAT ON')
    tell(smu, f":TRAC:FEED {feed};POIN 4;FEED:CONT NEXT;:TRIG:COUN 4;:INIT")
    data = numbers(ask(smu, ":TRAC:DATA?"))
    assert data == [pytest.approx(1e-4 * scale, rel=1e-2)] * 4
    for name, function in (("MEAN", np.mean), ("MAX", np.max), ("MIN", np.min), ("PKPK", np.ptp)):
        assert numbers(ask(smu, f":CALC3:FORM {name};DATA?")) == [pytest.approx(function(data), abs=2e-10 * scale)]
    tell(smu, ":FORM:ELEM:CALC CALC,TIME,STAT")
    assert len(numbers(ask(smu, ":TRAC:DATA?"))) == 12
    assert ask(smu, ":TRAC:FEED?") == feed


def test_statistics_are_of_volts_amps_and_ohms(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", GRADE, ":TRAC:POIN 5;FEED SENS;FEED:CONT NEXT;:TRIG:COUN 5;:SENS:CURR:NPLC 0.01;:INIT")
    data = np.array(numbers(ask(smu, ":TRAC:DATA?"))).reshape(5, 5)
    assert numbers(ask(smu, ":CALC3:FORM SDEV;DATA?")) == pytest.approx(data[:, :3].std(axis=0, ddof=1), rel=1e-2)
    assert math.isfinite(data.sum())
    tell(smu, ":TRAC:CLE;:CALC3:DATA?")
    assert errors(smu) == [-230]
