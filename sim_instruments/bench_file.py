"""What a bench file says: the die, the instruments on their addresses, how they are cabled, what will go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pyvisa import rname

from mtjlab.errors import InputError
from mtjlab.wiring import Wiring, load_wiring
from mtjlab.yaml_files import check_model, load_yaml

from .cables import CableSpec
from .coil import CoilSpec
from .faults import PlannedFault
from .mainframe_cards import (
    FITTING,
    Keithley707BCard,
    Keithley7001Card,
    Keysight34980Card,
    KeysightB2200Card,
    KeysightE5250Card,
    misfit,
)
from .prober_spec import StationSpec
from .trigger_wires import TriggerWireSpec

Model = Literal[
    "keithley_2400",
    "keithley_707b",
    "keithley_708b",
    "keithley_2602b",
    "keithley_2612b",
    "keithley_2636b",
    "keithley_2450",
    "keysight_b2901a",
    "keysight_b2902a",
    "keysight_b2912a",
    "keysight_33522b",
    "keysight_33622a",
    "keysight_81160a",
    "yokogawa_gs200",
    "keithley_7001",
    "keithley_7002",
    "keysight_b2201a",
    "keysight_e5250a",
    "keysight_34980a",
    "formfactor_velox",
    "mpi_sentio",
]
CardModel = Literal[Keithley707BCard, Keithley7001Card, KeysightB2200Card, KeysightE5250Card, Keysight34980Card]


TSP_MODELS = ("keithley_707b", "keithley_708b", "keithley_2602b", "keithley_2612b", "keithley_2636b")
"""Models that TSP-Link can join."""
PROBERS = ("formfactor_velox", "mpi_sentio")
"""Models that bring a wafer's dies under the probes."""


