"""What a KeysightB2900 says on the bus, word for word, and what it makes of the replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keysight_b2900 import KeysightB2900, KeysightB2901
from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

NO_ERROR = (":SYST:ERR:ALL?", '+0,"No error"')
PREPARE = (
    (
        "*CLS;*ESE 1;*OPC;:ABOR:ALL (@2);:SOUR2:VOLT 0;:OUTP2 OFF;:OUTP2:ON:AUTO OFF;:OUTP2:OFF:AUTO OFF;"
        ":OUTP2:PROT OFF;:OUTP2:LOW GRO;:OUTP2:OFF:MODE NORM;:SOUR2:FUNC:MODE VOLT;:SOUR2:FUNC:SHAP DC;"
        ":SOUR2:VOLT:MODE FIX;:SOUR2:VOLT 0;:SENS2:REM OFF;:SOUR2:WAIT OFF;:SENS2:WAIT OFF;"
        ":SENS2:CURR:PROT 5.000000e-03",
        None,
    ),
    (
        ":SOUR2:VOLT:RANG:AUTO OFF;:SOUR2:VOLT:RANG 2.000000e+00;"
        ':SENS2:FUNC:OFF:ALL;:SENS2:FUNC "VOLT","CURR";:SENS2:CURR:RANG:AUTO OFF;'
        ":SENS2:CURR:RANG 1.000000e-03;:SENS2:CURR:NPLC 1.000000e-01;"
        ":ARM2:SOUR AINT;:ARM2:COUN 1;:ARM2:DEL 0;:TRIG2:SOUR AINT;:TRIG2:COUN 1;:TRIG2:TRAN:DEL 0;"
        ":TRIG2:ACQ:DEL 1.000000e-04;:FORM:DATA ASC;:FORM:ELEM:SENS VOLT,CURR,STAT;:SYST:LFR?",
        "50",
    ),
    NO_ERROR,
)
READ = ":MEAS? (@1)"
BACK = (":SOUR2:FUNC:SHAP DC;:SOUR2:VOLT:MODE FIX;:SOUR2:VOLT 0;:TRIG2:COUN 1;:TRIG2:ACQ:DEL 1.000000e-04", None)
SETTINGS = {"volts_range": 2.0, "amps_limit": 5e-3, "amps_range": 1e-3, "power_cycles": 0.1}
TIMEOUT = VisaIOError(StatusCode.error_timeout)


def second(instrument: KeysightB2900) -> Any:
    return instrument.submodules["2"]


def first(instrument: KeysightB2900) -> Any:
    return instrument.submodules["1"]


def test_compliance_is_programmed_and_auto_output_off_before_anything_else(dialogue: Any) -> None:
    with dialogue(KeysightB2900, *PREPARE, (":SOUR2:VOLT 0;:SENS2:CURR:PROT 5.000000e-03;:OUTP2 ON", None)) as smu:
        second(smu).prepare(**SETTINGS)
        second(smu).output_on()
        with pytest.raises(InstrumentError, match="no compliance was programmed"):
            first(smu).output_on()


def test_the_output_is_refused_if_prepare_did_not_succeed(dialogue: Any) -> None:
    failing = (*PREPARE[:-1], (":SYST:ERR:ALL?", '-222,"Data out of range"'))
    with dialogue(KeysightB2900, *failing) as smu:
        with pytest.raises(InstrumentError, match="-222"):
            second(smu).prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="no compliance"):
            second(smu).output_on()


@pytest.mark.parametrize("reply", ["1", "", "hello"])
def test_an_output_that_does_not_say_it_is_off_is_told(dialogue: Any, reply: str) -> None:
    off = ":ABOR:ALL (@1);:SOUR1:VOLT 0;:OUTP1 OFF;:OUTP1?"
    with dialogue(KeysightB2900, (off, reply)) as smu, pytest.raises(InstrumentError) as caught:
        first(smu).output_off()
    assert f"reports '{reply}'" in caught.value.what
    assert "front panel" in caught.value.remedy


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("+1.000000E-01,+1.250000E-05,+0.000000E+00", Reading(0.1, 1.25e-5)),
        ("+1.000000E-01,+1.250000E-05,+2.000000E+00", Reading(0.1, 1.25e-5, in_compliance=True)),
        ("+1.000000E-01,-9.900000E+37,+8.192000E+03", Reading(0.1, -9.9e37, is_overflow=True)),
        ("+1.000000E-01,+9.900000E+37,+0.000000E+00", Reading(0.1, 9.9e37, is_overflow=True)),
    ],
)
def test_status_bits_and_overflow(dialogue: Any, reply: str, expected: Reading) -> None:
    with dialogue(KeysightB2900, (READ, reply)) as smu:
        assert first(smu).read() == expected


def test_nothing_measured_is_no_reading(dialogue: Any) -> None:
    nothing = (READ, "+9.910000E+37,+9.910000E+37,+0.000000E+00")
    with dialogue(KeysightB2900, nothing, NO_ERROR) as smu, pytest.raises(InstrumentError, match="output is off"):
        first(smu).read()


@pytest.mark.parametrize("reply", ["", "hello", "0.1,1e-5", "0.1,1e-5,0,0.1,1e-5,0", "0.1,1e-5,nan"])
def test_a_garbled_reading_is_explained(dialogue: Any, reply: str) -> None:
    with dialogue(KeysightB2900, (READ, reply)) as smu, pytest.raises(InstrumentError, match="cannot be understood"):
        first(smu).read()


def test_a_list_is_one_transaction_that_ends_at_zero(dialogue: Any) -> None:
    listed = ":SOUR2:VOLT:MODE LIST;:SOUR2:LIST:VOLT 1.000000e-01,-2.000000e-01,0.000000e+00;:TRIG2:COUN 3;"
    reply = "+1.0E-1,+1.0E-4,0,-2.0E-1,-2.0E-4,2,+0.0E+0,+0.0E+0,0"
    with dialogue(KeysightB2900, *PREPARE, (listed + ":READ:ARR? (@2)", reply), BACK) as smu:
        second(smu).prepare(**SETTINGS)
        found = second(smu).read_levels([0.1, -0.2])
    assert found == [Reading(0.1, 1e-4), Reading(-0.2, -2e-4, in_compliance=True)]


def test_a_pulse_is_the_instruments_own(dialogue: Any) -> None:
    pulse = (
        ":SOUR2:VOLT 0;:SOUR2:FUNC:SHAP PULS;:SOUR2:PULS:DEL 0;:SOUR2:PULS:WIDT 5.000000e-03;"
        ":SOUR2:VOLT:TRIG 4.000000e-01;:TRIG2:ACQ:DEL 2.995000e-03;:READ:ARR? (@2)"
    )
    with dialogue(KeysightB2900, *PREPARE, (pulse, "+4.0E-1,+4.0E-4,0"), BACK) as smu:
        second(smu).prepare(**SETTINGS)
        assert second(smu).pulse(0.4, 5e-3) == Reading(0.4, 4e-4)
        with pytest.raises(InstrumentError, match=r"0\.002 s is shorter than its 0\.002025 s"):
            second(smu).pulse(0.4, 2e-3)


def test_direct_output_at_zero_is_restored_even_if_a_pulse_fails(dialogue: Any) -> None:
    listed = ":SOUR2:VOLT:MODE LIST;:SOUR2:LIST:VOLT 1.000000e-01,0.000000e+00;:TRIG2:COUN 2;:READ:ARR? (@2)"
    with dialogue(KeysightB2900, *PREPARE, (listed, TIMEOUT), BACK) as smu:
        second(smu).prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="did not answer"):
            second(smu).read_levels([0.1])


@pytest.mark.parametrize("model", ["B2901A", "B2902A", "B2911A", "B2912A", "B2902B"])
def test_identity(dialogue: Any, model: str) -> None:
    idn = ("*IDN?", f"Agilent Technologies,{model},MY51140001,2.0.1225.1700")
    right, wrong = (KeysightB2901, KeysightB2900) if model[4] == "1" else (KeysightB2900, KeysightB2901)
    with dialogue(right, idn, idn) as smu:
        assert first(smu).identity().serial == "MY51140001"
        assert len(smu.submodules) == len(smu.channel_numbers)
    with dialogue(wrong, idn) as smu, pytest.raises(InstrumentError, match=model):
        smu.identity()


def test_a_range_that_is_not_there_is_refused(dialogue: Any) -> None:
    ask = ":SENS1:CURR:RANG {:.6e};:SENS1:CURR:RANG?"
    error = (":SYST:ERR:ALL?", '-222,"Data out of range"')
    with dialogue(KeysightB2900, (ask.format(9e-5), "+1.0E-04"), (ask.format(5), "+1.0E-04"), error) as smu:
        first(smu).set_amps_range(9e-5)
        with pytest.raises(InstrumentError, match="-222"):
            first(smu).set_amps_range(5)


def test_the_error_queue_is_drained_in_one_query_and_quoted(dialogue: Any) -> None:
    entries = (":SYST:ERR:ALL?", '-113,"Undefined header",+202,"Not able to perform requested operation"')
    with dialogue(KeysightB2900, entries) as smu, pytest.raises(InstrumentError) as caught:
        smu.check_errors()
    assert "Undefined header" in caught.value.what
    assert "+202" in caught.value.what


def test_every_parameter_has_unit_label_and_docstring(dialogue: Any) -> None:
    units = {
        "volts": "V", "volts_range": "V", "amps_limit": "A", "trips_on_compliance": "", "output": "", "amps_range": "A",
        "power_cycles": "PLC", "settle_seconds": "s", "four_wire": "",
    }  # fmt: skip
    with dialogue(KeysightB2900) as smu:
        for channel in smu.submodules.values():
            assert {name: p.unit for name, p in channel.parameters.items()} == units
            for name, parameter in channel.parameters.items():
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
    def smu(self, bench: SimBench) -> Iterator[KeysightB2900]:
        driver = KeysightB2900("smu", "GPIB0::23::INSTR", visalib="showroom@mtjlab")
        yield driver
        driver.close()

    def test_the_channels_are_apart(self, smu: KeysightB2900) -> None:
        first(smu).prepare(**SETTINGS)
        first(smu).output_on()
        first(smu).set_volts(0.5)
        second(smu).prepare(**SETTINGS)
        assert first(smu).is_output_on(), "preparing one leaves the other alone"
        assert first(smu).read().amps == pytest.approx(5e-4, rel=0.01)
        second(smu).output_on()
        second(smu).pulse(0.3, 5e-3)
        second(smu).read_levels([0.1, 0.2])
        assert first(smu).read().amps == pytest.approx(5e-4, rel=0.01)
        second(smu).output_off()
        assert first(smu).is_output_on()

    def test_output_protection_switches_off_where_it_is_wanted(self, smu: KeysightB2900) -> None:
        channel = first(smu)
        channel.prepare(**{**SETTINGS, "amps_limit": 1e-4})
        assert channel.trips_on_compliance() is False
        channel.trips_on_compliance(True)
        channel.output_on()
        channel.set_volts(0.05)
        assert channel.is_output_on()
        channel.set_volts(1.0)
        assert not channel.is_output_on()
        with pytest.raises(InstrumentError, match=r"\+212.*Output relay must be on"):
            channel.read()
        channel.prepare(**SETTINGS)
        assert channel.trips_on_compliance() is False
        channel.check_errors()

    def test_triggering_never_switches_an_output_on(self, smu: KeysightB2900) -> None:
        channel = first(smu)
        channel.prepare(**SETTINGS)
        for act in (lambda: channel.read_levels([0.1]), lambda: channel.pulse(0.1, 5e-3), channel.read):
            with pytest.raises(InstrumentError, match=r"\+212.*Output relay must be on"):
                act()
            assert not channel.is_output_on()

    def test_a_list_as_long_as_the_instrument_takes(self, smu: KeysightB2900) -> None:
        channel = first(smu)
        channel.prepare(**{**SETTINGS, "power_cycles": 1.0})
        channel.output_on()
        levels = [0.5 * k / channel.most_levels for k in range(channel.most_levels)]
        readings = channel.read_levels(levels)  # 50 s, and the session waits 10 s
        assert readings[-1].amps == pytest.approx(levels[-1] / 1000, rel=0.01)
        channel.check_errors()

    def test_a_snapshot_measures_nothing(self, smu: KeysightB2900) -> None:
        first(smu).prepare(**SETTINGS)
        snapshot = smu.snapshot(update=True)["submodules"]["1"]["parameters"]
        assert snapshot["amps_limit"]["value"] == pytest.approx(5e-3)
        assert snapshot["settle_seconds"]["value"] == pytest.approx(1e-4)
        assert snapshot["output"]["value"] is False
        smu.check_errors()
