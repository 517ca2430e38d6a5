"""The wiring file: the matrix column of each array line, the matrix row of each SMU, and the device limits."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .limits import DeviceLimits
from .nouns import Line
from .yaml_files import load_model

GROUND = "(ground)"
"""The common ground among the sources that can drive lines; no instrument of a station can have this name."""
MatrixColumn = Annotated[int, Field(ge=101, le=999)]


class Device(BaseModel):
    """The device type on the array."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    nominal_on_off_siemens: float = Field(gt=0, description="G_P - G_AP by design: one unit of weight, untuned")
    limits: DeviceLimits


class ExpectedInstrument(BaseModel):
    """What an instrument should say of itself; what is left out is not compared.

    Attributes:
        model, serial, firmware: text that its identity must contain, in either case.
        calibrated_until: the last day of its calibration, from its certificate: instruments do not tell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    calibrated_until: date | None = None


class PathLimits(BaseModel):
    """What `mtjlab bench check` takes for sound; the defaults are assumptions for reed relays and a probe card."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    most_path_ohms: float = Field(default=5.0, gt=0, description="two relays and their cables")
    most_leak_siemens: float = Field(default=1e-7, gt=0, description="a line alone, its cells to floating lines")
    least_cells_siemens: float = Field(default=1e-4, ge=0, description="all cells of a line: less is no contact")
    most_cells_siemens: float = Field(default=0.05, gt=0, description="all cells of a line: more is a short")


class Wiring(BaseModel):
    """What is cabled to what.

    Attributes:
        matrix: station name of the switch matrix.
        smus: station name of each SMU -> matrix row its HI terminal is on (LO goes to the common ground).
        row_lines, col_lines: matrix column (slot * 100 + column) of each array row and column, in order.
        device: the device type and its limits.
        ground_row: matrix row whose connector is wired to the common ground, if there is one: it keeps lines at 0 V
            that would otherwise take an SMU.
        holds_lines: whether the matrix itself keeps the unselected lines connected (bias and ground mode).
        relays_move: when relays may move. By default once every output has said that it is off. "at_zero_volts": once
            every level has come down to 0 V, outputs staying on: quicker by several output relays for each move, and
            easier on these. Contacts then switch what the sources' offsets drive, a millivolt or so; whether the relays
            may do that says their data sheet ("dry switching"). Instruments that scan by themselves move relays so.
        is_four_wire: whether the sense terminals of the SMUs are cabled as well.
        expected: what the instruments should be, by station name; see `mtjlab bench check`.
        path_limits: what the paths to the die should be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    matrix: str
    smus: dict[str, str] = Field(min_length=2)
    row_lines: list[MatrixColumn] = Field(min_length=1)
    col_lines: list[MatrixColumn] = Field(min_length=1)
    device: Device
    ground_row: str | None = None
    holds_lines: bool = False
    relays_move: Literal["outputs_off", "at_zero_volts"] = "outputs_off"
    is_four_wire: bool = False
    expected: dict[str, ExpectedInstrument] = {}
    path_limits: PathLimits = PathLimits()

    @field_validator("smus", mode="before")
    @classmethod
    def _rows_are_names(cls, smus: Any) -> Any:
        """YAML takes the row 1 for a number."""
        return {name: _as_name(row) for name, row in smus.items()} if isinstance(smus, dict) else smus

    @field_validator("ground_row", mode="before")
    @classmethod
    def _row_is_a_name(cls, row: Any) -> Any:
        return _as_name(row)

    @model_validator(mode="after")
    def _each_place_is_used_once(self) -> Wiring:
        _refuse_twice("matrix column", [("row_lines", self.row_lines), ("col_lines", self.col_lines)])
        rows = list(self.smus.values())
        for row in rows:
            if rows.count(row) > 1:
                names = [name for name, used in self.smus.items() if used == row]
                raise ValueError(f"matrix row {row} is given to {' and '.join(names)}; give each SMU a row of its own")
        if self.ground_row in rows:
            raise ValueError(f"matrix row {self.ground_row} is given to an SMU and to ground_row; give each its own")
        return self

    @property
    def source_rows(self) -> dict[str, str]:
        """The matrix row of each SMU, and of the common ground if it has one."""
        return self.smus if self.ground_row is None else self.smus | {GROUND: self.ground_row}

    def matrix_column(self, line: Line) -> int:
        """The matrix column of a line."""
        return (self.row_lines if line.axis == "row" else self.col_lines)[line.number]


def _as_name(row: Any) -> Any:
    return str(row) if isinstance(row, int) and not isinstance(row, bool) else row


def _refuse_twice(what: str, lists: list[tuple[str, list[int]]]) -> None:
    seen: dict[int, str] = {}
    for name, columns in lists:
        for position, column in enumerate(columns):
            here = f"{name}[{position}]"
            if column in seen:
                raise ValueError(f"{what} {column} is used by {seen[column]} and {here}; give each line its own")
            seen[column] = here


def load_wiring(path: Path) -> Wiring:
    """Read a wiring file; raises InputError naming file, line, key and remedy."""
    return load_model(path, Wiring)
