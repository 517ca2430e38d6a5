"""`mtjlab read`, `write`, `train` and `infer`: recipes of one step, put together from options. May import all parts.

The options have the names that recipes have, and whatever else a step takes goes in with `--set`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_run import AsJson, DryRun, OutFolder, run_loaded
from .errors import InputError

Bench = Annotated[str, typer.Option(help="A packaged simulated bench, or the path of a bench file.")]
Station = Annotated[Path | None, typer.Option(help="Your own station file, e.g. of real instruments.")]
WiringFile = Annotated[Path | None, typer.Option(help="The wiring file that goes with --station.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Which simulated die.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="Any other parameter of the step, KEY=VALUE, as in a recipe.")
]
ReadVolts = Annotated[str, typer.Option(help="Bias of the readings, with its unit.")]
MostVolts = Annotated[str, typer.Option(help="Highest write amplitude, with its unit.")]
MapFile = Annotated[
    Path | None, typer.Option("--map", help="maps/both_states.npz of an earlier run. [default: classified anew]")
]


def read(
    bench: Bench = "passive15",
    station: Station = None,
    wiring: WiringFile = None,
    seed: Seed = None,
    read_volts: ReadVolts = "0.1 V",
    sets: Sets = None,
    dry_run: DryRun = False,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """Read every cell in the state it is in, with an uncertainty."""
    steps = [
        {"step": "contact", "read_volts": read_volts},
        {"step": "read", "read_volts": read_volts, **_given(sets)},
    ]
    _run("read", steps, _bench(bench, station, wiring, seed), dry_run, out, as_json)


def write(
    bench: Bench = "passive15",
    station: Station = None,
    wiring: WiringFile = None,
    seed: Seed = None,
    pattern: Annotated[
        str, typer.Option(help="checkerboard, rows, columns, random, 'all P', 'all AP', or a file of 0, 1 and -1.")
    ] = "checkerboard",
    map_file: MapFile = None,
    read_volts: ReadVolts = "0.1 V",
    most_volts: MostVolts = "0.84 V",
    sets: Sets = None,
    dry_run: DryRun = False,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a pattern into the array, with verification."""
    common = {"read_volts": read_volts, "most_volts": most_volts}
    named = str(Path(pattern).resolve()) if Path(pattern).is_file() else pattern
    step = {"step": "write", "pattern": named, **common, **_map(map_file), **_given(sets)}
    steps = [*_classified(map_file, common), step]
    _run("write", steps, _bench(bench, station, wiring, seed), dry_run, out, as_json)


Data = Annotated[
    str, typer.Option(help="wine, digits, mnist, or a CSV file with a row of headings and a column of classes.")
]
Labels = Annotated[str | None, typer.Option(help="Column of the CSV file with the classes. [default: the last]")]
Inputs = Annotated[
    int | None, typer.Option(min=1, help="Use so many features only, those that tell the classes apart best.")
]
Classes = Annotated[str | None, typer.Option(help="Only these classes, with commas between: 0,1,7.")]
Hidden = Annotated[int, typer.Option(min=1, help="Width of the hidden layer.")]
Aware = Annotated[
    bool, typer.Option("--hardware-aware", help="Train with the map's very cells in the loop, not with ideal ones.")
]


