"""What a Keithley2600 says on the bus, word for word, and what it makes of the replies."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keithley_2600 import Keithley2600, Keithley2601
from mtjlab.drivers.keithley_2600_scripts import UPLOAD, VERSION
from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

ERRORS = (
    'local s = "" for k = 1, math.min(errorqueue.count, 20) do local c, m = errorqueue.next() '
    's = s .. string.format("%g %s; ", c, m) end print(s)'
)
PREPARE = (
    "errorqueue.clear() status.standard.enable = status.standard.OPC opc() "
    "smua.reset() smua.source.func = smua.OUTPUT_DCVOLTS smua.source.levelv = 0 "
    "smua.source.rangev = 2.000000e+00 smua.source.limiti = 5.000000e-03 smua.measure.rangei = 1.000000e-03 "
    "smua.measure.nplc = 0.1 smua.source.delay = 0 smua.measure.delay = 0 smua.measure.autozero = smua.AUTOZERO_ONCE "
    "print(localnode.linefreq, mtjlab ~= nil and mtjlab.version)"
)
READ = 'local i, v = smua.measure.iv() print(string.format("%.7e,%.7e,%s", v, i, tostring(smua.source.compliance)))'
OFF = "smua.source.levelv = 0 smua.source.output = 0 print(smua.source.output)"
SETTINGS = {"volts_range": 2.0, "amps_limit": 5e-3, "amps_range": 1e-3, "power_cycles": 0.1}
TIMEOUT = VisaIOError(StatusCode.error_timeout)


def guarded(call: str) -> str:
    """A call of the library, which answers even if the library is gone."""
    return f'if mtjlab == nil then print("0\\t0\\t\\t\\tits scripts are gone: prepare it again") else {call} end'


def block(*numbers: float, code: str = "d") -> bytes:
    return b"#0" + struct.pack(f"<{len(numbers)}{code}", *numbers) + b"\n"


def test_prepare_is_one_message_with_the_compliance_before_the_output(dialogue: Any) -> None:
    assert PREPARE.index("limiti") < PREPARE.index("print")
    on = ("smua.source.levelv = 0 smua.source.limiti = 5.000000e-03 smua.source.output = 1", None)
    with dialogue(Keithley2600, (PREPARE, f"5.00000e+01\t{VERSION}"), (ERRORS, ""), on) as smu:
        smu.a.prepare(**SETTINGS)
        smu.a.output_on()


@pytest.mark.parametrize("version", ["false", "nil", "0badc0de"])
def test_the_library_is_uploaded_where_it_is_not_there(dialogue: Any, version: str) -> None:
    with dialogue(Keithley2600, (PREPARE, f"5.00000e+01\t{version}"), (UPLOAD, None), (ERRORS, "")) as smu:
        smu.a.prepare(**SETTINGS)


def test_the_output_is_refused_before_prepare_and_after_one_that_failed(dialogue: Any) -> None:
    failing = (PREPARE, f"5.00000e+01\t{VERSION}"), (ERRORS, "1101 Parameter too big; ")
    with dialogue(Keithley2600, *failing) as smu:
        for channel in (smu.a, smu.b):
            with pytest.raises(InstrumentError, match="no compliance was programmed"):
                channel.output_on()
        with pytest.raises(InstrumentError, match="1101 Parameter too big"):
            smu.a.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="no compliance"):
            smu.a.output_on()


@pytest.mark.parametrize("reply", ["1.00000e+00", "", "hello", "nil"])
def test_an_output_that_does_not_say_it_is_off_is_told(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley2600, (OFF, reply)) as smu, pytest.raises(InstrumentError) as caught:
        smu.a.output_off()
    assert f"reports '{reply}'" in caught.value.what
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert "front panel" in caught.value.remedy


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("1.0000000e-01,1.2500000e-05,false", Reading(0.1, 1.25e-5)),
        ("1.0000000e-01,1.2500000e-05,true", Reading(0.1, 1.25e-5, in_compliance=True)),
        ("1.0000000e-01,9.9100000e+37,false", Reading(0.1, 9.91e37, is_overflow=True)),
    ],
)
def test_readings_compliance_and_overflow(dialogue: Any, reply: str, expected: Reading) -> None:
    with dialogue(Keithley2600, (READ, reply)) as smu:
        assert smu.a.read() == expected


@pytest.mark.parametrize("reply", ["", "hello", "0.1,1e-5", "nil,nil,false"])
def test_a_garbled_reading_is_explained(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley2600, (READ, reply)) as smu, pytest.raises(InstrumentError, match="cannot be understood"):
        smu.a.read()


def test_a_pulse_is_one_transaction(dialogue: Any) -> None:
    call = guarded("mtjlab.pulsed(smub, 4.000000e-01, 5.000000e-03, 2.890000e-03)")
    prepare = PREPARE.replace("smua", "smub")
    steps = (prepare, f"50\t{VERSION}"), (ERRORS, ""), (call, ["1\t3\t\t\t", block(0.4, 4e-4, 64)])
    with dialogue(Keithley2600, *steps) as smu:
        smu.b.prepare(**SETTINGS)
        assert smu.b.pulse(0.4, 5e-3) == Reading(0.4, 4e-4, in_compliance=True)
        with pytest.raises(InstrumentError, match=r"0\.001 s is shorter than its 0\.00216 s") as caught:
            smu.b.pulse(0.4, 1e-3)
    assert "integration" in caught.value.remedy


def test_levels_come_back_as_one_block_that_may_hold_newlines(dialogue: Any) -> None:
    levels = [0.1 * k for k in range(25)]
    lines = [",".join(f"{v:.6e}" for v in levels[:20]), ",".join(f"{v:.6e}" for v in levels[20:])]
    call = (
        guarded("mtjlab.levels(smua, {#" + ",#".join(lines) + "})").replace(" else ", " else#").replace(" end", "#end")
    )
    message = f"loadandrunscript#{call}#endscript".replace("#", "\n")
    newline = struct.unpack("<d", b"\n" * 8)[0]
    reply = ["25\t3\t\t\t", block(*(x for v in levels for x in (v, newline, 0.0)))]
    with dialogue(Keithley2600, (message, reply)) as smu:
        readings = smu.a.read_levels(levels)
        assert [r.volts for r in readings] == levels
        assert {r.amps for r in readings} == {newline}
        assert (smu.writes, smu.queries) == (0, 1)


def test_what_a_script_reports_is_raised_after_its_data_were_read(dialogue: Any) -> None:
    call = guarded("mtjlab.pulsed(smua, 4.000000e-01, 1.000000e+00, 9.798900e-01)")
    reply = ["1\t3\t\t\t5007 SMU A: Operation would exceed safe operating area of the instrument", block(0, 0, 0)]
    with dialogue(Keithley2600, (call, reply)) as smu, pytest.raises(InstrumentError, match="5007 SMU A"):
        smu.a.pulse(0.4, 1.0)


@pytest.mark.parametrize("reply", [["hello"], ["1\t3\t"], ["1\t3\t\t\t", b"#2" + bytes(24) + b"\n"]])
def test_a_garbled_answer_is_explained(dialogue: Any, reply: list[str | bytes]) -> None:
    call = guarded("mtjlab.pulsed(smua, 4.000000e-01, 1.000000e+00, 9.798900e-01)")
    with dialogue(Keithley2600, (call, reply)) as smu, pytest.raises(InstrumentError, match="cannot be understood"):
        smu.a.pulse(0.4, 1.0)


def test_the_error_queue_is_drained_in_one_query_and_quoted(dialogue: Any) -> None:
    reply = "-285 TSP Syntax error at line 1; 802 OUTPUT blocked by interlock; "
    with dialogue(Keithley2600, (ERRORS, reply)) as smu, pytest.raises(InstrumentError) as caught:
        smu.a.check_errors()
    assert "Syntax error" in caught.value.what
    assert "802 OUTPUT blocked by interlock" in caught.value.what
    assert caught.value.where == "unit (GPIB0::9::INSTR)"


def test_a_timeout_names_instrument_address_and_remedy(dialogue: Any) -> None:
    steps = (READ, TIMEOUT), (guarded("mtjlab.pulsed(smua, 4.000000e-01, 1.000000e+00, 9.798900e-01)"), TIMEOUT)
    with dialogue(Keithley2600, *steps) as smu:
        for act in (smu.a.read, lambda: smu.a.pulse(0.4, 1.0)):
            with pytest.raises(InstrumentError, match="did not answer") as caught:
                act()
            assert caught.value.where == "unit (GPIB0::9::INSTR)"
            assert "front panel" in caught.value.remedy


@pytest.mark.parametrize("model", ["2601B", "2602B", "2612B", "2635B", "2636B"])
def test_identity(dialogue: Any, model: str) -> None:
    idn = ("*IDN?", f"Keithley Instruments Inc., Model {model}, 4100001, 3.3.5")
    right, wrong = (Keithley2601, Keithley2600) if model in ("2601B", "2635B") else (Keithley2600, Keithley2601)
    with dialogue(right, idn, idn, idn, idn) as smu:
        assert {smu.a.identity().serial, smu.identity().serial} == {"4100001"}
        assert set(smu.submodules) == set(smu.letters)
    with dialogue(wrong, idn) as smu, pytest.raises(InstrumentError, match=f"is a 'Keithley Instruments Inc. {model}'"):
        smu.identity()


def test_another_instrument_at_the_address_is_refused(dialogue: Any) -> None:
    idn = ("*IDN?", "Keithley Instruments Inc., Model 2602A, 1398687, 3.0.4")
    with dialogue(Keithley2600, idn) as smu, pytest.raises(InstrumentError, match="2602A"):
        smu.identity()


def test_a_range_that_is_not_there_is_refused(dialogue: Any) -> None:
    ask = "smua.measure.rangei = {:.6e} smua.measure.autozero = smua.AUTOZERO_ONCE print(smua.measure.rangei)"
    steps = (ask.format(9e-5), "1.00000e-04"), (ask.format(5), "1.00000e-04"), (ERRORS, "1101 Parameter too big; ")
    with dialogue(Keithley2600, *steps) as smu:
        smu.a.set_amps_range(9e-5)
        with pytest.raises(InstrumentError, match="Parameter too big"):
            smu.a.set_amps_range(5)


def test_every_parameter_has_unit_label_and_docstring(dialogue: Any) -> None:
    units = {
        "volts": "V", "volts_range": "V", "amps_limit": "A", "amps_range": "A", "power_cycles": "PLC",
        "settle_seconds": "s", "output": "", "four_wire": "",
    }  # fmt: skip
    with dialogue(Keithley2600) as smu:
        for channel in (smu.a, smu.b):
            assert {name: p.unit for name, p in channel.parameters.items()} == units
            for name, parameter in channel.parameters.items():
                assert parameter.label != name
                assert not parameter.__doc__.startswith("Parameter class"), name


class TestScriptsOnTheSimulatedBench:
    @pytest.fixture
    def bench(self) -> Iterator[SimBench]:
        bench = sim_bench("showroom")
        bench.reset()
        yield bench
        bench.reset()

    @pytest.fixture
    def smu(self, bench: SimBench) -> Iterator[Keithley2600]:
        driver = Keithley2600("smu", "GPIB0::26::INSTR", visalib="showroom@mtjlab")
        yield driver
        driver.close()

    SWEEP = """
