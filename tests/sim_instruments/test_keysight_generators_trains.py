"""Long pulse trains, two outputs at once, and everything that reaches cells: against closed forms and own chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.physics.switching import switching_probability
from mtjlab.sim_instruments.keysight_33500 import SimKeysight33622A
from mtjlab.sim_instruments.keysight_81160a import SimKeysight81160A
from mtjlab.sim_instruments.pulse_train import Section, Step, Train
from mtjlab.sim_instruments.pulse_trains import Trains, trains_of
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
ONE_CELL = {**CLEAN, "rows": 1, "cols": 1, "diameters_nm": [50.0], "volts_c0_spread": 0.0, "delta_spread": 0.0}


def world_of(die: dict[str, Any] | None = None, seed: int = 1) -> World:
    return World.from_description(die or ONE_CELL, seed=seed, line_hertz=50)


def cell_driven(world: World) -> Any:
    """A stiff source on the row of the cell, its column at ground; returns what drives it to so many volts."""
    end = world.add_source("end", "die.col.0")
    end.drive_volts(0.0, 1.0)
    source = world.add_source("drive", "die.row.0")
    return lambda volts: source.drive_volts(volts, 1.0)


def rates_at(world: World, drive: Any, volts: float, *, is_parallel: bool) -> float:
    kept = world.die.is_parallel.copy()
    set_state(world, is_parallel)
    drive(volts)
    rate = float(world.exposure()[0][0])
    world.die.is_parallel[:] = kept
    world.circuit.cell_changed(0)
    drive(0.0)
    return rate


def set_state(world: World, is_parallel: bool) -> None:
    if bool(world.die.is_parallel[0]) != is_parallel:
        world.die.is_parallel[0] = is_parallel
        world.circuit.cell_changed(0)


def volts_for_rate(world: World, drive: Any, rate: float, *, is_parallel: bool) -> float:
    """Bias at which the cell leaves this state at this rate."""
    sign = -1 if is_parallel else 1
    low, high = 0.0, 1.2
    for _ in range(50):
        middle = (low + high) / 2
        reached = rates_at(world, drive, sign * middle, is_parallel=is_parallel)
        low, high = (low, middle) if reached > rate else (middle, high)
    return sign * (low + high) / 2


def played(world: World, drive: Any, steps: list[Step], periods: float, idle: float = 0.0) -> None:
    train = Train([Section(steps, periods)], 1, idle=idle, drive=drive)
    trains_of(world).start(train, world.seconds)
    world.wait(train.seconds * (1 + 1e-9) + 1e-12)
    assert not train.is_playing


@pytest.fixture
def solves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the edges that were really played."""
    count = [0]
    change = Trains.change

    def counted(self: Trains, now: float) -> None:
        count[0] += 1
        change(self, now)

    monkeypatch.setattr(Trains, "change", counted)
    return count


def test_a_million_pulses_write_with_the_probability_of_their_sum(solves: list[int]) -> None:
    world = world_of()
    drive = cell_driven(world)
    volts = volts_for_rate(world, drive, 10.0, is_parallel=False)
    set_state(world, False)
    drive(volts)
    overdrive = world.cell_volts()[0] / world.die.set_volts[0]
    drive(0.0)
    written = 0
    for _ in range(400):
        set_state(world, False)
        begin = world.seconds
        played(world, drive, [Step(50e-9, volts), Step(950e-9, 0.0)], 1e6)
        assert world.seconds - begin == pytest.approx(1.0, rel=1e-6)
        written += int(world.die.is_parallel[0])
    of_one = switching_probability(overdrive, 50e-9, world.die.delta[0], world.die.description.damping_seconds)
    expected = float(-np.expm1(-1e6 * of_one))
    assert expected < 1 - np.exp(-10.0 * 50e-9 * 1e6) - 0.05, "a pulse of 50 ns is slower than its final rate"
    assert written / 400 == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 400))
    assert solves[0] < 400 * 60


def test_the_moment_of_writing_is_spread_over_the_train() -> None:
    world = world_of()
    drive = cell_driven(world)
    volts = volts_for_rate(world, drive, 40.0, is_parallel=False)
    moments = []
    for _ in range(300):
        set_state(world, False)
        train = Train([Section([Step(1e-7, volts), Step(9e-7, 0.0)], 1e6)], 1, idle=0.0, drive=drive)
        trains_of(world).start(train, world.seconds)
        for part in range(10):
            world.wait(0.1)
            if world.die.is_parallel[0]:
                moments.append(part)
                break
        trains_of(world).stop(train)
    counts = np.bincount(moments, minlength=10)
    chance = np.exp(-0.4 * np.arange(10)) * (1 - np.exp(-0.4))
    assert counts / 300 == pytest.approx(chance, abs=0.11)


