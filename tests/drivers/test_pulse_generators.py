"""What the drivers of pulse generators say on the bus, word for word, and what they make of the replies."""

from __future__ import annotations

from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keysight_33500 import Keysight33500
from mtjlab.drivers.keysight_81160a import Keysight81160A
from mtjlab.errors import InstrumentError

from .conftest import Step

TIMEOUT = VisaIOError(StatusCode.error_timeout)
NO_ERROR = (":SYST:ERR?", '+0,"No error"')
PREPARE_33500: list[Step] = [
    (
        "*RST;*CLS;:OUTP1 OFF;:SOUR1:VOLT:LIM:STAT OFF;:TRIG1:SOUR BUS;:SOUR1:VOLT:UNIT VPP;:SOUR1:FUNC PULS;"
        ":SOUR1:FUNC:PULS:HOLD WIDT;:SOUR1:BURS:MODE TRIG;:SOUR1:BURS:NCYC 1;:SOUR1:BURS:STAT ON;:OUTP1:POL NORM;"
        ":OUTP1:LOAD 5.00000e+01;:SOUR1:VOLT MIN;:SOUR1:VOLT:OFFS 0;:SOUR1:FUNC:PULS:TRAN:BOTH MIN;"
        ":SOUR1:FUNC:PULS:WIDT MIN;:SOUR1:FUNC:PULS:PER 1e-3;:SOUR1:FUNC:PULS:WIDT 1e-4",
        None,
    ),
    (
        ":SOUR1:FUNC:PULS:WIDT? MIN;:SOUR1:FUNC:PULS:PER? MIN;:SOUR1:FUNC:PULS:TRAN:LEAD?;:SOUR1:VOLT? MIN;"
        ":SOUR1:VOLT:HIGH? MAX",
        "+1.6E-08;+3.3E-08;+8.4E-09;+1.0E-03;+5.0E+00",
    ),
    (
        ":SOUR1:VOLT:HIGH 1.001000e-03;:SOUR1:VOLT:LOW 0;:SOUR1:VOLT:LIM:HIGH 1.000000e+00;"
        ":SOUR1:VOLT:LIM:LOW -1.000000e+00;:SOUR1:VOLT:LIM:STAT ON;*ESR?",
        "0",
    ),
]
ON: list[Step] = [("*ESR?", "+0"), (":OUTP1 ON;:OUTP1?", "1")]
SHAPE = (
    ":SOUR1:FUNC:PULS:WIDT 1.600000000e-08;:SOUR1:FUNC:PULS:PER 1.017016000e-06;:SOUR1:FUNC:PULS:WIDT 1.000000000e-06"
)
FIRST: list[Step] = [
    (f":SOUR1:VOLT:HIGH 5.000000e-01;{SHAPE};:SOUR1:BURS:NCYC 1;*ESR?", "0"),
    (":TRIG1;*OPC?;:OUTP1?", "1;1"),
]


def ready(pulser: Any) -> Any:
    channel = pulser.submodules["1"]
    channel.prepare(volts_limit=1.0, load_ohms=50.0)
    channel.output_on()
    return channel


def test_set_up_of_a_33500(dialogue: Any) -> None:
    with dialogue(Keysight33500, *PREPARE_33500) as pulser:
        channel = pulser.submodules["1"]
        channel.prepare(volts_limit=1.0, load_ohms=50.0)
        assert channel.shortest_pulse_seconds == 16e-9
        assert channel.edge_seconds == 8.4e-9


def test_set_up_of_an_81160a_into_an_open_end(dialogue: Any) -> None:
    steps: list[Step] = [
        (
            "*RST;*CLS;:OUTP2 OFF;:VOLT2:LIM:STAT OFF;:ARM:SOUR2 MAN;:VOLT2:UNIT VPP;:FUNC2 PULS;:PULS:HOLD2 WIDT;"
            ":PULS:TRAN2:TRA:AUTO ON;:BURS2:MODE TRIG;:BURS2:NCYC 1;:BURS2:STAT ON;:OUTP2:POL NORM;:OUTP2:LOAD INF;"
            ":VOLT2 MIN;:VOLT2:OFFS 0;:PULS:TRAN2 MIN;:PULS:WIDT2 MIN;:PULS:PER2 1e-3;:PULS:WIDT2 1e-4",
            None,
        ),
        (":PULS:WIDT2? MIN;:PULS:PER2? MIN;:PULS:TRAN2?;:VOLT2? MIN;:VOLT2:HIGH? MAX", "1.5E-9;3.03E-9;1E-9;0.1;10"),
        (
            ":VOLT2:HIGH 1.001000e-01;:VOLT2:LOW 0;:VOLT2:LIM:HIGH 1.000000e+00;:VOLT2:LIM:LOW -1.000000e+00;"
            ":VOLT2:LIM:STAT ON;*ESR?",
            "0",
        ),
    ]
    with dialogue(Keysight81160A, *steps) as pulser:
        pulser.submodules["2"].prepare(volts_limit=1.0, load_ohms=float("inf"))


def test_a_pulse_is_set_and_checked_before_it_is_fired(dialogue: Any) -> None:
    again: list[Step] = [(":TRIG1;*OPC?;:OUTP1?", "1;1")]
    larger: list[Step] = [(":SOUR1:VOLT:HIGH 6.000000e-01;*ESR?", "0"), *again]
    with dialogue(Keysight33500, *PREPARE_33500, *ON, *FIRST, *again, *larger) as pulser:
        channel = ready(pulser)
        channel.pulse(0.5, 1e-6)
        channel.pulse(0.5, 1e-6)
        channel.pulse(0.6, 1e-6)


