"""Staircases, lists, source memory, ranges, protection and power limits of a simulated 2400."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.keithley_2400_readings import StatusBit
from mtjlab.sim_instruments.simulated_bench import SimBench

from .keithley_2400_unit import ON, errors, make_unit, numbers, point

SWEEP = ":SOUR:VOLT:MODE SWE;:SENS:CURR:PROT 0.1;:FORM:ELEM VOLT"


@pytest.fixture
def smu() -> SimKeithley2400:
    return make_unit()


def test_steps_that_do_not_fill_the_span(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, SWEEP, ":SOUR:VOLT:STAR 0;STOP 1;STEP 0.3;:TRIG:COUN 4")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0, 0.3, 0.6, 0.9])
    tell(smu, ":SOUR:VOLT:STOP 2;:TRIG:COUN 7")
    assert ask(smu, ":SOUR:SWE:POIN?;:SOUR:VOLT:STEP?") == "7;3.000000E-01", "the step was given, not the points"
    tell(smu, ":SOUR:SWE:POIN 3;:SOUR:VOLT:STOP 1;:TRIG:COUN 3")
    assert ask(smu, ":SOUR:VOLT:STEP?") == "5.000000E-01"
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0, 0.5, 1])
    tell(smu, ":SOUR:VOLT:STEP -0.1")
    assert errors(smu) == [-221]
    assert ask(smu, ":SOUR:VOLT:STEP?") == "5.000000E-01"


def test_center_and_span(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR:VOLT:STAR 1;STOP 3", ":SOUR:VOLT:CENT 0")
    assert ask(smu, ":SOUR:VOLT:STAR?;STOP?;SPAN?;CENT?") == "-1.000000E+00;1.000000E+00;2.000000E+00;0.000000E+00"
    tell(smu, ":SOUR:VOLT:SPAN 4")
    assert ask(smu, ":SOUR:VOLT:STAR?;STOP?") == "-2.000000E+00;2.000000E+00"
    tell(smu, ":SOUR:VOLT:CENT 209")
    assert errors(smu) == [-222]


def test_ranging_of_a_sweep(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, SWEEP, ":SOUR:VOLT:STAR 1;STOP 5;:SOUR:SWE:POIN 5;:TRIG:COUN 5;:SOUR:VOLT:RANG 2")
    assert ask(smu, ":READ?;:SOUR:VOLT:RANG?").endswith(";2.100000E+01"), "the best one for all"
    tell(smu, ":SOUR:SWE:RANG AUTO;:SENS:FUNC:ALL;:SENS:RES:MODE MAN;:SOUR:VOLT:STOP 0.1;STAR 5")
    ask(smu, ":READ?")
    assert ask(smu, ":SOUR:VOLT:RANG?") == "2.100000E-01", "the last level's"
    tell(smu, ":SOUR:VOLT:RANG 2;:SOUR:SWE:RANG FIX;:SOUR:VOLT:STAR 1;STOP 5;:SENS:FUNC:OFF:ALL;:SENS:FUNC 'CURR'")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([1, 2, 2.1, 2.1, 2.1])
    assert point(smu)[0] == pytest.approx(2.1, abs=5e-3)


@pytest.mark.parametrize(("moment", "taken"), [("NEV", 5), ("EARL", 2), ("LATE", 3)])
def test_a_sweep_ends_in_compliance(smu: SimKeithley2400, tell: Any, ask: Any, moment: str, taken: int) -> None:
    tell(smu, "*RST", ON, SWEEP, ":SENS:CURR:PROT 2.5e-3;:SOUR:VOLT:STAR 1;STOP 5;:SOUR:SWE:POIN 5;:TRIG:COUN 5")
    assert len(numbers(ask(smu, f":SOUR:SWE:CAB {moment};:READ?"))) == taken


def test_list_start_and_direction(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.1,0.2,0.3;:TRIG:COUN 4;:FORM:ELEM VOLT")
    tell(smu, ":SOUR:LIST:VOLT:STAR 2")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0.2, 0.3, 0.1, 0.2])
    tell(smu, ":SOUR:LIST:DIR DOWN")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0.3, 0.2, 0.1, 0.3])
    tell(smu, ":SOUR:LIST:VOLT " + ",".join(["0.1"] * 101))
    assert errors(smu) == [-223]


def test_auto_off_after_each_point_or_after_all(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    history: list[bool] = []
    off, drive = smu.output.off, smu.output.drive
    smu.output.off = lambda settings: (history.append(False), off(settings))[1]  # type: ignore[method-assign]
    smu.output.drive = lambda *args: (history.append(True), drive(*args))[1]  # type: ignore[method-assign]
    tell(smu, "*RST;:SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:SOUR:CLE:AUTO ON;:TRIG:COUN 3")
    for mode, expected in (("ALW", [True, False] * 3), ("TCO", [True] * 3 + [False])):
        tell(smu, f":SOUR:CLE:AUTO:MODE {mode}")
        history.clear()
        assert len(numbers(ask(smu, ":READ?"))) == 15
        assert history == expected
    assert ask(smu, ":OUTP?") == "0"


def test_soak_takes_the_place_of_the_first_delay(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SYST:AZER OFF;:SOUR:DEL 0.01;:SOUR:SOAK 0.5;:TRIG:COUN 3;:FORM:ELEM TIME")
    for mode, seconds in (("SING", 0.01), ("MULT", 0.5)):
        tell(smu, f":SYST:RCM {mode}")
        before = smu.world.seconds
        stamps = numbers(ask(smu, ":READ?"))
        assert stamps[2] - stamps[1] == pytest.approx(0.03, rel=0.1)
        assert smu.world.seconds - before == pytest.approx(seconds + 0.02 + 0.06, rel=0.1)


def test_a_memory_sweep_changes_function_and_level(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:CURR:PROT 1e-2;:SOUR:VOLT 1;:SOUR:MEM:SAVE 3")
    tell(
        smu, ":SOUR:FUNC CURR;:SOUR:CURR 2e-3;:SENS:VOLT:PROT 20;:SENS:FUNC:OFF:ALL;:SENS:FUNC 'VOLT';:SOUR:MEM:SAVE 4"
    )
    tell(smu, ":SOUR:FUNC VOLT;:SOUR:VOLT 0.5;:SENS:FUNC:OFF:ALL;:SENS:FUNC 'CURR'", ":SOUR:MEM:SAVE 5")
    tell(smu, ":SOUR:FUNC MEM;:SOUR:MEM:STAR 3;POIN 3;:TRIG:COUN 4;:FORM:ELEM VOLT,CURR,STAT;:OUTP ON")
    assert ask(smu, ":SOUR:FUNC?;:SOUR:MEM:POIN?;STAR?") == "MEM;3;3"
    reply = np.array(numbers(ask(smu, ":READ?"))).reshape(4, 3)
    assert reply[:, 0] == pytest.approx([1, 2, 0.5, 1], rel=5e-3)
    assert reply[:, 1] == pytest.approx([1e-3, 2e-3, 5e-4, 1e-3], rel=5e-3)
    assert [bool(int(word) & StatusBit.AMPS_SOURCED) for word in reply[:, 2]] == [False, True, False, False]
    tell(smu, ":SOUR:FUNC VOLT;:SOUR:MEM:REC 4")
    assert ask(smu, ":SOUR:FUNC?;:SOUR:CURR?;:OUTP?") == "CURR;2.000000E-03;0"
    assert errors(smu) == []


def test_a_memory_sweep_branches_on_limits(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:CURR:PROT 1e-2;:CALC2:FEED CURR;LIM2:LOW 0;UPP 1.5e-3;STAT ON", ":CALC2:CLIM:PASS:SML 7")
    tell(
        smu,
        ":SOUR:VOLT 1;:SOUR:MEM:SAVE 1",
        ":CALC2:CLIM:PASS:SML NEXT;:CALC2:CLIM:FAIL:SML 1",
        ":SOUR:VOLT 3;:SOUR:MEM:SAVE 7",
    )
    assert ask(smu, ":CALC2:CLIM:PASS:SML?;:CALC2:CLIM:FAIL:SML?") == "NEXT;1"
    tell(smu, ":SOUR:FUNC MEM;:SOUR:MEM:POIN 2;:TRIG:COUN 4;:FORM:ELEM VOLT;:OUTP ON")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([1, 3, 1, 3])


def test_a_memory_location_scales_what_the_one_before_read(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR:FUNC CURR;:SOUR:CURR 2e-3;:SENS:VOLT:PROT 20;:SENS:FUNC:OFF:ALL;:SENS:FUNC 'VOLT'")
    tell(smu, ":SOUR:MEM:SAVE 1;:SOUR:FUNC VOLT;:SENS:CURR:PROT 1e-2;:SENS:FUNC:OFF:ALL;:SENS:FUNC 'CURR'")
    tell(smu, ":SOUR:VOLT:TRIG:SFAC 0.1;SFAC:STAT ON;:SOUR:MEM:SAVE 2;:SOUR:FUNC MEM;:SOUR:MEM:POIN 2;:TRIG:COUN 2")
    assert numbers(ask(smu, ":FORM:ELEM VOLT;:OUTP ON;:READ?")) == pytest.approx([2, 0.2], rel=5e-3)


def test_a_location_whose_expression_is_gone(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ':CALC:MATH:NAME "gone";:CALC:MATH (volt);:SOUR:MEM:SAVE 1;:CALC:MATH:DEL:ALL')
    tell(smu, ":SOUR:FUNC MEM;:READ?")
    assert errors(smu) == [809]
    assert smu.settings.calc.math_name == "POWER"
    tell(smu, ":SOUR:VOLT 0.7;:SYST:MEM:INIT;:SOUR:VOLT 0.1;:SOUR:MEM:REC 50")
    assert ask(smu, ":SOUR:VOLT?") == "7.000000E-01"


def test_holdoff_and_caching_take_their_time_in_memory_sweeps(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SYST:AZER OFF;:SOUR:DEL 0", ":SENS:CURR:NPLC 10;:SOUR:MEM:SAVE 1;:SENS:CURR:NPLC 1")
    tell(smu, ":SOUR:MEM:SAVE 2;:SOUR:FUNC MEM;:SOUR:MEM:POIN 2;:TRIG:COUN 4")
    spent = []
    for change in (
        ":SYST:AZER:CACH OFF",
        ":SYST:AZER:CACH ON",
        ":SOUR:MEM:REC 2;:SENS:CURR:RANG:HOLD ON;HOLD:DEL 0.3;:SOUR:MEM:SAVE 2",
    ):
        tell(smu, change)
        before = smu.world.seconds
        ask(smu, ":READ?")
        spent.append(smu.world.seconds - before)
    assert spent[0] - spent[1] == pytest.approx(2 * (0.4 + 0.04), rel=0.15), "zero and reference at each change"
    assert spent[2] - spent[1] == pytest.approx(2 * 0.3, rel=0.05)
    assert ask(smu, ":SYST:AZER:CACH:NPLC?") == "1.000000E+01,1.000000E+00"
    tell(smu, ":SYST:AZER:CACH:RES")
    assert smu.cached_zeros == []


@pytest.mark.parametrize(("given", "taken"), [("15", 20), ("110", 100), ("-60", 60), ("161", 210), ("NONE", 210)])
def test_protection_settings(smu: SimKeithley2400, tell: Any, ask: Any, given: str, taken: float) -> None:
    tell(smu, f":SOUR:VOLT:PROT {given}")
    assert float(ask(smu, ":SOUR:VOLT:PROT?")) == taken
    assert ask(smu, ":SOUR:VOLT:PROT? MIN;PROT? MAX;PROT? DEF") == "2.000000E+01;2.100000E+02;2.100000E+02"


def test_protection_limits_either_source(tell: Any, ask: Any) -> None:
    smu = make_unit(1e4)
    tell(smu, "*RST", ":SOUR:VOLT:PROT 20;:SOUR:VOLT 30;:SENS:CURR:PROT 0.1;:SENS:FUNC 'VOLT';:OUTP ON")
    assert point(smu)[0] == pytest.approx(20, rel=1e-2)
    word = int(numbers(ask(smu, ":READ?"))[4])
    assert word & (StatusBit.OVER_VOLTAGE | StatusBit.COMPLIANCE) == StatusBit.OVER_VOLTAGE
    assert ask(smu, ":SOUR:VOLT:PROT:TRIP?;:SENS:CURR:PROT:TRIP?") == "1;0"
    assert int(ask(smu, ":STAT:MEAS:COND?")) & (1 << 13 | 1 << 14) == 1 << 13
    tell(smu, ":SOUR:VOLT 10")
    assert ask(smu, ":SOUR:VOLT:PROT:TRIP?") == "0"
    tell(smu, ":SOUR:FUNC CURR;:SOUR:CURR 5e-3;:SENS:VOLT:PROT 100;:OUTP ON")
    assert point(smu)[0] == pytest.approx(20, rel=1e-2)
    assert ask(smu, ":SOUR:VOLT:PROT:TRIP?") == "1"


def test_power_limits(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:CURR:PROT 1;:SOUR:VOLT:RANG 200", ":SOUR:VOLT 30")
    assert errors(smu) == [826, 826]
    tell(smu, ":SENS:CURR:PROT 0.1;:SOUR:VOLT 30", ":SENS:CURR:PROT 1")
    assert errors(smu) == [826]
    assert ask(smu, ":SENS:CURR:PROT?") == "1.000000E-01"
    tell(smu, "*RST", ":SOUR:FUNC CURR;:SENS:VOLT:PROT 30;:SOUR:CURR 0.5", ":SYST:GUAR OHMS;:SENS:VOLT:PROT 10")
    assert errors(smu) == [826]
    tell(smu, ":SOUR:CURR:RANG 1", ":SYST:GUAR CABL;:SOUR:CURR:RANG 1", ":SYST:GUAR OHMS")
    assert errors(smu) == [827, 828]


def test_extremes_of_a_level_are_for_the_highest_range(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR:VOLT:RANG 2;:SOUR:VOLT MAX")
    assert errors(smu) == [-221]
    tell(smu, ":SOUR:VOLT:RANG MAX;:SOUR:VOLT MIN")
    assert ask(smu, ":SOUR:VOLT?;:SOUR:VOLT? MAX;:SOUR:CURR? MIN") == "-2.100000E+02;2.100000E+02;-1.050000E+00"


@pytest.mark.parametrize(
    ("state", "source", "level", "limit"),
    [
        ("NORM", "VOLT", 0.0, 5e-6),
        ("ZERO", "VOLT", 0.0, 1.05e-3),
        ("ZERO", "CURR", 0.0, 2e-3),
        ("GUAR", "VOLT", 0.0, 0.005 * 20),
    ],
)
def test_off_states_limit_as_the_manual_says(
    smu: SimKeithley2400, tell: Any, state: str, source: str, level: float, limit: float
) -> None:
    tell(smu, f"*RST;:SENS:CURR:PROT 1e-2;:SENS:CURR:RANG 1e-3;:SOUR:CURR 2e-3;:SOUR:FUNC {source};:SOUR:VOLT 5")
    tell(smu, f":OUTP:SMOD {state}")
    output = smu.output._source._output
    assert (output.mode, output.level) == ("amps" if state == "GUAR" else "volts", level)
    assert output.limit == pytest.approx(limit)


def test_a_list_sweep_gives_the_hysteresis_of_a_cell(bench: SimBench, tell: Any, ask: Any) -> None:
    """A loop of voltage over cell (0, 0) of the 15 x 15 array, through the matrix, the other lines left open."""
    drive, sense = bench.by_name["drive"], bench.by_name["sense"]
    tell(bench.by_name["matrix"], "channel.exclusiveclose('1A01,2C04')")
    bench.world.overtake([int(k) for k in np.flatnonzero(bench.world.die.is_parallel)], ())
    top, bottom = np.arange(0, 0.91, 0.05), np.arange(0, -0.91, -0.05)
    loop = np.concatenate([top, top[-2::-1], bottom[1:], bottom[-2::-1]])
    tell(sense, "*RST;:SENS:CURR:PROT 1e-2;:OUTP ON")
    tell(drive, "*RST;:SOUR:VOLT:MODE LIST;:SENS:CURR:PROT 1e-2;:SENS:FUNC 'VOLT';:FORM:ELEM VOLT,CURR;:SOUR:DEL 0.02")
    tell(drive, ":SOUR:LIST:VOLT " + ",".join(f"{v:.3f}" for v in loop), f":TRIG:COUN {loop.size};:OUTP ON")
    volts, amps = np.array(numbers(ask(drive, ":READ?"))).reshape(-1, 2).T
    assert volts == pytest.approx(loop, abs=2e-3)
    siemens = [amps[k] / volts[k] for k in (4, 2 * top.size - 6, 2 * top.size + 2, loop.size - 5)]
    up, down, negative_down, negative_up = siemens
    assert down > 1.03 * up, "the cell became parallel at the top"
    assert negative_down == pytest.approx(down, rel=0.02), "and remembers it through zero"
    assert negative_up < negative_down / 1.03, "until the other end"
    assert bench.world.incidents == []


def test_a_setup_is_saved_and_recalled_whole(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":CALC2:LIM3:UPP 7;:SOUR:MEM:POIN 9;:ARM:SOUR BUS;:SENS:RES:RANG 100;*SAV 4;*RST")
    assert ask(smu, ":CALC2:LIM3:UPP?;:SOUR:MEM:POIN?;:ARM:SOUR?;:SENS:RES:RANG?") == "1.000000E+00;1;IMM;2.100000E+05"
    tell(smu, "*RCL 4")
    assert ask(smu, ":CALC2:LIM3:UPP?;:SOUR:MEM:POIN?;:ARM:SOUR?;:SENS:RES:RANG?") == "7.000000E+00;9;BUS;2.100000E+02"
