"""Opens the instruments that a QCoDeS Station YAML names and a wiring file needs."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import InputError, MtjlabError
from .prober import Prober
from .roles import ScanUnit, SourceMeasureUnit, SwitchMatrix
from .wiring import Wiring
from .yaml_files import load_yaml

if TYPE_CHECKING:
    from qcodes.instrument import Instrument

    from .bench import Listener, MatrixCrossbar
    from .bench_report import BenchSettings


T = TypeVar("T")


class OpenStation:
    """The instruments of a station by their role; `close` closes their sessions (it switches nothing)."""

    def __init__(
        self,
        smus: dict[str, SourceMeasureUnit],
        matrix: SwitchMatrix,
        addresses: dict[str, str],
        instruments: Sequence[Any],
    ) -> None:
        self.smus = smus
        self.matrix = matrix
        self.addresses = addresses
        self._instruments = tuple(instruments)

    @property
    def instruments(self) -> tuple[Any, ...]:
        """All of them, as their drivers."""
        return self._instruments

    def __repr__(self) -> str:
        named = ", ".join(f"{name} at {address}" for name, address in self.addresses.items())
        return f"{type(self).__name__}({named})"

    @property
    def scan_units(self) -> tuple[ScanUnit, ...]:
        """The instruments among them that can scan an array by themselves."""
        return tuple(instrument for instrument in self._instruments if isinstance(instrument, ScanUnit))

    def crossbar(
        self,
        wiring: Wiring,
        *,
        settings: BenchSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
    ) -> MatrixCrossbar:
        """The bench that they make; arguments as `MatrixCrossbar` has them. Nothing is switched on."""
        from .bench import MatrixCrossbar

        units = self.scan_units
        how: dict[str, Any] = {"settings": settings, "clock": clock, "listener": listener}
        return MatrixCrossbar(self.smus, self.matrix, wiring, scan_units=units, **how)

    def close(self) -> None:
        """Close every session."""
        for instrument in self._instruments:
            _close(instrument)

    def messages(self) -> tuple[int, int]:
        """VISA messages sent so far: without a reply, with a reply."""
        drivers = self._instruments
        return sum(getattr(d, "writes", 0) for d in drivers), sum(getattr(d, "queries", 0) for d in drivers)


def open_station(station_file: Path, wiring_file: Path, wiring: Wiring) -> OpenStation:
    """Open every instrument the wiring names; nothing is switched on.

    Raises:
        InputError: the station file lacks one of them, or its driver class cannot be loaded or does not play the role.
        InstrumentError: an instrument cannot be reached.
    """
    section = _instruments_section(station_file)
    for name in (_instrument(name) for name in (*wiring.smus, wiring.matrix)):
        if name not in section:
            guess = difflib.get_close_matches(name, list(section), n=1)
            hint = f" (did you mean '{guess[0]}'?)" if guess else ""
            raise InputError(
                f"instrument '{name}' is missing, but {wiring_file} needs it{hint}",
                where=f"{station_file}, key instruments",
                remedy=f"Add '{name}' to the station file or correct the name in the wiring file",
            )
    opened: list[Instrument] = []
    try:
        smus = {name: _open(station_file, name, SourceMeasureUnit, opened) for name in wiring.smus}  # type: ignore[type-abstract]
        matrix = _open(station_file, wiring.matrix, SwitchMatrix, opened)  # type: ignore[type-abstract]
    except BaseException:
        for instrument in opened:
            _close(instrument)
        raise
    names = (*wiring.smus, wiring.matrix)
    addresses = {name: str(section[_instrument(name)].get("address", "")) for name in names}
    return OpenStation(smus, matrix, addresses, opened)


def open_prober(station_file: Path, name: str = "prober") -> Prober:
    """Open the prober of a station; nothing moves. Close it when it is not needed any more.

    Raises InputError if the station file lacks it, or its driver does not play the role.
    """
    if name not in _instruments_section(station_file):
        raise InputError(
            f"there is no instrument '{name}'",
            where=f"{station_file}, key instruments",
            remedy="Add the prober, as the packaged probed15.station.yaml has it",
        )
    return _open(station_file, name, Prober, [])  # type: ignore[type-abstract]


def addresses_of(station_file: Path) -> dict[str, str]:
    """Address of every instrument of a station file. Raises InputError if the file cannot be used."""
    return {name: str(entry.get("address", "")) for name, entry in _instruments_section(station_file).items()}


def entries_of(station_file: Path) -> dict[str, Any]:
    """What a station file says of each instrument. Raises InputError if the file cannot be used."""
    return _instruments_section(station_file)


def open_instruments(station_file: Path) -> tuple[dict[str, Any], list[str]]:
    """Open every instrument of a station file that can be opened; nothing is switched on.

    Returns them by name, and for each other one what was wrong. Raises InputError if the file cannot be used.
    """
    opened: dict[str, Any] = {}
    problems = []
    for name in _instruments_section(station_file):
        try:
            opened[name] = _load(station_file, name, f"{station_file}, key instruments.{name}")
        except InputError as error:
            problems.append(str(error))
    return opened, problems


def _instrument(name: str) -> str:
    """Station name of the instrument: `smu.a` is channel `a` of `smu`."""
    return name.partition(".")[0]


def _instruments_section(station_file: Path) -> dict[str, Any]:
    content = load_yaml(station_file)
    section = content.get("instruments")
    if not isinstance(section, dict) or not all(isinstance(entry, dict) for entry in section.values()):
        raise InputError(
            "has no section 'instruments' with one entry per instrument",
            where=str(station_file),
            remedy="Start from the packaged passive15.station.yaml",
        )
    return section


def _open(station_file: Path, name: str, role: type[T], opened: list[Any]) -> T:
    instrument_name, _, channel = name.partition(".")
    where = f"{station_file}, key instruments.{instrument_name}"
    instrument = next((known for known in opened if known.name == instrument_name), None)
    if instrument is None:
        instrument = _load(station_file, instrument_name, where)
        opened.append(instrument)
    part = instrument
    if channel:
        if channel not in instrument.submodules:
            raise InputError(
                f"has no channel '{channel}'",
                where=where,
                remedy=f"Its channels are {', '.join(instrument.submodules) or 'none'}",
            )
        part = instrument.submodules[channel]
    if not isinstance(part, role):
        raise InputError(
            f"'{type(part).__name__}' is not a {role.__name__}", where=where, remedy="Use a driver that is one"
        )
    return part


def _load(station_file: Path, name: str, where: str) -> Any:
    from qcodes.station import Station

    try:
        return Station(config_file=str(station_file), default=False).load_instrument(name, update_snapshot=False)
    except InputError:
        raise
    except MtjlabError as error:  # nothing has been switched on yet: for the operator this is a wrong file
        raise InputError(f"{error.where} {error.what}", where=where, remedy=error.remedy) from error
    except (ImportError, AttributeError) as error:
        raise InputError(f"its driver cannot be loaded ({error})", where=where, remedy="Correct 'type'") from error
    except Exception as error:  # QCoDeS and drivers of labs raise whatever they like
        raise InputError(
            f"cannot be opened ({type(error).__name__}: {error})",
            where=where,
            remedy="Check its address, cable and the VISA library named in 'init'",
        ) from error


def _close(instrument: Any) -> None:
    try:
        instrument.close()
    except Exception:  # a session that is already dead is as closed as it can be
        return
