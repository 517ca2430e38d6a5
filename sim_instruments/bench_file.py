"""What a bench file says: the die, the instruments on their addresses, how they are cabled, what will go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pyvisa import rname

from mtjlab.errors import InputError
from mtjlab.wiring import Wiring, load_wiring
from mtjlab.yaml_files import check_model, load_yaml

from .faults import PlannedFault

Model = Literal["keithley_2400", "keithley_707b"]
CardModel = Literal["7071", "7072", "7073", "7074", "7172", "7173-50", "7174A"]


class InstrumentSpec(BaseModel):
    """One instrument of a bench.

    Attributes:
        name: station name; its terminals are nodes that begin with this name.
        model: which simulated instrument.
        address: VISA address it answers at, kept in canonical form.
        serial: serial number it reports.
        cards: switching mainframes only: the cards in slots 1, 2, ...; null for an empty slot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    model: Model
    address: str
    serial: str = "0000000"
    cards: list[CardModel | None] = Field(default=[], max_length=6)

    @property
    def has_end(self) -> bool:
        """Whether its interface marks the end of a message: GPIB, USBTMC and VXI-11 do."""
        return not self.address.startswith("ASRL") and not self.address.endswith("::SOCKET")

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
        if self.cards and self.model != "keithley_707b":
            raise ValueError(f"a {self.model} takes no cards; remove 'cards' from '{self.name}'")
        if not self.cards and self.model == "keithley_707b":
            raise ValueError(f"'{self.name}' needs 'cards', for example [7174A, 7174A, 7174A]")
        return self


class BenchFile(BaseModel):
    """A bench file.

    Attributes:
        bench: its name.
        seed: fixes the die, the instruments' errors and all noise.
        line_hertz: power line frequency.
        die: what `World.from_description` takes.
        instruments: who answers at which address.
        wiring: file in the same folder that says how the bench is really cabled (schema of mtjlab.wiring).
        faults: what goes wrong, and when.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bench: str
    seed: int = Field(ge=0)
    line_hertz: float = Field(ge=45, le=65)
    die: dict[str, Any] = {}
    instruments: list[InstrumentSpec] = Field(min_length=1)
    wiring: str
    faults: list[PlannedFault] = []

    @field_validator("wiring")
    @classmethod
    def _is_a_file_name(cls, wiring: str) -> str:
        if "/" in wiring or "\\" in wiring or ":" in wiring or wiring in ("", ".", ".."):
            raise ValueError(f"'{wiring}' must be the name of a file in the bench file's own folder")
        return wiring

    @model_validator(mode="after")
    def _names_fit_together(self) -> BenchFile:
        for what in ("name", "address"):
            values = [getattr(spec, what) for spec in self.instruments]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{what} {value} is given to two instruments; each needs its own")
        names = {spec.name for spec in self.instruments}
        for fault in self.faults:
            if fault.instrument not in names:
                raise ValueError(f"a fault names '{fault.instrument}', which is not on the bench")
        return self


def load_bench_file(path: Path) -> tuple[BenchFile, Wiring]:
    """Read a bench file and its wiring; raises InputError naming file, line, key and remedy."""
    bench = check_model(load_yaml(path), BenchFile, path)
    wiring_path = path.parent / bench.wiring
    wiring = load_wiring(wiring_path)
    names = {spec.name for spec in bench.instruments}
    for used in (wiring.matrix, *wiring.smus):
        if used not in names:
            raise InputError(
                f"'{used}' is cabled but is not on the bench",
                where=str(wiring_path),
                remedy=f"Use names from {path.name}: {', '.join(sorted(names))}",
            )
    return bench, wiring
