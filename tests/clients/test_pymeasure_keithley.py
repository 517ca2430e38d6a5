"""PyMeasure's Keithley 2450 and 2600 on the simulated ones: their whole surface, and what it does to the bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import pyvisa
from pymeasure.instruments.keithley import Keithley2450, Keithley2600

from mtjlab.sim_instruments.simulated_bench import SimBench

from .conftest import Instruments, PointOf
from .surface import Record

OHMS = 1000.0
SETTINGS_2450: list[tuple[str, Any]] = [
    ("current_range", 1e-3),
    ("current_nplc", 0.5),
    ("compliance_current", 1e-3),
    ("source_current", 1e-4),
    ("source_current_range", 1e-3),
    ("source_current_delay", 0.25),
    ("source_current_delay_auto", True),
    ("voltage_nplc", 2.0),
    ("compliance_voltage", 5.0),
    ("source_voltage", 0.5),
    ("source_voltage_range", 2.0),
    ("voltage_range", 2.0),
    ("source_voltage_delay", 0.5),
    ("source_voltage_delay_auto", True),
    ("resistance_range", 2000.0),
    ("resistance_nplc", 3.0),
    ("wires", 4),
    ("buffer_points", 500),
    ("current_filter_type", "MOV"),
    ("current_filter_count", 7),
    ("voltage_filter_type", "MOV"),
    ("voltage_filter_count", 8),
    ("current_output_off_state", "ZERO"),
    ("voltage_output_off_state", "HIMP"),
]


class TestKeithley2450:
    client = "pymeasure_keithley_2450"
    instruments: ClassVar[Instruments] = {"k2450": {}}

    @pytest.fixture
    def smu(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keithley2450("GPIB0::18::INSTR", visa_library=f"{spec}@mtjlab", read_termination="\n")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.adapter.close()

    def test_identity_and_status(self, smu: Any) -> None:
        assert "MODEL 2450" in smu.id
        smu.clear()
        assert smu.complete == "1"
        assert smu.status == "0"
        smu.write(":NONSENSE")
        assert smu.next_error[0] == -113
        with pytest.warns(FutureWarning, match="next_error"):
            assert smu.error[0] == 0
        smu.beep(440, 0.1)
        smu.triad(440, 0.001)
        smu.use_rear_terminals()
        assert smu.ask(":ROUT:TERM?") == "REAR"
        smu.use_front_terminals()
        assert smu.ask(":ROUT:TERM?") == "FRON"
        assert smu.check_errors() == []

    def test_settings_are_taken_and_told(self, smu: Any) -> None:
        for name, value in SETTINGS_2450:
            setattr(smu, name, value)
            assert getattr(smu, name) == (pytest.approx(value) if isinstance(value, float) else value), name
        assert smu.check_errors() == []

    def test_volts_come_out(self, smu: Any, point_of: PointOf) -> None:
        smu.apply_voltage(compliance_current=1e-4)
        smu.source_voltage = 0.5
        smu.measure_current(nplc=0.1)
        smu.enable_source()
        assert point_of("k2450").is_limiting
        smu.compliance_current = 1e-2
        assert point_of("k2450").amps == pytest.approx(5e-4, rel=1e-3)
        assert smu.current == pytest.approx(5e-4, rel=1e-2)
        smu.measure_voltage()
        assert smu.voltage == pytest.approx(0.5, rel=1e-2)
        smu.measure_resistance()
        assert smu.resistance == pytest.approx(OHMS, rel=1e-2)
        smu.ramp_to_voltage(0.1, steps=3, pause=0)
        assert point_of("k2450").volts == pytest.approx(0.1, abs=1e-3)
        smu.auto_range_source()
        smu.disable_source()
        assert smu.source_enabled is False
        assert point_of("k2450").amps == pytest.approx(0, abs=1e-9)

    def test_amperes_come_out(self, smu: Any, point_of: PointOf, monkeypatch: pytest.MonkeyPatch) -> None:
        smu.apply_current(compliance_voltage=2)
        assert smu.source_mode == "current"
        smu.source_current = 1e-3
        smu.enable_source()
        assert point_of("k2450").amps == pytest.approx(1e-3, rel=1e-3)
        smu.ramp_to_current(5e-4, steps=3, pause=0)
        assert point_of("k2450").amps == pytest.approx(5e-4, rel=1e-3)
        monkeypatch.setattr("pymeasure.instruments.keithley.keithley2450.time.sleep", lambda seconds: None)
        smu.shutdown()
        assert point_of("k2450").amps == pytest.approx(0, abs=1e-9)

    def test_the_buffer_is_read(self, smu: Any) -> None:
        smu.apply_voltage(compliance_current=1e-2)
        smu.source_voltage = 0.5
        smu.measure_current()
        smu.enable_source()
        smu.write(":SENS:COUN 3")
        smu.values(":READ?")
        smu.start_buffer()
        smu.stop_buffer()
        smu.trigger()
        assert smu.means == pytest.approx(5e-4, rel=1e-2)
        assert smu.minimums <= smu.means <= smu.maximums
        assert 0 <= smu.standard_devs < 1e-6

    @pytest.mark.parametrize("word", ["mean", "max", "min", "std"])
    def test_defect_statistics_are_thought_to_be_three(self, smu: Any, word: str) -> None:
        smu.enable_source()
        smu.values(":READ?")
        for name in ("means", "maximums", "minimums", "standard_devs"):
            assert isinstance(getattr(smu, name), float)
        for quantity in ("voltage", "current", "resistance"):
            with pytest.raises(TypeError, match="subscript"):
                getattr(smu, f"{word}_{quantity}")

    def test_defect_the_filter_is_told_as_a_number(self, smu: Any) -> None:
        smu.current_filter_state = "ON"
        assert smu.current_filter_state == 1

    def test_defect_the_buffer_of_the_2400_is_not_there(self, smu: Any) -> None:
        smu.config_buffer(5)
        assert smu.next_error[0] == 0, "it has read and dropped the errors"
        for call in (smu.reset_buffer, smu.disable_buffer):
            call()
            assert smu.next_error[0] == -113
        assert not smu.is_buffer_full()
        with pytest.raises(Exception, match="Timed out waiting"):
            smu.wait_for_buffer(timeout=0, interval=0)
        smu.adapter.connection.timeout = 100
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
            _ = smu.buffer_data


@pytest.mark.parametrize(
    ("name", "board"),
    [("k2602b", 26), ("k2612b", 12), ("k2636b", 27)],
    scope="class",
)
class TestKeithley2600:
    client = "pymeasure_keithley_2600"

    @pytest.fixture
    def smus(self, spec: str, bench: SimBench, record: Record, name: str, board: int) -> Iterator[Any]:
        with pytest.warns(FutureWarning, match="SCPI"):
            driver = Keithley2600(f"GPIB0::{board}::INSTR", visa_library=f"{spec}@mtjlab", read_termination="\n")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.adapter.close()

    def test_identity_and_status(self, smus: Any, name: str) -> None:
        assert f"Model {name[1:].upper()}" in smus.id
        smus.clear()
        assert smus.complete == "1"
        assert smus.status == "0"
        smus.write("nonsense()")
        assert smus.next_error[0] == -286
        with pytest.warns(FutureWarning, match="next_error"):
            assert smus.error[0] == 0
        assert smus.check_errors() == []

    def test_volts_and_amperes_come_out(self, smus: Any, name: str, point_of: PointOf) -> None:
        for index, smu in enumerate((smus.ChA, smus.ChB)):
            smu.apply_voltage(compliance_current=1e-4)
            smu.source_voltage = 0.5
            smu.source_output = "ON"
            assert smu.source_output == "ON"
            assert point_of(name, index).is_limiting
            smu.compliance_current = 1e-2
            assert smu.compliance_current == pytest.approx(1e-2)
            assert point_of(name, index).volts == pytest.approx(0.5, abs=1e-3)
            smu.measure_current(nplc=0.1)
            assert smu.current == pytest.approx(5e-4, rel=1e-2)
            smu.measure_voltage()
            assert smu.voltage == pytest.approx(0.5, rel=1e-2)
            assert smu.resistance == pytest.approx(OHMS, rel=1e-2)
            smu.ramp_to_voltage(0.1, steps=3, pause=0)
            assert point_of(name, index).volts == pytest.approx(0.1, abs=1e-3)
            smu.source_output = "OFF"
            smu.apply_current(compliance_voltage=2)
            assert smu.source_mode == "current"
            smu.source_current = 1e-3
            smu.source_output = "ON"
            assert point_of(name, index).amps == pytest.approx(1e-3, rel=1e-3)
            smu.ramp_to_current(5e-4, steps=3, pause=0)
            assert point_of(name, index).amps == pytest.approx(5e-4, rel=1e-3)
            assert smu.ask("source.leveli") == pytest.approx(5e-4)
            assert smu.values("source.leveli") == [pytest.approx(5e-4)]

    def test_settings(self, smus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        smu = smus.ChA
        volts = 6.0 if "2602" in smus.id else 20.0
        smu.auto_range_source()
        for setting, value in [
            ("wires_mode", "4"),
            ("source_current_range", 1e-3),
            ("current_range", 1e-3),
            ("source_voltage_range", volts),
            ("voltage_range", volts),
            ("compliance_voltage", 5.0),
            ("source_mode", "voltage"),
        ]:
            setattr(smu, setting, value)
            assert getattr(smu, setting) == (value if isinstance(value, str) else pytest.approx(value)), setting
        smu.write("measure.count=1")
        smu.check_errors()
        monkeypatch.setattr("pymeasure.instruments.keithley.keithley2600.time.sleep", lambda seconds: None)
        smu.shutdown()
        assert smu.source_output == "OFF"
        assert smus.next_error[0] == 0

    def test_defect_nplc_needs_a_mapping_it_does_not_have(self, smus: Any) -> None:
        with pytest.raises(Exception) as caught:
            smus.ChA.measure_nplc = 0.5
        assert caught.type in (ValueError, KeyError, TypeError)

    def test_defect_small_values_are_sent_as_zero(self, smus: Any) -> None:
        smus.ChA.source_current = 4e-7
        assert smus.ChA.source_current == 0

    def test_defect_binary_values_are_asked_for_with_wrong_arguments(self, smus: Any) -> None:
        with pytest.raises((AttributeError, TypeError, ValueError)):
            smus.ChA.binary_values("source.leveli")
