"""Whole networks on small arrays: apart or in turn on the same cells, tuned per layer, stopped anywhere, and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mtjlab.bridge import tune_g_norm
from mtjlab.engine.perceptron import EXACT, Precision, activations
from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import ArrayMap, LayerPlan, LayerTile, TiledLayerPlan, TiledWeightPlan
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.infer_network import NetworkSettings, infer_network
from mtjlab.protocols.infer_plans import LabelledSamples, are_apart
from mtjlab.protocols.infer_prediction import forward
from mtjlab.protocols.infer_result import NetworkRun, wilson
from mtjlab.protocols.infer_tuning import tune_layer
from mtjlab.protocols.readout import readout
from mtjlab.protocols.write_verify import WriteSettings

FINE = Precision(input_bits=8, hidden_bits=8)
UNIT = 1e-4
IDEAL = {"segment_ohms": 0.0, "contact_ohms": 1e-3}


def tile(name: str, array: int, place: tuple[Any, Any], cells: tuple[Any, Any], rng: Any) -> LayerTile:
    """Inputs and outputs, rows and columns."""
    (inputs, outputs), (rows, cols) = ([np.array(list(one)) for one in pair] for pair in (place, cells))
    bits = rng.integers(0, 2, (rows.size, cols.size)).astype(np.int8)
    return LayerTile(array, inputs, outputs, LayerPlan(name, rows, cols, bits, np.zeros(outputs.size)))


def network(*, apart: bool) -> TiledWeightPlan:
    """5 inputs and a bias row, 3 hidden, 3 hidden, 2 outputs: layer 1 in two tiles on two arrays of 6 x 12."""
    rng = np.random.default_rng(8)
    first = TiledLayerPlan(
        "layer 1",
        (
            tile("layer 1", 0, (range(3), range(3)), (range(3), range(6)), rng),
            tile("layer 1", 1, (range(3, 6), range(3)), (range(3), range(6)), rng),
        ),
        rng.normal(0, 0.3, 3),
        bias_inputs=1,
    )
    rows = range(3, 6) if apart else range(3)
    second = TiledLayerPlan(
        "layer 2", (tile("layer 2", 0, (range(3), range(3)), (rows, range(6)), rng),), rng.normal(0, 0.3, 3)
    )
    third = TiledLayerPlan(
        "layer 3", (tile("layer 3", 1, (range(3), range(2)), (rows, range(4)), rng),), rng.normal(0, 0.3, 2)
    )
    return TiledWeightPlan((first, second, third))


def samples(plan: TiledWeightPlan, count: int = 12, calibration: int = 6) -> LabelledSamples:
    """Labels are what the network itself says with perfect cells, so that a good run is right on most of them."""
    features = np.random.default_rng(5).random((count, 5))
    bits = [ideal_bits(layer) for layer in plan.layers]
    outputs = forward(bits, plan.layers, features, [1.0] * 3, [None] * 3)
    return LabelledSamples(features, outputs.argmax(axis=1), np.arange(calibration))


def ideal_bits(layer: TiledLayerPlan) -> Any:
    found = np.zeros((layer.inputs, 2 * layer.outputs))
    for one in layer.tiles:
        lines = np.stack([2 * one.outputs, 2 * one.outputs + 1], axis=1).ravel()
        found[np.ix_(one.inputs, lines)] = one.plan.bits
    return found


def arrays(make_world: Any, **die: Any) -> Any:
    made = [make_world(seed, rows=6, cols=6, **IDEAL, **die) for seed in (3, 4)]
    return [world for world, _ in made], [crossbar for _, crossbar in made]


@pytest.mark.parametrize("apart", [True, False])
def test_the_outputs_are_what_the_written_conductances_predict(make_world: Any, apart: bool) -> None:
    worlds, crossbars = arrays(make_world)
    plan = network(apart=apart)
    assert are_apart(plan.layers) is apart
    known = [survey(crossbar)[1] for crossbar in crossbars]
    kept: list[NetworkRun] = []
    run = infer_network(
        crossbars,
        plan,
        known,
        samples(plan),
        settings=NetworkSettings(precision=FINE, write=WriteSettings()),
        keep=kept.append,
    )
    assert kept == [run]
    assert run.done.all()
    assert not run.is_partial
    assert run.largest_difference < 0.02
    assert all(write.fidelity == 1.0 for write in run.writes)
    assert run.evaluation.tolist() == list(range(6, 12))
    assert run.agreement.value == 1.0
    assert run.accuracy == run.predicted_accuracy
    assert run.cost.pulses > 0
    assert run.saturated == 0
    assert [incident for world in worlds for incident in world.incidents] == []
    # everything is at 0 V: a column at 0 V carries nothing
    assert all(abs(source.point().amps) < 1e-12 for crossbar in crossbars for source in crossbar._sources.values())


def as_planned(worlds: Any, crossbars: Any, plan: TiledWeightPlan, in_state: Any) -> list[ArrayMap]:
    """Cells put into the planned states by hand, and read."""
    for number, world in enumerate(worlds):
        wanted = np.zeros((6, 6), dtype=bool)
        for layer in plan.layers:
            for one in layer.tiles:
                if one.array == number:
                    wanted |= one.plan.target((6, 6)) == 1
        in_state(world, wanted)
    return [readout(crossbar) for crossbar in crossbars]


def test_stopped_between_any_two_transactions_what_is_done_is_returned_and_marked(
    make_world: Any, in_state: Any
) -> None:
    worlds, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = as_planned(worlds, crossbars, plan, in_state)
    data = samples(plan, count=5, calibration=2)

    def run(allowed: int) -> NetworkRun:
        answers = iter([False] * allowed + [True])
        return infer_network(
            crossbars,
            plan,
            known,
            data,
            settings=NetworkSettings(precision=FINE),
            unit_siemens=UNIT,
            is_stopped=lambda: next(answers, True),
        )

    full = run(10_000)
    assert full.reason == "all samples are done"
    partial = [run(allowed) for allowed in range(40)]
    done = [int(one.done.sum()) for one in partial]
    assert done == sorted(done)
    assert set(done) == {0, 1, 2, 3, 4, 5}
    for one in partial:
        is_whole = one.done.all()
        assert one.is_partial is not is_whole
        assert one.reason == ("all samples are done" if is_whole else "stopped on request")
        if len(one.tunings) == 3:
            assert one.outputs[one.done] == pytest.approx(full.outputs[one.done], abs=1e-9)
        for crossbar in crossbars:
            assert all(abs(source.point().amps) < 1e-12 for source in crossbar._sources.values())


def test_an_interrupt_keeps_what_there_is(make_world: Any, in_state: Any, watched: Any) -> None:
    worlds, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = as_planned(worlds, crossbars, plan, in_state)
    kept: list[NetworkRun] = []
    with pytest.raises(KeyboardInterrupt):
        infer_network(
            [watched(crossbars[0], interrupt_at=120), crossbars[1]],
            plan,
            known,
            samples(plan),
            settings=NetworkSettings(precision=FINE),
            unit_siemens=UNIT,
            keep=kept.append,
        )
    assert (kept[0].is_partial, kept[0].reason) == (True, "interrupted")
    assert 6 < kept[0].done.sum() < 12


def test_an_off_scale_column_says_what_to_do_and_idles(
    make_world: Any, in_state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = as_planned(worlds, crossbars, plan, in_state)
    measure = crossbars[1].measure
    monkeypatch.setattr(
        crossbars[1], "measure", lambda *a: [type(r)(r.volts, 9.9e37, is_overflow=True) for r in measure(*a)]
    )
    with pytest.raises(InstrumentError, match="while layer layer 1 runs") as caught:
        infer_network(crossbars, plan, known, samples(plan), unit_siemens=UNIT)
    assert "fewer inputs on one tile" in caught.value.remedy
    assert all(abs(source.point().amps) < 1e-12 for source in crossbars[0]._sources.values())


def test_tuning_looks_at_calibration_samples_only(make_world: Any, in_state: Any) -> None:
    worlds, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = as_planned(worlds, crossbars, plan, in_state)
    data = samples(plan)
    other = LabelledSamples(data.features.copy(), data.labels.copy(), data.calibration)
    other.features[data.evaluation] = 1 - other.features[data.evaluation]
    other.labels[data.evaluation] = 1 - other.labels[data.evaluation]
    norms = [
        infer_network(
            crossbars, plan, known, one, settings=NetworkSettings(precision=FINE), unit_siemens=UNIT
        ).siemens_norms
        for one in (data, other)
    ]
    assert norms[0] == norms[1]
    untuned = infer_network(
        crossbars, plan, known, LabelledSamples(data.features, data.labels), unit_siemens=UNIT
    ).siemens_norms
    assert untuned == (UNIT,) * 3


def test_each_layer_gets_a_normalising_conductance_of_its_own() -> None:
    """Two layers whose currents are off by different factors: no common value makes up for both."""
    rng = np.random.default_rng(1)
    plan = network(apart=True)
    layers = plan.layers[1:]
    truth = [ideal_bits(layer) for layer in layers]
    values = rng.uniform(-1, 1, (200, 3))
    labels = forward(truth, layers, values, [1.0, 1.0], [None, None]).argmax(axis=1)
    lines, off = 0.6 * values @ truth[0], 1.5 * truth[1]
    first = tune_layer(lines, layers, [off], labels, 1.0, [None])
    hidden = activations(lines, layers[0].biases, first.siemens_norm)
    second = tune_layer(hidden @ off, layers[1:], [], labels, 1.0, [])
    common = tune_g_norm([0.6 * truth[0], off], [layer.biases for layer in layers], values, labels, 1.0, EXACT)
    assert second.accuracy[second.best] > 0.95
    assert second.margin_loss[second.best] < common.margin_loss.min()
    assert first.siemens_norm < second.siemens_norm


def test_the_wilson_interval_is_where_the_score_test_ends() -> None:
    z = stats.norm.ppf(0.975)
    for hits, trials in ((0, 10), (3, 10), (171, 178), (178, 178)):
        found = wilson(hits, trials)
        for bound in (found.low, found.high):
            if 0 < bound < 1:
                assert abs(found.value - bound) == pytest.approx(z * np.sqrt(bound * (1 - bound) / trials), rel=1e-6)
    assert (wilson(0, 10).low, wilson(178, 178).high) == (0.0, 1.0)
    assert np.isnan(wilson(0, 0).value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((12, 4))}, "layer 1 takes 5 inputs and gets 4"),
        ({"features": np.zeros((11, 5))}, "11 samples have 12 labels"),
        ({"labels": np.full(12, 2)}, r"labels must be classes 0\.\.1"),
        ({"calibration": np.array([12])}, "a calibration sample does not exist"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_applied(
    make_world: Any, watched: Any, change: dict[str, Any], message: str
) -> None:
    _, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = [readout(crossbar) for crossbar in crossbars]
    good = samples(plan)
    fields = {"features": good.features, "labels": good.labels, "calibration": good.calibration, **change}
    seen = [watched(crossbar) for crossbar in crossbars]
    with pytest.raises(InputError, match=message):
        infer_network(seen, plan, known, LabelledSamples(**fields), unit_siemens=UNIT)
    with pytest.raises(InputError, match="one map for every array"):
        infer_network(seen, plan, known[:1], good, unit_siemens=UNIT)
    assert [one.transactions for one in seen] == [0, 0]


def test_a_result_is_plain_values_and_every_sample_is_kept(make_world: Any, in_state: Any, tmp_path: Path) -> None:
    worlds, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = as_planned(worlds, crossbars, plan, in_state)
    run = infer_network(crossbars, plan, known, samples(plan), unit_siemens=UNIT)
    told = json.loads(json.dumps(run.as_result()))
    assert told["samples"] == 6
    assert told["accuracy"]["value"] == run.accuracy.value
    assert sum(map(sum, told["confusion"])) == 6
    with np.load(run.save(tmp_path / "run.npz"), allow_pickle=False) as stored:
        assert json.loads(str(stored["header"])) == told
        assert np.array_equal(stored["outputs"], run.outputs)
        assert stored["line_siemens_3"].shape == (12, 4)


def test_stopped_while_a_layer_is_written_the_map_so_far_is_kept(make_world: Any) -> None:
    _, crossbars = arrays(make_world)
    plan = network(apart=True)
    known = [survey(crossbar)[1] for crossbar in crossbars]
    answers = iter([False] * 50)
    run = infer_network(
        crossbars,
        plan,
        known,
        samples(plan),
        settings=NetworkSettings(precision=FINE, write=WriteSettings()),
        is_stopped=lambda: next(answers, True),
    )
    assert (run.is_partial, run.reason) == (True, "stopped on request")
    assert not run.done.any()
    assert np.isnan(run.accuracy.value)
    assert any(one.is_partial for one in run.maps)
    assert 0 < run.cost.readings < 500
