"""What simulated B2900A units measure: sensing at the load, resistance, compliance, ranges and resolution by model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keysight_b2900 import SimKeysightB2900
from mtjlab.sim_instruments.keysight_b2900_readings import StatusData
from mtjlab.sim_instruments.keysight_b2900_settings import B2901A, B2902A, B2912A
from mtjlab.sim_instruments.scpi_errors import ScpiError
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

NAN = 9.91e37


def make(ohms: float = 1000.0, lead_ohms: float = 0.0, model: Any = B2902A) -> SimKeysightB2900:
    """A unit with a resistor from channel 1 to ground, behind a lead if there is one."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeysightB2900("a", world, HostClock(world), model)
    world.connect("a.1.hi", "load", max(lead_ohms, 1e-3))
    world.connect("load", "ground", ohms)
    return unit


def errors(smu: SimKeysightB2900) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    return [float(part) for part in reply.split(",")]


def test_four_wires_take_the_lead_out(tell: Any, ask: Any) -> None:
    smu = make(100.0, lead_ohms=10.0)
    smu.world.connect("a.1.sense_hi", "load", 1.0)
    tell(smu, ":SENS1:CURR:PROT 0.1;NPLC 1;:SOUR1:VOLT 1;:OUTP1 ON;:FORM:ELEM:SENS VOLT,CURR")
    volts, amps = numbers(ask(smu, ":MEAS? (@1)"))
    assert (volts, volts / amps) == pytest.approx((1.0, 110.0), rel=5e-3)
    assert float(ask(smu, ":MEAS:RES? (@1)")) == pytest.approx(110.0, rel=5e-3)
    tell(smu, ":SENS1:REM ON")
    volts, amps = numbers(ask(smu, ":MEAS? (@1)"))
    assert (volts, amps) == pytest.approx((1.0, 0.01), rel=5e-3), "1 V at the load itself"
    assert float(ask(smu, ":MEAS:RES? (@1)")) == pytest.approx(100.0, rel=5e-3)
    tell(smu, ":SOUR1:FUNC:MODE CURR;:SOUR1:CURR 5e-3;:SENS1:VOLT:PROT 2")
    assert float(ask(smu, ":MEAS:RES? (@1)")) == pytest.approx(100.0, rel=5e-3)
    tell(smu, ":SENS1:REM OFF")
    assert float(ask(smu, ":MEAS:RES? (@1)")) == pytest.approx(110.0, rel=5e-3)
    assert errors(smu) == []


@pytest.mark.parametrize(("ohms", "amps"), [(1.5, 1.0), (47.0, 1e-2), (1000.0, 1e-3), (1.5e5, 1e-5), (47e6, 1e-8)])
def test_automatic_resistance_measurement(tell: Any, ask: Any, ohms: float, amps: float) -> None:
    smu = make(ohms)
    tell(smu, ':SENS1:FUNC "RES";:SENS1:RES:MODE AUTO;:SENS1:RES:NPLC 1;:OUTP1 ON;:FORM:ELEM:SENS RES,SOUR')
    measured, source = numbers(ask(smu, ":READ? (@1)"))
    assert source == amps
    assert measured == pytest.approx(ohms, rel=3e-2)
    tell(smu, ":SENS1:RES:RANG 20e3", ":READ? (@1)")
    assert ask(smu, ":SENS1:RES:RANG?;:SENS1:RES:RANG:AUTO?") == "+2.000000E+04;0"
    assert smu.channel(1).level == 1e-4


def test_offset_compensation(tell: Any, ask: Any) -> None:
    smu = make(0.5)
    tell(smu, ":SOUR1:FUNC:MODE CURR;:SOUR1:CURR:RANG 1e-2;:SOUR1:CURR 1e-3;:SENS1:VOLT:PROT 0.2;RANG 0.2")
    tell(smu, ":SENS1:FUNC:ALL;:SENS1:VOLT:NPLC 10;:OUTP1 ON;:FORM:ELEM:SENS RES,STAT;:TRIG1:COUN 5")
    plain = np.array(numbers(ask(smu, ":READ:ARR? (@1)"))[0::2])
    tell(smu, ":SENS1:RES:OCOM ON")
    data = numbers(ask(smu, ":READ:ARR? (@1)"))
    assert np.abs(np.mean(data[0::2]) - 0.501) < 0.1 * np.abs(np.mean(plain) - 0.501), "offsets cancel"
    assert int(data[1]) & StatusData.OFFSET_COMPENSATION
    assert smu.channel(1).point().amps == pytest.approx(1e-3, rel=1e-2), "and the level is back"


