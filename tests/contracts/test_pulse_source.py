"""The contract of PulseSource, on every implementation, against a resistor in the simulated world."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mtjlab.drivers.keysight_33500 import Keysight33500
from mtjlab.drivers.keysight_81160a import Keysight81160A
from mtjlab.errors import InstrumentError
from mtjlab.roles import PulseSource
from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.pulse_trains import trains_of
from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.world import World

SETTINGS = {"volts_limit": 1.0, "load_ohms": 50.0}


@dataclass(frozen=True)
class Implementation:
    """A driver, the model it is tried on, the channel that plays the role, and how far its levels may be off."""

    driver: Any
    model: str
    channel: str
    gain: float
    offset: float


IMPLEMENTATIONS = {
    "81160a": Implementation(Keysight81160A, "keysight_81160a", "1", 0.015, 5e-3),
    "81160a, channel 2": Implementation(Keysight81160A, "keysight_81160a", "2", 0.015, 5e-3),
    "33522b": Implementation(Keysight33500, "keysight_33522b", "1", 0.01, 1e-3),
    "33622a, channel 2": Implementation(Keysight33500, "keysight_33622a", "2", 0.01, 1e-3),
}
BENCH = """
bench: rig
seed: 11
line_hertz: 50
die: {{rows: 1, cols: 1}}
faults: {faults}
cables: [{{from: die.row.0, to: ground}}]
instruments:
  - {{name: pulser, model: {model}, address: "GPIB0::10::INSTR", serial: "MY1234567"}}
