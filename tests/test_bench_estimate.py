"""Estimates of bench seconds: the floor, what more sensed lines save, and a simulated bench that takes as long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.bench_estimate import BenchTimes, estimate_reading
from mtjlab.protocols.readout import all_sites, read_cells
from mtjlab.sim_instruments.simulated_bench import bench_path, sim_bench
from mtjlab.station import open_station
from mtjlab.wiring import load_wiring

BENCH = BenchTimes(2e-3, open_seconds=4e-3, close_seconds=4e-3)
IDEAL = replace(BENCH, reading_seconds=0, level_seconds=0, route_seconds=0)


def test_the_floor_is_two_integrations_and_one_change_of_relays_for_each_cell() -> None:
    found = estimate_reading((15, 15), BENCH)
    assert found.floor_seconds == pytest.approx(225 * (8e-3 + 2 * 2e-3))
    assert found.routes == 225
    assert estimate_reading((15, 15), IDEAL).seconds == pytest.approx(found.floor_seconds)


def test_lines_that_are_sensed_at_once_divide_it() -> None:
    one, five, all_of_them = (estimate_reading((15, 15), replace(IDEAL, sensed_lines=n)) for n in (1, 5, 40))
    assert one.seconds == pytest.approx(5 * five.seconds)
    assert one.seconds == pytest.approx(15 * all_of_them.seconds)
    assert all_of_them.relay_closings == 30 + 2 * 14


def test_a_matrix_that_holds_lines_closes_only_what_is_selected() -> None:
    assert estimate_reading((15, 15), BENCH).relay_closings == 30 + 2 * (15 * 14 + 14)
    assert estimate_reading((15, 15), replace(BENCH, holds_lines=True)).relay_closings == 1 + 15 * 14 + 15


def test_scans_take_a_transaction_for_as_many_readings_as_one_holds() -> None:
    assert estimate_reading((15, 15), replace(BENCH, scans_itself=True)).transactions == 1
    assert estimate_reading((64, 64), replace(BENCH, scans_itself=True)).transactions == 2
    assert estimate_reading((15, 15), BENCH).transactions > 1000


def test_outputs_that_are_switched_for_each_move_are_counted() -> None:
    slow = estimate_reading((15, 15), replace(BENCH, output_seconds=0.05))
    assert slow.seconds - estimate_reading((15, 15), BENCH).seconds == pytest.approx(225 * 0.05)


def test_a_simulated_bench_needs_what_is_estimated() -> None:
    bench, path = sim_bench("linked15"), bench_path("linked15")
    bench.reset()
    wiring_file = path.with_name("linked15.wiring.yaml")
    wiring = load_wiring(wiring_file)
    station = open_station(path.with_name("linked15.station.yaml"), wiring_file, wiring)
    try:
        crossbar = MatrixCrossbar(
            station.smus, station.matrix, wiring, scan_units=station.scan_units, clock=lambda: bench.world.seconds
        )
        with crossbar:
            crossbar.start()
            before, closings, messages = crossbar.spent, _closings(bench), sum(station.messages())
            read_cells(crossbar, all_sites(crossbar.shape), heard=lambda *_: None)
            cost = crossbar.spent - before
            told = replace(
                BENCH, scans_itself=True, reading_seconds=0.15e-3, level_seconds=0.1e-3, route_seconds=0.9e-3
            )
            expected = estimate_reading(crossbar.shape, told)
            assert cost.bench_seconds == pytest.approx(expected.seconds, rel=0.05)
            assert cost.bench_seconds < 1.15 * expected.floor_seconds
            assert _closings(bench) - closings == expected.relay_closings
            assert sum(station.messages()) - messages <= 5
    finally:
        station.close()
    assert bench.world.incidents == []
    bench.reset()


def _closings(bench: object) -> int:
    return sum(bench.by_name["matrix"].relays.counts.values())  # type: ignore[attr-defined]
