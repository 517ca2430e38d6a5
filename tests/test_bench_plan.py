"""Plans of a bench: sources for lines, series that share routes, and the order in which the fewest relays move."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.bench_plan import (
    GROUND,
    Block,
    Sources,
    blocks,
    driven,
    furthest_from_ground,
    groups_of,
    held_source,
    in_order,
    relay_moves,
    routes_for,
    selected_sites,
    serves,
)
from mtjlab.errors import InputError
from mtjlab.nouns import FLOATING, Line, Lines, Site
from mtjlab.roles import LineRead

SHAPE = (4, 3)
THREE = Sources(("drive", "half", "sense"))
TWO_AND_GROUND = Sources(("a", "b"), has_ground=True)
EVERY = frozenset([Line("row", i) for i in range(4)] + [Line("col", j) for j in range(3)])


def reads_of(site: Site, *levels: float, shape: tuple[int, int] = SHAPE) -> list[LineRead]:
    return [LineRead(Lines.selecting(shape, site, v, 0.0), Line("col", site.col)) for v in levels]


def every_cell(shape: tuple[int, int], *levels: float) -> list[LineRead]:
    return [read for site in np.ndindex(*shape) for read in reads_of(Site(*site), *levels, shape=shape)]


class TestRoutes:
    def test_a_read_takes_three_smus_or_two_and_ground(self) -> None:
        lines = driven(Lines.selecting(SHAPE, Site(1, 2), 0.1, 0.0))
        rest = EVERY - {Line("row", 1), Line("col", 2)}
        row, col = frozenset([Line("row", 1)]), frozenset([Line("col", 2)])
        assert routes_for([lines], THREE, Line("col", 2)) == {"drive": row, "half": rest, "sense": col}
        assert routes_for([lines], TWO_AND_GROUND, Line("col", 2)) == {"a": row, GROUND: rest, "b": col}

    def test_a_half_selecting_pulse(self) -> None:
        lines = driven(Lines.selecting(SHAPE, Site(1, 2), -0.6, -0.3))
        routes = routes_for([lines], TWO_AND_GROUND, None, Line("row", 1))
        assert routes == {
            "a": {Line("row", 1)}, "b": EVERY - {Line("row", 1), Line("col", 2)}, GROUND: {Line("col", 2)},
        }  # fmt: skip

    def test_the_pulsed_line_is_at_the_first_smu_even_if_it_is_at_zero(self) -> None:
        lines = driven(Lines.grounded(*SHAPE))
        assert routes_for([lines], TWO_AND_GROUND, None, Line("row", 3)) == {"a": EVERY}

    def test_too_many_levels_at_once(self) -> None:
        lines = Lines.grounded(*SHAPE)
        lines.row_volts[:] = 0.0, 0.1, 0.2, 0.3
        with pytest.raises(InputError, match="3 levels at once need 3 SMUs, 1 are free"):
            routes_for([driven(lines)], TWO_AND_GROUND, Line("col", 0))

    def test_routes_serve_what_their_groups_can_be_set_to(self) -> None:
        read, zero = reads_of(Site(1, 2), 0.1, 0.0)
        routes = routes_for([driven(read.lines)], TWO_AND_GROUND, read.sense)
        assert serves(routes, read.lines, TWO_AND_GROUND, read.sense, None)
        assert serves(routes, zero.lines, TWO_AND_GROUND, read.sense, None)
        assert groups_of(routes, read.lines)["a"] == (0.1, {Line("row", 1)})
        for refused in (
            reads_of(Site(2, 2), 0.1)[0],
            reads_of(Site(1, 1), 0.1)[0],
            LineRead(Lines.selecting(SHAPE, Site(1, 2), 0.1, 0.05), read.sense),
            LineRead(Lines.selecting(SHAPE, Site(1, 2), 0.1, FLOATING), read.sense),
        ):
            assert not serves(routes, refused.lines, TWO_AND_GROUND, refused.sense, None)
        assert not serves(routes, read.lines, TWO_AND_GROUND, read.sense, Line("col", 2))
        assert not serves({}, read.lines, TWO_AND_GROUND, read.sense, None)

    def test_the_source_with_most_lines_is_held(self) -> None:
        read = reads_of(Site(1, 2), 0.1)[0]
        assert held_source(routes_for([driven(read.lines)], TWO_AND_GROUND, read.sense)) == GROUND
        pulse = driven(Lines.selecting(SHAPE, Site(1, 2), 0.6, 0.3))
        assert held_source(routes_for([pulse], TWO_AND_GROUND, None, Line("row", 1))) == "b"
        two_lines = Lines(np.full(4, FLOATING), np.full(3, FLOATING))
        two_lines.row_volts[0], two_lines.col_volts[0] = 0.1, 0.0
        assert held_source(routes_for([driven(two_lines)], TWO_AND_GROUND, Line("col", 0))) is None


def test_the_selected_cells_and_their_polarity() -> None:
    lines = Lines.selecting(SHAPE, Site(2, 1), -0.6, -0.3)
    assert selected_sites(lines) == [(Site(2, 1), -0.6)]
    assert furthest_from_ground(lines) == Line("row", 2)


class TestBlocks:
    @pytest.mark.parametrize("sources", [THREE, TWO_AND_GROUND])
    def test_one_for_each_cell_with_the_row_driven_at_zero_too(self, sources: Sources) -> None:
        found = blocks(every_cell(SHAPE, 0.0, 0.1, -0.1), sources)
        assert [block.numbers for block in found] == [tuple(range(k, k + 3)) for k in range(0, 36, 3)]
        assert [block.routes[sources.names[0]] for block in found[::3]] == [{Line("row", i)} for i in range(4)]

    def test_more_sources_let_cells_of_a_column_share_one(self) -> None:
        column = [read for i in range(4) for read in reads_of(Site(i, 1), 0.0, 0.1)]
        assert [len(b.numbers) for b in blocks(column, TWO_AND_GROUND)] == [2, 2, 2, 2]
        assert [len(b.numbers) for b in blocks(column, Sources(("a", "b", "c"), has_ground=True))] == [4, 4]

    def test_what_floats_is_another(self) -> None:
        floating = LineRead(Lines.selecting(SHAPE, Site(0, 0), 0.1, FLOATING), Line("col", 0))
        assert len(blocks([*reads_of(Site(0, 0), 0.1), floating], THREE)) == 2

    def test_a_zero_belongs_to_the_read_after_it(self) -> None:
        first, second, third = Site(0, 1), Site(1, 1), Site(2, 1)
        reads = [*reads_of(first, 0.1, 0.1, 0.0, 0.1), *reads_of(second, 0.0, 0.1), *reads_of(third, 0.0)]
        assert [len(block.numbers) for block in blocks(reads, TWO_AND_GROUND)] == [4, 3]

    def test_a_long_sweep_is_one_block(self) -> None:
        reads = reads_of(Site(1, 1), *np.linspace(-0.1, 0.1, 20_000))
        assert [len(block.numbers) for block in blocks(reads, TWO_AND_GROUND)] == [20_000]

    def test_none(self) -> None:
        assert blocks([], THREE) == []
        assert in_order([], {}) == []

    def test_too_many_levels_are_told(self) -> None:
        lines = Lines.grounded(*SHAPE)
        lines.row_volts[:] = 0.0, 0.1, 0.2, 0.3
        with pytest.raises(InputError, match="levels at once"):
            blocks([LineRead(lines, Line("col", 0))], THREE)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 0.1, -0.1])), max_size=12))
    @settings(derandomize=True, database=None, deadline=None, max_examples=60)
    def test_every_read_is_in_one_block_whose_routes_can_make_it(self, cells: list[tuple[int, int, float]]) -> None:
        reads = [reads_of(Site(i, j), volts)[0] for i, j, volts in cells]
        for sources in (THREE, TWO_AND_GROUND, Sources(("a", "b", "c", "d"))):
            order = in_order(blocks(reads, sources), {})
            numbers = [number for block in order for number in block.numbers]
            assert sorted(numbers) == list(range(len(reads)))
            for block in order:
                for number in block.numbers:
                    groups, levels = groups_of(block.routes, reads[number].lines), driven(reads[number].lines)
                    assert frozenset().union(*(on for _, on in groups.values())) == levels.keys()
                    assert all(levels[line] == level for level, on in groups.values() for line in on)
                    assert groups[sources.names[-1]][1] == {reads[number].sense}
                    assert groups.get(GROUND, (0.0, ()))[0] == 0.0


class TestOrder:
    def test_a_whole_array_takes_two_relays_on_and_two_off_for_each_further_cell(self) -> None:
        found = blocks(every_cell((6, 5), 0.0, 0.1), TWO_AND_GROUND)
        order = in_order(found, {})
        assert relay_moves(order, {}) == 11 + 4 * 29
        assert relay_moves(found, {}) > relay_moves(order, {})

    def test_it_is_the_best_of_all_orders(self) -> None:
        found = blocks(every_cell((2, 3), 0.1), TWO_AND_GROUND)
        best = min(relay_moves(order, {}) for order in itertools.permutations(found))
        assert relay_moves(in_order(found, {}), {}) == best

    def test_it_begins_at_what_is_connected(self) -> None:
        found = blocks(every_cell((3, 3), 0.1), TWO_AND_GROUND)
        assert in_order(found, found[7].routes)[0] == found[7]

    def test_equal_routes_follow_each_other(self) -> None:
        routes = [{"a": frozenset([Line("row", k)])} for k in (0, 1, 0, 1)]
        order = in_order([Block(r, (k,)) for k, r in enumerate(routes)], {})
        assert [block.numbers for block in order] == [(0,), (2,), (1,), (3,)]
