"""Dialogues with simulated B2900A units on a known resistor, pulses in the world, and drivers of others on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from qcodes.instrument_drivers.Keysight import KeysightB2962A

from mtjlab.sim_instruments.keysight_b2900 import SimKeysightB2900
from mtjlab.sim_instruments.keysight_b2900_readings import StatusData
from mtjlab.sim_instruments.keysight_b2900_settings import B2901A, B2902A, B2912A
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
ON = ":SOUR1:VOLT 0.1;:SENS1:CURR:PROT 1e-2;:OUTP1 ON;:SENS2:CURR:PROT 0.1;:OUTP2 ON"


def make(model: Any = B2902A) -> SimKeysightB2900:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    return SimKeysightB2900("a", world, HostClock(world), model, serial="MY51140001")


@pytest.fixture
def smu() -> SimKeysightB2900:
    """A B2902A with a kilohm between its channels."""
    unit = make()
    unit.world.connect("a.1.hi", "a.2.hi", OHMS)
    return unit


def errors(smu: SimKeysightB2900) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    return [float(part) for part in reply.split(",")]


def record(smu: SimKeysightB2900, number: int = 1) -> list[tuple[float, float]]:
    """(time, volts) of everything that a channel's output is told from now on."""
    source = smu.channel(number).stage._source
    history: list[tuple[float, float]] = []
    drive = source.drive_volts

    def keep(level: float, limit: float) -> None:
        history.append((smu.world.seconds, level))
        drive(level, limit)

    source.drive_volts = keep  # type: ignore[method-assign]
    return history


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        ("*IDN?", "Keysight Technologies,B2902A,MY51140001,3.4.2011.5100"),
        (":SYST:ERR?", '+0,"No error"'),
        (":SYST:ERR:ALL?", '+0,"No error"'),
        (":OUTP?", "0"),
        (":OUTP2:ON:AUTO?", "1"),
        (":OUTP:OFF:AUTO?", "0"),
        (":OUTP:OFF:MODE?", "NORM"),
        (":OUTP:PROT?", "0"),
        (":OUTP:LOW?", "GRO"),
        (":SOUR:FUNC:MODE?", "VOLT"),
        (":SOUR:FUNC:SHAP?", "DC"),
        (":SOUR2:VOLT:MODE?", "FIX"),
        (":SOUR:VOLT?", "+0.000000E+00"),
        (":VOLT?", "+0.000000E+00"),
        (":SOUR:VOLT:RANG:AUTO?", "1"),
        (":SOUR:PULS:WIDT?", "+5.000000E-05"),
        (":SOUR:PULS:DEL?", "+0.000000E+00"),
        (":SOUR:LIST:VOLT?", "+0.000000E+00"),
        (":SOUR:SWE:STA?", "SING"),
        (":SENS:FUNC?", '"VOLT","CURR"'),
        (":SENS:CURR:PROT?", "+1.000000E-04"),
        (":SENS:VOLT:PROT?", "+2.000000E+00"),
        (":SENS:CURR:NPLC?", "+1.000000E-01"),
        (":SENS:CURR:APER:AUTO?", "1"),
        (":SENS:CURR:APER? MIN", "+8.000000E-06"),
        (":SENS:CURR:RANG:AUTO:LLIM?", "+1.000000E-06"),
        (":SENS:REM?", "0"),
        (":SOUR2:VOLT:RANG:AUTO:LLIM?", "+2.000000E-01"),
        (":SOUR:CURR:RANG:AUTO:LLIM?", "+1.000000E-07"),
        (":SOUR:VOLT:RANG?", "+2.000000E+00"),
        (":SENS:CURR:RANG?", "+1.000000E-04"),
        (":SENS:RES:RANG:AUTO:LLIM?", "+2.000000E+00"),
        (":SENS:CURR:RANG:AUTO:MODE?", "NORM"),
        (":SENS:VOLT:RANG:AUTO:THR?", "+9.000000E+01"),
        (":SENS2:RES:MODE?", "MAN"),
        (":SOUR:FUNC:TRIG:CONT?", "0"),
        (":SOUR:WAIT:GAIN?", "+1.000000E+00"),
        (":OUTP:FILT?", "1"),
        (":OUTP:HCAP?", "0"),
        (":CALC:FEED?", "VOLT"),
        (":CALC2:LIM12:UPP?", "+1.000000E+00"),
        (":CALC:CLIM:MODE?", "GRAD"),
        (":CALC:MATH:NAME?", '"POWER"'),
        (":FORM:ELEM:CALC?", "CALC"),
        (":TRIG:TOUT?", "0"),
        (":ARM:BYP?", "OFF"),
        (":DISP:VIEW?", "DUAL"),
        (":SENS:WAIT?", "1"),
        (":TRIG:SOUR?", "AINT"),
        (":TRIG2:ACQ:COUN?", "1"),
        (":ARM:TRAN:DEL?", "+0.000000E+00"),
        (":FORM:ELEM:SENS?", "VOLT,CURR,RES,TIME,STAT,SOUR"),
        (":FORM?", "ASC"),
        (":FORM:BORD?", "NORM"),
        (":TRAC:POIN?", "100000"),
        (":STAT:OPER:COND?", "1170"),
        (":SYST:LFR?", "50"),
        (":SYST:INT:TRIP?", "0"),
    ],
)
def test_reset_values_of_the_manual(smu: SimKeysightB2900, tell: Any, ask: Any, query: str, reply: str) -> None:
    tell(smu, ON, ":FORM REAL;:TRIG:COUN 5;:SENS:CURR:NPLC 1;:SOUR1:FUNC:SHAP PULS", "*RST")
    assert ask(smu, query) == reply
    assert errors(smu) == []


