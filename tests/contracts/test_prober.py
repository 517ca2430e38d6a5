"""The contract of Prober, on every implementation: simulated Velox and SENTIO over both interfaces, and a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.drivers.formfactor_velox import FormFactorVelox
from mtjlab.drivers.manual_prober import ManualProber
from mtjlab.drivers.mpi_sentio import MpiSentio
from mtjlab.errors import InputError, InstrumentError
from mtjlab.map_proof import prove_map
from mtjlab.prober import DiePosition, ErrorClass, Prober, ProberError
from mtjlab.sim_instruments.prober_instrument import SimProber
from mtjlab.sim_instruments.prober_world import Station, StationError
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.wafer_map import WaferMap

WAFER = """
wafer: W7
die: {rows: 2, cols: 3, contact_ohms: 10}
pitch_mm: [5, 4]
radius_mm: 11
"""
BENCH = """
bench: rig
seed: 7
line_hertz: 50
wafer: wafer.yaml
cables: [{{from: smu.hi, to: die.row.0}}, {{from: die.col.0, to: ground}}]
faults: {faults}
instruments:
  - {{name: smu, model: keithley_2400, address: "GPIB0::24::INSTR"}}
  - {{name: prober, model: {model}, address: "{address}", serial: P-77, prober: {{{station}}}}}
"""
LIMIT = 60e-6
STATION = "axes: DR, shift: [10, 20], home: [10, 20], subsites_um: [[0, 0], [500, -300]], skip: [[10, 21]]"


class Person:
    """Does at a station what it is asked to, and tells truthfully what it then shows."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.heard: list[str] = []
        self.lies: list[str] = []

    def __call__(self, text: str) -> str:
        self.heard.append(text)
        if self.lies:
            return self.lies.pop(0)
        try:
            return self._do(text)
        except StationError:
            return "n"

    def _do(self, text: str) -> str:
        station = self.station
        if moved := re.match(r"Move to die (-?\d+) (-?\d+)", text):
            station.step(int(moved[1]), int(moved[2]))
        elif touched := re.match(r"Touch down, ([\d.]+) um", text):
            station.set_overtravel(float(touched[1]))
            station.contact()
        elif text.startswith("Lift"):
            station.separate()
        elif text.startswith("Align"):
            station.align()
        elif text.startswith("Clean"):
            station.clean()
        elif light := re.match(r"Switch the light (on|off)", text):
            station.is_light_on = light[1] == "on"
        elif text.startswith("Are the probes"):
            return "n" if station.is_in_contact else "y"
        return f"{station.place.x}, {station.place.y}" if "x and y" in text else "y"


@dataclass(frozen=True)
class Implementation:
    """A driver, what it is tried on, and how its errors are told apart."""

    make: Callable[[SimBench], Prober]
    model: str
    address: str


def visa(driver: Any, address: str, bench: SimBench, **more: Any) -> Prober:
    return driver("prober", address, visalib=f"{bench.path}@mtjlab", **more)  # type: ignore[no-any-return]


VELOX, SENTIO = "TCPIP0::10.0.0.5::1412::SOCKET", "TCPIP0::10.0.0.5::35555::SOCKET"
GPIB = "GPIB0::28::INSTR"
no_wait = {"wait": lambda seconds: None}


def by_hand(bench: SimBench) -> Prober:
    station = station_of(bench)
    return ManualProber("prober", person=Person(station), wafer_map=station.wafer_map, overtravel_metres=40e-6)


IMPLEMENTATIONS = {
    "velox over a socket": Implementation(partial(visa, FormFactorVelox, VELOX, axes="DR"), "formfactor_velox", VELOX),
    "velox over GPIB": Implementation(partial(visa, FormFactorVelox, GPIB, axes="DR"), "formfactor_velox", GPIB),
    "sentio over a socket": Implementation(partial(visa, MpiSentio, SENTIO, **no_wait), "mpi_sentio", SENTIO),
    "sentio over GPIB": Implementation(partial(visa, MpiSentio, GPIB, **no_wait), "mpi_sentio", GPIB),
    "by hand": Implementation(by_hand, "mpi_sentio", GPIB),
}