def train(
    map_file: Annotated[Path, typer.Option("--map", help="maps/both_states.npz of an earlier run.")],
    solutions: Annotated[int, typer.Option(min=1, max=1000, help="Networks to train and choose from.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Of the split of the data and the training.")] = 0,
    data: Data = "wine",
    labels: Labels = None,
    inputs: Inputs = None,
    classes: Classes = None,
    hidden: Hidden = 6,
    hardware_aware: Aware = False,
    sets: Sets = None,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train networks for the die of a map; needs no bench."""
    wanted = _training(data, labels, inputs, classes, hidden, hardware_aware)
    step = {"step": "train", "solutions": solutions, "seed": seed, **wanted, **_map(map_file), **_given(sets)}
    _run("train", [step], None, False, out, as_json)


def infer(
    bench: Bench = "passive15",
    station: Station = None,
    wiring: WiringFile = None,
    seed: Seed = None,
    network: Annotated[
        Path | None, typer.Option(help="network.npz of a run that trained one. [default: trained anew]")
    ] = None,
    map_file: MapFile = None,
    data: Data = "wine",
    labels: Labels = None,
    inputs: Inputs = None,
    classes: Classes = None,
    hidden: Hidden = 6,
    hardware_aware: Aware = False,
    read_volts: ReadVolts = "0.1 V",
    most_volts: MostVolts = "0.84 V",
    sets: Sets = None,
    dry_run: DryRun = False,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a network into the array and run all samples on it."""
    common = {"read_volts": read_volts, "most_volts": most_volts}
    steps = _classified(map_file, common)
    wanted = _training(data, labels, inputs, classes, hidden, hardware_aware)
    if network is None:
        steps.append({"step": "train", **wanted, **_map(map_file)})
    elif wanted != _training("wine", None, None, None, 6, aware=False):
        raise InputError(
            "--network says what was trained on which data",
            where="mtjlab infer",
            remedy="Leave out --data, --labels, --inputs, --classes, --hidden and --hardware-aware, or --network",
        )
    placed = {} if network is None else {"network": str(network.resolve())}
    steps.append({"step": "infer", **common, **placed, **_map(map_file), **_given(sets)})
    _run("infer", steps, _bench(bench, station, wiring, seed), dry_run, out, as_json)


def _classified(map_file: Path | None, common: dict[str, str]) -> list[dict[str, Any]]:
    """What comes before a step that needs a map."""
    contact = {"step": "contact", "read_volts": common["read_volts"]}
    return [contact] if map_file else [contact, {"step": "classify", "how": "quick", **common}]


def _map(map_file: Path | None) -> dict[str, str]:
    return {} if map_file is None else {"map": str(map_file.resolve())}


def _training(
    data: str, labels: str | None, inputs: int | None, classes: str | None, hidden: int, aware: bool
) -> dict[str, Any]:
    """What a step `train` says of the data and of the network."""
    named = str(Path(data).resolve()) if Path(data).is_file() else data
    given: dict[str, Any] = {"data": named, "labels": labels, "inputs": inputs, "hidden": hidden}
    given["classes"] = None if classes is None else [word.strip() for word in classes.split(",") if word.strip()]
    given["aware"] = "hardware" if aware else None
    return {key: value for key, value in given.items() if value is not None}


def _bench(bench: str, station: Path | None, wiring: Path | None, seed: int | None) -> dict[str, Any]:
    own = {} if wiring is None else {"wiring": str(wiring.resolve())}
    if station is not None:
        return {"station": str(station.resolve()), **own}
    path = Path(bench)
    return {"simulated": str(path.resolve()) if path.is_file() else bench, **own} | (
        {} if seed is None else {"seed": seed}
    )


def _given(sets: list[str] | None) -> dict[str, Any]:
    """Parameters said with --set, their values read as in a recipe."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    found = {}
    for one in sets or ():
        key, sign, value = one.partition("=")
        if not sign:
            raise InputError(f"'{one}' is not KEY=VALUE", where="--set", remedy="For example --set readings=4")
        try:
            found[key.strip()] = YAML(typ="safe", pure=True).load(value)
        except YAMLError as error:
            raise InputError(f"the value of '{one}' cannot be read", where="--set", remedy="Quote it") from error
    return found


def _run(
    verb: str,
    steps: list[dict[str, Any]],
    bench: dict[str, Any] | None,
    dry: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from .recipe import recipe_of

    content = {"recipe": verb, "steps": steps} | ({} if bench is None else {"bench": bench})
    command = f"mtjlab {verb}"
    try:
        loaded = recipe_of(content, Path(command))
        status = run_loaded(loaded, dry=dry, out=out, as_json=as_json, command=command)
    except InputError as error:
        if error.where.startswith(command):  # options have no lines
            raise InputError(error.what, where=command, remedy=error.remedy) from error
        raise
    raise typer.Exit(status)
