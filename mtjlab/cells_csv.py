"""A map as a table: one row per cell, for spreadsheets."""

from __future__ import annotations

from pathlib import Path

from .nouns import ArrayMap, CellStatus

HEADER = "row,col,siemens,siemens_p,siemens_ap,sigma,state,status\n"


def write_cells(source: Path, target: Path) -> Path:
    """Write a stored map as CSV: numbers in siemens (empty where not measured), state 1 P, 0 AP, -1 unknown."""
    found = ArrayMap.load(source)
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADER)
        for row in range(found.shape[0]):
            for col in range(found.shape[1]):
                values = (getattr(found, name)[row, col] for name in ("siemens", "siemens_p", "siemens_ap", "sigma"))
                numbers = ",".join("" if value != value else f"{value:.6e}" for value in values)
                status = CellStatus(int(found.status[row, col])).name.lower()
                file.write(f"{row},{col},{numbers},{int(found.state[row, col])},{status}\n")
    return target


def export_maps(folder: Path) -> list[Path]:
    """Write every whole map of a die's run folder as CSV beside its result; returns the paths."""
    maps = [path for path in sorted((folder / "maps").glob("*.npz")) if not path.stem.endswith(".partial")]
    return [write_cells(path, folder / f"{path.stem}.csv") for path in maps]
