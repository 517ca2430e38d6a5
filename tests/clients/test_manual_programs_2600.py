"""TSP programs for 2600Bs as manuals, application notes and their users write them, alone and with a 707B behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource
from qcodes.dataset import LinSweep
from qcodes.instrument_drivers.Keithley import Keithley2602B

from .lab import ONE_CELL, Lab, MakeLab, numbers

OHMS = 1000.0
CELL = [{"from": "smu.a.hi", "to": "die.row.0"}, {"from": "die.col.0", "to": "ground"}]


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    cables = [{"from": f"smu.{channel}.hi", "to": "ground", "ohms": OHMS} for channel in "ab"]
    return make_lab({"smu": {"model": "keithley_2636b"}}, cables)


@pytest.fixture
def smu(lab: Lab) -> MessageBasedResource:
    return lab.open("smu", "reset()", "errorqueue.clear()", seconds=30)


def ask(smu: MessageBasedResource, expression: str) -> str:
    return smu.query(f"print({expression})").strip()


def errors(smu: MessageBasedResource) -> list[int]:
    count = int(float(ask(smu, "errorqueue.count")))
    return [int(float(ask(smu, "errorqueue.next()").split("\t")[0])) for _ in range(count)]


def upload(smu: MessageBasedResource, script: str) -> None:
    """Line by line, as Test Script Builder and most programs do it."""
    for line in script.strip().splitlines():
        smu.write(line)


def test_what_it_is_and_how_it_starts(smu: MessageBasedResource) -> None:
    assert smu.query("*IDN?").startswith("Keithley Instruments Inc., Model 2636B, ")
    for expression, value in {
        "smua.source.func": 1,
        "smua.source.levelv": 0,
        "smua.source.limiti": 0.1,
        "smua.source.limitv": 20,
        "smua.source.output": 0,
        "smua.source.autorangev": 1,
        "smua.measure.nplc": 1,
        "smua.measure.autozero": 2,
        "smua.sense": 0,
        "smua.measure.count": 1,
        "format.data": 1,
        "format.asciiprecision": 6,
        "errorqueue.count": 0,
    }.items():
        assert float(ask(smu, expression)) == value, expression
    assert ask(smu, "1e10, 0.1, true, nil, 'x'") == "1.00000e+10\t1.00000e-01\ttrue\tnil\tx"


def test_every_function_and_both_channels(lab: Lab, smu: MessageBasedResource) -> None:
    smu.write("smua.source.levelv = 1 smua.source.limiti = 10e-3 smua.source.output = smua.OUTPUT_ON")
    smu.write("smub.source.func = smub.OUTPUT_DCAMPS smub.source.leveli = 2e-3 smub.source.limitv = 5")
    smu.write("smub.source.output = smub.OUTPUT_ON")
    amps, volts = numbers(ask(smu, "smua.measure.iv()"))
    assert (amps, volts) == (pytest.approx(1e-3, rel=1e-3), pytest.approx(1, rel=1e-3))
    assert float(ask(smu, "smub.measure.v()")) == pytest.approx(2, rel=1e-3)
    assert float(ask(smu, "smua.measure.r()")) == pytest.approx(OHMS, rel=2e-3)
    assert float(ask(smu, "smub.measure.p()")) == pytest.approx(4e-3, rel=2e-3)
    assert lab.point("smu", 1).amps == pytest.approx(2e-3, rel=1e-3)
    assert errors(smu) == []


def test_limit_and_range_overflow(lab: Lab, smu: MessageBasedResource) -> None:
    smu.write("smua.source.levelv = 1 smua.source.limiti = 5e-4 smua.source.output = 1")
    assert float(ask(smu, "smua.measure.i()")) == pytest.approx(5e-4, rel=2e-3)
    assert ask(smu, "smua.source.compliance") == "true"
    assert float(ask(smu, "status.measurement.instrument.smua.condition")) == 2
    smu.write("smua.source.limiti = 10e-3 smua.measure.rangei = 1e-4")
    assert float(ask(smu, "smua.measure.i()")) == 9.91e37
    smu.write("smua.measure.autorangei = smua.AUTORANGE_ON")
    assert float(ask(smu, "smua.measure.i()")) == pytest.approx(1e-3, rel=1e-3)
    smu.write("smua.source.limiti = 1e-15")
    assert errors(smu) == [1102]


def test_low_current_of_a_gigohm(make_lab: MakeLab) -> None:
    lab = make_lab({"smu": {"model": "keithley_2636b"}}, [{"from": "smu.a.hi", "to": "ground", "ohms": 1e9}])
    smu = lab.open("smu", seconds=60)
    smu.write("smua.source.levelv = 0.5 smua.source.limiti = 1e-8 smua.measure.rangei = 1e-9 smua.measure.count = 20")
    smu.write("smua.source.output = 1 smua.measure.i(smua.nvbuffer1)")
    amps = np.array(smu.query_ascii_values("printbuffer(1, 20, smua.nvbuffer1)"))
    assert amps.mean() == pytest.approx(0.5e-9, rel=5e-3)
    assert 1e-16 < amps.std() < 1e-13


@pytest.mark.parametrize(("data", "kind"), [("REAL32", "f"), ("REAL64", "d")])
@pytest.mark.parametrize(("order", "is_big_endian"), [("LITTLEENDIAN", False), ("BIGENDIAN", True)])
def test_binary_buffers(smu: MessageBasedResource, data: str, kind: Any, order: str, is_big_endian: bool) -> None:
    smu.write("smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1 smua.nvbuffer1.collectsourcevalues = 1")
    smu.write("smua.source.limiti = 1e-2 smua.source.output = 1 smua.measure.nplc = 0.1")
    smu.write("for k = 1, 8 do smua.source.levelv = k / 10 smua.measure.i(smua.nvbuffer1) end")
    smu.write(f"format.data = format.{data} format.byteorder = format.{order}")
    values = smu.query_binary_values(
        "printbuffer(1, 8, smua.nvbuffer1.sourcevalues, smua.nvbuffer1.readings)",
        datatype=kind,
        is_big_endian=is_big_endian,
        data_points=16,
    )
    assert values[::2] == pytest.approx(np.arange(1, 9) / 10, rel=1e-6)
    assert values[1::2] == pytest.approx(np.arange(1, 9) / 10 / OHMS, rel=2e-3)


PULSE_SWEEP = """
loadscript pulsesweep
function pulse_sweep(start, stop, points, width, period)
  reset()
  smua.source.rangev = 1
  smua.source.levelv = 0
  smua.measure.rangei = 10e-3
  smua.measure.nplc = 0.01
  smua.measure.autozero = smua.AUTOZERO_ONCE
  smua.nvbuffer1.clear()
  smua.nvbuffer1.collectsourcevalues = 1
  smua.nvbuffer1.collecttimestamps = 1
  trigger.timer[1].delay = period
  trigger.timer[1].count = points > 1 and points - 1 or 1
  trigger.timer[1].passthrough = true
  trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID
  trigger.timer[2].delay = width
  trigger.timer[2].count = 1
  trigger.timer[2].passthrough = false
  trigger.timer[2].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID
  smua.trigger.source.linearv(start, stop, points)
  smua.trigger.source.limiti = 5e-3
  smua.trigger.source.action = smua.ENABLE
  smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID
  smua.trigger.measure.i(smua.nvbuffer1)
  smua.trigger.measure.action = smua.ENABLE
  smua.trigger.measure.stimulus = 0
  smua.trigger.endpulse.action = smua.SOURCE_IDLE
  smua.trigger.endpulse.stimulus = trigger.timer[2].EVENT_ID
  smua.trigger.endsweep.action = smua.SOURCE_IDLE
  smua.trigger.count = points
  smua.source.output = smua.OUTPUT_ON
  smua.trigger.initiate()
  waitcomplete()
  smua.source.output = smua.OUTPUT_OFF
