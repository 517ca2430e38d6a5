"""What of a bench is cabled to what, put together from its station and wiring file, for a drawing.

A bench file beside them adds what neither of them says: the exact models, the cards, an instrument-to-instrument link.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError
from .station import entries_of
from .wiring import Wiring, load_wiring
from .yaml_files import load_yaml


@dataclass(frozen=True)
class Terminals:
    """What the terminals of a source are called on its panel."""

    force_high: str = "force HI"
    sense_high: str = "sense HI"
    guard: str = "guard"
    force_low: str = "force LO"
    sense_low: str = "sense LO"


_TERMINALS = {
    "Keithley2400": Terminals("HI", "SENSE HI", "GUARD", "LO", "SENSE LO"),
    "Keithley2450": Terminals("FORCE HI", "SENSE HI", "GUARD", "FORCE LO", "SENSE LO"),
    "Keithley2600": Terminals("HI", "S HI", "G", "LO", "S LO"),
    "KeysightB2900": Terminals("High Force", "High Sense", "Guard", "Low Force", "Low Sense"),
    "KeysightB2901": Terminals("High Force", "High Sense", "Guard", "Low Force", "Low Sense"),
}
"""By driver; as printed on the panels. Whatever is not here gets the general words."""
_GUARDED_CARDS = ("7174A", "7072", "B2211A")
"""Cards whose connectors are triaxial: the inner shield is carried through."""
_MAKERS = {"keithley": "Keithley", "keysight": "Keysight", "formfactor": "FormFactor", "mpi": "MPI"}


@dataclass(frozen=True)
class Instrument:
    """A box of the drawing: what it is called in the station file, what it is, and its address."""

    name: str
    model: str
    address: str


@dataclass(frozen=True)
class Source:
    """An SMU, or a channel of one.

    Attributes:
        name: as in the wiring file: `drive`, or `smu.a`.
        row: matrix row that its high terminal is on.
    """

    name: str
    instrument: Instrument
    terminals: Terminals
    row: str


@dataclass(frozen=True)
class Cabling:
    """A bench as it is cabled.

    Attributes:
        title: what the bench is called.
        cards: of the matrix, by slot from 1; empty where no file says.
        prober: what brings the dies under the probes; None where nothing does.
        link: what the matrix and a source talk over directly; "" if over nothing.
    """

    title: str
    sources: tuple[Source, ...]
    matrix: Instrument
    cards: tuple[str, ...]
    wiring: Wiring
    prober: Instrument | None = None
    link: str = ""

    @property
    def is_guarded(self) -> bool:
        """Whether the matrix carries guards through."""
        return bool(self.cards) and all(card in _GUARDED_CARDS for card in self.cards)


def cabling_of(station: Path, wiring: Path, bench: Path | None = None) -> Cabling:
    """Put a bench together from its files.

    Args:
        bench: the simulated bench's file, where there is one.

    Raises InputError for a file that cannot be used, or that lacks an instrument that the wiring names.
    """
    entries, wired = entries_of(station), load_wiring(wiring)
    specs = _specs(bench)
    sources = tuple(
        _source(name, row, _instrument(name.partition(".")[0], entries, specs, station), entries)
        for name, row in wired.smus.items()
    )
    matrix = _instrument(wired.matrix, entries, specs, station)
    title = str(load_yaml(bench).get("bench", bench.stem)) if bench else station.name.partition(".")[0]
    probers = [name for name, entry in entries.items() if _is_prober(entry)]
    return Cabling(
        title,
        sources,
        matrix,
        tuple(str(card) for card in specs.get(wired.matrix, {}).get("cards") or ()),
        wired,
        _instrument(probers[0], entries, specs, station) if probers else None,
        _link(sources, specs),
    )


def _specs(bench: Path | None) -> dict[str, dict[str, Any]]:
    found = load_yaml(bench).get("instruments") if bench else None
    return {str(one["name"]): one for one in found or () if isinstance(one, dict) and "name" in one}


def _instrument(name: str, entries: dict[str, Any], specs: dict[str, dict[str, Any]], station: Path) -> Instrument:
    if name not in entries:
        raise InputError(
            f"there is no instrument '{name}', but the wiring needs it",
            where=str(station),
            remedy="Add it to the station file, or correct the name in the wiring file",
        )
    model = str(specs.get(name, {}).get("model", ""))
    words = _model_words(model) or re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", _driver(entries[name]))
    return Instrument(name, words, str(entries[name].get("address", "")))


def _source(name: str, row: str, instrument: Instrument, entries: dict[str, Any]) -> Source:
    return Source(name, instrument, _TERMINALS.get(_driver(entries[instrument.name]), Terminals()), row)


def _driver(entry: dict[str, Any]) -> str:
    """Name of the class of a driver."""
    return str(entry.get("type", "")).rpartition(".")[2]


def _model_words(model: str) -> str:
    """ "keithley_2602b" as it is printed: "Keithley 2602B"."""
    maker, _, rest = model.partition("_")
    return f"{_MAKERS.get(maker, maker)} {rest.title() if rest.isalpha() else rest.upper()}".strip()


def _is_prober(entry: dict[str, Any]) -> bool:
    module = str(entry.get("type", "")).lower()
    return any(word in module for word in ("velox", "sentio", "prober"))


def _link(sources: tuple[Source, ...], specs: dict[str, dict[str, Any]]) -> str:
    for source in sources:
        nodes = specs.get(source.instrument.name, {}).get("tsp_link")
        if nodes:
            node = next(iter(nodes))
            return f"TSP-Link (crossover cable), matrix is node {node}"
    return ""
