import numpy as np
import pytest

from mtjlab.nouns import Floats
from mtjlab.sim_instruments import circuit
from mtjlab.sim_instruments.circuit import Source, SourcePoint
from mtjlab.sim_instruments.large_network import LargeArray, LargeNetwork
from mtjlab.sim_instruments.network import Drive
from mtjlab.sim_instruments.world import World

Bench = tuple[World, list[Source]]


def bench(levels: dict[str, float], grounded: list[str], *, remote: bool = False, side: int = 12) -> Bench:
    """Sources with 3 ohm leads on some lines, others grounded; a second pair of leads senses remotely."""
    sources = []
    world = World.from_description({"rows": side, "cols": side, "segment_ohms": 4.0}, seed=3, line_hertz=50)
    for line in grounded:
        world.connect(f"die.{line}", "ground", 2.0)
    for number, (line, level) in enumerate(levels.items()):
        source = world.add_source(f"s{number}", f"s{number}.hi")
        world.connect(f"s{number}.hi", f"die.{line}", 3.0)
        if remote:
            world.connect(f"s{number}.sense_hi", f"die.{line}", 1.0)
            source.sense_remotely(True)
        source.drive_volts(level, 1.0 if number else 2e-4 if level > 0.9 else 1.0)
        sources.append(source)
    return world, sources


def state_of(of_bench: Bench) -> tuple[list[SourcePoint], Floats]:
    world, sources = of_bench
    return [source.point() for source in sources], world.circuit.cell_volts()


ALL_COLUMNS = [f"col.{j}" for j in range(12)]
CASES = {
    "one cell, the other rows floating": ({"row.2": 0.4}, ALL_COLUMNS, False),
    "one cell, everything else floating": ({"row.2": 0.4, "col.7": -0.1}, [], False),
    "limiting": ({"row.2": 1.0, "row.5": 0.3}, ALL_COLUMNS, False),
    "sensing remotely": ({"row.2": 0.4, "row.3": -0.3}, ALL_COLUMNS[:5], True),
    "half-selected": ({f"row.{i}": 0.5 if i else 1.0 for i in range(12)}, ["col.4"], False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_large_array_is_solved_as_a_small_one_is(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    levels, grounded, remote = CASES[case]
    wanted, wanted_cells = state_of(bench(levels, grounded, remote=remote))
    monkeypatch.setattr(circuit, "DENSE_CELLS", 0)
    found, cells = state_of(bench(levels, grounded, remote=remote))
    largest = max(abs(point.amps) for point in wanted)
    for one, other in zip(found, wanted, strict=True):
        # a source of 10 milliohm at half a volt: rounding of its voltage alone is 1e-14 A
        assert one.amps == pytest.approx(other.amps, abs=1e-10 * largest + 2e-13)
        assert one.volts == pytest.approx(other.volts, abs=1e-11)
        assert one.is_limiting == other.is_limiting
    # what floats far from everything hangs on leaks of a picosiemens
    assert np.abs(cells - wanted_cells).max() < 1e-9 * np.abs(wanted_cells).max()
    assert np.abs(cells).max() > 0.05


def test_a_switched_cell_changes_a_large_array(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: dict[str, float] = {"row.2": 0.3}
    benches = [bench(levels, ALL_COLUMNS)]
    monkeypatch.setattr(circuit, "DENSE_CELLS", 0)
    benches.append(bench(levels, ALL_COLUMNS))
    before = state_of(benches[1])[0][0].amps
    index = 2 * 12 + 3
    for world, _ in benches:
        world.die.is_parallel[index] = not world.die.is_parallel[index]
        world.circuit.cell_changed(index)
    small, large = (state_of(of_bench)[0][0].amps for of_bench in benches)
    assert large == pytest.approx(small, rel=1e-9)
    assert abs(large - before) > 1e-6


def test_an_array_of_ten_thousand_cells_floats_and_is_solved() -> None:
    of_bench = bench({"row.2": 0.4, "col.90": 0.0}, [], side=100)
    world = of_bench[0]
    points, cells = state_of(of_bench)
    assert points[0].amps == pytest.approx(-points[1].amps, rel=1e-6)
    amps = cells.reshape(100, 100) * world.die.siemens(cells).reshape(100, 100)
    of_rows = np.delete(amps.sum(axis=1), 2)
    assert np.abs(of_rows).max() < 1e-9 * np.abs(points[0].amps)


def test_a_network_that_nothing_ties_down_is_refused() -> None:
    world, _ = bench({"row.0": 0.1}, [], side=2)
    matrix = np.zeros((5, 5))
    with pytest.raises(ArithmeticError, match="cannot be solved"):
        LargeNetwork(matrix, [Drive(0, 0, True)], np.arange(5), LargeArray(world.die))
