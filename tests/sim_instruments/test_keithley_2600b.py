"""Dialogues with a simulated 2600B, its sweeps and pulses on a junction, TSP-Link, and stock drivers on it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qcodes.dataset import LinSweep
from qcodes.instrument_drivers.Keithley import Keithley2602B

from mtjlab.sim_instruments.accuracy_keithley_2600b import MODEL_2602B, MODEL_2636B, READING_SECONDS
from mtjlab.sim_instruments.keithley_2600b import SimKeithley2600B
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
ON = "smua.source.levelv = 0.5 smua.source.limiti = 10e-3 smua.source.output = smua.OUTPUT_ON"
BENCH = """
bench: tsp
seed: 11
line_hertz: 50
die: {rows: 3, cols: 3, contact_ohms: 0.1, segment_ohms: 0.1, delta: 80.0,
      defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}
instruments:
  - {name: smu, model: keithley_2602b, address: "GPIB0::26::INSTR", serial: "4498311", tsp_link: {2: matrix, 3: third}}
  - {name: third, model: keithley_2636b, address: "GPIB0::27::INSTR", serial: "4"}
  - {name: matrix, model: keithley_707b, address: "GPIB0::16::INSTR", serial: "1300001", cards: [7174A]}
  - {name: small, model: keithley_708b, address: "GPIB0::17::INSTR", serial: "5", cards: [7174A]}
wiring: wiring.yaml
"""
WIRING = """
matrix: matrix
smus: {smu.a: A, smu.b: B, third.a: C}
row_lines: [101, 102, 103]
col_lines: [104, 105, 106]
device:
  name: junction
  nominal_on_off_siemens: 9.6e-5
  limits: {read_volts: 0.15, write_volts_positive: 0.9, write_volts_negative: 0.9, pulse_seconds: 0.05, amps: 0.01,
           pulses_per_cell: 200}
"""


@pytest.fixture
def smu() -> SimKeithley2600B:
    """A 2602B whose channel A is on a kilohm to ground."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2600B("k", world, HostClock(world), smu=MODEL_2602B, serial="42")
    world.add_source("ground", "ground.hi").drive_volts(0.0, 2.0)
    world.connect("k.a.hi", "ground.hi", OHMS)
    return unit


@pytest.fixture
def tsp_spec(tmp_path: Path) -> Iterator[str]:
    """A bench with a 2602B as TSP-Link master of a 707B and a 2636B on a small array."""
    (tmp_path / "bench.yaml").write_text(BENCH)
    (tmp_path / "wiring.yaml").write_text(WIRING)
    path = str(tmp_path / "bench.yaml")
    yield path
    sim_bench(path).close()


@pytest.fixture
def tsp_bench(tsp_spec: str) -> SimBench:
    return sim_bench(tsp_spec)