class InstrumentSpec(BaseModel):
    """One instrument of a bench.

    Attributes:
        name: station name; its terminals are nodes that begin with this name.
        model: which simulated instrument.
        address: VISA address it answers at, kept in canonical form.
        serial: serial number it reports.
        cards: switching mainframes only: the cards in slots 1, 2, ...; null for an empty slot.
        options: 34980A only: DMM for its internal DMM.
        coil: DC sources only: the electromagnet at its output, instead of the terminal `<name>.hi`.
        prober: probers only: the station, if it is not as `StationSpec` has it.
        tsp_link: TSP instruments only: node number -> name of another TSP instrument whose master this one is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    model: Model
    address: str
    serial: str = "0000000"
    cards: list[CardModel | None] = Field(default=[], max_length=10)
    options: list[Literal["DMM"]] = []
    coil: CoilSpec | None = None
    prober: StationSpec | None = None
    tsp_link: dict[int, str] = {}

    @property
    def has_end(self) -> bool:
        """Whether its interface marks the end of a message: GPIB, USBTMC and VXI-11 do."""
        return not self.address.startswith("ASRL") and not self.address.endswith("::SOCKET")

    @field_validator("cards", mode="before")
    @classmethod
    def _cards_are_names(cls, cards: Any) -> Any:
        """YAML takes 7153 for a number."""
        return [str(c) if isinstance(c, int) else c for c in cards] if isinstance(cards, list) else cards

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        try:
            parsed = rname.parse_resource_name(address)
        except rname.InvalidResourceName as error:
            raise ValueError(f"'{address}' is no VISA address: {error}") from error
        if parsed.resource_class not in ("INSTR", "SOCKET") or parsed.interface_type not in (
            "GPIB",
            "TCPIP",
            "USB",
            "ASRL",
        ):
            raise ValueError(f"'{address}' is not on GPIB, TCPIP, USB or ASRL")
        return str(parsed)

    @model_validator(mode="after")
    def _has_cards_if_a_mainframe(self) -> InstrumentSpec:
        if self.model not in FITTING:
            if self.cards:
                raise ValueError(f"a {self.model} takes no cards; remove 'cards' from '{self.name}'")
            return self
        if not self.cards:
            raise ValueError(f"'{self.name}' needs 'cards', for example [{FITTING[self.model][1][-1]}]")
        wrong = misfit(self.model, list(self.cards))
        if wrong is not None:
            raise ValueError(f"{wrong} (cards of '{self.name}')")
        return self

    @model_validator(mode="after")
    def _has_options_only_if_they_fit(self) -> InstrumentSpec:
        if self.options and self.model != "keysight_34980a":
            raise ValueError(f"a {self.model} takes no options; remove 'options' from '{self.name}'")
        return self

    @model_validator(mode="after")
    def _has_a_coil_only_if_a_dc_source(self) -> InstrumentSpec:
        if self.coil is not None and self.model != "yokogawa_gs200":
            raise ValueError(f"a {self.model} takes no coil; remove 'coil' from '{self.name}'")
        if self.prober is not None and self.model not in PROBERS:
            raise ValueError(f"a {self.model} is no prober; remove 'prober' from '{self.name}'")
        return self


class BenchFile(BaseModel):
    """A bench file.

    Attributes:
        bench: its name.
        seed: fixes the die, the instruments' errors and all noise.
        line_hertz: power line frequency.
        die: what `World.from_description` takes.
        wafer: instead of a die, for a bench with a prober: a file in the same folder that describes a wafer
            (`mtjlab.physics.populations.WaferDescription`), or the name of a packaged one.
        instruments: who answers at which address.
        wiring: file in the same folder that says how the bench is really cabled (schema of mtjlab.wiring).
        cables: further cables and resistors between terminals; with them `wiring` may be left out.
        trigger_wires: which trigger connectors of the instruments are joined.
        pyvisa_sim: files in the same folder that describe devices for pyvisa-sim; they answer on this bench too.
        is_transient: whether the bench is new again once all sessions on it have been closed; otherwise what happened
            to its die stays.
        faults: what goes wrong, and when.
        paced: whether simulated waits really take their time; by default nothing ever sleeps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bench: str
    seed: int = Field(ge=0)
    line_hertz: float = Field(ge=45, le=65)
    die: dict[str, Any] = {}
    wafer: str | None = None
    instruments: list[InstrumentSpec] = Field(min_length=1)
    wiring: str | None = None
    cables: list[CableSpec] = []
    trigger_wires: list[TriggerWireSpec] = []
    pyvisa_sim: list[str] = []
    is_transient: bool = False
    faults: list[PlannedFault] = []
    paced: bool = False

    @field_validator("wiring", "wafer")
    @classmethod
    def _is_a_file_name(cls, name: str | None) -> str | None:
        return None if name is None else _own_file(name)

    @field_validator("pyvisa_sim")
    @classmethod
    def _are_file_names(cls, names: list[str]) -> list[str]:
        return [_own_file(name) for name in names]

    @model_validator(mode="after")
    def _is_cabled(self) -> BenchFile:
        if self.wiring is None and not self.cables and any(spec.model not in PROBERS for spec in self.instruments):
            raise ValueError("give 'wiring', 'cables' or both: nothing is connected to the instruments")
        return self

    @model_validator(mode="after")
    def _has_a_wafer_for_its_prober(self) -> BenchFile:
        probers = [spec.name for spec in self.instruments if spec.model in PROBERS]
        if len(probers) > 1:
            raise ValueError(f"{' and '.join(probers)} are two probers; a bench has one chuck")
        if bool(probers) != (self.wafer is not None):
            raise ValueError("a bench with a prober has a 'wafer', and no other bench has one")
        if self.wafer is not None and self.die:
            raise ValueError("give 'wafer' or 'die': the dies of a wafer are described in its file")
        return self

    @model_validator(mode="after")
    def _names_fit_together(self) -> BenchFile:
        for what in ("name", "address"):
            values = [getattr(spec, what) for spec in self.instruments]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{what} {value} is given to two instruments; each needs its own")
        names = {spec.name for spec in self.instruments}
        _require_links_between_tsp_instruments(self.instruments)
        for number, fault in enumerate(self.faults):
            if fault.instrument is not None and fault.instrument not in names:
                raise ValueError(f"faults[{number}] names '{fault.instrument}', which is not on the bench")
        return self


def _require_links_between_tsp_instruments(specs: list[InstrumentSpec]) -> None:
    models = {spec.name: spec.model for spec in specs}
    for spec in specs:
        for number, name in spec.tsp_link.items():
            if not 2 <= number <= 64:
                raise ValueError(f"'{spec.name}' links node {number}; node numbers of others are 2 to 64")
            if name == spec.name or models.get(name) not in TSP_MODELS or spec.model not in TSP_MODELS:
                raise ValueError(f"'{spec.name}' links '{name}'; TSP-Link joins TSP instruments of the bench")


def _own_file(name: str) -> str:
    if "/" in name or "\\" in name or ":" in name or name in ("", ".", ".."):
        raise ValueError(f"'{name}' must be the name of a file in the bench file's own folder")
    return name


def load_bench_file(path: Path) -> tuple[BenchFile, Wiring | None]:
    """Read a bench file and its wiring; raises InputError naming file, line, key and remedy."""
    bench = check_model(load_yaml(path), BenchFile, path)
    if bench.wiring is None:
        return bench, None
    wiring_path = path.parent / bench.wiring
    wiring = load_wiring(wiring_path)
    names = {spec.name for spec in bench.instruments}
    for used in (wiring.matrix, *wiring.smus):
        if used.partition(".")[0] not in names:
            raise InputError(
                f"'{used}' is cabled but is not on the bench",
                where=str(wiring_path),
                remedy=f"Use names from {path.name}: {', '.join(sorted(names))}",
            )
    return bench, wiring
