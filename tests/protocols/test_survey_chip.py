"""Surveys: classes and conductances against the die behind them, retries, interruptions, files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, DieId, Floats, Line, Lines, Reading, State
from mtjlab.physics.deembed import Wires
from mtjlab.protocols.survey_chip import ChipSurvey, survey_chip
from mtjlab.protocols.survey_chip_kernel import SurveySettings, survey_array
from mtjlab.protocols.write_verify import WriteSettings
from mtjlab.sim_instruments.world import World

DEFECTS = [
    {"row": 1, "col": 1, "kind": "short"},
    {"row": 3, "col": 5, "kind": "open"},
    {"row": 5, "col": 0, "kind": "stuck_p"},
    {"row": 5, "col": 2, "kind": "stuck_ap"},
]
EXPECTED = np.full((6, 6), CellStatus.OK)
EXPECTED[1, 1], EXPECTED[3, 5], EXPECTED[5, 0], EXPECTED[5, 2] = 2, 3, 4, 5


def true_siemens(world: World, *, is_parallel: bool) -> Floats:
    """Of the junctions in one state at the read bias."""
    before = world.die.is_parallel.copy()
    world.die.is_parallel[:] = is_parallel
    found = world.die.siemens(0.1).reshape(world.die.description.rows, -1)
    world.die.is_parallel[:] = before
    return np.asarray(found)


def true_wires(world: World) -> Wires:
    description, ohms = world.die.description, world.die.contact_ohms
    return Wires(description.segment_ohms, ohms[: description.rows], ohms[description.rows :])


def singly(watched: Any, **changes: Any) -> Any:
    """A class of Crossbars that can do less than the one behind."""

    class Less(watched):  # type: ignore[misc]
        @property
        def capabilities(self) -> Any:
            return replace(self.inner.capabilities, **changes)

    return Less


@pytest.mark.parametrize("seed", range(3))
def test_every_class_and_both_states_are_found(make_world: Any, seed: int) -> None:
    world, crossbar = make_world(seed, defects=DEFECTS)
    was_parallel = world.die.is_parallel.reshape(6, 6).copy()
    found = survey_array(crossbar, SurveySettings(wires=true_wires(world)))
    assert (found.known.status == EXPECTED).all()
    good = EXPECTED == CellStatus.OK
    good[1] = False  # beside a short of 250 ohm, second orders are percents
    for siemens, is_parallel in ((found.known.siemens_p, True), (found.known.siemens_ap, False)):
        assert siemens[good] == pytest.approx(true_siemens(world, is_parallel=is_parallel)[good], rel=4e-3)
    as_found = np.where(was_parallel, found.known.siemens_p, found.known.siemens_ap)
    assert found.found[good] == pytest.approx(as_found[good], rel=4e-3)
    short = world.die.siemens(0.1).reshape(6, 6)[1, 1]
    assert found.known.siemens_p[1, 1] == found.known.siemens_ap[1, 1] == pytest.approx(short, rel=5e-3)
    assert found.known.siemens_ap[3, 5] < 1e-6
    assert (found.known.state[good] == State.AP).all()
    assert found.known.state[5, 0] == State.P
    assert not world.die.is_parallel.reshape(6, 6)[good].any()
    assert {evidence.status for evidence in found.cells} == set(EXPECTED[EXPECTED != CellStatus.OK])
    assert world.incidents == []


def test_cost_is_whole_columns_and_retries_of_few_cells(make_world: Any, watched: Any) -> None:
    _, inner = make_world(1, defects=DEFECTS)
    crossbar = watched(inner)
    found = survey_array(crossbar)
    assert found.retried == 2, "the stuck ones"
    retries = (0.96 - 0.56) / 0.06
    assert found.cost.pulses == len(crossbar.pulses) == 3 * 6 + 2 * 2 * int(retries)
    first = crossbar.pulses[1]
    assert np.count_nonzero(first.row_volts == 0.56) == 5, "the short in this column gets no pulse"
    assert first.row_volts[1] == 0.28
    assert found.known.provenance["pulses"] == found.cost.pulses


def test_cells_that_need_more_get_more(make_world: Any, watched: Any) -> None:
    world, inner = make_world(4)
    world.die.set_volts[25] *= 1.9
    world.die.reset_volts[20] *= 1.9
    for index in (25, 20):
        world.circuit.cell_changed(index)
    crossbar = watched(inner)
    found = survey_array(crossbar)
    assert (found.known.status == CellStatus.OK).all()
    assert found.retried == 2
    assert not world.die.is_parallel.any()
    again = crossbar.pulses[12:-6]
    assert all(np.count_nonzero(np.abs(lines.row_volts) > 0.5) == 1 for lines in again)


@pytest.mark.parametrize(
    "less", [{"sensed_lines": 1}, {"sensed_lines": 4}, {"can_float": False}, {"sensed_lines": 1, "can_float": False}]
)
def test_benches_that_can_do_less_find_the_same(make_world: Any, watched: Any, less: dict[str, Any]) -> None:
    world, inner = make_world(2, defects=DEFECTS)
    found = survey_array(singly(watched, **less)(inner), SurveySettings(wires=true_wires(world)))
    assert (found.known.status == EXPECTED).all()
    good = EXPECTED == CellStatus.OK
    assert found.known.siemens_p[good] == pytest.approx(true_siemens(world, is_parallel=True)[good], rel=6e-3)
    assert found.known.conditions.scheme == ("rows floating" if less == {"sensed_lines": 4} else "grounded")


def noisily(watched: Any, sigma_amps: float) -> Any:
    """A class of Crossbars whose ammeters have this noise."""
    rng = np.random.default_rng(5)

    class Noisy(watched):  # type: ignore[misc]
        def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
            found = super().measure(lines, sense)
            return [replace(one, amps=one.amps + sigma_amps * rng.standard_normal()) for one in found]

    return Noisy


@pytest.mark.parametrize("repeats", [1, 2, 4])
def test_however_often_it_looks_it_tells_the_noise_of_what_it_says(make_world: Any, watched: Any, repeats: int) -> None:
    world, inner = make_world(2, rows=12, cols=12, defects=DEFECTS)
    crossbar = noisily(watched, 40e-9)(inner)
    found = survey_array(crossbar, SurveySettings(repeats=repeats, wires=true_wires(world)))
    status = np.full((12, 12), CellStatus.OK)
    status[:6, :6] = EXPECTED
    assert (found.known.status == status).all()
    expected = 40e-9 / 0.1 / np.sqrt(2 * repeats)  # volts, readings of both polarities
    assert np.median(found.known.sigma) == pytest.approx(expected, rel=0.1)


def test_without_wires_the_maps_contain_them(make_world: Any) -> None:
    world, crossbar = make_world(2, segment_ohms=5.0)
    found = survey_array(crossbar)
    true = true_siemens(world, is_parallel=True)
    assert (found.known.siemens_p < 0.998 * true).all()
    assert found.known.conditions.segment_ohms is None


def test_what_is_unknown_of_wires_and_meters_is_in_the_uncertainty(make_world: Any) -> None:
    misses = []
    for seed in range(6):
        world, crossbar = make_world(seed, contact_ohms=20.0)
        known = true_wires(world)
        rng = np.random.default_rng(seed)
        guess = Wires(
            known.segment_ohms, *(np.asarray(o) + 3 * rng.standard_normal(6) for o in (known.row_ohms, known.col_ohms))
        )
        found = survey_array(crossbar, SurveySettings(wires=guess, line_sigma_ohms=3.0)).known
        misses.append((found.siemens_p - true_siemens(world, is_parallel=True)) / found.sigma)
    assert np.std(misses) == pytest.approx(1.0, abs=0.25)
    by_gain = survey_array(crossbar, SurveySettings(wires=guess, gain_sigma=0.02)).known
    assert by_gain.sigma == pytest.approx(0.02 * by_gain.siemens_p, rel=1e-6)


@pytest.mark.parametrize("at", [0, 5, 26, 40, 60, 90])
def test_an_interruption_keeps_what_was_found(make_world: Any, watched: Any, at: int) -> None:
    world, inner = make_world(1, defects=DEFECTS)
    kept: list[ArrayMap] = []
    with pytest.raises(KeyboardInterrupt):
        survey_array(watched(inner, at), keep=kept.append)
    assert len(kept) == 1
    assert kept[0].is_partial
    told = kept[0].status != CellStatus.UNREAD
    assert (kept[0].status[told] == EXPECTED[told]).all()
    assert world.incidents == []


def test_progress_counts_what_is_done(make_world: Any) -> None:
    _, crossbar = make_world(1, defects=DEFECTS)
    heard: dict[str, list[tuple[int, int]]] = {}
    survey_array(crossbar, progress=lambda what, done, total: heard.setdefault(what, []).append((done, total)))
    assert [what for what in heard if what.startswith("looking, ")] == [
        "looking, as found",
        "looking, in P",
        "looking, in AP",
    ]
    assert all(calls[0][0] == 0 for calls in heard.values())
    assert heard["writing P"] == [(done, 6) for done in range(7)]


def test_pulses_beyond_the_limits_are_not_given(make_world: Any) -> None:
    world, crossbar = make_world(1, DeviceLimits(write_volts_positive=0.5))
    before = world.die.is_parallel.copy()
    with pytest.raises(LimitError):
        survey_array(crossbar)
    assert (world.die.is_parallel == before).all()
    stuck, crossbar = make_world(1, DeviceLimits(write_volts_positive=0.6, write_volts_negative=0.75), defects=DEFECTS)
    found = survey_array(crossbar, SurveySettings(write=WriteSettings(0.56, 0.72, 0.06, 0.96)))
    assert (found.known.status == EXPECTED).all(), "retries end at the limit"
    assert stuck.incidents == []


class Offset:
    """Columns are held at slightly different levels: together, each carries a current whichever row is driven."""

    def __init__(self, inner: Any, amps: Floats) -> None:
        self.inner, self.amps = inner, amps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        found, share = self.inner.measure(lines, sense), float(len(sense) > 1)
        return [replace(r, amps=r.amps + share * self.amps[line.number]) for r, line in zip(found, sense, strict=True)]


def test_offsets_of_columns_are_no_telegraph_noise(make_world: Any) -> None:
    world, crossbar = make_world(1, defects=DEFECTS)
    plain = survey_array(crossbar).known
    offset: Any = Offset(crossbar, 4e-6 * np.array([1.0, -1.0, 0.5, 0.0, -0.5, 2.0]))
    found = survey_array(offset).known
    assert (found.status == EXPECTED).all()
    alive = EXPECTED != CellStatus.SHORT
    assert found.siemens_p[alive] == pytest.approx(plain.siemens_p[alive], rel=1e-6, abs=1e-6)
    world.die.delta[8] = 16.0  # leaves its state within a reading
    world.circuit.cell_changed(8)
    assert survey_array(offset).known.status[1, 2] == CellStatus.UNSTABLE


class TestChips:
    def chip(self, make_world: Any, count: int = 3) -> tuple[list[World], ChipSurvey]:
        worlds, kernels = [], []
        for seed in range(count):
            world, crossbar = make_world(seed, defects=DEFECTS)
            worlds.append(world)
            kernels.append((f"kernel {seed}", lambda crossbar=crossbar: crossbar))
        return worlds, survey_chip(kernels, die=DieId("w", 1, -2))

    def test_kernels_are_surveyed_in_turn_and_left_idle(self, make_world: Any) -> None:
        worlds, chip = self.chip(make_world)
        assert list(chip.maps) == ["kernel 0", "kernel 1", "kernel 2"]
        assert chip.found.shape == (3, 6, 6)
        for world, known in zip(worlds, chip.maps.values(), strict=True):
            assert (known.status == EXPECTED).all()
            assert known.die == DieId("w", 1, -2)
            assert not world.is_live
        assert chip.cost.pulses == sum(known.provenance["pulses"] for known in chip.maps.values())

    def test_each_map_is_kept_as_it_is_done(self, make_world: Any, watched: Any) -> None:
        _, first = make_world(1)
        world, second = make_world(2)
        kept: dict[str, ArrayMap] = {}
        kernels = [("a", lambda: first), ("b", lambda: watched(second, 30))]
        with pytest.raises(KeyboardInterrupt):
            survey_chip(kernels, keep=kept.__setitem__)
        assert not kept["a"].is_partial
        assert kept["b"].is_partial
        assert not world.is_live

    def test_a_file_holds_all_of_it(self, make_world: Any, tmp_path: Path) -> None:
        _, chip = self.chip(make_world)
        back = ChipSurvey.load(chip.save(tmp_path / "chip.npz"))
        assert back.die == chip.die
        assert back.cost == chip.cost
        assert np.array_equal(back.found, chip.found)
        assert list(back.maps) == list(chip.maps)
        for name, known in chip.maps.items():
            for array in ("siemens", "siemens_p", "siemens_ap", "state", "status", "sigma"):
                assert np.array_equal(getattr(back.maps[name], array), getattr(known, array), equal_nan=True)
            assert back.maps[name].conditions == known.conditions
            assert back.maps[name].provenance == known.provenance

    @pytest.mark.parametrize("spoil", ["text", "pickle", "format", "missing", "cut"])
    def test_other_files_are_refused(self, make_world: Any, tmp_path: Path, spoil: str) -> None:
        _, chip = self.chip(make_world, 1)
        path = chip.save(tmp_path / "chip.npz")
        with np.load(path) as stored:
            arrays = dict(stored)
        header = json.loads(str(arrays["header"]))
        if spoil == "text":
            path.write_text("not a map")
        elif spoil == "cut":
            path.write_bytes(path.read_bytes()[:-200])
        elif spoil == "pickle":
            np.savez(path, **{**arrays, "sigma": np.array([{}], dtype=object)}, allow_pickle=True)
        elif spoil == "missing":
            np.savez(path, **{name: array for name, array in arrays.items() if name != "sigma"})
        else:
            arrays["header"] = np.array(json.dumps({**header, "format": "other/2"}))
            np.savez(path, **arrays)
        with pytest.raises(InputError, match="survey of a chip"):
            ChipSurvey.load(path)
