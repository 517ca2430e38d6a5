"""What simulated B2900A units make of their readings: limit tests, math, traces, digital lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keysight_b2900 import SimKeysightB2900
from mtjlab.sim_instruments.keysight_b2900_math import Expressions, formula
from mtjlab.sim_instruments.keysight_b2900_settings import B2902A
from mtjlab.sim_instruments.scpi_errors import ScpiError
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
SWEEP = (
    ":SENS1:CURR:PROT 0.1;:OUTP1 ON;:SOUR1:VOLT:MODE SWE;STAR 0;STOP 0.5;POIN 6;:TRIG1:COUN 6;"
    ":SENS1:CURR:NPLC 1;:SENS1:CURR:RANG 1e-3"
)


@pytest.fixture
def smu() -> SimKeysightB2900:
    """A B2902A with a kilohm from each channel to ground."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeysightB2900("a", world, HostClock(world), B2902A)
    for number in (1, 2):
        world.connect(f"a.{number}.hi", "ground", OHMS)
    return unit


def errors(smu: SimKeysightB2900) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    return [float(part) for part in reply.split(",")]


def test_a_limit_test_of_the_current(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":CALC1:FEED CURR;:CALC1:LIM1:LOW 0.5e-4;UPP 2.5e-4;STAT ON;:CALC1:CLIM:STAT ON")
    assert ask(smu, ":CALC:LIM1:FAIL?") == "0"
    tell(smu, ":FORM:ELEM:SENS STAT;:INIT (@1)")
    codes = [int(status) >> 16 for status in numbers(ask(smu, ":FETC:ARR? (@1)"))]
    assert codes == [1, 0, 0, 17, 17, 17], "below the lower limit, passed, above the upper one"
    assert ask(smu, ":CALC:LIM1:FAIL?") == "1"
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 1
    assert numbers(ask(smu, ":CALC1:DATA?")) == pytest.approx(np.arange(6) * 1e-4, abs=1e-6)
    assert numbers(ask(smu, ":CALC1:DATA? 1,2")) == pytest.approx([1e-4, 2e-4], rel=1e-2)
    assert float(ask(smu, ":CALC1:DATA:LAT?")) == pytest.approx(5e-4, rel=1e-2)
    tell(smu, ":CALC:CLIM:CLE")
    assert ask(smu, ":CALC:LIM1:FAIL?") == "0"
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 1 == 0
    tell(smu, ":FORM:ELEM:CALC CALC,STAT")
    assert int(numbers(ask(smu, ":CALC1:DATA:LAT?"))[1]) >> 16 == 17
    assert errors(smu) == []


def test_bins_in_sorting_mode(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":CALC1:FEED RES;:CALC1:CLIM:MODE SORT;:CALC1:CLIM:STAT ON;:CALC1:CLIM:FAIL:DIG 8")
    tell(smu, ":CALC1:LIM3:LOW 100;UPP 200;STAT ON;PASS:DIG 1;:CALC1:LIM4:LOW 900;UPP 1100;STAT ON;PASS:DIG 2")
    tell(smu, *(f":SOUR:DIG:EXT{n}:FUNC DIO;POL POS" for n in range(1, 5)))
    tell(smu, ":SOUR1:VOLT:MODE FIX;:SOUR1:VOLT 0.3;:TRIG1:COUN 1;:FORM:ELEM:SENS STAT;:INIT (@1)")
    assert int(float(ask(smu, ":FETC? (@1)"))) >> 16 == 4, "the first bin it falls into"
    assert int(ask(smu, ":SOUR:DIG:DATA?")) & 15 == 2
    tell(smu, ":CALC1:LIM4:STAT OFF;:INIT (@1)")
    assert int(float(ask(smu, ":FETC? (@1)"))) >> 16 == 31
    assert int(ask(smu, ":SOUR:DIG:DATA?")) & 15 == 8
    tell(smu, ":SENS1:CURR:PROT 1e-4;:CALC1:LIM1:FUNC COMP;STAT ON;COMP:DIG 4;:INIT (@1)")
    assert int(float(ask(smu, ":FETC? (@1)"))) >> 16 == 1, "in compliance"
    assert int(ask(smu, ":SOUR:DIG:DATA?")) & 15 == 4
    tell(smu, ":CALC:DIG:BIT 3;:CALC:CLIM:CLE")
    assert int(ask(smu, ":SOUR:DIG:DATA?")) & 15 == 0


