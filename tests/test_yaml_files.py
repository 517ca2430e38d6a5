"""YAML that people write: every fault names file, line, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from mtjlab.errors import InputError
from mtjlab.yaml_files import check_model, load_model, load_yaml


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    volts: float = Field(gt=0)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: Inner
    numbers: list[int] = []


GOOD = "name: bench\ninner:\n  volts: 0.5\nnumbers: [1, 2, 3]\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault(folder: Path, text: str | bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        load_model(write(folder, text), Outer)
    return caught.value


def test_a_good_file(tmp_path: Path) -> None:
    model = load_model(write(tmp_path, GOOD), Outer)
    assert model == Outer(name="bench", inner=Inner(volts=0.5), numbers=[1, 2, 3])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ("a: 1\nb: 'open\n", 3),
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a: 1\nb: *nobody\n", 2),
    ],
    ids=["bracket", "tab", "quote", "duplicate key", "unknown alias"],
)
def test_malformed_yaml_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match="is not valid YAML") as caught:
        load_yaml(path)
    assert caught.value.where == f"{path}, line {line}"
    assert caught.value.remedy


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = write(tmp_path, "name: M\xfcller\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8") as caught:
        load_yaml(path)
    assert caught.value.where == str(path)
    assert "UTF-8" in caught.value.remedy


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(InputError, match="cannot be read") as caught:
            load_yaml(path)
        assert caught.value.where == str(path)


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "just text\n", "# only a comment\n"])
def test_a_file_without_keys(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="must hold keys and values"):
        load_yaml(write(tmp_path, text))


def test_control_characters_are_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not valid YAML"):
        load_yaml(write(tmp_path, b"name: \x00\x01\n"))


def test_an_object_tag_makes_no_object(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    assert "name" in fault(tmp_path, GOOD.replace("bench", f"!!python/object/apply:os.mkdir ['{trap}']")).what
    assert not trap.exists()


def test_a_misspelt_key_is_suggested(tmp_path: Path) -> None:
    error = fault(tmp_path, GOOD.replace("volts:", "voltz:"))
    assert error.what == "unknown key 'inner.voltz'"
    assert error.where.endswith("file.yaml, line 3")
    assert error.remedy == "Did you mean 'volts'?"


def test_a_key_like_no_other_is_to_be_removed(tmp_path: Path) -> None:
    error = fault(tmp_path, GOOD + "zzz: 1\n")
    assert error.what == "unknown key 'zzz'"
    assert error.where.endswith("line 5")
    assert error.remedy == "Remove it"


def test_a_missing_key_names_the_line_of_what_lacks_it(tmp_path: Path) -> None:
    error = fault(tmp_path, "name: x\ninner: {}\n")
    assert error.what == "key 'inner.volts' is missing"
    assert error.where.endswith("line 2")
    assert error.remedy


@pytest.mark.parametrize(
    ("old", "new", "key", "line"),
    [
        ("volts: 0.5", "volts: -1", "inner.volts", 3),
        ("volts: 0.5", "volts: high", "inner.volts", 3),
        ("[1, 2, 3]", "[1, two, 3]", "numbers.1", 4),
        ("[1, 2, 3]", "\n  - 1\n  - 2\n  - x", "numbers.2", 7),
        ("bench", "[1]", "name", 1),
    ],
)
def test_a_wrong_value_names_line_and_key(tmp_path: Path, old: str, new: str, key: str, line: int) -> None:
    error = fault(tmp_path, GOOD.replace(old, new))
    assert f"'{key}'" in error.what
    assert error.where.endswith(f"line {line}")
    assert error.remedy


def test_content_without_positions_is_checked_too() -> None:
    with pytest.raises(InputError, match="key 'inner' is missing"):
        check_model({"name": "x"}, Outer, Path("somewhere"))
