"""QCoDeS drivers of Keysight instruments on the simulated ones: their whole surface, and what it does to the bench."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from qcodes.instrument_drivers.Keysight import Keysight33622A, Keysight34980A, KeysightB2201, KeysightB2962A

from mtjlab.sim_instruments.simulated_bench import SimBench

from .conftest import Conducts, Instruments, PointOf
from .surface import Record

OHMS = 1000.0


class TestB2962A:
    client = "qcodes_keysight_b2962a"
    instruments: ClassVar[Instruments] = {"b2902a": {}}

    @pytest.fixture
    def smus(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = KeysightB2962A("b2902a", "GPIB0::23::INSTR", visalib=f"{spec}@mtjlab")
        driver.write("*RST")
        yield record.of(driver)
        driver.close()

    def test_volts_and_amperes_come_out(self, smus: Any, point_of: PointOf) -> None:
        assert smus.get_idn()["vendor"] == "Agilent Technologies" or smus.get_idn()["vendor"].startswith("Keysight")
        for index, smu in enumerate((smus.ch1, smus.ch2)):
            smu.source_mode("voltage")
            smu.source_voltage(0.5)
            smu.current_limit(1e-4)
            smu.enable(True)
            assert point_of("b2902a", index).is_limiting
            smu.current_limit(1e-2)
            assert smu.current_limit() == pytest.approx(1e-2)
            assert smu.source_voltage() == 0.5
            assert point_of("b2902a", index).amps == pytest.approx(5e-4, rel=1e-3)
            assert smu.voltage() == pytest.approx(0.5, rel=1e-2)
            assert smu.current() == pytest.approx(5e-4, rel=1e-2)
            assert smu.resistance() == pytest.approx(OHMS, rel=1e-2)
            smu.enable(False)
            assert smu.enable() is False
            smu.source_mode("current")
            assert smu.source_mode() == "current"
            smu.voltage_limit(2)
            assert smu.voltage_limit() == 2
            smu.source_current(1e-3)
            assert smu.source_current() == 1e-3
            smu.enable(True)
            assert point_of("b2902a", index).amps == pytest.approx(1e-3, rel=1e-3)
            smu.remote_sensing(True)
            assert smu.remote_sensing() is True
        assert smus.ask(":SYST:ERR?") == '+0,"No error"'

    def test_leads_drop_out_with_remote_sensing(self, smus: Any, bench: SimBench) -> None:
        bench.world.connect("b2902a.1.hi", "joint.lead", 10.0)
        bench.world.connect("joint.lead", "ground", 40.0)
        bench.world.connect("b2902a.1.sense_hi", "joint.lead", 1.0)
        smu = smus.ch1
        smu.source_mode("voltage")
        smu.current_limit(0.1)
        smu.source_voltage(0.5)
        smu.enable(True)
        parallel = 1 / (1 / OHMS + 1 / 50)
        assert smu.resistance() == pytest.approx(parallel, rel=1e-2), "the lead is measured with the load"
        smu.remote_sensing(True)
        lead_amps = 0.5 / 40
        assert smu.current() == pytest.approx(lead_amps + (0.5 + lead_amps * 10) / OHMS, rel=1e-2), "0.5 V at the load"
        assert smu.voltage() == pytest.approx(0.5, rel=1e-2)

    def test_defect_the_label_of_the_current_limit_was_never_filled_in(self, smus: Any) -> None:
        assert smus.ch1.current_limit.label == "Channel {} Current Limit"


class TestB2201:
    client = "qcodes_keysight_b2201"
    instruments: ClassVar[Instruments] = {"b2201a": {}}

    @pytest.fixture
    def matrix(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = KeysightB2201("b2201a", "GPIB0::22::INSTR", visalib=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.close()

    def test_relays_close_and_open(self, matrix: Any, conducts: Conducts) -> None:
        matrix.connect(1, 37)
        assert matrix.connections() == {(1, 37)}
        assert conducts("b2201a", 1, 401)
        assert not conducts("b2201a", 1, 402)
        matrix.disconnect(1, 37)
        assert not conducts("b2201a", 1, 401)
        matrix.connect_paths([(2, 1), (3, 48)])
        matrix.disconnect_all()
        assert matrix.connections() == set()
        assert matrix.to_channel_list([(1, 37), (14, 48)]) == "(@00137,01448)"
        assert matrix.parse_channel_list("00137,01448") == {(1, 37), (14, 48)}

    def test_errors_are_told_and_cleared(self, matrix: Any) -> None:
        matrix.clear_status()
        assert matrix.get_status() == 0
        matrix.write(":ROUT:NONSENSE")
        assert matrix.get_status() == 32
        assert matrix.get_error().startswith("-113,")
        matrix.clear_status()
        assert matrix.get_error() == '+0,"No error"'


class Test34980A:
    client = "qcodes_keysight_34980a"
    instruments: ClassVar[Instruments] = {"a34980a": {"cards": ["34934A-8x64"]}}

    @pytest.fixture
    def unit(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keysight34980A("a34980a", "GPIB0::9::INSTR", visalib=f"{spec}@mtjlab")
        recorded = record.of(driver)
        recorded.reset()
        yield recorded
        driver.close()

    def test_relays_close_and_open(self, unit: Any, conducts: Conducts, record: Record) -> None:
        module = record.of_part(unit.module[1])
        module.connect(2, 40)
        assert conducts("a34980a", 2, 140)
        assert not conducts("a34980a", 2, 141)
        module.disconnect(2, 40)
        assert module.is_open(2, 40)
        assert not conducts("a34980a", 2, 140)
        with pytest.raises(ValueError, match="out of range"):
            module.validate_value(9, 1)
        assert module.get_numbering_function(8, 64)(2, 40) == "240"
        module.write(f"ROUT:CLOS {module.to_channel_list([(1, 1)])}")
        assert module.is_closed(1, 1)
        unit.disconnect_all()
        assert module.is_open(1, 1)

    def test_errors_are_told_and_cleared(self, unit: Any) -> None:
        unit.clear_status()
        assert unit.get_status() == 0
        with pytest.warns(UserWarning, match="error occurred"):
            unit.write("ROUT:NONSENSE")
        assert unit.get_error().startswith("-113")
        unit.clear_status()
        assert unit.get_error() == '+0,"No error"'
        assert "34980A" in unit.ask("*IDN?")

    def test_defect_slots_cannot_be_scanned_again(self, unit: Any) -> None:
        with pytest.raises(KeyError, match="slot_1_34934A"):
            unit.scan_slots()

    def test_defect_no_configuration_with_more_than_one_matrix(self, unit: Any) -> None:
        for rows, columns in [(4, 32), (4, 64), (8, 32)]:
            with pytest.raises(ValueError, match="Invalid wiring config"):
                unit.slot_1_34934A.get_numbering_function(rows, columns)


class Test33622A:
    client = "qcodes_keysight_33622a"
    instruments: ClassVar[Instruments] = {"w33622a": {}}

    @pytest.fixture
    def generator(self, spec: str, bench: SimBench, record: Record) -> Iterator[Any]:
        driver = Keysight33622A("w33622a", "GPIB0::11::INSTR", visalib=f"{spec}@mtjlab")
        driver.write("*RST")
        yield record.of(driver)
        driver.close()

    def test_a_level_comes_out(self, generator: Any, bench: SimBench) -> None:
        outputs = bench.world.sources_of("w33622a")
        for source, channel in zip(outputs, (generator.ch1, generator.ch2), strict=True):
            channel.function_type("DC")
            channel.offset(0.5)
            assert source.point().volts == pytest.approx(0, abs=1e-6)
            channel.output("ON")
            assert source.point().volts == pytest.approx(1.0, rel=2e-2), "0.5 V into 50 ohm is 1 V into nothing"
            assert channel.output() == "ON"
            channel.output("OFF")
            assert source.point().volts == pytest.approx(0, abs=1e-6)

    def test_settings(self, generator: Any) -> None:
        one = generator.ch1
        for setting, value in [
            (one.function_type, "RAMP"),
            (one.ramp_symmetry, 25),
            (one.phase, 90),
            (one.amplitude_unit, "VRMS"),
            (one.amplitude, 0.2),
            (one.offset, 0.1),
            (one.frequency, 2500),
            (one.function_type, "PULS"),
            (one.pulse_width, 1e-5),
            (one.trigger_source, "EXT"),
            (one.trigger_slope, "NEG"),
            (one.trigger_count, 3),
            (one.trigger_delay, 0.5),
            (one.trigger_timer, 2),
            (one.output_polarity, "INV"),
            (one.burst_mode, "Gated"),
            (one.burst_polarity, "INV"),
            (one.burst_mode, "N Cycle"),
            (one.burst_ncycles, 7),
            (one.burst_int_period, 0.25),
            (one.burst_phase, 45),
            (one.burst_state, "ON"),
            (generator.sync.output, "OFF"),
            (generator.sync.source, 2),
        ]:
            setting(value)
            assert setting() == (pytest.approx(value) if isinstance(value, float) else value)
        one.trigger_source("BUS")
        one.output("ON")
        generator.force_trigger()
        generator.sync_channel_phases()
        assert generator.error() == (0, "No error")

    def test_bursts_reach_a_load(self, generator: Any, bench: SimBench) -> None:
        """Pulses of a burst on a resistor: how long the output is high is what was asked for."""
        one, source = generator.ch1, bench.world.sources_of("w33622a")[0]
        for setting, value in [
            (one.function_type, "PULS"),
            (one.pulse_width, 2e-6),
            (one.frequency, 1e5),
            (one.amplitude, 1.0),
            (one.offset, 0.5),
            (one.burst_mode, "N Cycle"),
            (one.burst_ncycles, 50),
            (one.burst_state, "ON"),
            (one.trigger_source, "BUS"),
            (one.output, "ON"),
        ]:
            setting(value)
        before = bench.world.seconds
        assert source.point().volts == pytest.approx(0, abs=1e-6)
        generator.force_trigger()
        assert generator.ask("*OPC?") == "1"
        assert 50e-5 < bench.world.seconds - before < 50e-5 + 5e-3
        one.burst_ncycles("INF")
        generator.force_trigger()
        highest = max(bench.world.wait(0.7e-6) or source.point().volts for _ in range(15))
        assert highest == pytest.approx(2.0, rel=2e-2), "into nothing it is twice that into 50 ohm"
        one.output("OFF")
        assert generator.error() == (0, "No error")

    def test_errors_are_flushed(self, generator: Any, capsys: pytest.CaptureFixture[str]) -> None:
        generator.write("NONSENSE")
        generator.flush_error_queue()
        assert capsys.readouterr().out.splitlines()[-1] == "0 No error"

    def test_defect_a_frequency_mode_is_taken_in_long_form_and_told_in_short(self, generator: Any) -> None:
        generator.ch1.frequency_mode("FIXED")
        assert generator.ch1.frequency_mode() not in ("FIXED", "SWEEP")
