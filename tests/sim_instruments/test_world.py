import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Line, Lines, Site
from mtjlab.physics.die_description import Kind
from mtjlab.physics.switching import leaving_rate, switching_probability
from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.network import SOURCE_OHMS
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}


def make_world(seed: int = 0, **die: object) -> World:
    return World.from_description({**CLEAN, **die}, seed=seed, line_hertz=50)


def divider(world: World, limit: float = 1.0) -> tuple[object, object]:
    """Source - 100 ohm - middle - 300 ohm - ground held by a second source."""
    upper, lower = world.add_source("upper", "a"), world.add_source("lower", "c")
    world.connect("a", "b", 100.0)
    world.connect("b", "c", 300.0)
    lower.drive_volts(0.0, 1.0)
    upper.drive_volts(4.0, limit)
    return upper, lower


def test_a_divider_carries_what_ohms_law_says() -> None:
    upper, lower = divider(make_world())
    assert upper.point().amps == pytest.approx(0.01, rel=1e-4)
    assert lower.point().amps == pytest.approx(-0.01, rel=1e-4)
    assert not upper.point().is_limiting


def test_compliance_limits_the_current_and_lets_the_voltage_fall() -> None:
    upper, _ = divider(make_world(), limit=2e-3)
    point = upper.point()
    assert point.is_limiting
    assert point.amps == pytest.approx(2e-3, rel=1e-9)
    assert point.volts == pytest.approx(0.8, rel=1e-4)


def test_two_sources_on_one_line_fight_and_the_weaker_limits() -> None:
    world = make_world()
    strong, weak = world.add_source("strong", "a"), world.add_source("weak", "b")
    world.connect("a", "b", 1.0)
    strong.drive_volts(1.0, 0.5)
    weak.drive_volts(-1.0, 0.01)
    assert weak.point().is_limiting
    assert not strong.point().is_limiting
    assert strong.point().amps == pytest.approx(0.01, rel=1e-6)


def test_two_sources_on_the_very_same_node_share_its_load() -> None:
    world = make_world()
    first, second, ground = (world.add_source(name, node) for name, node in (("f", "a"), ("s", "a"), ("g", "b")))
    world.connect("a", "b", 100.0)
    ground.drive_volts(0.0, 1.0)
    first.drive_volts(1.0, 1.0)
    second.drive_amps(4e-3, 10.0)
    assert second.point().amps == pytest.approx(4e-3)
    assert first.point().amps + second.point().amps == pytest.approx(-ground.point().amps, rel=1e-6)
    assert ground.point().amps == pytest.approx(-0.01, rel=1e-3)


def test_a_current_source_into_an_open_line_rises_to_its_voltage_limit() -> None:
    world = make_world()
    source = world.add_source("s", "a")
    source.drive_amps(1e-3, 5.0)
    assert source.point().is_limiting
    assert source.point().volts == pytest.approx(5.0, rel=1e-6)


@pytest.mark.parametrize("segment", [0.0, 2.0, 20.0])
def test_a_read_solves_the_bias_dependent_network_exactly(segment: float) -> None:
    world = make_world(segment_ohms=segment)
    crossbar = WorldCrossbar(world)
    lines = Lines.selecting(crossbar.shape, Site(3, 4), 0.1, 0.0)
    crossbar.measure(lines, [Line("col", 4)])
    volts = world.cell_volts()
    amps = (volts * world.die.siemens(volts)).reshape(15, 15)
    for j in range(15):
        reading = crossbar.measure(lines, [Line("col", j)])[0]
        assert reading.amps == pytest.approx(amps[:, j].sum(), rel=1e-6, abs=1e-13)


def test_floating_lines_carry_no_current_and_the_sneak_paths_show() -> None:
    world = make_world(segment_ohms=0.0)
    crossbar = WorldCrossbar(world)
    nan = float("nan")
    lines = Lines(np.full(15, nan), np.full(15, nan))
    lines.row_volts[2], lines.col_volts[5] = 0.1, 0.0
    sneaky = crossbar.measure(lines, [Line("col", 5)])[0].amps / 0.1
    alone = world.die.siemens(0.1).reshape(15, 15)[2, 5]
    assert sneaky > 2 * alone
    volts = world.cell_volts()
    amps = (volts * world.die.siemens(volts)).reshape(15, 15)
    floating_rows = [i for i in range(15) if i != 2]
    assert np.abs(amps.sum(axis=1)[floating_rows]).max() < 1e-9 * np.abs(amps).max() + 1e-12