@pytest.mark.parametrize("periods", [3, 50_000])
def test_to_and_fro_ends_as_the_chain_says(periods: int) -> None:
    """A bipolar train that switches with a chance of some tenths in each half period."""
    world = world_of()
    drive = cell_driven(world)
    up = volts_for_rate(world, drive, 4e6, is_parallel=False)
    down = volts_for_rate(world, drive, 6e6, is_parallel=True)
    runs, parallel = 500 if periods == 3 else 150, 0
    for _ in range(runs):
        set_state(world, False)
        played(world, drive, [Step(1e-7, up), Step(1e-7, down)], periods)
        parallel += int(world.die.is_parallel[0])
    p_up, p_down = 1 - np.exp(-4e6 * 1e-7), 1 - np.exp(-6e6 * 1e-7)
    chance = 0.0
    for _ in range(min(periods, 200)):
        chance = (chance + (1 - chance) * p_up) * (1 - p_down)
    assert parallel / runs == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / runs))


def test_breakdown_goes_with_the_time_at_the_high_level() -> None:
    broken, expected = 0, 0.0
    for seed in range(120):
        world = world_of(seed=seed)
        drive = cell_driven(world)
        set_state(world, True)
        drive(1.5)
        rate = float(world.exposure()[2][0])
        drive(0.0)
        periods = round(0.7 / (rate * 1e-7))
        played(world, drive, [Step(1e-7, 1.5), Step(1e-7, 0.0)], periods)
        broken += int(not world.die.is_tunnelling[0])
        expected += 1 - np.exp(-rate * 1e-7 * periods)
    assert broken / 120 == pytest.approx(expected / 120, abs=0.18)


def test_trains_that_do_not_keep_step_expose_to_the_mixture(solves: list[int]) -> None:
    """Two outputs on one cell, free running: it is written only while both are high, a quarter of the time."""
    world = world_of()
    drive = cell_driven(world)
    volts = volts_for_rate(world, drive, 8.0, is_parallel=False)
    levels = {"a": 0.0, "b": 0.0}

    def part(name: str) -> Any:
        def change(level: float) -> None:
            levels[name] = level
            drive(volts if sum(levels.values()) > 1.5 else 0.0)

        return change

    written = 0
    for _ in range(200):
        set_state(world, False)
        trains = [
            Train([Section([Step(half, 1.0), Step(half, 0.0)], np.inf)], 1, idle=0.0, drive=part(name))
            for name, half in (("a", 1e-6), ("b", 1e-6 * np.sqrt(2) / 1.2))
        ]
        for train in trains:
            trains_of(world).start(train, world.seconds)
        world.wait(0.5)
        written += int(world.die.is_parallel[0])
        for train in trains:
            trains_of(world).stop(train)
    expected = 1 - np.exp(-8.0 * 0.25 * 0.5)
    assert written / 200 == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 200))
    assert solves[0] < 200 * 300


def test_edges_are_where_they_belong_after_a_leap() -> None:
    world = world_of()
    seen: list[tuple[float, float]] = []
    train = Train(
        [Section([Step(3e-7, 1.0), Step(7e-7, 0.0)], 1e5), Section([Step(1.0, 0.5)])],
        2,
        idle=0.0,
        drive=lambda level: seen.append((world.seconds, level)),
    )
    trains_of(world).start(train, 0.0)
    world.wait(0.0500002)
    assert train.level == 1.0
    assert train.next == pytest.approx(0.0500003, abs=1e-12)
    world.wait(0.9)
    assert train.level == 0.5
    world.wait(0.15000055)
    assert train.level == 0.0
    assert train.next == pytest.approx(1.100001, abs=1e-12)
    assert train.seconds == pytest.approx(2.2)
    world.wait(2.0)
    assert not train.is_playing
    assert seen[-1][1] == 0.0
    assert len(seen) < 200


def test_overlapping_pulses_of_row_and_column_write_and_others_do_not(tell: Any) -> None:
    world = world_of()
    gen = SimKeysight33622A("gen", world, HostClock(world))
    world.connect("gen.1.hi", "die.row.0")
    world.connect("gen.2.hi", "die.col.0")
    for channel, high, low in ((1, 0.42, 0), (2, 0, -0.42)):
        tell(gen, f"OUTP{channel}:LOAD INF;:SOUR{channel}:FUNC PULS;PULS:WIDT 1E-7;PER 1E-5")
        tell(gen, f"SOUR{channel}:VOLT:HIGH {high};LOW {low};:SOUR{channel}:BURS:STAT ON;:TRIG{channel}:SOUR BUS")
    tell(gen, "OUTP2:POL INV;:OUTP1 ON;:OUTP2 ON")
    set_state(world, False)
    tell(gen, "TRIG2:DEL 1E-6;*TRG")
    assert not world.die.is_parallel[0], "one after the other: half select"
    tell(gen, "TRIG2:DEL 0;*TRG")
    assert world.die.is_parallel[0], "both at once"
    assert world.incidents == []


