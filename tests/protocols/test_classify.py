"""Classification: every planted flaw is found with its evidence; the rules are exact on given readings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, Line, Site, State
from mtjlab.physics.die_description import Flaw, Kind
from mtjlab.protocols.classify import classify
from mtjlab.protocols.classify_lines import broken_lines, touching_lines
from mtjlab.protocols.classify_reads import LOOKS, ClassifyReads, ClassifySettings
from mtjlab.protocols.classify_rules import ClassThresholds, Verdict, _Rules, judge
from mtjlab.protocols.write_verify import WriteSettings

P, AP = 2e-4, 1.02e-4
IN_P, AFTER_RESET, IN_AP, AFTER_SET = LOOKS[1:]
FLAWED = {
    Flaw.LOW_TMR: (Site(0, 3), CellStatus.LOW_TMR),
    Flaw.TELEGRAPH: (Site(2, 1), CellStatus.UNSTABLE),
    Flaw.SOFT: (Site(4, 4), CellStatus.DISTURBED),
}
DEFECTIVE = {
    "short": (Site(1, 1), CellStatus.SHORT),
    "open": (Site(3, 5), CellStatus.OPEN),
    "stuck_p": (Site(5, 0), CellStatus.STUCK_P),
    "stuck_ap": (Site(5, 2), CellStatus.STUCK_AP),
}


def weaken(world: Any, flaw: Flaw, site: Site) -> None:
    die, index = world.die, site.row * world.die.description.cols + site.col
    if flaw is Flaw.LOW_TMR:
        die.tmr[index] *= 0.3
    elif flaw is Flaw.TELEGRAPH:
        die.delta[index] = 16.0
    else:
        die.set_volts[index] *= 0.45
        die.reset_volts[index] *= 0.45
    world.circuit.cell_changed(index)


def flawed_world(make_world: Any, seed: int, **die: Any) -> Any:
    defects = [{"row": s.row, "col": s.col, "kind": kind} for kind, (s, _) in DEFECTIVE.items()]
    world, crossbar = make_world(seed, defects=defects, **die)
    for flaw, (site, _) in FLAWED.items():
        weaken(world, flaw, site)
    return world, crossbar


@pytest.mark.parametrize("seed", range(3))
def test_every_planted_defect_is_found_and_no_other(make_world: Any, seed: int) -> None:
    world, crossbar = flawed_world(make_world, seed)
    found = classify(crossbar)
    expected = np.full((6, 6), CellStatus.OK)
    for site, status in (*FLAWED.values(), *DEFECTIVE.values()):
        expected[site] = status
    assert (found.known.status == expected).all()
    assert {(e.site, e.status) for e in found.cells} == set(FLAWED.values()) | set(DEFECTIVE.values())
    assert found.lines == ()
    assert world.incidents == []
    assert found.cost.pulses > 0
    assert not found.known.is_partial


def test_the_evidence_says_what_was_compared_and_read(make_world: Any) -> None:
    _, crossbar = flawed_world(make_world, 1)
    evidence = {e.status: e for e in classify(crossbar).cells}
    low = evidence[CellStatus.LOW_TMR]
    assert low.measure == "TMR"
    assert 0.2 < low.value < 0.4 < low.threshold < 0.95
    assert low.reads["after a set"] / low.reads["after a reset"] - 1 == pytest.approx(low.value)
    assert set(low.reads) == {*LOOKS, "after a set", "after a reset"}
    short = evidence[CellStatus.SHORT]
    assert short.value > short.threshold > 3 * P * 0.5
    assert "after a set" not in short.reads, "it got no pulse"
    assert evidence[CellStatus.OPEN].value < evidence[CellStatus.OPEN].threshold
    assert AFTER_RESET in evidence[CellStatus.DISTURBED].measure
    assert evidence[CellStatus.UNSTABLE].value > evidence[CellStatus.UNSTABLE].threshold


def test_cells_end_in_ap_and_the_map_has_both_conductances(make_world: Any) -> None:
    world, crossbar = make_world(2, segment_ohms=0.0, contact_ohms=1e-3)
    known = classify(crossbar).known
    assert not world.die.is_parallel.any()
    assert (known.state == State.AP).all()
    assert known.siemens_p.ravel() == pytest.approx(world.die.siemens_p, rel=2e-3)
    assert known.siemens == pytest.approx(known.siemens_ap, rel=1e-3)


@pytest.mark.parametrize(
    ("defect", "kind", "line", "after"),
    [
        ({"axis": "row", "line": 2, "kind": "open"}, "open", Line("row", 2), 0),
        ({"axis": "col", "line": 4, "kind": "open"}, "open", Line("col", 4), 0),
        ({"axis": "row", "line": 1, "kind": "open", "after_cells": 2}, "open", Line("row", 1), 2),
        ({"axis": "col", "line": 3, "kind": "open", "after_cells": 1}, "open", Line("col", 3), 1),
        ({"axis": "row", "line": 3, "kind": "short"}, "short", Line("row", 3), 0),
        ({"axis": "col", "line": 0, "kind": "short"}, "short", Line("col", 0), 0),
    ],
)
def test_line_defects_are_found_as_lines(
    make_world: Any, defect: dict[str, Any], kind: str, line: Line, after: int
) -> None:
    world, crossbar = make_world(1, line_defects=[defect])
    found = classify(crossbar)
    (evidence,) = found.lines
    assert (evidence.kind, evidence.line, evidence.after_cells) == (kind, line, after)
    status = CellStatus.LINE_SHORT if kind == "short" else CellStatus.LINE_OPEN
    expected = np.full((6, 6), CellStatus.OK)
    expected[evidence.cells((6, 6))] = status
    assert (found.known.status == expected).all()
    assert found.cells == ()
    assert not [incident for incident in world.incidents if incident.kind != "over-current"]


@pytest.mark.parametrize("axis", ["row", "col"])
@pytest.mark.parametrize("dead", [2, 3])
def test_a_line_that_touches_a_dead_one_is_found_by_what_it_carries(make_world: Any, axis: str, dead: int) -> None:
    defects = [{"axis": axis, "line": dead, "kind": "open"}, {"axis": axis, "line": 2, "kind": "short"}]
    _, crossbar = make_world(1, line_defects=defects)
    found = classify(crossbar)
    assert {(e.kind, e.line) for e in found.lines} == {("open", Line(axis, dead)), ("short", Line(axis, 2))}
    status = found.known.status if axis == "row" else found.known.status.T
    assert (status[dead] == CellStatus.LINE_OPEN).all()
    assert (status[5 - dead] == CellStatus.LINE_SHORT).all()
    assert (np.delete(status, [2, 3], axis=0) == CellStatus.OK).all()


def test_rows_of_other_sizes_are_judged_by_themselves(make_world: Any) -> None:
    """The smallest P is below the largest AP: one threshold for the whole array would be wrong."""
    defects = [{"row": 0, "col": 0, "kind": "stuck_p"}, {"row": 5, "col": 5, "kind": "stuck_ap"}]
    _, crossbar = make_world(4, diameters_nm=[44, 50, 60], defects=defects)
    known = classify(crossbar).known
    assert known.siemens_p[0].min() < known.siemens_ap[5].max()
    assert known.status[0, 0] == CellStatus.STUCK_P
    assert known.status[5, 5] == CellStatus.STUCK_AP
    assert (known.status == CellStatus.OK).sum() == 34


def test_a_bench_finds_them_too(bench: Any) -> None:
    simulated, make = bench
    world = simulated.world
    for index, kind in ((1, Kind.SHORT), (6, Kind.OPEN), (11, Kind.STUCK_P), (12, Kind.STUCK_AP)):
        world.die.kind[index] = kind
        world.die.is_parallel[index] = kind == Kind.STUCK_P
        world.die._note_kinds()
        world.circuit.cell_changed(index)
    weaken(world, Flaw.LOW_TMR, Site(0, 0))
    weaken(world, Flaw.TELEGRAPH, Site(0, 3))
    weaken(world, Flaw.SOFT, Site(2, 2))
    with make() as crossbar:
        crossbar.start()
        known = classify(crossbar).known
    c = CellStatus
    assert known.status.tolist() == [
        [c.LOW_TMR, c.SHORT, c.OK, c.UNSTABLE],
        [c.OK, c.OK, c.OPEN, c.OK],
        [c.OK, c.OK, c.DISTURBED, c.STUCK_P],
        [c.STUCK_AP, c.OK, c.OK, c.OK],
    ]
    assert world.incidents == []
    assert not world.is_live


def test_dead_cells_get_no_pulse_of_their_own(make_world: Any, watched: Any) -> None:
    crossbar = watched(flawed_world(make_world, 1)[1])
    classify(crossbar)
    across = [np.abs(pulse.row_volts[:, None] - pulse.col_volts) for pulse in crossbar.pulses]
    pulsed = {tuple(site) for volts in across for site in np.argwhere((volts > 0.4) & (volts == volts.max()))}
    assert len(pulsed) == 34
    assert not pulsed & {DEFECTIVE["short"][0], DEFECTIVE["open"][0]}


def test_amplitudes_beyond_the_limits_are_refused_before_any_pulse(make_world: Any) -> None:
    _, crossbar = make_world(0, DeviceLimits(write_volts_negative=0.5))
    with pytest.raises(LimitError):
        classify(crossbar)
    assert crossbar.spent.pulses == 0


def test_a_cell_at_the_end_of_its_budget_is_left_as_it_is(make_world: Any) -> None:
    _, crossbar = make_world(0, DeviceLimits(pulses_per_cell=13), defects=[{"row": 0, "col": 0, "kind": "stuck_ap"}])
    settings = ClassifySettings(write=WriteSettings(most_volts=0.9), exposures=1)
    known = classify(crossbar, settings=settings).known
    assert known.status[0, 0] == CellStatus.STUCK_AP
    assert (known.status == CellStatus.OK).sum() == 35


@pytest.mark.parametrize("transactions", [0, 40, 200, 300, 500, 700])
def test_an_interrupted_classification_keeps_what_it_has(make_world: Any, watched: Any, transactions: int) -> None:
    kept: list[ArrayMap] = []
    with pytest.raises(KeyboardInterrupt):
        classify(watched(make_world()[1], transactions), keep=kept.append)
    (stopped,) = kept
    assert stopped.is_partial
    assert set(np.unique(stopped.status)) <= {CellStatus.UNREAD, CellStatus.OK}
    exercised = np.isfinite(stopped.siemens_p)
    assert ((stopped.status == CellStatus.OK) <= exercised).all()


def test_progress_tells_every_stage(make_world: Any) -> None:
    heard: dict[str, list[int]] = {}
    classify(make_world()[1], progress=lambda what, done, total: heard.setdefault(what, []).append(done))
    looks = [f"looking, {name}" for name in LOOKS]
    assert list(heard)[:3] == [looks[0], "exercising", looks[1]]
    assert all(done[0] == 0 and done[-1] in (6, 36) for done in heard.values())


def given(shape: tuple[int, int] = (6, 8), noise: float = 0.0, seed: int = 0) -> ClassifyReads:
    """Readings of a healthy array."""
    rng = np.random.default_rng(seed)
    spread = np.exp(0.04 * rng.standard_normal(shape))
    reads = ClassifyReads.blank(shape, 2)
    reads.in_p[:], reads.in_ap[:] = P * spread, AP * spread
    for polarity in (reads.plus, reads.minus):
        polarity[:3] = P * spread
        polarity[3:] = AP * spread
        polarity[0] = AP * spread
        polarity += noise * rng.standard_normal(polarity.shape)
    reads.row_pairs[:], reads.col_pairs[:] = 7e-6, 7e-6
    return reads


def everywhere(reads: ClassifyReads, site: Site, siemens: float) -> None:
    for polarity in (reads.plus, reads.minus):
        polarity[:, :, site.row, site.col] = siemens
    reads.in_p[site] = reads.in_ap[site] = siemens


def status_of(reads: ClassifyReads, site: Site, thresholds: ClassThresholds | None = None) -> CellStatus:
    verdict = judge(reads, thresholds)
    others = verdict.status.copy()
    others[site] = CellStatus.OK
    assert (others == CellStatus.OK).all()
    return CellStatus(int(verdict.status[site]))


class TestRules:
    SITE = Site(2, 3)

    def test_healthy_cells(self) -> None:
        verdict = judge(given(noise=2e-7))
        assert (verdict.status == CellStatus.OK).all()
        assert verdict.cells == verdict.lines == ()
        assert verdict.levels.tmr == pytest.approx(P / AP - 1, rel=1e-9)
        assert verdict.levels.noise == pytest.approx(1e-7, rel=0.15)

    @pytest.mark.parametrize(
        ("siemens", "status"),
        [
            (4e-3, CellStatus.SHORT),
            (np.inf, CellStatus.SHORT),
            (2.8 * P, CellStatus.STUCK_P),
            (P, CellStatus.STUCK_P),
            (AP, CellStatus.STUCK_AP),
            (0.3 * AP, CellStatus.STUCK_AP),
            (0.1 * AP, CellStatus.OPEN),
        ],
    )
    def test_cells_that_never_change(self, siemens: float, status: CellStatus) -> None:
        reads = given()
        everywhere(reads, self.SITE, siemens)
        assert status_of(reads, self.SITE) == status

    @pytest.mark.parametrize(
        ("tmr", "status"),
        [(0.05, CellStatus.STUCK_AP), (0.1, CellStatus.LOW_TMR), (0.6, CellStatus.LOW_TMR), (0.8, CellStatus.OK)],
    )
    def test_the_distance_of_the_states_is_judged_by_the_others(self, tmr: float, status: CellStatus) -> None:
        reads = given()
        reads.in_p[self.SITE] = reads.in_ap[self.SITE] * (1 + tmr)
        assert judge(reads).levels.tmr == pytest.approx(P / AP - 1)
        assert status_of(reads, self.SITE) == status

    def test_sneaking_current_does_not_make_a_tmr_low(self) -> None:
        reads = given()
        everything = (reads.plus, reads.minus, reads.in_p, reads.in_ap)
        for values in everything:
            values[..., self.SITE.row, self.SITE.col] += 0.8 * AP
        assert reads.in_p[self.SITE] / reads.in_ap[self.SITE] - 1 < 0.6
        assert status_of(reads, self.SITE) == CellStatus.OK

    def test_noise_widens_what_counts_as_no_switching(self) -> None:
        reads = given(noise=4e-6)
        reads.in_p[self.SITE] = reads.in_ap[self.SITE] * 1.12
        assert judge(reads).status[self.SITE] == CellStatus.STUCK_AP

    def test_a_broken_down_cell_is_a_short(self) -> None:
        reads = given()
        for polarity in (reads.plus, reads.minus):
            polarity[2:, :, *self.SITE] = 4e-3
        assert status_of(reads, self.SITE) == CellStatus.SHORT

    @pytest.mark.parametrize(("looks", "status"), [(1, CellStatus.OK), (2, CellStatus.UNSTABLE)])
    def test_a_conductance_that_depends_on_the_sign_is_telegraph_noise(self, looks: int, status: CellStatus) -> None:
        reads = given()
        reads.minus[:looks, :, *self.SITE] = P
        reads.plus[:looks, :, *self.SITE] = AP
        assert status_of(reads, self.SITE) == status

    def test_an_offset_of_the_ammeter_is_not(self) -> None:
        reads = given()
        reads.plus[:] += 3e-5
        reads.minus[:] -= 3e-5
        assert (judge(reads).status == CellStatus.OK).all()

    @pytest.mark.parametrize("place", [0, 1])
    def test_repeats_that_disagree_are_telegraph_noise(self, place: int) -> None:
        reads = given()
        reads.plus[1:4, place, *self.SITE] += 0.6 * (P - AP)
        assert status_of(reads, self.SITE) == CellStatus.UNSTABLE

    @pytest.mark.parametrize(("look", "change"), [(2, -1.0), (4, 1.0)])
    def test_a_change_by_half_select_is_disturb(self, look: int, change: float) -> None:
        for part, status in ((0.6, CellStatus.DISTURBED), (0.4, CellStatus.OK)):
            reads = given()
            for polarity in (reads.plus, reads.minus):
                polarity[look, :, *self.SITE] += part * change * (reads.in_p - reads.in_ap)[self.SITE]
            assert status_of(reads, self.SITE) == status

    def test_what_was_not_read_is_unread_but_shorts_and_opens_are_told(self) -> None:
        reads = ClassifyReads.blank((2, 4), 2)
        reads.plus[0], reads.minus[0] = AP, AP
        for site, siemens in ((Site(0, 0), 4e-3), (Site(1, 1), 1e-9)):
            for polarity in (reads.plus, reads.minus):
                polarity[0, :, *site] = siemens
        expected = np.zeros((2, 4))
        expected[0, 0], expected[1, 1] = CellStatus.SHORT, CellStatus.OPEN
        assert (judge(reads).status == expected).all()
        assert (judge(ClassifyReads.blank((2, 4), 2)).status == CellStatus.UNREAD).all()

    def test_the_thresholds_are_arguments(self) -> None:
        reads = given()
        everywhere(reads, self.SITE, 2.8 * P)
        assert status_of(reads, self.SITE, ClassThresholds(short=2.5)) == CellStatus.SHORT

    def test_a_row_of_few_switching_cells_is_judged_by_the_array(self) -> None:
        reads = given()
        for col in range(6):
            everywhere(reads, Site(1, col), AP if col % 2 else P)
        status = judge(reads).status
        assert status[1, :6].tolist() == [CellStatus.STUCK_P, CellStatus.STUCK_AP] * 3
        assert (status[[0, 2, 3, 4, 5]] == CellStatus.OK).all()


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_ok_at_once_where_they_are_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, rng = given((12, 25), noise=1e-6, seed=seed), np.random.default_rng(seed)
    reads.in_ap[0] = reads.in_p[0]  # a row without a cell that switches
    for values in (reads.plus, reads.minus, reads.in_p, reads.in_ap):
        where = rng.random(values.shape)
        values[where < 0.03] *= rng.uniform(0.05, 6, (where < 0.03).sum())
        values[where > 0.98] = rng.choice([np.nan, np.inf], (where > 0.98).sum())
    for look in range(5):
        reads.plus[look][:, rng.random((12, 25)) < 0.05] = np.nan
    at_once = judge(reads)
    found = _Rules.are_ok
    none, seen = np.zeros((12, 25), dtype=np.bool_), []
    monkeypatch.setattr(_Rules, "are_ok", lambda rules: seen.append(found(rules)) or none)
    one_by_one = judge(reads)
    assert np.array_equal(at_once.status, one_by_one.status)
    assert repr(at_once.cells) == repr(one_by_one.cells)
    by_rules = (one_by_one.status == CellStatus.OK) & ~np.isnan(one_by_one.levels.p)
    assert np.array_equal(seen[0] & by_rules, by_rules)
    assert 20 < by_rules.sum() < 280


def test_levels_of_rows_are_medians_of_their_cells_that_switch() -> None:
    reads = given((7, 9), noise=1e-6)
    reads.in_ap[3] = reads.in_p[3]
    reads.in_ap[5, 1:] = reads.in_p[5, 1:]
    reads.in_ap[6, ::2] = np.nan
    levels = judge(reads).levels
    switches = reads.in_p > 1.08 * reads.in_ap
    for row in range(7):
        own = switches[row] if row not in (3, 5) else np.zeros(9, dtype=np.bool_)
        cells = (row, own) if own.any() else switches
        assert levels.p[row, 0] == np.median(reads.in_p[cells])
        assert levels.ap[row, 0] == np.median(reads.in_ap[cells])


class TestLines:
    def test_a_single_open_cell_is_no_broken_line(self) -> None:
        def lines(open_cells: list[tuple[int, int]]) -> Verdict:
            reads = given()
            for row, col in open_cells:
                everywhere(reads, Site(row, col), 1e-9)
            return judge(reads)

        few = lines([(2, 7), (2, 6), (2, 5)])
        assert few.lines == ()
        assert few.status[2, 5:].tolist() == [CellStatus.OPEN] * 3
        (broken,) = lines([(2, 7), (2, 6), (2, 5), (2, 4)]).lines
        assert (broken.line, broken.after_cells) == (Line("row", 2), 4)
        assert broken.value == pytest.approx(1e-9)
        assert lines([(2, 0), (2, 1), (2, 2), (2, 3)]).lines == (), "rows are fed at their first column"
        (column,) = lines([(0, 4), (1, 4), (2, 4), (3, 4)]).lines
        assert (column.line, column.after_cells) == (Line("col", 4), 2), "columns are fed at their last row"

    def test_three_broken_rows_are_no_broken_columns(self) -> None:
        is_open = np.zeros((6, 8), dtype=bool)
        is_open[:3, 2:] = True
        found = broken_lines(is_open, np.zeros((6, 8)), 1e-5, 3)
        assert {(e.line, e.after_cells) for e in found} == {(Line("row", i), 2) for i in range(3)}

    def test_a_row_and_a_column_that_cross(self) -> None:
        is_open = np.zeros((6, 8), dtype=bool)
        is_open[2], is_open[:, 5] = True, True
        found = broken_lines(is_open, np.zeros((6, 8)), 1e-5, 3)
        assert {(e.line, e.after_cells) for e in found} == {(Line("row", 2), 0), (Line("col", 5), 0)}

    def test_a_line_of_cells_in_p_beside_a_dead_one_is_healthy(self) -> None:
        reads = given()
        for row in range(6):
            everywhere(reads, Site(row, 3), 1e-9)
        for polarity in (reads.plus, reads.minus):
            polarity[0, :, :, 4] = 2 * AP
        (dead,) = judge(reads).lines
        assert dead.kind == "open"
        for polarity in (reads.plus, reads.minus):
            polarity[1, :, :, 4] = 2 * P
        assert {e.kind for e in judge(reads).lines} == {"open", "short"}

    def test_lines_that_touch(self) -> None:
        pairs = np.array([7e-6, 1.6e-2, np.inf, np.nan])
        found = touching_lines(pairs, np.zeros(0), 2e-3)
        assert [e.line for e in found] == [Line("row", 1), Line("row", 2)]
        assert found[0].cells((5, 4)) == (slice(1, 3), slice(0, 4))


def test_all_readings_are_blank_at_first() -> None:
    blank = ClassifyReads.blank((3, 1), 2)
    assert blank.row_pairs.shape == (2,)
    assert blank.col_pairs.shape == (0,)
    assert np.isnan(replace(blank).look("as found")).all()
