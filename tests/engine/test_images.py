"""Pictures: MNIST from folders and from a download, always by its checksums; digits without any network."""

import gzip
import hashlib
import http.server
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mtjlab.engine import images
from mtjlab.engine.images import DATA_VARIABLE, ImageData, load_digits, load_mnist, read_idx
from mtjlab.errors import InputError

COUNTS = {"train": 6, "t10k": 4}
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "mnist"


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def fake_files() -> dict[str, bytes]:
    """Four files in the set's form, few pictures each."""
    rng = np.random.default_rng(0)
    found = {}
    for part, count in COUNTS.items():
        found[f"{part}-images-idx3-ubyte"] = idx(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        found[f"{part}-labels-idx1-ubyte"] = idx((np.arange(count) % 10).astype(np.uint8))
    return found


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """A small set whose checksums are those asked for; no set anywhere else."""
    made = fake_files()
    monkeypatch.setattr(images, "_FILES", {name: hashlib.sha256(content).hexdigest() for name, content in made.items()})
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    for name in ("LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return made


def put(folder: Path, files: dict[str, bytes], *, packed: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return folder


def assert_is_small_set(data: ImageData, files: dict[str, bytes]) -> None:
    assert data.train_features.shape == (6, 784) and data.test_features.shape == (4, 784)
    raw = np.frombuffer(files["t10k-images-idx3-ubyte"], dtype=np.uint8, offset=16).reshape(4, 784)
    np.testing.assert_allclose(data.test_features, raw / 255, rtol=1e-6)
    assert data.test_labels.tolist() == [0, 1, 2, 3] and data.test_labels.dtype == np.int64
    assert (data.side, data.inputs) == (28, 784)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inner", ["", "mnist"])
def test_a_folder_or_its_parent_compressed_or_not(
    files: dict[str, bytes], tmp_path: Path, packed: bool, inner: str
) -> None:
    put(tmp_path / "data" / inner, files, packed=packed)
    assert_is_small_set(load_mnist(tmp_path / "data"), files)


def test_the_environment_names_the_folder(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "data" / "mnist", files, packed=True)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    assert_is_small_set(load_mnist(), files)


def test_a_changed_byte_is_found(files: dict[str, bytes], tmp_path: Path) -> None:
    name = "train-images-idx3-ubyte"
    changed = bytearray(files[name])
    changed[100] ^= 1
    put(tmp_path, {**files, name: bytes(changed)}, packed=True)
    with pytest.raises(InputError, match="checksum differs") as error:
        load_mnist(tmp_path)
    assert name in str(error.value)


def test_a_lacking_file_is_named(files: dict[str, bytes], tmp_path: Path) -> None:
    lacking = dict(list(files.items())[:-1])
    put(tmp_path, lacking, packed=True)
    with pytest.raises(InputError, match="no t10k-labels-idx1-ubyte") as error:
        load_mnist(tmp_path)
    assert DATA_VARIABLE in str(error.value) and str(tmp_path) in str(error.value)
    assert "train-images" not in str(error.value)


def test_a_folder_that_is_not_there_and_none_at_all(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train-images-idx3-ubyte and no train-labels"):
        load_mnist(tmp_path / "nowhere")
    with pytest.raises(InputError, match="MNIST is not at hand") as error:
        load_mnist()
    assert f"{DATA_VARIABLE} is not set" in str(error.value) and "allow the download" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01" + bytes(4), "not an IDX file of bytes"),
        (b"\0\0\x08\x09" + bytes(40), "not an IDX file"),
        (b"P5 28 28 255 ", "not an IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01\0\0", "ends within its header"),
        (idx(np.zeros((2, 3), dtype=np.uint8))[:-1], r"5 bytes for an array of \(2, 3\)"),
        (idx(np.zeros((2, 3), dtype=np.uint8)) + b"x", r"7 bytes for an array of \(2, 3\)"),
        (b"\0\0\x08\x02" + 8 * b"\xff", "0 bytes for an array of"),
        (b"\0\0\x08\x04" + 4 * b"\0\1\0\0", "0 bytes for an array of"),  # 2**64 bytes
    ],
)
def test_foreign_and_truncated_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_a_compressed_file_that_ends_early_or_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(np.random.default_rng(0).bytes(5000))
    for content in (packed[:-2000], b"\x1f\x8bnothing", b"plain text"):
        (tmp_path / "a.gz").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            read_idx(tmp_path / "a.gz")
    monkeypatch.setattr(images, "_MOST_BYTES", 1 << 20)
    (tmp_path / "b.gz").write_bytes(gzip.compress(bytes((1 << 20) + 1)))
    with pytest.raises(InputError, match="more than 1 MB"):
        read_idx(tmp_path / "b.gz")


@pytest.fixture
def mirror(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, bytes], list[str]]]:
    """A server on the loopback with the set, its registry, and the paths that it was asked for."""
    offered = {f"/{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = offered.get(self.path)
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    digests = {path[1:-3]: hashlib.sha256(content).hexdigest() for path, content in offered.items()}
    monkeypatch.setattr(images, "_PACKED", digests)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(images, "MIRROR", f"http://127.0.0.1:{server.server_port}/")
        yield offered, asked
        server.shutdown()
        thread.join()


def test_a_download_is_checked_kept_and_not_repeated(
    mirror: tuple[dict[str, bytes], list[str]], files: dict[str, bytes], tmp_path: Path
) -> None:
    offered, asked = mirror
    assert_is_small_set(load_mnist(may_download=True), files)
    assert sorted(asked) == sorted(offered)
    assert_is_small_set(load_mnist(may_download=True), files)
    assert_is_small_set(load_mnist(), files)
    assert len(asked) == 4 and (tmp_path / "cache" / "mtjlab" / "mnist").is_dir()


def test_a_download_with_another_checksum_is_not_kept(mirror: tuple[dict[str, bytes], list[str]]) -> None:
    offered, _ = mirror
    name = "/t10k-images-idx3-ubyte.gz"
    offered[name] = gzip.compress(b"something else")
    with pytest.raises(InputError, match="could not be fetched") as error:
        load_mnist(may_download=True)
    assert "hash" in str(error.value) and "127.0.0.1" in str(error.value)
    with pytest.raises(InputError, match="not at hand"):
        load_mnist()


def test_a_mirror_that_lacks_a_file_is_a_clear_fault(mirror: tuple[dict[str, bytes], list[str]]) -> None:
    offered, _ = mirror
    offered.clear()
    with pytest.raises(InputError, match=r"could not be fetched \(404"):
        load_mnist(may_download=True)


def test_without_pooch_it_says_what_to_install(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(InputError, match=r"pooch is not installed.*\[data\]"):
        load_mnist(may_download=True)


def test_shrinking_averages_two_by_two_in_the_middle() -> None:
    pictures = np.arange(2 * 64, dtype=np.float32).reshape(2, 64)
    labels = np.zeros(2, dtype=np.int64)
    data = ImageData("ramp", pictures, labels, pictures[:1], labels[:1], 8)
    whole, middle = data.shrunk(4), data.shrunk(2)
    assert (whole.side, whole.inputs, middle.inputs) == (4, 16, 4)
    by_hand = [pictures[1].reshape(8, 8)[r : r + 2, c : c + 2].mean() for r in (2, 4) for c in (2, 4)]
    np.testing.assert_allclose(middle.train_features[1], by_hand)
    np.testing.assert_allclose(whole.test_features[0, 0], (0 + 1 + 8 + 9) / 4)
    for side in (0, 5):
        with pytest.raises(InputError, match=f"cannot be shrunk to {side} x {side}"):
            data.shrunk(side)
    assert [len(part) for part in (data.first(1, 1).train_features, data.first(1, 1).test_labels)] == [1, 1]


def test_digits_need_nothing_and_are_split_by_the_seed() -> None:
    data, same, other = load_digits(), load_digits(0), load_digits(1)
    assert data.train_features.shape == (1437, 64) and data.test_features.shape == (360, 64)
    assert data.train_features.min() == 0.0 and data.train_features.max() == 1.0
    assert np.bincount(data.test_labels, minlength=10).min() > 30
    np.testing.assert_array_equal(data.test_features, same.test_features)
    assert not np.array_equal(data.test_labels, other.test_labels)


def _real() -> Path | None:
    if (REAL / "t10k-images-idx3-ubyte.gz").is_file():
        return REAL
    try:
        load_mnist()
    except InputError:
        return None
    return Path()


def test_the_real_set_has_the_published_checksums() -> None:
    folder = _real()
    if folder is None:
        pytest.skip(f"MNIST is neither in {DATA_VARIABLE} nor in a cache; it is not fetched in tests")
    data = load_mnist(folder if folder.name else None)
    assert data.train_features.shape == (60000, 784) and data.test_features.shape == (10000, 784)
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert float(data.train_features.mean()) == pytest.approx(0.1307, abs=1e-4)  # as commonly quoted
