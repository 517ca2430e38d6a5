"""What a Keithley2450 says on the bus, word for word, and what it makes of the replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keithley_2450 import Keithley2450
from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

NO_ERROR = (":SYST:ERR?", '0,"No error;0;0 0"')
PREPARE = (
    (
        ":ABOR;*RST;*CLS;*ESE 1;*OPC;:OUTP OFF;:SOUR:FUNC VOLT;:SOUR:VOLT 0;:SOUR:VOLT:RANG 1.500000e+00;"
        ":SOUR:VOLT:ILIM 5.000000e-03;:SOUR:VOLT:PROT PROT2;:SOUR:VOLT:READ:BACK ON;:SOUR:VOLT:DEL 0",
        None,
    ),
    (
        ':SENS:FUNC "CURR";:SENS:CURR:RANG 1.000000e-03;:SENS:CURR:NPLC 0.1000;'
        ":SENS:CURR:RSEN OFF;:SENS:CURR:AZER OFF;:SENS:AZER:ONCE;:SENS:COUN 1;:FORM:DATA ASC;:SYST:LFR?",
        "50",
    ),
    NO_ERROR,
)
READ = ':READ? "defbuffer1",SOUR,READ,SOURSTAT'
OFF = ":ABOR;:SOUR:VOLT 0;:OUTP OFF;:OUTP?"
BACK = (":ABOR;:SOUR:VOLT 0;:SOUR:VOLT:RANG 1.500000e+00", None)
SETTINGS = {"volts_range": 1.5, "amps_limit": 5e-3, "amps_range": 1e-3, "power_cycles": 0.1}
TIMEOUT = VisaIOError(StatusCode.error_timeout)


def swept(count: int, delay: str) -> str:
    """The message that makes the trigger model, runs it and asks for what it measured."""
    listed = '"VoltCustomSweepList"'
    repeat = f";:TRIG:BLOC:BRAN:COUN 6,{count},3" if count > 1 else ""
    return (
        ':SOUR:SWE:VOLT:LIST 1;:TRIG:LOAD "Empty";:TRIG:BLOC:BUFF:CLE 1,"defbuffer1";'
        f":TRIG:BLOC:CONF:REC 2,{listed},1;:TRIG:BLOC:DEL:CONS 3,{delay};"
        f':TRIG:BLOC:MEAS 4,"defbuffer1";:TRIG:BLOC:CONF:NEXT 5,{listed}{repeat};:INIT;*WAI;'
        f':TRAC:DATA? 1,{count},"defbuffer1",SOUR,READ,SOURSTAT'
    )


def test_compliance_and_protection_are_programmed_before_the_output_can_go_on(dialogue: Any) -> None:
    with dialogue(Keithley2450, *PREPARE, (":SOUR:VOLT 0;:SOUR:VOLT:ILIM 5.000000e-03;:OUTP ON", None)) as smu:
        smu.prepare(**SETTINGS)
        smu.output_on()


def test_the_output_is_refused_before_prepare_and_after_one_that_failed(dialogue: Any) -> None:
    failing = (*PREPARE[:-1], (":SYST:ERR?", '-222,"Parameter 1, data out of range;1;1"'), NO_ERROR)
    with dialogue(Keithley2450, *failing) as smu:
        with pytest.raises(InstrumentError, match="no compliance was programmed"):
            smu.output_on()
        with pytest.raises(InstrumentError, match="-222"):
            smu.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="no compliance"):
            smu.output_on()


@pytest.mark.parametrize("reply", ["1", "", "hello"])
def test_an_output_that_does_not_say_it_is_off_is_told(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley2450, (OFF, reply)) as smu, pytest.raises(InstrumentError) as caught:
        smu.output_off()
    assert f"reports '{reply}'" in caught.value.what
    assert "front panel" in caught.value.remedy


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("1.000000E-01,1.250000E-05,136", Reading(0.1, 1.25e-5)),
        ("1.000000E-01,1.250000E-05,168", Reading(0.1, 1.25e-5, in_compliance=True)),
        ("1.000000E-01,1.250000E-05,140", Reading(0.1, 1.25e-5, in_compliance=True)),
        ("1.000000E-01,9.900000E+37,136", Reading(0.1, 9.9e37, is_overflow=True)),
    ],
)
def test_status_bits_and_overflow(dialogue: Any, reply: str, expected: Reading) -> None:
    with dialogue(Keithley2450, (READ, reply)) as smu:
        assert smu.read() == expected


@pytest.mark.parametrize("reply", ["", "hello", "0.1,1e-5", "0.1,1e-5,136,0.1,1e-5,136", "0.1,1e-5,nan"])
def test_a_garbled_reading_is_explained(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley2450, (READ, reply)) as smu, pytest.raises(InstrumentError, match="cannot be understood"):
        smu.read()


def test_a_list_is_one_transaction_that_ends_at_zero(dialogue: Any) -> None:
    levels = [0.001 * k for k in range(150)]
    first = ":SOUR:LIST:VOLT " + ",".join(f"{v:.6e}" for v in levels[:100])
    second = ":SOUR:LIST:VOLT:APP " + ",".join(f"{v:.6e}" for v in (*levels[100:], 0.0))
    reply = ",".join(f"{v:.6E},{v / 1e3:.6E},136" for v in levels)
    steps = (first, None), (second, None), (swept(150, "0.000000e+00"), reply), BACK
    with dialogue(Keithley2450, *PREPARE, *steps) as smu:
        smu.prepare(**SETTINGS)
        queries = smu.queries
        assert [r.volts for r in smu.read_levels(levels)] == pytest.approx(levels)
        assert smu.queries == queries + 1


def test_a_pulse_is_a_list_of_one_level_and_zero(dialogue: Any) -> None:
    steps = (
        (":SOUR:LIST:VOLT 4.000000e-01,0.000000e+00", None),
        (swept(1, "8.000000e-04"), "4.000000E-01,4.000000E-04,136"),
        BACK,
    )
    with dialogue(Keithley2450, *PREPARE, *steps) as smu:
        smu.prepare(**SETTINGS)
        assert smu.pulse(0.4, 5e-3) == Reading(0.4, 4e-4)
        with pytest.raises(InstrumentError, match=r"0\.004 s is shorter than its 0\.0042 s"):
            smu.pulse(0.4, 4e-3)


def test_the_level_is_set_to_zero_even_if_a_list_fails(dialogue: Any) -> None:
    listed = (":SOUR:LIST:VOLT 1.000000e-01,0.000000e+00", None)
    with dialogue(Keithley2450, *PREPARE, listed, (swept(1, "0.000000e+00"), TIMEOUT), BACK) as smu:
        smu.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="did not answer"):
            smu.read_levels([0.1])


def test_identity_asks_for_the_command_set(dialogue: Any) -> None:
    idn = ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04400001,1.6.4c")
    with dialogue(Keithley2450, idn, idn, ("*LANG?", "SCPI")) as smu:
        assert smu.identity().serial == "04400001"
    tsp = ("*LANG?", "TSP")
    with dialogue(Keithley2450, idn, idn, tsp) as smu, pytest.raises(InstrumentError, match="TSP") as caught:
        smu.identity()
    assert "*LANG SCPI" in caught.value.remedy
    other = ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2460,04400001,1.6.4c")
    with dialogue(Keithley2450, other) as smu, pytest.raises(InstrumentError, match="2460"):
        smu.identity()


def test_a_range_that_is_not_there_is_refused(dialogue: Any) -> None:
    ask = ":SENS:CURR:RANG {:.6e};:SENS:AZER:ONCE;:SENS:CURR:RANG?"
    error = (":SYST:ERR?", '-222,"Parameter 1, data out of range"')
    with dialogue(Keithley2450, (ask.format(9e-5), "1.0E-04"), (ask.format(2), "1.0E-04"), error, NO_ERROR) as smu:
        smu.set_amps_range(9e-5)
        with pytest.raises(InstrumentError, match="-222"):
            smu.set_amps_range(2)


def test_the_error_queue_is_drained_and_quoted(dialogue: Any) -> None:
    entries = [(":SYST:ERR?", text) for text in ('-113,"Undefined header;1"', '5074,"Output blocked;1"')]
    with dialogue(Keithley2450, *entries, NO_ERROR) as smu, pytest.raises(InstrumentError) as caught:
        smu.check_errors()
    assert "Undefined header" in caught.value.what
    assert "Output blocked" in caught.value.what


def test_every_parameter_has_unit_label_and_docstring(dialogue: Any) -> None:
    units = {
        "volts": "V", "volts_range": "V", "amps_limit": "A", "volts_protection": "", "output": "", "amps_range": "A",
        "power_cycles": "PLC", "settle_seconds": "s", "four_wire": "",
    }  # fmt: skip
    with dialogue(Keithley2450) as smu:
        own = {name: p for name, p in smu.parameters.items() if name not in ("IDN", "timeout")}
        assert {name: p.unit for name, p in own.items()} == units
        for name, parameter in own.items():
            assert parameter.label != name
            assert not parameter.__doc__.startswith("Parameter class"), name


class TestOnTheSimulatedBench:
    @pytest.fixture
    def bench(self) -> Iterator[SimBench]:
        bench = sim_bench("showroom")
        bench.reset()
        yield bench
        bench.reset()

    @pytest.fixture
    def smu(self, bench: SimBench) -> Iterator[Keithley2450]:
        driver = Keithley2450("smu", "GPIB0::18::INSTR", visalib="showroom@mtjlab")
        yield driver
        driver.close()

    def test_the_whole_setup_is_understood(self, smu: Keithley2450) -> None:
        assert smu.identity().serial == "04400001"
        smu.prepare(**SETTINGS)
        snapshot = smu.snapshot(update=True)["parameters"]
        told = {name: snapshot[name]["value"] for name in ("volts", "volts_protection", "output", "four_wire")}
        assert told == {"volts": 0.0, "volts_protection": "PROT2", "output": False, "four_wire": False}
        assert snapshot["amps_limit"]["value"] == pytest.approx(5e-3)
        assert snapshot["power_cycles"]["value"] == pytest.approx(0.1)
        smu.check_errors()

    def test_the_source_delay_comes_before_each_reading(self, smu: Keithley2450, bench: SimBench) -> None:
        smu.prepare(**SETTINGS)
        smu.output_on()
        spent = []
        for seconds in (0.0, 0.05):
            smu.settle_seconds(seconds)
            before = bench.world.seconds
            assert len(smu.read_levels([0.1, 0.2, 0.3, 0.4])) == 4
            spent.append(bench.world.seconds - before)
        assert spent[1] - spent[0] == pytest.approx(0.05 * 5, abs=0.05)

    def test_a_long_list_may_take_longer_than_the_timeout(self, smu: Keithley2450) -> None:
        smu.prepare(**{**SETTINGS, "power_cycles": 10.0})
        smu.output_on()
        assert len(smu.read_levels([0.1] * 60)) == 60  # 24 s, and the session waits 10 s
