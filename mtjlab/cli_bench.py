"""`mtjlab bench list` and `mtjlab bench draw`: who is on a bench, and how it is wired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import InputError

if TYPE_CHECKING:
    from .bench_contact import Contact

StationFile = Annotated[Path, typer.Argument(help="Station file: the instruments and their addresses.")]


def bench_list(
    station: StationFile,
    contact: Annotated[
        bool, typer.Option("--contact", help="Ask each instrument *IDN?, and nothing else; nothing is driven.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.01, max=60, help="How long each may take to answer.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """The instruments of a station, and who is using them; with --contact, what answers there.

    Exit status 1 if an instrument that was asked is silent.
    """
    from dataclasses import asdict

    from .bench_contact import contacts

    if not station.is_file():
        raise InputError("there is no such file", where=str(station), remedy="Check the path")
    found = contacts(station, is_asked=contact, seconds=seconds)
    if as_json:
        typer.echo(json.dumps({"instruments": [asdict(one) for one in found]}))
    else:
        for one in found:
            typer.echo(f"{one.name}  {one.address}  {one.holder or 'free'}{_words(one)}")
    silent = [one.name for one in found if one.silent]
    if silent:
        typer.echo(f"mtjlab: silent: {', '.join(silent)}: check power, cable and address", err=True)
    raise typer.Exit(1 if silent else 0)


def _words(one: Contact) -> str:
    if one.not_asked:
        return f"  not asked: {one.not_asked}"
    return f"  SILENT: {one.silent}" if one.silent else f"  {one.answer}" if one.answer else ""
