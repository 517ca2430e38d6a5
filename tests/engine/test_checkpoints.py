"""Training that was stopped goes on as if it had not been; files that are no checkpoints are refused."""
# ruff: noqa: E402, for PyTorch is optional

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.checkpoints import Training, digest, fit, load_checkpoint, save_checkpoint
from mtjlab.engine.convert import convert
from mtjlab.engine.layers import CrossbarLinear, Devices, LayerSettings
from mtjlab.engine.placement import CellPair
from mtjlab.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")

ABOUT = {"epochs": 12, "learning_rate": 0.05}


class Run:
    """Statistics-aware training with randomness of every kind: devices, dropout, cells and order of the samples."""

    def __init__(self, seed: int = 1, width: int = 6) -> None:
        torch.manual_seed(seed)
        random = torch.Generator().manual_seed(seed)
        model = nn.Sequential(
            nn.Linear(5, width), nn.BatchNorm1d(width), nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, 2)
        )
        settings = LayerSettings(Devices(flip_probability=0.05, spread=0.1), learn_gain=True)
        self.network = convert(model, settings, copies=3, generator=random)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
        self.of_cells, order = np.random.default_rng(seed), torch.Generator().manual_seed(seed + 1)
        self.training = Training(self.network, optimizer, schedule, {"cells": self.of_cells, "order": order})
        self.x = torch.rand((40, 5), generator=torch.Generator().manual_seed(3))
        self.losses: list[float] = []

    def epoch(self, number: int) -> None:
        self.network.train()
        for crossbar in self.network.crossbars().values():
            shape = (3, crossbar.inputs, crossbar.lines)
            ap = self.of_cells.uniform(0.9, 1.1, shape)
            crossbar.use_cells(CellStates.of(CellPair(ap, 2 * ap), 1.0))
        order = self.training.random["order"]
        assert isinstance(order, torch.Generator)
        for batch in torch.randperm(40, generator=order).split(10):
            self.training.optimizer.zero_grad()
            loss = (self.network(self.x[batch][None]) - self.x[batch, :2]).square().mean()
            loss.backward()
            self.training.optimizer.step()
            self.network.clamp_latent()
            self.losses.append(loss.item())

    def result(self) -> str:
        return digest(self.network.state_dict()) + digest(self.training.optimizer.state_dict())


def test_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = Run()
    fit(whole.training, whole.epoch, 12)
    first = Run()
    fit(first.training, first.epoch, 5, checkpoint=tmp_path / "run.pt", about=ABOUT)
    torch.rand(100)  # whatever else draws in the meantime
    second, seen = Run(seed=9), []
    fit(
        second.training,
        second.epoch,
        12,
        checkpoint=tmp_path / "run.pt",
        about=ABOUT,
        progress=lambda *done: seen.append(done),
    )
    assert second.result() == whole.result() and first.losses + second.losses == whole.losses
    assert seen == [(epoch, 12) for epoch in range(6, 13)]
    assert Run(seed=9).result() != whole.result()


def test_an_epoch_that_was_cut_short_is_run_again(tmp_path: Path) -> None:
    whole, path = Run(), tmp_path / "run.pt"
    fit(whole.training, whole.epoch, 4)
    run = Run()

    def stopped(number: int) -> None:
        run.epoch(number)
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(run.training, stopped, 4, checkpoint=path)
    again = Run(seed=5)
    fit(again.training, again.epoch, 4, checkpoint=path)
    assert again.result() == whole.result() and len(again.losses) == 2 * 4


def test_checkpoints_are_written_every_so_often_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(
        "mtjlab.engine.checkpoints.save_checkpoint", lambda path, training, about: written.append(training.epoch)
    )
    run = Run()
    fit(run.training, run.epoch, 5, checkpoint=tmp_path / "run.pt", every=2)
    assert written == [2, 4, 5]


def test_nothing_is_left_beside_the_checkpoint(tmp_path: Path) -> None:
    run = Run()
    save_checkpoint(tmp_path / "deep" / "run.pt", run.training)
    save_checkpoint(tmp_path / "deep" / "run.pt", run.training)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run.pt"]


def test_layers_that_share_a_generator_still_do_so_afterwards(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(1)
    model = nn.ModuleList([CrossbarLinear(3, 2, generator=random), CrossbarLinear(2, 2, generator=random)])
    training = Training(model, torch.optim.SGD(model.parameters(), lr=0.1))
    save_checkpoint(tmp_path / "run.pt", training)
    drawn = torch.rand(3, generator=random)
    load_checkpoint(tmp_path / "run.pt", training)
    assert model[0].random is model[1].random is random and torch.equal(torch.rand(3, generator=random), drawn)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "run.pt"
    save_checkpoint(path, Run().training, ABOUT)
    return path


def test_other_settings_models_and_schedules_are_refused(written: Path) -> None:
    with pytest.raises(InputError, match="another learning_rate"):
        load_checkpoint(written, Run().training, {**ABOUT, "learning_rate": 0.1})
    with pytest.raises(InputError, match="another epochs, learning_rate"):
        load_checkpoint(written, Run().training)
    with pytest.raises(InputError, match="another model"):
        load_checkpoint(written, Run(width=7).training, ABOUT)
    run = Run().training
    with pytest.raises(InputError, match="other generators or schedule"):
        load_checkpoint(written, Training(run.model, run.optimizer, None, run.random), ABOUT)
    with pytest.raises(InputError, match="other generators or schedule"):
        load_checkpoint(written, Training(run.model, run.optimizer, run.schedule), ABOUT)
    swapped = dict(zip(("order", "cells"), run.random.values(), strict=True))
    with pytest.raises(InputError, match="of another kind"):
        load_checkpoint(written, Training(run.model, run.optimizer, run.schedule, swapped), ABOUT)


@pytest.mark.parametrize("change", ["cut", "nothing", "text", "value"])
def test_a_damaged_checkpoint_is_told(written: Path, tmp_path: Path, change: str) -> None:
    path = tmp_path / "run.pt"
    if change == "value":
        content = torch.load(written, weights_only=True)
        content["model"]["body.0.crossbar.latent"][0, 0, 0] += 1e-3
        torch.save(content, path)
    else:
        whole = written.read_bytes()
        path.write_bytes({"cut": whole[: len(whole) // 2], "nothing": b"", "text": b"not a checkpoint"}[change])
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, Run().training, ABOUT)


class Trap:
    sprung: list[str] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Trap.sprung.append, ("unpickled",)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    torch.save({"format": 1, "trap": Trap()}, tmp_path / "run.pt")
    with pytest.raises(InputError, match="holds objects"):
        load_checkpoint(tmp_path / "run.pt", Run().training)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path / "plain.pt", Run().training)
    assert Trap.sprung == []
    torch.save({"weights": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="no checkpoint of format"):
        load_checkpoint(tmp_path / "other.pt", Run().training)