def errors(smu: SimKeithley2600B) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def lines(unit: Any) -> list[str]:
    replies = [reply.decode("latin-1").removesuffix("\n") for reply in unit._replies]
    unit.drop_replies()
    return replies


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("*IDN?", "Keithley Instruments Inc., Model 2602B, 42, 3.3.5"),
        ("print(smua.source.func, smua.source.levelv, smua.source.output)", "1.00000e+00\t0.00000e+00\t0.00000e+00"),
        ("print(smua.source.limiti, smua.source.limitv, smua.measure.nplc)", "1.00000e+00\t4.00000e+01\t1.00000e+00"),
        ("smua.source.rangev = 5 print(smua.source.rangev, smua.source.autorangev)", "6.00000e+00\t0.00000e+00"),
        ("print(smua.nothing, smub.nvbuffer1.n, smua.nvbuffer1.capacity)", "nil\t0.00000e+00\t6.00000e+04"),
        ("print(smua.source.compliance, status.measurement.instrument.smua.condition)", "false\t0.00000e+00"),
        ("b = smua.makebuffer(5) b.appendmode = 1 print(b.n, b.capacity, b.appendmode)",
         "0.00000e+00\t5.00000e+00\t1.00000e+00"),
        ("g = makegetter(smua.source, 'limiti') print(g())", "1.00000e+00"),
        ("s = makesetter(smub.measure, 'count') s(3) print(smub.measure.count)", "3.00000e+00"),
        ("print(getmetatable(smua).luatype, getmetatable(smua.source).Setters.compliance)", "object\tnil"),
        ("digio.writebit(1, 0) print(digio.readport())", "1.63820e+04"),
        ("display.settext('x') display.screen = display.USER print(display.screen)", "3.00000e+00"),
        ("print(eventlog.count, tsplink.state, tsplink.node)", "0.00000e+00\toffline\t1.00000e+00"),
        ("trigger.timer[1].delay = 2e-3 print(trigger.timer[1].delay, trigger.wait(0.1))", "2.00000e-03\tfalse"),
        ("for n in script.factory.catalog() do last = n end print(last)", "KISweep"),
        ("print(1) exit() print(2)", "1.00000e+00"),
        ("print(smua.contact.check(), smua.contact.r())", "true\t4.00000e-01\t4.00000e-01"),
    ],
)  # fmt: skip
def test_dialogue(smu: SimKeithley2600B, ask: Any, message: str, reply: str) -> None:
    assert ask(smu, message) == reply
    assert errors(smu) == []
    assert lines(smu) == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("smua.source.levelv = 100", 1101),
        ("smua.source.limiti = 0", 1102),
        ("smua.source.rangev = 1 smua.source.levelv = 5", 5005),
        ("smua.source.levelv = 30 smua.source.limiti = 3", 5007),
        ("smua.measure.nplc = 50", 1101),
        ("smua.measure.nplc = 0", 1102),
        ("smua.source.func = 7", 1101),
        ("smua.source.compliance = true", -286),
        ("smua.nvbuffer1.n = 3", -286),
        ("smua.foo.bar = 1", -286),
        ("smua.measure.i(", -285),
        ("smua.measure.i({})", 1401),
        ("printbuffer(1, 1, smua.nvbuffer1)", 5038),
        ("smua.trigger.source.action = 1 smua.trigger.initiate()", 5059),
        ("smua.trigger.measure.action = 1 smua.trigger.initiate()", 5060),
        ("smua.measure.i(smua.nvbuffer1) smua.nvbuffer1.collectsourcevalues = 0", 5032),
        ("smua.source.offmode = smua.OUTPUT_HIGH_Z smua.contact.check()", 5048),
        ("digio.writebit(20, 1)", 1801),
        ("script.delete('none')", -292),
        ("tsplink.reset()", 1205),
    ],
)
def test_errors(smu: SimKeithley2600B, tell: Any, message: str, code: int) -> None:
    tell(smu, message)
    assert errors(smu) == [code]


def test_it_measures_a_resistor_within_its_accuracy(smu: SimKeithley2600B, ask: Any, tell: Any) -> None:
    tell(smu, ON)
    amps, volts = (float(part) for part in ask(smu, "print(smua.measure.iv())").split("\t"))
    assert volts == pytest.approx(0.5, abs=5e-4)
    assert amps == pytest.approx(volts / OHMS, rel=1e-3)
    assert float(ask(smu, "print(smua.measure.r())")) == pytest.approx(OHMS, rel=2e-3)
    tell(smu, "smua.source.output = 0")
    assert abs(float(ask(smu, "print(smua.measure.i())"))) < 1e-6


def test_the_limit_holds_in_the_world_and_shows_everywhere(smu: SimKeithley2600B, ask: Any, tell: Any) -> None:
    tell(smu, ON, "smua.source.levelv = 20", "smua.measure.i(smua.nvbuffer1)")
    assert float(ask(smu, "print(smua.measure.v())")) == pytest.approx(10.0, rel=2e-3)
    asked = "print(smua.source.compliance, status.measurement.instrument.smua.condition, smua.nvbuffer1.statuses[1])"
    compliance, condition, status = ask(smu, asked).split("\t")
    assert compliance == "true"
    assert int(float(condition)) & 3 == 2
    assert int(float(status)) & 0x40
    tell(smu, "status.measurement.current_limit.enable = 2 status.measurement.enable = 2 status.request_enable = 1")
    tell(smu, "smua.source.levelv = 0 smua.measure.i() smua.source.levelv = 20 smua.measure.i()")
    assert smu.serial_poll() & 0x41 == 0x41


def test_a_fixed_measure_range_overflows(smu: SimKeithley2600B, ask: Any, tell: Any) -> None:
    tell(smu, ON, "smua.measure.rangei = 1e-4")
    assert ask(smu, "print(smua.measure.i())") == "9.91000e+37"


@pytest.mark.parametrize(("data", "code"), [("REAL32", "f"), ("REAL64", "d")])
def test_binary_buffers(smu: SimKeithley2600B, tell: Any, data: str, code: str) -> None:
    tell(smu, ON, "smua.measure.count = 10 smua.measure.i(smua.nvbuffer1)")
    tell(smu, f"format.data = format.{data} format.byteorder = format.BIGENDIAN")
    tell(smu, "printbuffer(1, 10, smua.nvbuffer1, smua.nvbuffer1.timestamps) print('end')")
    assert smu._replies[0].startswith(b"#0")
    values = np.array([v for (v,) in struct.iter_unpack(f">{code}", smu._replies[0][2:-1])])
    assert values[::2] == pytest.approx(5e-4, rel=1e-3)
    assert np.diff(values[1::2]) == pytest.approx(0.02 + READING_SECONDS, rel=1e-3)
    assert smu._replies[1] == b"end\n"


