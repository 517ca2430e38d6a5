"""PyMeasure's Keithley 2400 on the simulated one: its whole surface, and what it does to the bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pymeasure.instruments.keithley import Keithley2400

from mtjlab.sim_instruments.simulated_bench import SimBench

from .conftest import Instruments, PointOf
from .surface import Record

OHMS = 1000.0
SETTINGS: list[tuple[str, Any]] = [
    ("source_delay", 0.5),
    ("source_delay_auto_enabled", True),
    ("auto_zero_enabled", False),
    ("output_off_state", "zero"),
    ("auto_output_off_enabled", True),
    ("filter_enabled", True),
    ("repeat_filter_enabled", False),
    ("filter_count", 20),
    ("current_range_auto_enabled", False),
    ("current_nplc", 0.1),
    ("compliance_current", 1e-3),
    ("current_range", 1.05e-4),
    ("source_current", 1e-3),
    ("source_current_range", 10.5e-3),
    ("source_current_range_auto_enabled", True),
    ("compliance_voltage", 5.0),
    ("voltage_nplc", 2.0),
    ("voltage_range_auto_enabled", False),
    ("source_voltage", 0.25),
    ("source_voltage_range", 2.1),
    ("source_voltage_range_auto_enabled", True),
    ("resistance_mode_auto_enabled", False),
    ("resistance_nplc", 1.0),
    ("resistance_range_auto_enabled", False),
    ("trigger_count", 3),
    ("arm_count", 2),
    ("trigger_delay", 0.25),
    ("arm_timer", 0.5),
    ("trigger_source", "trigger_link"),
    ("arm_source", "timer"),
    ("trigger_output_event", "sense"),
    ("arm_output_event", "trigger_exit"),
    ("trigger_input_line", 3),
    ("arm_input_line", 4),
    ("trigger_output_line", 1),
    ("arm_output_line", 2),
    ("display_enabled", False),
    ("wires", 4),
    ("line_frequency", 60),
    ("line_frequency_auto_enabled", True),
    ("front_terminals_enabled", False),
    ("buffer_points", 50),
]
DEPRECATED_SETTINGS: list[tuple[str, Any]] = [
    ("source_delay_auto", False),
    ("auto_zero", True),
    ("auto_output_off", True),
    ("filter_type", "MOV"),
    ("line_frequency_auto", False),
]


class TestKeithley2400:
    client = "pymeasure_keithley_2400"
    instruments: ClassVar[Instruments] = {"k2400": {}}

    @pytest.fixture
    def smu(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keithley2400("GPIB0::24::INSTR", visa_library=f"{spec}@mtjlab", read_termination="\n")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.adapter.close()

    def test_identity_and_status(self, smu: Any) -> None:
        assert "MODEL 2400" in smu.id
        smu.clear()
        assert smu.status == "0"
        assert smu.complete == "1"
        smu.write(":NONSENSE")
        assert smu.next_error[0] == -113
        with pytest.warns(FutureWarning, match="next_error"):
            assert smu.error[0] == 0
        assert smu.check_errors() == []

    def test_settings_are_taken_and_told(self, smu: Any) -> None:
        for name, value in SETTINGS:
            setattr(smu, name, value)
            assert getattr(smu, name) == (pytest.approx(value) if isinstance(value, float) else value), name
        assert smu.check_errors() == []

    def test_deprecated_settings(self, smu: Any) -> None:
        for name, value in DEPRECATED_SETTINGS:
            with pytest.warns(FutureWarning, match=name):
                setattr(smu, name, value)
            with pytest.warns(FutureWarning, match=name):
                assert getattr(smu, name) == value, name
        assert smu.check_errors() == []

    def test_volts_come_out(self, smu: Any, point_of: PointOf) -> None:
        smu.source_mode = "voltage"
        smu.compliance_current = 1e-4
        smu.source_voltage = 0.5
        assert point_of("k2400").amps == pytest.approx(0, abs=1e-9)
        smu.enable_source()
        assert smu.source_enabled is True
        assert point_of("k2400").is_limiting
        smu.compliance_current = 1e-2
        assert point_of("k2400").amps == pytest.approx(5e-4, rel=1e-3)
        assert smu.current == pytest.approx(5e-4, rel=1e-2)
        assert smu.voltage == pytest.approx(0.5, rel=1e-2)
        everything = smu.measure_all()
        assert everything["resistance"] == pytest.approx(OHMS, rel=1e-2)
        smu.ramp_to_voltage(0.1, steps=3, pause=0)
        assert point_of("k2400").volts == pytest.approx(0.1, abs=1e-3)
        smu.shutdown()
        assert point_of("k2400").amps == pytest.approx(0, abs=1e-9)
        assert smu.source_enabled is False

    def test_amperes_come_out(self, smu: Any, point_of: PointOf) -> None:
        smu.resistance_mode_auto_enabled = False
        smu.source_mode = "current"
        assert smu.source_mode == "current"
        smu.compliance_voltage = 2
        smu.source_current = 1e-3
        smu.source_enabled = True
        assert point_of("k2400").amps == pytest.approx(1e-3, rel=1e-3)
        assert smu.voltage == pytest.approx(1, rel=1e-2)
        assert smu.resistance == pytest.approx(OHMS, rel=1e-2)
        smu.ramp_to_current(5e-4, steps=3, pause=0)
        assert point_of("k2400").amps == pytest.approx(5e-4, rel=1e-3)
        assert smu.check_errors() == []
        smu.voltage_range = 2
        assert smu.voltage_range == pytest.approx(2.1)
        smu.resistance_range = 2000
        assert smu.resistance_range == pytest.approx(2.1e3)
        smu.disable_source()
        assert point_of("k2400").amps == pytest.approx(0, abs=1e-9)

    def test_deprecated_ways_to_configure(self, smu: Any, point_of: PointOf) -> None:
        with pytest.warns(FutureWarning):
            smu.apply_voltage(compliance_current=1e-2)
        smu.source_voltage = 0.5
        smu.enable_source()
        with pytest.warns(FutureWarning):
            smu.measure_current(nplc=0.1)
        assert smu.current == pytest.approx(5e-4, rel=1e-2)
        with pytest.warns(FutureWarning):
            smu.apply_current(compliance_voltage=2)
        smu.source_current = 1e-3
        smu.enable_source()
        with pytest.warns(FutureWarning):
            smu.measure_voltage()
        with pytest.warns(FutureWarning):
            smu.measure_resistance()
        assert smu.resistance == pytest.approx(OHMS, rel=1e-2)
        with pytest.warns(FutureWarning):
            smu.auto_range_source()
        with pytest.warns(FutureWarning):
            smu.use_rear_terminals()
        assert smu.front_terminals_enabled is False
        with pytest.warns(FutureWarning):
            smu.use_front_terminals()
        assert smu.front_terminals_enabled is True
        assert smu.check_errors() == []

    def test_buffer(self, smu: Any, bench: SimBench) -> None:
        smu.compliance_current = 1e-2
        smu.source_voltage = 0.5
        smu.resistance_mode_auto_enabled = False
        smu.write(":SENS:FUNC:ALL")
        smu.enable_source()
        smu.config_buffer(5, delay=0.1)
        before = bench.world.seconds
        smu.start_buffer()
        smu.wait_for_buffer(timeout=5, interval=0)
        assert smu.is_buffer_full()
        assert bench.world.seconds - before > 0.5
        assert smu.buffer_data.reshape(5, 5)[:, 1] == pytest.approx([5e-4] * 5, rel=1e-2)
        for word, name in [("mean", "means"), ("max", "maximums"), ("min", "minimums"), ("std", "standard_devs")]:
            volts, amps, ohms = getattr(smu, name)
            assert getattr(smu, f"{word}_voltage") == volts
            assert getattr(smu, f"{word}_current") == amps
            assert getattr(smu, f"{word}_resistance") == ohms
        assert smu.mean_current == pytest.approx(5e-4, rel=1e-2)
        assert smu.min_current <= smu.mean_current <= smu.max_current
        assert 0 < smu.std_current < 1e-6
        smu.reset_buffer()
        assert not smu.is_buffer_full()
        smu.stop_buffer()
        smu.disable_buffer()
        smu.reset_data_format()
        assert smu.check_errors() == []

    def test_triggers(self, smu: Any, bench: SimBench) -> None:
        smu.compliance_current = 1e-2
        smu.source_voltage = 0.5
        smu.enable_source()
        smu.trigger_on_bus()
        smu.start_buffer()
        smu.trigger()
        assert smu.values(":FETC?")[1] == pytest.approx(5e-4, rel=1e-2)
        smu.trigger_on_external(2)
        assert (smu.arm_source, smu.trigger_source, smu.arm_input_line) == ("trigger_link", "trigger_link", 2)
        smu.trigger_immediately()
        assert (smu.arm_source, smu.trigger_source) == ("immediate", "immediate")
        smu.clear_trigger()
        smu.reset_trigger()
        smu.disable_output_triggers()
        smu.sample_continuously()
        with pytest.warns(FutureWarning):
            smu.set_trigger_counts(2, 3)
        assert (smu.arm_count, smu.trigger_count) == (2, 3)
        with pytest.warns(FutureWarning):
            smu.set_timed_arm(0.5)
        assert (smu.arm_source, smu.arm_timer) == ("timer", 0.5)
        with pytest.warns(FutureWarning):
            smu.output_trigger_on_external(3, "SENS")
        assert (smu.trigger_output_event, smu.trigger_output_line) == ("sense", 3)
        with pytest.warns(FutureWarning):
            smu.disable_output_trigger()
        assert smu.trigger_output_event == "none"
        assert smu.check_errors() == []

    def test_sounds(self, smu: Any) -> None:
        smu.beep(440, 0.1)
        smu.triad(440, 0)
        smu.auto_zero_once()
        assert smu.check_errors() == []

    def test_defect_the_state_of_the_filter_cannot_be_read(self, smu: Any) -> None:
        with pytest.warns(FutureWarning, match="filter_state"):
            smu.filter_state = "ON"
        with pytest.warns(FutureWarning, match="filter_state"):
            assert smu.filter_state == 1, "a number, not one of its own words"

    def test_auto_ohms_chooses_the_current(self, smu: Any, point_of: PointOf) -> None:
        smu.resistance_mode_auto_enabled = True
        assert smu.resistance == pytest.approx(OHMS, rel=1e-3)
        assert smu.resistance_range == pytest.approx(2.1e3)
        assert smu.source_mode == "current"
        assert point_of("k2400").amps == pytest.approx(1e-3, rel=1e-3)
        smu.source_current = 5e-4
        assert smu.check_errors() == [[825, '"Invalid with auto-ohms on"']]
        smu.resistance_range = 2e4
        assert smu.resistance_range == pytest.approx(2.1e4)
        assert point_of("k2400").amps == pytest.approx(1e-4, rel=1e-3)
        smu.resistance_mode_auto_enabled = False
        assert smu.source_mode == "voltage"

    def test_options(self, smu: Any) -> None:
        assert smu.options == "0"
