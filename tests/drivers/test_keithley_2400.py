"""What a Keithley2400 says on the bus, word for word, and what it makes of the replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keithley_2400 import AMPS_RANGES, Keithley2400
from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

NO_ERROR = (":SYST:ERR?", '0,"No error"')
PREPARE = (
    ("*RST;*CLS;*ESE 1;*OPC", None),
    (":SOUR:CLE:AUTO OFF;:SOUR:FUNC VOLT;:SOUR:VOLT:MODE FIX;:SOUR:VOLT:LEV 0", None),
    (":SOUR:VOLT:RANG 2.000000e+00", None),
    (':SENS:FUNC:CONC OFF;:SENS:FUNC "CURR:DC"', None),
    (":SENS:CURR:PROT 5.000000e-03", None),
    (":SENS:CURR:RANG 1.000000e-03", None),
    (":SENS:CURR:NPLC 0.1000", None),
    (":SOUR:DEL 0.00100", None),
    (":FORM:DATA ASC;:FORM:ELEM VOLT,CURR,STAT;:TRIG:COUN 1;:ARM:COUN 1;:SYST:AZER OFF", None),
    (":SYST:LFR?", "50.00"),
    NO_ERROR,
)
ON, OFF = (":SOUR:VOLT:LEV 0;:SENS:CURR:PROT 5.000000e-03;:OUTP ON", None), (":SOUR:VOLT:LEV 0;:OUTP OFF;:OUTP?", "0")
SETTINGS = {"volts_range": 1.5, "amps_limit": 5e-3, "amps_range": 1e-3, "power_cycles": 0.1}
TIMEOUT = VisaIOError(StatusCode.error_timeout)


def test_compliance_is_programmed_before_the_output_can_go_on(dialogue: Any) -> None:
    sent = [message for message, _ in (*PREPARE, ON)]
    assert sent.index(":SENS:CURR:PROT 5.000000e-03") < sent.index(ON[0])
    assert ON[0].index("PROT") < ON[0].index("OUTP ON"), "again with each, should the power have failed meanwhile"
    with dialogue(Keithley2400, *PREPARE, ON) as smu:
        smu.prepare(**SETTINGS)
        smu.output_on()


def test_the_output_is_refused_before_prepare(dialogue: Any) -> None:
    with dialogue(Keithley2400) as smu, pytest.raises(InstrumentError, match="no compliance was programmed"):
        smu.output_on()


def test_the_output_is_refused_if_prepare_did_not_succeed(dialogue: Any) -> None:
    failing = (*PREPARE[:-1], (":SYST:ERR?", '-222,"Parameter data out of range"'), NO_ERROR)
    with dialogue(Keithley2400, *failing) as smu:
        with pytest.raises(InstrumentError, match="-222"):
            smu.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="no compliance"):
            smu.output_on()


def test_prepare_sends_the_whole_setup_again_after_a_reset(dialogue: Any) -> None:
    with dialogue(Keithley2400, *PREPARE, *PREPARE) as smu:
        smu.prepare(**SETTINGS)
        smu.prepare(**SETTINGS)


def test_the_output_can_be_switched_off_in_any_state(dialogue: Any) -> None:
    with dialogue(Keithley2400, OFF) as smu:
        smu.output_off()


@pytest.mark.parametrize("reply", ["1", "", "hello"])
def test_an_output_that_does_not_say_it_is_off_is_told(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley2400, (OFF[0], reply)) as smu, pytest.raises(InstrumentError) as caught:
        smu.output_off()
    assert f"reports '{reply}'" in caught.value.what
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert "front panel" in caught.value.remedy


def test_levels_and_ranges_are_sent_as_numbers(dialogue: Any) -> None:
    steps = ((":SOUR:VOLT:LEV -2.500000e-01", None), (":SENS:CURR:RANG 1.000000e-04", None))
    with dialogue(Keithley2400, *steps) as smu:
        smu.set_volts(-0.25)
        smu.set_amps_range(1.04e-4)
        smu.set_amps_range(9e-5)  # the same range: nothing is sent


@pytest.mark.parametrize("amps", [1.06, -2.0])
def test_a_current_beyond_the_largest_range_is_refused(dialogue: Any, amps: float) -> None:
    with dialogue(Keithley2400) as smu, pytest.raises(InstrumentError, match=r"largest range of 1 A"):
        smu.set_amps_range(amps)


@pytest.mark.parametrize(
    ("status", "in_compliance", "is_overflow"),
    [
        (0b0000_1001_0110_0000, False, False),
        (1 << 3, True, False),
        (1 << 16, True, False),
        (1 << 0, False, True),
        (1 << 16 | 1 << 0, True, True),
    ],
)
def test_status_bits(dialogue: Any, status: int, in_compliance: bool, is_overflow: bool) -> None:
    reply = f"+1.000000E-01,+1.250000E-05,{status:+E}"
    with dialogue(Keithley2400, (":READ?", reply)) as smu:
        assert smu.read() == Reading(0.1, 1.25e-5, in_compliance=in_compliance, is_overflow=is_overflow)


def test_the_overflow_number_counts_even_without_its_bit(dialogue: Any) -> None:
    with dialogue(Keithley2400, (":READ?", "0.1,-9.9E37,0")) as smu:
        assert smu.read().is_overflow


@pytest.mark.parametrize(
    "reply",
    ["", "hello", "0.1,1e-5", "0.1;1e-5;0", "0.1,1e-5,nan", "0.1,,0", "inf,1e-5,0", "0.1,1e-5,0.5", "0.1,1_0,0"],
)
def test_a_garbled_reading_is_explained(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley2400, (":READ?", reply)) as smu, pytest.raises(InstrumentError) as caught:
        smu.read()
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert f"'{reply}', which cannot be understood" in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("reply", ["+4.000000E-01,+1.0E-05,0", "+1.000000E-01,+1.0E-02,0", "+1.0E-01,+1.0E-05,0,1,1,1"])
def test_a_reading_that_cannot_be_is_no_reading(dialogue: Any, reply: str) -> None:
    level = (":SOUR:VOLT:LEV 1.000000e-01", None)
    with dialogue(Keithley2400, *PREPARE, ON, level, (":READ?", reply)) as smu:
        smu.prepare(**SETTINGS)
        smu.output_on()
        smu.set_volts(0.1)
        with pytest.raises(InstrumentError, match="cannot be understood"):
            smu.read()


def test_after_a_timeout_a_late_answer_is_cleared_away(dialogue: Any) -> None:
    with dialogue(Keithley2400, (":OUTP?", TIMEOUT), (":OUTP?", "0")) as smu:
        before = smu.visa_handle.clears
        with pytest.raises(InstrumentError, match="did not answer"):
            smu.is_output_on()
        assert not smu.is_output_on()
        assert smu.visa_handle.clears == before + 1


def test_an_answer_without_its_end_is_no_answer(dialogue: Any) -> None:
    with dialogue(Keithley2400, (":OUTP?", "1")) as smu:
        smu.visa_handle.read_raw = lambda: b"1"
        smu.visa_handle.pending = smu.visa_handle.script
        with pytest.raises(InstrumentError, match="cannot be understood"):
            smu.is_output_on()
        smu.visa_handle.pending.clear()


@pytest.mark.parametrize("reply", ["2", "7", "-1", "on"])
def test_a_flag_is_zero_or_one(dialogue: Any, reply: str) -> None:
    for question, method in ((":OUTP?", "is_output_on"), (":SENS:CURR:PROT:TRIP?", "is_limiting")):
        with dialogue(Keithley2400, (question, reply)) as smu, pytest.raises(InstrumentError, match="understood"):
            getattr(smu, method)()


@pytest.mark.parametrize(("status", "words"), [(0, "lost its power"), (4 + 32, "802")])
def test_what_a_serial_poll_finds(dialogue: Any, status: int, words: str) -> None:
    queue = ((":SYST:ERR?", '+802,"OUTPUT blocked by output enable"'), NO_ERROR) if status else ()
    with dialogue(Keithley2400, *PREPARE, *queue) as smu:
        smu.check_status()
        smu.prepare(**SETTINGS)
        smu.check_status()
        smu.visa_handle.status = status
        with pytest.raises(InstrumentError, match=words) as caught:
            smu.check_status()
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("command", "garbled"),
    [
        ("read", UnicodeDecodeError("ascii", b"\xff1.0", 0, 1, "ordinal not in range(128)")),
        ("is_output_on", "\x7fgarbage"),
    ],
)
def test_garbage_on_the_bus_is_an_instrument_error(dialogue: Any, command: str, garbled: Any) -> None:
    message = {"read": ":READ?", "is_output_on": ":OUTP?"}[command]
    with dialogue(Keithley2400, (message, garbled)) as smu, pytest.raises(InstrumentError):
        getattr(smu, command)()


def test_a_pulse_is_a_two_point_list_that_ends_at_zero(dialogue: Any) -> None:
    pulse = (
        (":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 4.400000e-01,0;:TRIG:COUN 2;:SOUR:DEL 0.00300", None),
        (":READ?", "4.4E-01,3.3E-05,0,0.0E+00,1.0E-09,0"),
        (":SOUR:VOLT:MODE FIX;:SOUR:VOLT:LEV 0;:TRIG:COUN 1;:SOUR:DEL 0.00100", None),
    )
    with dialogue(Keithley2400, *PREPARE, *pulse) as smu:
        smu.prepare(**SETTINGS)
        assert smu.shortest_pulse_seconds == pytest.approx(2e-3)
        assert smu.pulse(0.44, 5e-3) == Reading(0.44, 3.3e-5)


def test_a_pulse_that_fails_still_returns_to_zero(dialogue: Any) -> None:
    pulse = (
        (":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT -5.000000e-01,0;:TRIG:COUN 2;:SOUR:DEL 0.00300", None),
        (":READ?", TIMEOUT),
        (":SOUR:VOLT:MODE FIX;:SOUR:VOLT:LEV 0;:TRIG:COUN 1;:SOUR:DEL 0.00100", None),
    )
    with dialogue(Keithley2400, *PREPARE, *pulse) as smu:
        smu.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="did not answer"):
            smu.pulse(-0.5, 5e-3)


def test_a_pulse_shorter_than_an_integration_is_refused_unsent(dialogue: Any) -> None:
    with dialogue(Keithley2400, *PREPARE) as smu:
        smu.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match=r"0\.001 s is shorter than its 0\.002 s") as caught:
            smu.pulse(0.4, 1e-3)
    assert "integration" in caught.value.remedy


def test_the_error_queue_is_drained_and_quoted(dialogue: Any) -> None:
    entries = [(":SYST:ERR?", text) for text in ('-113,"Undefined header"', '+803,"Not permitted with OUTPUT off"')]
    with dialogue(Keithley2400, *entries, NO_ERROR) as smu, pytest.raises(InstrumentError) as caught:
        smu.check_errors()
    assert "Undefined header" in caught.value.what
    assert "Not permitted with OUTPUT off" in caught.value.what
    assert caught.value.where == "unit (GPIB0::9::INSTR)"


@pytest.mark.parametrize("entry", ['0,"No error"', '+0,"No error"', "0"])
def test_an_empty_error_queue_is_silent(dialogue: Any, entry: str) -> None:
    with dialogue(Keithley2400, (":SYST:ERR?", entry)) as smu:
        smu.check_errors()


def test_draining_ends_even_if_the_queue_never_does(dialogue: Any) -> None:
    endless = [(":SYST:ERR?", '-350,"Queue overflow"')] * 20
    with dialogue(Keithley2400, *endless) as smu, pytest.raises(InstrumentError, match="Queue overflow"):
        smu.check_errors()


@pytest.mark.parametrize("query", [(":READ?", "read"), (":OUTP?", "is_output_on"), (":SYST:ERR?", "check_errors")])
def test_a_timeout_names_instrument_address_and_remedy(dialogue: Any, query: tuple[str, str]) -> None:
    message, method = query
    with dialogue(Keithley2400, (message, TIMEOUT)) as smu, pytest.raises(InstrumentError) as caught:
        getattr(smu, method)()
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert caught.value.what == f"did not answer '{message}'"
    assert "front panel" in caught.value.remedy
    assert isinstance(caught.value.__cause__, VisaIOError)


def test_a_bus_fault_on_a_write_is_explained(dialogue: Any) -> None:
    lost = VisaIOError(StatusCode.error_connection_lost)
    level = (":SOUR:VOLT:LEV 1.000000e-01", lost)
    with dialogue(Keithley2400, level) as smu, pytest.raises(InstrumentError, match="VI_ERROR_CONN_LOST"):
        smu.set_volts(0.1)


def test_the_text_of_a_fault_is_a_sentence(dialogue: Any) -> None:
    with dialogue(Keithley2400, (":READ?", TIMEOUT)) as smu, pytest.raises(InstrumentError) as caught:
        smu.read()
    assert str(caught.value).startswith("unit (GPIB0::9::INSTR): did not answer ':READ?'.")


@pytest.mark.parametrize(("reply", "expected"), [("1", True), ("0", False), (" 1\r", True)])
def test_limiting_is_asked_without_measuring(dialogue: Any, reply: str, expected: bool) -> None:
    with dialogue(Keithley2400, (":SENS:CURR:PROT:TRIP?", reply)) as smu:
        assert smu.is_limiting() is expected


def test_identity(dialogue: Any) -> None:
    idn = ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30   Mar 17 2006 09:29:29/A02  /K/J")
    with dialogue(Keithley2400, idn, idn) as smu:
        identity = smu.identity()
    assert "2400" in identity.model
    assert identity.serial == "1234567"


def test_an_identity_that_is_told_otherwise_the_second_time_is_none(dialogue: Any) -> None:
    idn = [("*IDN?", f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,123456{k},C30") for k in (7, 8)]
    with dialogue(Keithley2400, *idn) as smu, pytest.raises(InstrumentError, match="and then") as caught:
        smu.identity()
    assert caught.value.remedy


def test_another_instrument_at_the_address_is_refused(dialogue: Any) -> None:
    idn = ("*IDN?", "Keithley Instruments Inc., Model 2602A, 1398687, 3.0.4")
    with dialogue(Keithley2400, idn) as smu, pytest.raises(InstrumentError) as caught:
        smu.identity()
    assert "2602A" in caught.value.what
    assert "expected one of 2400" in caught.value.what
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert "station file" in caught.value.remedy


def test_an_instrument_that_does_not_say_what_it_is_did_not_answer(dialogue: Any) -> None:
    with dialogue(Keithley2400, ("*IDN?", TIMEOUT)) as smu, pytest.raises(InstrumentError, match="did not answer"):
        smu.identity()


def test_messages_are_counted(dialogue: Any) -> None:
    with dialogue(Keithley2400, (":SOUR:VOLT:LEV 1.000000e-01", None), OFF, (":OUTP?", "0")) as smu:
        smu.set_volts(0.1)
        smu.output_off()
        smu.is_output_on()
        assert (smu.writes, smu.queries) == (1, 2)


def test_recover_is_a_device_clear(dialogue: Any) -> None:
    with dialogue(Keithley2400) as smu:
        before = smu.visa_handle.clears
        smu.recover()
        assert smu.visa_handle.clears == before + 1
        smu.visa_handle.clear_fails = TIMEOUT
        with pytest.raises(InstrumentError, match="device clear"):
            smu.recover()


def test_every_parameter_has_unit_label_and_docstring(dialogue: Any) -> None:
    units = {
        "volts": "V",
        "volts_range": "V",
        "amps_limit": "A",
        "amps_range": "A",
        "power_cycles": "PLC",
        "settle_seconds": "s",
        "output": "",
    }
    with dialogue(Keithley2400) as smu:
        own = {name: p for name, p in smu.parameters.items() if name not in ("IDN", "timeout")}
        assert {name: p.unit for name, p in own.items()} == units
        for name, parameter in own.items():
            assert parameter.label != name
            assert not parameter.__doc__.startswith("Parameter class"), name


class TestOnTheSimulatedBench:
    @pytest.fixture
    def bench(self) -> Iterator[SimBench]:
        bench = sim_bench("passive15")
        bench.reset()
        yield bench
        bench.reset()

    @pytest.fixture
    def smu(self, bench: SimBench) -> Iterator[Keithley2400]:
        driver = Keithley2400("drive", "GPIB0::24::INSTR", visalib="passive15@mtjlab")
        yield driver
        driver.close()

    def test_the_whole_setup_is_understood(self, smu: Keithley2400) -> None:
        assert "2400" in smu.identity().model
        smu.prepare(**SETTINGS)
        smu.check_errors()
        assert smu.volts() == 0.0
        assert smu.amps_limit() == pytest.approx(5e-3)
        assert smu.amps_range() in (pytest.approx(1e-3), pytest.approx(1.05e-3))
        assert smu.power_cycles() == pytest.approx(0.1)
        assert not smu.is_output_on()

    @pytest.mark.parametrize("amps", AMPS_RANGES)
    def test_every_range_is_one_the_instrument_has(self, smu: Keithley2400, amps: float) -> None:
        smu.prepare(volts_range=2.0, amps_limit=1e-6, amps_range=1e-6, power_cycles=0.1)
        smu.amps_limit(amps)
        smu.set_amps_range(amps)
        smu.check_errors()
        assert smu.amps_range() == pytest.approx(amps, rel=0.06)

    def test_a_snapshot_measures_nothing_and_switches_nothing(self, smu: Keithley2400, bench: SimBench) -> None:
        smu.prepare(**SETTINGS)
        instrument = bench.by_name["drive"]
        heard: list[str] = []
        receive = instrument.receive

        def listen(data: bytes, **how: Any) -> None:
            heard.append(data.decode().strip())
            receive(data, **how)

        instrument.receive = listen  # type: ignore[method-assign]
        snapshot = smu.snapshot(update=True)
        assert snapshot["parameters"]["amps_limit"]["value"] == pytest.approx(5e-3)
        assert heard
        assert all(message.endswith("?") for message in heard), heard
        assert not [m for m in heard if any(word in m for word in ("READ", "MEAS", "INIT", "FETC"))], heard
        smu.check_errors()

    def test_reading_with_the_output_off_is_refused_by_the_instrument(self, smu: Keithley2400) -> None:
        smu.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="did not answer"):
            smu.read()
        with pytest.raises(InstrumentError, match="803"):
            smu.check_errors()
        smu.check_errors()

    def test_nobody_at_the_address(self, bench: SimBench) -> None:
        with pytest.raises(InstrumentError, match="VI_ERROR_RSRC_NFOUND") as caught:
            Keithley2400("absent", "GPIB0::7::INSTR", visalib="passive15@mtjlab")
        assert caught.value.where == "absent (GPIB0::7::INSTR)"
        assert "station file" in caught.value.remedy