end
endscript
pulsesweep.run()
"""


def test_vendor_style_pulse_sweep_draws_the_hysteresis_of_a_cell(make_lab: MakeLab) -> None:
    lab = make_lab({"smu": {"model": "keithley_2602b"}}, CELL, die=ONE_CELL)
    smu = lab.open("smu", seconds=60)
    upload(smu, PULSE_SWEEP)
    ohms = {}
    for stop in (-0.95, 0.95):
        smu.write(f"pulse_sweep({-stop}, {stop}, 39, 1e-3, 5e-3)")
        smu.write(
            "printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1.sourcevalues, smua.nvbuffer1, smua.nvbuffer1.timestamps)"
        )
        table = np.array(numbers(smu.read())).reshape(39, 3)
        assert np.diff(table[:, 2]) == pytest.approx(5e-3, abs=1e-5)
        ohms[stop] = table[:, 0] / np.where(table[:, 1] == 0, np.nan, table[:, 1])
    assert errors(smu) == []
    near = np.argmin(abs(np.linspace(-0.95, 0.95, 39) - 0.1))
    parallel, antiparallel = ohms[-0.95][38 - near], ohms[0.95][near]
    expected = 1 / lab.world.die.siemens_p[0] + float(lab.world.die.contact_ohms.sum())
    assert parallel == pytest.approx(expected, rel=0.02)
    assert 1.7 < antiparallel / parallel < 2.2
    assert lab.point("smu").volts == pytest.approx(0, abs=1e-3), "the script leaves it off"
    assert lab.world.incidents == []


@pytest.fixture
def swept(make_lab: MakeLab) -> Iterator[tuple[Lab, Any]]:
    lab = make_lab({"smu": {"model": "keithley_2602b"}}, CELL, die=ONE_CELL)
    driver = Keithley2602B("swept", "GPIB0::26::INSTR", visalib=lab.library)
    yield lab, driver
    driver.close()


def test_the_fastsweep_of_qcodes_draws_it_too(swept: tuple[Lab, Any]) -> None:
    lab, driver = swept
    channel = driver.smua
    channel.limiti(5e-3)
    channel.sourcerange_v(1)
    channel.measurerange_i(1e-3)
    channel.nplc(0.05)
    channel.output("on")
    ohms = []
    for stop in (-1.0, 1.0):
        channel.setup_fastsweep(LinSweep(channel.volt, 0, stop, 21, 0), mode="IV")
        channel.fastsweep.get()
        channel.setup_fastsweep(LinSweep(channel.volt, 0.05, 0.1, 6, 0), mode="IV")
        ohms.append(np.mean(np.linspace(0.05, 0.1, 6) / channel.fastsweep.get()))
    assert not np.isnan(ohms).any()
    assert 1.7 < ohms[0] / ohms[1] < 2.2
    assert lab.world.die.is_parallel[0]


def test_kipulse(lab: Lab, smu: MessageBasedResource) -> None:
    smu.write("smua.source.rangev = 1 smua.measure.rangei = 1e-3 smua.measure.nplc = 0.01 smua.source.output = 1")
    smu.write("smua.measure.autozero = smua.AUTOZERO_ONCE smua.nvbuffer1.clear()")
    config = "ConfigPulseVMeasureISweepLin(smua, 0, 0.1, 0.9, 1e-2, 1e-3, 10e-3, 9, smua.nvbuffer1, 1)"
    assert ask(smu, config).split("\t")[0] == "true"
    before = lab.world.seconds
    assert ask(smu, "InitiatePulseTest(1)").split("\t")[0] == "true"
    assert lab.world.seconds - before == pytest.approx(9 * 11e-3, rel=0.2)
    amps = smu.query_ascii_values("printbuffer(1, 9, smua.nvbuffer1.readings)")
    assert amps == pytest.approx(np.linspace(1e-4, 9e-4, 9), rel=1e-2, abs=1e-6)
    too_short = "ConfigPulseVMeasureI(smua, 0, 0.5, 1e-2, 1e-5, 5e-3, 5, smua.nvbuffer1, 1)"
    assert ask(smu, too_short).split("\t")[0] == "false"
    assert lab.point("smu").volts == pytest.approx(0, abs=1e-3)


SCAN = """
loadandrunscript
local function channels(kind, line)
  local column = kind == "row" and line or 15 + line
  local slot = math.floor((column - 1) / 12) + 1
  return slot, column - (slot - 1) * 12