def test_a_trigger_model_pulse_sweep_with_a_timer(smu: SimKeithley2600B, ask: Any, tell: Any) -> None:
    script = """loadscript pulses
        smua.measure.nplc = 0.01 smua.measure.rangei = 1e-3
        trigger.timer[1].delay = 1e-2 trigger.timer[1].count = 4 trigger.timer[1].passthrough = true
        trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID
        trigger.timer[2].delay = 1e-3 trigger.timer[2].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID
        smua.trigger.source.linearv(0.1, 0.5, 5) smua.trigger.source.action = smua.ENABLE
        smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID
        smua.trigger.measure.iv(smua.nvbuffer1, smua.nvbuffer2) smua.trigger.measure.action = smua.ENABLE
        smua.trigger.endpulse.action = smua.SOURCE_IDLE smua.trigger.endpulse.stimulus = trigger.timer[2].EVENT_ID
        smua.trigger.count = 5 smua.source.levelv = 0 smua.source.output = 1
        smua.trigger.initiate() waitcomplete()
        endscript"""
    tell(smu, *(line.strip() for line in script.split("\n")), "pulses.run()")
    volts = [float(v) for v in ask(smu, "printbuffer(1, 5, smua.nvbuffer2)").split(", ")]
    assert volts == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], abs=1e-3)
    times = [float(v) for v in ask(smu, "printbuffer(1, 5, smua.nvbuffer1.timestamps)").split(", ")]
    assert np.diff(times) == pytest.approx(0.01, abs=1e-4)
    assert ask(smu, "print(smua.source.levelv, status.operation.sweeping.condition)") == "0.00000e+00\t0.00000e+00"
    assert errors(smu) == []


def test_a_sweep_overlaps_with_commands(smu: SimKeithley2600B, ask: Any, tell: Any) -> None:
    tell(smu, ON, "smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.measure.action = 1 smua.trigger.count = 50")
    tell(smu, "smua.trigger.arm.stimulus = trigger.EVENT_ID smua.trigger.initiate()")
    assert ask(smu, "print(status.operation.sweeping.condition)") == "2.00000e+00"
    tell(smu, "*TRG")
    assert ask(smu, "print(status.operation.sweeping.condition)", 0.5) == "2.00000e+00", "answers during the sweep"
    for _ in range(20):
        if ask(smu, "print(status.operation.sweeping.condition)", 0.5) == "0.00000e+00":
            break
    assert ask(smu, "print(smua.nvbuffer1.n, status.operation.sweeping.condition)") == "5.00000e+01\t0.00000e+00"


def test_pulse_factory_scripts_check_what_they_are_given(smu: SimKeithley2600B, tell: Any) -> None:
    pulse = "print(ConfigPulseVMeasureI(smua, 0, 0.5, 1e-2, {}, 1e-2, 3, smua.nvbuffer1, 1))"
    tell(smu, "smua.source.levelv = 0", pulse.format(1e-3), "smua.source.rangev = 1 smua.measure.rangei = 1e-2")
    tell(smu, pulse.format(1e-3), "smua.measure.nplc = 0.01", pulse.format(1e-3), "print(InitiatePulseTest(1))")
    tell(smu, "smua.source.output = 1 print(InitiatePulseTest(1)) print(smua.nvbuffer1.n) print(InitiatePulseTest(9))")
    flags = [line.partition("\t")[0] for line in lines(smu)]
    assert flags == ["false", "false", "true", "false", "true", "3.00000e+00", "false"]
    assert errors(smu) == []


def test_scripts_are_bounded(smu: SimKeithley2600B, ask: Any, tell: Any) -> None:
    tell(smu, "smua.measure.count = 65535 while true do smua.measure.i() end")
    assert errors(smu) == [-286]
    assert ask(smu, "print(1)") == "1.00000e+00"


def test_the_interlock_blocks_high_voltage() -> None:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2600B("k", world, HostClock(world), smu=MODEL_2636B)
    unit.receive(b"smua.source.rangev = 200 smua.source.output = 1\n", is_end=True, bus_seconds=0)
    assert errors(unit) == [802]


def close(bench: SimBench, *names: str) -> None:
    matrix: Any = bench.by_name["matrix"]
    matrix.receive(f"channel.exclusiveclose('{','.join(names)}')\n".encode(), is_end=True, bus_seconds=0)


