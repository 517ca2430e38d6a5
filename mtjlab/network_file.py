"""A trained network and where its layers go on a die, in one file of arrays without pickled objects."""

from __future__ import annotations

import io
import json
import zlib
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from .engine.data_sources import DataRequest
from .engine.perceptron import Perceptron
from .errors import InputError
from .nouns import LayerPlan, WeightPlan

_FORMAT = "mtjlab.network/1"
_SOLUTION = ("bits_1", "biases_1", "bits_2", "biases_2")
_LAYER = ("rows", "cols", "bits", "biases")


@dataclass(frozen=True, eq=False)
class PlacedNetwork:
    """A network for one die.

    Attributes:
        solution: the network, a batch of one.
        plan: which cell holds which part of it.
        data: name of the data set that it was trained on.
        seed: of the split of the data.
        request: which data in full; None for all of the named set.
    """

    solution: Perceptron
    plan: WeightPlan
    data: str
    seed: int
    request: DataRequest | None = None

    @property
    def source(self) -> DataRequest:
        """Which data it is for."""
        return self.request or DataRequest(self.data, seed=self.seed)

    def save(self, path: Path) -> Path:
        """Write one .npz: arrays of the solution and of each layer, and a JSON header under "header"."""
        path.write_bytes(self.to_bytes())
        return path

    def to_bytes(self) -> bytes:
        """What `save` writes."""
        names = [layer.name for layer in self.plan.layers]
        header: dict[str, Any] = {"format": _FORMAT, "data": self.data, "seed": self.seed, "layers": names}
        if self.request is not None:
            header["request"] = asdict(self.request)
        arrays: dict[str, Any] = {name: getattr(self.solution, name) for name in _SOLUTION}
        for number, layer in enumerate(self.plan.layers):
            arrays |= {f"layer_{number}_{name}": getattr(layer, name) for name in _LAYER}
        file = io.BytesIO()
        np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path | io.BytesIO) -> PlacedNetwork:
        """Read what `save` wrote, also from memory; raises InputError for anything else."""
        try:
            with (
                nullcontext(path) if isinstance(path, io.BytesIO) else path.open("rb") as file,
                np.load(file, allow_pickle=False) as stored,
            ):
                header = json.loads(str(stored["header"]))
                if header["format"] != _FORMAT:
                    raise ValueError(f"format {header['format']!r}")
                solution = Perceptron(*[stored[name] for name in _SOLUTION])
                layers = [
                    LayerPlan(str(layer), *[stored[f"layer_{number}_{name}"] for name in _LAYER])
                    for number, layer in enumerate(header["layers"])
                ]
                request = _request(header["request"]) if "request" in header else None
                return cls(solution, WeightPlan(tuple(layers)), str(header["data"]), int(header["seed"]), request)
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, zlib.error) as error:
            raise InputError(
                f"not a network ({error})", where=str(path), remedy="Give the network.npz of a run that trained one"
            ) from error


def _request(stored: dict[str, Any]) -> DataRequest:
    """Raises TypeError or ValueError for what is none."""
    inputs = stored.get("inputs")
    return DataRequest(
        data=str(stored["data"]),
        labels=str(stored["labels"]),
        seed=int(stored["seed"]),
        inputs=None if inputs is None else int(inputs),
        classes=tuple(str(name) for name in stored["classes"]),
        samples=int(stored["samples"]),
        folder=str(stored["folder"]),
        sha256=str(stored["sha256"]),
    )
