"""The contract of SwitchMatrix, on every implementation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.errors import InstrumentError
from mtjlab.roles import Crosspoint, SwitchMatrix
from mtjlab.sim_instruments.world import Switches

IMPLEMENTATIONS = {"keithley_707b": Keithley707B}
SOME = {Crosspoint("A", 101), Crosspoint("C", 212), Crosspoint("H", 306)}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def implementation(request: pytest.FixtureRequest) -> Any:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture
def matrix(implementation: Any, open_bench: Any, open_driver: Any) -> Any:
    return open_driver(implementation, "matrix", open_bench())


class TestSwitchMatrix:
    def test_it_plays_the_role_and_says_what_it_is(self, matrix: Any) -> None:
        assert isinstance(matrix, SwitchMatrix)
        identity = matrix.identity()
        assert identity.model
        assert identity.serial == "1300001"

    def test_fitted_places(self, matrix: Any) -> None:
        assert matrix.rows == tuple("ABCDEFGH")
        assert len(matrix.columns) == 36
        assert {column // 100 for column in matrix.columns} == {1, 2, 3}
        assert {column % 100 for column in matrix.columns} == set(range(1, 13))

    def test_prepare_opens_every_relay(self, matrix: Any) -> None:
        matrix.route(SOME)
        matrix.prepare()
        assert matrix.closed() == frozenset()

    def test_route_closes_exactly_these(self, matrix: Any) -> None:
        matrix.prepare()
        assert matrix.route(SOME) == SOME
        other = {Crosspoint("B", 101), Crosspoint("C", 212)}
        assert matrix.route(other) == other
        assert matrix.closed() == other
        assert matrix.route(()) == frozenset()

    @given(st.sets(st.tuples(st.sampled_from("ABCDEFGH"), st.sampled_from([101, 112, 201, 207, 312])), max_size=20))
    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=15,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_whatever_is_closed_reads_back(self, matrix: Any, places: set[tuple[str, int]]) -> None:
        wanted = {Crosspoint(*place) for place in places}
        assert matrix.route(wanted) == wanted
        assert matrix.closed() == wanted

    def test_break_comes_before_make(self, matrix: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        matrix.prepare()
        matrix.route([Crosspoint("A", 101)])
        seen: list[int] = []
        move = Switches.set

        def watch(self: Switches, closed: Any) -> None:
            move(self, closed)
            seen.append(len(self.closed))

        monkeypatch.setattr(Switches, "set", watch)
        matrix.route([Crosspoint("B", 101)])
        assert seen == [0, 1], "never both at once"

    def test_open_all_opens_in_any_state(self, matrix: Any) -> None:
        matrix.open_all()
        assert matrix.closed() == frozenset()
        matrix.route(SOME)
        matrix.open_all()
        assert matrix.closed() == frozenset()

    def test_errors_are_quoted_once(self, matrix: Any) -> None:
        matrix.prepare()
        matrix.write('channel.close("nowhere")')
        with pytest.raises(InstrumentError, match="nowhere"):
            matrix.check_errors()
        matrix.check_errors()

    def test_a_hung_instrument_listens_again_after_recover(
        self, implementation: Any, open_bench: Any, open_driver: Any
    ) -> None:
        bench = open_bench(faults="[{instrument: matrix, kind: hang, after_operations: 1}]")
        matrix = open_driver(implementation, "matrix", bench)
        matrix.open_all()
        with pytest.raises(InstrumentError, match="did not answer"):
            matrix.closed()
        matrix.recover()
        assert matrix.closed() == frozenset()
