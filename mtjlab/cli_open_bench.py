"""Opens the bench that a recipe names, guards it while it is used, and says how it was left. May import all parts."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, LimitError
from .guarded_bench import guarded, simulated_bench_of

if TYPE_CHECKING:
    from mtjlab.sim_instruments.simulated_bench import SimBench

    from .bench import Listener, MatrixCrossbar
    from .recipe import BenchPart, LoadedRecipe
    from .roles import Identity
    from .station import OpenStation
    from .wiring import Wiring


@dataclass(frozen=True)
class BenchFiles:
    """The files that make a bench.

    Attributes:
        station, wiring: as for any bench.
        simulated: the bench file behind a simulated one.
    """

    station: Path
    wiring: Path
    simulated: Path | None = None

    def named(self) -> dict[str, Path]:
        """By what they are."""
        files = {"station": self.station, "wiring": self.wiring}
        return files if self.simulated is None else {**files, "bench": self.simulated}


def bench_files(loaded: LoadedRecipe) -> BenchFiles | None:
    """The files of a recipe's bench; None if it has none. Raises InputError, with the line, if one is not there."""
    part = loaded.recipe.bench
    if part is None:
        return None
    if part.simulated is None:
        assert part.station is not None and part.wiring is not None
        station = _named(loaded, "station", part.station)
        return BenchFiles(station, _named(loaded, "wiring", part.wiring), _behind(station))
    bench = _simulated_path(loaded, part.simulated)
    station = bench.with_name(f"{bench.stem}.station.yaml")
    if not station.is_file():
        raise _at(loaded, "simulated", f"{bench} has no station file beside it", f"Write {station.name}")
    wiring = bench.with_name(f"{bench.stem}.wiring.yaml")
    if part.wiring is not None:
        wiring = _named(loaded, "wiring", part.wiring)
    elif not wiring.is_file():
        raise _at(loaded, "simulated", f"{bench} has no wiring file beside it", f"Write {wiring.name}, or say 'wiring'")
    return BenchFiles(station, wiring, bench)


def checked(loaded: LoadedRecipe) -> tuple[BenchFiles | None, Wiring | None]:
    """The recipe's bench files and the wiring with its limits; raises InputError for what does not fit together."""
    from .recipe_checks import check_recipe
    from .wiring import load_wiring

    files = bench_files(loaded)
    wiring = load_wiring(files.wiring) if files else None
    found = check_recipe(loaded, wiring, wiring_file=files.wiring if files else None)
    for problem in _named_problems(loaded, files):
        raise problem
    return files, found


def problems_with(path: Path) -> list[InputError]:
    """Everything that is wrong with a recipe, as far as it can be known without a bench; none if it can be run."""
    from .recipe import load_recipe, problems_of
    from .recipe_checks import recipe_problems
    from .wiring import load_wiring

    found = problems_of(path)
    if found:
        return found
    loaded = load_recipe(path)
    try:
        files = bench_files(loaded)
        wiring = load_wiring(files.wiring) if files else None
    except InputError as error:
        return [*recipe_problems(loaded, None), error]
    fitting = recipe_problems(loaded, wiring, wiring_file=files.wiring if files else None)
    return [*fitting, *_named_problems(loaded, files)]


def _named_problems(loaded: LoadedRecipe, files: BenchFiles | None) -> Iterator[InputError]:
    from .recipe_files import named_file_problems, wafer_problems

    yield from named_file_problems(loaded)
    yield from wafer_problems(loaded, files.station if files else None)


def into_folder(files: BenchFiles, folder: Path, *, seed: int | None = None) -> BenchFiles:
    """Copies of the files in a run's folder; a simulated bench is its own there, with this seed."""
    station = folder / "bench.station.yaml"
    (folder / "assumed.wiring.yaml").write_bytes(files.wiring.read_bytes())
    if files.simulated is None:
        station.write_bytes(files.station.read_bytes())
        return BenchFiles(files.station, files.wiring)
    if "@" in str(folder):
        raise InputError("the path holds an '@', which PyVISA reserves", where=str(folder), remedy="Use another --out")
    bench = folder / "bench.yaml"
    _copy_bench(files.simulated, bench, {} if seed is None else {"seed": seed})
    _write_yaml(_with_library(files.station, f"{bench}@mtjlab"), station)
    return BenchFiles(station, files.wiring, bench)


@dataclass
class OpenBench:
    """A bench that has been started.

    Attributes:
        crossbar: on it.
        simulated: the bench behind it, if it is a simulated one.
    """

    crossbar: MatrixCrossbar
    wiring: Wiring
    station: OpenStation
    simulated: SimBench | None
    identities: dict[str, Identity] = field(default_factory=dict)
    _sent: tuple[int, int] | None = None

    @property
    def instruments(self) -> list[dict[str, str]]:
        """Who answered at which address, and what each does."""
        jobs, addresses = self.crossbar.jobs, self.station.addresses
        return [
            {"name": name, "address": addresses[name], **vars(identity), "job": jobs[name]}
            for name, identity in self.identities.items()
        ]

    def messages(self) -> tuple[int, int]:
        """VISA messages sent so far: without a reply, with a reply."""
        return self._sent or self.station.messages()

    def close(self) -> None:
        """Close the sessions; what was sent stays known."""
        self._sent = self.station.messages()
        self.station.close()


