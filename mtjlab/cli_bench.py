"""`mtjlab bench list` and `mtjlab bench draw`: who is on a bench, and how it is wired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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


def bench_draw(
    bench: Annotated[str, typer.Argument(help="Packaged bench, or the path of a bench file or of a station file.")],
    out: Annotated[Path | None, typer.Option(help="SVG file. [default: <bench>.svg]")] = None,
    wiring: Annotated[
        Path | None, typer.Option(help="Wiring file. [default: the one that lies beside it, or that it names]")
    ] = None,
) -> None:
    """Draw the wiring of a bench: sources, matrix, probe card, die and ground, on a sheet of A4.

    From the files alone: no instrument is asked anything.
    """
    from .bench_cabling import cabling_of
    from .whole_files import whole_file
    from .wiring_drawing import wiring_svg

    station, wired, simulated = _files(bench, wiring)
    drawn = cabling_of(station, wired, simulated)
    target = out or Path(f"{drawn.title}.svg")
    with whole_file(target) as unfinished:
        unfinished.write_bytes(wiring_svg(drawn).encode("utf-8"))
    typer.echo(str(target))


def _files(bench: str, wiring: Path | None) -> tuple[Path, Path, Path | None]:
    """Station, wiring and bench file; raises InputError for one that is not there."""
    path = _bench_path(bench)
    is_station = path.name.endswith(".station.yaml") or isinstance(_instruments(path), dict)
    stem = path.name.removesuffix(".station.yaml") if is_station else path.stem
    station = path if is_station else path.with_name(f"{stem}.station.yaml")
    wired = wiring or path.with_name(f"{stem}.wiring.yaml")
    for file, what in ((station, "station"), (wired, "wiring")):
        if not file.is_file():
            raise InputError(f"there is no {what} file", where=str(file), remedy=f"Give a bench with a {what} file")
    beside = path.with_name(f"{stem}.yaml")
    return station, wired, (beside if beside.is_file() else None) if is_station else path


def _instruments(path: Path) -> Any:
    from .yaml_files import load_yaml

    return load_yaml(path).get("instruments")


def _bench_path(bench: str) -> Path:
    from .cli_open_bench import packaged_bench_file
    from .yaml_files import nearest

    packaged = packaged_bench_file(f"{bench}.yaml")
    path = Path(bench)
    if not path.is_file() and packaged.is_file():
        return packaged
    if not path.is_file():
        names = (each.stem for each in sorted(packaged.parent.glob("*.yaml")) if "." not in each.stem)
        remedy = f"{nearest(bench, names)}; or give the path of a file"
        raise InputError("there is no such bench", where=bench, remedy=remedy)
    return path
