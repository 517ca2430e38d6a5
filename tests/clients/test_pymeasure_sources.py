"""PyMeasure's generators and DC source on the simulated ones: their whole surface, and what it does to the bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pymeasure.instruments.agilent import Agilent33500
from pymeasure.instruments.keysight import Keysight81160A
from pymeasure.instruments.yokogawa import YokogawaGS200
from pyvisa import VisaIOError

from mtjlab.sim_instruments.simulated_bench import SimBench

from .conftest import Instruments, PointOf
from .surface import Record

SETTINGS: list[tuple[str, Any]] = [
    ("output_load", 50.0),
    ("shape", "SQU"),
    ("frequency", 2500.0),
    ("square_dutycycle", 25.0),
    ("amplitude_unit", "VPP"),
    ("amplitude", 0.5),
    ("offset", 0.1),
    ("voltage_high", 0.75),
    ("voltage_low", -0.25),
    ("phase", 90.0),
    ("shape", "RAMP"),
    ("ramp_symmetry", 30.0),
    ("shape", "PULS"),
    ("pulse_period", 1e-3),
    ("pulse_hold", "WIDT"),
    ("pulse_width", 1e-5),
    ("pulse_dutycycle", 10.0),
    ("pulse_transition", 2e-8),
    ("burst_mode", "GAT"),
    ("burst_mode", "TRIG"),
    ("burst_period", 0.5),
    ("burst_ncycles", 4),
    ("burst_state", True),
]


def taken_and_told(part: Any, name: str, value: Any) -> None:
    setattr(part, name, value)
    assert getattr(part, name) == (pytest.approx(value) if isinstance(value, float) else value), name


class TestAgilent33500:
    client = "pymeasure_agilent_33500"
    instruments: ClassVar[Instruments] = {"w33622a": {}}

    @pytest.fixture
    def generator(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Agilent33500("GPIB0::11::INSTR", visa_library=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.adapter.close()

    def test_identity_and_status(self, generator: Any) -> None:
        assert "33622A" in generator.id
        assert generator.options.strip() == "010"
        generator.clear()
        assert generator.complete.strip() == "1"
        assert generator.status.strip() == "0"
        generator.write("NONSENSE")
        assert generator.next_error[0] == -113
        generator.beep()
        generator.display = "hello"
        generator.clear_display()
        generator.phase_sync()
        generator.ext_trig_out = True
        assert generator.ext_trig_out is True
        assert generator.check_errors() == []

    def test_settings_are_taken_and_told(self, generator: Any) -> None:
        for part in (generator, generator.ch_1, generator.ch_2):
            for name, value in SETTINGS:
                taken_and_told(part, name, value)
        assert generator.check_errors() == []

    def test_a_level_comes_out(self, generator: Any, point_of: PointOf) -> None:
        for index, channel in enumerate((generator.ch_1, generator.ch_2)):
            channel.shape = "DC"
            channel.offset = 0.5
            assert point_of("w33622a", index).volts == pytest.approx(0, abs=1e-6)
            channel.output = True
            assert point_of("w33622a", index).volts == pytest.approx(1.0, rel=2e-2), "open: twice that of 50 ohm"
        generator.output = False
        assert generator.output is False
        assert point_of("w33622a", 0).volts == pytest.approx(0, abs=1e-6)
        assert generator.ch_2.output is True

    def test_arbitrary_waveforms(self, generator: Any) -> None:
        for part in (generator, generator.ch_1):
            part.data_volatile_clear()
            part.data_arb("ints", [*range(-10000, 10000, 500)])
            part.data_arb("floats", [-1, -0.5, 0, 0.5, 1, 0.5, 0, -0.5] * 4, data_format="float")
            part.arb_file = "floats"
            assert "FLOATS" in part.arb_file.upper()
            part.shape = "ARB"
            taken_and_told(part, "arb_srate", 1e5)
            taken_and_told(part, "arb_filter", "STEP")
            taken_and_told(part, "arb_advance", "SRAT")
            with pytest.raises(NotImplementedError):
                part.data_arb("x", [], data_format="binary")
            part.shape = "SIN"
        assert generator.check_errors() == []

    def test_a_burst_is_triggered_and_waited_for(self, generator: Any, bench: SimBench) -> None:
        generator.shape = "PULS"
        generator.frequency = 1000
        generator.burst_ncycles = 5
        generator.burst_state = True
        taken_and_told(generator, "trigger_source", "BUS")
        generator.output = True
        before = bench.world.seconds
        generator.trigger()
        generator.wait_for_trigger(timeout=5)
        assert 5e-3 < bench.world.seconds - before < 1e-2
        assert generator.check_errors() == []

    def test_defect_the_fastest_edges_are_refused(self, generator: Any) -> None:
        generator.shape = "PULS"
        with pytest.raises(ValueError, match="not in range"):
            generator.pulse_transition = 2.9e-9
        generator.write("FUNC:PULS:TRAN:BOTH 2.9E-9")
        assert generator.check_errors() == []


class TestKeysight81160A:
    client = "pymeasure_keysight_81160a"
    instruments: ClassVar[Instruments] = {"p81160a": {}}

    @pytest.fixture
    def generator(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keysight81160A("GPIB0::10::INSTR", visa_library=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.adapter.close()

    def test_identity_and_status(self, generator: Any) -> None:
        assert "81160A" in generator.id
        assert generator.options.strip() == "002"
        generator.clear()
        assert generator.complete.strip() == "1"
        assert generator.status.strip() == "0"
        generator.write("NONSENSE")
        assert generator.next_error[0] == -113
        generator.beep()
        assert generator.check_errors() == []

    @pytest.mark.parametrize("name", ["ch_1", "ch_2"])
    def test_settings_are_taken_and_told(self, generator: Any, name: str) -> None:
        part = getattr(generator, name)
        for setting, value in SETTINGS:
            if setting != "phase":
                taken_and_told(part, setting, value)
        for setting, value in [("limit_high", 2.0), ("limit_low", -2.0), ("limit_state_enabled", True)]:
            taken_and_told(part, setting, value)
        for setting, value in [("trigger_mode", "MAN"), ("trigger_count", 3)]:
            taken_and_told(part, setting, value)
        assert generator.check_errors() == []

    def test_settings_of_the_default_channel(self, generator: Any) -> None:
        for setting, value in SETTINGS:
            taken_and_told(generator, setting, value)
        assert generator.check_errors() == []

    def test_a_level_comes_out(self, generator: Any, point_of: PointOf) -> None:
        for index, channel in enumerate((generator.ch_1, generator.ch_2)):
            channel.apply_dc(0.5)
            channel.output = True
            assert point_of("p81160a", index).volts == pytest.approx(1.0, rel=2e-2), "open: twice that of 50 ohm"
        generator.output = False
        assert point_of("p81160a", 0).volts == pytest.approx(0, abs=1e-6)

    def test_waveforms_are_applied(self, generator: Any) -> None:
        channel = generator.ch_1
        for shape in ("sin", "square", "pulse", "user_waveform"):
            getattr(channel, f"apply_{shape}")(2000, 0.5, 0.1)
            assert (channel.frequency, channel.amplitude, channel.offset) == (2000, 0.5, 0.1)
        channel.apply_noise(0.5, 0.1)
        assert channel.shape == "NOIS"
        assert generator.check_errors() == []

    def test_a_user_waveform_is_loaded(self, generator: Any) -> None:
        channel = generator.ch_1
        channel.waveform_volatile = [-1.0, 0.0, 1.0, 0.5] * 4
        assert channel.waveform_volatile.tolist() == [-1.0, 0.0, 1.0, 0.5] * 4
        generator.write(":FUNC1:USER VOLATILE")
        generator.shape = "USER"
        assert generator.arb_file == "VOLATILE"
        assert generator.check_errors() == []

    def test_waveforms_are_kept_under_names(self, generator: Any, point_of: PointOf) -> None:
        channel = generator.ch_1
        assert channel.free_memory_slots == 4
        channel.save_waveform([1.0, 1.0, 1.0, 1.0], "upper")
        generator.ch_2.save_waveform([0.5, 1.0], "other")
        assert channel.waveforms == ["UPPER", "OTHER"]
        assert channel.free_memory_slots == 2
        channel.apply_user_waveform(1e6, 1.0, 0.0)
        generator.write(":FUNC1:USER UPPER")
        assert point_of("p81160a", 0).volts == pytest.approx(1.0, rel=3e-2)
        generator.ch_2.save_waveform([0.0, 1.0], "third")
        channel.delete_waveform("other")
        assert generator.ch_2.waveforms == ["UPPER", "THIRD"]
        assert generator.check_errors() == []

    def test_defect_a_single_waveform_is_no_list(self, generator: Any) -> None:
        generator.ch_1.save_waveform([0.5, 1.0], "single")
        assert generator.ch_1.waveforms == "SINGLE"

    def test_a_channel_follows_the_other(self, generator: Any, point_of: PointOf) -> None:
        first, second = generator.ch_1, generator.ch_2
        first.apply_dc(0.5)
        second.output = True
        taken_and_told(first, "coupling_enabled", True)
        assert second.shape == "DC"
        assert point_of("p81160a", 1).volts == pytest.approx(1.0, rel=3e-2)
        first.offset = 0.25
        assert point_of("p81160a", 1).volts == pytest.approx(0.5, rel=4e-2)
        taken_and_told(first, "coupling_enabled", False)
        first.offset = 0.75
        assert point_of("p81160a", 1).volts == pytest.approx(0.5, rel=4e-2)
        assert generator.check_errors() == []

    def test_triggers(self, generator: Any) -> None:
        generator.ch_1.trigger_mode = "MAN"
        generator.ch_1.trigger_count = 2
        generator.ch_1.output = True
        generator.trigger()
        generator.wait_for_trigger(timeout=5)
        taken_and_told(generator, "ext_trig_out", True)
        generator.display = "hello"
        generator.clear_display()
        generator.phase_sync()
        assert generator.check_errors() == []

    def test_defect_the_trigger_source_is_told_in_a_word_it_does_not_take(self, generator: Any) -> None:
        generator.trigger_source = "BUS"
        assert generator.trigger_source == "MAN"
        with pytest.raises(ValueError, match="MAN"):
            generator.trigger_source = "MAN"

    def test_defect_what_is_the_33500s_is_not_known(self, generator: Any) -> None:
        generator.adapter.connection.timeout = 100
        for part in (generator, generator.ch_1):
            for name in ("arb_srate", "arb_filter", "arb_advance"):
                with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
                    getattr(part, name)
            part.data_volatile_clear()
            part.data_arb("x", [0] * 8)
        generator.arb_file = "EXP_RISE"
        for name in ("phase", "arb_file"):
            with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
                getattr(generator.ch_1, name)
        assert {error[0] for error in generator.check_errors()} <= {-113, -114, -420, -350}


class TestGS200:
    client = "pymeasure_yokogawa_gs200"
    instruments: ClassVar[Instruments] = {"gs200": {}}

    @pytest.fixture
    def source(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        with pytest.warns(FutureWarning, match="SCPI"):
            driver = YokogawaGS200("GPIB0::1::INSTR", visa_library=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.adapter.close()

    def test_identity_and_status(self, source: Any) -> None:
        assert "GS2" in source.id
        source.clear()
        assert source.complete.strip() == "1"
        assert source.status.strip() == "0"
        assert source.options
        source.write(":NONSENSE")
        assert source.next_error[0] == -113
        assert source.check_errors() == []

    def test_amperes_make_a_field(self, source: Any, bench: SimBench) -> None:
        source.source_mode = "current"
        taken_and_told(source, "source_range", 0.2)
        taken_and_told(source, "voltage_limit", 10)
        source.source_level = 0.1
        source.source_enabled = True
        assert source.source_enabled is True
        bench.world.wait(5)
        assert bench.world.field_tesla == pytest.approx(0.1, rel=1e-2)
        source.trigger_ramp_to_level(-0.1, 2)
        bench.world.wait(10)
        assert bench.world.field_tesla == pytest.approx(-0.1, rel=1e-2)
        assert source.source_level == pytest.approx(-0.1)

    def test_volts(self, source: Any, point_of: PointOf) -> None:
        source.source_mode = "voltage"
        source.source_range = 1
        taken_and_told(source, "current_limit", 0.02)
        source.source_level = 0.5
        source.source_enabled = True
        assert source.check_errors() == []

    def test_defect_the_mode_is_told_in_another_word(self, source: Any) -> None:
        source.source_mode = "current"
        assert source.source_mode == "CURR"

    def test_defect_a_negative_level_beyond_the_range_is_not_caught(self, source: Any) -> None:
        source.source_mode = "voltage"
        source.source_range = 1
        with pytest.raises(ValueError, match="source_range"):
            source.source_level = 5
        source.source_level = -5
        assert source.next_error[0] == -222
