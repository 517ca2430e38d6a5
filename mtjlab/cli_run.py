"""`mtjlab run`: a recipe from its first step to the bins, or, dry, what it would do. May import all parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_notify import NotifyTo
from .cli_recipe import recipe_names
from .cli_wafer_run import PATIENCE_SECONDS
from .errors import InputError

if TYPE_CHECKING:
    from .notify import Notifier
    from .recipe import LoadedRecipe

RELEASED_ONLY = "MTJLAB_RELEASED_ONLY"
"""Environment variable of an operator's computer: only released recipes run there."""

OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Run folder, new or empty. [default: runs/<recipe>-<time>]")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, how long it takes, and what would stop it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of a screen.")]


def run(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="Recipe file, or the name of a packaged one (mtjlab recipe list).", autocompletion=recipe_names
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a wafer run that ended early: go on at the die where it stopped.")
    ] = None,
    dry_run: DryRun = False,
    out: OutFolder = None,
    patience: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds that a wafer run's question waits for an answer, where nobody is at a terminal."
        ),
    ] = PATIENCE_SECONDS,
    operator: Annotated[
        str, typer.Option(help="Who probes the wafer. [default: the user of this computer]", show_default=False)
    ] = "",
    card: Annotated[str, typer.Option(help="Id of the probe card that the wafer is probed with.")] = "",
    processes: Annotated[
        int,
        typer.Option(
            min=1, help="Processes that measure dies of a wafer ahead of the prober, on a simulated bench; 1: none do."
        ),
    ] = 1,
    notify: NotifyTo = None,
    as_json: AsJson = False,
    released_only: Annotated[
        bool,
        typer.Option("--released-only", envvar=RELEASED_ONLY, help="Refuse a recipe that nobody has released."),
    ] = False,
) -> None:
    """Run a recipe: steps, limits, bins; everything is kept.

    Exit status: 0 good, 3 done but not good (or, dry, it would be stopped), 1 an instrument failed, 2 something in a
    file or option cannot be used, 130 stopped.
    """
    from .cli_recipe import recipe_path
    from .recipe import load_recipe

    if (recipe is None) == (resume is None):
        raise InputError("give either a recipe or --resume", remedy="mtjlab run RECIPE, or mtjlab run --resume FOLDER")
    if resume is not None:
        from .cli_recipe_wafer import recipe_of

        recipe = str(recipe_of(resume))
    loaded = load_recipe(recipe_path(str(recipe)))
    raise typer.Exit(
        run_loaded(
            loaded,
            dry=dry_run,
            out=out,
            as_json=as_json,
            command="mtjlab run",
            only_released=released_only,
            resume=resume,
            patience_seconds=patience,
            notify=notify,
            people={"operator": operator, "probe_card": card},
            processes=processes,
        )
    )


def run_loaded(
    loaded: LoadedRecipe,
    *,
    dry: bool,
    out: Path | None,
    as_json: bool,
    command: str,
    only_released: bool = False,
    resume: Path | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    notify: list[str] | None = None,
    people: dict[str, str] | None = None,
    processes: int = 1,
) -> int:
    """Check everything, then run or rehearse it; returns the exit status."""
    from .cli_notify import notifier_for
    from .cli_open_bench import checked
    from .recipe_lock import require_unchanged

    files, wiring = checked(loaded)
    known = {name: text for name, text in (people or {}).items() if text}
    if known and loaded.recipe.wafer is None:
        raise InputError("--operator and --card are for wafers", where=str(loaded.path), remedy="Leave them out")
    if processes > 1:
        from .cli_benches_ahead import require_benches_ahead

        require_benches_ahead(files, loaded.recipe.wafer is not None)
    named = (files.named() if files else {}) | loaded.step_files()
    lock = require_unchanged(loaded, named, only_released=only_released)
    if dry:
        return _dry(loaded, files, wiring, as_json)
    notifier = notifier_for(notify, files.station if files else None)
    if loaded.recipe.wafer is not None:
        run_on = (out or resume, resume is not None, patience_seconds)
        return _run_wafer(loaded, files, wiring, *run_on, as_json, notifier, known, processes)
    if not loaded.recipe.needs_bench and loaded.recipe.steps[0].step == "reproduce":
        return _reproduce(loaded, out, as_json, notifier)
    return _run(loaded, files, wiring, lock, out, as_json, command, notifier)