def leads(world: World, *, are_sensing: bool) -> Source:
    """A source on 100 ohm through a lead of 10 ohm; its sense lead of 1 ohm goes to the load, if it has one."""
    source = world.add_source("s", "s.hi")
    world.connect("s.hi", "load", 10.0)
    world.connect("load", "ground", 100.0)
    if are_sensing:
        world.connect("s.sense_hi", "load", 1.0)
    return source


@pytest.mark.parametrize(("is_remote", "volts_at_load"), [(True, 1.0), (False, 100 / 110)])
def test_remote_sensing_takes_the_lead_out(is_remote: bool, volts_at_load: float) -> None:
    world = make_world()
    source = leads(world, are_sensing=True)
    source.sense_remotely(is_remote)
    source.drive_volts(1.0, 1.0)
    point = source.point()
    assert point.amps == pytest.approx(volts_at_load / 100, rel=2e-4)
    assert point.volts == pytest.approx(1.0, rel=2e-4)
    source.drive_amps(1e-3, 10.0)
    assert source.point().volts == pytest.approx(0.1 if is_remote else 0.11, rel=1e-4)


def test_a_source_limits_the_volts_where_it_senses() -> None:
    world = make_world()
    source = leads(world, are_sensing=True)
    source.sense_remotely(True)
    source.drive_amps(0.1, 2.0)
    point = source.point()
    assert point.is_limiting
    assert (point.volts, point.amps) == (pytest.approx(2.0, rel=2e-4), pytest.approx(0.02, rel=2e-4))


def test_open_sense_leads_sense_at_the_output() -> None:
    world = make_world()
    source = leads(world, are_sensing=False)
    source.sense_remotely(True)
    source.drive_volts(1.0, 1.0)
    assert source.point().amps == pytest.approx(1 / 110, rel=2e-4)


def test_a_sweep_by_series_is_the_network_solved_level_by_level() -> None:
    """One column floats, so that cells in series curve the current strongly; the source limits within the sweep."""
    swept, fresh = make_world(), make_world()
    crossbars = WorldCrossbar(swept), WorldCrossbar(fresh)
    nan = float("nan")
    lines = Lines(np.full(15, nan), np.zeros(15))
    lines.row_volts[2], lines.col_volts[5] = 0.1, nan
    for crossbar in crossbars:
        crossbar._apply(lines)
    sources = [crossbar._sources[Line("row", 2)] for crossbar in crossbars]
    for level in np.linspace(-0.6, 0.6, 101):
        for source, world in zip(sources, (swept, fresh), strict=True):
            source.drive_volts(float(level), 3e-4)
            if world is fresh:
                world.circuit._forget()
        points = [source.point() for source in sources]
        assert points[0].is_limiting == points[1].is_limiting
        assert points[0].amps == pytest.approx(points[1].amps, rel=1e-10, abs=1e-15)
        assert swept.cell_volts() == pytest.approx(fresh.cell_volts(), rel=1e-9, abs=1e-13)
    solved = [network for networks in swept.circuit._networks.values() for network in networks.values()]
    assert any(sweep.series for network in solved for sweep in network._sweeps.values())


def test_newton_and_the_fixed_point_find_the_same_floating_network() -> None:
    world = make_world()
    crossbar = WorldCrossbar(world)
    nan = float("nan")
    lines = Lines(np.full(15, nan), np.full(15, nan))
    lines.row_volts[2], lines.col_volts[5] = 0.8, 0.0
    crossbar._apply(lines)
    cells = world.cell_volts()
    (solved,) = world.circuit._current.values()
    network = solved._network
    right = np.zeros(network._size)
    right[[drive.node for drive in network.drives]] = np.array([0.8, 0.0]) / SOURCE_OHMS
    _, by_newton = network._by_newton(right)
    _, by_fixed_point = network._with_curvature(right)
    assert by_newton == pytest.approx(cells, rel=1e-7, abs=1e-9)
    assert by_fixed_point == pytest.approx(cells, rel=1e-7, abs=1e-9)