smua.source.limiti = 1e-3
smua.source.output = 1
smua.nvbuffer1.clear()
smua.nvbuffer1.appendmode = 1
for k = 1, 7 do
    smua.source.levelv = k * 0.1
    smua.measure.i(smua.nvbuffer1)
end
smua.source.output = 0
answer(7, {smua.nvbuffer1.sourcevalues, smua.nvbuffer1.readings})
"""

    @pytest.mark.parametrize("is_double", [True, False])
    def test_a_script_returns_its_buffers(self, smu: Keithley2600, bench: SimBench, is_double: bool) -> None:
        values = smu.run_script("sweep", self.SWEEP, timeout_seconds=5, is_double=is_double)
        assert values.shape == (7, 2)
        assert values[:, 0] == pytest.approx(0.1 * np.arange(1, 8), rel=1e-6)
        assert values[:, 1] == pytest.approx(1e-4 * np.arange(1, 8), rel=0.01)
        smu.check_errors()

    def test_it_is_uploaded_once_and_runs_in_one_transaction(self, smu: Keithley2600, bench: SimBench) -> None:
        heard: list[bytes] = []
        instrument = bench.by_name["k2602b"]
        receive = instrument.receive

        def listen(data: bytes, **how: Any) -> None:
            heard.append(data)
            receive(data, **how)

        instrument.receive = listen  # type: ignore[method-assign]
        for code in (self.SWEEP, self.SWEEP, self.SWEEP.replace("0.1", "0.05")):
            last = smu.run_script("sweep", code, timeout_seconds=5)
        assert [b"loadscript sweep" in data for data in heard] == [True, False, True]
        assert last[-1, 0] == pytest.approx(0.35)
        assert (smu.writes, smu.queries) == (0, 3)

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("smua.source.output = 1\nsmua.source.levelv = 0.5\nerror('no such sample')", "no such sample"),
            ("smua.source.output = 1\nsmua.source.levelv = 0.5\nsmua.source.levelv = 900", "Parameter too big"),
            ("smua.source.output = 1\nlocal x = nothing.there", "nothing"),
            ("this is no Lua", "could not be loaded; -285"),
        ],
    )
    def test_what_goes_wrong_in_it_is_quoted(self, smu: Keithley2600, bench: SimBench, code: str, said: str) -> None:
        smu.run_script("sweep", self.SWEEP, timeout_seconds=5)
        with pytest.raises(InstrumentError, match=said):
            smu.run_script("sweep", code, timeout_seconds=5)
        smu.check_errors()
        if "error(" in code or "nothing" in code:
            assert not smu.a.is_output_on()
        assert smu.run_script("sweep", self.SWEEP, timeout_seconds=5).shape == (7, 2)

    def test_its_own_time_out(self, smu: Keithley2600, bench: SimBench) -> None:
        with pytest.raises(InstrumentError, match="did not answer"):
            smu.run_script("slow", "delay(30)", timeout_seconds=20)
        smu.recover()
        smu.run_script("slow", "delay(30)", timeout_seconds=40)
        assert smu.visa_handle.timeout == pytest.approx(10_000)

    def test_a_snapshot_measures_nothing(self, smu: Keithley2600, bench: SimBench) -> None:
        smu.a.prepare(**SETTINGS)
        snapshot = smu.snapshot(update=True)
        assert snapshot["submodules"]["a"]["parameters"]["amps_limit"]["value"] == pytest.approx(5e-3)
        assert snapshot["submodules"]["a"]["parameters"]["output"]["value"] is False
        assert bench.by_name["k2602b"].channels[0].buffers[0].stored == []  # type: ignore[attr-defined]
        smu.check_errors()

    def test_after_a_power_failure_it_says_what_to_do(self, smu: Keithley2600, bench: SimBench) -> None:
        smu.a.prepare(**SETTINGS)
        bench.inject("power_loss", "k2602b")
        with pytest.raises(InstrumentError, match="prepare it again"):
            smu.a.pulse(0.3, 5e-3)
        smu.a.prepare(**SETTINGS)
        smu.a.output_on()
        assert smu.a.pulse(0.3, 5e-3).amps == pytest.approx(3e-4, rel=0.01)

    def test_scripts_are_uploaded_again_after_a_power_failure(self, smu: Keithley2600, bench: SimBench) -> None:
        smu.run_script("sweep", self.SWEEP, timeout_seconds=5)
        bench.inject("power_loss", "k2602b")
        with pytest.raises(InstrumentError, match="prepare it again"):
            smu.run_script("sweep", self.SWEEP, timeout_seconds=5)
        assert smu.run_script("sweep", self.SWEEP, timeout_seconds=5).shape == (7, 2)
