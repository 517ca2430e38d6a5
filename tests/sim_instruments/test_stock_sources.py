"""Stock drivers of generators and DC sources, unmodified, on the simulated ones.

Found in the drivers, not hidden here:
- QCoDeS Yokogawa GS200 sleeps in real time while it polls a hardware ramp; the test replaces that `time.sleep` only.
- QCoDeS GS200 declares `trigger` and BNC values in lower case but gets the instrument's upper-case words.
- PyMeasure Agilent33500 allows edges of 8.4 ns to 1 us only, so not the 33622A's 2.9 ns.
- PyMeasure YokogawaGS200 checks a level against 1.2 times the range from above only, not a negative one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from qcodes.instrument_drivers.Keysight import Keysight33522B, Keysight33622A
from qcodes.instrument_drivers.yokogawa import YokogawaGS200

from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

BENCH = """
bench: sources
seed: 1
line_hertz: 50
die: {rows: 2, cols: 2, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}
instruments:
  - {name: fast, model: keysight_33622a, address: "GPIB0::11::INSTR"}
  - {name: slow, model: keysight_33522b, address: "GPIB0::12::INSTR"}
  - {name: magnet, model: yokogawa_gs200, address: "GPIB0::1::INSTR", coil: {tesla_per_amp: 1.0, settle_seconds: 0.3}}
cables:
  - {from: fast.1.hi, to: die.row.0}
  - {from: fast.2.hi, to: die.row.1}
  - {from: die.col.0, to: ground}
  - {from: die.col.1, to: ground}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "sources.yaml"
    path.write_text(BENCH)
    yield str(path)
    sim_bench(str(path)).close()


@pytest.fixture
def bench(spec: str) -> SimBench:
    return sim_bench(spec)


def test_qcodes_keysight_33622a_writes_cells(spec: str, bench: SimBench) -> None:
    gen = Keysight33622A("gen", "GPIB0::11::INSTR", visalib=f"{spec}@mtjlab")
    try:
        bench.world.die.is_parallel[:] = False
        for channel in (gen.ch1, gen.ch2):
            channel.function_type("PULS")
            channel.pulse_width(200e-9)
            channel.frequency(1e5)
            channel.amplitude_unit("VPP")
            channel.amplitude(0.6)
            channel.offset(0.3)
            channel.burst_mode("N Cycle")
            channel.burst_ncycles(3)
            channel.burst_state("ON")
            channel.trigger_source("BUS")
            channel.output("ON")
        gen.ch2.output("OFF")
        gen.force_trigger()
        assert bench.world.die.is_parallel.tolist() == [True, True, False, False]
        assert gen.ch1.amplitude() == pytest.approx(0.6)
        assert gen.ch1.burst_ncycles() == 3
        assert gen.ch1.frequency_mode() == "CW"
        gen.ch1.burst_ncycles("INF")
        assert gen.ch1.burst_ncycles() == float("inf")
        assert gen.sync.source() == 1
        gen.sync_channel_phases()
        gen.snapshot(update=True)
        assert gen.error() == (0, "No error")
    finally:
        gen.close()


def test_qcodes_keysight_33522b(spec: str) -> None:
    gen = Keysight33522B("gen", "GPIB0::12::INSTR", visalib=f"{spec}@mtjlab")
    try:
        gen.ch2.output_polarity("INV")
        gen.ch2.ramp_symmetry(30)
        gen.ch2.trigger_count(5)
        gen.ch2.trigger_delay(1e-3)
        gen.ch2.burst_polarity("INV")
        gen.ch2.burst_int_period(0.1)
        assert gen.ch2.output_polarity() == "INV"
        assert gen.ch2.trigger_count() == 5
        assert gen.ch2.burst_polarity() == "INV"
        gen.snapshot(update=True)
        assert gen.error() == (0, "No error")
    finally:
        gen.close()


