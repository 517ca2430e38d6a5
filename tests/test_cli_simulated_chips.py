"""Chips of a simulated wafer: what is kept and found again, and a kernel of one against the truth."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mtjlab.cli_simulated_chips import ChipBench, measured_chips, packaged_wafer
from mtjlab.nouns import CellStatus, DieId
from mtjlab.physics.die_description import Kind
from mtjlab.protocols import survey_chip
from mtjlab.protocols.survey_chip import ChipSurvey

EXPECTED = {Kind.JUNCTION: 1, Kind.SHORT: 2, Kind.OPEN: 3, Kind.STUCK_P: 4, Kind.STUCK_AP: 5}


@pytest.fixture
def bench() -> ChipBench:
    return ChipBench(packaged_wafer(), seed=3)


def test_kernels_of_a_chip_come_out_as_they_were_made(bench: ChipBench) -> None:
    place = bench.wafer.places[0]
    board = bench.board_at(*place)
    found = survey_chip.survey_chip(islice(bench.kernels(board), 2), bench.settings)
    pulls = []
    for kernel, known in zip(board.chip.kernels, found.maps.values(), strict=False):
        kind = kernel.die.kind.reshape(25, 25)
        assert (known.status == np.vectorize(EXPECTED.get)(kind)).all()
        healthy = known.status == CellStatus.OK
        assert not kernel.die.is_parallel.reshape(25, 25)[healthy].any()
        kernel.die.is_parallel[:] = True
        g = kernel.die.siemens(0.1).reshape(25, 25)
        true = g / (1 + g * kernel.access.on_ohms(3.3))
        assert known.siemens_p[healthy] == pytest.approx(true[healthy], rel=0.04)
        pulls.append(((known.siemens_p - true) / known.sigma)[healthy])
    covered = float((np.abs(np.concatenate(pulls)) < 1.96).mean())
    assert covered > 0.9
    assert board.incidents == []


def test_a_chip_is_measured_once(bench: ChipBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def quick(self: ChipBench, x: int, y: int, progress: object = None) -> ChipSurvey:
        measured.append((x, y))
        return survey_chip.survey_chip([], die=DieId("w", x, y))

    monkeypatch.setattr(ChipBench, "measured", quick)
    monkeypatch.setattr(ChipSurvey, "save", lambda self, path: path.write_text(str(list(self.die))))
    monkeypatch.setattr(ChipSurvey, "load", lambda path: path.read_text())
    heard: list[tuple[int, int]] = []
    places = bench.wafer.places[:3]
    first = measured_chips(bench, tmp_path, places=places[:2])
    again = measured_chips(
        bench, tmp_path, places=places, progress=lambda what, done, total: heard.append((done, total))
    )
    assert measured == places
    assert again[:2] == first
    assert heard == [(2, 3), (3, 3)]
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_measured_otherwise_is_kept_apart(bench: ChipBench) -> None:
    other_seed = ChipBench(bench.wafer, seed=4)
    other_card = ChipBench(bench.wafer, seed=3, reference_sigma=2e-3)
    other_wafer = ChipBench(bench.wafer.model_copy(update={"edge_rate": 1.5}), seed=3)
    same = ChipBench(packaged_wafer(), seed=3)
    assert same.key == bench.key
    assert len({each.key for each in (bench, other_seed, other_card, other_wafer)}) == 4


def test_boards_have_noise_of_their_own_and_chips_do_not_depend_on_them(bench: ChipBench) -> None:
    first, second = bench.board_at(0, 0), bench.board_at(0, 1)
    assert not np.array_equal(first.true_ohms(), second.true_ohms())
    made = bench.chip(0, 1).kernels[5].die
    assert np.array_equal(second.chip.kernels[5].die.siemens_p, made.siemens_p)
