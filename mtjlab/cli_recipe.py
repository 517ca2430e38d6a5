"""`mtjlab recipe`: list and copy the ready recipes, check one, release one, print the schema. May import all parts."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from .errors import InputError

_NAME_WIDTH = 24

recipe = typer.Typer(help="Recipes: ready ones, checks, releases, the schema for editors.", no_args_is_help=True)


def recipe_names(incomplete: str) -> list[str]:
    """Packaged recipes, and YAML files here, that begin so: for the shell's completion."""
    here = (str(path) for path in sorted(Path().glob("*.yaml")))
    return [name for name in (*packaged_recipes(), *here) if name.startswith(incomplete)]


RecipeFile = Annotated[
    str, typer.Argument(help="Recipe file, or the name of a packaged one.", autocompletion=recipe_names)
]


@recipe.command("list")
def list_recipes(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """The recipes that come with mtjlab, and what each is for."""
    found = {path.stem: _purpose(path) for path in packaged_recipes().values()}
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, purpose in found.items():
        typer.echo(beside(name, purpose))


@recipe.command()
def copy(
    name: Annotated[
        str, typer.Argument(help="Which one, as 'mtjlab recipe list' has it.", autocompletion=recipe_names)
    ],
    target: Annotated[Path | None, typer.Argument(help="New file. [default: NAME.yaml here]")] = None,
) -> None:
    """Copy a ready recipe, to be changed."""
    source = _packaged(name)
    path = target or Path(source.name)
    if path.exists():
        raise InputError("is there already", where=str(path), remedy="Give another name for the copy")
    try:
        path.write_bytes(source.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(path), remedy="Check the folder") from error
    typer.echo(f"written: {path}")


@recipe.command()
def check(
    file: RecipeFile, as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False
) -> None:
    """Say what does not fit in a recipe, by line; opens nothing.

    Exit status 2 if there is anything.
    """
    from .cli_open_bench import problems_with

    path = recipe_path(file)
    problems = problems_with(path)
    if as_json:
        told = [{"where": one.where, "what": one.what, "remedy": one.remedy} for one in problems]
        typer.echo(json.dumps({"recipe": str(path), "is_good": not problems, "problems": told}))
    else:
        for problem in problems:
            typer.echo(str(problem))
        if not problems:
            typer.echo(f"{path}: nothing is wrong")
    raise typer.Exit(2 if problems else 0)


@recipe.command()
def lock(
    file: Annotated[Path, typer.Argument(help="Recipe file.")],
    by: Annotated[str, typer.Option(help="Who releases it. [default: the user of this computer]")] = "",
    again: Annotated[bool, typer.Option("--again", help="Release it anew after a change.")] = False,
) -> None:
    """Release a recipe: once changed, it is refused.

    So it is if a file that it names has changed.
    """
    from .cli_open_bench import checked
    from .recipe import load_recipe
    from .recipe_lock import lock_path, lock_recipe

    loaded = load_recipe(file)
    files, _ = checked(loaded)
    released = lock_recipe(loaded, (files.named() if files else {}) | loaded.step_files(), by=by, again=again)
    typer.echo(f"released as revision {released.revision} by {released.released_by}: {lock_path(file)}")


@recipe.command()
def schema(out: Annotated[Path | None, typer.Option(help="Write it into this file.")] = None) -> None:
    """Print the JSON Schema of recipes, for editors."""
    from .recipe import recipe_schema

    text = json.dumps(recipe_schema(), indent=1)
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(out), remedy="Check the folder") from error


def beside(name: str, words: str) -> str:
    """A name and what is said of it, which in a terminal keeps to its own column; elsewhere one line."""
    if not sys.stdout.isatty():
        return f"{name:<{_NAME_WIDTH}} {words}"
    width = max(40, shutil.get_terminal_size().columns)
    indent = " " * (_NAME_WIDTH + 1)
    return textwrap.fill(words, width, initial_indent=f"{name:<{_NAME_WIDTH}} ", subsequent_indent=indent)


def recipe_path(name: str) -> Path:
    """The file that is meant: a path, or the name of a packaged recipe."""
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or path.name != name:
        raise InputError("there is no such file", where=name, remedy="Check the path")
    return _packaged(name)


def packaged_recipes() -> dict[str, Path]:
    """The ready recipes by name."""
    folder = Path(__file__).with_name("recipes")
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _packaged(name: str) -> Path:
    from .yaml_files import nearest

    known = packaged_recipes()
    if name not in known:
        raise InputError(f"there is no packaged recipe '{name}'", remedy=nearest(name, known))
    return known[name]


def _purpose(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
