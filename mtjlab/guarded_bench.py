"""A bench for a notebook or a script, from its two files: opened, guarded, started, and off again however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InstrumentError

if TYPE_CHECKING:
    from .bench import Listener, MatrixCrossbar
    from .bench_report import BenchSettings


@contextmanager
def guarded_bench(
    station_file: Path | str,
    wiring_file: Path | str,
    *,
    log: Path | str = "supervisor.log",
    settings: BenchSettings | None = None,
    listener: Listener | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[MatrixCrossbar]:
    """The Crossbar of a bench, started; when the block is left, outputs are off, relays open, sessions closed.

    Args:
        station_file, wiring_file: as for any bench.
        log: takes what the second process did that switches real instruments off if this one dies, if it had to act.
        settings: ranges and integration time.
        listener: told of every reading and pulse.
        clock: seconds of bench time.

    Raises InputError if a file does not fit, or if another program uses one of the instruments; InstrumentError if one
    cannot be reached, also by that process (then nothing would protect the bench), or if not all is off at the end.
    """
    from .station import open_station
    from .wiring import load_wiring

    station_file, wiring_file = Path(station_file), Path(wiring_file)
    wiring = load_wiring(wiring_file)
    is_real = simulated_bench_of(station_file) is None
    with guarded(station_file if is_real else None, Path(log)):
        opened = open_station(station_file, wiring_file, wiring)
        try:
            with opened.crossbar(wiring, settings=settings, clock=clock, listener=listener) as crossbar:
                crossbar.start()
                yield crossbar
        finally:
            opened.close()
        _require_off(crossbar)


def _require_off(crossbar: MatrixCrossbar) -> None:
    report = crossbar.shutdown_report
    if not report.is_safe:
        raise InstrumentError(
            f"not everything was read back as off ({'; '.join(report.problems) or report})",
            remedy="Look at the front panels; `mtjlab bench off STATION` tries once more",
        )


@contextmanager
def guarded(station: Path | None, log: Path) -> Iterator[None]:
    """Nobody else drives these instruments meanwhile, and somebody switches them off if this process dies.

    Args:
        station: of real instruments. None for a simulated bench, which lives and dies with its process.
    """
    if station is None:
        yield
        return
    from .bench_lock import BenchLock
    from .station import addresses_of
    from .supervisor import Supervisor

    with BenchLock(addresses_of(station).values()), Supervisor(station, log):
        yield


def simulated_bench_of(station: Path) -> str | None:
    """The simulated bench that a station file opens its instruments on; None if they are real."""
    from .yaml_files import load_yaml

    for entry in (load_yaml(station).get("instruments") or {}).values():
        visalib = str((entry.get("init") or {}).get("visalib", "")) if isinstance(entry, dict) else ""
        if visalib.endswith("@mtjlab"):
            return visalib.removesuffix("@mtjlab")
    return None
