"""YAML files that people write, read safely into checked models; every error names file, line, key and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .errors import InputError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)
_PLAINER = {
    "tuple_type": "Must be a list with brackets, as [1, 2]",
    "model_attributes_type": "Must hold keys and values, each on a line of its own",
    "model_type": "Must hold keys and values, each on a line of its own",
    "dict_type": "Must hold keys and values, each on a line of its own",
}
"""What is said of a wrong kind of value where pydantic's own words are Python's."""


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
    except RecursionError as error:
        raise InputError("is nested too deeply", where=f"{path}, line 1", remedy="Close the brackets") from error
    if not isinstance(content, dict):
        where, remedy = f"{path}, line 1", "Start from the packaged example"
        raise InputError("must hold keys and values", where=where, remedy=remedy)
    return content


def load_model(path: Path, model: type[M]) -> M:
    """Read a YAML file into `model`; raises InputError for the first thing that does not fit."""
    return check_model(load_yaml(path), model, path)


def check_model(content: Any, model: type[M], path: Path) -> M:
    """Check parsed YAML against `model`; raises InputError naming file, line, key and remedy."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise explained(error, content, model, path)[0] from error


def explained(error: ValidationError, content: Any, model: type[BaseModel], path: Path) -> list[InputError]:
    """Everything that did not fit, each with file, line, key and remedy; misspelt keys come first."""
    # a misspelt key shows up twice, as unknown and as missing: the unknown one says what was meant
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    return [_explain(one, content, model, path) for one in found]


def refusal(what: str, loc: Sequence[int | str], content: Any, path: Path, remedy: str) -> InputError:
    """What is wrong at a place (keys and positions from the top) of a file that has been parsed."""
    return InputError(what, where=f"{path}, line {_line_of(content, loc)}", remedy=remedy)


def nearest(word: object, known: Iterable[object]) -> str:
    """A remedy for a word that is not one of these: the nearest one if any is near, and all of them."""
    words = [str(each) for each in known]
    guess = difflib.get_close_matches(str(word), words, n=1)
    listed = f"There are {', '.join(words)}" if words else "There are none"
    return f"Did you mean '{guess[0]}'? {listed}" if guess else listed


def _explain(found: ErrorDetails, content: Any, model: type[BaseModel], path: Path) -> InputError:
    kind, context = found["type"], found.get("ctx", {})
    loc = _in_file(found["loc"], content) + ([str(context["key"])] if "key" in context else [])
    key = ".".join(str(part) for part in loc) or "the file"
    if kind == "extra_forbidden":
        guess = difflib.get_close_matches(str(loc[-1]), _known_keys(model, found["loc"][:-1]), n=1)
        return refusal(
            f"unknown key '{key}'", loc, content, path, f"Did you mean '{guess[0]}'?" if guess else "Remove it"
        )
    if kind == "missing":
        return refusal(f"key '{key}' is missing", loc, content, path, "Add it")
    if kind in ("literal_error", "enum", "union_tag_invalid", "union_tag_not_found"):
        return _no_such_word(found, loc, content, path)
    text = _PLAINER.get(kind) or found["msg"].removeprefix("Value error, ")
    if not loc:  # a check of the whole file: its message names the key itself
        return refusal(text, _named_in(text), content, path, "Correct the file")
    remedy = str(context.get("remedy", "Correct the value"))
    return refusal(f"key '{key}': {text[:1].lower()}{text[1:]}", loc, content, path, remedy)


def _no_such_word(found: ErrorDetails, loc: list[int | str], content: Any, path: Path) -> InputError:
    """A value that is none of a few words, or an entry of a list whose kind is none of them or is not said."""
    context = found.get("ctx", {})
    allowed = str(context.get("expected_tags") or context.get("expected") or "")
    words = re.findall(r"'([^']*)'", allowed) or [allowed]
    tag = str(context.get("discriminator", "")).strip("'")
    if found["type"] == "union_tag_not_found":
        return refusal(f"key '{'.'.join(map(str, loc))}' does not say '{tag}'", loc, content, path, f"Add '{tag}: ...'")
    if tag:
        loc = [*loc, tag]
    word = context.get("tag", found["input"])
    return refusal(f"key '{'.'.join(map(str, loc))}': '{word}' is not known", loc, content, path, nearest(word, words))


def _in_file(loc: Sequence[int | str], content: Any) -> list[int | str]:
    """A place without the words that only say which kind of entry it is in."""
    kept, node = [], content
    for part in loc:
        if isinstance(node, dict) and part not in node and part in node.values():
            continue
        if isinstance(node, int | str) or (isinstance(node, list) and isinstance(part, str)):
            continue
        kept.append(part)
        node = _inside(node, part)
    return kept


def _inside(node: Any, part: int | str) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None


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
    """Keys that an entry at this place may have."""
    here: list[Any] = [model]
    for part in loc:
        here = [each for known in here for each in _annotations_at(known, part)]
    return [name for each in here if _is_model(each) for name in each.model_fields]


def _annotations_at(known: Any, part: int | str) -> list[Any]:
    """What may stand one step further down, unions and containers taken apart."""
    if not _is_model(known):
        return []
    info = known.model_fields.get(str(part))
    if info is not None:
        return _models_in(info.annotation)
    is_tagged = any(part in get_args(field.annotation) for field in known.model_fields.values())
    return [known] if isinstance(part, int) or is_tagged else []


def _models_in(annotation: Any) -> list[Any]:
    if _is_model(annotation):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
