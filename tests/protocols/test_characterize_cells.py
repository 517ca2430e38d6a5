"""Measurements of single cells against the simulated truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Pulse, Site, State
from mtjlab.physics.mtj import volts_for_probability
from mtjlab.physics.switching import leaving_rate, write_error_rate
from mtjlab.protocols.characterize_bias import tmr_against_bias
from mtjlab.protocols.characterize_cell import Drive
from mtjlab.protocols.characterize_loops import field_loop, loop_facts, pulsed_loop, quasi_static_loop, staircase
from mtjlab.protocols.characterize_read_disturb import read_disturb
from mtjlab.protocols.characterize_retention import retention
from mtjlab.protocols.characterize_switching import switching_adaptively, switching_on_grid
from mtjlab.protocols.characterize_telegraph import telegraph
from mtjlab.protocols.characterize_write_errors import write_errors
from mtjlab.roles import FieldSource, Identity
from mtjlab.sim_instruments.world import World

SITE = Site(1, 2)
MANY = DeviceLimits(pulses_per_cell=100_000)
IDEAL = {"segment_ohms": 0.0, "contact_ohms": 1e-3, "contact_spread": 0.0}
ALIKE = {**IDEAL, "diameters_nm": [50.0], "conductance_spread": 0.0, "delta_spread": 0.0, "volts_c0_spread": 0.0}


def index(world: World, site: Site = SITE) -> int:
    return site.row * world.die.description.cols + site.col


class WorldField(FieldSource):
    """Sets the world's field at once."""

    def __init__(self, world: World) -> None:
        self.world, self.is_on = world, True

    def identity(self) -> Identity:
        return Identity("mtjlab", "field", "0", "0")

    def prepare(self, *, tesla_limit: float) -> None:
        del tesla_limit

    def set_tesla(self, tesla: float) -> None:
        self.world.field_tesla = tesla
        self.world.wait(1e-2)

    def tesla(self) -> float:
        return self.world.field_tesla

    def output_off(self) -> None:
        self.set_tesla(0.0)
        self.is_on = False

    def is_output_on(self) -> bool:
        return self.is_on

    def check_errors(self) -> None:
        return

    def recover(self) -> None:
        return


@pytest.mark.parametrize("towards", [State.P, State.AP])
def test_chosen_pulses_find_the_cell(make_world: Any, towards: State) -> None:
    world, crossbar = make_world(1, MANY, rows=2, cols=3, **IDEAL)
    volts = np.geomspace(0.3, 0.95, 80).tolist()
    found = switching_adaptively(
        crossbar, SITE, towards, volts, [1e-5, 1e-3], wanted_delta=0.12, wanted_volts=0.05, drive=Drive()
    )
    truth = (world.die.set_volts if towards == State.P else world.die.reset_volts)[index(world)]
    assert found.ending.reason == "the intervals are as narrow as wanted"
    assert found.fit is not None and not found.ending.is_partial
    assert found.fit.volts_c0.value == pytest.approx(truth, rel=0.1)
    assert found.fit.delta.value == pytest.approx(world.die.delta[index(world)], rel=0.25)
    assert found.fit.delta.relative_width < 0.35
    assert world.incidents == [] and not world.is_live


def test_amplitudes_beyond_the_limits_are_left_out(make_world: Any) -> None:
    _, crossbar = make_world(
        1, DeviceLimits(pulses_per_cell=10_000, write_volts_positive=0.6, write_volts_negative=0.8)
    )
    found = switching_adaptively(
        crossbar, SITE, State.P, np.linspace(0.3, 2.0, 90).tolist(), [1e-7, 1e-3], most_pulses=60, wanted_delta=0.01
    )
    assert found.counts.pulses == 60
    assert found.counts.volts.max() <= 0.6


def test_an_even_grid_counts_every_kind(make_world: Any) -> None:
    world, crossbar = make_world(2, MANY, **IDEAL)
    centre = volts_for_probability(0.5, 1e-3, world.die.delta[index(world)], world.die.set_volts[index(world)], 1.9e-9)
    volts = [0.5 * centre, centre, 1.4 * centre]
    found = switching_on_grid(crossbar, SITE, State.P, volts, [1e-3], 30)
    assert found.counts.given.tolist() == [30, 30, 30]
    assert found.counts.switched[0] == 0 and found.counts.switched[2] == 30
    assert 5 <= found.counts.switched[1] <= 25
    assert world.incidents == []


def test_reaching_scales_the_amplitudes(make_world: Any) -> None:
    _, crossbar = make_world(2, MANY)
    found = switching_on_grid(crossbar, SITE, State.P, [0.3, 0.5], [1e-3], 2, reaching=0.98)
    assert found.counts.volts == pytest.approx([0.294, 0.49])


def test_loops_show_both_states_and_where_they_change(make_world: Any) -> None:
    world, crossbar = make_world(1, MANY, **IDEAL)
    volts = staircase(0.6, -0.75, 0.05)
    slow = quasi_static_loop(crossbar, SITE, volts)
    fast = pulsed_loop(crossbar, SITE, volts)
    for loop in (slow, fast):
        facts = loop_facts(loop.drive, loop.siemens)
        assert 0.2 < facts.to_p < 0.55 and -0.75 < facts.to_ap < -0.3
        assert not loop.ending.is_partial
        assert facts.tmr == pytest.approx(world.die.tmr[index(world)], rel=0.05)
    at_bias = slow.siemens[np.isclose(slow.drive, 0.6)]
    assert at_bias == pytest.approx(world.die.siemens_p[index(world)], rel=0.01)
    assert world.incidents == [] and not world.is_live


