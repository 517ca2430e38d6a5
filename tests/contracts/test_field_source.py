"""The contract of FieldSource, on every implementation, against the field in the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from mtjlab.drivers.yokogawa_gs200 import YokogawaGS200
from mtjlab.errors import InputError, InstrumentError
from mtjlab.roles import FieldSource
from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.world import World

TESLA_PER_AMP, SETTLE, OHMS = 0.5, 0.2, 10.0
RAMP = 0.05
"""A/s."""


@dataclass(frozen=True)
class Implementation:
    """A driver with its coil's constants, the model it is tried on, and the sign of its coil."""

    driver: Any
    model: str
    tesla_per_amp: float


def gs200(tesla_per_amp: float) -> Any:
    """Ten time constants of the coil are allowed for settling."""
    return partial(
        YokogawaGS200,
        tesla_per_amp=tesla_per_amp,
        amps_per_second=RAMP,
        settle_seconds=10 * SETTLE,
        volts_limit=5.0,
        ohms=OHMS,
    )


IMPLEMENTATIONS = {
    "gs200": Implementation(gs200(TESLA_PER_AMP), "yokogawa_gs200", TESLA_PER_AMP),
    "gs200, coil the other way": Implementation(gs200(-TESLA_PER_AMP), "yokogawa_gs200", -TESLA_PER_AMP),
}
BENCH = """
bench: rig
seed: 11
line_hertz: 50
die: {{rows: 1, cols: 1}}
faults: {faults}
cables: [{{from: die.row.0, to: ground}}]
instruments:
  - {{name: magnet, model: {model}, address: "{address}", serial: "91K1234567",
     coil: {{tesla_per_amp: {tesla_per_amp}, settle_seconds: {settle}, ohms: {ohms}}}}}
"""


@dataclass
class Rig:
    """A field source; `seen` is when the field of the world changed, and to what."""

    magnet: Any
    bench: SimBench
    seen: list[tuple[float, float]] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.bench.world

    @property
    def tesla(self) -> float:
        return self.world.field_tesla

    @property
    def messages(self) -> int:
        return int(self.magnet.writes + self.magnet.queries)


