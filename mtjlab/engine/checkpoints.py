"""Training that can be stopped and goes on as if it had not been: checkpoints of everything it depends on.

A checkpoint holds tensors, numbers and text, never objects: it is read without unpickling anything else, and a digest
of its content tells a damaged one. Resumed on a CPU, training gives the same bits as without a stop.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from .layers import CrossbarLinear

FORMAT = 1
"""Of the checkpoints that are written."""

Generator = torch.Generator | np.random.Generator


@dataclass
class Training:
    """What a run of training is made of.

    Attributes:
        model: its parameters and buffers; also the generators of the crossbars in it.
        optimizer: with its state.
        schedule: of the learning rate; None if it stays.
        random: further generators that steps draw from, by name.
        epoch: how many are done.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    random: Mapping[str, Generator] = field(default_factory=dict)
    epoch: int = 0


def fit(
    training: Training,
    run_epoch: Callable[[int], object],
    epochs: int,
    *,
    checkpoint: Path | None = None,
    about: Mapping[str, Any] | None = None,
    every: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train up to so many epochs, from the checkpoint where there is one.

    Args:
        training: is brought to the checkpoint's state; then runs on.
        run_epoch: called with the number of the epoch, from 0; takes the optimizer's steps.
        checkpoint: file to start from if it exists, and to write; None for no checkpoints.
        about: settings of the run, plain values: a checkpoint of other settings is refused.
        every: how many epochs lie between two checkpoints; the last one is always written.
        progress: called as progress(epochs done, epochs).

    Raises InputError as `load_checkpoint`.
    """
    if checkpoint is not None and checkpoint.exists():
        load_checkpoint(checkpoint, training, about)
    while training.epoch < epochs:
        run_epoch(training.epoch)
        if training.schedule is not None:
            training.schedule.step()
        training.epoch += 1
        if checkpoint is not None and (training.epoch % every == 0 or training.epoch == epochs):
            save_checkpoint(checkpoint, training, about)
        if progress is not None:
            progress(training.epoch, epochs)


def save_checkpoint(path: Path, training: Training, about: Mapping[str, Any] | None = None) -> None:
    """Write everything that further training depends on; a stop while writing leaves the file as it was."""
    content = {
        "format": FORMAT,
        "about": json.dumps(dict(about or {}), sort_keys=True),
        "epoch": training.epoch,
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "schedule": None if training.schedule is None else training.schedule.state_dict(),
        "random": {name: _state(generator) for name, generator in _generators(training).items()},
        "random_of_torch": torch.get_rng_state(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save({**content, "digest": digest(content)}, beside)
    beside.replace(path)


def load_checkpoint(path: Path, training: Training, about: Mapping[str, Any] | None = None) -> None:
    """Bring a training to the state that the checkpoint holds.

    Cells and wires under the layers are not part of it: whoever put them there puts them there again.

    Raises InputError for a file that is damaged, holds objects, or is of other settings, another model or format.
    """
    content = _read(path)
    _require_same_settings(path, content["about"], about)
    generators = _generators(training)
    if set(generators) != set(content["random"]) or (training.schedule is None) != (content["schedule"] is None):
        raise InputError("the checkpoint is of a training with other generators or schedule", where=str(path))
    try:
        training.model.load_state_dict(content["model"])
        training.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"the checkpoint is of another model or optimizer ({error})", where=str(path)) from None
    if training.schedule is not None:
        training.schedule.load_state_dict(content["schedule"])
    for name, generator in generators.items():
        _set_state(generator, content["random"][name])
    torch.set_rng_state(content["random_of_torch"])
    training.epoch = int(content["epoch"])


def digest(content: Any) -> str:
    """SHA-256 of nested dictionaries and sequences of tensors and plain values, whatever device they are on."""
    found = hashlib.sha256()
    _add(found, content)
    return found.hexdigest()


def _add(found: hashlib._Hash, value: Any) -> None:
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        found.update(f"tensor {plain.dtype} {tuple(plain.shape)} ".encode())
        found.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    elif isinstance(value, Mapping):
        found.update(f"map {len(value)} ".encode())
        for key in sorted(value, key=repr):
            found.update(repr(key).encode())
            _add(found, value[key])
    elif isinstance(value, list | tuple):
        found.update(f"list {len(value)} ".encode())
        for item in value:
            _add(found, item)
    else:
        found.update(f"{type(value).__name__} {value!r} ".encode())


def _read(path: Path) -> dict[str, Any]:
    damaged = InputError(
        "no checkpoint, or a damaged one", where=str(path), remedy="Delete it to train from the beginning"
    )
    if not zipfile.is_zipfile(path):
        raise damaged
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise InputError(
            "the file holds objects beside tensors and is not read", where=str(path), remedy="Do not trust its source"
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        raise damaged from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"no checkpoint of format {FORMAT}", where=str(path))
    if content.pop("digest", None) != digest(content):
        raise damaged
    return content


def _require_same_settings(path: Path, written: str, about: Mapping[str, Any] | None) -> None:
    before, now = json.loads(written), json.loads(json.dumps(dict(about or {})))
    other = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if other:
        raise InputError(
            f"the checkpoint was trained with another {', '.join(other)}",
            where=str(path),
            remedy="Train with the same settings, or into another file",
        )


def _generators(training: Training) -> dict[str, Generator]:
    """All generators, each once."""
    found: dict[str, Generator] = dict(training.random)
    for name, module in training.model.named_modules():
        if isinstance(module, CrossbarLinear) and not any(module.random is other for other in found.values()):
            found[f"model.{name}"] = module.random
    return found


def _state(generator: Generator) -> Tensor | str:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    return json.dumps(_plain(generator.bit_generator.state))


def _set_state(generator: Generator, state: Tensor | str) -> None:
    if isinstance(generator, torch.Generator) and isinstance(state, Tensor):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator) and isinstance(state, str):
        generator.bit_generator.state = json.loads(state)
    else:
        raise InputError("the checkpoint has generators of another kind")


def _plain(state: Any) -> Any:
    """State of a NumPy generator as JSON takes it; arrays become lists."""
    if isinstance(state, Mapping):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