@contextmanager
def opened_bench(
    files: BenchFiles,
    wiring: Wiring,
    part: BenchPart,
    *,
    log: Path,
    listener: Listener | None = None,
    clocked: Callable[[Callable[[], float]], object] = lambda clock: None,
) -> Iterator[OpenBench]:
    """Open the instruments and start the bench; whatever ends it, all is off, and sessions are closed.

    Args:
        files: as `into_folder` gives them, for a simulated bench.
        wiring: with the limits that hold.
        part: how it is read.
        log: takes what the supervisor did, if it had to act.
        listener: told of every reading and pulse.
        clocked: receives the clock of the bench, before anything is measured.
    """
    from mtjlab.sim_instruments.simulated_bench import sim_bench

    from .bench_report import BenchSettings
    from .station import open_station

    bench = sim_bench(str(files.simulated)) if files.simulated else None
    clock = (lambda: bench.world.seconds) if bench else time.monotonic
    clocked(clock)
    station = open_station(files.station, files.wiring, wiring)
    settings = BenchSettings(power_cycles=part.power_cycles, read_amps_range=part.read_amps_range)
    crossbar = station.crossbar(wiring, settings=settings, clock=clock, listener=listener)
    found = OpenBench(crossbar, wiring, station, bench)
    try:
        with guarded(None if bench else files.station, log), crossbar:
            found.identities = started(crossbar, files.wiring)
            yield found
    finally:
        found.close()


def started(crossbar: MatrixCrossbar, wiring_file: Path) -> dict[str, Identity]:
    """Start a bench; a wiring that does not suit it is told with the file that it stands in."""
    try:
        return crossbar.start()
    except LimitError:
        raise
    except InputError as error:
        raise InputError(error.what, where=f"{wiring_file}, key {error.where}", remedy=error.remedy) from error


def packaged_bench_file(name: str) -> Path:
    """One of the files of the packaged benches."""
    from importlib.resources import files

    return Path(str(files("mtjlab.sim_instruments.benches"))) / name


def versions(
    packages: Iterable[str] = ("numpy", "scipy", "qcodes", "pyvisa", "torch", "scikit-learn"),
) -> dict[str, str]:
    """What computed: mtjlab, Python and these packages, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    from . import __version__

    found = {"mtjlab": __version__, "python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def left_safe(outputs: dict[str, bool | None], relays_open: bool | None) -> str:
    """How the bench was left, for an operator."""
    unknown = [name for name, off in outputs.items() if off is not True]
    relays = "all relays are open." if relays_open else "the relays could NOT be opened."
    if unknown:
        return f"The output of {' and '.join(unknown)} could NOT be read back as off: check its front panel; {relays}"
    return f"All outputs were read back as off, {relays}"


def _named(loaded: LoadedRecipe, key: str, name: str) -> Path:
    path = loaded.beside(name)
    if not path.is_file():
        raise _at(loaded, key, f"there is no file {path}", "Correct the path; it counts from the recipe's folder")
    return path


def _behind(station: Path) -> Path | None:
    """The bench file of a station of simulated instruments."""
    spec = simulated_bench_of(station)
    if spec is None:
        return None
    from mtjlab.sim_instruments.simulated_bench import bench_path

    return bench_path(spec)


def _simulated_path(loaded: LoadedRecipe, name: str) -> Path:
    from mtjlab.sim_instruments.simulated_bench import packaged_benches

    from .yaml_files import nearest

    if name in packaged_benches():
        return packaged_bench_file(f"{name}.yaml").resolve()
    path = loaded.beside(name)
    if not path.is_file():
        raise _at(loaded, "simulated", f"'{name}' is no packaged bench and no file", nearest(name, packaged_benches()))
    return path


def _at(loaded: LoadedRecipe, key: str, what: str, remedy: str) -> InputError:
    from .yaml_files import refusal

    return refusal(f"key 'bench.{key}': {what}", ["bench", key], loaded.content, loaded.path, remedy)


def _copy_bench(source: Path, target: Path, changes: dict[str, Any]) -> None:
    from .yaml_files import load_yaml

    content = load_yaml(source)
    content.update(changes)
    for key in ("wiring", "wafer"):
        beside = source.parent / Path(str(content.get(key, ""))).name
        if beside.is_file():
            (target.parent / beside.name).write_bytes(beside.read_bytes())
    _write_yaml(content, target)


def _with_library(station: Path, library: str) -> Any:
    """A station whose simulated instruments are on another simulated bench."""
    from .yaml_files import load_yaml

    content = load_yaml(station)
    for entry in (content.get("instruments") or {}).values():
        init = entry.get("init") if isinstance(entry, dict) else None
        if isinstance(init, dict) and str(init.get("visalib", "")).endswith("@mtjlab"):
            init["visalib"] = library
    return content


def _write_yaml(content: Any, target: Path) -> None:
    from ruamel.yaml import YAML

    with target.open("w", encoding="utf-8") as file:
        YAML(typ="rt", pure=True).dump(content, file)