def station_of(bench: SimBench) -> Station:
    prober = bench.by_name["prober"]
    assert isinstance(prober, SimProber)
    return prober.station


@dataclass
class Rig:
    prober: Any
    bench: SimBench

    @property
    def station(self) -> Station:
        return station_of(self.bench)

    @property
    def incidents(self) -> list[str]:
        return [incident.kind for incident in self.bench.world.incidents]

    @property
    def is_manual(self) -> bool:
        return isinstance(self.prober, ManualProber)


@pytest.fixture(params=list(IMPLEMENTATIONS))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    one = IMPLEMENTATIONS[request.param]
    opened: list[Rig] = []

    def build(*, faults: str = "[]", station: str = STATION) -> Rig:
        (tmp_path / "wafer.yaml").write_text(WAFER)
        path = tmp_path / f"rig{len(opened)}.yaml"
        path.write_text(BENCH.format(model=one.model, address=one.address, faults=faults, station=station))
        bench = sim_bench(str(path))
        rig = Rig(one.make(bench), bench)
        opened.append(rig)
        return rig

    yield build
    for rig in opened:
        rig.prober.close()
        rig.bench.close()


@pytest.fixture
def rig(make: Callable[..., Rig]) -> Rig:
    found = make()
    found.prober.prepare(overtravel_limit_metres=LIMIT)
    return found


def test_it_says_who_it_is(rig: Rig) -> None:
    identity = rig.prober.identity()
    assert identity.model
    assert rig.is_manual or identity.vendor in ("FormFactor", "MPI")


def test_it_says_where_it_stands_and_that_it_is_separated_after_prepare(rig: Rig) -> None:
    assert rig.prober.position() == DiePosition(10, 20)
    assert rig.prober.is_separated()
    assert not rig.prober.is_in_contact()
    assert rig.prober.touchdowns == 0


