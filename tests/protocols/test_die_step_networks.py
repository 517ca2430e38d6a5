"""The steps train and infer: a network for a die's map, kept in a file, written from it into the die and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.network_file import PlacedNetwork
from mtjlab.physics.die_description import DieDescription
from mtjlab.protocols.die_steps import DieContext, numbers_of, run_steps
from mtjlab.recipe_steps import AnyStep, Step
from mtjlab.sim_instruments.array_crossbar import THREE_UNITS, ArrayCrossbar
from mtjlab.sim_instruments.die import Die

pytest.importorskip("torch")


def step(**said: object) -> Step:
    made: Step = TypeAdapter(AnyStep).validate_python(said)
    return made


def crossbar() -> ArrayCrossbar:
    rng = np.random.default_rng(1)
    die = Die(DieDescription(rows=15, cols=15), rng)
    return ArrayCrossbar(die, rng, limits=DeviceLimits(pulses_per_cell=2000), capabilities=THREE_UNITS)


@pytest.fixture(scope="module")
def classified() -> DieContext:
    context = DieContext(crossbar(), unit_siemens=9.6e-5)
    run_steps([step(step="classify", how="quick")], context)
    return context


def test_trained_kept_written_and_run(classified: DieContext, tmp_path: Path) -> None:
    assert classified.known is not None
    classified.known.save(tmp_path / "m.npz")

    def beside(name: str) -> Path:
        return tmp_path / name

    def keep(name: str, network: PlacedNetwork) -> None:
        network.save(beside(f"{name}.npz"))

    bare = DieContext(None, beside=beside, keep_network=keep)  # training needs no bench
    outcomes = run_steps([step(step="train", map="m.npz", solutions=4, epochs=600)], bare)
    trained = numbers_of(outcomes)
    assert trained["train.software_accuracy"] > 0.9
    assert trained["train.planned_accuracy"] > 0.85
    assert outcomes[0].cost.readings == 0

    kept = PlacedNetwork.load(tmp_path / "network.npz")
    assert bare.network is not None
    assert all(np.array_equal(a, b) for a, b in zip(kept.solution.bits, bare.network.solution.bits, strict=True))
    assert [layer.name for layer in kept.plan.layers] == ["layer 1", "layer 2"]
    assert np.array_equal(kept.plan.layers[0].bits, bare.network.plan.layers[0].bits)

    die = DieContext(classified.crossbar, unit_siemens=9.6e-5, beside=beside)
    found = numbers_of(run_steps([step(step="infer", map="m.npz", network="network.npz")], die))
    assert found["infer.write_fidelity"] > 0.95
    assert found["infer.accuracy"] > 0.85
    assert abs(found["infer.accuracy"] - found["infer.predicted_accuracy"]) < 0.1
    assert found["infer.software_accuracy"] == trained["train.software_accuracy"]


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    with pytest.raises(InputError, match="not a network"):
        PlacedNetwork.load(path)
    np.savez(path, header=np.array('{"format": "other"}'))
    with pytest.raises(InputError, match="not a network"):
        PlacedNetwork.load(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(InputError, match=r"Give the network\.npz"):
        PlacedNetwork.load(path)