def test_patterns_at_the_end_only(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":CALC1:FEED CURR;:CALC1:LIM1:LOW -1;UPP 2.5e-4;STAT ON;UPP:DIG 3;:CALC1:CLIM:STAT ON;UPD END")
    tell(smu, ":CALC1:CLIM:PASS:DIG 12;:TRIG1:SOUR BUS;:INIT (@1)", "*TRG")
    assert smu.digital.data == 0
    tell(smu, *["*TRG"] * 5)
    assert smu.digital.data == 3
    assert ask(smu, ":FORM:DIG HEX;:CALC:CLIM:PASS:DIG?;:CALC:LIM1:UPP:DIG?") == "#HC;#H3"


def test_null_offset(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":SOUR1:VOLT:MODE FIX;:SOUR1:VOLT 0.2;:TRIG1:COUN 1;:CALC1:FEED CURR;:CALC1:OFFS:ACQ;STAT ON")
    assert float(ask(smu, ":CALC1:OFFS?")) == pytest.approx(2e-4, rel=1e-2)
    tell(smu, ":SOUR1:VOLT 0.3;:INIT (@1)")
    assert float(ask(smu, ":CALC1:DATA?")) == pytest.approx(1e-4, rel=1e-2)
    assert float(ask(smu, ":FETC:CURR? (@1)")) == pytest.approx(3e-4, rel=1e-2), "readings stay as they are"


def test_math_on_every_reading(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":CALC1:MATH:STAT ON;:CALC1:MATH:NAME 'POWER';:INIT (@1)")
    power = np.arange(6) ** 2 * 1e-5
    assert numbers(ask(smu, ":CALC1:MATH:DATA?")) == pytest.approx(power, rel=2e-2, abs=1e-7)
    tell(smu, ':CALC1:MATH:NAME "MILLI"', ":CALC1:MATH (CURR*1000 + VOLT2);:CALC1:MATH:UNIT 'mA'")
    assert ask(smu, ":CALC1:MATH?;:CALC1:MATH:NAME?;:CALC1:MATH:UNIT?") == '(CURR*1000 + VOLT2);"MILLI";"mA"'
    tell(smu, ":SENS2:CURR:PROT 0.1;:SOUR2:VOLT 2;:OUTP2 ON;:INIT (@2);:INIT (@1)")
    assert float(ask(smu, ":CALC1:MATH:DATA:LAT?")) == pytest.approx(2.5, rel=1e-2)
    assert '"MILLI"' in ask(smu, ":CALC:MATH:CAT?")
    tell(smu, "*RST")
    assert '"MILLI"' in ask(smu, ":CALC:MATH:CAT?"), "expressions outlast a reset"
    tell(smu, ":CALC:MATH:DEL 'MILLI'", ":CALC:MATH:DEL 'POWER'", ":CALC:MATH:NAME 'a b'", ":CALC:MATH:DEF ((VOLT)")
    assert errors(smu) == [802, 824, 802]


def test_math_of_a_whole_sweep(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":CALC1:MATH:NAME 'OFFCOMPOHM';STAT ON;:CALC1:FEED MATH;:TRAC1:FEED MATH;FEED:CONT NEXT")
    tell(smu, ":INIT (@1)")
    assert float(ask(smu, ":CALC1:MATH:DATA?")) == pytest.approx(OHMS, rel=1e-2)
    assert float(ask(smu, ":TRAC1:DATA?")) == pytest.approx(OHMS, rel=1e-2)
    tell(smu, ":CALC1:MATH:NAME 'FAR';:CALC1:MATH (VOLT[20])", ":INIT (@1)")
    assert ask(smu, ":CALC1:MATH:DATA?") == "+9.910000E+37"
    assert errors(smu) == [812]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(2+3*4)", 14),
        ("(-2^2)", 4),
        ("(2^3^2)", 64),
        ("(8/4/2)", 1),
        ("(LOG(-10)+LN(EXP(2)))", 3),
        ("(0x10 + 0b11)", 19),
        ("(4294967295)", -1),
        ("(1.5E1-volt2)", 13),
        ("(COS(0)*curr[3])", 30),
    ],
)
def test_grammar_of_expressions(text: str, value: float) -> None:
    def look(name: str, channel: int, index: int | None) -> float:
        return {"VOLT": 1.0, "CURR": 10.0}[name] * channel * (1 if index is None else index)

    assert formula(text).value(look) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("((1)", 803),
        ("(VOLT[1)", 805),
        ("(VOLTS+1)", 804),
        ("(1 2)", 803),
        ("(1)(2)", 806),
        ("(*2)", 807),
        ("(VOLT[x])", 804),
        ("(VOLT[1.5])", 812),
        ("(VOLT3)", 817),
        ("", 818),
        ("()", 819),
        ("(VOLT[])", 820),
        ("(1/0)", 813),
        ("(LN(0))", 814),
        ("(" * 60 + "1" + ")" * 60, 806),
    ],
)
def test_expressions_that_are_refused(text: str, code: int) -> None:
    with pytest.raises(ScpiError) as raised:
        formula(text).value(lambda *_: 1.0)
    assert raised.value.code == code


