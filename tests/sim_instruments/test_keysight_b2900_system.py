"""Simulated B2900A units as instruments: files, programs, set-ups, panel, status, formats, every header of the tree."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from mtjlab.sim_instruments.keysight_b2900 import SimKeysightB2900
from mtjlab.sim_instruments.keysight_b2900_settings import B2901A, B2902A
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

ON = ":SENS1:CURR:PROT 0.1;:OUTP1 ON"


def make(model: Any = B2902A) -> SimKeysightB2900:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeysightB2900("a", world, HostClock(world), model)
    world.connect("a.1.hi", "ground", 1000.0)
    return unit


@pytest.fixture
def smu() -> SimKeysightB2900:
    """A B2902A with a kilohm from channel 1 to ground."""
    return make()


def errors(smu: SimKeysightB2900) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    return [float(part) for part in reply.split(",")]


def test_readings_and_lists_in_files(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:LIST:VOLT 0.1,0.2,0.3;:MMEM:MDIR 'runs';:MMEM:CDIR 'runs';:MMEM:STOR:LIST:VOLT 'l.csv'")
    tell(smu, ":SOUR1:LIST:VOLT 9;:SOUR1:VOLT:MODE LIST;:MMEM:LOAD:LIST:VOLT 'l.csv',(@1)")
    assert numbers(ask(smu, ":SOUR1:LIST:VOLT?")) == [0.1, 0.2, 0.3]
    tell(smu, ":TRIG1:COUN 3;:INIT (@1);:MMEM:STOR:DATA 'd.csv',(@1)")
    content = smu.files.read("d.csv")
    assert isinstance(content, bytes)
    header, *rows = content.decode().split()
    assert header.split(",")[:2] == ["VOLT1", "CURR1"]
    assert [float(row.split(",")[1]) for row in rows] == pytest.approx([1e-4, 2e-4, 3e-4], rel=1e-2)
    catalog = ask(smu, ":MMEM:CAT?")
    assert '"d.csv,ASC,' in catalog
    tell(smu, ":MMEM:COPY 'd.csv','e.csv';:MMEM:MOVE 'e.csv','\\f.csv';:MMEM:DEL 'd.csv'")
    assert "d.csv" not in ask(smu, ":MMEM:CAT?")
    tell(smu, ":MMEM:CDIR '\\'")
    assert re.findall(r'"([\w.]+),', ask(smu, ":MMEM:CAT?")) == ["runs", "f.csv"]
    assert errors(smu) == []
    tell(smu, ":MMEM:LOAD:LIST:VOLT 'none.csv'", ":MMEM:DEL 'none'", ":MMEM:RDIR 'runs'", ":MMEM:MDIR 'a:b'")
    assert errors(smu) == [103, 201, 201, -224]


def test_setups_in_memory_and_files(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(
        smu, ON, ":SOUR1:VOLT 0.5;:FORM:ELEM:SENS CURR;:CALC2:LIM3:LOW -7", "*SAV 2", ":MMEM:STOR:STAT 'a.sta'", "*RST"
    )
    for message in ("*RCL 2", ":MMEM:LOAD:STAT 'a.sta'"):
        tell(smu, "*RST", message)
        reply = ask(smu, ":SOUR1:VOLT?;:OUTP1?;:FORM:ELEM:SENS?;:CALC2:LIM3:LOW?")
        assert reply == "+5.000000E-01;0;CURR;-7.000000E+00"
    tell(smu, ":OUTP:SAVE (@1),1;:SOUR1:VOLT 0.1;:OUTP:REC (@1),1")
    assert ask(smu, ":SOUR1:VOLT?") == "+5.000000E-01"
    tell(smu, "*RCL 3", "*RCL 9", ":OUTP:REC (@1),4")
    assert errors(smu) == [290, -222, 290]


def test_programs_run_with_variables(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    lines = ":SOUR1:VOLT %1%\n:OUTP1 ON\n:TRIG1:COUN %2%;:INIT (@1)\n"
    tell(smu, ":SENS1:CURR:PROT 0.1", ":PROG:NAME 'ramp'", f":PROG:DEF #2{len(lines)}{lines}")
    tell(smu, ":PROG:VAR1 '0.3'", ":PROG:VAR2 5", ":PROG:EXEC")
    assert errors(smu) == []
    assert ask(smu, ":PROG:STAT?;:PROG:VAR1?;:PROG:CAT?") == 'STOP;"0.3";"ramp"'
    assert ask(smu, ":PROG:WAIT? 10") == "1"
    amps = numbers(ask(smu, ":FETC:ARR:CURR? (@1)"))
    assert amps == pytest.approx([3e-4] * 5, rel=1e-2)
    tell(smu, ":PROG:VAR1 0.1", ":PROG:STAT STEP")
    assert ask(smu, ":PROG:STAT?") == "PAUS"
    assert smu.channel(1).point().volts == pytest.approx(0.1, abs=1e-3), "only the first line"
    tell(smu, ":PROG:STAT CONT", ":PROG:APP ':OUTP1 OFF'", ":PROG:STAT RUN")
    assert ask(smu, ":OUTP1?") == "0"
    assert ask(smu, ":PROG:DEF?").startswith("#2")
    tell(smu, ":MMEM:STOR:MACR 'p.txt';:PROG:DEL:ALL;:PROG:NAME 'again';:MMEM:LOAD:MACR 'p.txt'")
    assert ask(smu, ":PROG:CAT?") == '"again"'
    assert errors(smu) == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":PROG:DEF ':VOLT?'", 703),
        (":PROG:DEF '*RST'", 712),
        (":PROG:DEF ':INIT;:INIT'", 713),
        (":PROG:DEF ':NONSENSE'", -113),
        (":PROG:DEF '" + "X" * 300 + "'", 710),
        (":PROG:NAME 'a b'", 715),
        (":PROG:VAR101 '1'", 702),
        (":PROG:VAR1 '" + "9" * 40 + "'", 711),
        (":PROG:NAME 'none';STAT RUN", 704),
        (":PROG:STAT CONT", 704),
    ],
)
def test_programs_that_are_refused(smu: SimKeysightB2900, tell: Any, message: str, code: int) -> None:
    tell(smu, ":PROG:NAME 'p'", message)
    assert errors(smu) == [code]


def test_an_error_ends_a_line_of_a_program(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ":PROG:NAME 'p';DEF ':VOLT %1%;:OUTP ON'", ":PROG:VAR1 'x'", ":PROG:EXEC")
    assert errors(smu) == [-104]
    assert ask(smu, ":OUTP?") == "0"


@pytest.mark.parametrize("style", ["JPG", "BMP", "PNG"])
def test_screen_dumps_are_pictures(smu: SimKeysightB2900, tell: Any, ask: Any, style: str) -> None:
    image = pytest.importorskip("PIL.Image")
    reply = ask(smu, f":HCOP:SDUM:FORM {style};DATA?").encode("latin-1")
    data = reply[2 + int(reply[1:2]) :]
    assert len(data) == int(reply[2 : 2 + int(reply[1:2])])
    opened = image.open(io.BytesIO(data))
    opened.load()
    assert opened.format == {"JPG": "JPEG"}.get(style, style)
    tell(smu, ":DISP:ENAB OFF", ":HCOP:SDUM:DATA?")
    assert errors(smu) == [214]


def test_the_panel(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(
        smu,
        ":DISP:VIEW SING2;:DISP:DIG 5;:DISP:WIND2:TEXT:DATA 'low';:DISP:TEXT:DATA \"up\";STAT ON;:SYST:BEEP:STAT OFF",
    )
    assert ask(smu, ":DISP:VIEW?;DIG?;:DISP:WIND2:TEXT:DATA?;:DISP:TEXT:DATA?;STAT?") == 'SING2;5;"low";"up";1'
    tell(smu, "*RST")
    assert ask(smu, ":DISP:VIEW?;DIG?;:DISP:TEXT:DATA?;:SYST:BEEP:STAT?") == 'DUAL;7;"";0'
    tell(smu, ":DISP:WIND3:TEXT:DATA 'x'", ":DISP:TEXT:DATA '" + "x" * 33 + "'")
    assert errors(smu) == [-114, -223]
    single = make(B2901A)
    tell(single, ":DISP:VIEW DUAL")
    assert errors(single) == [-224]
    assert ask(single, ":DISP:VIEW?;:SYST:GRO?;:SYST:CHAN:COUN?") == "SING1;(@1);1"


def test_clock_and_groups(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ":SYST:DATE 2024,5,17;:SYST:TIME 23,59,58")
    assert ask(smu, ":SYST:DATE?") == "2024,5,17"
    smu._host.spend(5.0)
    assert ask(smu, ":SYST:TIME?") == "0,0,3"
    assert ask(smu, ":SYST:GRO?") == "(@1,2)"
    tell(smu, ":SYST:GRO (@1)")
    assert ask(smu, ":SYST:GRO?;:SYST:DATA:QUAN?") == "(@1);0"
    tell(smu, ":SYST:GRO:RES")
    assert ask(smu, ":SYST:GRO?") == "(@1,2)"


def test_registers_in_other_bases(smu: SimKeysightB2900, ask: Any) -> None:
    assert ask(smu, ":FORM:SREG HEX;:STAT:OPER:COND?") == "#H492"
    assert ask(smu, ":FORM:SREG BIN;:STAT:OPER:PTR?") == "#B111111111111111"


@pytest.mark.parametrize(
    ("sent", "told"),
    [("REAL32", "REAL,32"), ("REAL64", "REAL,64"), ("REAL,32", "REAL,32"), ("REAL", "REAL,64"), ("ASC", "ASC")],
)
def test_spellings_of_the_data_format(smu: SimKeysightB2900, ask: Any, sent: str, told: str) -> None:
    assert ask(smu, f":FORM {sent};:FORM?") == told


def test_errors_in_the_makers_words(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ":SOUR:VOLT 300", ":MEAS? (@3)", ":NONSENSE")
    assert ask(smu, ":SYST:ERR:ALL?") == (
        '-222,"Data out of range",-220,"Parameter error; Invalid channel list",-113,"Undefined header"'
    )


def _plain(pattern: str) -> str:
    return re.sub(r"<\w+>", "1", pattern.replace("[", "").replace("]", ""))


def test_every_number_tells_its_limits(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    """MINimum, MAXimum and DEFault are told, and can be set."""
    asked = [c for c in smu.tree.commands if c.asks and type(c.asks[0]).__name__ == "Extreme" and c.write]
    assert len(asked) > 60
    for command in asked:
        header = _plain(command.pattern)
        tell(smu, "*RST")
        low, high = (float(ask(smu, f"{header}? {word}")) for word in ("MIN", "MAX"))
        assert low <= high, header
        for word in ("MIN", "MAX", "DEF"):
            tell(smu, f"{header} {word}")
            assert errors(smu) == [], f"{header} {word}"
            float(ask(smu, f"{header}?"))


def test_every_query_without_parameters_answers(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    """What needs data or a program says so; all else answers with the output off and with it on."""
    silent = set()
    for command in smu.tree.commands:
        if command.query is None or any(not parameter.is_optional for parameter in command.asks):
            continue
        try:
            ask(smu, _plain(command.pattern) + "?", 100.0)
        except NoReply:
            silent.add(_plain(command.pattern))
            assert {862, 704} & set(errors(smu)), command.pattern
    assert silent == {":TRACe1:DATA", ":TRACe1:STATistic:DATA", ":PROGram:SELected:DEFine"}
