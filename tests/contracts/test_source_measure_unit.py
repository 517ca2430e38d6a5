"""The contract of SourceMeasureUnit, on every implementation, against a resistor in the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mtjlab.drivers.keithley_2400 import Keithley2400
from mtjlab.drivers.keithley_2450 import Keithley2450
from mtjlab.drivers.keithley_2600 import Keithley2600
from mtjlab.drivers.keysight_b2900 import KeysightB2900, KeysightB2901
from mtjlab.errors import InstrumentError
from mtjlab.roles import SourceMeasureUnit
from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
SETTINGS = {"volts_range": 2.0, "amps_limit": 5e-3, "amps_range": 5e-3, "power_cycles": 0.1}


@dataclass(frozen=True)
class Implementation:
    """A driver and the model it is tried on.

    Attributes:
        channel: the channel that plays the role.
        terminal: its output without `.hi`.
        least_cycles: shortest integration time.
        shortest_seconds: its shortest pulse is no longer than this.
        longer_seconds: pulses may be so much longer than they were asked for.
    """

    driver: Any
    model: str
    channel: str = ""
    terminal: str = "drive"
    least_cycles: float = 0.01
    shortest_seconds: float = 0.5e-3
    longer_seconds: float = 3e-3


def of_2600(model: str, channel: str) -> Implementation:
    return Implementation(Keithley2600, model, channel, f"drive.{channel}", 0.001, 200e-6, 5e-6)


def of_b2900(driver: Any, model: str, channel: str) -> Implementation:
    return Implementation(driver, model, channel, f"drive.{channel}", 4e-4, 50e-6, 1e-6)


IMPLEMENTATIONS = {
    "keithley_2400": Implementation(Keithley2400, "keithley_2400"),
    "keithley_2450": Implementation(Keithley2450, "keithley_2450", shortest_seconds=0.7e-3, longer_seconds=0.3e-3),
    "keithley_2602b_a": of_2600("keithley_2602b", "a"),
    "keithley_2602b_b": of_2600("keithley_2602b", "b"),
    "keithley_2612b_a": of_2600("keithley_2612b", "a"),
    "keithley_2636b_b": of_2600("keithley_2636b", "b"),
    "keysight_b2901a": of_b2900(KeysightB2901, "keysight_b2901a", "1"),
    "keysight_b2902a_1": of_b2900(KeysightB2900, "keysight_b2902a", "1"),
    "keysight_b2902a_2": of_b2900(KeysightB2900, "keysight_b2902a", "2"),
    "keysight_b2912a_1": of_b2900(KeysightB2900, "keysight_b2912a", "1"),
}
BENCH = """
bench: rig
seed: 11
line_hertz: 50
die: {{rows: 1, cols: 1}}
faults: {faults}
cables: [{{from: die.row.0, to: ground}}]
instruments:
  - {{name: drive, model: {model}, address: "GPIB0::24::INSTR", serial: "1234567"}}