MakeRig = Callable[..., Rig]


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make_rig(
    request: pytest.FixtureRequest, open_text: Any, open_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> MakeRig:
    def make(faults: str = "[]", ohms: float = OHMS, address: str = "GPIB0::1::INSTR") -> Rig:
        made = IMPLEMENTATIONS[request.param]
        text = BENCH.format(
            model=made.model,
            faults=faults,
            tesla_per_amp=made.tesla_per_amp,
            settle=SETTLE,
            ohms=ohms,
            address=address,
        )
        bench = open_text(text)
        rig = Rig(open_driver(made.driver, "magnet", bench), bench)
        expose = bench.world._expose

        def watch(seconds: float) -> None:
            rig.seen.append((bench.world.seconds, rig.tesla))
            expose(seconds)

        monkeypatch.setattr(bench.world, "_expose", watch)
        return rig

    return make


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def ready(rig: Rig) -> Rig:
    rig.magnet.prepare(tesla_limit=0.05)
    return rig


def steepest(seen: list[tuple[float, float]]) -> float:
    """Largest change of the field within any tenth of a second, per second."""
    return max(
        (abs(b - a) / 0.1 for (t, a) in seen for (s, b) in seen if 0 <= s - t <= 0.1),
        default=0.0,
    )


class TestFieldSource:
    def test_it_plays_the_role_and_says_what_it_is(self, rig: Rig) -> None:
        assert isinstance(rig.magnet, FieldSource)
        identity = rig.magnet.identity()
        assert identity.vendor
        assert identity.model
        assert identity.serial == "91K1234567"
        assert identity.firmware

    def test_prepare_leaves_it_on_at_zero(self, ready: Rig) -> None:
        assert ready.magnet.is_output_on()
        assert ready.tesla == pytest.approx(0, abs=1e-5)
        assert ready.magnet.tesla() == 0

    @pytest.mark.parametrize("tesla", [0.05, -0.03, 1e-4])
    def test_the_field_has_settled_when_it_returns(self, ready: Rig, tesla: float) -> None:
        ready.magnet.set_tesla(tesla)
        assert ready.tesla == pytest.approx(tesla, rel=1e-3, abs=2e-5)
        assert ready.magnet.tesla() == pytest.approx(tesla, abs=1e-6)
        ready.magnet.check_errors()

    def test_it_goes_no_faster_than_the_ramp_limit_and_hardly_slower(self, ready: Rig) -> None:
        limit = RAMP * TESLA_PER_AMP
        for tesla in (0.05, -0.05, 0.0):
            before, began = ready.tesla, ready.world.seconds
            ready.seen.clear()
            ready.magnet.set_tesla(tesla)
            assert steepest(ready.seen[::4]) <= limit * 1.15
            needed = abs(tesla - before) / limit + 10 * SETTLE
            assert needed <= ready.world.seconds - began <= needed + 0.6
            way = [value for _, value in ready.seen]
            assert all((b - a) * (1 if tesla > before else -1) > -1e-6 for a, b in pairwise(way)), "straight there"

    def test_a_field_is_three_messages_however_long_the_ramp(self, ready: Rig) -> None:
        for tesla in (0.001, 0.05):
            before = ready.messages
            ready.magnet.set_tesla(tesla)
            assert ready.messages == before + 3

    def test_the_field_that_is_there_already_is_settled_too(self, ready: Rig) -> None:
        ready.magnet.set_tesla(0.02)
        ready.magnet.set_tesla(0.02)
        assert ready.tesla == pytest.approx(0.02, rel=1e-3)

    @pytest.mark.parametrize("tesla", [0.0501, -0.0501, float("nan"), float("inf")])
    def test_beyond_the_limit_is_refused_before_anything_is_sent(self, ready: Rig, tesla: float) -> None:
        before = ready.messages
        with pytest.raises(InstrumentError, match="limit"):
            ready.magnet.set_tesla(tesla)
        assert ready.messages == before

    def test_no_limit_no_field(self, rig: Rig) -> None:
        with pytest.raises(InstrumentError, match="no limit"):
            rig.magnet.set_tesla(0.01)
        assert rig.messages == 0

    @pytest.mark.parametrize("tesla", [0.2, 0.0, -1.0, float("nan")])
    def test_a_limit_that_it_cannot_reach_is_refused(self, rig: Rig, tesla: float) -> None:
        with pytest.raises(InstrumentError):
            rig.magnet.prepare(tesla_limit=tesla)
        assert not rig.magnet.is_output_on()
        with pytest.raises(InstrumentError):
            rig.magnet.set_tesla(0.001)

    def test_a_coil_that_needs_more_volts_than_are_allowed_is_refused(self, rig: Rig) -> None:
        rig.magnet._coil = replace(rig.magnet._coil, ohms=60.0)
        with pytest.raises(InstrumentError, match="6 V"):
            rig.magnet.prepare(tesla_limit=0.05)

    def test_prepare_ramps_down_what_flows(self, ready: Rig) -> None:
        ready.magnet.set_tesla(0.05)
        ready.seen.clear()
        ready.magnet.prepare(tesla_limit=0.01)
        assert steepest(ready.seen[::4]) <= RAMP * TESLA_PER_AMP * 1.15
        assert ready.tesla == pytest.approx(0, abs=1e-5)

    def test_output_off_ramps_down_first(self, ready: Rig) -> None:
        ready.magnet.set_tesla(-0.05)
        ready.seen.clear()
        for _ in range(2):
            ready.magnet.output_off()
            assert not ready.magnet.is_output_on()
            assert ready.tesla == pytest.approx(0, abs=2e-5)
            assert ready.magnet.tesla() == 0
        assert steepest(ready.seen[::4]) <= RAMP * TESLA_PER_AMP * 1.15

    def test_output_off_needs_no_prepare(self, rig: Rig) -> None:
        rig.magnet.output_off()
        rig.magnet.write(":SOUR:FUNC VOLT;:SOUR:RANG 10;:SOUR:LEV 1;:OUTP 1")
        rig.world.wait(3.0)
        assert abs(rig.tesla) > 0.01
        rig.magnet.output_off()
        assert not rig.magnet.is_output_on()
        assert rig.tesla == pytest.approx(0, abs=1e-4)
        rig.magnet.check_errors()

    def test_an_interrupted_ramp_can_be_ended(self, ready: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        handle = type(ready.magnet.visa_handle)
        wait = handle.wait_on_event

        def interrupted(*args: Any, **kwargs: Any) -> Any:
            ready.world.wait(0.7)
            raise KeyboardInterrupt

        monkeypatch.setattr(handle, "wait_on_event", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ready.magnet.set_tesla(0.05)
        assert 0.005 < ready.tesla < 0.045, "on its way"
        monkeypatch.setattr(handle, "wait_on_event", wait)
        ready.magnet.output_off()
        assert ready.tesla == pytest.approx(0, abs=2e-5)
        assert not ready.magnet.is_output_on()
        ready.world.wait(10.0)
        assert ready.tesla == pytest.approx(0, abs=2e-5)

    def test_a_coil_that_does_not_carry_the_current_is_told(self, make_rig: MakeRig) -> None:
        rig = make_rig(ohms=1000.0)
        rig.magnet.prepare(tesla_limit=0.05)
        with pytest.raises(InstrumentError, match="limits the voltage"):
            rig.magnet.set_tesla(0.05)
        rig.magnet.output_off()
        assert not rig.magnet.is_output_on()

    def test_an_output_that_went_off_is_told(self, ready: Rig) -> None:
        ready.magnet.set_tesla(0.02)
        ready.bench.inject("power_loss", "magnet")
        with pytest.raises(InstrumentError, match=r"off|volts"):
            ready.magnet.set_tesla(0.03)
        ready.magnet.prepare(tesla_limit=0.05)
        ready.magnet.set_tesla(0.03)
        assert ready.tesla == pytest.approx(0.03, rel=1e-3)

    def test_over_a_socket_it_polls(self, make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []
        monkeypatch.setattr("mtjlab.drivers.yokogawa_gs200.time.sleep", slept.append)
        rig = make_rig(address="TCPIP0::192.168.1.5::7655::SOCKET")
        rig.magnet.prepare(tesla_limit=0.05)
        rig.magnet.set_tesla(0.05)
        assert rig.tesla == pytest.approx(0.05, rel=1e-3)
        assert slept

    def test_errors_are_quoted_once(self, rig: Rig) -> None:
        rig.magnet.check_errors()
        rig.magnet.write(":NO:SUCH:HEADER")
        with pytest.raises(InstrumentError, match=r"(?i)undefined header"):
            rig.magnet.check_errors()
        rig.magnet.check_errors()

    def test_a_hung_instrument_listens_again_after_recover(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: magnet, kind: hang, after_operations: 1}]")
        with pytest.raises(InstrumentError, match="did not answer"):
            for _ in range(3):
                rig.magnet.is_output_on()
        rig.magnet.recover()
        assert not rig.magnet.is_output_on()

    def test_it_can_be_opened_again_after_a_lost_session(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: magnet, kind: dropped, after_operations: 1}]")
        with pytest.raises(InstrumentError):
            for _ in range(3):
                rig.magnet.is_output_on()
        rig.magnet.reopen()
        rig.magnet.prepare(tesla_limit=0.05)
        rig.magnet.set_tesla(0.01)
        assert rig.tesla == pytest.approx(0.01, rel=2e-3)

    def test_a_snapshot_changes_nothing(self, ready: Rig) -> None:
        ready.magnet.set_tesla(0.02)
        snapshot = ready.magnet.snapshot(update=True)["parameters"]
        assert snapshot["amps"]["value"] * snapshot["tesla_per_amp"]["value"] == pytest.approx(0.02)
        assert ready.tesla == pytest.approx(0.02, rel=1e-3)
        ready.magnet.check_errors()


@pytest.mark.parametrize(
    "wrong",
    [
        {"tesla_per_amp": 0.0},
        {"amps_per_second": 0.0},
        {"settle_seconds": -1.0},
        {"most_amps": 0.3},
        {"volts_limit": 31.0},
        {"ohms": float("nan")},
    ],
)
def test_a_coil_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    key = next(iter(wrong))
    with pytest.raises(InputError, match=key):
        YokogawaGS200("magnet", **{"tesla_per_amp": 1.0, "amps_per_second": 0.1, **wrong})