def test_a_field_loop_opens_at_the_coercive_field_and_ends_at_zero(make_world: Any) -> None:
    world, crossbar = make_world(1, **IDEAL)
    field = WorldField(world)
    loop = field_loop(crossbar, SITE, field, staircase(0.15, -0.15, 0.01))
    facts = loop_facts(loop.drive, loop.siemens)
    assert 0.05 < facts.coercivity < 0.15
    assert abs(facts.offset) < 0.04
    assert (world.field_tesla, field.is_on, crossbar.spent.pulses) == (0.0, False, 0)


def test_tmr_against_bias_finds_the_half_voltage(make_world: Any) -> None:
    world, crossbar = make_world(3, MANY, **IDEAL)
    curve = tmr_against_bias(crossbar, SITE, [0.05, 0.1, 0.15, -0.2, -0.3, 0.2, 0.8])
    assert curve.fit is not None
    assert curve.fit.volts_half.value == pytest.approx(0.5, rel=0.01)
    assert curve.fit.tmr0.value == pytest.approx(world.die.tmr[index(world)], rel=0.01)
    assert np.isnan(curve.siemens_ap[-1]) and np.isfinite(curve.siemens_p[-1])  # at 0.8 V it does not stay in AP
    assert world.incidents == []


def test_write_errors_come_as_often_as_they_should(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, **IDEAL)
    k = index(world)
    volts = volts_for_probability(0.8, 1e-4, world.die.delta[k], world.die.set_volts[k], 1.9e-9)
    found = write_errors(crossbar, SITE, [Pulse(volts, 1e-4), Pulse(-0.9, 1e-3)], most_writes=150, most_errors=1000)
    often, never = found.counts
    truth = float(write_error_rate(volts / world.die.set_volts[k], 1e-4, world.die.delta[k], 1.9e-9))
    assert often.rate(0.9999).covers(truth)
    assert (often.towards, often.writes, never.errors) == (State.P, 150, 0)
    assert never.rate().high == pytest.approx(1 - 0.05 ** (1 / 150))
    assert found.ending.cost.readings < 2 * 300 + 60  # one reading tells the state
    assert world.incidents == []


def test_write_errors_end_after_enough_of_them(make_world: Any) -> None:
    _, crossbar = make_world(0, MANY)
    found = write_errors(crossbar, SITE, [Pulse(0.2, 1e-4)], most_errors=5)
    assert (found.counts[0].writes, found.counts[0].errors) == (5, 5)
    with pytest.raises(InputError, match="0 V"):
        write_errors(crossbar, SITE, [Pulse(0.0, 1e-4)])


def test_read_disturb_is_the_rate_under_the_read_bias(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, rows=1, cols=1, **{**ALIKE, "delta": 28.0})
    found = read_disturb(crossbar, Site(0, 0), [0.15], [State.AP, State.P], readings=400)
    ap, p = found.counts
    truth = float(leaving_rate(0.15 / world.die.set_volts[0], world.die.delta[0], 1.9e-9))
    assert ap.per_second(0.9999).covers(truth)
    assert ap.disturbs > 8 and p.disturbs == 0
    assert p.per_reading().high == pytest.approx(3 / 400, rel=0.01)
    assert ap.seconds == pytest.approx(400 * 3e-3)
    with pytest.raises(LimitError):
        read_disturb(crossbar, Site(0, 0), [0.3], readings=2)


def test_retention_counts_what_a_field_took(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, rows=3, cols=3, **ALIKE)

    def wait(seconds: float) -> None:
        world.field_tesla = -0.15 if seconds > 1 else 0.0
        world.wait(seconds)
        world.field_tesla = 0.0

    sites = [Site(i, j) for i in range(3) for j in range(3)]
    found = retention(crossbar, sites, State.P, [0.5, 5.0], wait=wait)
    quiet, stressed = found.waits
    assert (len(quiet.sites), quiet.lost) == (9, ())
    assert stressed.lost == tuple(sites)
    assert (quiet.seconds, stressed.seconds) == pytest.approx((0.5, 5.0))
    with pytest.raises(InputError):
        retention(crossbar, [], State.P, [1.0])


def test_a_telegraph_trace_gives_the_rates(make_world: Any) -> None:
    world, crossbar = make_world(3, MANY, rows=1, cols=1, **{**ALIKE, "delta": 17.5})
    found = telegraph(crossbar, Site(0, 0), 4000, read_volts=0.01)
    assert found.fit is not None and found.fit.has_two_levels
    to_p = float(leaving_rate(0.01 / world.die.set_volts[0], world.die.delta[0], 1.9e-9))
    to_ap = float(leaving_rate(-0.01 / world.die.reset_volts[0], world.die.delta[0], 1.9e-9))
    assert found.fit.to_p.value == pytest.approx(to_p, rel=0.4)
    assert found.fit.to_ap.value == pytest.approx(to_ap, rel=0.4)
    assert found.ending.cost.pulses == 0
