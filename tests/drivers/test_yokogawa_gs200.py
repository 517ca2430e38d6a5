"""What a YokogawaGS200 says on the bus, word for word, and what it makes of the replies."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.yokogawa_gs200 import YokogawaGS200
from mtjlab.errors import InstrumentError

from .conftest import ScriptedVisa, Step

GS200 = partial(YokogawaGS200, tesla_per_amp=2.0, amps_per_second=0.01, settle_seconds=0.25, volts_limit=5)
STATE = ":OUTP?;:SOUR:FUNC?;:SOUR:LEV?;:STAT:EVEN?;:STAT:COND?"
OFF: Step = (STATE, "0;VOLT;+0.00000E+00;0;281")
ERRORS: Step = (":SYST:ERR?", '0,"No error"')
HOLDING: Step = (
    ":OUTP 0;:SOUR:FUNC CURR;:SOUR:RANG 1.000E-01;:SOUR:LEV 0;:SOUR:PROT:VOLT 5;:OUTP 1;"
    ":OUTP?;:SOUR:FUNC?;:SOUR:RANG?;:SOUR:LEV?",
    "1;CURR;1.000000E-01;+0.00000E+00",
)


def ramp(level: str, slope: str, interval: str) -> Step:
    return (
        f":STAT:ENAB 128;*SRE 2;:PROG:REP 0;:PROG:TRIG NORM;:PROG:SLOP {slope};:PROG:INT {interval};"
        f":PROG:EDIT:STAR;:SOUR:LEV {level};:PROG:EDIT:END;:PROG:RUN",
        None,
    )


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int | VisaIOError]:
    """What waiting for a service request brings, one after the other: nothing wrong, or an exception."""
    script: list[int | VisaIOError] = []

    def wait(self: ScriptedVisa, kind: object, timeout: int) -> None:
        assert timeout <= 1000, "Ctrl-C must be heard"
        if script and isinstance(script[0], VisaIOError):
            raise script.pop(0)  # type: ignore[misc]

    nothing = {"enable_event", "discard_events", "disable_event"}
    for name in nothing:
        monkeypatch.setattr(ScriptedVisa, name, lambda *_: None, raising=False)
    monkeypatch.setattr(ScriptedVisa, "wait_on_event", wait, raising=False)
    monkeypatch.setattr(ScriptedVisa, "read_stb", lambda self: 2 | 64, raising=False)
    return script


def test_prepare_programs_the_limit_before_the_output_is_on(dialogue: Any) -> None:
    with dialogue(GS200, OFF, HOLDING, ERRORS) as magnet:
        magnet.prepare(tesla_limit=0.1)


@pytest.mark.usefixtures("waits")
def test_a_field_is_a_program_with_slope_and_interval(dialogue: Any) -> None:
    at_zero: Step = (STATE, "1;CURR;+0.00000E+00;0;281")
    there: Step = (STATE, "1;CURR;+5.00000E-02;192;281")
    # 50 mA at 10 mA/s; a tenth of a second is what a program resolves
    with dialogue(GS200, OFF, HOLDING, ERRORS, at_zero, ramp("5.000000E-02", "5.0", "5.3"), there) as magnet:
        magnet.prepare(tesla_limit=0.1)
        magnet.set_tesla(0.1)


def test_waiting_goes_on_in_slices(dialogue: Any, waits: list[Any]) -> None:
    waits += [VisaIOError(StatusCode.error_timeout)] * 3
    at_zero: Step = (STATE, "1;CURR;+0.00000E+00;0;281")
    there: Step = (STATE, "1;CURR;+1.00000E-03;192;281")
    with dialogue(GS200, OFF, HOLDING, ERRORS, at_zero, ramp("1.000000E-03", "0.1", "0.4"), there) as magnet:
        magnet.prepare(tesla_limit=0.1)
        magnet.set_tesla(0.002)
    assert waits == []


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("0;CURR;+1.00000E-03;128;4377", "went off"),
        ("1;CURR;+1.00000E-03;128;2329", "limits the voltage at 5 V"),
        ("1;CURR;+1.00000E-03;0;281", "in time"),
        ("1;CURR;+1.00000E-03", "cannot be understood"),
        ("1;CURR;x;0;281", "cannot be understood"),
    ],
)
def test_a_ramp_that_did_not_get_there(dialogue: Any, said: str, problem: str) -> None:
    at_zero: Step = (STATE, "1;CURR;+0.00000E+00;0;281")
    steps = [OFF, HOLDING, ERRORS, at_zero, ramp("1.000000E-03", "0.1", "0.4"), (STATE, said)]
    if "understood" not in problem:
        steps.append(ERRORS)
    with dialogue(GS200, *steps) as magnet:
        magnet.prepare(tesla_limit=0.1)
        with pytest.raises(InstrumentError, match=problem):
            magnet.set_tesla(0.002)


@pytest.mark.usefixtures("waits")
def test_output_off_ramps_first_and_switches_off_even_if_that_fails(dialogue: Any) -> None:
    flowing: Step = (STATE, "1;CURR;-2.00000E-02;0;281")
    down = ramp("0.000000E+00", "2.0", "2.3")
    off: Step = (":OUTP 0;:OUTP?", "0")
    with dialogue(GS200, flowing, down, (STATE, "1;CURR;+0.00000E+00;192;281"), off) as magnet:
        magnet.output_off()
    failed = (STATE, "1;CURR;-2.00000E-02;0;281")
    with dialogue(GS200, flowing, down, failed, ERRORS, off) as magnet, pytest.raises(InstrumentError, match="in time"):
        magnet.output_off()


@pytest.mark.usefixtures("waits")
def test_a_voltage_comes_down_in_the_time_of_the_whole_current(dialogue: Any) -> None:
    flowing: Step = (STATE, "1;VOLT;+1.00000E+00;0;281")
    steps = (flowing, ramp("0.000000E+00", "20.0", "20.3"), (STATE, "1;VOLT;+0.00000E+00;192;281"))
    with dialogue(GS200, *steps, (":OUTP 0;:OUTP?", "0")) as magnet:
        magnet.output_off()


def test_an_output_that_does_not_confirm_being_off_is_an_error(dialogue: Any) -> None:
    with dialogue(GS200, OFF, (":OUTP 0;:OUTP?", "1")) as magnet, pytest.raises(InstrumentError, match="reports '1'"):
        magnet.output_off()


def test_the_field_is_what_the_instrument_reports(dialogue: Any) -> None:
    asked = ":OUTP?;:SOUR:LEV?"
    with dialogue(GS200, (asked, "1;-1.00000E-02"), (asked, "0;-1.00000E-02")) as magnet:
        assert magnet.tesla() == pytest.approx(-0.02)
        assert magnet.tesla() == 0


def test_a_ramp_that_one_program_cannot_take_is_refused(dialogue: Any) -> None:
    slow = partial(YokogawaGS200, tesla_per_amp=1.0, amps_per_second=1e-5, volts_limit=5)
    at_zero: Step = (STATE, "1;CURR;+0.00000E+00;0;281")
    with dialogue(slow, OFF, HOLDING, ERRORS, at_zero) as magnet:
        magnet.prepare(tesla_limit=0.1)
        with pytest.raises(InstrumentError, match="3600 s"):
            magnet.set_tesla(0.1)


def test_identity(dialogue: Any) -> None:
    idn = ("*IDN?", "YOKOGAWA,GS210,91K000001,1.05")
    with dialogue(GS200, idn, idn) as magnet:
        assert magnet.identity().firmware == "1.05"
    other = ("*IDN?", "YOKOGAWA,7651,1,1")
    with dialogue(GS200, other) as magnet, pytest.raises(InstrumentError, match="expected one of"):
        magnet.identity()


def test_every_parameter_has_unit_label_and_docstring(dialogue: Any) -> None:
    with dialogue(GS200) as magnet:
        own = {name: p for name, p in magnet.parameters.items() if name not in ("IDN", "timeout")}
        assert {"amps", "amps_range", "volts_limit", "output", "tesla_per_amp", "settle_seconds"} <= set(own)
        for name, parameter in own.items():
            assert parameter.label != name
            assert parameter.unit or name == "output"
            assert not parameter.__doc__.startswith("Parameter class"), name