def test_a_common_mode_step_stresses_nothing(tell: Any) -> None:
    """Row and column go up together: there is no moment at which the cell has the whole voltage."""
    world = world_of()
    gen = SimKeysight33622A("gen", world, HostClock(world))
    world.connect("gen.1.hi", "die.row.0")
    world.connect("gen.2.hi", "die.col.0")
    for channel in (1, 2):
        tell(
            gen,
            f"OUTP{channel}:LOAD INF;:SOUR{channel}:FUNC PULS;PULS:WIDT 1E-7;PER 1E-5;:SOUR{channel}:VOLT:HIGH 3;LOW 0",
        )
        tell(gen, f"SOUR{channel}:BURS:STAT ON;:TRIG{channel}:SOUR BUS;:OUTP{channel} ON")
    set_state(world, False)
    tell(gen, "*TRG")
    assert not world.die.is_parallel[0]
    assert world.incidents == []


def test_one_generator_triggers_another_through_a_cable(tell: Any) -> None:
    world = world_of()
    host = HostClock(world)
    first, second = SimKeysight33622A("gen", world, host), SimKeysight81160A("pulser", world, host)
    world.connect("gen.trigger_out", "pulser.trigger_in")
    world.connect("pulser.1.hi", "die.row.0")
    end = world.add_source("end", "die.col.0")
    end.drive_volts(0.0, 1.0)
    tell(
        second,
        ":FUNC1 PULS;:PULS:WIDT1 1E-7;PER1 1E-6;:OUTP1:IMP:EXT 1E6;:VOLT1:HIGH 1.1;LOW 0;:ARM:SOUR1 EXT;:OUTP1 ON",
    )
    tell(first, "FUNC PULS;:BURS:STAT ON;:TRIG:SOUR BUS;:OUTP:TRIG ON;:OUTP ON")
    set_state(world, False)
    tell(second, "*WAI")
    assert not world.die.is_parallel[0]
    tell(first, "*TRG")
    assert world.die.is_parallel[0]
    set_state(world, False)
    tell(second, ":ARM:SOUR1 MAN")
    tell(first, "*TRG")
    assert not world.die.is_parallel[0], "nobody listens"


def test_an_output_that_is_cabled_to_a_trigger_input_gates(tell: Any) -> None:
    """Channel 2 of a generator opens the gate of another one's burst: as many pulses as fit into its pulse."""
    world = world_of()
    host = HostClock(world)
    first, second = SimKeysight33622A("gen", world, host), SimKeysight33622A("other", world, host)
    world.connect("gen.2.hi", "other.trigger_in")
    tell(first, "OUTP2:LOAD INF;:SOUR2:FUNC PULS;PULS:WIDT 1E-5;PER 1E-3;:SOUR2:VOLT:HIGH 4;LOW 0")
    tell(first, "SOUR2:BURS:STAT ON;:TRIG2:SOUR BUS;:OUTP2 ON")
    tell(second, "FUNC PULS;PULS:WIDT 1E-7;PER 1E-6;:VOLT:HIGH 1;LOW 0;:BURS:MODE GAT;STAT ON;:OUTP ON")
    seen: list[float] = []
    source = second.channels[0].output._main
    drive = source.drive_volts

    def recorded(level: float, limit: float) -> None:
        seen.append(level)
        drive(level, limit)

    source.drive_volts = recorded  # type: ignore[method-assign]
    tell(first, "*TRG")
    assert sum(level > 1 for level in seen) == pytest.approx(10, abs=1)
    assert seen[-1] == pytest.approx(0, abs=0.01)


def test_a_long_burst_goes_on_until_it_is_waited_for_or_broken_off(tell: Any, ask: Any) -> None:
    world = world_of()
    gen = SimKeysight33622A("gen", world, HostClock(world))
    tell(gen, "FUNC PULS;:PULS:WIDT 0.1;PER 1;:BURS:NCYC 20;STAT ON;:TRIG:SOUR BUS;:OUTP ON;*TRG")
    assert world.seconds < 1
    with pytest.raises(NoReply):
        ask(gen, "*OPC?", timeout_seconds=5)
    assert world.seconds == pytest.approx(20, abs=0.1)
    gen.device_clear(0.0)
    tell(gen, "*TRG")
    tell(gen, "OUTP OFF")
    before = world.seconds
    assert ask(gen, "*OPC?") == "1"
    assert world.seconds - before < 0.1


def test_operation_complete_is_an_event(tell: Any, ask: Any) -> None:
    world = world_of()
    gen = SimKeysight33622A("gen", world, HostClock(world))
    tell(gen, "*CLS;*ESE 1;*SRE 32;*OPC")
    assert gen.serial_poll() & 64
    assert ask(gen, "*ESR?") == "1"
