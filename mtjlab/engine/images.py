"""Pictures that networks are trained on: MNIST from a folder or a checked download, digits that need neither."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .datasets import stratified_split

IntArray = NDArray[np.int64]
Pixels = NDArray[np.float32]

DATA_VARIABLE = "MTJLAB_DATA"
"""Environment variable that names the folder with data sets."""

_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the unpacked files (LeCun, Cortes and Burges); how they were compressed does not matter."""

_PACKED = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
"""SHA-256 of the .gz files as they are offered for download."""

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_MOST_BYTES = 64 << 20
"""No file of the set unpacks to more; a file that does is no MNIST file."""
_SIDE = 28
_TEST_DIGITS = 360
_HELP = (
    f"Put the four MNIST files (IDX, .gz or unpacked) into a folder `mnist` and name its parent in {DATA_VARIABLE}, "
    "or allow the download"
)


@dataclass(frozen=True, eq=False)
class ImageData:
    """Pictures in two parts.

    Attributes:
        name: of the set.
        train_features, test_features: shape (samples, pixels), float32, 0..1, row by row.
        train_labels, test_labels: shape (samples,), class 0..9.
        side: pixels along an edge.
    """

    name: str
    train_features: Pixels
    train_labels: IntArray
    test_features: Pixels
    test_labels: IntArray
    side: int

    @property
    def inputs(self) -> int:
        """Pixels of a picture."""
        return self.side**2

    def shrunk(self, side: int) -> ImageData:
        """The middle 2 `side` pixels averaged two by two: `side` 14 keeps all of a 28 x 28 picture, 10 the digit alone.

        Raises:
            InputError: the pictures have no such middle.
        """
        margin = self.side - 2 * side
        if side < 1 or margin < 0 or margin % 2:
            raise InputError(
                f"pictures of {self.side} x {self.side} cannot be shrunk to {side} x {side}",
                remedy=f"Give a side of at most {self.side // 2}",
            )
        train = _halved(self.train_features, self.side, margin // 2)
        test = _halved(self.test_features, self.side, margin // 2)
        return ImageData(self.name, train, self.train_labels, test, self.test_labels, side)

    def first(self, train: int, test: int) -> ImageData:
        """The first so many pictures of either part, for a quick look."""
        return ImageData(
            self.name,
            self.train_features[:train],
            self.train_labels[:train],
            self.test_features[:test],
            self.test_labels[:test],
            self.side,
        )


def load_mnist(folder: Path | None = None, *, may_download: bool = False) -> ImageData:
    """MNIST, 60,000 and 10,000 pictures of 28 x 28, every file checked against its SHA-256.

    Args:
        folder: with the four IDX files, or with a folder `mnist` that has them; default: `MTJLAB_DATA`, then the
            cache of earlier downloads.
        may_download: fetch what is not there (11 MB, once) with pooch, an optional extra.

    Raises:
        InputError: there is none, with what to do; a file is damaged or is another.
    """
    found = _folder(folder)
    if found is None and may_download:
        found = _download(_cache())
    if found is None:
        raise InputError("MNIST is not at hand", where=_searched(folder), remedy=_HELP)
    arrays = {name: _array(found, name, digest) for name, digest in _FILES.items()}
    return ImageData(
        "MNIST",
        _scaled(arrays["train-images-idx3-ubyte"]),
        arrays["train-labels-idx1-ubyte"].astype(np.int64),
        _scaled(arrays["t10k-images-idx3-ubyte"]),
        arrays["t10k-labels-idx1-ubyte"].astype(np.int64),
        _SIDE,
    )


def load_digits(seed: int = 0) -> ImageData:
    """1,797 digits of 8 x 8 pixels, bundled with scikit-learn, 360 of them for testing; needs no network."""
    # scikit-learn takes a second to import
    from sklearn.datasets import load_digits as load_bundled

    bundle = load_bundled()
    labels = np.asarray(bundle.target, dtype=np.int64)
    features = np.asarray(bundle.data / 16, dtype=np.float32)
    train, test = stratified_split(labels, _TEST_DIGITS, np.random.default_rng(seed))
    return ImageData("8 x 8 digits", features[train], labels[train], features[test], labels[test], 8)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array of bytes from an IDX file, compressed (.gz) or not.

    Raises:
        InputError: the file is no IDX file of bytes, is cut short, or is far too large.
    """
    return _parsed(_unpacked(path), path)


def _array(folder: Path, name: str, digest: str) -> NDArray[np.uint8]:
    path = _either(folder, name)
    content = _unpacked(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(
            "this is not the MNIST file of that name: its checksum differs",
            where=str(path),
            remedy="Fetch it again; a copy may have been cut short",
        )
    return _parsed(content, path)


def _parsed(content: bytes, path: Path) -> NDArray[np.uint8]:
    if len(content) < 4 or content[:3] != b"\0\0\x08" or not 1 <= content[3] <= 4:
        raise InputError("not an IDX file of bytes", where=str(path))
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise InputError("an IDX file that ends within its header", where=str(path))
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise InputError(f"{len(content) - start} bytes for an array of {shape}", where=str(path))
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _unpacked(path: Path) -> bytes:
    try:
        with path.open("rb") if path.suffix != ".gz" else gzip.open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read ({error})", where=str(path)) from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"more than {_MOST_BYTES >> 20} MB, which no file of the set has", where=str(path))
    return content


def _folder(given: Path | None) -> Path | None:
    """Where all four files are; a folder that was named, but lacks some, is an error rather than passed over."""
    named = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if named is None:
        return _complete(_cache())
    for folder in (named, named / "mnist"):
        if _complete(folder):
            return folder
    lacking = [name for name in _FILES if not any(_exists(f, name) for f in (named, named / "mnist"))]
    raise InputError(f"no {' and no '.join(lacking or ['complete set of files'])}", where=str(named), remedy=_HELP)


def _complete(folder: Path) -> Path | None:
    return folder if all(_exists(folder, name) for name in _FILES) else None


def _exists(folder: Path, name: str) -> bool:
    return _either(folder, name).is_file()


def _either(folder: Path, name: str) -> Path:
    packed = folder / f"{name}.gz"
    return packed if packed.is_file() else folder / name


def _cache() -> Path:
    root = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "mtjlab" / "mnist"


def _download(folder: Path) -> Path:
    try:
        import pooch  # type: ignore[import-untyped]
    except ImportError:
        raise InputError(
            "pooch is not installed, which fetches MNIST",
            remedy='Install it with: pip install -c constraints.txt ".[data]", or: ' + _HELP,
        ) from None
    source = pooch.create(path=folder, base_url=MIRROR, registry={f"{n}.gz": f"sha256:{d}" for n, d in _PACKED.items()})
    try:
        for name in source.registry:
            source.fetch(name)
    except (OSError, ValueError) as error:
        raise InputError(f"MNIST could not be fetched ({error})", where=MIRROR, remedy=_HELP) from error
    return folder


def _searched(folder: Path | None) -> str:
    return str(folder) if folder else f"{DATA_VARIABLE} is not set; {_cache()} has none"


def _scaled(images: NDArray[np.uint8]) -> Pixels:
    return np.asarray(images.reshape(len(images), -1) / np.float32(255), dtype=np.float32)


def _halved(features: Pixels, side: int, margin: int) -> Pixels:
    pictures = features.reshape(-1, side, side)[:, margin : side - margin, margin : side - margin]
    half = (side - 2 * margin) // 2
    means = pictures.reshape(-1, half, 2, half, 2).mean(axis=(2, 4))
    return np.asarray(means.reshape(len(features), -1), dtype=np.float32)
