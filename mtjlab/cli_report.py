"""`mtjlab report`: the page of a run made again from what its folder holds. May import all parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .errors import InputError


def report(
    folder: Annotated[Path, typer.Argument(help="Run folder: of a die, of a wafer, or of a reproduced system.")],
    pdf: Annotated[bool, typer.Option(help="Of a wafer run, write report.pdf too.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the paths as JSON.")] = False,
) -> None:
    """Write report.html again, from the stored data of a run.

    It is one file that needs nothing beside it. A run that is still going on is shown as far as it is.
    """
    written = reports_of(folder, with_pdf=pdf)
    typer.echo(json.dumps({"files": [str(path) for path in written]}) if as_json else "\n".join(map(str, written)))


def reports_of(folder: Path, *, with_pdf: bool = True) -> list[Path]:
    """Write the report that suits what is in the folder; raises InputError if it is no run."""
    from .run_names import LEDGER

    if (folder / LEDGER).is_file():
        from .wafer_report import write_wafer_report

        return write_wafer_report(folder, with_pdf=with_pdf)
    if (folder / "result.json").is_file():
        from .report import write_report

        return [write_report(folder)]
    return [_study(folder)]


def _study(folder: Path) -> Path:
    from .report_study import PAGES, write_study_report

    for page in sorted(folder.glob(PAGES)):
        return write_study_report(page)
    remedy = "Give the folder of a run: 'mtjlab runs list' shows those of wafers"
    raise InputError("there is no run in this folder", where=str(folder), remedy=remedy)


def report_of_run(folder: Path) -> Path | None:
    """The page of a run that has just ended; that it could not be written is said, and changes nothing of the run."""
    from .report import write_report

    try:
        return write_report(folder)
    except InputError as error:
        typer.echo(f"mtjlab: the report could not be written: {error}", err=True)
        return None
