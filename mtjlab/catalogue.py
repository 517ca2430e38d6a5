"""All runs of several benches and days: list them, show one, compare them, read their tables as one.

There is no server and no index to keep in step: a catalogue reads what lies under its folders, finished runs on a share
as well as runs that a bench is recording.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .errors import InputError, MtjlabError
from .run_names import EXPORTS, LEDGER, SUMMARY
from .run_summary import RunSummary
from .store import open_run

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class CatalogueEntry:
    """A run: its summary, and the folder that holds its exports (None if it has not been exported)."""

    summary: RunSummary
    exports: Path | None
    recorded: Path | None
    """Folder of the run itself, where it was recorded; None for a published copy."""


@dataclass(frozen=True)
class FigureComparison:
    """A figure on two runs, over the dies that both have; SI units.

    Attributes:
        name: `<step>_<name>`.
        dies: in common.
        median_before, median_after: over those dies.
        median_change: median of the changes die by die.
        largest_change: the largest in size, with its sign, and `where` (x, y).
    """

    name: str
    dies: int
    median_before: float
    median_after: float
    median_change: float
    largest_change: float
    where: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """Two runs beside each other.

    Attributes:
        before, after: the runs.
        bins: number of dies by (hard bin before, hard bin after), over the dies in common.
        only_before, only_after: dies (x, y) that the other has no data of.
        figures: one per figure that both have.
        differences: what else is not the same (recipe, limits, bench ...): name, before, after.
    """

    before: RunSummary
    after: RunSummary
    bins: dict[tuple[int | None, int | None], int]
    only_before: tuple[tuple[int, int], ...]
    only_after: tuple[tuple[int, int], ...]
    figures: tuple[FigureComparison, ...]
    differences: tuple[tuple[str, str, str], ...]


class Catalogue:
    """The runs under some folders.

    Args:
        roots: folders of runs, on this machine or on shares; looked through each time a question is asked.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(roots)
        self.problems: list[str] = []
        """What could not be read when it was last looked through, in words."""

    def entries(
        self, *, lot: str | None = None, wafer: str | None = None, bench: str | None = None
    ) -> list[CatalogueEntry]:
        """Runs, oldest first, each once; those of a lot, wafer or bench only, if one is named."""
        self.problems = []
        found: dict[str, CatalogueEntry] = {}
        for root in self.roots:
            for entry in self._under(root):
                known = found.get(entry.summary.run_id)
                if known is None or (entry.recorded and not known.recorded):
                    found[entry.summary.run_id] = entry
        wanted = {"lot": lot, "wafer": wafer, "bench": bench}
        chosen = [
            entry
            for entry in found.values()
            if all(value is None or getattr(entry.summary, key) == value for key, value in wanted.items())
        ]
        return sorted(chosen, key=lambda entry: (entry.summary.started_wall, entry.summary.run_id))

    def entry(self, run: str) -> CatalogueEntry:
        """One run by its id or the unambiguous beginning of it. Raises InputError if there is none, or several."""
        entries = self.entries()
        matching = [entry for entry in entries if entry.summary.run_id.startswith(run)]
        exact = [entry for entry in matching if entry.summary.run_id == run]
        if len(exact or matching) != 1:
            few = ", ".join(entry.summary.run_id for entry in (matching or entries)[-5:])
            remedy = f"Give one of {few}" if few else "There is none here; give the folder of runs with --root"
            what = f"several runs begin with {run!r}" if matching else f"there is no run {run!r}"
            raise InputError(what, where=", ".join(map(str, self.roots)), remedy=remedy)
        return (exact or matching)[0]

    def die_table(self, runs: Sequence[str] | None = None, **names: str | None) -> pyarrow.Table:
        """The die tables of runs as one, by their ids or by lot, wafer, bench; columns that a run lacks are null.

        Raises InputError if there are none.
        """
        import pyarrow as pa

        entries = self.entries(**names) if runs is None else [self.entry(run) for run in runs]
        tables = [_die_table(entry).replace_schema_metadata(None) for entry in entries]
        if not tables:
            raise InputError("no run fits", where=", ".join(map(str, self.roots)))
        return pa.concat_tables(tables, promote_options="permissive")

    def files(self, kind: Literal["dies", "cells"], **names: str | None) -> list[Path]:
        """Parquet files of the exported runs, for DuckDB, Dask, Spark or pyarrow.dataset."""
        pattern = "dies.parquet" if kind == "dies" else "*_cells.parquet"
        folders = [entry.exports for entry in self.entries(**names) if entry.exports is not None]
        return [path for folder in folders for path in sorted(folder.glob(pattern))]

    def compare(self, before: str, after: str) -> Comparison:
        """Two runs of the same or of different wafers, die by die. Raises InputError if one is not there."""
        one, other = self.entry(before), self.entry(after)
        return _compared(one.summary, other.summary, _die_table(one), _die_table(other))

    def _under(self, root: Path) -> list[CatalogueEntry]:
        if not root.is_dir():
            self.problems.append(f"{root}: not there")
            return []
        found = []
        for path in _run_files(root):
            try:
                is_record = path.name == LEDGER
                found.append(
                    _recorded(path.parent) if is_record else CatalogueEntry(RunSummary.load(path), path.parent, None)
                )
            except (MtjlabError, OSError) as error:
                self.problems.append(str(error))
        return found


