"""`mtjlab export`: the files that others read, made from the folder of a run, and their copy on a share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import InputError


def export(
    folder: Annotated[Path, typer.Argument(help="Run folder: of a die or of a wafer.")],
    kinds: Annotated[
        str | None,
        typer.Option(
            help="With commas between: csv; of a wafer also parquet, netcdf, stdf, g85, e142, sinf. "
            "[default: csv; of a wafer all but its bin maps]"
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Of a wafer: a folder for all runs, such as a share, to copy them to.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the paths as JSON.")] = False,
) -> None:
    """Write exports of a recorded run again, or further ones; nothing is measured.

    Of a wafer they go into the folder's own `exports`, together with those that are there already: all have the bins
    that count now. Of a die they go beside its result. A run that is still going on is exported as far as it is.
    """
    wanted = None if kinds is None else [kind.strip() for kind in kinds.split(",") if kind.strip()]
    shown: dict[str, Any] = {"files": [str(path) for path in _exports_of(folder, wanted, to)]}
    if to is not None:
        from .exports import publish

        shown["published"] = str(publish(folder, to))
    lines = [*shown["files"], *([f"published to {shown['published']}"] if to else [])]
    typer.echo(json.dumps(shown) if as_json else "\n".join(lines))


def _exports_of(folder: Path, kinds: list[str] | None, to: Path | None) -> list[Path]:
    from .run_names import LEDGER

    if (folder / LEDGER).is_file():
        from .exports import KINDS, export_run, kinds_written
        from .run_names import EXPORTS

        wanted = {*(KINDS if kinds is None else kinds), *kinds_written(folder)}  # with the bins that count now, all
        return [folder / EXPORTS / name for name in export_run(folder, sorted(wanted)).files]
    if not (folder / "result.json").is_file():
        remedy = "Give the folder of a run: 'mtjlab runs list' shows those of wafers"
        raise InputError("there is no run in this folder", where=str(folder), remedy=remedy)
    if kinds not in (None, ["csv"]) or to is not None:
        what = "a single die is exported as csv, into its own folder"
        raise InputError(what, where=str(folder), remedy="Leave out the other options")
    from .cells_csv import export_maps

    return export_maps(folder)