def test_prepare_lifts_off_what_somebody_left_in_contact(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.station.contact()
    rig.prober.prepare(overtravel_limit_metres=LIMIT)
    assert not rig.station.is_in_contact
    assert rig.prober.is_separated()


def test_a_step_brings_that_die_under_the_probes(rig: Rig) -> None:
    first = rig.bench.world.die
    assert rig.prober.to_die(11, 19) == DiePosition(11, 19)
    assert tuple(rig.station.place[:2]) == (11, 19)
    under: Any = rig.station.under
    assert rig.bench.world.die is under.die((1, 1, 0)), "up and to the right, whatever the station's numbers"
    assert rig.prober.to_die(10, 20) == DiePosition(10, 20)
    assert rig.bench.world.die is first, "the same die as before, not one like it"


def test_contact_connects_the_die_and_separation_disconnects_it(rig: Rig) -> None:
    source = rig.bench.world.sources_of("smu")[0]

    def amps() -> float:
        source.drive_volts(0.1, 1e-3)
        found = source.point().amps
        source.disconnect()
        return abs(found)

    assert amps() < 1e-10
    assert rig.prober.contact() == DiePosition(10, 20)
    assert rig.prober.is_in_contact()
    assert not rig.prober.is_separated()
    assert amps() > 1e-6
    rig.prober.separate()
    assert rig.prober.is_separated()
    assert amps() < 1e-10
    assert rig.incidents == []


def test_the_counter_counts_touch_downs_and_nothing_else(rig: Rig) -> None:
    for _ in range(3):
        rig.prober.contact()
        rig.prober.contact()
        rig.prober.separate()
        rig.prober.separate()
    assert rig.prober.touchdowns == rig.station.card.touchdowns == 3


def test_it_does_not_step_in_contact(rig: Rig) -> None:
    rig.prober.contact()
    moves: list[Callable[[], Any]] = [
        lambda: rig.prober.to_die(11, 20),
        rig.prober.first_die,
        rig.prober.next_die,
        rig.prober.align,
        lambda: rig.prober.set_overtravel(10e-6),
        lambda: rig.prober.soak(330.0, 1.0),
    ]
    for move in moves:
        with pytest.raises(ProberError, match="not separated") as caught:
            move()
        assert caught.value.error_class is ErrorClass.FATAL
    assert tuple(rig.station.place[:2]) == (10, 20)
    assert rig.station.is_in_contact
    assert rig.incidents == []


def test_nothing_moves_while_an_output_is_on(rig: Rig) -> None:
    live = {"smu": False, "pulser": False}
    rig.prober.watch_outputs({name: partial(live.__getitem__, name) for name in live})
    rig.prober.contact()
    live["pulser"] = True
    for move in (rig.prober.separate, lambda: rig.prober.to_die(11, 20), rig.prober.contact, rig.prober.reprobe):
        with pytest.raises(ProberError, match="output of pulser is on"):
            move()
    assert rig.station.is_in_contact
    live["pulser"] = False
    rig.prober.separate()
    live["smu"] = True
    with pytest.raises(ProberError, match="output of smu is on"):
        rig.prober.to_die(11, 20)
    assert tuple(rig.station.place[:2]) == (10, 20)
    with pytest.raises(ProberError, match="prepare"):
        rig.prober.prepare(overtravel_limit_metres=LIMIT)


def test_the_route_visits_every_selected_die_once_and_ends_with_none(rig: Rig) -> None:
    seen = [rig.prober.first_die()]
    while (there := rig.prober.next_die()) is not None:
        seen.append(there)
    assert len(seen) == len(set(seen)) == len(rig.station.route)
    assert {(there.x, there.y) for there in seen} == {(die.x, die.y) for die in rig.station.wafer_map.probed}
    assert (10, 21) not in {(there.x, there.y) for there in seen}
    assert rig.prober.position() == seen[-1], "it stays on the last die"
    assert rig.prober.next_die() is None


def test_the_first_die_keeps_the_bins_of_the_prober(rig: Rig) -> None:
    if rig.is_manual:
        pytest.skip("a person keeps no bins")
    sim: Any = rig.bench.by_name["prober"]
    sim.bins[10, 20] = 4
    rig.prober.first_die()
    assert sim.bins == {(10, 20): 4}


def test_its_map_is_that_of_the_station(rig: Rig) -> None:
    found: WaferMap = rig.prober.wafer_map()
    station = rig.station.wafer_map
    assert {(die.x, die.y) for die in found.probed} == {(die.x, die.y) for die in station.probed}
    assert found.wafer == "W7"
    assert found.axes == "DR"
    assert found.pitch_metres == pytest.approx((5e-3, 4e-3))


def test_its_map_is_proven_on_three_dies(rig: Rig) -> None:
    found = rig.prober.wafer_map()
    dies = [found.die(10, 20), found.die(12, 20), found.die(10, 18)]
    away = prove_map(rig.prober, found, dies, touches=True)
    assert len(away) == (0 if rig.is_manual else 2)
    assert max(away, default=0.0) < 1e-6
    assert rig.prober.touchdowns == 3
    with pytest.raises(InputError, match="one line"):
        prove_map(rig.prober, found, [found.die(10, 20), found.die(11, 20), found.die(12, 20)])


def test_a_map_that_counts_the_other_way_is_found_out(rig: Rig) -> None:
    if rig.is_manual:
        pytest.skip("a person tells numbers, not where the stage is")
    found = rig.prober.wafer_map()
    wrong = WaferMap("W7", found.dies, found.pitch_metres, "UR")
    with pytest.raises(ProberError, match="by the map") as caught:
        prove_map(rig.prober, wrong, [wrong.die(10, 20), wrong.die(12, 20), wrong.die(10, 18)])
    assert caught.value.error_class is ErrorClass.OPERATOR


def test_subsites_are_counted_from_zero(rig: Rig) -> None:
    if not rig.prober.capabilities.has_subsites:
        assert rig.prober.subsites() == 1
        with pytest.raises(ProberError):
            rig.prober.to_die(10, 20, 1)
        return
    assert rig.prober.subsites() == 2
    first = rig.bench.world.die
    assert rig.prober.to_subsite(1) == DiePosition(10, 20, 1)
    assert rig.bench.world.die is not first, "another array"
    x, y = rig.prober.stage_metres()
    assert (x, y) == pytest.approx((500e-6, -300e-6))
    assert rig.prober.next_die().subsite == 0 or rig.prober.position().subsite == 0
    assert rig.prober.to_die(10, 20, 0) == DiePosition(10, 20)
    with pytest.raises(ProberError):
        rig.prober.to_die(10, 20, 2)


def test_a_die_that_is_not_there_is_refused_and_nothing_has_moved(rig: Rig) -> None:
    with pytest.raises(ProberError):
        rig.prober.to_die(99, 99)
    assert tuple(rig.station.place[:2]) == (10, 20)
    rig.prober.recover()
    assert rig.prober.position() == DiePosition(10, 20)


def test_overtravel_is_read_back_and_never_beyond_the_limit(rig: Rig) -> None:
    assert rig.prober.overtravel_metres() == pytest.approx(40e-6)
    rig.prober.set_overtravel(55e-6)
    assert rig.prober.overtravel_metres() == pytest.approx(55e-6)
    rig.prober.contact()
    assert rig.station.overtravel_um == pytest.approx(55.0)
    rig.prober.separate()
    for metres in (61e-6, -5e-6):
        with pytest.raises(InputError, match="beyond the limit of 60 um"):
            rig.prober.set_overtravel(metres)
    assert rig.station.overtravel_um == pytest.approx(55.0)


@pytest.mark.parametrize("metres", [-1e-6, 201e-6, 40.0, float("nan")])
def test_limits_that_no_card_has_are_refused(make: Callable[..., Rig], metres: float) -> None:
    with pytest.raises(InputError, match="overtravel limit"):
        make().prober.prepare(overtravel_limit_metres=metres)


def test_an_overtravel_that_somebody_set_beyond_the_limit_stops_it(make: Callable[..., Rig]) -> None:
    rig = make()
    with pytest.raises(ProberError, match="beyond the limit of 30 um") as caught:
        rig.prober.prepare(overtravel_limit_metres=30e-6)
    assert caught.value.error_class is ErrorClass.OPERATOR
    if not rig.is_manual:
        rig.prober.prepare(overtravel_limit_metres=LIMIT)
        rig.station.overtravel_um = 100.0
        with pytest.raises(ProberError, match="beyond the limit of 60 um"):
            rig.prober.contact()
        assert rig.prober.touchdowns == rig.station.card.touchdowns == 0


def test_reprobe_touches_again_with_more_overtravel_at_the_same_place(rig: Rig) -> None:
    rig.prober.to_die(11, 20)
    rig.prober.contact()
    assert rig.prober.reprobe(more_metres=10e-6) == DiePosition(11, 20)
    assert rig.station.overtravel_um == pytest.approx(50.0)
    assert rig.station.is_in_contact
    assert rig.prober.touchdowns == 2
    with pytest.raises(InputError, match="beyond the limit"):
        rig.prober.reprobe(more_metres=11e-6)
    assert rig.station.is_in_contact, "it was refused before anything moved"


def test_cleaning_takes_the_debris_off_and_comes_back_to_the_die(rig: Rig) -> None:
    rig.prober.to_die(11, 20)
    rig.prober.contact()
    rig.prober.separate()
    station = rig.station
    for _ in range(400):
        station.card.count((9, 9, 0))
    dirty = np.median(station.foretold(station.place, 40.0))
    assert rig.prober.clean() == DiePosition(11, 20) == DiePosition(*station.place)
    assert (station.card.cleanings, station.card.since_cleaning, rig.prober.cleanings) == (1, 0, 1)
    assert np.median(station.foretold(station.place, 40.0)) == pytest.approx(dirty / 2**0.4, rel=1e-2)
    assert not station.is_aside and rig.prober.is_separated()
    assert rig.prober.contact() == DiePosition(11, 20)
    assert rig.prober.touchdowns == 2 and station.card.touchdowns == 402
    assert rig.incidents == []


def test_it_does_not_clean_in_contact(rig: Rig) -> None:
    rig.prober.contact()
    with pytest.raises(ProberError, match="cleaning site because its probes are not separated"):
        rig.prober.clean()
    assert (rig.station.card.cleanings, rig.prober.cleanings) == (0, 0)


def test_a_chuck_that_stays_at_its_cleaning_pad_is_found_out_and_does_not_touch_down_there(rig: Rig) -> None:
    if rig.is_manual:
        pytest.skip("nobody reads the stage of a manual station")
    step = rig.station.step
    rig.station.step = lambda x, y, subsite=0: 0.0  # type: ignore[method-assign]
    with pytest.raises(ProberError, match=r"its stage is .* um") as caught:
        rig.prober.clean()
    assert caught.value.error_class is ErrorClass.FATAL
    assert rig.prober.position() == DiePosition(10, 20), "the map says that nothing has happened"
    with pytest.raises(ProberError, match="has not stepped to a die since"):
        rig.prober.contact()
    rig.station.step = step  # type: ignore[method-assign]
    rig.prober.to_die(11, 20)
    assert rig.prober.contact() == DiePosition(11, 20)
    assert rig.incidents == []


def test_a_cleaning_that_is_refused_needs_an_operator_and_nothing_touches_down_before_a_step(rig: Rig) -> None:
    rig.station.upset("door_open")
    with pytest.raises(ProberError) as caught:
        rig.prober.clean()
    assert caught.value.error_class is ErrorClass.OPERATOR
    rig.station.mend()
    with pytest.raises(ProberError, match="has not stepped to a die since"):
        rig.prober.contact()
    assert rig.prober.clean() == DiePosition(10, 20)
    rig.prober.contact()
    assert rig.incidents == []


def test_bins_go_into_the_prober_s_own_map_or_are_refused(rig: Rig) -> None:
    if not rig.prober.capabilities.has_bins:
        with pytest.raises(InputError, match="no bins of its own"):
            rig.prober.write_bin(11, 20, 3)
        return
    bins = rig.bench.by_name["prober"].bins  # type: ignore[attr-defined]
    rig.prober.write_bin(11, 20, 3)
    rig.prober.write_bin(12, 20, 7)
    assert bins == {(11, 20): 3, (12, 20): 7}
    with pytest.raises(InputError, match="there is no bin -1"):
        rig.prober.write_bin(11, 20, -1)
    with pytest.raises(ProberError, match="no such die"):
        rig.prober.write_bin(99, 99, 3)
    rig.prober.contact()
    with pytest.raises(ProberError, match="not separated"):
        rig.prober.write_bin(11, 20, 4)
    assert bins == {(11, 20): 3, (12, 20): 7}


def test_alignment_brings_the_tips_back_onto_their_pads(make: Callable[..., Rig]) -> None:
    rig = make(station="misalignment_um: [40, 0]")
    rig.prober.prepare(overtravel_limit_metres=LIMIT)
    rig.prober.contact()
    assert (rig.bench.world.die.contact_ohms > 1e9).all(), "all beside their pads"
    rig.prober.separate()
    rig.prober.align()
    rig.prober.contact()
    assert np.median(rig.bench.world.die.contact_ohms) < 20


def test_an_alignment_that_fails_needs_an_operator(rig: Rig) -> None:
    rig.station.fails_alignment = True
    with pytest.raises(ProberError) as caught:
        rig.prober.align()
    assert caught.value.error_class is ErrorClass.OPERATOR
    rig.station.mend()
    rig.prober.align()


@pytest.mark.parametrize("kind", ["door_open", "vacuum_lost"])
def test_doors_and_vacuum_need_an_operator_and_then_it_goes_on(rig: Rig, kind: Any) -> None:
    rig.bench.inject(kind, "prober")
    for move in (lambda: rig.prober.to_die(11, 20), rig.prober.contact):
        with pytest.raises(ProberError) as caught:
            move()
        assert rig.is_manual or caught.value.error_class is ErrorClass.OPERATOR
        rig.prober.recover()
    assert not rig.station.is_in_contact
    rig.station.mend()
    assert rig.prober.to_die(11, 20) == DiePosition(11, 20)
    rig.prober.contact()
    rig.bench.inject(kind, "prober")
    rig.prober.separate()
    assert not rig.station.is_in_contact, "lifting off is always possible"


def test_the_light_goes_off(rig: Rig) -> None:
    rig.prober.set_light(False)
    assert not rig.station.is_light_on
    rig.prober.set_light(True)
    assert rig.station.is_light_on


def test_it_soaks_in_simulated_time(rig: Rig) -> None:
    if not rig.prober.capabilities.has_thermal:
        with pytest.raises(InputError, match="cannot"):
            rig.prober.soak(310.0, 10.0)
        return
    start = rig.bench.world.seconds
    state = rig.prober.soak(318.15, 50.0, timeout_seconds=1000.0)
    assert state.is_settled
    assert state.kelvin == pytest.approx(318.15, abs=0.1)
    assert rig.bench.world.seconds - start >= 20 / 0.2 + 50, "ramp and soak"
    assert rig.bench.world.seconds - start < 1000


def test_a_wafer_that_has_grown_has_to_be_aligned_again(make: Callable[..., Rig]) -> None:
    rig = make(station="expansion_per_kelvin: 1.0e-4")
    if not rig.prober.capabilities.has_thermal:
        pytest.skip("a person does not heat")
    rig.prober.prepare(overtravel_limit_metres=LIMIT)
    rig.prober.soak(358.15, 10.0)
    rig.prober.to_die(2, 0)
    rig.prober.contact()
    assert (rig.bench.world.die.contact_ohms > 1e9).all(), "10 mm have become 60 um longer"
    rig.prober.separate()
    rig.prober.align()
    rig.prober.contact()
    assert np.median(rig.bench.world.die.contact_ohms) < 20


def test_a_read_back_that_does_not_fit_stops_everything(rig: Rig) -> None:
    if rig.is_manual:
        rig.prober._person.lies = ["12 20"]
    else:
        step = rig.station.step
        rig.station.step = lambda x, y, subsite=0: step(x + 1, y, subsite)  # type: ignore[method-assign]
    with pytest.raises(ProberError, match=r"should stand on die \(11, 20\) but reads back die \(12, 20\)") as caught:
        rig.prober.to_die(11, 20)
    assert caught.value.error_class is ErrorClass.FATAL


def test_what_does_not_touch_down_is_found_out(rig: Rig) -> None:
    if rig.is_manual:
        rig.prober.position()
        rig.prober._person.lies = ["n"]
    else:
        rig.station.contact = lambda: 0.0  # type: ignore[method-assign]
    with pytest.raises(ProberError, match="does not read back as in contact"):
        rig.prober.contact()


def test_after_silence_it_is_asked_anew_where_it_stands(make: Callable[..., Rig]) -> None:
    rig = make()
    if rig.is_manual:
        pytest.skip("a person who says nothing is not waited for in simulated time")
    rig.prober.prepare(overtravel_limit_metres=LIMIT)
    rig.bench.inject("late", "prober", seconds=640.0, after_operations=2)
    with pytest.raises(InstrumentError, match="did not answer"):
        rig.prober.to_die(11, 20)
    for _ in range(10):  # a socket cannot bring a device clear: it goes on being silent for a while
        try:
            assert rig.prober.is_separated()
            break
        except InstrumentError:
            rig.prober.recover()
    assert rig.prober.position() == DiePosition(*rig.station.place)
    assert rig.prober.to_die(12, 20) == DiePosition(12, 20)


@pytest.mark.parametrize("kind", ["cut", "garbled", "dropped", "hang"])
def test_bus_faults_are_errors_and_it_recovers(make: Callable[..., Rig], kind: Any) -> None:
    rig = make()
    if rig.is_manual:
        pytest.skip("there is no bus")
    is_socket = "SOCKET" in next(a for a in rig.bench.by_address if rig.bench.by_address[a].name == "prober")
    if kind == "hang" and is_socket:
        pytest.skip("a socket cannot bring a device clear: it hangs for good")
    rig.prober.prepare(overtravel_limit_metres=LIMIT)
    for operations in range(8):
        rig.bench.inject(kind, "prober", after_operations=operations, seed=operations)
        x = 11 + operations % 2
        try:
            found = rig.prober.to_die(x, 20)
            found = rig.prober.contact()
            rig.prober.separate()
        except InstrumentError:
            rig.prober.recover()
            rig.prober.separate()
            found = rig.prober.to_die(x, 20)
        assert found == DiePosition(*rig.station.place) == DiePosition(x, 20)
    assert rig.incidents == []


def test_stop_is_either_done_or_said_to_be_impossible(rig: Rig) -> None:
    if rig.prober.capabilities.can_stop:
        rig.prober.stop()
    else:
        with pytest.raises(ProberError, match="emergency stop") as caught:
            rig.prober.stop()
        assert caught.value.error_class is ErrorClass.OPERATOR
    assert rig.prober.position() == DiePosition(10, 20)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_and_whatever_fails_nothing_is_dragged_and_nothing_moves_under_bias(
    make: Callable[..., Rig], seed: int
) -> None:
    """Random calls, among them many that are wrong at that moment, with faults of bus and station in between."""
    rig, rng = make(), np.random.default_rng(seed)
    prober, source = rig.prober, rig.bench.world.sources_of("smu")[0]
    level = {"volts": 0.0}

    def drive(volts: float) -> None:
        level["volts"] = volts
        source.drive_volts(volts, 1e-3) if volts else source.disconnect()

    prober.watch_outputs({"smu": lambda: level["volts"] != 0.0})
    places = [(die.x, die.y) for die in rig.station.wafer_map.dies]
    calls: list[Callable[[], Any]] = [
        lambda: prober.to_die(*places[rng.integers(len(places))]),
        prober.contact,
        prober.contact,
        prober.separate,
        prober.first_die,
        prober.next_die,
        prober.align,
        prober.reprobe,
        prober.recover,
        prober.clean,
        lambda: prober.set_overtravel(float(rng.uniform(0, 80e-6))),
        lambda: drive(float(rng.choice([0.0, 0.0, 0.1]))),
        lambda: rig.station.mend(),
    ]
    kinds = ("door_open", "vacuum_lost") if rig.is_manual else ("door_open", "vacuum_lost", "cut", "garbled", "dropped")
    prober.prepare(overtravel_limit_metres=LIMIT)
    rig.station.has_auto_z = rig.station.has_interlock = False  # a prober that drags if it is told to
    done = 0
    for step in range(80):
        if step % 8 == 7:
            rig.bench.inject(str(rng.choice(kinds)), "prober", seed=step)  # type: ignore[arg-type]
        try:
            calls[rng.integers(len(calls))]()
            done += 1
        except (InstrumentError, InputError):
            drive(0.0)
            rig.station.mend()
    assert done > 30
    assert rig.station.card.touchdowns > 3
    assert rig.station.overtravel_um <= 60.0 + 1e-6
    assert prober.touchdowns >= rig.station.card.touchdowns
    assert rig.incidents == []