def test_nothing_is_read_while_the_output_is_off(tell: Any, ask: Any) -> None:
    smu = make()
    tell(smu, ":FORM:ELEM:SENS VOLT,CURR")
    assert numbers(ask(smu, ":MEAS? (@1)")) == [NAN, NAN]
    assert errors(smu) == [212]
    assert numbers(ask(smu, ":READ? (@1)")) != [NAN, NAN], "it comes on by itself"
    tell(smu, ":OUTP1 OFF;:OUTP1:ON:AUTO OFF;:INIT (@1)")
    assert numbers(ask(smu, ":FETC? (@1)")) == [NAN, NAN]
    assert ask(smu, ":SYST:ERR?") == '+212,"Output relay must be on"'


def test_limits_of_either_sign(tell: Any, ask: Any) -> None:
    smu = make()
    tell(smu, ":SENS1:CURR:PROT 1e-3;PROT:NEG -2e-4;:SOUR1:VOLT 1.5;:OUTP1 ON")
    assert ask(smu, ":SENS1:CURR:PROT?;:SENS1:CURR:PROT:POS?;NEG?") == "+1.000000E-03;+1.000000E-03;-2.000000E-04"
    assert float(ask(smu, ":MEAS:CURR? (@1)")) == pytest.approx(1e-3, rel=1e-2)
    tell(smu, ":SOUR1:VOLT -1.5")
    assert float(ask(smu, ":MEAS:CURR? (@1)")) == pytest.approx(-2e-4, rel=1e-2)
    assert ask(smu, ":SENS1:CURR:PROT:TRIP?") == "1"
    tell(smu, ":SENS1:CURR:PROT 5e-4")
    assert float(ask(smu, ":MEAS:CURR? (@1)")) == pytest.approx(-5e-4, rel=1e-2), "both again"


def test_no_more_current_than_the_envelope_allows(tell: Any, ask: Any) -> None:
    smu = make(10.0)
    tell(smu, ":SENS1:CURR:PROT 3;:SOUR1:VOLT 5;:OUTP1 ON")
    assert smu.channel(1).point().amps == pytest.approx(0.5, rel=1e-2)
    tell(smu, ":SOUR1:VOLT 20")
    assert smu.channel(1).point().amps == pytest.approx(1.515, rel=1e-2)
    tell(smu, ":SOUR1:VOLT 100")
    assert smu.channel(1).point().amps == pytest.approx(0.105, rel=1e-2)


def test_protection_in_a_sweep(tell: Any, ask: Any) -> None:
    smu = make()
    tell(smu, ":SENS1:CURR:PROT 2.5e-4;:OUTP1:PROT ON;:OUTP1 ON;:SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.2,0.3,0.1")
    tell(smu, ":TRIG1:COUN 4;:FORM:ELEM:SENS CURR;:INIT (@1)")
    assert ask(smu, ":OUTP1?;:STAT:QUES:COND?") == "0;4"
    assert numbers(ask(smu, ":FETC:ARR? (@1)"))[2:] == [NAN, NAN], "off from the third point on"
    assert smu.channel(1).point().amps == pytest.approx(0, abs=1e-9)
    tell(smu, ":SOUR1:VOLT 0.1;:OUTP1 ON")
    assert ask(smu, ":OUTP1?;:STAT:QUES:COND?") == "1;0"


def test_an_emergency_opens_all_outputs_until_the_self_test(tell: Any, ask: Any) -> None:
    smu = make()
    tell(smu, ":SENS1:CURR:PROT 0.01;:SOUR1:VOLT 1;:OUTP1 ON;:OUTP2 ON")
    smu.trip_output(ScpiError(-300))
    assert ask(smu, ":OUTP1?;:OUTP2?;:STAT:QUES:COND?") == "0;0;16"
    assert not smu.world.is_live
    assert ask(smu, ":SYST:ERR?") == '+305,"Emergency; High temperature1 status detected; Channel 1"'
    tell(smu, ":OUTP1 ON")
    assert ask(smu, ":SYST:ERR?") == '-241,"Hardware missing; To recover channel, execute *TST?"'
    assert ask(smu, "*TST?") == "0"
    tell(smu, ":OUTP1 ON")
    assert ask(smu, ":OUTP1?;:STAT:QUES:COND?") == "1;0"


@pytest.mark.parametrize(
    ("model", "smallest", "count", "source_count"),
    [(B2901A, 1e-7, 1e-13, 1e-12), (B2902A, 1e-7, 1e-13, 1e-12), (B2912A, 1e-8, 1e-14, 1e-14)],
)
def test_smallest_range_and_resolution(
    tell: Any, ask: Any, model: Any, smallest: float, count: float, source_count: float
) -> None:
    smu = make(1e9, model=model)
    tell(smu, ":SENS1:CURR:RANG MIN;:SENS1:CURR:NPLC 10;:SENS1:CURR:PROT 1e-7;:SOUR1:VOLT 1;:OUTP1 ON")
    assert float(ask(smu, ":SENS1:CURR:RANG?")) == smallest
    tell(smu, ":FORM REAL,64;:FORM:ELEM:SENS CURR;:INIT (@1)")
    amps = np.array([reading.amps for reading in smu.channel(1).readings])
    assert amps / count == pytest.approx(np.round(amps / count), abs=1e-3)
    assert amps[0] == pytest.approx(1e-9, rel=0.2)
    assert smu.model.accuracy.source_amps[0].resolution == pytest.approx(source_count)