def test_spot_measurements(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON)
    volts, amps, ohms, seconds, status, source = numbers(ask(smu, ":MEAS? (@1)"))
    assert (volts, amps) == pytest.approx((0.1, 1e-4), rel=1e-2)
    assert ohms == 9.91e37, "not switched on"
    assert seconds > 0
    assert (status, source) == (0, 0.1)
    both = numbers(ask(smu, ":MEAS:CURR? (@1,2)"))
    assert both[0] == pytest.approx(-both[1], rel=1e-2), "what leaves one channel enters the other"
    assert float(ask(smu, "MEAS:RES? (@1)")) == pytest.approx(OHMS, rel=1e-2)
    assert float(ask(smu, ":MEAS:VOLT?")) == pytest.approx(0.1, rel=1e-2)
    assert errors(smu) == []


def test_compliance_and_protection(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS1:CURR:PROT 5e-5")
    assert ask(smu, ":SENS1:CURR:PROT:TRIP?;:SENS1:VOLT:PROT:TRIP?") == "1;0"
    volts, amps, _, _, status, _ = numbers(ask(smu, ":MEAS? (@1)"))
    assert amps == pytest.approx(5e-5, rel=2e-3)
    assert volts == pytest.approx(0.05, rel=2e-2)
    assert int(status) & StatusData.COMPLIANCE
    tell(smu, ":OUTP1:PROT ON")
    assert ask(smu, ":OUTP1?;:STAT:QUES:COND?") == "0;4"
    assert smu.channel(1).point().volts == pytest.approx(0, abs=1e-3)


def test_beyond_a_fixed_range(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS1:CURR:RANG 1e-5", ":FORM:ELEM:SENS CURR, STAT")
    amps, status = numbers(ask(smu, ":READ? (@1)"))
    assert amps == 9.9e37
    assert int(status) & StatusData.RANGE_OVERFLOW
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 4
    tell(smu, ":SENS1:CURR:RANG:AUTO ON", ":SOUR1:VOLT:RANG 0.2", ":SOUR1:VOLT 0.5")
    assert errors(smu) == [-222]
    assert numbers(ask(smu, ":READ? (@1)"))[0] == pytest.approx(1e-4, rel=1e-2)


def test_current_source(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:FUNC:MODE CURR;:SOUR1:CURR 1e-4;:SENS1:VOLT:PROT 1;:FORM:ELEM:SENS VOLT,STAT")
    volts, status = numbers(ask(smu, ":MEAS? (@1)"))
    assert volts == pytest.approx(0.1, rel=1e-2)
    assert int(status) & StatusData.CURRENT_SOURCE
    tell(smu, ":SENS1:VOLT:PROT 0.05")
    assert ask(smu, ":SENS1:VOLT:PROT:TRIP?") == "1"


def test_output_comes_on_by_itself_with_an_initiation(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ":OUTP2 ON;:SENS1:CURR:PROT 1e-2;:SOUR1:VOLT 0.1")
    ask(smu, ":MEAS? (@1)")
    assert ask(smu, ":OUTP1?") == "0"
    tell(smu, ":INIT (@1)")
    assert ask(smu, ":OUTP1?") == "1"
    tell(smu, ":OUTP1 OFF;:OUTP1:ON:AUTO OFF;:OUTP1:OFF:AUTO ON;:INIT (@1)")
    assert ask(smu, ":OUTP1?") == "0"
    tell(smu, ":OUTP1:ON:AUTO ON;:INIT (@1)")
    assert ask(smu, ":OUTP1?") == "0", "and off again"
    assert float(ask(smu, ":FETC:CURR? (@1)")) == pytest.approx(1e-4, rel=1e-2)


def test_list_sweep_in_one_transaction(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.2;:SOUR1:LIST:VOLT:APP 0.3,0")
    assert ask(smu, ":SOUR1:LIST:VOLT:POIN?") == "4"
    tell(smu, ":SENS1:CURR:APER 1e-4;:TRIG1:SOUR TIM;TIM 1e-2;COUN 4;:FORM:ELEM:SENS CURR,TIME,SOUR")
    history = record(smu)
    tell(smu, ":INIT (@1)")
    assert ask(smu, ":STAT:OPER:COND?", 0.001) == "1152", "channel 1 is busy"
    assert ask(smu, ":STAT:OPER:COND?", 0.001) == "1170"
    data = numbers(ask(smu, ":FETC:ARR? (@1)"))
    assert data[2::3] == [0.1, 0.2, 0.3, 0.0]
    assert data[0::3] == pytest.approx([1e-4, 2e-4, 3e-4, 0], abs=2e-6)
    assert np.diff(data[1::3]) == pytest.approx(1e-2, rel=1e-6)
    moves = [seconds for seconds, _ in history]
    assert np.diff(moves)[-2] == pytest.approx(1e-2, rel=1e-6)
    assert smu.channel(1).point().volts == pytest.approx(0.1, abs=1e-3), "back at the first level"
    assert numbers(ask(smu, ":FETC:ARR:CURR? (@1)")) == data[0::3]
    assert float(ask(smu, ":FETC:CURR? (@1)")) == data[9]
    assert numbers(ask(smu, ":SENS1:DATA? 1,2")) == data[3:9]
    assert numbers(ask(smu, ":SENS1:DATA? CURR")) == data[9:]
    assert errors(smu) == []


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        (":SOUR1:VOLT:STAR 0;STOP 0.4;POIN 5", [0, 0.1, 0.2, 0.3, 0.4]),
        (":SOUR1:VOLT:STAR 0;STOP 0.4;STEP 0.2;:SOUR1:SWE:DIR DOWN", [0.4, 0.2, 0]),
        (":SOUR1:VOLT:CENT 0.2;SPAN 0.2;POIN 3", [0.1, 0.2, 0.3]),
        (":SOUR1:VOLT:STAR 0.001;STOP 0.1;POIN 3;:SOUR1:SWE:SPAC LOG", [0.001, 0.01, 0.1]),
        (":SOUR1:VOLT:STAR 0;STOP 0.1;POIN 2;:SOUR1:SWE:STA DOUB", [0, 0.1, 0.1, 0]),
    ],
)
def test_staircases(smu: SimKeysightB2900, tell: Any, ask: Any, settings: str, levels: list[float]) -> None:
    tell(smu, ON, f":SOUR1:VOLT:MODE SWE;{settings};:TRIG1:COUN {len(levels)};:FORM:ELEM:SENS SOUR")
    assert numbers(ask(smu, ":READ:ARR? (@1)")) == pytest.approx(levels)
    assert errors(smu) == []


def test_both_channels_in_step(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.2,0.3;:TRIG1:COUN 3")
    tell(smu, ":SOUR2:VOLT:MODE LIST;:SOUR2:LIST:VOLT 0,0.1;:TRIG2:COUN 2;:FORM:ELEM:SENS CURR,SOUR")
    tell(smu, ":INIT (@1,2)")
    data = numbers(ask(smu, ":FETC:ARR? (@1,2)"))
    assert data[0::4] == pytest.approx([1e-4, 1e-4, 2e-4], rel=2e-2)
    assert data[3::4] == [0.0, 0.1, 9.91e37], "the shorter sweep is filled up"
    assert data[0] == pytest.approx(-data[2], rel=2e-2)


def test_a_pulse_lasts_its_width(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT 0;:SOUR1:VOLT:TRIG 0.5;:SOUR1:FUNC:SHAP PULS;:SOUR1:PULS:DEL 1e-3;WIDT 2e-4")
    tell(smu, ":SENS1:CURR:APER 5e-5;:TRIG1:SOUR TIM;TIM 5e-3;COUN 3;:TRIG1:ACQ:DEL 1.1e-3;:FORM:ELEM:SENS CURR")
    history = record(smu)
    amps = numbers(ask(smu, ":READ:ARR? (@1)"))
    assert amps == pytest.approx([5e-4] * 3, rel=1e-2)
    edges = [(seconds, volts) for seconds, volts in history]
    peaks = [seconds for seconds, volts in edges if volts > 0.4]
    falls = [seconds for seconds, volts in edges if volts < 0.1]
    assert np.array(falls[-3:]) - peaks == pytest.approx([2e-4] * 3, rel=1e-6)
    assert np.diff(peaks) == pytest.approx([5e-3] * 2, rel=1e-6)
    tell(smu, ":SOUR1:PULS:WIDT 1e-6")
    assert ask(smu, ":SOUR1:PULS:WIDT?") == "+5.000000E-05", "the shortest there is"
    tell(smu, ":TRIG1:ACQ:DEL 4e-3")
    assert numbers(ask(smu, ":READ:ARR? (@1)")) == pytest.approx([0] * 3, abs=2e-6), "measured after the pulse"
    assert errors(smu) == []


def test_listed_pulses_are_measured_at_their_end(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT 0;:SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.2,-0.4;:SOUR1:FUNC:SHAP PULS")
    tell(smu, ":SOUR1:PULS:WIDT 1e-3;:SENS1:CURR:APER 1e-4;:TRIG1:COUN 2;:FORM:ELEM:SENS CURR")
    assert numbers(ask(smu, ":READ:ARR? (@1)")) == pytest.approx([2e-4, -4e-4], rel=1e-2)
    assert smu.channel(1).point().volts == pytest.approx(0, abs=1e-3)


def test_bus_triggers(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:SOUR BUS;COUN 2;:FORM:ELEM:SENS CURR", "*TRG")
    assert errors(smu) == [], "the maker has no error for a trigger that nothing waits for"
    tell(smu, ":INIT (@1)")
    assert int(ask(smu, ":STAT:OPER:COND?")) == 1152 + 4 + 32, "waits for both triggers"
    tell(smu, ":INIT (@1)")
    assert errors(smu) == [203]
    tell(smu, "*TRG;*TRG")
    assert len(numbers(ask(smu, ":FETC:ARR? (@1)"))) == 2
    assert ask(smu, ":STAT:OPER:COND?") == "1170"
    tell(smu, ":TRIG1:COUN 1", ":READ? (@1)")
    assert float(ask(smu, "*TRG")) == pytest.approx(1e-4, rel=1e-2)
    tell(smu, ":INIT (@1)", ":ABOR (@1)", "*TRG")
    assert errors(smu) == []
    assert ask(smu, ":FETC:ARR? (@1)") == "+9.910000E+37", "nothing was measured"
    tell(smu, ":TRIG1:SOUR AINT;:ARM1:SOUR BUS;COUN 2;:INIT (@1)")
    assert int(ask(smu, ":STAT:OPER:COND?")) == 1152 + 8 + 64, "waits for an arm event"
    tell(smu, "*TRG", "*TRG")
    assert len(numbers(ask(smu, ":FETC:ARR? (@1)"))) == 2


def test_separate_actions(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:TRIG 0.2;:INIT:TRAN (@1)")
    assert smu.channel(1).point().volts == pytest.approx(0.2, abs=2e-3)
    assert ask(smu, ":FETC:ARR? (@1)").startswith("+9.910000E+37")
    tell(smu, ":TRIG1:ACQ:COUN 3;:INIT:ACQ (@1)")
    assert numbers(ask(smu, ":FETC:ARR:SOUR? (@1)")) == [0.2] * 3


def test_integration_time(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:COUN 100;:FORM:ELEM:SENS CURR")
    spread, spent = [], []
    for seconds in (2e-4, 2e-2):
        tell(smu, f":SENS1:CURR:APER {seconds}")
        before = smu.world.seconds
        spread.append(np.std(numbers(ask(smu, ":READ:ARR? (@1)"))))
        spent.append((smu.world.seconds - before) / 100)
    assert spread[0] > 5 * spread[1]
    assert spent[1] - spent[0] == pytest.approx(0.0198, rel=1e-2)
    assert ask(smu, ":SENS1:CURR:NPLC?;:SENS1:VOLT:APER?") == "+1.000000E+00;+2.000000E-02", "one for all functions"
    tell(smu, ":SENS1:CURR:NPLC 1000")
    assert ask(smu, ":SENS1:CURR:NPLC?") == "+1.000000E+02"


def test_functions_off(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ':SENS1:FUNC:OFF "VOLT";:SENS1:FUNC "RES"')
    assert ask(smu, ":SENS1:FUNC?;:SENS1:FUNC:OFF?;:SENS1:FUNC:STAT? 'VOLT'") == '"CURR","RES";"VOLT";0'
    volts, _, ohms = numbers(ask(smu, ":READ? (@1)"))[:3]
    assert volts == 9.91e37
    assert ohms == pytest.approx(OHMS, rel=1e-2)
    tell(smu, ":SENS1:FUNC:ALL", ':SENS1:FUNC "FREQ"')
    assert errors(smu) == [-224]


def test_trace_buffer(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRAC1:POIN 3;FEED SENS;FEED:CONT NEXT", ":TRIG1:COUN 5;:FORM:ELEM:SENS CURR,TIME;:INIT (@1)")
    assert ask(smu, ":TRAC1:FEED:CONT?;:TRAC1:POIN:ACT?;:TRAC1:FREE?") == "NEV;3;0,3"
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 0b11000 == 0b11000
    data = numbers(ask(smu, ":TRAC1:DATA?"))
    assert data[1] == 0
    assert data[5] == pytest.approx(2 * data[3])
    tell(smu, ":TRAC1:TST:FORM DELT")
    assert numbers(ask(smu, ":TRAC1:DATA? 1,1"))[1] == pytest.approx(data[3])
    assert numbers(ask(smu, ":TRAC1:STAT:DATA?")) == pytest.approx([np.mean(data[0::2])], rel=1e-6)
    tell(smu, ":TRAC1:FEED:CONT NEXT;:TRAC1:POIN 5")
    assert errors(smu) == [-221]


@pytest.mark.parametrize(("state", "conducts"), [("NORM", True), ("ZERO", True), ("HIZ", False)])
def test_off_modes(smu: SimKeysightB2900, tell: Any, state: str, conducts: bool) -> None:
    other = smu.world.add_source("other", "a.1.hi")
    tell(smu, f":OUTP1:OFF:MODE {state}")
    other.drive_amps(1e-6, 10.0)
    assert (abs(smu.channel(1).point().amps) > 1e-7) == conducts


def test_saved_setups(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, "*SAV 1;*RST", "*RCL 1")
    assert ask(smu, ":SOUR1:VOLT?;:SENS1:CURR:PROT?;:OUTP1?") == "+1.000000E-01;+1.000000E-02;0"
    tell(smu, "*SAV 7")
    assert errors(smu) == [-222]


def test_models_differ(tell: Any, ask: Any) -> None:
    single = make(B2901A)
    tell(single, ":SOUR2:VOLT 1", ":MEAS? (@2)")
    assert errors(single) == [-114, -220]
    assert ask(single, ":STAT:OPER:COND?") == "18"
    assert ask(single, ":SENS:CURR:RANG? MIN") == "+1.000000E-07"
    assert ask(make(B2912A), ":SENS:CURR:RANG? MIN") == "+1.000000E-08"
    assert "B2912A" in ask(make(B2912A), "*IDN?")


def test_errors(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    with pytest.raises(NoReply):
        ask(smu, ":NONSENSE?", 0.1)
    assert ask(smu, ":SYST:ERR?") == '-113,"Undefined header"'
    assert ask(smu, ":SYST:ERR:CODE:ALL?") == "-420"
    tell(smu, ":SOUR:VOLT 300", ":SOUR:CURR 5", ":FORM REAL,16", ":SOUR3:VOLT 1", ":SENS:FUNC CURR")
    assert ask(smu, ":SYST:ERR:COUN?") == "5"
    assert errors(smu) == [-222, -222, -224, -114, -148]
    tell(smu, ":CALC:LIM1:STAT OFF;:DISP:ENAB ON;:DISP:VIEW DUAL;:SYST:BEEP:STAT OFF;:SOUR:DIG:EXT3:FUNC DIO")
    tell(smu, ":SOUR2:WAIT OFF;:SENS2:WAIT:OFFS 1e-3;:OUTP2:FILT OFF;:OUTP2:HCAP ON;:SYST:GRO (@1,2)")
    assert errors(smu) == []


@pytest.fixture
def bench(bench_folder: Path, spec: str) -> SimBench:
    """A bench whose first SMU is a B2902A with a kilohm between its channels."""
    path = bench_folder / "bench.yaml"
    model = "name: drive, model: keysight_b2902a"
    path.write_text(path.read_text().replace("name: drive, model: keithley_2400", model))
    bench = sim_bench(spec)
    bench.world.connect("drive.1.hi", "drive.2.hi", OHMS)
    return bench


@pytest.mark.parametrize(("style", "code"), [("REAL,32", "f"), ("REAL,64", "d")])
@pytest.mark.parametrize(("border", "is_big"), [("NORM", True), ("SWAP", False)])
def test_binary_values_through_pyvisa(
    bench: SimBench, open_resource: Any, style: str, code: str, border: str, is_big: bool
) -> None:
    unit = open_resource("GPIB0::24::INSTR")
    for message in (ON, ":SOUR1:VOLT:MODE SWE;:SOUR1:VOLT:STAR 0;STOP 0.4;POIN 5;:TRIG1:COUN 5"):
        unit.write(message)
    unit.write(f":FORM:ELEM:SENS CURR,RES;:FORM:DATA {style};BORD {border};:INIT (@1)")
    data = unit.query_binary_values(":FETC:ARR? (@1)", datatype=code, is_big_endian=is_big)
    assert data[0::2] == pytest.approx(np.linspace(0, 4e-4, 5), abs=1e-6)
    assert np.all(np.isnan(data[1::2]))
    unit.write(":FORM ASC")
    assert unit.query_ascii_values(":FETC:ARR:CURR? (@1)") == pytest.approx(data[0::2], rel=1e-5)
    assert unit.query(":SYST:ERR?") == '+0,"No error"'
    assert unit.query("*OPC?") == "1"


def test_a_program_polls_the_status_byte_for_completion(bench: SimBench, open_resource: Any) -> None:
    unit = open_resource("GPIB0::24::INSTR", timeout=20_000)
    for message in (
        "*RST",
        ":SOUR1:VOLT:MODE SWE",
        ":SOUR1:VOLT:STAR 0.0",
        ":SOUR1:VOLT:STOP 1.0",
        ":SOUR1:SWE:POIN 11",
    ):
        unit.write(message)
    for message in (":TRIG1:ALL:COUN 11", ":TRIG1:ALL:DEL 0", ":TRIG1:ALL:TIM 0.5", ":TRIG1:ALL:SOUR TIM"):
        unit.write(message)
    for message in (
        ":SENS1:CURR:PROT 0.01",
        ":FORM:ELEM:SENS VOLT,CURR",
        ":SENS2:CURR:PROT 0.1;:OUTP2 ON",
        "*CLS",
        "*ESE 1",
    ):
        unit.write(message)
    begun = bench.world.seconds
    unit.write(":INIT (@1)")
    unit.write("*OPC")
    bytes_read = [unit.read_stb()]
    while not bytes_read[-1] & 0x20:
        bytes_read.append(unit.read_stb())
        assert len(bytes_read) < 1000
    assert not bytes_read[0] & 0x20, "not done at once"
    data = np.array(unit.query_ascii_values(":FETC:ARR? (@1)")).reshape(11, 2)
    assert data[:, 0] == pytest.approx(np.linspace(0, 1, 11), abs=2e-3)
    assert data[:, 1] == pytest.approx(np.linspace(0, 1e-3, 11), abs=2e-5)
    assert bench.world.seconds - begun > 5, "ten periods of half a second"
    unit.write("outp1 off")
    assert unit.query("OUTP1?") == "0"


def test_a_double_staircase_waited_for_with_opc(bench: SimBench, open_resource: Any) -> None:
    unit = open_resource("GPIB0::24::INSTR", timeout=60_000)
    for message in (
        "FUNC:MODE CURR",
        "CURR:MODE SWE",
        "CURR:STAR 0",
        "CURR:STOP 3e-6",
        "CURR:POIN 11",
        "SWE:RANG BEST",
    ):
        unit.write(message)
    for message in (
        "SWE:DIR UP",
        "SWE:SPAC LIN",
        "SWE:STA DOUB",
        'SENS:FUNC "VOLT"',
        "SENS:VOLT:RANG 1.",
        "SENS:VOLT:NPLC 1",
    ):
        unit.write(message)
    for message in ("SENS:VOLT:PROT 1", "TRIG:SOUR AINT", "TRIG:COUN 22", ":OUTP2 ON", "OUTP ON"):
        unit.write(message)
    assert unit.query("INIT; *OPC?") == "1"
    amps, volts = unit.query_ascii_values("FETC:ARR:SOUR?"), unit.query_ascii_values("FETC:ARR:VOLT?")
    there = np.linspace(0, 3e-6, 11)
    assert amps == pytest.approx([*there, *there[::-1]], abs=1e-12)
    assert volts == pytest.approx(np.array(amps) * OHMS, abs=1e-3)
    unit.timeout = 100
    unit.write("SENS:VOLT:NPLC 10")
    with pytest.raises(pyvisa.VisaIOError):
        unit.query("INIT;*OPC?")


@pytest.fixture
def stock(spec: str, bench: SimBench) -> Iterator[KeysightB2962A]:
    driver = KeysightB2962A("b2902", "GPIB0::24::INSTR", visalib=f"{spec}@mtjlab")
    yield driver
    driver.close()


def test_the_stock_qcodes_driver_of_the_b2962a(stock: KeysightB2962A, bench: SimBench) -> None:
    one, two = stock.submodules["ch1"], stock.submodules["ch2"]
    assert stock.get_idn()["model"] == "B2902A"
    one.source_mode("voltage")
    one.source_voltage(0.2)
    one.current_limit(1e-3)
    two.current_limit(1e-3)
    one.enable(True)
    two.enable(True)
    assert one.enable() is True
    assert bench.by_name["drive"].channel(1).point().volts == pytest.approx(0.2, abs=2e-3)  # type: ignore[attr-defined]
    assert one.voltage() == pytest.approx(0.2, rel=1e-2)
    assert one.current() == pytest.approx(2e-4, rel=1e-2)
    assert two.current() == pytest.approx(-2e-4, rel=1e-2)
    assert one.resistance() == pytest.approx(OHMS, rel=1e-2)
    one.remote_sensing(True)
    assert one.remote_sensing() is True
    one.enable(False)
    two.enable(False)
    assert not bench.world.is_live
    assert stock.ask(":SYST:ERR?") == '+0,"No error"'
    stock.snapshot(update=True)
