"""Simulated probe stations: what contacts are like, what should never happen and is logged, benches with a wafer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.populations import LineDefectRates, WaferDescription
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.prober_card import ProbeCard
from mtjlab.sim_instruments.prober_dies import ChipsUnderProbes, DiesUnderProbes
from mtjlab.sim_instruments.prober_spec import CardSpec, StationSpec
from mtjlab.sim_instruments.prober_world import Fault, Station, StationError
from mtjlab.sim_instruments.simulated_bench import sim_bench
from mtjlab.sim_instruments.velox import SimVelox
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

WAFER = WaferDescription(wafer="W", die={"rows": 4, "cols": 4}, pitch_mm=(5, 5), radius_mm=16, lines=LineDefectRates())
MakeStation = Callable[..., Station]


@pytest.fixture
def world() -> World:
    return World(WAFER.die, seed=3, line_hertz=50, drawn=WAFER.draw(0, 0, 3))


@pytest.fixture
def station(world: World) -> MakeStation:
    def make(**spec: Any) -> Station:
        return Station(world, DiesUnderProbes(world, WAFER, 3), StationSpec(**spec), np.random.default_rng(1))

    return make


def kinds(world: World) -> list[str]:
    return [incident.kind for incident in world.incidents]


def seeded() -> np.random.Generator:
    return np.random.default_rng(5)


def card(**spec: Any) -> Callable[..., Floats]:
    made = ProbeCard(CardSpec(**{"dirty_rate": 0.0, "spread": 0.0, **spec}), np.random.default_rng(5))
    return lambda um=40.0, off=0.0, whole=True, place=(0, 0): made.touch(place, 4000, um, off, whole)


# contacts


def test_overtravel_makes_contacts_better_until_it_is_enough() -> None:
    touch = card(needed_um=30)
    medians = [np.median(touch(um=um)) for um in (5, 15, 30, 60)]
    assert medians[0] > medians[1] > medians[2] == pytest.approx(medians[3], rel=1e-3)
    assert medians[0] == pytest.approx(1 + 4 * 25 / 30, rel=1e-3)
    assert 0.3 < np.isinf(touch(um=0.0)).mean() < 0.7, "some tips are too short for no overtravel at all"


def test_touch_downs_differ_by_the_spread_that_is_said() -> None:
    logs = np.log(card(spread=0.1)())
    assert logs.std() == pytest.approx(0.1, rel=0.1)
    assert logs.mean() == pytest.approx(0, abs=0.01)


def test_a_card_wears_and_pads_get_marks() -> None:
    touch = card(wear_touchdowns=10)
    first, *_, last = [np.median(touch(place=(n, 0))) for n in range(11)]
    assert last / first == pytest.approx(2, rel=1e-6)
    dirty = card(dirty_rate=0.02, marks=2, wear_touchdowns=1e9)
    shares = [np.mean(dirty() > 10) for _ in range(5)]
    assert shares[4] / shares[0] == pytest.approx(4, rel=0.35), "two marks double it"
    assert np.mean(dirty(place=(9, 9)) > 10) == pytest.approx(0.02, rel=0.4), "other pads are as new"


def test_debris_gathers_and_cleaning_takes_it_off_but_wear_stays() -> None:
    made = ProbeCard(CardSpec(dirty_rate=0.0, spread=0.0, wear_touchdowns=100, debris_touchdowns=50), seeded())
    medians = [np.median(made.touch((n, 0, 0), 400, 40.0, 0.0, True)) for n in range(101)]
    assert medians[100] / medians[0] == pytest.approx(2 * 4)
    made.clean()
    assert np.median(made.touch((0, 1, 0), 400, 40.0, 0.0, True)) == pytest.approx(2 * 2**0.01, rel=1e-6)
    assert made.cleanings == 1


def test_a_touch_down_is_foretold_and_depends_on_nothing_else() -> None:
    one, other = (ProbeCard(CardSpec(dirty_rate=0.05), seeded()) for _ in range(2))
    for n in range(3):
        one.touch((n, 0, 0), 100, 40.0, 0.0, True)
    foretold = other.foretold((7, 0, 0), 100, 40.0, 0.0, True, after=3)
    assert np.array_equal(one.touch((7, 0, 0), 100, 40.0, 0.0, True), foretold)
    assert not np.array_equal(one.touch((7, 0, 0), 100, 40.0, 0.0, True), foretold), "the next one is another"
    assert other.touchdowns == 0


def test_a_share_of_the_dirty_contacts_are_none() -> None:
    made = ProbeCard(CardSpec(dirty_rate=0.1, open_share=0.25), seeded())
    factors = made.touch((0, 0, 0), 20_000, 40.0, 0.0, True)
    assert np.isinf(factors).mean() == pytest.approx(0.025, rel=0.15)


def test_tips_beside_their_pads_touch_nothing_and_edge_dies_are_half_there() -> None:
    touch = card(reach_um=25)
    assert np.isfinite(touch(off=24.9)).all()
    assert np.isinf(touch(off=25.1)).all()
    assert np.isinf(touch(whole=False)).mean() == 0.5


def test_the_same_seed_makes_the_same_touch_downs(station: MakeStation, world: World) -> None:
    def trace() -> list[float]:
        made = station()
        found = []
        for die in made.route[:3]:
            made.step(die.x, die.y)
            made.contact()
            found += world.die.contact_ohms.tolist()
            made.separate()
        return found

    assert trace() == trace()


# dies


def test_what_happened_to_a_die_is_still_so_when_it_comes_back(station: MakeStation, world: World) -> None:
    made = station()
    world.die.break_down(5)
    broken = world.die.kind.copy()
    made.step(1, 0)
    assert (world.die.kind != broken).any()
    made.step(0, 0)
    assert (world.die.kind == broken).all()


def test_a_die_is_the_one_that_the_wafer_describes(station: MakeStation, world: World) -> None:
    made = station(axes="UL", shift=(7, -2), home=(7, -2))
    made.step(6, -1)  # one to the right, one up
    assert np.array_equal(world.die.siemens_p, WAFER.draw(1, 1, 3).siemens_p)
    assert made.stage_um() == pytest.approx((5000.0, 5000.0))


def test_edge_dies_are_off_the_route_and_lack_half_of_their_contacts(station: MakeStation, world: World) -> None:
    made = station(diameter_mm=32)
    assert len(made.route) < len(WAFER.places)
    edge = next(die for die in made.wafer_map.dies if die not in made.route)
    made.step(edge.x, edge.y)
    made.contact()
    assert np.mean(world.die.contact_ohms > 1e12) == 0.5


def test_time_passes_by_the_length_of_the_way(station: MakeStation) -> None:
    made = station(step_seconds=0.5, metres_per_second=0.01)
    assert made.step(3, 0) == pytest.approx(0.5 + 0.015 / 0.01)
    assert made.step(3, 1) == pytest.approx(0.5 + 0.005 / 0.01)


# what should never happen


def test_a_chuck_without_its_interlock_drags_and_that_is_an_incident(station: MakeStation, world: World) -> None:
    made = station()
    made.has_auto_z = made.has_interlock = False
    made.contact()
    made.step(1, 0)
    assert kinds(world) == ["chuck moved in contact"]
    assert made.card.touchdowns > 1000, "the tips have suffered"


def test_an_interlock_refuses_and_automatic_z_lifts_and_touches_again(station: MakeStation, world: World) -> None:
    made = station()
    made.has_auto_z = False
    made.contact()
    with pytest.raises(StationError) as caught:
        made.step(1, 0)
    assert caught.value.fault is Fault.NOT_SEPARATED
    made.has_auto_z = True
    made.step(1, 0)
    assert made.is_in_contact
    assert made.card.touchdowns == 2
    assert kinds(world) == []


def test_every_move_under_bias_is_an_incident(station: MakeStation, world: World) -> None:
    made = station()
    source = world.add_source("smu", "smu.hi")
    world.connect("smu.hi", "die.row.0")
    source.drive_volts(0.1, 1e-3)
    made.contact()
    made.separate()
    made.step(1, 0)
    assert kinds(world) == ["contact moved under bias", "contact moved under bias", "chuck moved under bias"]
    source.drive_volts(0.0, 1e-3)
    made.contact()
    assert len(world.incidents) == 3


# programs that do not know better


@pytest.fixture
def velox(station: MakeStation, world: World) -> SimVelox:
    return SimVelox("prober", world, HostClock(world), station(subsites_um=[(0, 0), (100, 0)]))


def test_next_die_without_arguments_goes_through_the_subdies_first(velox: SimVelox, ask: Any) -> None:
    first = velox.station.route[0]
    assert ask(velox, "StepFirstDie") == f"0: {first.x} {first.y} 0 1"
    assert ask(velox, "StepNextDie") == f"0: {first.x} {first.y} 1 1"
    second = velox.station.route[1]
    assert ask(velox, "StepNextDie") == f"0: {second.x} {second.y} 0 1"


def test_the_first_die_clears_all_bins_unless_told_otherwise(velox: SimVelox, ask: Any) -> None:
    ask(velox, "BinMapDie 3 0 0")
    ask(velox, "StepFirstDie 0 0")
    assert velox.bins == {(0, 0): 3}
    ask(velox, "StepFirstDie")
    assert velox.bins == {}


def test_what_it_does_not_know_is_an_error_and_moves_nothing(velox: SimVelox, ask: Any) -> None:
    assert ask(velox, "MoveTheChuck 1").startswith("509:")
    assert ask(velox, "StepNextDie a b").startswith("11:")
    assert ask(velox, "StepNextDie 99 99 0").startswith("701:")
    assert ask(velox, "SetChuckHeight O V Y 1000").startswith("12:")
    assert velox.station.place == (0, 0, 0)


def test_heating_in_contact_is_an_incident(velox: SimVelox, ask: Any, world: World) -> None:
    ask(velox, "MoveChuckContact")
    assert ask(velox, "SetHeaterTemp 60 C").startswith("27:")
    ask(velox, "SetHeaterTemp 60 C 0")
    assert kinds(world) == ["chuck heated in contact"]


def test_a_program_on_the_socket_has_to_register_first(world: World, station: MakeStation) -> None:
    unit = SimVelox("prober", world, HostClock(world), station(), has_end=False)

    def say(text: bytes) -> bytes:
        unit.receive(text, is_end=False, bus_seconds=0.0)
        found = b"".join(unit._replies)
        unit._replies.clear()
        return found

    assert say(b"Cmd=5:EchoData:a\n") == b""
    assert say(b"FCN=1:RegisterProberApp:me me 0\n") == b"FCN=1:0:\r\n"
    assert say(b"Cmd=6:EchoData:a b\nCmd=7:NoSuch:\n") == b'Rsp=6:0:a b\r\nRsp=7:509:"NoSuch is an unknown command"\r\n'


# boards


def test_chips_come_to_a_board_and_go() -> None:
    wafer = WaferDescription(wafer="C", pitch_mm=(20, 20), radius_mm=25, die={"diameters_nm": [50.0]})
    board = SimDaffodilBoard(seed=1)
    under = ChipsUnderProbes(board, wafer, seed=4)
    world = World(WAFER.die, seed=3, line_hertz=50)
    made = Station(world, DiesUnderProbes(world, WAFER, 3), StationSpec(), np.random.default_rng(1))
    made.put_under(under)
    assert made.wafer_map.wafer == "C"
    assert max(kernel.die.siemens().max() for kernel in board.chip.kernels) < 1e-8, "nothing under the probes"
    made.step(1, 0)
    made.contact()
    touched = board.chip
    assert np.array_equal(touched.kernels[3].die.siemens_p, under.chip((1, 0, 0)).kernels[3].die.siemens_p)
    first = touched.kernels[0].die.contact_ohms.copy()
    assert touched.kernels[0].wires.row_ohms[:, 0] == pytest.approx(first[:25] + wafer.die.segment_ohms)
    touched.kernels[0].die.break_down(7)
    made.separate()
    assert board.chip is not touched
    made.contact()
    assert board.chip.kernels[0].die.kind[7] == 1
    assert (board.chip.kernels[0].die.contact_ohms != first).all(), "another touch-down"


# bench files


def bench_text(**changes: str) -> str:
    parts = {
        "wafer": "wafer: w.yaml",
        "instruments": '- {name: p, model: mpi_sentio, address: "GPIB0::5::INSTR"}',
        "more": "",
        **changes,
    }
    return (
        f"bench: b\nseed: 1\nline_hertz: 50\n{parts['wafer']}\n{parts['more']}\n"
        f"instruments:\n  {parts['instruments']}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "w.yaml").write_text("wafer: w\ndie: {rows: 2, cols: 2}\nradius_mm: 12\n")
    yield tmp_path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wafer": ""}, "a bench with a prober has a 'wafer'"),
        ({"more": "die: {rows: 3}"}, "give 'wafer' or 'die'"),
        ({"wafer": "wafer: ../w.yaml"}, "own folder"),
        ({"wafer": "wafer: missing.yaml"}, "missing.yaml"),
        ({"instruments": '- {name: p, model: mpi_sentio, address: "GPIB0::5::INSTR", prober: {axes: XY}}'}, "axes"),
        (
            {
                "instruments": '- {name: s, model: keithley_2400, address: "GPIB0::5::INSTR"}',
                "more": "cables: [{from: s.hi, to: ground}]",
            },
            "no other bench has one",
        ),
        ({"more": "faults: [{kind: door_open, instrument: q, at_seconds: 1}]"}, "not on the bench"),
        (
            {
                "instruments": '- {name: p, model: mpi_sentio, address: "GPIB0::5::INSTR"}\n'
                '  - {name: q, model: formfactor_velox, address: "GPIB0::6::INSTR"}'
            },
            "two probers",
        ),
    ],
)
def test_benches_that_do_not_fit_are_refused(folder: Path, changes: dict[str, str], words: str) -> None:
    path = folder / "bench.yaml"
    path.write_text(bench_text(**changes))
    with pytest.raises(InputError, match=words):
        sim_bench(str(path))


def test_a_door_fault_needs_a_prober(folder: Path) -> None:
    path = folder / "bench.yaml"
    path.write_text(bench_text())
    bench = sim_bench(str(path))
    try:
        bench.inject("door_open", "p", at_seconds=5.0)
        bench.host.wait(6.0)
        assert bench.by_name["p"].station.is_door_open  # type: ignore[attr-defined]
        assert [fault.kind for fault in bench.faults_seen] == ["door_open"]
    finally:
        bench.close()
    smus = sim_bench("passive15")
    with pytest.raises(InputError, match="is no prober"):
        smus.inject("door_open", "drive")


def test_reset_puts_the_wafer_back_as_it_was_made() -> None:
    bench = sim_bench("probed15")
    bench.reset()
    made: Any = bench.by_name["prober"]
    made.station.step(1, 0)
    bench.world.die.break_down(0)
    bench.reset()
    again: Any = bench.by_name["prober"]
    assert again.station.place == (0, 0, 0)
    again.station.step(1, 0)
    assert bench.world.die.kind[0] == made.station.under.wafer.draw(1, 0, 20250).kind[0]
    bench.reset()
