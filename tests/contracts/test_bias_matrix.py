"""The contract of BiasMatrix, on every implementation, against what the columns are really connected to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from mtjlab.drivers.keysight_b2200 import KeysightB2200
from mtjlab.errors import InstrumentError
from mtjlab.roles import BiasMatrix, Crosspoint, SwitchMatrix
from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.world import World

IMPLEMENTATIONS = {
    "b2201a": (KeysightB2200, "keysight_b2201a", "B2211A"),
    "b2201a by the free rule": (partial(KeysightB2200, allows_free_rule=True), "keysight_b2201a", "B2211A"),
    "e5250a": (KeysightB2200, "keysight_e5250a", "E5252A"),
}
BENCH = """
bench: rig
seed: 7
line_hertz: 50
die: {{rows: 1, cols: 1}}
cables: [{{from: die.row.0, to: ground}}]
instruments:
  - {{name: matrix, model: {model}, address: "GPIB0::16::INSTR", cards: [{card}]}}
"""
COLUMNS = tuple(range(101, 113))
LOAD_OHMS = 1000.0


@dataclass
class Rig:
    """A matrix with a source on row 3 and a resistor from each column to a common source at `level`."""

    matrix: Any
    world: World
    row: Source
    common: Source
    columns: dict[int, Source]

    def volts(self, column: int) -> float:
        """What is on a column, from the current through its resistor to 0 V."""
        return -self.columns[column].point().amps * LOAD_OHMS

    @property
    def messages(self) -> int:
        return int(self.matrix.writes + self.matrix.queries)


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def rig(request: pytest.FixtureRequest, open_text: Any, open_driver: Any) -> Rig:
    driver, model, card = IMPLEMENTATIONS[request.param]
    bench = open_text(BENCH.format(model=model, card=card))
    world = bench.world
    columns = {}
    for column in COLUMNS:
        columns[column] = world.add_source("sink", f"sink.{column}")
        world.connect(f"sink.{column}", f"matrix.col.{column}", LOAD_OHMS)
        columns[column].drive_volts(0.0, 1.0)
    row, common = world.add_source("row", "row"), world.add_source("other", "other")
    world.connect("row", "matrix.row.3", 0.1)
    world.connect("other", "matrix.row.1", 0.1)
    matrix = open_driver(driver, "matrix", bench)
    matrix.prepare()
    return Rig(matrix, world, row, common, columns)


def refuses_ground(rig: Rig) -> bool:
    """Whether this model has no ground mode; it must then say so."""
    if not rig.matrix.can_ground:
        with pytest.raises(InstrumentError, match="no ground mode"):
            rig.matrix.hold([101])
        assert rig.matrix.closed() == frozenset()
    return not rig.matrix.can_ground


def at(row: str, *columns: int) -> frozenset[Crosspoint]:
    return frozenset(Crosspoint(row, column) for column in columns)


class TestBiasMatrix:
    def test_it_plays_both_roles(self, rig: Rig) -> None:
        assert isinstance(rig.matrix, BiasMatrix)
        assert isinstance(rig.matrix, SwitchMatrix)

    def test_every_column_that_no_route_uses_is_at_the_row(self, rig: Rig) -> None:
        held = COLUMNS[:-1]
        assert rig.matrix.hold(held, "3") == at("3", *held)
        assert rig.matrix.route(at("1", 104)) == at("1", 104) | at("3", *(c for c in held if c != 104))
        rig.row.drive_volts(0.05, 1.0)
        rig.common.drive_volts(0.1, 1.0)
        assert rig.volts(104) == pytest.approx(0.1, rel=0.01)
        assert [rig.volts(c) for c in held if c != 104] == pytest.approx([0.05] * 10, rel=0.02)
        assert rig.volts(112) == pytest.approx(0, abs=1e-6), "not held"
        rig.matrix.check_errors()
        assert rig.world.incidents == []

    def test_a_column_goes_back_to_being_held(self, rig: Rig) -> None:
        rig.matrix.hold(COLUMNS, "3")
        rig.matrix.route(at("1", 104))
        assert rig.matrix.route(at("1", 105)) == at("1", 105) | at("3", *(c for c in COLUMNS if c != 105))
        assert rig.matrix.route(()) == at("3", *COLUMNS)

    def test_without_a_row_they_are_at_ground(self, rig: Rig) -> None:
        if refuses_ground(rig):
            return
        told = rig.matrix.hold(COLUMNS)
        assert {point.column for point in told} == set(COLUMNS)
        rig.matrix.route(at("1", 104))
        rig.common.drive_volts(0.1, 1.0)
        for source in rig.columns.values():
            source.drive_volts(0.05, 1.0)
        currents = {column: source.point().amps for column, source in rig.columns.items() if column != 104}
        assert list(currents.values()) == pytest.approx([0.05 / LOAD_OHMS] * 11, rel=0.01)
        rig.matrix.check_errors()

    def test_from_row_to_ground_and_back(self, rig: Rig) -> None:
        rig.matrix.hold(COLUMNS, "3")
        if not rig.matrix.can_ground:
            return
        rig.matrix.hold(COLUMNS)
        assert rig.matrix.hold([101, 102], "3") == at("3", 101, 102)
        rig.matrix.check_errors()

    def test_holding_is_one_transaction(self, rig: Rig) -> None:
        rig.matrix.hold([101], "3")
        before = rig.messages
        rig.matrix.hold(COLUMNS, "3")
        assert rig.messages == before + 1

    def test_release_leaves_the_routes(self, rig: Rig) -> None:
        rig.matrix.hold(COLUMNS, "3")
        rig.matrix.route(at("1", 104))
        assert rig.matrix.release() == at("1", 104)
        rig.matrix.check_errors()

    @pytest.mark.parametrize("end", ["open_all", "prepare"])
    def test_nothing_is_held_afterwards(self, rig: Rig, end: str) -> None:
        rig.matrix.hold(COLUMNS, "3")
        rig.matrix.route(at("1", 104))
        getattr(rig.matrix, end)()
        assert rig.matrix.closed() == frozenset()
        assert rig.matrix.route(at("3", 104)) == at("3", 104), "the row is free again"

    def test_what_cannot_be_held_is_refused_before_anything_moves(self, rig: Rig) -> None:
        rig.matrix.route(at("3", 104))
        refused: list[tuple[list[int], str, str]] = [
            ([999], "4", "999"),
            ([101], "77", "77"),
            ([101], "3", "uses row 3"),
        ]
        for columns, row, said in refused:
            before = rig.messages
            with pytest.raises(InstrumentError, match=said):
                rig.matrix.hold(columns, row)
            assert rig.messages == before
        assert rig.matrix.closed() == at("3", 104)

    def test_a_route_cannot_use_the_row_that_holds(self, rig: Rig) -> None:
        rig.matrix.hold(COLUMNS, "3")
        before = rig.messages
        with pytest.raises(InstrumentError, match="row 3 holds"):
            rig.matrix.route(at("3", 104))
        assert rig.messages == before
