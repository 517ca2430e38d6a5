"""A recorded wafer run, opened for reading: also while it goes on, in another program, or as a copy on a share.

It needs neither QCoDeS nor the instruments. Every question reads the disk anew, so that an open run shows what has been
saved so far; what is read is compared with the SHA-256 that was kept with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .die_maps import DieMaps
from .errors import InputError, RecordError
from .ledger_rows import AttemptRow, Binning, DieRow, EventRow, LedgerView
from .map_rows import MapRows
from .nouns import ArrayMap, DieId
from .provenance import Provenance
from .run_arrays import ArrayReference, RunArrays
from .run_files import FileReference, RunFiles
from .run_folder import require_begun
from .run_names import ARRAYS, DATABASE, FILES, LEDGER
from .run_plan import RunPlan

if TYPE_CHECKING:
    import xarray


class StoredRun:
    """A run in its folder, see `mtjlab.store.open_run`. Use it as a context manager, or close it.

    Raises InputError if there is no run, RecordError if it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        require_begun(self.folder)
        self._ledger = LedgerView(self.folder / LEDGER)
        self._rows = MapRows(self.folder / DATABASE)
        self._arrays, self._files = RunArrays(self.folder / ARRAYS), RunFiles(self.folder / FILES)

    def __repr__(self) -> str:
        dies = f"{len(self.plan.dies)} dies"
        what = f"{self.run_id}, wafer {self.plan.wafer}, {dies}, {self.state}"
        return f"{type(self).__name__}({what}, {str(self.folder)!r})"

    def __enter__(self) -> StoredRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its files."""
        self._ledger.close()
        self._rows.close()

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

    def fact(self, key: str) -> str:
        """A text that the ledger keeps with the run, e.g. `bench_<session>`; "" if there is none."""
        return self._ledger.fact(key)

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

    def maps(self, die: DieId, step: str, attempt: int | None = None, name: str = "") -> list[ArrayMap]:
        """Maps of a die, one per kernel, of the attempt that counts or of a given one.

        Args:
            name: of one of the `further_maps` of the step; "" for the step's own: what the die was at its end.

        Raises InputError if there are none, RecordError if they are not what was written.
        """
        number = self._attempt_of(die) if attempt is None else attempt
        record = self._record(number, step)
        if tuple(record["die"]) != (die.x, die.y):
            raise InputError(f"attempt {number} is of die {tuple(record['die'])}, not ({die.x}, {die.y})")
        return self._rows.read(_named(record, name), die, f"attempt {number}, step {step}{name and f', {name}'}")

    def map_name(self, step: str, attempt: int | None) -> str:
        """What the step itself calls the map that `maps` gives; "" where it has no name."""
        return "" if attempt is None else str(self._record(attempt, step).get("map_name", ""))

    def further_maps(self, step: str, attempt: int | None = None) -> list[str]:
        """Names of the maps that a step gave on its way to its own, over all attempts or of one."""
        records = self._ledger.steps().items()
        own = [record for key, record in records if key[1] == step and attempt in (None, key[0])]
        return list(dict.fromkeys(name for record in own for name in record.get("more_maps", {})))

    def die_maps(self, step: str, dies: Sequence[DieId] | None = None, name: str = "") -> DieMaps:
        """Maps of all dies that have this step, in the plan's order, or of some, for the bridge and the engine."""
        chosen = self.dies_with(step, name) if dies is None else list(dies)
        if not chosen:
            raise InputError(f"no die has data of step {step!r} yet", where=str(self.folder))
        counts = {row.die: row.attempt for row in self.dies()}
        return DieMaps.of([self.maps(die, step, counts.get(die), name) for die in chosen])

    def dies_with(self, step: str, name: str = "") -> list[DieId]:
        """Dies whose attempt that counts has data of a step, or one of its `further_maps`, in the plan's order."""
        kept = self._ledger.kept() if not name else self._kept_with(name)
        return [row.die for row in self.dies() if row.attempt is not None and (row.attempt, step) in kept]

    def has_step(self, attempt: int, step: str) -> bool:
        """Whether an attempt has data of a step."""
        return (attempt, step) in self._ledger.kept()

    def dataset(
        self,
        step: str,
        dies: Sequence[DieId] | None = None,
        binning: int | None = None,
        with_arrays: bool = False,
        name: str = "",
    ) -> xarray.Dataset:
        """A step as an xarray Dataset: maps (die, kernel, row, col), figures (die,), with units and provenance.

        Args:
            step: of the plan.
            dies: which; None for all that have data.
            binning: of the bins that stand beside the dies; None: the newest.
            with_arrays: whether the large arrays are read too, as (die, ...).
            name: of one of the `further_maps`; its dataset has no figures.
        """
        from .run_dataset import step_dataset

        return step_dataset(self, step, dies, binning, with_arrays, name)

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

    def details(self, attempt: int, step: str) -> dict[str, Any]:
        """What else a step had to say, as plain values: why it ended, what it wrote, points of single cells."""
        return dict(self._record(attempt, step).get("details", {}))

    def files(self, attempt: int, step: str) -> list[FileReference]:
        """Small files of an attempt, e.g. trained networks."""
        return [FileReference(**each) for each in self._record(attempt, step).get("files", ())]

    def file(self, die: DieId, step: str, name: str, attempt: int | None = None) -> bytes:
        """A small file of a die. Raises InputError if there is none, RecordError if it is not what was written."""
        number = self._attempt_of(die) if attempt is None else attempt
        found = {each.name: each for each in self.files(number, step)}
        if name not in found:
            raise InputError(
                f"attempt {number} has no file {name!r} in step {step!r}", remedy=f"It has {', '.join(found) or 'none'}"
            )
        return self._files.read(found[name])

    def names_kept(self, attempt: int, step: str) -> list[str]:
        """What there is of a step beside its figures and its own map: further maps, large arrays, files."""
        record = self._record(attempt, step)
        own = [each["name"] for each in (*record["arrays"], *record.get("files", ()))]
        return [*record.get("more_maps", {}), *own]

    def kept(self) -> set[tuple[int, str]]:
        """The (attempt, step) that have data."""
        return self._ledger.kept()

    def problems(self) -> list[str]:
        """What on the disk is not what was written, over all attempts; empty if all is."""
        found = []
        for (attempt, step), record in self._ledger.steps().items():
            die = DieId(self.plan.wafer, *record["die"])
            try:
                for name in ("", *record.get("more_maps", {})):
                    self._rows.read(_named(record, name), die, f"attempt {attempt}, step {step}{name and f', {name}'}")
                for reference in self.references(attempt, step):
                    self._arrays.read(reference)
                for file in self.files(attempt, step):
                    self._files.read(file)
            except RecordError as error:
                found.append(str(error))
        return found

    def _kept_with(self, name: str) -> set[tuple[int, str]]:
        steps = self._ledger.steps()
        return {key for key, record in steps.items() if name in (record.get("map_name"), *record.get("more_maps", {}))}

    def _attempt_of(self, die: DieId) -> int:
        found = self._ledger.counting(die)
        if found is None:
            raise InputError(f"die {tuple(die)} is not in this run", where=str(self.folder))
        state, attempt = found
        if attempt is None:
            raise InputError(f"die ({die.x}, {die.y}) is {state} and has no data that count")
        return attempt

    def _record(self, attempt: int, step: str) -> dict[str, Any]:
        record = self._ledger.step(attempt, step)
        if record is None:
            raise InputError(f"attempt {attempt} has no data of step {step!r}", where=str(self.folder))
        return record


def _named(record: dict[str, Any], name: str) -> dict[str, Any]:
    """The part of a step's record that speaks of one of its maps."""
    if name in ("", record.get("map_name")):
        return record
    others: dict[str, dict[str, Any]] = record.get("more_maps", {})
    if name not in others:
        raise InputError(f"there is no map {name!r}", remedy=f"There are {', '.join(others) or 'no further maps'}")
    return others[name]