end
local function relay(bus, kind, line)
  local slot, column = channels(kind, line)
  return string.format("%d%s%02d", slot, bus, column)
end
localnode.reset()
node[2].channel.open("allslots")
smua.source.limiti = 1e-3 smub.source.limiti = 1e-3
smub.measure.rangei = 1e-4 smub.measure.nplc = 0.1
smub.nvbuffer1.clear() smub.nvbuffer1.appendmode = 1
smua.source.output = 1 smub.source.output = 1
for r = 1, 3 do
  for c = 1, 15 do
    local list = { relay("A", "row", r), relay("B", "col", c) }
    for k = 1, 15 do
      if k ~= r then table.insert(list, relay("C", "row", k)) end
      if k ~= c then table.insert(list, relay("C", "col", k)) end
    end
    smua.source.levelv = 0
    node[2].channel.exclusiveclose(table.concat(list, ","))
    waitcomplete(0)
    smua.source.levelv = 0.1
    smub.measure.i(smub.nvbuffer1)
  end
end
smua.source.output = 0 smub.source.output = 0
node[2].channel.open("allslots")
printbuffer(1, smub.nvbuffer1.n, smub.nvbuffer1)
endscript
"""


def test_one_script_scans_an_array_over_tsp_link(make_lab: MakeLab) -> None:
    lab = make_lab(
        {
            "smu": {"model": "keithley_2602b", "tsp_link": {2: "matrix"}},
            "matrix": {"model": "keithley_707b", "cards": ["7174A"] * 3},
        },
        [
            {"from": "smu.a.hi", "to": "matrix.row.A"},
            {"from": "smu.b.hi", "to": "matrix.row.B"},
            {"from": "matrix.row.C", "to": "ground"},
            {"from": "matrix.col.{101-112,201-203}", "to": "die.row.{0-14}"},
            {"from": "matrix.col.{204-212,301-306}", "to": "die.col.{0-14}"},
        ],
    )
    smu = lab.open("smu", "tsplink.reset()", seconds=60)
    assert ask(smu, "tsplink.state") == "online"
    assert ask(smu, "node[2].model") == "707B"
    upload(smu, SCAN)
    siemens = -np.array(numbers(smu.read())).reshape(3, 15) / 0.1
    truth = lab.world.die.siemens(0.1).reshape(15, 15)[:3]
    assert np.median(siemens / truth) == pytest.approx(0.93, abs=0.04), "wires and contacts take a little"
    assert np.corrcoef(siemens.ravel(), truth.ravel())[0, 1] > 0.99
    assert lab.world.incidents == [], "relays moved at 0 V only"
    assert errors(smu) == []


def test_an_endless_script_is_aborted_by_device_clear(smu: MessageBasedResource, lab: Lab) -> None:
    smu.write("smua.source.levelv = 0.5 smua.source.output = 1 while true do delay(0.01) end")
    smu.timeout = 1000
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query("print(1)")
    smu.clear()
    smu.write("errorqueue.clear() smua.source.output = smua.OUTPUT_OFF")
    assert float(ask(smu, "smua.source.output")) == 0
    assert lab.point("smu").volts == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("x = 1 +", -285),
        ("nothing()", -286),
        ("error('stop')", -286),
        ("smua.source.levelv = 300", 1101),
        ("smua.measure.nplc = 1e-6", 1102),
        ("smua.source.levelv = 'high'", -104),
        ("delay(-1)", 1102),
    ],
)
def test_typical_mistakes(smu: MessageBasedResource, line: str, code: int) -> None:
    smu.write(line)
    assert errors(smu) == [code]
    assert ask(smu, "errorqueue.next()").split("\t")[:2] == ["0.00000e+00", "Queue Is Empty"]