def test_another_polarity_is_set_up_behind_an_open_output(dialogue: Any) -> None:
    turned: list[Step] = [
        (
            ":OUTP1 OFF;:OUTP1:POL INV;:SOUR1:VOLT:HIGH 1.001000e-03;:SOUR1:VOLT:LOW -5.000000e-01;:SOUR1:VOLT:HIGH 0;"
            "*ESR?",
            "0",
        ),
        (":OUTP1 ON;*WAI;:TRIG1;*OPC?;:OUTP1?", "1;1"),
    ]
    with dialogue(Keysight33500, *PREPARE_33500, *ON, *FIRST, *turned) as pulser:
        channel = ready(pulser)
        channel.pulse(0.5, 1e-6)
        channel.pulse(-0.5, 1e-6)


def test_a_setting_that_is_refused_fires_nothing(dialogue: Any) -> None:
    refused: list[Step] = [(FIRST[0][0], "16"), (":SYST:ERR?", '-222,"Data out of range"'), NO_ERROR]
    with dialogue(Keysight33500, *PREPARE_33500, *ON, *refused) as pulser:
        channel = ready(pulser)
        with pytest.raises(InstrumentError, match="Data out of range"):
            channel.pulse(0.5, 1e-6)


def test_after_power_on_it_must_be_prepared_anew(dialogue: Any) -> None:
    with dialogue(Keysight33500, *PREPARE_33500, *ON, (FIRST[0][0], "128")) as pulser:
        channel = ready(pulser)
        with pytest.raises(InstrumentError, match="lost its settings"):
            channel.pulse(0.5, 1e-6)
        with pytest.raises(InstrumentError, match="prepared"):
            channel.output_on()


def test_an_output_that_has_opened_is_told_with_what_the_instrument_says(dialogue: Any) -> None:
    opened: list[Step] = [FIRST[0], (FIRST[1][0], "1;0"), (":SYST:ERR?", '-300,"Overload"'), NO_ERROR]
    with dialogue(Keysight33500, *PREPARE_33500, *ON, *opened) as pulser:
        channel = ready(pulser)
        with pytest.raises(InstrumentError, match=r"gone off.*Overload"):
            channel.pulse(0.5, 1e-6)


def test_after_a_fault_everything_is_sent_again_behind_an_open_output(dialogue: Any) -> None:
    all_of_it: list[Step] = [
        (
            ":OUTP1 OFF;:OUTP1:POL NORM;:SOUR1:VOLT:LOW -1.001000e-03;:SOUR1:VOLT:HIGH 5.000000e-01;:SOUR1:VOLT:LOW 0;"
            f"{SHAPE};:SOUR1:BURS:NCYC 1;*ESR?",
            "0",
        ),
        (":OUTP1 ON;*WAI;:TRIG1;*OPC?;:OUTP1?", "1;1"),
    ]
    with dialogue(Keysight33500, *PREPARE_33500, *ON, (FIRST[0][0], TIMEOUT), *all_of_it) as pulser:
        channel = ready(pulser)
        with pytest.raises(InstrumentError, match="did not answer"):
            channel.pulse(0.5, 1e-6)
        channel.recover()
        channel.pulse(0.5, 1e-6)


@pytest.mark.parametrize("reply", ["", "1", "on"])
def test_an_output_that_does_not_confirm_being_off_is_an_error(dialogue: Any, reply: str) -> None:
    with dialogue(Keysight33500, (":OUTP1 OFF;:OUTP1?", reply)) as pulser, pytest.raises(InstrumentError) as caught:
        pulser.submodules["1"].output_off()
    assert "front panel" in caught.value.remedy


@pytest.mark.parametrize("reply", ["", "1;2", "1;2;3;4;x", "1;2;3;4;5;6"])
def test_garbled_bounds_are_explained(dialogue: Any, reply: str) -> None:
    steps = (PREPARE_33500[0], (PREPARE_33500[1][0], reply))
    with dialogue(Keysight33500, *steps) as pulser, pytest.raises(InstrumentError, match="cannot be understood"):
        pulser.submodules["1"].prepare(volts_limit=1.0, load_ohms=50.0)


@pytest.mark.parametrize(
    ("driver", "model"), [(Keysight33500, "33511B"), (Keysight33500, "33622A"), (Keysight81160A, "81160A")]
)
def test_identity(dialogue: Any, driver: Any, model: str) -> None:
    idn = ("*IDN?", f"Keysight Technologies,{model},MY1,1.0")
    with dialogue(driver, idn, idn) as pulser:
        assert pulser.submodules["1"].identity().model == model
    other = ("*IDN?", "Keysight Technologies,B2902A,MY1,1.0")
    with dialogue(driver, other) as pulser, pytest.raises(InstrumentError, match="expected one of"):
        pulser.identity()


@pytest.mark.parametrize("driver", [Keysight33500, Keysight81160A])
def test_every_parameter_has_label_and_docstring(dialogue: Any, driver: Any) -> None:
    with dialogue(driver) as pulser:
        for channel in pulser.submodules.values():
            for name, parameter in channel.parameters.items():
                assert parameter.label != name
                assert not parameter.__doc__.startswith("Parameter class"), name