"""


@dataclass
class Rig:
    """An SMU with a resistor from its HI terminal to ground; `instrument` is what it is a channel of."""

    smu: Any
    world: World
    ground: Source
    instrument: Any
    made: Implementation

    @property
    def terminal(self) -> str:
        return self.made.terminal

    @property
    def volts(self) -> float:
        """What is really across the resistor now."""
        return -self.ground.point().amps * OHMS

    @property
    def messages(self) -> int:
        return int(self.instrument.writes + self.instrument.queries)


MakeRig = Callable[..., Rig]


def watched(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """What is across the resistor from now on, and for how many seconds at a time."""
    lived: list[tuple[float, float]] = []
    wait = rig.world.wait

    def watch(seconds: float, *rest: Any) -> Any:
        volts, start = rig.volts, rig.world.seconds
        result = wait(seconds, *rest)
        lived.append((volts, rig.world.seconds - start))
        return result

    monkeypatch.setattr(rig.world, "wait", watch)
    return lived


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make_rig(request: pytest.FixtureRequest, open_text: Any, open_driver: Any) -> MakeRig:
    def make(faults: str = "[]", lead_ohms: float = 0.0) -> Rig:
        made = IMPLEMENTATIONS[request.param]
        bench = open_text(BENCH.format(model=made.model, faults=faults))
        ground = bench.world.add_source("ground", "load")
        if lead_ohms:
            bench.world.connect(f"{made.terminal}.hi", "contact", lead_ohms)
            bench.world.connect(f"{made.terminal}.sense_hi", "contact", 1.0)
        bench.world.connect("contact" if lead_ohms else f"{made.terminal}.hi", "load", OHMS)
        ground.drive_volts(0.0, 1.0)
        instrument = open_driver(made.driver, "drive", bench)
        smu = instrument.submodules[made.channel] if made.channel else instrument
        return Rig(smu, bench.world, ground, instrument, made)

    return make


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def ready(rig: Rig) -> Rig:
    rig.smu.prepare(**SETTINGS)
    rig.smu.output_on()
    return rig


class TestSourceMeasureUnit:
    def test_it_plays_the_role_and_says_what_it_is(self, rig: Rig) -> None:
        assert isinstance(rig.smu, SourceMeasureUnit)
        identity = rig.smu.identity()
        assert identity.vendor
        assert identity.model
        assert identity.serial == "1234567"
        assert identity.firmware

    def test_prepare_leaves_the_output_off_at_zero(self, rig: Rig) -> None:
        rig.smu.prepare(**SETTINGS)
        assert not rig.smu.is_output_on()
        assert rig.volts == pytest.approx(0, abs=1e-6)

    def test_prepare_switches_a_live_output_off(self, ready: Rig) -> None:
        ready.smu.set_volts(0.5)
        ready.smu.prepare(**SETTINGS)
        assert not ready.smu.is_output_on()
        assert ready.volts == pytest.approx(0, abs=1e-6)

    def test_no_compliance_no_output(self, rig: Rig) -> None:
        before = rig.messages
        with pytest.raises(InstrumentError):
            rig.smu.output_on()
        assert rig.messages == before
        assert not rig.smu.is_output_on()

    def test_the_output_comes_on_at_zero_even_if_a_level_was_set(self, rig: Rig) -> None:
        rig.smu.prepare(**SETTINGS)
        rig.smu.set_volts(0.7)
        rig.smu.output_on()
        assert rig.smu.is_output_on()
        assert rig.volts == pytest.approx(0, abs=1e-3)

    @pytest.mark.parametrize("volts", [0.5, -0.5])
    def test_current_out_of_the_terminal_is_positive(self, ready: Rig, volts: float) -> None:
        ready.smu.set_volts(volts)
        assert ready.volts == pytest.approx(volts, abs=2e-3)
        reading = ready.smu.read()
        assert reading.volts == pytest.approx(volts, abs=2e-3)
        assert reading.amps == pytest.approx(volts / OHMS, rel=5e-3, abs=5e-6)
        assert reading.siemens == pytest.approx(1 / OHMS, rel=0.01)
        assert not reading.in_compliance
        assert not reading.is_overflow

    def test_output_off_is_zero_volts_in_any_state(self, ready: Rig) -> None:
        ready.smu.set_volts(0.5)
        for _ in range(2):
            ready.smu.output_off()
            assert not ready.smu.is_output_on()
            assert ready.volts == pytest.approx(0, abs=1e-6)

    def test_output_off_needs_no_prepare(self, rig: Rig) -> None:
        rig.smu.output_off()
        rig.smu.check_errors()
        assert not rig.smu.is_output_on()

    @pytest.mark.parametrize("sign", [1, -1])
    def test_compliance_limits_the_current_and_is_told(self, rig: Rig, sign: int) -> None:
        rig.smu.prepare(volts_range=2.0, amps_limit=1e-4, amps_range=1e-4, power_cycles=0.1)
        rig.smu.output_on()
        rig.smu.set_volts(sign * 0.05)
        assert not rig.smu.is_limiting()
        rig.smu.set_volts(sign * 1.0)
        assert rig.smu.is_limiting()
        assert rig.volts == pytest.approx(sign * 0.1, rel=0.02)
        reading = rig.smu.read()
        assert reading.in_compliance
        assert reading.amps == pytest.approx(sign * 1e-4, rel=0.02)

    def test_a_range_below_the_current_overflows_or_limits_and_is_told(self, rig: Rig) -> None:
        rig.smu.prepare(volts_range=2.0, amps_limit=5e-3, amps_range=1e-4, power_cycles=0.1)
        rig.smu.output_on()
        rig.smu.set_volts(1.0)
        reading = rig.smu.read()
        assert reading.is_overflow or reading.in_compliance, "a 2400 limits at the end of its range, others overflow"

    def test_changing_the_range_keeps_the_compliance(self, ready: Rig) -> None:
        ready.smu.set_amps_range(1e-3)
        ready.smu.set_amps_range(5e-3)
        ready.smu.set_volts(1.9)
        assert not ready.smu.is_limiting()
        ready.world.connect(f"{ready.terminal}.hi", "load", OHMS / 9)
        assert ready.smu.is_limiting()
        assert ready.smu.read().amps == pytest.approx(5e-3, rel=0.02)

    @pytest.mark.parametrize("volts", [0.6, -0.6])
    def test_a_pulse_lasts_as_long_as_it_says_and_ends_at_zero(
        self, ready: Rig, volts: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lived = watched(ready, monkeypatch)
        top = ready.smu.pulse(volts, 5e-3)
        assert ready.volts == pytest.approx(0, abs=1e-3)
        assert top.volts == pytest.approx(volts, abs=3e-3)
        assert top.amps == pytest.approx(volts / OHMS, rel=0.01)
        on_top = [(level, seconds) for level, seconds in lived if abs(level) > 0.1]
        assert all(level == pytest.approx(volts, abs=3e-3) for level, _ in on_top)
        assert 5e-3 <= sum(seconds for _, seconds in on_top) + 1e-9 < 8e-3, "at most its overhead longer"
        assert ready.smu.is_output_on()
        ready.smu.check_errors()

    @pytest.mark.parametrize("times", [1.0, 3.0])
    def test_the_shortest_pulse_is_as_wide_as_it_says_and_measured_on_its_top(
        self, rig: Rig, times: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig.smu.prepare(**{**SETTINGS, "power_cycles": rig.made.least_cycles})
        rig.smu.output_on()
        seconds = rig.smu.shortest_pulse_seconds * times
        assert rig.smu.shortest_pulse_seconds <= rig.made.shortest_seconds
        lived = watched(rig, monkeypatch)
        top = rig.smu.pulse(0.5, seconds)
        rig.smu.check_errors()
        width = sum(passed for level, passed in lived if abs(level) > 0.1)
        assert 0 <= width - seconds + 1e-9 < rig.made.longer_seconds
        assert top.volts == pytest.approx(0.5, rel=0.1), "some microseconds of integration are noisy"
        assert top.amps == pytest.approx(0.5 / OHMS, rel=0.2)

    def test_levels_and_readings_work_after_a_pulse(self, ready: Rig) -> None:
        ready.smu.pulse(0.6, 5e-3)
        ready.smu.set_volts(0.25)
        assert ready.smu.read().amps == pytest.approx(2.5e-4, rel=0.02)

    def test_a_pulse_it_cannot_make_is_refused_before_anything_is_sent(self, ready: Rig) -> None:
        before = ready.messages
        with pytest.raises(InstrumentError, match="shorter"):
            ready.smu.pulse(0.5, ready.smu.shortest_pulse_seconds / 2)
        assert ready.messages == before

    def test_the_shortest_pulse_goes_with_the_integration_time(self, rig: Rig) -> None:
        shortest = []
        for power_cycles in (0.1, 1.0):
            rig.smu.prepare(**{**SETTINGS, "power_cycles": power_cycles})
            shortest.append(rig.smu.shortest_pulse_seconds)
        assert 0 < shortest[0] < shortest[1]

    def test_levels_are_read_in_one_transaction_and_end_at_zero(self, ready: Rig) -> None:
        levels = [0.1, -0.2, 0.5, 0.0]
        before = ready.instrument.queries
        readings = ready.smu.read_levels(levels)
        assert ready.instrument.queries == before + 1
        assert [reading.amps for reading in readings] == pytest.approx([v / OHMS for v in levels], abs=1e-5)
        assert [reading.volts for reading in readings] == pytest.approx(levels, abs=3e-3)
        assert ready.volts == pytest.approx(0, abs=1e-3)
        assert ready.smu.is_output_on()
        ready.smu.set_volts(0.25)
        assert ready.smu.read().amps == pytest.approx(2.5e-4, rel=0.02)
        ready.smu.check_errors()

    def test_more_levels_than_it_takes_are_refused_before_anything_is_sent(self, ready: Rig) -> None:
        before = ready.messages
        with pytest.raises(InstrumentError, match="levels"):
            ready.smu.read_levels([0.1] * (ready.smu.most_levels + 1))
        assert ready.messages == before
        assert ready.smu.read_levels([]) == []

    def test_as_many_levels_as_it_takes(self, ready: Rig) -> None:
        count = min(ready.smu.most_levels, 300)
        readings = ready.smu.read_levels([0.5 * k / count for k in range(count)])
        assert len(readings) == count
        assert readings[-1].amps == pytest.approx(0.5 * (count - 1) / count / OHMS, rel=0.02)

    def test_a_lead_is_in_a_two_wire_reading_and_out_of_a_four_wire_one(self, make_rig: MakeRig) -> None:
        rig = make_rig(lead_ohms=200.0)
        for is_remote, ohms in ((True, OHMS), (False, OHMS + 200)):
            rig.smu.prepare(**SETTINGS)
            rig.smu.sense_remotely(is_remote)
            rig.smu.output_on()
            rig.smu.set_volts(0.5)
            assert rig.smu.read().siemens == pytest.approx(1 / ohms, rel=0.01)
            with pytest.raises(InstrumentError, match="output on"):
                rig.smu.sense_remotely(True)
        rig.smu.prepare(**SETTINGS)
        rig.smu.output_on()
        rig.smu.set_volts(0.5)
        assert rig.smu.read().siemens == pytest.approx(1 / (OHMS + 200), rel=0.01), "prepare goes back to two wires"

    def test_it_can_be_opened_again_after_a_lost_session(self, make_rig: MakeRig, open_driver: Any) -> None:
        rig = make_rig(faults="[{instrument: drive, kind: dropped, after_operations: 1}]")
        with pytest.raises(InstrumentError):
            for _ in range(3):
                rig.smu.is_output_on()
        rig.instrument.reopen()
        rig.smu.prepare(**SETTINGS)
        rig.smu.output_on()
        rig.smu.set_volts(0.5)
        assert rig.smu.read().siemens == pytest.approx(1 / OHMS, rel=0.01)

    def test_a_snapshot_measures_nothing(self, ready: Rig) -> None:
        ready.smu.set_volts(0.5)
        before = ready.world.seconds
        ready.instrument.snapshot(update=True)
        assert ready.world.seconds - before < 1.0
        ready.smu.check_errors()
        assert ready.volts == pytest.approx(0.5, abs=3e-3)

    def test_errors_are_quoted_once(self, rig: Rig) -> None:
        rig.smu.check_errors()
        rig.instrument.write(":NO:SUCH:HEADER")
        with pytest.raises(InstrumentError, match=r"(?i)undefined header|syntax"):
            rig.smu.check_errors()
        rig.smu.check_errors()

    def test_a_hung_instrument_listens_again_after_recover(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: drive, kind: hang, after_operations: 1}]")
        rig.smu.output_off()
        with pytest.raises(InstrumentError, match="did not answer"):
            rig.smu.is_output_on()
        rig.smu.recover()
        assert not rig.smu.is_output_on()
