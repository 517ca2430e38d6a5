"""The QCoDeS driver of the Yokogawa GS200 on the simulated one: its whole surface, and what it does to the bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from qcodes.instrument_drivers.yokogawa import YokogawaGS200
from qcodes.instrument_drivers.yokogawa.Yokogawa_GS200 import (
    ConditionRegister,
    ExtendedEventRegister,
    StandardEventRegister,
    StatusByte,
    YokogawaGS200Exception,
)

from mtjlab.sim_instruments.simulated_bench import SimBench

from .conftest import Instruments
from .surface import Record


class TestGS200:
    client = "qcodes_yokogawa_gs200"
    instruments: ClassVar[Instruments] = {"gs200": {}}

    @pytest.fixture
    def source(self, spec: str, bench: SimBench, record: Record, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        monkeypatch.setattr("qcodes.instrument_drivers.yokogawa.Yokogawa_GS200.time.sleep", lambda seconds: None)
        driver = YokogawaGS200("gs200", "GPIB0::1::INSTR", visalib=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.close()

    def test_amperes_make_a_field(self, source: Any, bench: SimBench) -> None:
        source.source_mode("CURR")
        source.current_range(0.2)
        assert (source.current_range(), source.range()) == (0.2, 0.2)
        source.voltage_limit(10)
        assert source.voltage_limit() == 10
        source.on()
        assert (source.state(), source.output()) == (1, "on")
        source.current(0.1)
        bench.world.wait(5)
        assert bench.world.field_tesla == pytest.approx(0.1, rel=1e-2)
        source.output_level(0.05)
        assert source.output_level() == pytest.approx(0.05)
        bench.world.wait(5)
        assert bench.world.field_tesla == pytest.approx(0.05, rel=1e-2)
        source.off()
        assert source.state() == 0
        bench.world.wait(5)
        assert bench.world.field_tesla == pytest.approx(0, abs=1e-4)
        source.reset()
        assert source.ask(":SOUR:FUNC?") == "VOLT"

    def test_volts_and_what_the_coil_takes_of_them(self, source: Any, bench: SimBench) -> None:
        source.source_mode("VOLT")
        source.voltage_range(1)
        assert source.voltage_range() == 1
        source.current_limit(0.2)
        assert source.current_limit() == 0.2
        source.voltage(0.5)
        assert source.voltage() == 0.5
        source.output("on")
        monitor = source.measure
        assert monitor.enabled() == "off"
        monitor.on()
        assert monitor.state() == 1
        monitor.NPLC(2)
        monitor.delay(5)
        monitor.interval(0.5)
        monitor.trigger("TIM")
        assert (monitor.NPLC(), monitor.delay(), monitor.interval(), monitor.trigger()) == (2, 5, 0.5, "TIM")
        monitor.trigger("IMM")
        assert monitor.measure() < 0.04, "the current is still rising"
        bench.world.wait(3)
        assert monitor.measure() == pytest.approx(0.05, rel=1e-2), "through 10 ohm"
        monitor.off()
        with pytest.raises(YokogawaGS200Exception, match="disabled"):
            monitor.measure()
        monitor.update_measurement_enabled("VOLT", 1)
        assert monitor.measure.unit == "I"
        with pytest.raises(YokogawaGS200Exception, match="while source is on"):
            source.source_mode("CURR")
        source.auto_range(True)
        source.voltage(2)
        assert float(source.ask(":SOUR:RANG?")) == 10
        assert source.system_errors() == '0,"No error"'

    def test_ramps(self, source: Any, bench: SimBench) -> None:
        source.source_mode("VOLT")
        source.voltage_range(10)
        source.output("on")
        source.ramp_rate(1)
        source.ramp_step(0.5)
        source.ramp_blocking(True)
        source.ramp_mode("HARDWARE")
        before = bench.world.seconds
        source.voltage(2)
        assert bench.world.seconds - before == pytest.approx(2, abs=0.3)
        assert source.voltage() == 2
        source.ramp_voltage(1, ramp_mode="HARDWARE")
        assert source.voltage() == 1
        source.ramp_mode("JUMP")
        source.output("off")
        source.source_mode("CURR")
        source.current_range(0.1)
        source.output("on")
        source.ramp_rate(0.1)
        source.ramp_step(0)
        source.ramp_current(0.05)
        assert source.current() == 0.05

    def test_programs(self, source: Any, bench: SimBench) -> None:
        source.source_mode("CURR")
        source.current_range(0.2)
        source.output("on")
        program = source.program
        program.interval(1)
        program.slope(0)
        program.repeat("OFF")
        assert (program.interval(), program.slope(), program.repeat()) == (1, 0, "OFF")
        program.start()
        for amps in (0.01, 0.02, 0.03):
            source.current(amps)
        program.end()
        program.run()
        bench.world.wait(1.5)
        assert source.current() == 0.02
        program.pause()
        bench.world.wait(5)
        assert source.current() == 0.02
        program.cont()
        program.hold()
        bench.world.wait(5)
        program.hold()
        bench.world.wait(5)
        assert source.current() == 0.03
        program.count(2)
        assert program.count() == 2
        program.save("mine.csv")
        program.load("mine.csv")
        assert "mine.csv" in program.load()
        assert source.system_errors() == '0,"No error"'

    def test_registers(self, source: Any) -> None:
        source.write("*CLS")
        assert source.status_byte() == StatusByte(0)
        source.write(":NONSENSE")
        assert StatusByte.EAV in source.status_byte()
        assert StandardEventRegister.CME in source.standard_event_register()
        calm = ConditionRegister.EOM | ConditionRegister.EOT | ConditionRegister.ECF | ConditionRegister.TSE
        assert source.condition_register() == calm | ConditionRegister.RFP
        assert ExtendedEventRegister.EOP not in source.extended_event_register()
        assert source.system_errors().startswith("-113,")

    def test_wiring(self, source: Any) -> None:
        for setting in (source.four_wire, source.guard):
            setting("on")
            assert setting() == "on"
            setting("off")
        assert source.line_freq() == 50

    def test_defect_words_are_taken_in_lower_case_and_told_in_upper(self, source: Any) -> None:
        for setting, word in [(source.BNC_out, "ready"), (source.BNC_in, "output"), (source.program.trigger, "mend")]:
            setting(word)
            assert setting() != word
            assert setting().lower() in word
            with pytest.raises(ValueError, match=setting()):
                setting(setting())
