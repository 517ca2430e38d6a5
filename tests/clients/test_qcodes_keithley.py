"""QCoDeS drivers of Keithley source-measure units on the simulated ones: their whole surface, and what it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import pyvisa
from qcodes.dataset import LinSweep
from qcodes.instrument_drivers.Keithley import (
    Keithley2400,
    Keithley2450,
    Keithley2602B,
    Keithley2612B,
    Keithley2636B,
)

from mtjlab.sim_instruments.simulated_bench import SimBench

from .conftest import Instruments, PointOf
from .surface import Record

OHMS = 1000.0


class TestKeithley2400:
    client = "qcodes_keithley_2400"
    instruments: ClassVar[Instruments] = {"k2400": {}}

    @pytest.fixture
    def smu(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keithley2400("k2400", "GPIB0::24::INSTR", visalib=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.close()

    def test_volts_come_out_and_a_current_is_read(self, smu: Any, point_of: PointOf) -> None:
        smu.mode("VOLT")
        smu.compliancei(1e-2)
        smu.volt(0.5)
        assert smu.output() is False
        assert point_of("k2400").amps == pytest.approx(0, abs=1e-9)
        smu.output(True)
        assert point_of("k2400").volts == pytest.approx(0.5, abs=1e-3)
        assert smu.output() is True
        assert smu.curr() == pytest.approx(5e-4, rel=1e-2)
        assert smu.volt() == pytest.approx(0.5, abs=1e-3)
        assert smu.resistance() == pytest.approx(OHMS, rel=1e-2)
        smu.compliancei(1e-4)
        assert point_of("k2400").is_limiting
        assert smu.curr() == pytest.approx(1e-4, rel=1e-2)
        assert smu.volt() == 0.5, "the level, as volts are not sensed while they are sourced"
        smu.output(False)
        assert point_of("k2400").amps == pytest.approx(0, abs=1e-9)
        assert smu.ask(":SYST:ERR?") == '0,"No error"'

    def test_amperes_come_out_and_volts_are_read(self, smu: Any, point_of: PointOf) -> None:
        smu.mode("CURR")
        assert smu.mode() == "CURR"
        assert smu.sense() == '"VOLT:DC","CURR:DC"'
        smu.compliancev(2)
        assert smu.compliancev() == 2
        smu.curr(1e-3)
        smu.output(True)
        assert point_of("k2400").amps == pytest.approx(1e-3, rel=1e-3)
        assert smu.volt() == pytest.approx(1.0, rel=1e-2)
        smu.reset()
        assert point_of("k2400").amps == pytest.approx(0, abs=1e-9)

    def test_integration_time(self, smu: Any) -> None:
        smu.nplci(0.1)
        assert (smu.nplci(), smu.nplcv()) == (0.1, 0.1), "one for all functions"
        smu.nplcv(2)
        assert (smu.nplci(), smu.nplcv()) == (2, 2)

    def test_defect_ranges_set_the_source_and_get_the_sense(self, smu: Any) -> None:
        smu.mode("CURR")
        smu.rangev(2)
        assert smu.rangev() == 21
        assert float(smu.ask(":SOUR:VOLT:RANG?")) == 2.1
        smu.mode("VOLT")
        smu.rangei(1e-3)
        assert smu.rangei() == pytest.approx(1.05e-4)
        assert float(smu.ask(":SOUR:CURR:RANG?")) == 1.05e-3

    def test_defect_small_values_are_sent_as_zero(self, smu: Any) -> None:
        smu.curr.set(4e-9)
        assert float(smu.ask(":SOUR:CURR?")) == 0
        smu.compliancei(4e-7)
        assert smu.compliancei() != 4e-7

    def test_defect_the_output_is_thought_on_after_a_reset(self, smu: Any) -> None:
        smu.output(True)
        smu.reset()
        smu.root_instrument.timeout(0.2)
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
            smu.curr()
        assert smu.ask(":SYST:ERR?").startswith("+803,")


class TestKeithley2450:
    client = "qcodes_keithley_2450"
    instruments: ClassVar[Instruments] = {"k2450": {}}

    @pytest.fixture
    def smu(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keithley2450("k2450", "GPIB0::18::INSTR", visalib=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.close()

    def test_voltage_source(self, smu: Any, point_of: PointOf) -> None:
        smu.source_function("voltage")
        smu.sense_function("current")
        smu.source.auto_range(False)
        assert smu.source.auto_range() is False
        smu.source.range(2)
        assert smu.source.range() == 2
        smu.source.limit(1e-4)
        smu.source.block_during_ramp(True)
        smu.source.voltage(0.5)
        assert point_of("k2450").amps == pytest.approx(0, abs=1e-9)
        smu.output_enabled(True)
        assert point_of("k2450").is_limiting
        assert smu.sense.current() == pytest.approx(1e-4, rel=1e-2)
        assert smu.source.limit_tripped() is True
        smu.source.limit(1e-2)
        assert smu.source.limit() == pytest.approx(1e-2)
        assert point_of("k2450").amps == pytest.approx(5e-4, rel=1e-3)
        assert smu.sense.current() == pytest.approx(5e-4, rel=1e-2)
        assert smu.source.limit_tripped() is False
        smu.output_enabled(False)
        assert smu.output_enabled() is False
        assert point_of("k2450").amps == pytest.approx(0, abs=1e-9)

    def test_current_source(self, smu: Any, point_of: PointOf) -> None:
        smu.source_function("current")
        smu.sense_function("voltage")
        smu.source.limit(2)
        smu.source.current(1e-3)
        smu.output_enabled(True)
        assert point_of("k2450").amps == pytest.approx(1e-3, rel=1e-3)
        assert smu.sense.voltage() == pytest.approx(1, rel=1e-2)
        smu.sense_function("resistance")
        assert smu.sense.resistance() == pytest.approx(OHMS, rel=1e-2)
        with pytest.raises(RuntimeError, match="resistance"):
            smu.source_function("voltage")

    def test_settings(self, smu: Any) -> None:
        smu.source_function("voltage")
        smu.sense_function("current")
        smu.source.user_number(2)
        smu.source.user_delay(0.25)
        assert smu.source.user_delay() == 0.25
        smu.source.delay(0.5)
        assert float(smu.source.delay()) == 0.5
        assert smu.source.auto_delay() is False
        smu.source.auto_delay(True)
        assert smu.source.auto_delay() is True
        smu.source.read_back_enabled(False)
        assert smu.source.read_back_enabled() is False
        smu.sense.user_number(3)
        smu.sense.user_delay(0.125)
        assert smu.sense.user_delay() == 0.125
        smu.sense.four_wire_measurement(True)
        assert smu.sense.four_wire_measurement() is True
        smu.sense.auto_range(True)
        smu.sense.range(1e-3)
        assert (smu.sense.range(), smu.sense.auto_range()) == (pytest.approx(1e-3), False)
        smu.sense.nplc(0.5)
        assert float(smu.sense.nplc()) == 0.5
        smu.sense.auto_zero_enabled(False)
        assert smu.sense.auto_zero_enabled() is False
        smu.sense.auto_zero_once()
        smu.sense.count(3)
        assert int(smu.sense.count()) == 3
        assert float(smu.line_frequency()) == 50
        assert smu.ask(":SYST:ERR?").startswith("0,")

    def test_sweep_on_the_instrument(self, smu: Any, bench: SimBench) -> None:
        smu.sense_function("current")
        smu.source_function("voltage")
        smu.source.limit(1e-2)
        with pytest.raises(ValueError, match="setup the sweep"):
            smu.source.get_sweep_axis()
        smu.source.sweep_setup(0, 1, 5, delay=0.1)
        assert smu.npts() == 5
        assert smu.source.sweep_axis().tolist() == [0, 0.25, 0.5, 0.75, 1]
        before = bench.world.seconds
        assert smu.sense.sweep() == pytest.approx(np.linspace(0, 1e-3, 5), abs=1e-6)
        assert bench.world.seconds - before > 0.5
        smu.source.sweep_start()
        buffer = smu.submodules["_buffer_defbuffer1"]
        assert buffer.number_of_readings() == 5
        smu.sense.clear_trace()
        assert buffer.number_of_readings() == 0
        smu.source.sweep_reset()
        smu.initiate()
        smu.wait()
        smu.abort()

    def test_buffers(self, smu: Any, record: Record) -> None:
        smu.sense_function("current")
        smu.source_function("voltage")
        smu.source.limit(1e-2)
        smu.source.voltage(0.5)
        smu.output_enabled(True)
        assert smu.buffer_name() == "defbuffer1"
        buffer = record.of_part(smu.buffer("mine", 100, "STANDard"))
        assert buffer.size() == 100
        buffer.size(50)
        assert buffer.size() == 50
        smu.sense.count(3)
        buffer.trigger_start()
        assert buffer.number_of_readings() == 3
        assert buffer.get_data(1, 3) == pytest.approx([5e-4] * 3, rel=1e-2)
        assert {"measurement", "source_value", "date"} <= buffer.available_elements
        buffer.elements(["measurement", "source_value", "measurement_unit", "source_value_unit"])
        assert buffer.elements() == ["measurement", "source_value", "measurement_unit", "source_value_unit"]
        assert buffer.from_scpi_to_name(buffer.from_name_to_scpi(["time"])) == ["time"]
        reading, source, *units = buffer.get_last_reading().split(",")
        assert (float(reading), float(source)) == (pytest.approx(5e-4, rel=1e-2), pytest.approx(0.5, rel=1e-2))
        assert [unit.strip() for unit in units] == ["Amp DC", "Volt DC"]
        buffer.clear_buffer()
        assert buffer.number_of_readings() == 0
        buffer.delete()
        assert smu.buffer_name() == "defbuffer1"
        assert smu.ask(":SYST:ERR?").startswith("0,")

    def test_events_and_language(self, smu: Any, point_of: PointOf) -> None:
        smu.output_enabled(True)
        smu.write(":NONSENSE")
        smu.clear_event_log()
        smu.clear_event_register()
        assert smu.ask(":SYST:ERR?").startswith("0,")
        smu.reset()
        assert point_of("k2450").amps == pytest.approx(0, abs=1e-9)
        smu.set_correct_language()

    def test_defect_terminals_are_told_in_another_case(self, smu: Any) -> None:
        smu.terminals("rear")
        assert smu.terminals() == "REAR"
        with pytest.raises(ValueError, match="REAR"):
            smu.terminals("REAR")


@pytest.mark.parametrize(
    ("driver_class", "name", "board"),
    [(Keithley2602B, "k2602b", 26), (Keithley2612B, "k2612b", 12), (Keithley2636B, "k2636b", 27)],
    scope="class",
)
class TestKeithley2600:
    client = "qcodes_keithley_2600"

    @pytest.fixture
    def smus(
        self, spec: str, bench: SimBench, record: Record, driver_class: Any, name: str, board: int
    ) -> Iterator[Any]:
        driver = driver_class(name, f"GPIB0::{board}::INSTR", visalib=f"{spec}@mtjlab")
        yield record.of(driver)
        driver.close()

    def test_identity_and_front(self, smus: Any, name: str) -> None:
        assert smus.get_idn()["model"] == name[1:].upper()
        smus.display_settext("hello")
        smus.display_clear()
        smus.display_normal()
        smus.exit_key()
        assert smus.ask("errorqueue.count") == "0.00000e+00"

    def test_volts_and_amperes_come_out(self, smus: Any, name: str, point_of: PointOf) -> None:
        for index, smu in enumerate((smus.smua, smus.smub)):
            smu.mode("voltage")
            smu.limiti(1e-4)
            smu.volt(0.5)
            assert smu.output() is False
            smu.output(True)
            assert point_of(name, index).is_limiting
            smu.limiti(1e-2)
            assert smu.limiti() == pytest.approx(1e-2)
            assert point_of(name, index).volts == pytest.approx(0.5, abs=1e-3)
            assert smu.curr() == pytest.approx(5e-4, rel=1e-2)
            assert smu.volt() == pytest.approx(0.5, rel=1e-2)
            assert smu.res() == pytest.approx(OHMS, rel=1e-2)
            smu.output(False)
            smu.mode("current")
            assert smu.mode() == "current"
            smu.limitv(2)
            assert smu.limitv() == 2
            smu.curr(1e-3)
            smu.output(True)
            assert point_of(name, index).amps == pytest.approx(1e-3, rel=1e-3)
            assert smu.volt() == pytest.approx(1, rel=1e-2)
        smus.smua.reset()
        assert point_of(name, 0).amps == pytest.approx(0, abs=1e-9)
        assert point_of(name, 1).amps == pytest.approx(1e-3, rel=1e-3)
        smus.reset()
        assert point_of(name, 1).amps == pytest.approx(0, abs=1e-9)

    def test_settings(self, smus: Any) -> None:
        smu = smus.smua
        volts, amps = smus._vranges[smus.model][1], 1e-3
        for setting, value in [
            (smu.nplc, 0.5),
            (smu.four_wire_measurement, True),
            (smu.sourcerange_v, volts),
            (smu.sourcerange_i, amps),
            (smu.measurerange_v, volts),
            (smu.measurerange_i, amps),
        ]:
            setting(value)
            assert setting() == pytest.approx(value)
        for setting in (
            smu.source_autorange_v_enabled,
            smu.source_autorange_i_enabled,
            smu.measure_autorange_v_enabled,
            smu.measure_autorange_i_enabled,
        ):
            assert setting() is False, "choosing a range ends autorange"
            setting(True)
            assert setting() is True
        assert smu.linefreq() == 50
        assert smus.ask("errorqueue.count") == "0.00000e+00"

    def test_sweeps_on_the_instrument(self, smus: Any, bench: SimBench) -> None:
        a, b = smus.smua, smus.smub
        a.setup_fastsweep(LinSweep(a.volt, 0, 1, 5), mode="IV")
        assert a.fastsweep() == pytest.approx(np.linspace(0, 1e-3, 5), abs=2e-6)
        a.setup_fastsweep(LinSweep(a.curr, 0, 1e-3, 3), mode="VI")
        a.limitv(5)
        assert a.fastsweep() == pytest.approx([0, 0.5, 1], abs=5e-3)
        a.setup_fastsweep(LinSweep(a.volt, 0, 1, 3), LinSweep(b.volt, 0, 1, 2))
        assert a.fastsweep() == pytest.approx(np.array([[0, 5e-4, 1e-3]] * 2), abs=2e-6)
        before = bench.world.seconds
        a.nplc(0.1)
        a.timetrace_npts(10)
        a.timetrace_dt(0.1)
        assert a.timetrace_mode() == "current"
        assert a.timetrace().shape == (10,)
        assert a.time_axis()[-1] == pytest.approx(0.9)
        assert bench.world.seconds - before == pytest.approx(1, rel=0.15)
        assert smus.ask("errorqueue.count") == "0.00000e+00"

    def test_defect_the_10_milliampere_range_of_a_2636b(self, smus: Any, name: str) -> None:
        if name != "k2636b":
            smus.smua.sourcerange_i(1e-2)
            assert smus.smua.sourcerange_i() == pytest.approx(1e-2)
            return
        for setting in (smus.smua.sourcerange_i, smus.smua.measurerange_i):
            with pytest.raises(ValueError, match=r"0\.01"):
                setting(1e-2)
