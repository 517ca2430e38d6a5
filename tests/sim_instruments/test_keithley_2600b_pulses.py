"""Pulses of a simulated 2600B, beyond DC operation too; sensing at the load; filters, statistics and trips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.accuracy_keithley_2600b import MODEL_2602B, MODEL_2612B, MODEL_2636B, Smu2600
from mtjlab.sim_instruments.keithley_2600b import SimKeithley2600B
from mtjlab.sim_instruments.scpi_errors import ScpiError
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

LEAD_OHMS, SENSE_OHMS, LOAD_OHMS = 2.0, 50.0, 100.0
MakeUnit = Callable[..., SimKeithley2600B]


@pytest.fixture
def make_unit() -> MakeUnit:
    """A unit whose channels are on resistors to ground."""

    def make(smu: Smu2600 = MODEL_2602B, ohms: float = 1.0) -> SimKeithley2600B:
        world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
        unit = SimKeithley2600B("k", world, HostClock(world), smu=smu, serial="42")
        for letter in "ab":
            world.connect(f"k.{letter}.hi", "ground", ohms)
        return unit

    return make


def errors(smu: SimKeithley2600B) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(line: str) -> list[float]:
    return [float(part) for part in line.split(", ")]


HIGH_CURRENT = (
    "smua.source.func = smua.OUTPUT_DCAMPS smua.source.rangei = 5 smua.source.leveli = 0 smua.source.limitv = 6",
    "smua.measure.rangev = 10 smua.measure.nplc = 0.005 smua.source.output = 1",
)


def test_no_ten_amperes_outside_pulses(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit()
    tell(unit, *HIGH_CURRENT, "smua.source.leveli = 5")
    assert errors(unit) == [1101]
    assert ask(unit, "print(smua.source.rangei, smua.source.leveli)") == "1.00000e+01\t0.00000e+00"
    assert abs(unit.channels[0].output._source.point().amps) < 0.1


def test_the_manuals_five_ampere_pulse(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit()
    tell(unit, *HIGH_CURRENT)
    config = "print(ConfigPulseIMeasureV(smua, 0, 5, 10, {}, {}, 3, smua.nvbuffer1, 1))"
    assert ask(unit, config.format(0.005, 0.8)).startswith("false\tton exceeds")
    assert ask(unit, config.format(0.001, 0.01)).startswith("false\tDuty cycle")
    assert ask(unit, config.format(0.001, 0.080)).startswith("true")
    assert ask(unit, "print(InitiatePulseTest(1))").startswith("true")
    volts = numbers(ask(unit, "printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1)"))
    assert volts == pytest.approx([5.0] * 3, rel=0.02)
    assert np.diff(numbers(ask(unit, "printbuffer(1, 3, smua.nvbuffer1.timestamps)"))) == pytest.approx(0.081)
    assert abs(unit.channels[0].output._source.point().amps) < 0.1
    assert errors(unit) == []


SWEEP = (
    "smua.trigger.source.listi({10, 10, 10}) smua.trigger.source.limitv = 15 smua.trigger.source.action = smua.ENABLE",
    "smua.trigger.count = 3 smua.trigger.endpulse.action = smua.SOURCE_IDLE",
    "smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1",
    "smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = smua.ENABLE",
)


def test_a_pulse_that_nobody_ends_is_ended_and_the_next_one_waits(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit()
    tell(unit, *HIGH_CURRENT, "smua.measure.rangev = 20", *SWEEP)
    tell(unit, "smua.trigger.endpulse.stimulus = trigger.generator[2].EVENT_ID")
    tell(unit, "smua.trigger.initiate() waitcomplete()")
    assert errors(unit) == []
    times = numbers(ask(unit, "printbuffer(1, 3, smua.nvbuffer1.timestamps)"))
    assert np.diff(times) == pytest.approx(1.8e-3 / 0.01, rel=1e-3), "as long as it may be, one percent of the time"
    assert numbers(ask(unit, "printbuffer(1, 3, smua.nvbuffer1)")) == pytest.approx([10.0] * 3, rel=0.02)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("smua.trigger.endpulse.action = smua.SOURCE_HOLD", 5007),
        ("smua.source.autorangei = 1", 5028),
        ("smua.trigger.source.limitv = 30", 5007),
        ("smua.source.leveli = 0 smua.source.rangei = 1", 5005),
    ],
)
def test_what_cannot_be_pulsed_is_refused(make_unit: MakeUnit, tell: Any, change: str, code: int) -> None:
    unit = make_unit()
    tell(unit, *HIGH_CURRENT, *SWEEP, change, "smua.trigger.initiate()")
    assert errors(unit) == [code]
    assert not unit.running_models()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("smua.measure.autozero = 0", 5044),
        ("smua.measure.autorangei = 0", 5063),
        ("smua.measure.autozero = 1 smua.measure.autorangei = 0 smua.measure.filter.enable = 1", 5045),
    ],
)
def test_what_asynchronous_measurements_need(make_unit: MakeUnit, tell: Any, message: str, code: int) -> None:
    unit = make_unit()
    tell(unit, "smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.measure.action = smua.ASYNC", message)
    tell(unit, "smua.trigger.initiate()")
    assert errors(unit) == [code]


def test_two_trains_at_once(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(ohms=1000.0)
    for name in ("smua", "smub"):
        tell(unit, f"{name}.source.rangev = 1 {name}.measure.rangei = 1e-2 {name}.measure.nplc = 0.01")
        tell(unit, f"{name}.source.limiti = 1e-2 {name}.source.output = 1")
    tell(unit, "ConfigPulseVMeasureI(smua, 0, 0.5, 1e-2, 2e-3, 5e-3, 4, smua.nvbuffer1, 1)")
    tell(unit, "ConfigPulseVMeasureISweepLin(smub, 0.05, 0.1, 0.4, 1e-2, 1e-3, 5e-3, 4, smub.nvbuffer1, 2)")
    assert ask(unit, "print(InitiatePulseTestDual(1, 2))").startswith("true")
    assert numbers(ask(unit, "printbuffer(1, 4, smua.nvbuffer1)")) == pytest.approx([5e-4] * 4, abs=5e-6)
    assert numbers(ask(unit, "printbuffer(1, 4, smub.nvbuffer1)")) == pytest.approx([1e-4, 2e-4, 3e-4, 4e-4], abs=5e-6)
    assert ask(unit, "print(InitiatePulseTestDual(1, 1))").startswith("false")
    assert ask(unit, "print(QueryPulseConfig(2).stop, QueryPulseConfig(9))") == "4.00000e-01\tnil"
    assert "points = 4" in ask(unit, "print(QueryPulseConfig(1).tostring())")


def test_pulses_wait_for_a_digital_line(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(ohms=1000.0)
    tell(unit, "smua.source.rangev = 1 smua.measure.rangei = 1e-2 smua.measure.nplc = 0.01 smua.source.output = 1")
    tell(unit, "ConfigPulseVMeasureI(smua, 0, 0.5, 1e-2, 2e-3, 5e-3, 2, smua.nvbuffer1, 1, 3, 4, 0.5, true)")
    assert ask(unit, "print(InitiatePulseTest(1))").startswith("false\tTimed out")
    tell(unit, "digio.trigger[3].mode = digio.TRIG_FALLING digio.trigger[3].stimulus = trigger.timer[8].EVENT_ID")
    tell(unit, "trigger.timer[8].delay = 0.02 trigger.timer[8].count = 2")
    tell(unit, "trigger.timer[8].stimulus = trigger.generator[1].EVENT_ID digio.trigger[4].clear()")
    tell(unit, "trigger.generator[1].assert()")
    assert ask(unit, "print(InitiatePulseTest(1))").startswith("true")
    assert np.diff(numbers(ask(unit, "printbuffer(1, 2, smua.nvbuffer1.timestamps)"))) == pytest.approx(0.02, abs=1e-3)
    assert ask(unit, "print(digio.trigger[4].wait(0))") == "true", "each pulse is announced on sync_out"


@pytest.mark.parametrize("function", ["smua.source.levelv = 1", "smua.source.func = 0 smua.source.leveli = 1e-2"])
def test_four_wires_take_the_lead_away(tell: Any, ask: Any, function: str) -> None:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2600B("k", world, HostClock(world), smu=MODEL_2636B)
    world.connect("k.a.hi", "load", LEAD_OHMS)
    world.connect("k.a.sense_hi", "load", SENSE_OHMS)
    world.connect("load", "ground", LOAD_OHMS)
    tell(unit, f"{function} smua.source.output = 1")
    assert float(ask(unit, "print(smua.measure.r())")) == pytest.approx(LOAD_OHMS + LEAD_OHMS, rel=1e-3)
    tell(unit, "smua.sense = smua.SENSE_REMOTE")
    assert float(ask(unit, "print(smua.measure.r())")) == pytest.approx(LOAD_OHMS, rel=1e-3)
    tell(unit, "smua.sense = smua.SENSE_LOCAL")
    assert float(ask(unit, "print(smua.measure.r())")) == pytest.approx(LOAD_OHMS + LEAD_OHMS, rel=1e-3)
    tell(unit, "smua.sense = smua.SENSE_CALA")
    assert errors(unit) == [5011]


def test_contact_check_finds_the_leads(tell: Any, ask: Any) -> None:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2600B("k", world, HostClock(world), smu=MODEL_2636B)
    world.connect("k.a.hi", "load", LEAD_OHMS)
    world.connect("k.a.sense_hi", "load", SENSE_OHMS)
    world.connect("load", "ground", LOAD_OHMS)
    high, low = (float(part) for part in ask(unit, "print(smua.contact.r())").split("\t"))
    assert high == pytest.approx(LEAD_OHMS + SENSE_OHMS, rel=0.01)
    assert low < 1
    assert ask(unit, "print(smua.contact.check())") == "false", "more than 50 ohms"
    tell(unit, "smua.contact.threshold = 60")
    assert ask(unit, "print(smua.contact.check())") == "true"


def test_a_moving_average_lags_and_a_repeating_one_does_not(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(ohms=1000.0)
    tell(unit, "smua.source.output = 1 smua.measure.filter.type = smua.FILTER_MOVING_AVG smua.measure.filter.count = 4")
    tell(
        unit,
        "smua.measure.rangei = 1e-3 smua.measure.filter.enable = 1",
        *["smua.measure.v()"] * 4,
        "smua.source.levelv = 0.4",
    )
    seen = [float(ask(unit, "print(smua.measure.v())")) for _ in range(4)]
    assert seen == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-3)
    tell(unit, "smua.measure.filter.type = smua.FILTER_MEDIAN smua.source.levelv = 0.2")
    before = unit.world.seconds
    assert float(ask(unit, "print(smua.measure.v())")) == pytest.approx(0.2, abs=1e-3)
    assert unit.world.seconds - before > 4 * 0.02, "it takes four conversions"
    tell(unit, "smua.measure.count = 2 smua.measure.filter.count = 3")
    assert errors(unit) == [5025]


def test_buffer_statistics_and_windows(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(ohms=1000.0)
    tell(unit, "b = smua.makebuffer(3) b.appendmode = 1 b.fillmode = smua.FILL_WINDOW b.collectsourcevalues = 1")
    tell(unit, "smua.source.output = 1 for k = 1, 5 do smua.source.levelv = k / 10 smua.measure.v(b) end")
    assert numbers(ask(unit, "printbuffer(1, b.n, b)")) == pytest.approx([0.3, 0.4, 0.5], abs=1e-3)
    asked = "s = smua.buffer.getstats(b) print(s.n, s.mean, s.stddev, s.min.sourcevalue, s.max.reading)"
    assert [float(v) for v in ask(unit, asked).split("\t")] == pytest.approx([5, 0.3, 0.158, 0.1, 0.5], abs=1e-3)
    tell(unit, "smua.buffer.recalculatestats(b)")
    assert ask(unit, "s = smua.buffer.getstats(b) print(s.n, s.max.measurefunction)") == "3.00000e+00\tVoltage"
    assert ask(unit, "b.clear() s = smua.buffer.getstats(b) print(s.n, s.mean)") == "0.00000e+00\tnil"
    tell(unit, "b.fillcount = 9")
    assert errors(unit) == [1101]


def test_an_endless_sweep_goes_on_until_it_is_aborted(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(ohms=1000.0)
    tell(unit, "smua.source.output = 1 smua.measure.nplc = 0.05 smua.trigger.count = 0")
    tell(unit, "smua.nvbuffer1.appendmode = 1 smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = 1")
    tell(unit, "smua.trigger.initiate()")
    first = float(ask(unit, "delay(0.1) print(smua.nvbuffer1.n)"))
    assert first == pytest.approx(0.1 / 1.1e-3, rel=0.05)
    assert float(ask(unit, "delay(0.1) print(smua.nvbuffer1.n)")) == pytest.approx(2 * first, rel=0.05)
    tell(unit, "smua.abort()")
    last = ask(unit, "print(smua.nvbuffer1.n)")
    assert ask(unit, "delay(0.1) print(smua.nvbuffer1.n)") == last


@pytest.mark.parametrize(
    ("smu", "setting", "code", "register"),
    [
        (MODEL_2602B, "", 5046, "status.questionable.over_temperature.event"),
        (MODEL_2612B, "smua.source.outputenableaction = smua.OE_OUTPUT_OFF", 5041, "status.measurement.event"),
    ],
)
def test_a_trip_says_why(
    make_unit: MakeUnit, tell: Any, ask: Any, smu: Smu2600, setting: str, code: int, register: str
) -> None:
    unit = make_unit(smu, 1000.0)
    tell(unit, "smua.source.levelv = 0.5 smua.source.output = 1", setting)
    unit.trip_output(ScpiError(-300))
    assert errors(unit) == [code]
    assert ask(unit, "print(smua.source.output)") == "0.00000e+00"
    assert float(ask(unit, f"print({register})")) > 0
    assert not unit.world.is_live


def test_high_capacitance_keeps_its_ranges_up(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(MODEL_2636B, 1e6)
    tell(unit, "smua.source.limiti = 1e-9 smua.source.highc = smua.ENABLE")
    assert ask(unit, "print(smua.source.limiti, smua.measure.autorangei)") == "1.00000e-06\t2.00000e+00"
    tell(unit, "smua.measure.autorangei = 1", "smua.source.limiti = 1e-9")
    assert errors(unit) == [5069, 1102]


def test_leakage_and_transconductance_scripts(make_unit: MakeUnit, tell: Any, ask: Any) -> None:
    unit = make_unit(ohms=1000.0)
    tell(unit, "smua.source.levelv = 1 smua.source.output = 1")
    found = float(ask(unit, "print(i_leakage_measure(smua, 0.1, 0.1, 0.3, 1e-2, 0.1))"))
    assert found == pytest.approx(1e-4, rel=0.02)
    assert ask(unit, "print(i_leakage_threshold(smua, 0.1, 0.1, 0.1, 1e-2, 0.1, 1e-3, 1))") == "true"
    slopes = ask(unit, "g, i, v = gm_vsweep(smua, 0, 0.5, 5) print(g[3], i.n, v[5])").split("\t")
    assert [float(s) for s in slopes] == pytest.approx([1e-3, 5, 0.5], rel=0.01)
