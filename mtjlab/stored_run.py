"""A recorded wafer run, opened for reading: also while it goes on, in another program, or as a copy on a share.

It needs neither QCoDeS nor the instruments. Every question reads the disk anew, so that an open run shows what has been
saved so far; what is read is compared with the SHA-256 that was kept with it.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .die_maps import MAP_ARRAYS, DieMaps
from .errors import InputError, RecordError
from .exchange_file import checksum
from .ledger_rows import AttemptRow, Binning, DieRow, EventRow, LedgerView
from .nouns import ArrayMap, Conditions, DieId
from .provenance import Provenance
from .run_arrays import ArrayReference, RunArrays
from .run_names import ARRAYS, DATABASE, LEDGER
from .run_plan import RunPlan
from .sqlite_files import connect_to_read, explained

if TYPE_CHECKING:
    import xarray


class StoredRun:
    """A run in its folder, see `mtjlab.store.open_run`. Use it as a context manager, or close it.

    Raises InputError if there is no run, RecordError if it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._ledger = LedgerView(self.folder / LEDGER)
        self._data: sqlite3.Connection | None = None
        self._arrays = RunArrays(self.folder / ARRAYS)

    def __enter__(self) -> StoredRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its files."""
        self._ledger.close()
        if self._data is not None:
            self._data.close()
            self._data = None

    @property
    def plan(self) -> RunPlan:
        """What the run set out to do."""
        return self._ledger.plan

    @property
    def run_id(self) -> str:
        """The same on every bench and share."""
        return self._ledger.facts["run_id"]

    @property
    def state(self) -> str:
        """How it ended: complete, stopped, failed; open if it has not, or was killed."""
        return self._ledger.fact("state")

    @property
    def reason(self) -> str:
        """Why it ended so."""
        return self._ledger.fact("reason")

    @property
    def started_wall(self) -> float:
        """When it began: seconds since 1970 by the bench's wall clock."""
        return float(self._ledger.facts["started_wall"])

    @property
    def ended_wall(self) -> float | None:
        """When it was ended last; None while it is open."""
        return float(self._ledger.fact("ended_wall")) if self.state != "open" else None

    @property
    def provenance(self) -> Provenance:
        """Where its data come from."""
        return Provenance.from_json(self._ledger.facts["provenance"])

    def dies(self, binning: int | None = None) -> list[DieRow]:
        """Every die in the plan's order, with bins of a binning (None: the newest, 0: the run's own)."""
        return self._ledger.dies(binning)

    def attempts(self, die: DieId | None = None) -> list[AttemptRow]:
        """Visits in their order, of all dies or of one."""
        return self._ledger.attempts(die)

    def events(self) -> list[EventRow]:
        """The audit log."""
        return self._ledger.events()

    def binnings(self) -> list[Binning]:
        """Sets of bins that were assigned after the run."""
        return self._ledger.binnings()

    def figures(self) -> dict[int, dict[str, float]]:
        """Figures of every attempt: by its number, then by `<step>.<name>`."""
        found: dict[int, dict[str, float]] = {}
        for (attempt, step), record in self._ledger.steps().items():
            own = found.setdefault(attempt, {})
            own |= {f"{step}.{name}": float(value) for name, value in record["figures"].items()}
        return found

    def maps(self, die: DieId, step: str, attempt: int | None = None) -> list[ArrayMap]:
        """Maps of a die, one per kernel, of the attempt that counts or of a given one.

        Raises InputError if there are none, RecordError if they are not what was written.
        """
        number = self._attempt_of(die) if attempt is None else attempt
        record = self._record(number, step)
        if tuple(record["die"]) != (die.x, die.y):
            raise InputError(f"attempt {number} is of die {tuple(record['die'])}, not ({die.x}, {die.y})")
        return self._maps(record, die, f"attempt {number}, step {step}")

    def die_maps(self, step: str, dies: Sequence[DieId] | None = None) -> DieMaps:
        """Maps of all dies that have this step, in the plan's order, or of some, for the bridge and the engine."""
        chosen = self.dies_with(step) if dies is None else list(dies)
        if not chosen:
            raise InputError(f"no die has data of step {step!r} yet", where=str(self.folder))
        counts = {row.die: row.attempt for row in self.dies()}
        return DieMaps.of([self.maps(die, step, counts.get(die)) for die in chosen])

    def dies_with(self, step: str) -> list[DieId]:
        """Dies whose attempt that counts has data of a step, in the plan's order."""
        kept = self._ledger.kept()
        return [row.die for row in self.dies() if row.attempt is not None and (row.attempt, step) in kept]

    def has_step(self, attempt: int, step: str) -> bool:
        """Whether an attempt has data of a step."""
        return (attempt, step) in self._ledger.kept()

    def dataset(
        self, step: str, dies: Sequence[DieId] | None = None, binning: int | None = None, with_arrays: bool = False
    ) -> xarray.Dataset:
        """A step as an xarray Dataset: maps (die, kernel, row, col), figures (die,), with units and provenance.

        Args:
            step: of the plan.
            dies: which; None for all that have data.
            binning: of the bins that stand beside the dies; None: the newest.
            with_arrays: whether the large arrays are read too, as (die, ...).
        """
        from .run_dataset import step_dataset

        return step_dataset(self, step, dies, binning, with_arrays)

    def array(self, die: DieId, step: str, name: str, attempt: int | None = None) -> NDArray[Any]:
        """A large array of a die. Raises InputError if there is none, RecordError if it is not what was written."""
        number = self._attempt_of(die) if attempt is None else attempt
        references = {reference.name: reference for reference in self.references(number, step)}
        if name not in references:
            raise InputError(
                f"attempt {number} has no array {name!r} in step {step!r}", remedy=f"It has {', '.join(references)}"
            )
        return self._arrays.read(references[name])

    def references(self, attempt: int, step: str) -> list[ArrayReference]:
        """Where the large arrays of an attempt are."""
        found = self._record(attempt, step)["arrays"]
        return [ArrayReference(**(each | {"shape": tuple(each["shape"])})) for each in found]

    def problems(self) -> list[str]:
        """What on the disk is not what was written, over all attempts; empty if all is."""
        found = []
        for (attempt, step), record in self._ledger.steps().items():
            die = DieId(self.plan.wafer, *record["die"])
            try:
                self._maps(record, die, f"attempt {attempt}, step {step}")
                for reference in self.references(attempt, step):
                    self._arrays.read(reference)
            except RecordError as error:
                found.append(str(error))
        return found

    def _attempt_of(self, die: DieId) -> int:
        for row in self.dies():
            if row.die == die:
                if row.attempt is None:
                    raise InputError(f"die ({die.x}, {die.y}) is {row.state} and has no data that count")
                return row.attempt
        raise InputError(f"die {tuple(die)} is not in this run", where=str(self.folder))

    def _record(self, attempt: int, step: str) -> dict[str, Any]:
        record = self._ledger.step(attempt, step)
        if record is None:
            raise InputError(f"attempt {attempt} has no data of step {step!r}", where=str(self.folder))
        return record

    def _maps(self, record: dict[str, Any], die: DieId, where: str) -> list[ArrayMap]:
        if not record["shape"]:
            return []
        arrays = self._columns(record["qcodes_run"], record["qcodes_row"], tuple(record["shape"]))
        wrong = [name for name, values in arrays.items() if checksum(values) != record["sha256"][name]]
        if wrong:
            raise RecordError(
                f"{', '.join(wrong)} of {where} is not what was written (SHA-256)",
                where=str(self.folder / DATABASE),
                remedy="Use another copy",
            )
        return [
            ArrayMap(
                **{name: values[kernel].copy() for name, values in arrays.items()},
                conditions=Conditions(**record["conditions"][kernel]),
                die=die,
                provenance=record["provenance"][kernel],
                is_partial=record["is_partial"][kernel],
            )
            for kernel in range(record["shape"][0])
        ]

    def _columns(self, qcodes_run: int, row: int, shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
        """The arrays of a row; those that were left out are all NaN."""
        path = self.folder / DATABASE
        if self._data is None:
            self._data = connect_to_read(path)
        with explained(path):
            named = self._data.execute("SELECT result_table_name FROM runs WHERE run_id = ?", (qcodes_run,)).fetchone()
            table = str(named[0] if named else "").replace('"', '""')
            query = f'SELECT {", ".join(MAP_ARRAYS)} FROM "{table}" WHERE id = ?'
            blobs = self._data.execute(query, (row,)).fetchone()
        if blobs is None:
            raise RecordError(f"row {row} of QCoDeS run {qcodes_run} is gone", where=str(path))
        return {
            name: np.full(shape, np.nan) if blob is None else _array_in(blob, path)
            for name, blob in zip(MAP_ARRAYS, blobs, strict=True)
        }


def _array_in(blob: bytes, path: Path) -> NDArray[Any]:
    """An array as QCoDeS stores it: NumPy's own format, without pickled objects."""
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(blob), allow_pickle=False))
    except (ValueError, EOFError, TypeError) as error:
        raise RecordError(f"an array in it is damaged ({error})", where=str(path)) from error
