"""Pulses are counted cell by cell and polarity by polarity; what a series may still get is cut off there."""

from __future__ import annotations

import pytest

from mtjlab.errors import BudgetError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Line, Lines, Site
from mtjlab.pulse_budget import PulseBudget
from mtjlab.roles import LineRead, LineWrite

SHAPE = (3, 3)


def pulse(site: Site, volts: float = 0.5) -> Lines:
    return Lines.selecting(SHAPE, site, volts, volts / 2)


def write(site: Site, *volts: float) -> LineWrite:
    read = LineRead(Lines.selecting(SHAPE, site, 0.1, 0.0), Line("col", site.col))
    return LineWrite(read, tuple(pulse(site, v) for v in volts))


def test_a_cell_gets_as_many_as_its_limit_and_others_are_not_counted() -> None:
    budget = PulseBudget(DeviceLimits(pulses_per_cell=2))
    for site in (Site(1, 1), Site(1, 2), Site(2, 1)):
        budget.take(pulse(site))
        budget.take(pulse(site, -0.5))
        with pytest.raises(BudgetError, match="had its 2 pulses") as caught:
            budget.take(pulse(site))
        assert caught.value.where == "device.limits.pulses_per_cell"


def test_negative_pulses_have_a_limit_of_their_own() -> None:
    budget = PulseBudget(DeviceLimits(pulses_per_cell=5, pulses_per_cell_negative=1))
    budget.take(pulse(Site(0, 0), -0.5))
    with pytest.raises(BudgetError, match="had its 1 negative pulses") as caught:
        budget.take(pulse(Site(0, 0), -0.5))
    assert caught.value.where == "device.limits.pulses_per_cell_negative"
    for _ in range(4):
        budget.take(pulse(Site(0, 0)))


def test_all_cells_that_a_pulse_selects_count_and_none_if_one_of_them_may_not() -> None:
    budget = PulseBudget(DeviceLimits(pulses_per_cell=1))
    both = Lines.grounded(*SHAPE)
    both.row_volts[0], both.col_volts[:] = 0.5, (0.0, 0.0, 0.25)
    budget.take(pulse(Site(0, 0)))
    with pytest.raises(BudgetError):
        budget.take(both)
    budget.take(pulse(Site(0, 1)))


def test_a_series_is_cut_where_a_limit_or_the_budget_ends() -> None:
    budget = PulseBudget(DeviceLimits(pulses_per_cell=3, write_volts_positive=0.6))
    writes = [write(Site(0, 0), 0.5, 0.6, 0.7, 0.5), write(Site(0, 0), 0.5, 0.5), write(Site(1, 1), 0.5, 0.5)]
    allowed = budget.allowed(writes, 1e-3)
    assert [len(w.pulses) for w in allowed] == [2, 1, 2]
    assert [len(w.pulses) for w in budget.allowed(writes, 1e-3)] == [2, 1, 2], "asking gives none"
    budget.count(allowed[0].pulses)
    budget.count(allowed[0].pulses[1:], -1)
    assert [len(w.pulses) for w in budget.allowed(writes, 1e-3)] == [2, 0, 2]
