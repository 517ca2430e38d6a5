"""What wears or breaks cells, and what lines and contacts add: against the simulated truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Lines, Pulse, Site
from mtjlab.protocols.characterize_breakdown import breakdown_ramp
from mtjlab.protocols.characterize_cell import Drive
from mtjlab.protocols.characterize_endurance import check_points, endurance
from mtjlab.protocols.characterize_wires import line_resistance
from mtjlab.protocols.characterize_wires_fit import reaching_share
from mtjlab.sim_instruments.world import World

SITE = Site(1, 2)
MANY = DeviceLimits(pulses_per_cell=100_000)


def index(world: World, site: Site = SITE) -> int:
    return site.row * world.die.description.cols + site.col


def test_endurance_checks_after_one_two_five(make_world: Any) -> None:
    assert check_points(60) == [1, 2, 5, 10, 20, 50, 60]
    assert check_points(1) == [1]
    world, crossbar = make_world(1, MANY)
    found = endurance(crossbar, SITE, 20)
    assert [check.cycles for check in found.checks] == [0, 1, 2, 5, 10, 20]
    assert not found.is_worn and not found.ending.is_partial
    assert found.checks[-1].tmr == pytest.approx(found.checks[0].tmr, rel=0.01)
    assert world.incidents == []


def test_a_cell_that_breaks_down_is_worn_out(make_world: Any) -> None:
    limits = DeviceLimits(pulses_per_cell=10_000, write_volts_positive=2.0)
    _, crossbar = make_world(1, limits, breakdown_volts=0.75, limit_volts=3.0)
    found = endurance(crossbar, SITE, 5000, drive=Drive(Pulse(0.85, 5e-3), Pulse(-0.7, 5e-3)))
    assert found.is_worn
    assert found.cycles < 5000
    assert "worn out" in found.ending.reason


def test_breakdown_needs_the_cell_to_be_given_up(make_world: Any, watched: Any) -> None:
    limits = DeviceLimits(write_volts_positive=2.0)
    world, crossbar = make_world(1, limits, breakdown_volts=1.0, limit_volts=3.0)
    spy = watched(crossbar)
    with pytest.raises(InputError, match=r"nobody has given up \(1, 2\); nothing was sent"):
        breakdown_ramp(spy, [SITE], [0.5, 1.0], 1e-3, may_destroy=[Site(0, 0)])
    with pytest.raises(LimitError, match=r"0\.6 V, 0\.5 V are allowed"):
        breakdown_ramp(spy, [SITE], [0.5, 1.8], 1e-3, may_destroy=[SITE])
    assert spy.transactions == 0
    found = breakdown_ramp(spy, [SITE], np.arange(0.5, 1.5, 0.02).tolist(), 1e-3, may_destroy=[SITE])
    (cell,) = found.cells
    assert cell.is_broken and 0.7 < cell.volts < 1.3 and cell.siemens > 1e-3
    assert [incident.message for incident in world.incidents] == ["the barrier of cell (1, 2) broke down"]
    assert found.volts_elsewhere == pytest.approx(cell.volts / 3)
    others = [lines.row_volts[:, None] - lines.col_volts for lines in spy.pulses]
    for across in others:
        across[SITE] = 0.0
    assert np.abs(others).max() == pytest.approx(found.volts_elsewhere)
    assert found.pulses_elsewhere == len(spy.pulses)


def test_a_breakdown_ramp_ends_at_the_devices_limit(make_world: Any) -> None:
    world, crossbar = make_world(1, DeviceLimits(write_volts_positive=0.7))
    found = breakdown_ramp(crossbar, [SITE], [0.6, 0.7, 0.8], 1e-3, may_destroy=[SITE])
    assert (found.cells[0].volts, found.cells[0].is_broken) == (0.7, False)
    assert "limits" in found.ending.reason
    assert world.incidents == []


@pytest.mark.parametrize("each_line", [False, True])
def test_currents_between_lines_tell_wires_and_contacts(make_world: Any, in_state: Any, each_line: bool) -> None:
    world, crossbar = make_world(1)
    in_state(world, np.ones((6, 6)))
    found = line_resistance(crossbar, read_volts=0.05, each_line=each_line)
    assert found.fit is not None
    truth = world.die.contact_ohms + 0.06  # with the source and its cable
    assert found.fit.segment_ohms.value == pytest.approx(2.0, rel=0.01)
    rows, cols = (np.array([e.value for e in ohms]) for ohms in (found.fit.row_ohms, found.fit.col_ohms))
    if each_line:
        assert rows == pytest.approx(truth[:6], abs=0.02)
        assert cols == pytest.approx(truth[6:], abs=0.02)
    else:
        assert (rows[0], cols[0]) == pytest.approx((truth[:6].mean(), truth[6:].mean()), abs=0.2)
    assert found.fit.siemens.ravel() == pytest.approx(world.die.siemens(0.05), rel=1e-3 if each_line else 5e-3)
    crossbar.pulse(Lines.selecting(crossbar.shape, SITE, 1e-3, 5e-4), 1e-6)
    assert found.ending.cost.pulses == 0


def test_the_share_that_reaches_a_cell_is_that_of_the_network(make_world: Any, in_state: Any) -> None:
    world, crossbar = make_world(1)
    in_state(world, np.ones((6, 6)))
    fit = line_resistance(crossbar, read_volts=0.05, each_line=True).fit
    crossbar.measure(Lines.selecting(crossbar.shape, SITE, 0.1, 0.05), [])
    seen = float(world.cell_volts()[index(world)]) / 0.1
    assert seen < 0.995
    assert reaching_share(fit.siemens, SITE, fit.wires) == pytest.approx(seen, abs=1e-4)
