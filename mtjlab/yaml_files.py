"""YAML files that people write, read safely into checked models; every error names file, line, key and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .errors import InputError

M = TypeVar("M", bound=BaseModel)


def load_yaml(path: Path) -> Any:
    """Parse one YAML file (safe subset, YAML 1.2, positions kept); raises InputError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path), remedy="Check the path") from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where=str(path), remedy="Save it as UTF-8") from error
    try:
        content = YAML(typ="rt", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"is not valid YAML: {problem}", where=where, remedy="Correct the line") from error
    if not isinstance(content, dict):
        raise InputError("must hold keys and values", where=str(path), remedy="Start from the packaged example")
    return content


def load_model(path: Path, model: type[M]) -> M:
    """Read a YAML file into `model`; raises InputError for the first thing that does not fit."""
    return check_model(load_yaml(path), model, path)


def check_model(content: Any, model: type[M], path: Path) -> M:
    """Check parsed YAML against `model`; raises InputError naming file, line, key and remedy."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # a misspelt key shows up twice, as unknown and as missing: the unknown one says what was meant
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        raise _explain(first["type"], first["msg"], first["loc"], content, model, path) from error


def _explain(
    kind: str, message: str, loc: Sequence[int | str], content: Any, model: type[BaseModel], path: Path
) -> InputError:
    key = ".".join(str(part) for part in loc) or "the file"
    where = f"{path}, line {_line_of(content, loc)}"
    if kind == "extra_forbidden":
        guess = difflib.get_close_matches(str(loc[-1]), _known_keys(model, loc[:-1]), n=1)
        remedy = f"Did you mean '{guess[0]}'?" if guess else "Remove it"
        return InputError(f"unknown key '{key}'", where=where, remedy=remedy)
    if kind == "missing":
        return InputError(f"key '{key}' is missing", where=where, remedy="Add it")
    text = message.removeprefix("Value error, ")
    if not loc:  # a check of the whole file: its message names the key itself
        return InputError(text, where=f"{path}, line {_line_of(content, _named_in(text))}", remedy="Correct the file")
    return InputError(f"key '{key}': {text[:1].lower()}{text[1:]}", where=where, remedy="Correct the value")


def _named_in(text: str) -> list[int | str]:
    """The last key that a message names as `key[position]`, as a location."""
    named = re.findall(r"(\w+)\[(\d+)\]", text)
    return [named[-1][0], int(named[-1][1])] if named else []


def _line_of(content: Any, loc: Sequence[int | str]) -> int:
    line, node = 1, content
    for part in loc:
        try:
            position = node.lc.data[part][0]
            node = node[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        line = position + 1
    return line


def _known_keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    names = list(model.model_fields)
    for part in loc:
        info = model.model_fields.get(str(part))
        inner = info.annotation if info else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model, names = inner, list(inner.model_fields)
    return names