def test_the_same_seed_makes_the_same_die_and_another_seed_another() -> None:
    assert make_world(4).die.siemens_p == pytest.approx(make_world(4).die.siemens_p, rel=0)
    assert (make_world(4).die.siemens_p != make_world(5).die.siemens_p).all()


def test_sizes_differ_over_the_array_and_conductance_goes_with_area() -> None:
    world = make_world(conductance_spread=0.0)
    per_row = world.die.siemens_p.reshape(15, 15)[:, 0]
    assert per_row[-1] / per_row[0] == pytest.approx((54 / 46) ** 2)


def test_a_pulse_switches_by_polarity_and_the_state_stays() -> None:
    world = make_world()
    crossbar = WorldCrossbar(world)
    for state, volts in ((True, 0.6), (False, -0.75), (True, 0.6)):
        crossbar.pulse(Lines.selecting(crossbar.shape, Site(7, 7), volts, volts / 2), 5e-3)
        assert world.die.is_parallel.reshape(15, 15)[7, 7] == state
    assert world.incidents == []


def test_switching_probability_of_drawn_pulses_is_the_models() -> None:
    die = {"volts_c0_spread": 0.0, "delta_spread": 0.0, "diameters_nm": [50.0], "segment_ohms": 0.0}
    world = make_world(rows=8, cols=8, contact_spread=0.0, contact_ohms=1e-3, conductance_spread=0.0, **die)
    crossbar = WorldCrossbar(world, DeviceLimits(pulses_per_cell=1000))
    site, hits, trials = Site(0, 0), 0, 400
    volts, seconds = 0.372, 5e-3
    world.die.is_parallel[:] = False
    expected = 1 - np.exp(-world.die.switching_rates(np.full(64, volts))[0] * seconds)
    for _ in range(trials):
        world.die.is_parallel[:] = False
        for index in range(64):
            world.circuit.cell_changed(index)
        crossbar.pulse(Lines.selecting((8, 8), site, volts, volts / 2), seconds)
        hits += bool(world.die.is_parallel[0])
    spread = np.sqrt(expected * (1 - expected) / trials)
    assert 0.05 < expected < 0.95
    assert abs(hits / trials - expected) < 4 * spread


def test_too_much_voltage_is_on_record_and_breaks_the_barrier_down() -> None:
    world = make_world()
    source, ground = world.add_source("s", "die.row.0"), world.add_source("g", "die.col.0")
    ground.drive_volts(0.0, 1.0)
    source.drive_volts(2.2, 1.0)
    world.wait(0.1)
    assert world.die.kind[0] == Kind.SHORT
    assert {"over-voltage", "breakdown"} <= {incident.kind for incident in world.incidents}


def test_a_relay_moved_under_voltage_is_on_record() -> None:
    world = make_world()
    source, ground = world.add_source("s", "a"), world.add_source("g", "die.col.0")
    relay = world.add_switches("m", [("a", "die.row.0")], 0.5)
    ground.drive_volts(0.0, 1.0)
    relay.set([0])
    assert world.incidents == []
    source.drive_volts(0.1, 1e-3)
    relay.set([])
    relay.set([0])
    assert [i.kind for i in world.incidents] == ["hot switching", "hot switching"]


@pytest.mark.parametrize("line_defects", [[], [{"kind": "short", "axis": "row", "line": 0, "ohms": 5}]])
def test_what_a_relay_stays_below_without_a_solution_it_stays_below_with_one(line_defects: list[object]) -> None:
    die = {"rows": 4, "cols": 3, "line_defects": line_defects}
    world = World.from_description(die, seed=5, line_hertz=50)
    sources = [world.add_source(name, f"{name}.hi") for name in "ab"]
    pairs = [(f"{name}.hi", f"col.{k}") for name in "ab" for k in range(7)]
    relays = world.add_switches("matrix", pairs, 0.1)
    for k in range(7):
        world.connect(f"col.{k}", f"die.row.{k}" if k < 4 else f"die.col.{k - 4}")
    rng, told = np.random.default_rng(1), []
    for _ in range(40):
        for source in sources:
            source.drive_volts(0.0, 1e-2)
        relays.set(np.flatnonzero(rng.random(14) < 0.4).tolist())
        for source in sources:
            source.drive_volts(float(rng.choice([1e-4, 1e-3, 0.1]) * rng.standard_normal()), 1e-2)
        for relay in range(14):
            volts, amps = world.circuit.relay_point(relay)
            is_below = world.circuit.stays_below(relay, 1e-3, 2e-7)
            told.append((is_below, relay in world.circuit._closed, abs(amps) > 2e-7))
            assert not is_below or (abs(volts) <= 1e-3 and abs(amps) <= 2e-7)
    assert {(True, True), (True, False), (False, True)} <= {(below, closed) for below, closed, _ in told}
    assert any(is_hot for _, _, is_hot in told), "some do carry more"


