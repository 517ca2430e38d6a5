"""The survey finds the defects that were put on the die; the classification of given conductances is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Site, State
from mtjlab.physics.die_description import Kind
from mtjlab.protocols.classify_defects import Thresholds, classify_defects, exercise, survey
from mtjlab.protocols.readout import READ_VOLTS
from mtjlab.protocols.write_verify import WriteSettings

P, AP = 2e-4, 1e-4
STATUS_OF = {
    Kind.JUNCTION: CellStatus.OK,
    Kind.SHORT: CellStatus.SHORT,
    Kind.OPEN: CellStatus.OPEN,
    Kind.STUCK_P: CellStatus.STUCK_P,
    Kind.STUCK_AP: CellStatus.STUCK_AP,
}


def planted(seed: int) -> list[dict[str, Any]]:
    """Two defects of each kind at random places."""
    places = np.random.default_rng(seed).permutation(36)[:8]
    kinds = ["short", "open", "stuck_p", "stuck_ap"] * 2
    return [{"row": int(p) // 6, "col": int(p) % 6, "kind": kind} for p, kind in zip(places, kinds, strict=True)]


def classified(p: Any, ap: Any, found: Any = None, thresholds: Thresholds | None = None) -> ArrayMap:
    p, ap = np.array([p], dtype=float), np.array([ap], dtype=float)
    found = ap if found is None else np.array([found], dtype=float)
    return classify_defects(found, p, ap, np.zeros(p.shape), Conditions(READ_VOLTS), thresholds)


@pytest.mark.parametrize("seed", range(5))
def test_every_planted_defect_is_found_and_no_other(make_world: Any, seed: int) -> None:
    world, crossbar = make_world(seed, defects=planted(seed))
    _, known = survey(crossbar)
    expected = np.vectorize(lambda kind: STATUS_OF[Kind(kind)])(world.die.kind.reshape(6, 6))
    assert (known.status == expected).all()
    counts = {name: count for name, count in known.defect_counts().items() if count}
    assert counts == {"short": 2, "open": 2, "stuck_p": 2, "stuck_ap": 2}
    assert world.incidents == []


@pytest.mark.parametrize("seed", [0, 1])
def test_both_conductances_are_the_dies_and_the_cells_end_in_ap(make_world: Any, seed: int) -> None:
    world, crossbar = make_world(seed, segment_ohms=0.0, contact_ohms=1e-3)
    began = world.die.is_parallel.copy()
    found, known = survey(crossbar)
    assert known.siemens_p.ravel() == pytest.approx(world.die.siemens_p, rel=2e-3)
    world_ap = world.die.siemens_p / (1 + world.die.tmr / (1 + (0.1 / 0.5) ** 2))
    assert known.siemens_ap.ravel() == pytest.approx(world_ap, rel=2e-3)
    assert (found.state.ravel() == began).all()
    assert not world.die.is_parallel.any()
    assert (known.state == State.AP).all()
    assert not known.is_partial


def test_a_bench_finds_them_too(bench: Any) -> None:
    simulated, make = bench
    die = simulated.world.die
    for index, kind in ((1, Kind.SHORT), (6, Kind.OPEN), (11, Kind.STUCK_P), (12, Kind.STUCK_AP)):
        die.kind[index] = kind
        die.is_parallel[index] = kind == Kind.STUCK_P
        die._note_kinds()
        simulated.world.circuit.cell_changed(index)
    crossbar = make()
    with crossbar:
        crossbar.start()
        _, known = survey(crossbar)
    expected = [STATUS_OF[Kind(kind)] for kind in die.kind]
    assert known.status.ravel().tolist() == expected
    assert simulated.world.incidents == []


def test_a_short_and_an_open_get_no_pulse(make_world: Any, watched: Any) -> None:
    defects = [{"row": 1, "col": 1, "kind": "short"}, {"row": 4, "col": 2, "kind": "open"}]
    crossbar = watched(make_world(defects=defects)[1])
    survey(crossbar)
    pulsed = {
        (int(np.argmax(np.abs(lines.row_volts))), int(np.argmin(np.abs(lines.col_volts)))) for lines in crossbar.pulses
    }
    assert len(pulsed) == 34
    assert not pulsed & {(1, 1), (4, 2)}


def test_a_cell_that_does_not_switch_gets_rising_pulses_up_to_the_limit(make_world: Any, watched: Any) -> None:
    crossbar = watched(make_world(defects=[{"row": 0, "col": 0, "kind": "stuck_ap"}])[1])
    settings = WriteSettings(set_volts=0.5, reset_volts=0.6, step_volts=0.1, most_volts=0.8)
    p, ap = exercise(crossbar, Site(0, 0), settings, 1.25, READ_VOLTS)
    assert p == pytest.approx(ap, rel=1e-2)
    sets = [lines.row_volts[0] for lines in crossbar.pulses[0::2]]
    resets = [lines.row_volts[0] for lines in crossbar.pulses[1::2]]
    assert sets == pytest.approx([0.5, 0.6, 0.7, 0.8])
    assert resets == pytest.approx([-0.6, -0.7, -0.8, -0.8])


@pytest.mark.parametrize("transactions", [0, 5, 60, 80, 120, 200])
def test_an_interrupted_survey_keeps_what_it_has(make_world: Any, watched: Any, transactions: int) -> None:
    kept: list[ArrayMap] = []
    with pytest.raises(KeyboardInterrupt):
        survey(watched(make_world()[1], transactions), keep=kept.append)
    assert kept[-1].is_partial
    if transactions > 80:
        assert not kept[0].is_partial, "the map as found is whole"
        assert (kept[-1].status == CellStatus.OK).sum() in range(1, 36)
        assert (kept[-1].status == CellStatus.UNREAD).sum() in range(1, 36)


class TestClassification:
    def test_healthy_cells(self) -> None:
        known = classified([P, P, P], [AP, AP, AP])
        assert (known.status == CellStatus.OK).all()
        assert (known.state == State.AP).all()
        assert known.on_off_siemens == pytest.approx(P - AP)

    def test_each_defect(self) -> None:
        p = [P, P, P, 4e-3, 1e-9, P, AP]
        ap = [AP, AP, AP, 4e-3, 1e-9, P, AP]
        known = classified(p, ap)
        ok = CellStatus.OK
        assert known.status[0].tolist() == [
            ok,
            ok,
            ok,
            CellStatus.SHORT,
            CellStatus.OPEN,
            CellStatus.STUCK_P,
            CellStatus.STUCK_AP,
        ]
        unknown = State.UNKNOWN
        assert known.state[0].tolist() == [State.AP, State.AP, State.AP, unknown, unknown, State.P, State.AP]

    def test_what_was_not_measured_is_unread(self) -> None:
        nan = float("nan")
        known = classified([P, nan, P], [AP, AP, nan], found=[AP, AP, nan])
        assert known.status[0].tolist() == [CellStatus.OK, CellStatus.UNREAD, CellStatus.UNREAD]
        assert known.state[0].tolist() == [State.AP, State.UNKNOWN, State.UNKNOWN]

    @pytest.mark.parametrize(("ratio", "status"), [(1.26, CellStatus.OK), (1.24, CellStatus.STUCK_AP)])
    def test_the_least_ratio_decides_what_has_switched(self, ratio: float, status: CellStatus) -> None:
        known = classified([P, P, AP * ratio], [AP, AP, AP])
        assert known.status[0, 2] == status

    @pytest.mark.parametrize(("times", "status"), [(3.1, CellStatus.SHORT), (2.9, CellStatus.STUCK_P)])
    def test_a_short_is_told_against_the_median(self, times: float, status: CellStatus) -> None:
        known = classified([P, P, AP * times], [AP, AP, AP * times])
        assert known.status[0, 2] == status

    def test_a_cell_that_conducts_much_in_p_alone_is_no_short(self) -> None:
        assert classified([P, P, 3.2 * AP], [AP, AP, AP]).status[0, 2] == CellStatus.OK

    @pytest.mark.parametrize(("times", "status"), [(0.19, CellStatus.OPEN), (0.21, CellStatus.STUCK_AP)])
    def test_an_open_is_told_against_the_median(self, times: float, status: CellStatus) -> None:
        known = classified([P, P, AP * times], [AP, AP, AP * times])
        assert known.status[0, 2] == status

    def test_the_thresholds_are_arguments(self) -> None:
        p, ap = [P, P, 2.5 * AP], [AP, AP, 2.5 * AP]
        assert classified(p, ap, thresholds=Thresholds(short=2.0)).status[0, 2] == CellStatus.SHORT

    def test_when_nothing_switches_the_median_as_found_parts_the_stuck(self) -> None:
        known = classified([AP, AP, P, P, AP], [AP, AP, P, P, AP], found=[AP, AP, P, P, 1.4 * AP])
        assert known.status[0, :4].tolist() == [CellStatus.STUCK_AP] * 2 + [CellStatus.STUCK_P] * 2

    def test_the_arguments_are_left_alone(self) -> None:
        p, ap = np.full((2, 2), P), np.full((2, 2), AP)
        known = classify_defects(ap, p, ap, np.zeros((2, 2)), Conditions(0.1))
        known.siemens[:] = 0
        assert (ap == AP).all()
        assert (p == P).all()
