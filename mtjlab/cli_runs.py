"""`mtjlab runs`: what has been recorded, on this bench or on a share; one run; two beside each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .catalogue import Catalogue, Comparison
    from .run_summary import RunSummary

runs = typer.Typer(help="Recorded wafer runs: list, show, compare.", no_args_is_help=True)
Roots = Annotated[
    list[Path] | None, typer.Option("--root", help="Folder with runs, or a share; may be repeated. [default: runs]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@runs.command("list")
def list_runs(
    root: Roots = None,
    lot: Annotated[str | None, typer.Option(help="Only this lot.")] = None,
    wafer: Annotated[str | None, typer.Option(help="Only this wafer.")] = None,
    bench: Annotated[str | None, typer.Option(help="Only this bench.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every run, oldest first; open ones were killed or are going on."""
    catalogue = _catalogue(root)
    entries = catalogue.entries(lot=lot, wafer=wafer, bench=bench)
    if as_json:
        typer.echo(json.dumps([asdict(entry.summary) for entry in entries]))
    for entry in entries if not as_json else ():
        where = entry.recorded or entry.exports
        typer.echo(f"{_line(entry.summary)}  {where}")
    _problems(catalogue)


@runs.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="Id of the run, or the beginning of it.")],
    root: Roots = None,
    as_json: AsJson = False,
) -> None:
    """One run: dies and bins, where its data come from, what was probed more than once, what went wrong."""
    from .provenance_words import provenance_lines
    from .store import open_run

    catalogue = _catalogue(root)
    entry = catalogue.entry(run)
    shown: dict[str, Any] = asdict(entry.summary)
    lines = [_line(entry.summary), f"recipe {entry.summary.recipe_name}, operator {entry.summary.operator}"]
    if entry.recorded is not None:
        with open_run(entry.recorded) as stored:
            shown["provenance"] = json.loads(stored.provenance.to_json())
            known = provenance_lines(stored.provenance, datetime.fromtimestamp(stored.started_wall).date())
            lines[1:] = [f"{name}: {text}" for name, text in known]
            lines += [f"bench changed: {event.text}" for event in stored.events() if event.kind == "bench changed"]
            shown["problems"] = [
                [row.die.x, row.die.y, str(row.state), row.attempts, row.reason]
                for row in stored.dies()
                if row.attempts > 1 or row.reason
            ]
    for x, y, state, attempts, reason in shown.get("problems", []):
        lines.append(
            f"die ({x}, {y}): {state} after {attempts} visit{'s' * (attempts != 1)}{f', {reason}' if reason else ''}"
        )
    typer.echo(json.dumps(shown) if as_json else "\n".join(lines))
    _problems(catalogue)


@runs.command("compare")
def compare_runs(
    before: Annotated[str, typer.Argument(help="Id of the earlier run, or the beginning of it.")],
    after: Annotated[str, typer.Argument(help="Id of the later run.")],
    root: Roots = None,
    as_json: AsJson = False,
) -> None:
    """Two runs of the same or of different wafers, die by die."""
    catalogue = _catalogue(root)
    found = catalogue.compare(before, after)
    typer.echo(json.dumps(_plain(found)) if as_json else "\n".join(_compared(found)))
    _problems(catalogue)


def _catalogue(root: list[Path] | None) -> Catalogue:
    from .catalogue import Catalogue

    return Catalogue(root or [Path("runs")])


def _problems(catalogue: Catalogue) -> None:
    for problem in catalogue.problems:
        typer.echo(f"mtjlab: {problem}", err=True)


def _line(summary: RunSummary) -> str:
    began = datetime.fromtimestamp(summary.started_wall).strftime("%Y-%m-%d %H:%M")
    dies = ", ".join(f"{count} {state}" for state, count in summary.dies.items())
    named = f"{summary.lot} {summary.wafer}".strip()
    share = f"yield {summary.yield_fraction:.1%}" if summary.binned else "no bins"
    return f"{summary.run_id}  {began}  {named}  {summary.state}  {dies}  {share}"


def _compared(found: Comparison) -> list[str]:
    lines = [_line(found.before), _line(found.after)]
    lines += [f"{name}: {before} -> {after}" for name, before, after in found.differences]
    lines += [f"hard bin {before} -> {after}: {count} dies" for (before, after), count in found.bins.items()]
    for each in found.figures:
        change = f"median {each.median_before:.6g} -> {each.median_after:.6g}, change {each.median_change:+.3g}"
        lines.append(f"{each.name}: {change}, at most {each.largest_change:+.3g} on die {each.where}")
    return lines


def _plain(found: Comparison) -> dict[str, Any]:
    content = asdict(found)
    content["bins"] = [[before, after, count] for (before, after), count in found.bins.items()]
    return content