"""


@dataclass
class Rig:
    """A pulse source with a resistor from its output to ground; `lived` is what has been across it and how long."""

    pulser: Any
    bench: SimBench
    sink: Source
    instrument: Any
    ohms: float
    made: Implementation
    lived: list[tuple[float, float]] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.bench.world

    @property
    def volts(self) -> float:
        """What is really across the resistor now."""
        return -self.sink.point().amps * self.ohms

    @property
    def messages(self) -> int:
        return int(self.instrument.writes + self.instrument.queries)

    def pulses(self) -> list[tuple[float, float, float]]:
        """Start, peak volts and width at half of the peak of every excursion from 0 V since the last call."""
        found: list[tuple[float, list[tuple[float, float]]]] = []
        now, was_out = 0.0, False
        for volts, seconds in self.lived:
            is_out = abs(volts) > 2e-3
            if is_out and not was_out:
                found.append((now, []))
            if is_out:
                found[-1][1].append((volts, seconds))
            now, was_out = now + seconds, is_out
        self.lived.clear()
        return [_measured(start, steps) for start, steps in found]

    def near(self, volts: float) -> Any:
        return pytest.approx(volts, rel=3 * self.made.gain, abs=3 * self.made.offset)


def _measured(start: float, steps: list[tuple[float, float]]) -> tuple[float, float, float]:
    peak = max((volts for volts, _ in steps), key=abs)
    return start, peak, sum(seconds for volts, seconds in steps if abs(volts) >= abs(peak) / 2)


MakeRig = Callable[..., Rig]


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make_rig(
    request: pytest.FixtureRequest, open_text: Any, open_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> MakeRig:
    def make(faults: str = "[]", ohms: float = 50.0) -> Rig:
        made = IMPLEMENTATIONS[request.param]
        bench = open_text(BENCH.format(model=made.model, faults=faults))
        sink = bench.world.add_source("sink", "sink")
        bench.world.connect(f"pulser.{made.channel}.hi", "sink", ohms)
        sink.drive_volts(0.0, 1.0)
        instrument = open_driver(made.driver, "pulser", bench)
        rig = Rig(instrument.submodules[made.channel], bench, sink, instrument, ohms, made)
        expose = bench.world._expose

        def watch(seconds: float) -> None:
            rig.lived.append((rig.volts, seconds))
            expose(seconds)

        monkeypatch.setattr(bench.world, "_expose", watch)
        trains_of(bench.world).watchers += 1
        return rig

    return make


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def ready(rig: Rig) -> Rig:
    rig.pulser.prepare(**SETTINGS)
    rig.pulser.output_on()
    return rig


class TestPulseSource:
    def test_it_plays_the_role_and_says_what_it_is(self, rig: Rig) -> None:
        assert isinstance(rig.pulser, PulseSource)
        identity = rig.pulser.identity()
        assert identity.vendor
        assert identity.model
        assert identity.serial == "MY1234567"
        assert identity.firmware

    def test_prepare_leaves_the_output_off_at_zero(self, rig: Rig) -> None:
        rig.pulser.prepare(**SETTINGS)
        assert not rig.pulser.is_output_on()
        assert rig.volts == pytest.approx(0, abs=1e-6)
        assert rig.pulses() == []

    def test_no_limit_no_output(self, rig: Rig) -> None:
        before = rig.messages
        with pytest.raises(InstrumentError, match="prepared"):
            rig.pulser.output_on()
        assert rig.messages == before

    def test_the_output_comes_on_at_zero_and_stays_there(self, ready: Rig) -> None:
        ready.world.wait(0.1)
        assert ready.pulser.is_output_on()
        assert ready.volts == pytest.approx(0, abs=1e-6)
        assert ready.pulses() == []

    @pytest.mark.parametrize("volts", [0.6, -0.6, 0.1])
    def test_amplitude_across_the_load_and_width_at_half_of_it(self, ready: Rig, volts: float) -> None:
        for seconds in (20e-9, 3e-6, 2e-3):
            ready.pulser.pulse(volts, seconds)
            [(_, peak, width)] = ready.pulses()
            assert peak == ready.near(volts)
            assert width == pytest.approx(seconds, rel=0.02)
            assert ready.volts == pytest.approx(0, abs=1e-6)
        assert ready.pulser.is_output_on()
        ready.pulser.check_errors()
        assert ready.world.incidents == []

    def test_the_shortest_pulse(self, ready: Rig) -> None:
        shortest = ready.pulser.shortest_pulse_seconds
        assert 1e-9 < shortest < 20e-9
        assert 0 < ready.pulser.edge_seconds < shortest
        ready.pulser.pulse(0.5, shortest)
        [(_, peak, width)] = ready.pulses()
        assert peak == ready.near(0.5)
        assert width == pytest.approx(shortest, rel=0.15), "the edge is a staircase in the world"
        ready.pulser.check_errors()

    @pytest.mark.parametrize("volts", [0.3, -0.3])
    def test_count_and_period(self, ready: Rig, volts: float) -> None:
        ready.pulser.pulse(volts, 1e-6, count=5, period_seconds=10e-6)
        pulses = ready.pulses()
        assert [peak for _, peak, _ in pulses] == [ready.near(volts)] * 5
        starts = [start for start, _, _ in pulses]
        assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([10e-6] * 4, rel=1e-3)
        assert [width for _, _, width in pulses] == pytest.approx([1e-6] * 5, rel=0.02)
        ready.pulser.pulse(volts, 1e-6)
        assert len(ready.pulses()) == 1, "the count does not stay"

    def test_without_a_period_they_follow_as_closely_as_they_can(self, ready: Rig) -> None:
        ready.pulser.pulse(0.3, 100e-9, count=3)
        starts = [start for start, _, _ in ready.pulses()]
        assert len(starts) == 3
        assert starts[1] - starts[0] < 150e-9
        ready.pulser.check_errors()

    def test_polarities_widths_and_levels_in_any_order_never_leave_zero_between(self, ready: Rig) -> None:
        wanted = [(0.9, 1e-6), (-0.2, 5e-8), (-0.9, 1e-3), (0.1, 1e-7), (0.1, 1e-7), (-0.5, 1e-6), (0.5, 2e-6)]
        for volts, seconds in wanted:
            ready.pulser.pulse(volts, seconds)
        seen = ready.pulses()
        assert [peak for _, peak, _ in seen] == [ready.near(volts) for volts, _ in wanted]
        assert [width for _, _, width in seen] == pytest.approx([seconds for _, seconds in wanted], rel=0.1)
        ready.pulser.check_errors()

    def test_the_same_pulse_again_is_one_transaction(self, ready: Rig) -> None:
        ready.pulser.pulse(0.4, 1e-6)
        before = ready.messages
        ready.pulser.pulse(0.4, 1e-6)
        assert ready.messages == before + 1
        ready.pulser.pulse(0.5, 1e-6)
        assert ready.messages == before + 3

    @pytest.mark.parametrize("ohms", [10.0, 1000.0, 20e3, 2e6])
    def test_levels_are_those_across_the_load(self, make_rig: MakeRig, ohms: float) -> None:
        rig = make_rig(ohms=ohms)
        rig.pulser.prepare(volts_limit=0.8, load_ohms=ohms)
        rig.pulser.output_on()
        rig.pulser.pulse(0.7, 1e-6)
        [(_, peak, _)] = rig.pulses()
        assert peak == rig.near(0.7)

    @pytest.mark.parametrize(
        ("pulse", "said"),
        [
            ({"volts": 1.01, "seconds": 1e-6}, "beyond the limit"),
            ({"volts": -1.01, "seconds": 1e-6}, "beyond the limit"),
            ({"volts": 1e-5, "seconds": 1e-6}, "smaller"),
            ({"volts": 0.0, "seconds": 1e-6}, "smaller"),
            ({"volts": 0.5, "seconds": 1e-9}, "shorter"),
            ({"volts": 0.5, "seconds": 1e-6, "count": 0}, "0 pulses"),
            ({"volts": 0.5, "seconds": 1e-6, "count": 2, "period_seconds": 1e-6}, "period"),
            ({"volts": 0.5, "seconds": 1e-3, "count": 10**6}, "longer"),
            ({"volts": float("nan"), "seconds": 1e-6}, "none"),
            ({"volts": 0.5, "seconds": float("inf")}, "none"),
        ],
    )
    def test_what_it_cannot_make_is_refused_before_anything_is_sent(
        self, ready: Rig, pulse: dict[str, Any], said: str
    ) -> None:
        before = ready.messages
        with pytest.raises(InstrumentError, match=said):
            ready.pulser.pulse(**pulse)
        assert ready.messages == before
        assert ready.pulses() == []

    def test_a_pulse_needs_the_output_on(self, rig: Rig) -> None:
        rig.pulser.prepare(**SETTINGS)
        with pytest.raises(InstrumentError, match="output on"):
            rig.pulser.pulse(0.5, 1e-6)
        assert rig.pulses() == []

    def test_the_limit_is_programmed_into_the_instrument_too(self, ready: Rig) -> None:
        assert ready.pulser.volts_limit() == pytest.approx(1.0)
        ready.instrument.write(ready.pulser._header(ready.pulser._dialect.volts) + ":HIGH 2")
        with pytest.raises(InstrumentError, match="-222"):
            ready.pulser.check_errors()

    @pytest.mark.parametrize("settings", [{"volts_limit": 20.0}, {"volts_limit": 1e-6}, {"load_ohms": 0.0}])
    def test_limits_that_it_cannot_reach_are_refused(self, rig: Rig, settings: dict[str, float]) -> None:
        with pytest.raises(InstrumentError):
            rig.pulser.prepare(**{**SETTINGS, **settings})
        with pytest.raises(InstrumentError):
            rig.pulser.output_on()

    def test_output_off_is_zero_volts_in_any_state(self, ready: Rig) -> None:
        ready.pulser.pulse(-0.5, 1e-6)
        for _ in range(2):
            ready.pulser.output_off()
            assert not ready.pulser.is_output_on()
            assert ready.volts == pytest.approx(0, abs=1e-6)
        ready.pulser.output_on()
        ready.pulser.pulse(0.5, 1e-6)
        assert ready.pulses()[-1][1] == ready.near(0.5)

    def test_output_off_needs_no_prepare(self, rig: Rig) -> None:
        trains_of(rig.world).watchers = 0
        rig.instrument.write(f":OUTP{rig.made.channel} ON")
        assert rig.pulser.is_output_on()
        rig.pulser.output_off()
        rig.pulser.check_errors()
        assert not rig.pulser.is_output_on()

    def test_prepare_switches_a_live_output_off(self, ready: Rig) -> None:
        ready.pulser.prepare(**SETTINGS)
        assert not ready.pulser.is_output_on()

    def test_the_other_channel_keeps_what_it_was_set_to(self, ready: Rig) -> None:
        ready.pulser.pulse(0.4, 1e-6)
        other = ready.instrument.submodules["2" if ready.made.channel == "1" else "1"]
        other.prepare(volts_limit=0.5, load_ohms=50.0)
        ready.pulses()
        ready.pulser.pulse(0.4, 1e-6)
        [(_, peak, _)] = ready.pulses()
        assert peak == ready.near(0.4)

    def test_a_power_failure_is_told_and_nothing_fires(self, ready: Rig) -> None:
        ready.pulser.pulse(0.4, 1e-6)
        for volts in (0.4, -0.3):
            ready.pulses()
            ready.bench.inject("power_loss", "pulser")
            with pytest.raises(InstrumentError, match="off"):
                ready.pulser.pulse(volts, 1e-6)
            assert ready.pulses() == []
            assert not ready.pulser.is_output_on()
            ready.pulser.prepare(**SETTINGS)
            ready.pulser.output_on()
            ready.pulser.pulse(0.4, 1e-6)
            assert len(ready.pulses()) == 1

    def test_a_power_failure_concerns_both_channels(self, ready: Rig) -> None:
        other = ready.instrument.submodules["2" if ready.made.channel == "1" else "1"]
        ready.bench.inject("power_loss", "pulser")
        other.prepare(volts_limit=0.5, load_ohms=50.0)
        before = ready.messages
        with pytest.raises(InstrumentError, match="output on"):
            ready.pulser.pulse(-0.4, 1e-6)
        with pytest.raises(InstrumentError, match="prepared"):
            ready.pulser.output_on()
        assert ready.messages == before
        other.output_on()
        ready.pulser.prepare(**SETTINGS)
        assert other.is_output_on(), "the second preparation resets nothing"
        ready.pulser.output_on()
        ready.pulser.pulse(-0.4, 1e-6)
        assert ready.pulses()[-1][1] == ready.near(-0.4)

    def test_longer_edges_are_kept_and_told(self, rig: Rig) -> None:
        rig.pulser.edge(100e-9)
        rig.pulser.prepare(**SETTINGS)
        assert rig.pulser.edge_seconds == pytest.approx(100e-9)
        assert rig.pulser.shortest_pulse_seconds == pytest.approx(160e-9)
        rig.pulser.output_on()
        rig.pulser.pulse(0.5, 1e-6)
        [(_, peak, width)] = rig.pulses()
        assert peak == rig.near(0.5)
        assert width == pytest.approx(1e-6, rel=0.05)
        rig.pulser.check_errors()

    def test_errors_are_quoted_once(self, rig: Rig) -> None:
        rig.pulser.check_errors()
        rig.instrument.write(":NO:SUCH:HEADER")
        with pytest.raises(InstrumentError, match=r"(?i)undefined header"):
            rig.pulser.check_errors()
        rig.pulser.check_errors()

    def test_a_hung_instrument_listens_again_after_recover(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: pulser, kind: hang, after_operations: 1}]")
        with pytest.raises(InstrumentError, match="did not answer"):
            for _ in range(3):
                rig.pulser.is_output_on()
        rig.pulser.recover()
        assert not rig.pulser.is_output_on()

    def test_it_can_be_opened_again_after_a_lost_session(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: pulser, kind: dropped, after_operations: 1}]")
        with pytest.raises(InstrumentError):
            for _ in range(3):
                rig.pulser.is_output_on()
        rig.instrument.reopen()
        rig.pulser.prepare(**SETTINGS)
        rig.pulser.output_on()
        rig.pulser.pulse(0.5, 1e-6)
        assert rig.pulses()[-1][1] == rig.near(0.5)

    def test_a_snapshot_fires_nothing(self, ready: Rig) -> None:
        ready.pulser.pulse(0.5, 1e-6)
        ready.pulses()
        ready.instrument.snapshot(update=True)
        assert ready.pulses() == []
        assert ready.pulser.is_output_on()
        ready.pulser.check_errors()