def touchdowns_of_card(root: Path, card: str) -> int:
    """How often a probe card has touched down in the runs that lie directly in a folder; damaged ones do not count."""
    found = 0
    for folder in root.iterdir() if root.is_dir() else ():
        if (folder / LEDGER).is_file():
            with suppress(MtjlabError, OSError):
                summary = _recorded(folder).summary
                found += summary.touchdowns * (summary.probe_card == card)
    return found


def _run_files(root: Path) -> Iterator[Path]:
    """Ledgers and summaries under a folder; what lies in the folder of a run is not looked through: it can be a lot."""
    for folder, below, files in os.walk(root):
        below.sort()
        for name in (LEDGER, SUMMARY):
            if name in files:
                below.clear()
                yield Path(folder) / name
                break


def _recorded(folder: Path) -> CatalogueEntry:
    """A run where it was recorded: as it is now, with its exports if they are there."""
    with open_run(folder) as run:
        summary = RunSummary.of(run)
    exports = folder / EXPORTS
    return CatalogueEntry(summary, exports if (exports / SUMMARY).is_file() else None, folder)


def _die_table(entry: CatalogueEntry) -> pyarrow.Table:
    import pyarrow.parquet

    if entry.recorded is not None:
        from .export_tables import die_table

        with open_run(entry.recorded) as run:
            return die_table(run)
    path = (entry.exports or Path()) / "dies.parquet"
    try:
        return pyarrow.parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the table of dies cannot be read ({error})", where=str(path), remedy="Publish the run again"
        ) from error


def _compared(before: RunSummary, after: RunSummary, one: Any, other: Any) -> Comparison:
    rows = [
        {(row["x"], row["y"]): row for row in table.to_pylist() if row["attempt"] is not None} for table in (one, other)
    ]
    common = [place for place in rows[0] if place in rows[1]]
    bins: dict[tuple[int | None, int | None], int] = {}
    for place in common:
        pair = (rows[0][place]["hard_bin"], rows[1][place]["hard_bin"])
        bins[pair] = bins.get(pair, 0) + 1
    names = [name for name in _figures(one) if name in _figures(other)]
    compared = [_figure(name, common, rows) for name in names]
    return Comparison(
        before,
        after,
        bins,
        tuple(place for place in rows[0] if place not in rows[1]),
        tuple(place for place in rows[1] if place not in rows[0]),
        tuple(each for each in compared if each is not None),
        _differences(before, after),
    )


def _figures(table: Any) -> list[str]:
    """Names of the columns after those that every table has."""
    return list(table.column_names[table.column_names.index("bench_seconds") + 1 :])


def _figure(
    name: str, common: list[tuple[int, int]], rows: list[dict[tuple[int, int], Any]]
) -> FigureComparison | None:
    """None where no die has it in both."""
    values = np.array([[_number(rows[k][place][name]) for k in (0, 1)] for place in common]).reshape(-1, 2)
    both = np.isfinite(values).all(axis=1)
    if not both.any():
        return None
    values, places = values[both], [place for place, has in zip(common, both, strict=True) if has]
    changes = values[:, 1] - values[:, 0]
    largest = int(np.abs(changes).argmax())
    before, after = (float(median) for median in np.median(values, axis=0))
    extreme = float(changes[largest])
    return FigureComparison(name, len(places), before, after, float(np.median(changes)), extreme, places[largest])


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _differences(before: RunSummary, after: RunSummary) -> tuple[tuple[str, str, str], ...]:
    names = ("lot", "wafer", "bench", "recipe_name", "recipe_revision", "recipe_sha256", "limits_revision", "operator")
    pairs = [(name, str(getattr(before, name)), str(getattr(after, name))) for name in names]
    return tuple(pair for pair in pairs if pair[1] != pair[2])