def test_probes_moved_under_bias_are_on_record_and_lifted_probes_conduct_nothing() -> None:
    world = make_world()
    source, ground = world.add_source("s", "die.row.0"), world.add_source("g", "die.col.0")
    world.move_contact(False)
    assert world.incidents == []
    ground.drive_volts(0.0, 1.0)
    source.drive_volts(0.1, 1e-3)
    assert abs(source.point().amps) < 1e-11
    world.move_contact(True)
    assert [i.kind for i in world.incidents] == ["contact moved under bias"]


def test_only_waiting_makes_time_pass() -> None:
    world = make_world()
    source = world.add_source("s", "die.row.0")
    source.drive_volts(0.05, 1e-3)
    source.point()
    assert world.seconds == 0
    world.wait(2.5)
    assert world.seconds == pytest.approx(2.5)


def test_defects_put_at_a_place_are_there() -> None:
    world = make_world(defects=[{"row": 2, "col": 3, "kind": "short"}, {"row": 0, "col": 14, "kind": "stuck_ap"}])
    kinds = world.die.kind.reshape(15, 15)
    assert kinds[2, 3] == Kind.SHORT
    assert kinds[0, 14] == Kind.STUCK_AP
    assert (kinds != Kind.JUNCTION).sum() == 2


def test_a_die_description_with_an_unknown_key_offers_the_nearest_one() -> None:
    with pytest.raises(InputError, match="Did you mean 'segment_ohms'"):
        World.from_description({"segment_ohm": 2.0}, seed=0, line_hertz=50)


def test_line_defects_of_a_die_are_in_its_network() -> None:
    broken = [{"axis": "row", "line": 3, "kind": "open"}, {"axis": "col", "line": 6, "kind": "short", "ohms": 50}]
    world = make_world(line_defects=broken)
    crossbar = WorldCrossbar(world)

    def amps(row: int, col: int) -> float:
        lines = Lines.grounded(15, 15)
        lines.row_volts[row] = 0.1
        (reading,) = crossbar.measure(lines, [Line("col", col)])
        return reading.amps

    assert abs(amps(3, 3)) < 1e-9 * abs(amps(4, 3))
    nan = float("nan")
    lines = Lines(np.full(15, nan), np.full(15, nan))
    lines.col_volts[6], lines.col_volts[7] = 0.05, 0.0
    (reading,) = crossbar.measure(lines, [Line("col", 7)])
    assert abs(reading.amps) > 0.05 / 70


def test_a_nanosecond_pulse_switches_as_often_as_the_model_says() -> None:
    """Far above threshold the final rate is there only after the incubation that short pulses feel."""
    seconds, volts = 4e-9, 1.6
    world = make_world(
        rows=1, cols=1, diameters_nm=[50.0], volts_c0_spread=0, delta_spread=0, conductance_spread=0, contact_ohms=1e-3,
        segment_ohms=0, breakdown_volts=5.0, limit_volts=9, limit_amps=1,
    )  # fmt: skip
    source, ground = world.add_source("s", "die.row.0"), world.add_source("g", "die.col.0")
    ground.drive_volts(0.0, 1.0)
    switched = 0
    for _ in range(1500):
        if world.die.is_parallel[0]:
            world.die.is_parallel[0] = False
            world.circuit.cell_changed(0)
        source.drive_volts(volts, 1.0)
        world.wait(seconds)
        source.drive_volts(0.0, 1.0)
        switched += bool(world.die.is_parallel[0])
    wanted = float(switching_probability(volts / 0.75, seconds, 60.0, 1.9e-9))
    assert 0.2 < wanted < 0.8
    assert switched / 1500 == pytest.approx(wanted, abs=0.05)
    assert 1 - np.exp(-leaving_rate(volts / 0.75, 60.0, 1.9e-9) * seconds) > wanted + 0.15
