"""The wiring file: the matrix column of each array line, the matrix row of each SMU, and the device limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .limits import DeviceLimits
from .yaml_files import load_model

MatrixColumn = Annotated[int, Field(ge=101, le=999)]


class Device(BaseModel):
    """The device type on the array."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    nominal_on_off_siemens: float = Field(gt=0, description="G_P - G_AP by design: one unit of weight, untuned")
    limits: DeviceLimits


class Wiring(BaseModel):
    """What is cabled to what.

    Attributes:
        matrix: station name of the switch matrix.
        smus: station name of each SMU -> matrix row its HI terminal is on (LO goes to the common ground).
        row_lines, col_lines: matrix column (slot * 100 + column) of each array row and column, in order.
        device: the device type and its limits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    matrix: str
    smus: dict[str, str] = Field(min_length=2)
    row_lines: list[MatrixColumn] = Field(min_length=1)
    col_lines: list[MatrixColumn] = Field(min_length=1)
    device: Device

    @model_validator(mode="after")
    def _each_place_is_used_once(self) -> Wiring:
        _refuse_twice("matrix column", [("row_lines", self.row_lines), ("col_lines", self.col_lines)])
        rows = list(self.smus.values())
        for row in rows:
            if rows.count(row) > 1:
                names = [name for name, used in self.smus.items() if used == row]
                raise ValueError(f"matrix row {row} is given to {' and '.join(names)}; give each SMU a row of its own")
        return self


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
