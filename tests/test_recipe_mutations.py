"""Wrong recipes, made of the ready ones by rule: each is refused before anything moves, by line and with a remedy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mtjlab import cli_recipe_run, cli_run
from mtjlab.cli_recipe import packaged_recipes
from mtjlab.cli_run import run_loaded
from mtjlab.errors import InputError
from mtjlab.recipe import load_recipe

KEY = re.compile(r"(?<![\w'\"])([a-z_]{3,})(: )")
QUANTITY = re.compile(r"(-?\d+(?:\.\d+)?) (mV|V|ms|uS|mm|um|%)(?=[\s,\]}]|$)")
WORDS = (
    "passive15",
    "probed15",
    "thorough",
    "quick",
    "loop",
    "bias",
    "read_disturb",
    "wine",
    "mnist",
    "rows_serpentine",
    "csv",
    "stdf",
)
OTHER_KIND = {"mV": "s", "V": "ohm", "ms": "V", "uS": "uA", "mm": "K", "um": "nS", "%": "V"}
WRONG_CASE = {"mV": "mv", "V": "v", "ms": "mS", "uS": "us", "mm": "MM", "um": "UM"}


class Wrong(NamedTuple):
    """A wrong recipe.

    Attributes:
        what: what was done to which line of which recipe.
        text: the recipe.
        lines: in one of which the fault is to be found.
        hint: that the remedy, or the message, must hold.
    """

    what: str
    text: str
    lines: range
    hint: str


def misspelt(word: str) -> str:
    return word[:1] + word[2:] if len(word) < 5 else word[:2] + word[3:]


def code(line: str) -> str:
    return line.split("#")[0].rstrip()


def mutations(name: str, text: str) -> Iterator[Wrong]:
    lines = text.splitlines()

    def with_line(number: int, new: str, how: str, hint: str, reach: int = 1) -> Wrong:
        changed = [*lines[:number], *([new] if new else []), *lines[number + 1 :]]
        return Wrong(
            f"{name}, line {number + 1}: {how}", "\n".join(changed) + "\n", range(number + 1, number + 1 + reach), hint
        )

    for number, line in enumerate(lines):
        bare = code(line)
        for found in KEY.finditer(bare):
            key = found[1]
            hint = "step" if key == "step" else f"'{key}'"
            wrong = bare[: found.start(1)] + misspelt(key) + bare[found.end(1) :]
            yield with_line(number, wrong, f"{key} misspelt", hint)
        for found in QUANTITY.finditer(bare):
            number_, unit = found[1], found[2]
            head, tail = bare[: found.start()], bare[found.end() :]
            if unit != "%":
                yield with_line(number, f"{head}{number_}{tail}", f"{found[0]} without unit", "Add its unit")
                yield with_line(
                    number, f"{head}{number_} {WRONG_CASE[unit]}{tail}", f"{found[0]} in wrong case", unit[-1]
                )
            yield with_line(number, f"{head}{number_} {OTHER_KIND[unit]}{tail}", f"{found[0]} of another kind", unit)
            yield with_line(number, f"{head}{number_}_5 {unit}{tail}", f"{found[0]} garbled", "Write")
            if re.search(r"volts\w*: $", head):
                high = f"{head}{1000 * float(number_):g} {unit}{tail}"
                yield with_line(number, high, f"{found[0]} a thousandfold", "volts")
        for word in WORDS:
            if re.search(rf"(?<![\w-]){word}(?![\w-])", bare):
                yield with_line(
                    number, re.sub(rf"(?<![\w-]){word}(?![\w-])", misspelt(word), bare), f"{word} misspelt", word
                )
        if "step: " in bare:
            kind = bare.split("step: ")[1]
            yield with_line(number, bare.replace(kind, misspelt(kind)), f"{kind} misspelt", kind)
            yield with_line(number, bare.replace(kind, "fly"), "a step that does not exist", "contact")
        if bare.strip().startswith("- {test: "):
            yield from wrong_tests(number, bare, with_line)
    yield from wrong_yaml(lines, with_line)


def wrong_tests(number: int, bare: str, with_line) -> Iterator[Wrong]:  # type: ignore[no-untyped-def]
    test = re.search(r"test: ([\w.]+)", bare)
    assert test
    yield with_line(number, bare.replace(test[1], f"{test[1]}s"), f"{test[1]} misspelt", test[1])
    yield with_line(number, re.sub(r"hard: \d+", "hard: 1", bare), "the bin of good dies", "another number")
    yield with_line(number, re.sub(r"hard: \d+", "hard: -1", bare), "a bin below zero", "orrect")
    yield with_line(number, re.sub(r"(least|most): [^,]+, ", "", bare), "no bound", "'least: ...' or 'most: ...'")
    if "least" in bare and "most" in bare:
        yield with_line(
            number, bare.replace("least", "x").replace("most", "least").replace("x:", "most:"), "crossed", "xchange"
        )


def wrong_yaml(lines: list[str], with_line) -> Iterator[Wrong]:  # type: ignore[no-untyped-def]
    for number, line in enumerate(lines):
        bare = code(line)
        if re.fullmatch(r"[a-z]+: .+", bare):
            yield with_line(number, f"{bare}\n{bare}", "said twice", "orrect the line", 2)
            yield with_line(number, bare.replace(": ", ": [", 1), "an open bracket", "orrect", 3)
        if bare in ("steps:", "bins:"):
            yield with_line(number, f"{bare} none", "not what is wanted", "Correct the line", 2)
    yield with_line(1, "", "without its name", "Add it", 0)._replace(lines=range(1, 2))


def all_mutations() -> list[Wrong]:
    """Every other one of all that the rules make: half of the time, and still every rule on every recipe."""
    found = (mutations(name, path.read_text(encoding="utf-8")) for name, path in packaged_recipes().items())
    return [wrong for one in found for wrong in one][::2]


def test_there_are_enough_of_them() -> None:
    found = all_mutations()
    assert len({wrong.text for wrong in found}) >= 200


def test_each_is_refused_before_anything_moves_with_line_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(*_: object, **__: object) -> None:
        raise AssertionError("a bench was opened")

    monkeypatch.setattr(cli_recipe_run, "opened_bench", moved)
    monkeypatch.setattr(cli_run, "_reproduce", moved)
    monkeypatch.setattr(cli_run, "_run_wafer", moved)
    path, out = tmp_path / "wrong.yaml", tmp_path / "out"
    bad = []
    for wrong in all_mutations():
        path.write_text(wrong.text, encoding="utf-8")
        message = refusal(path, out)
        where = re.match(r".*wrong\.yaml, line (\d+): ", message)
        if where is None or int(where[1]) not in wrong.lines or wrong.hint not in message or out.exists():
            bad.append(f"{wrong.what} (lines {wrong.lines}, hint {wrong.hint!r}): {message}")
    assert not bad, "\n".join([*bad[:40], f"{len(bad)} in all"])


def refusal(path: Path, out: Path) -> str:
    try:
        run_loaded(load_recipe(path), dry=False, out=out, as_json=True, command="test")
    except InputError as error:
        return str(error) if error.remedy else f"no remedy: {error}"
    except AssertionError:
        shutil.rmtree(out, ignore_errors=True)
    return "not refused"
