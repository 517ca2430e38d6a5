"""Recipes: the ready ones fit their benches, the digest is of what would be done, a release is guarded."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mtjlab.cli_open_bench import checked, problems_with
from mtjlab.cli_recipe import packaged_recipes
from mtjlab.engine.training import TrainingSettings
from mtjlab.errors import InputError
from mtjlab.protocols.characterize_cell import Drive
from mtjlab.protocols.classify_reads import ClassifySettings
from mtjlab.protocols.readout_settings import SCHEME_NAMES, ReadSettings
from mtjlab.protocols.run_perceptron import RunSettings
from mtjlab.protocols.write_lines import WriteScheme as Schemes
from mtjlab.protocols.write_settings import WriteSettings
from mtjlab.recipe import Recipe, load_recipe, recipe_schema
from mtjlab.recipe_lock import lock_path, lock_recipe, require_unchanged
from mtjlab.recipe_steps import KINDS, AnyStep, Scheme, Step, WriteScheme

READ = "recipe: r\nbench: {simulated: passive15}\nsteps:\n  - step: read\n    read_volts: 100 mV\n"


def step(**said: object) -> Step:
    made: Step = TypeAdapter(AnyStep).validate_python(said)
    return made


def write(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def fault(folder: Path, text: str) -> str:
    problems = problems_with(write(folder, text))
    assert problems, "nothing is wrong with it"
    return str(problems[0])


@pytest.mark.parametrize("name", sorted(packaged_recipes()))
def test_a_ready_recipe_fits_its_bench_and_says_what_it_is_for(name: str) -> None:
    path = packaged_recipes()[name]
    assert problems_with(path) == []
    assert path.read_text(encoding="utf-8").startswith("# ")
    checked(load_recipe(path))


def test_every_kind_of_step_has_one_word_and_the_schema_knows_it() -> None:
    schema = json.dumps(recipe_schema())
    for word, kind in KINDS.items():
        assert kind.model_fields["step"].annotation.__args__ == (word,)
        assert f'"const": "{word}"' in schema
        assert isinstance(kind.tests, dict)


def test_the_schema_holds_for_what_is_right_and_not_for_what_is_wrong() -> None:
    import jsonschema
    from ruamel.yaml import YAML

    schema = recipe_schema()
    for path in packaged_recipes().values():
        jsonschema.validate(YAML(typ="safe").load(path), schema)
    for old, new in (("100 mV", "100"), ("step: read", "step: fly"), ("recipe: r", "recip: r"), ("100 mV", "0.1, V")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(YAML(typ="safe").load(READ.replace(old, new)), schema)


def test_defaults_are_those_of_the_protocols() -> None:
    pulses = {field.name: field.default for field in fields(WriteSettings)}
    for kind in ("write", "classify", "infer"):
        assert (
            step(step=kind).model_dump().items()
            >= {
                name: pulses[name] for name in ("set_volts", "reset_volts", "step_volts", "most_volts", "pulse_seconds")
            }.items()
        )
    written = step(step="write").model_dump()
    assert all(written[name] == pulses[name] for name in ("passes", "scheme", "by_row", "searched_cells"))
    reads = {field.name: field.default for field in fields(ReadSettings)}
    read = step(step="read").model_dump()
    assert all(read[name] == reads[name] for name in read if name in reads)
    assert (step(step="classify").model_dump()["repeats"], step(step="classify").model_dump()["exposures"]) == (
        ClassifySettings().repeats,
        ClassifySettings().exposures,
    )
    training = TrainingSettings()
    assert (step(step="train").model_dump()["solutions"], step(step="train").model_dump()["epochs"]) == (
        training.solutions,
        training.epochs,
    )
    precision = RunSettings().precision
    infer = step(step="infer").model_dump()
    assert (infer["input_bits"], infer["hidden_bits"]) == (precision.input_bits, precision.hidden_bits)
    deep, drive = step(step="characterize").model_dump(), Drive()
    assert (deep["set_volts"], deep["reset_volts"]) == (drive.set_pulse.volts, drive.reset_pulse.volts)


def test_the_words_for_schemes_are_those_of_the_protocols() -> None:
    assert set(Scheme.__args__) == set(SCHEME_NAMES.values())
    assert set(WriteScheme.__args__) == {scheme.value for scheme in Schemes}


def test_the_digest_is_of_what_would_be_done(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return load_recipe(write(tmp_path, text)).recipe.digest()

    same = READ.replace("100 mV", "0.1 V").replace("recipe: r", "# a comment\nrecipe:   r")
    assert digest(same) == digest(READ)
    assert digest(READ + "    readings: 2\n") == digest(READ), "a default that is said"
    assert digest(READ.replace("100 mV", "101 mV")) != digest(READ)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (READ.replace("bench: {simulated: passive15}\n", ""), "line 1: key 'bench' is missing. Add"),
        (READ.replace("passive15", "pasive15"), "line 2: key 'bench.simulated': 'pasive15' is no packaged bench"),
        (READ.replace("simulated: passive15", "station: s.yaml, wiring: w.yaml"), "line 2: key 'bench.station'"),
        (READ.replace("simulated: passive15", "station: s.yaml"), "'station' needs 'wiring'"),
        (READ.replace("passive15", "passive15, station: s"), "give either 'simulated' or 'station'"),
        (READ.replace("100 mV", "0.2 V"), "line 5: key 'steps.0.read_volts': reading at 0.2 V is beyond"),
        (READ + "  - step: read\n", "line 6: steps 1 and 2 are both called 'read'"),
        (READ + "  - step: write\n", "line 6: step 'write' needs a map of both states"),
        (READ + "  - {step: write, map: none.npz}\n", "line 6: key 'steps.1.map': there is no file"),
        (READ + "  - step: classify\n  - step: infer\n", "line 7: step 'infer' needs a network"),
        (READ + "  - step: classify\n  - {step: write, pattern: chekerboard}\n", "Did you mean 'checkerboard'?"),
        (READ + "  - {step: characterize, cells: [[0, 15]]}\n", "line 6: key 'steps.1.cells.0': cell [0, 15]"),
        (READ + "  - {step: characterize, cells: 226}\n", "226 cells on an array of 15 x 15"),
        (READ + "  - step: characterize\n    measure: [bias]\n    bias_volts: [1 V, 0.1 V, 0.2 V]\n", "bias_volts.0"),
        (READ + "  - {step: reproduce, system: wine}\n", "'reproduce' needs a recipe of its own"),
        (READ + "device: {limits: {read_volts: 90 mV}}\n", "line 5: key 'steps.0.read_volts': reading at 0.1 V is"),
        (READ + "device: {limits: {read_volts: 0.2 V}}\n", "line 6: key 'device.limits.read_volts': 0.2 is wider"),
        (READ + "device: {type: other}\n", "line 6: the recipe is for 'other', but"),
        (READ + "exports: [stdf]\n", "a die cannot be exported as stdf, only a wafer. There are csv"),
        (READ + "bins: {tests: [{test: read.median, most: 1 S, hard: 2, soft: 2}]}\n", "no step gives 'read.median'"),
        (READ + "bins: {tests: [{test: read.median_siemens, most: 1 V, hard: 2, soft: 2}]}\n", "not a conductance"),
        (READ + "die: {x: 1}\nwafer: {name: W}\n", "for a die or for a wafer, not for both"),
        (READ + "wafer: {name: W, overtravel_metres: 80 um}\n", "beyond most_overtravel_metres"),
        (READ.replace("100 mV", "100 mV\n    readings: 100"), "most_readings of 64 is below readings of 100"),
    ],
)
def test_what_does_not_fit_together_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    message = fault(tmp_path, text)
    assert said in message
    assert message.startswith(f"{tmp_path / 'recipe.yaml'}, line ")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = READ.replace("100 mV", "100 s").replace("recipe: r", "recipe: r\nrevison: 2") + "exports: [cvs]\n"
    found = [str(problem) for problem in problems_with(write(tmp_path, text))]
    assert len(found) == 3
    assert {line.split(", line ")[1][0] for line in found} == {"2", "6", "7"}


def test_narrower_limits_hold_on_the_bench(tmp_path: Path) -> None:
    limits = "device: {limits: {pulses_per_cell: 7, amps: 5 mA}}\n"
    _, wiring = checked(load_recipe(write(tmp_path, READ + limits)))
    assert wiring is not None
    assert (wiring.device.limits.pulses_per_cell, wiring.device.limits.compliance_amps) == (7, 5e-3)
    assert wiring.device.limits.write_volts_positive == 0.9


def released(folder: Path) -> tuple[Path, dict[str, Path]]:
    path = write(folder, READ)
    files = {"wiring": write(folder, "limits: 1\n", "w.yaml")}
    lock_recipe(load_recipe(path), files, by="an engineer")
    return path, files


def test_a_released_recipe_runs_as_long_as_nothing_changes(tmp_path: Path) -> None:
    path, files = released(tmp_path)
    assert lock_path(path).is_file()
    lock = require_unchanged(load_recipe(path), files)
    assert lock is not None and lock.released_by == "an engineer"
    path.write_text(f"# only a comment\n{READ}", encoding="utf-8")
    files["wiring"].write_bytes(b"limits: 1\r\n")
    assert require_unchanged(load_recipe(path), files) == lock


def test_a_changed_recipe_or_wiring_is_refused_until_it_is_released_again(tmp_path: Path) -> None:
    path, files = released(tmp_path)
    path.write_text(READ.replace("100 mV", "120 mV"), encoding="utf-8")
    with pytest.raises(InputError, match=r"has changed since it was released as revision 1 by an engineer.*--again"):
        require_unchanged(load_recipe(path), files)
    with pytest.raises(InputError, match="is released already"):
        lock_recipe(load_recipe(path), files)
    lock_recipe(load_recipe(path), files, again=True)
    files["wiring"].write_text("limits: 2\n", encoding="utf-8")
    with pytest.raises(InputError, match="its wiring file has changed since"):
        require_unchanged(load_recipe(path), files)


def test_only_released_recipes_where_that_is_asked_for(tmp_path: Path) -> None:
    loaded = load_recipe(write(tmp_path, READ))
    assert require_unchanged(loaded, {}) is None
    with pytest.raises(InputError, match="is not released"):
        require_unchanged(loaded, {}, only_released=True)


def test_a_damaged_lock_is_no_release(tmp_path: Path) -> None:
    path, files = released(tmp_path)
    lock_path(path).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="is no lock of a recipe"):
        require_unchanged(load_recipe(path), files)


def test_a_recipe_is_a_value() -> None:
    one = Recipe.model_validate({"recipe": "r", "bench": {"simulated": "passive15"}, "steps": [{"step": "check"}]})
    assert one.needs_bench
    assert one.units == {"check.bad_instruments": "", "check.bad_lines": ""}
    assert not Recipe.model_validate({"recipe": "r", "steps": [{"step": "reproduce", "system": "wine"}]}).needs_bench