def test_qcodes_gs200_makes_a_field(spec: str, bench: SimBench, monkeypatch: pytest.MonkeyPatch) -> None:
    magnet = YokogawaGS200("magnet", "GPIB0::1::INSTR", visalib=f"{spec}@mtjlab")
    monkeypatch.setattr("qcodes.instrument_drivers.yokogawa.Yokogawa_GS200.time.sleep", lambda seconds: None)
    try:
        magnet.source_mode("CURR")
        magnet.current_range(0.2)
        magnet.voltage_limit(20)
        magnet.output("on")
        magnet.current(0.1)
        assert magnet.current() == pytest.approx(0.1)
        bench.world.wait(5)
        assert bench.world.field_tesla == pytest.approx(0.1, rel=1e-3)
        before = bench.world.seconds
        with magnet.ramp_rate.set_to(0.1):
            magnet.ramp_current(-0.1, ramp_mode="HARDWARE")
        assert bench.world.seconds - before == pytest.approx(2.0, abs=0.3)
        assert magnet.current() == pytest.approx(-0.1)
        bench.world.wait(3)
        assert bench.world.field_tesla == pytest.approx(-0.1, rel=1e-3)
        magnet.measure.on()
        assert magnet.measure.measure() == pytest.approx(-1.0, abs=0.01), "volts on 10 ohm"
        magnet.snapshot(update=True)
        assert magnet.system_errors() == '0,"No error"'
    finally:
        magnet.close()


def test_pymeasure_agilent_33500(spec: str, bench: SimBench) -> None:
    agilent = pytest.importorskip("pymeasure.instruments.agilent")
    gen = agilent.Agilent33500("GPIB0::11::INSTR", visa_library=f"{spec}@mtjlab")
    bench.world.die.is_parallel[:] = False
    channel = gen.ch_1
    channel.shape = "PULS"
    channel.pulse_width = 200e-9
    channel.pulse_period = 1e-5
    channel.pulse_transition = 10e-9
    channel.output_load = "INF"
    channel.amplitude_unit = "VPP"
    channel.voltage_high = 1.1
    channel.voltage_low = 0
    channel.burst_ncycles = 1
    channel.burst_state = True
    gen.trigger_source = "BUS"
    channel.output = True
    gen.trigger()
    gen.wait_for_trigger(timeout=5)
    assert bench.world.die.is_parallel.tolist() == [True, True, False, False]
    assert channel.amplitude == pytest.approx(1.1)
    assert float(channel.output_load) > 9e37
    channel.data_volatile_clear()
    channel.data_arb("test", range(-10000, 10000, 200), data_format="DAC")
    channel.arb_file = "test"
    channel.shape = "ARB"
    channel.arb_srate = 1e6
    gen.display = "hello"
    gen.clear_display()
    gen.beep()
    gen.phase_sync()
    gen.ext_trig_out = True
    assert gen.ext_trig_out is True
    assert gen.check_errors() == []
    gen.adapter.connection.close()


def test_pymeasure_gs200(spec: str, bench: SimBench) -> None:
    yokogawa = pytest.importorskip("pymeasure.instruments.yokogawa")
    with pytest.warns(FutureWarning, match="SCPI"):
        source = yokogawa.YokogawaGS200("GPIB0::1::INSTR", visa_library=f"{spec}@mtjlab")
    source.source_mode = "current"
    source.source_range = 0.2
    source.voltage_limit = 10
    source.source_enabled = True
    source.source_level = 0.05
    assert source.source_level == pytest.approx(0.05)
    bench.world.wait(5)
    assert bench.world.field_tesla == pytest.approx(0.05, rel=1e-3)
    source.trigger_ramp_to_level(0.15, 5)
    bench.world.wait(2.5)
    assert 0.06 < bench.world.field_tesla < 0.11
    bench.world.wait(10)
    assert bench.world.field_tesla == pytest.approx(0.15, rel=1e-3)
    source.source_enabled = False
    source.adapter.connection.close()