def test_only_so_many_expressions() -> None:
    known = Expressions()
    for k in range(28):
        known.define(f"E{k}", "(VOLT)")
    with pytest.raises(ScpiError) as raised:
        known.define("ONE_TOO_MANY", "(VOLT)")
    assert raised.value.code == 801
    known.delete_all()
    assert known.names == ["POWER", "OFFCOMPOHM", "VOLTCOEF", "VARALPHA"]


def test_traces_of_limits_and_their_statistics(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    with pytest.raises(NoReply):
        ask(smu, ":TRAC1:DATA?", 0.1)
    assert errors(smu) == [862, -420]
    tell(smu, SWEEP, ":CALC1:FEED CURR;:TRAC1:POIN 4;FEED LIM;FEED:CONT NEXT", ":TRAC1:FEED SENS")
    assert errors(smu) == [861]
    tell(smu, ":INIT (@1)")
    amps = numbers(ask(smu, ":TRAC1:DATA?"))
    assert amps == pytest.approx(np.arange(4) * 1e-4, abs=1e-6)
    for name, value in (("MEAN", np.mean(amps)), ("SDEV", np.std(amps, ddof=1)), ("PKPK", np.ptp(amps))):
        tell(smu, f":TRAC1:STAT:FORM {name}")
        assert float(ask(smu, ":TRAC1:STAT:DATA?")) == pytest.approx(value, rel=1e-5)
    assert numbers(ask(smu, ":TRAC1:DATA? CURR")) == amps[-1:]
    tell(smu, ":TRAC1:FEED:CONT NEXT")
    assert errors(smu) == [-221], "a full buffer must be cleared first"
    tell(smu, ":TRAC1:CLE;FEED:CONT NEXT")
    assert errors(smu) == []


def test_digital_lines(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    assert ask(smu, ":SOUR:DIG:EXT1:FUNC?;:SOUR:DIG:EXT14?;:SOUR:DIG:EXT3:POL?") == "DINP;HVOL;NEG"
    assert ask(smu, ":DIG:DATA?") == "0", "pulled up, and low is 1"
    smu.digital.drive(3, False)
    assert ask(smu, ":SOUR:DIG:DATA?") == "4"
    tell(smu, ":DIG:EXT3:POL POS")
    assert ask(smu, ":SOUR:DIG:DATA?") == "0"
    tell(smu, ":SOUR:DIG:EXT1:FUNC DIO;:SOUR:DIG:EXT2:FUNC DIO;POL POS;:SOUR:DIG:DATA 1")
    assert [smu.digital.level(n) for n in (1, 2, 4)] == [False, False, True]
    tell(smu, ":SOUR:DIG:DATA #B10")
    assert [smu.digital.level(n) for n in (1, 2)] == [True, True]
    assert ask(smu, ":FORM:DIG BIN;:SOUR:DIG:DATA?") == "#B10"
    tell(smu, ":SOUR:DIG:DATA 16384", ":SOUR:DIG:EXT15:FUNC DIO", "*RST")
    assert errors(smu) == [-222, -114]
    assert ask(smu, ":SOUR:DIG:EXT2:FUNC?") == "DINP"
    assert not smu.digital.level(3), "what the outside does outlasts a reset"


def test_results_that_are_no_numbers(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, SWEEP, ":CALC1:MATH:NAME 'BAD';:CALC1:MATH (1/(VOLT-VOLT));:CALC1:MATH:STAT ON;:TRIG1:COUN 1;:INIT (@1)")
    assert ask(smu, ":CALC1:MATH:DATA?") == "+9.910000E+37"
    assert errors(smu) == [813]
    assert math.isnan(smu.channel(1).calculation.results.math[0].value)