CELL = ("1A01", "1B04", "1C02", "1C03", "1C05", "1C06")
"""Cell (0, 0) between smu.a and smu.b, all other lines on third.a."""


def make_antiparallel(bench: SimBench) -> None:
    bench.world.overtake([int(k) for k in np.flatnonzero(bench.world.die.is_parallel)], ())


def hysteresis(amps: np.ndarray[Any, Any], volts: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Conductance at about 0.15 V on the way up and on the way down."""
    siemens = amps / np.where(volts == 0, np.nan, volts)
    place = np.flatnonzero(np.abs(volts - 0.15) < 0.02)
    return float(siemens[place[0]]), float(siemens[place[-1]])


def test_a_vendor_style_pulse_sweep_shows_the_hysteresis(tsp_bench: SimBench, tell: Any, ask: Any) -> None:
    smu: Any = tsp_bench.by_name["smu"]
    tell(tsp_bench.by_name["third"], "smua.source.output = 1")
    close(tsp_bench, *CELL)
    make_antiparallel(tsp_bench)
    tell(smu, "loadandrunscript", "smua.reset() smub.reset() smub.source.output = 1", "smua.source.rangev = 1")
    tell(smu, "smua.source.limiti = 5e-3", "smua.measure.rangei = 1e-2", "smua.measure.nplc = 0.01")
    tell(smu, "smua.nvbuffer1.clear()", "smua.nvbuffer1.appendmode = 1", "smua.source.output = smua.OUTPUT_ON")
    for start, stop, tag in ((0.05, 0.85, 1), (0.85, 0.05, 2)):
        tell(smu, f"f, m = ConfigPulseVMeasureISweepLin(smua, 0, {start}, {stop}, 5e-3, 2e-3, 1e-2, 41, "
                  f"smua.nvbuffer1, {tag})")  # fmt: skip
        tell(smu, f"if f then f, m = InitiatePulseTest({tag}) end", "print(f, m)")
    tell(smu, "smua.source.output = 0", "printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1.readings)",
         "printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1.sourcevalues)", "endscript")  # fmt: skip
    said = lines(smu)
    assert [line.partition("\t")[0] for line in said[:2]] == ["true", "true"]
    amps, volts = (np.array([float(v) for v in line.split(", ")]) for line in said[2:])
    before, after = hysteresis(amps, volts)
    assert after > 1.5 * before
    assert bool(tsp_bench.world.die.is_parallel[0])


SCAN = """loadandrunscript
tsplink.reset()
node[3].smua.source.output = 1
smua.source.levelv = 0
smua.source.limiti = 5e-3
smub.source.output = 1
smub.measure.autorangei = 1
g = {}
for row = 1, 3 do
  for col = 1, 3 do
    local list = string.format("1A%02d,1B%02d", row, col + 3)
    for k = 1, 3 do
      if k ~= row then list = list .. string.format(",1C%02d", k) end
      if k ~= col then list = list .. string.format(",1C%02d", k + 3) end
    end
    node[2].channel.exclusiveclose(list)
    smua.source.levelv = 0.1
    smua.source.output = 1
    local hot = smub.measure.i()
    smua.source.levelv = 0
    table.insert(g, -(hot - smub.measure.i()) / 0.1)
    smua.source.output = 0
    node[2].channel.open("allslots")
  end
end
print(unpack(g))
node[2].channel.close("bad")
print(node[2].channel.getclose("allslots"), node[2].localnode.model, tsplink.state, tsplink.node)
print(errorqueue.next())
node[3].smua.measure.v(node[3].smua.nvbuffer1)
printbuffer(1, 1, node[3].smua.nvbuffer1.readings)
node[2].execute("print(slot[1].rows.matrix)")
endscript"""


def test_one_script_scans_an_array_over_tsp_link(tsp_bench: SimBench, tell: Any) -> None:
    smu: Any = tsp_bench.by_name["smu"]
    tell(smu, *SCAN.split("\n"))
    said = lines(smu)
    measured = np.array([float(v) for v in said[0].split("\t")])
    assert measured == pytest.approx(tsp_bench.world.die.siemens(0.1), rel=0.02)
    assert said[1] == "nil\t707B\tonline\t1.00000e+00"
    assert said[2] == "1.11500e+03\tParameter error invalid channel bad\t2.00000e+01\t2.00000e+00"
    assert abs(float(said[3])) < 1e-2
    assert said[4] == "8.00000e+00"
    assert errors(smu) == []


def test_the_708b_has_one_slot(tsp_bench: SimBench, ask: Any) -> None:
    small = tsp_bench.by_name["small"]
    assert ask(small, "*IDN?").startswith("Keithley Instruments Inc., Model 708B, 5, ")
    assert ask(small, "channel.close('1A01,1H12') print(channel.getclose('allslots'))") == "1A01;1H12"
    assert ask(small, "print(slot[2])") == "nil"


def test_the_stock_qcodes_driver(tsp_spec: str, tsp_bench: SimBench, tell: Any) -> None:
    tell(tsp_bench.by_name["third"], "smua.source.output = 1")
    close(tsp_bench, *CELL)
    die = tsp_bench.world.die
    make_antiparallel(tsp_bench)
    stock = Keithley2602B("stock_2602b", "GPIB0::26::INSTR", visalib=f"{tsp_spec}@mtjlab")
    try:
        stock.smub.output("on")
        stock.smua.nplc(0.01)
        stock.smua.limiti(5e-3)
        stock.smua.output("on")
        stock.smua.volt(0.1)
        others = float(die.siemens(0.1)[1:3].sum())
        assert stock.smua.curr() == pytest.approx(0.1 * (float(die.siemens(0.1)[0]) + others), rel=0.02)
        assert stock.smua.curr.measurement_status == "No error occured."
        stock.smua.setup_fastsweep(LinSweep(stock.smua.volt, 0.01, 0.85, 60, 1e-3), mode="IV")
        stock.smua.fastsweep()
        assert bool(die.is_parallel[0])
        stock.smua.timetrace_npts(5)
        stock.smua.timetrace_dt(0.01)
        assert stock.smua.timetrace().shape == (5,)
        assert stock.ask("errorqueue.count") == "0.00000e+00"
        stock.smua.limiti(1e-6)
        stock.smua.curr()
        assert stock.smua.curr.measurement_status == "Reached current compliance limit."
        stock.reset()
        tell(tsp_bench.by_name["third"], "smua.source.output = 0")
        assert not tsp_bench.world.is_live
    finally:
        stock.close()


@pytest.mark.filterwarnings("ignore:It is not known whether this device support SCPI:FutureWarning")
def test_the_stock_pymeasure_class(tsp_spec: str, tsp_bench: SimBench) -> None:
    keithley = pytest.importorskip("pymeasure.instruments.keithley")
    close(tsp_bench, "1C01", "1B04")
    stock = keithley.Keithley2600("GPIB0::26::INSTR", visa_library=f"{tsp_spec}@mtjlab")
    stock.ChB.apply_voltage(compliance_current=1e-3)
    stock.ChB.measure_current()
    stock.ChB.source_voltage = 0.05
    stock.ChB.source_output = "ON"
    assert stock.ChB.source_mode == "voltage"
    assert stock.ChB.voltage == pytest.approx(0.05, abs=5e-4)
    assert tsp_bench.world.is_live
    assert stock.next_error == (0, "Queue Is Empty")
    stock.ChB.source_output = "OFF"
    assert not tsp_bench.world.is_live


FIXED = "smua.source.rangev = 2 smua.measure.rangei = 1e-3 smua.measure.autozero = smua.AUTOZERO_OFF"
SWEEP = (
    "smua.trigger.source.linearv(0, 0.8, 400) smua.trigger.source.action = 1 smua.trigger.measure.i(smua.nvbuffer1) "
    "smua.trigger.measure.action = 1 smua.trigger.endpulse.action = smua.SOURCE_HOLD smua.trigger.count = 400"
)


@pytest.mark.parametrize(
    ("cycles", "script", "rate"),
    [
        (0.001, "smua.measure.count = 400 smua.measure.i(smua.nvbuffer1)", 20_000),
        (0.01, "smua.measure.count = 400 smua.measure.i(smua.nvbuffer1)", 4_000),
        (1, "smua.measure.count = 400 smua.measure.i(smua.nvbuffer1)", 50),
        (0.001, "for n = 1, 400 do smua.source.levelv = n / 500 smua.measure.i(smua.nvbuffer1) end", 7_000),
        (0.001, f"{SWEEP} smua.trigger.initiate() waitcomplete()", 12_000),
    ],
)
def test_rates_are_the_data_sheets(smu: SimKeithley2600B, tell: Any, cycles: float, script: str, rate: float) -> None:
    tell(smu, "smua.nvbuffer1.appendmode = 1", f"{FIXED} smua.measure.nplc = {cycles} {ON}")
    before = smu.world.seconds
    tell(smu, f"{script} print(smua.nvbuffer1.n)")
    assert float(smu._replies[-1]) == 400
    assert 400 / (smu.world.seconds - before) == pytest.approx(rate, rel=0.2)