def test_high_capacitance_mode_keeps_to_larger_ranges(tell: Any, ask: Any) -> None:
    smu = make(1e8)
    tell(smu, ":SENS1:CURR:PROT 1e-6;RANG:AUTO:LLIM MIN;:SOUR1:VOLT 0.2;:OUTP1 ON")
    ask(smu, ":MEAS? (@1)")
    assert float(ask(smu, ":SENS1:CURR:RANG?")) == 1e-7
    tell(smu, ":OUTP1:HCAP ON", ":OUTP1:LOW FLO")
    assert errors(smu) == [213, 211]
    tell(smu, ":OUTP1 OFF;:OUTP1:HCAP ON;:OUTP1 ON")
    ask(smu, ":MEAS? (@1)")
    assert float(ask(smu, ":SENS1:CURR:RANG?")) == 1e-6


def test_the_set_line_frequency_is_what_cycles_are_counted_in(tell: Any, ask: Any) -> None:
    smu = make()
    tell(smu, ":SENS1:CURR:NPLC 1")
    assert ask(smu, ":SENS1:CURR:APER?") == "+2.000000E-02"
    tell(smu, ":SYST:LFR 60;:SENS1:CURR:NPLC 1")
    assert ask(smu, ":SENS1:CURR:APER?;:SYST:LFR?") == "+1.666667E-02;60"
    tell(smu, ":SYST:LFR 55", "*RST")
    assert errors(smu) == [-224]
    assert ask(smu, ":SYST:LFR?") == "60"


@pytest.mark.parametrize(
    ("settings", "query", "reply"),
    [
        (":SOUR1:VOLT:STAR 0;STOP 1;POIN 5", ":SOUR1:VOLT:STEP?", "+2.500000E-01"),
        (":SOUR1:VOLT:STAR 0;STOP 1;STEP 0.3", ":SOUR1:VOLT:POIN?;:SOUR1:VOLT:STOP?", "4;+1.000000E+00"),
        (":SOUR1:VOLT:STAR 0;STOP 1;STEP 0.3;SPAN 2", ":SOUR1:VOLT:POIN?;:SOUR1:VOLT:STAR?", "4;-5.000000E-01"),
        (":SOUR1:VOLT:CENT 1;SPAN 0.5", ":SOUR1:VOLT:STAR?;:SOUR1:VOLT:STOP?", "+7.500000E-01;+1.250000E+00"),
        (":SOUR1:SWE:POIN 7", ":SOUR1:VOLT:POIN?", "7"),
        (":SOUR1:LIST:VOLT 1,2,3;:SOUR1:LIST:VOLT:STAR 2", ":SOUR1:LIST:VOLT:STAR?", "2"),
    ],
)
def test_numbers_of_a_sweep_hang_together(tell: Any, ask: Any, settings: str, query: str, reply: str) -> None:
    smu = make()
    tell(smu, settings)
    assert ask(smu, query) == reply
    assert errors(smu) == []


def test_a_sweep_by_step_ends_before_a_stop_it_does_not_meet(tell: Any, ask: Any) -> None:
    smu = make()
    tell(smu, ":OUTP1 ON;:SOUR1:VOLT:MODE SWE;STAR 0;STOP 0.1;STEP 0.03;:TRIG1:COUN 4;:FORM:ELEM:SENS SOUR")
    assert numbers(ask(smu, ":READ:ARR? (@1)")) == pytest.approx([0, 0.03, 0.06, 0.09])
    tell(smu, ":SOUR1:VOLT:STEP -0.01")
    assert errors(smu) == [-221]


@pytest.mark.parametrize(("ranging", "full_scale"), [("BEST", 2.0), ("AUTO", 0.2), ("FIX", 20.0)])
def test_source_range_of_a_sweep(tell: Any, ask: Any, ranging: str, full_scale: float) -> None:
    smu = make()
    tell(smu, f":SOUR1:VOLT 5;:OUTP1 ON;:SOUR1:SWE:RANG {ranging};:SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,1,0.1")
    tell(smu, ":TRIG1:COUN 3;:INIT (@1)")
    assert float(ask(smu, ":SOUR1:VOLT:RANG?")) == full_scale
    assert not math.isnan(smu.channel(1).readings[-1].volts)