def _run(
    loaded: LoadedRecipe,
    files: Any,
    wiring: Any,
    lock: Any,
    out: Path | None,
    as_json: bool,
    command: str,
    notifier: Notifier,
) -> int:
    from .cli_notify import tell_ending, tell_problems
    from .cli_recipe_run import RecipeRun, folder_name, run_recipe
    from .screen import ProgressScreen
    from .store import RunFolder

    folder = RunFolder(out or folder_name(loaded.recipe.recipe))
    with folder:
        try:
            keep_recipe(loaded, folder.path / "recipe.yaml")
            with ProgressScreen() as screen:
                result, status = run_recipe(RecipeRun(loaded, files, wiring, lock, folder, command), screen)
        except InputError:
            folder.discard()
            raise
    tell_ending(notifier, result, folder.path)
    _show(result, folder.path, as_json)
    tell_problems(notifier)
    return status


def keep_recipe(loaded: LoadedRecipe, target: Path) -> None:
    """A copy of the recipe as written, or, of one that came from options, as put together."""
    if loaded.path.is_file():
        target.write_bytes(loaded.path.read_bytes())
        return
    from ruamel.yaml import YAML

    with target.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(loaded.content, file)


def _show(result: dict[str, Any], folder: Path, as_json: bool) -> None:
    from .cli_open_bench import left_safe
    from .cli_report import report_of_run

    report = report_of_run(folder)
    if as_json:
        typer.echo(json.dumps({**result, "folder": str(folder)}))
    else:
        from .screen_recipe import show_run

        show_run(result, str(report or folder))
    if result["status"] != "complete":
        typer.echo(f"mtjlab: {result['reason']}", err=True)
        for problem in result["problems"]:
            typer.echo(f"mtjlab: while switching off: {problem}", err=True)
        if result["outputs"]:
            typer.echo(f"mtjlab: {left_safe(result['outputs'], result['relays_open'])}", err=True)
        typer.echo(f"mtjlab: What was measured is in {folder}", err=True)


def _dry(loaded: LoadedRecipe, files: Any, wiring: Any, as_json: bool) -> int:
    from .cli_dry_run import announcement, dry_run
    from .cli_recipe_run import DONE, NOT_GOOD
    from .screen import ProgressScreen
    from .screen_recipe import show_plan

    if said := announcement(loaded):
        typer.echo(f"mtjlab: {said}", err=True)
    with ProgressScreen() as screen:
        plan = dry_run(loaded, files, wiring, screen)
    if as_json:
        typer.echo(json.dumps(plan))
    else:
        show_plan(plan)
    return NOT_GOOD if plan["would_stop"] else DONE


def _run_wafer(
    loaded: LoadedRecipe,
    files: Any,
    wiring: Any,
    folder: Path | None,
    is_resumed: bool,
    patience_seconds: float,
    as_json: bool,
    notifier: Notifier,
    known: dict[str, str],
    processes: int,
) -> int:
    """Every die of a wafer; a run that ended early is gone on with in its folder."""
    import time

    from .cli_notify import WaferNotices, tell_problems
    from .cli_recipe_run import folder_name
    from .cli_recipe_wafer import WaferRun, walk
    from .cli_terminal import typing_beside
    from .cli_wafer_run import Controls, finished, show, told_how_to_go_on
    from .interrupts import stop_on_signals
    from .screen import ProgressScreen

    began, folder = time.perf_counter(), folder or folder_name(loaded.recipe.recipe)
    notices = WaferNotices(notifier, "mtjlab run")
    with (
        notices.raised(),
        told_how_to_go_on(folder, "mtjlab run"),
        stop_on_signals(),
        ProgressScreen() as screen,
    ):
        controls = Controls(screen, patience_seconds, notices=notices)
        try:
            person = typing_beside(screen)
            outcome = walk(WaferRun(loaded, files, wiring, folder, is_resumed, known, processes, person), controls)
        finally:
            controls.close()
    notices.ended(outcome)
    result = finished(folder, outcome, began, list(loaded.recipe.exports), report=True)
    tell_problems(notifier)
    return show(result, "mtjlab run", as_json=as_json)


def _reproduce(loaded: LoadedRecipe, out: Path | None, as_json: bool, notifier: Notifier) -> int:
    from .cli_notify import told_of
    from .recipe_steps import ReproduceStep

    step = loaded.recipe.steps[0]
    assert isinstance(step, ReproduceStep)
    folder = out or Path("runs") / f"reproduce-{step.system}"
    common = {"out": folder, "docs": None, "seed": step.seed, "workers": step.workers, "quick": step.quick}
    with told_of(notifier, loaded.recipe.recipe, folder):
        if step.system == "wine":
            from .cli_reproduce import wine

            wine(published=None, as_json=as_json, **common)  # type: ignore[arg-type]
        else:
            from .cli_reproduce_mnist import mnist

            mnist(data=None, download=step.download, as_json=as_json, **common)  # type: ignore[arg-type]
    return 0
