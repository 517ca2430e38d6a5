"""Solutions written into one array after the other: what is measured agrees with the cells themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtjlab.engine.datasets import WineData, load_wine
from mtjlab.engine.perceptron import Perceptron
from mtjlab.engine.training import train
from mtjlab.engine.wine_metrics import METRICS
from mtjlab.engine.wine_solutions import STUDY_G, study_settings
from mtjlab.physics.die_description import DefectRates
from mtjlab.protocols.wine_study import run_solution, survey_array
from mtjlab.protocols.wine_study_conditions import BLIND_VOLTS, LIMITS, SIZES, WORSE, StudyConditions, assumptions
from mtjlab.sim_instruments.array_crossbar import ArrayCrossbar, MeterErrors
from mtjlab.sim_instruments.die import Die


@pytest.fixture(scope="module")
def data() -> WineData:
    """Every sixth wine, so that a run takes a fraction of a second."""
    whole = load_wine(0)
    few = np.arange(0, 178, 6)
    is_train = np.isin(few, whole.train)
    return replace(
        whole,
        features=whole.features[few],
        labels=whole.labels[few],
        train=np.flatnonzero(is_train),
        test=np.flatnonzero(~is_train),
    )


@pytest.fixture(scope="module")
def perceptron() -> Perceptron:
    return train(load_wine(0), study_settings(2, 600))


def _array(kind: StudyConditions, seed: int = 0, **die: object) -> ArrayCrossbar:
    wafer = kind.wafer()
    rng = np.random.default_rng(seed)
    description = wafer.die.model_copy(
        update={"defect_rates": DefectRates(short=0, open=0, stuck_p=0, stuck_ap=0), **die}
    )
    return ArrayCrossbar(Die(description, rng), rng, MeterErrors(), LIMITS)


def test_solutions_one_after_the_other_on_a_good_array(data: WineData, perceptron: Perceptron) -> None:
    kind = SIZES[1]
    crossbar = _array(kind)
    array = survey_array(crossbar, perceptron, kind)
    rows = [run_solution(array, perceptron.solution(k), data, kind, STUDY_G) for k in range(2)]
    for row in rows:
        assert set(METRICS) <= set(row)
        assert row["write_fidelity"] == 1.0
        assert abs(row["tuned"]["train"] - row["predicted_accuracy"]) < 0.1
        assert row["tuned"]["train"] > row["software_accuracy"] - 0.1
        assert row["pulses"] > 20 and row["readings"] > 1000
        assert 0.05 < row["mapping_error"] < 0.3
    second = perceptron.solution(1)
    die = crossbar.die.is_parallel.reshape(15, 15)
    assert die.sum() >= second.bits_2.sum()  # the second layer of the last solution is what is written now


def test_g_follows_the_wires_and_the_untuned_network_suffers(data: WineData, perceptron: Perceptron) -> None:
    tuned = {}
    for kind in (SIZES[1], replace(SIZES[3], segment_ohms=6.0)):
        array = survey_array(_array(kind), perceptron, kind)
        row = run_solution(array, perceptron.solution(0), data, kind, STUDY_G)
        tuned[kind.diameter_nm] = row["g_tuned"]
        assert row["tuned"]["all"] >= row["untuned"]["all"]
    assert tuned[85.0] < 0.8 * tuned[50.0]


def test_writes_that_nobody_looks_at_are_read_back(data: WineData, perceptron: Perceptron) -> None:
    """A blind write leaves errors, and the fidelity knows of those that came after the last look."""
    (kind,) = (kind for kind in WORSE if kind.run.write.passes == 0)
    assert kind.run.write.set_volts == kind.run.write.most_volts == BLIND_VOLTS
    crossbar = _array(kind, volts_c0_spread=0.12)
    array = survey_array(crossbar, perceptron, kind)
    fidelity = [run_solution(array, perceptron.solution(k), data, kind, STUDY_G)["write_fidelity"] for k in range(2)]
    assert 0.6 < min(fidelity) < 1.0


def test_sizes_and_design_values() -> None:
    ohms = [kind.parallel_ohms for kind in SIZES]
    assert ohms == sorted(ohms, reverse=True) and ohms[1] == pytest.approx(5093, rel=1e-3)
    for kind in SIZES:
        assert np.median(kind.wafer().die.diameters_nm) == pytest.approx(kind.diameter_nm)
        assert kind.design_siemens == pytest.approx(0.5 / kind.parallel_ohms)
    deltas = [kind.wafer().die.delta for kind in SIZES]
    assert deltas[1] == pytest.approx(60) and deltas == sorted(deltas)
    assert len({kind.name for kind in SIZES + WORSE}) == len(SIZES + WORSE)
    assert all(len(line) > 20 for line in assumptions())
