"""Levels of write pulses, what they expose, what they cost, and which scheme a bench gets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mtjlab.errors import InputError
from mtjlab.protocols.write_lines import (
    WriteScheme,
    chosen_write_scheme,
    exposed_by,
    pulse_joules,
    volts_across,
    write_lines,
)
from mtjlab.roles import Capabilities

SHAPE = (4, 5)
LARGEST_UNSELECTED = {
    WriteScheme.HALF: 1 / 2,
    WriteScheme.GROUNDED: 1 / 2,
    WriteScheme.THIRD: 1 / 3,
    WriteScheme.FLOATING: 1 / 2,
    WriteScheme.GATED: 0.0,
}


def can(levels: int, *, sensed: int = 1, floats: bool = True, isolates: bool = False) -> Capabilities:
    return Capabilities(levels, sensed, 1e-3, floats, isolates_cells=isolates)


@given(
    st.sampled_from(list(WriteScheme)),
    st.integers(0, 3),
    st.sets(st.integers(0, 4), min_size=1, max_size=5),
    st.floats(0.1, 1.0),
    st.sampled_from([1.0, -1.0]),
)
@hypothesis_settings(derandomize=True, database=None, deadline=None, max_examples=80)
def test_selected_cells_see_all_of_it_and_the_others_their_schemes_part(
    scheme: WriteScheme, row: int, cols: set[int], size: float, sign: float
) -> None:
    volts = sign * size
    lines = write_lines(SHAPE, row, sorted(cols), volts, scheme)
    across = volts_across(lines, scheme)
    selected = np.zeros(SHAPE, dtype=bool)
    selected[row, sorted(cols)] = True
    assert across[selected] == pytest.approx(volts)
    others = np.abs(across[~selected])
    assert others.max(initial=0.0) == pytest.approx(LARGEST_UNSELECTED[scheme] * size)
    low, high = lines.cell_volts_bounds
    assert max(-low, high) == pytest.approx(size)
    assert exposed_by(lines, scheme)[selected].all()


@pytest.mark.parametrize(
    ("scheme", "exposed"),
    [
        (WriteScheme.HALF, 8),
        (WriteScheme.GROUNDED, 8),
        (WriteScheme.THIRD, 20),
        (WriteScheme.FLOATING, 20),
        (WriteScheme.GATED, 1),
    ],
)
def test_exposed_cells_are_those_that_see_a_part_of_the_pulse(scheme: WriteScheme, exposed: int) -> None:
    assert exposed_by(write_lines(SHAPE, 1, [2], -0.5, scheme), scheme).sum() == exposed


@pytest.mark.parametrize(
    ("scheme", "cells"),
    [(WriteScheme.HALF, 1 + 7 / 4), (WriteScheme.THIRD, 1 + 19 / 9), (WriteScheme.GATED, 1.0)],
)
def test_energy_is_that_of_all_cells_at_what_they_see(scheme: WriteScheme, cells: float) -> None:
    siemens = np.full(SHAPE, 1e-4)
    siemens[0, 0] = np.nan
    lines = write_lines(SHAPE, 1, [2], 0.5, scheme)
    assert pulse_joules(lines, scheme, siemens, 2e-3) == pytest.approx(cells * 0.25 * 1e-4 * 2e-3)
    assert pulse_joules(lines, scheme, np.full(SHAPE, np.nan), 2e-3) == 0.0


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (can(50, sensed=25, isolates=True), WriteScheme.GATED),
        (can(30, sensed=30), WriteScheme.HALF),
        (can(4), WriteScheme.HALF),
        (can(3, floats=False), WriteScheme.HALF),
        (can(2), WriteScheme.FLOATING),
    ],
)
def test_the_scheme_follows_from_what_the_bench_can_do(capabilities: Capabilities, expected: WriteScheme) -> None:
    assert chosen_write_scheme(None, capabilities) == expected
    assert chosen_write_scheme(expected, capabilities) == expected


@pytest.mark.parametrize(
    ("asked", "capabilities", "words"),
    [
        (WriteScheme.THIRD, can(3), "3 levels at once and cannot write with the scheme 'V/3'"),
        (WriteScheme.GATED, can(9, sensed=9), "'gated'"),
        (WriteScheme.FLOATING, can(9, floats=False), "'floating'"),
        (None, can(2, floats=False), "2 levels at once and cannot write with any scheme"),
    ],
)
def test_what_a_bench_cannot_do_is_refused(asked: WriteScheme | None, capabilities: Capabilities, words: str) -> None:
    with pytest.raises(InputError, match=words):
        chosen_write_scheme(asked, capabilities)
