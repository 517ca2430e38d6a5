"""Recording a wafer run so that nothing that was reported as saved is ever lost: ledger, QCoDeS rows, large arrays.

The order is what makes it safe: large arrays, then the QCoDeS row that refers to them, then the ledger, each on the
disk before the next begins; a die is done only after that. What a kill leaves half written is not referred to.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from filelock import BaseFileLock
from numpy.typing import NDArray

from .errors import InputError
from .ledger import Ledger
from .ledger_rows import DieState
from .nouns import ArrayMap, DieId
from .provenance import Provenance, differences
from .run_arrays import RunArrays
from .run_files import RunFiles
from .run_folder import require_begun, require_unused
from .run_names import ARRAYS, DATABASE, FILES, LEDGER
from .run_plan import RunPlan
from .run_record import require_names, require_same, row_record, snapshot_text
from .sqlite_files import explained, require_local
from .step_rows import StepRows, require_figures
from .writer_lock import writer_lock


@dataclass(frozen=True)
class Remaining:
    """What a resumed run has before it.

    Attributes:
        dies: still to be probed, in the plan's order: go to each by its coordinates.
        interrupted: dies among them that a crash caught in the middle, with the reason.
    """

    dies: tuple[DieId, ...]
    interrupted: tuple[tuple[DieId, str], ...]


class RunStore:
    """Records one run of one wafer. Use `create` or `open`, and as a context manager.

    Every method returns once what it was given is on the disk, and raises RecordError if that cannot be: the disk is
    full, another program holds a lock, the folder is gone. What was saved before stays; the same call may be tried
    again, and keeps nothing twice.
    """

    def __init__(self, folder: Path, ledger: Ledger, lock: BaseFileLock, lock_seconds: float) -> None:
        self.folder = folder
        self.plan = ledger.plan
        self._ledger, self._lock = ledger, lock
        self._arrays, self._files = RunArrays(folder / ARRAYS), RunFiles(folder / FILES)
        self._rows = StepRows(folder / DATABASE, self.plan, self._metadata(), ledger.fact("snapshot"), lock_seconds)
        self._going: tuple[DieId, int] | None = None
        self._in_doubt: set[tuple[int, str]] = set()

    @classmethod
    def create(
        cls,
        folder: Path,
        plan: RunPlan,
        provenance: Provenance,
        *,
        snapshot: Mapping[str, Any] | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        lock_seconds: float = 10.0,
    ) -> RunStore:
        """Begin a run on a local disk, in a new or empty folder, or one whose run ended before anything was recorded.

        Args:
            folder: of the run.
            plan: what it sets out to do.
            provenance: what is known of bench, recipe and people.
            snapshot: of the QCoDeS station (`Station.snapshot()`), kept once.
            wall, monotonic: clocks; replaced in tests.
            lock_seconds: how long a write waits for other programs' locks.

        Raises:
            InputError: there is a run or something else in the folder, or it lies on a share.
            RecordError: the disk will not take it.
        """
        require_local(folder)
        folder = folder.resolve()
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            require_unused(folder)
        lock = writer_lock(folder)
        try:
            require_unused(folder)  # another program may have begun meanwhile
            facts = {
                "run_id": f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(wall()))}-{uuid.uuid4().hex[:8]}",
                "provenance": provenance.to_json(),
                "snapshot": snapshot_text(snapshot),
                "started_wall": repr(wall()),
            }
            clocks = {"wall": wall, "monotonic": monotonic, "lock_seconds": lock_seconds}
            return cls(folder, Ledger.create(folder / LEDGER, plan, facts, **clocks), lock, lock_seconds)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        lock_seconds: float = 10.0,
    ) -> RunStore:
        """Open a run to go on with it, see `resume`.

        Raises InputError if there is none or another program is recording it, RecordError if it cannot be read.
        """
        require_local(folder)
        folder = folder.resolve()
        require_begun(folder)
        lock = writer_lock(folder)
        try:
            ledger = Ledger(folder / LEDGER, wall=wall, monotonic=monotonic, lock_seconds=lock_seconds)
            return cls(folder, ledger, lock, lock_seconds)
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def run_id(self) -> str:
        """Time (UTC) and a random part: the same on every bench and share."""
        return self._ledger.fact("run_id")

    @property
    def provenance(self) -> Provenance:
        """As it was given."""
        return Provenance.from_json(self._ledger.fact("provenance"))

    def _metadata(self) -> dict[str, str]:
        own = {f"mtjlab_{key}": self._ledger.fact(key) for key in ("run_id", "provenance")}
        return own | {"mtjlab_plan": self.plan.to_json()}

    def describe_bench(self, *, snapshot: Mapping[str, Any] | None = None, **known: Any) -> None:
        """Keep what is known once instruments and prober answer; to be called before the first die of a session.

        The first call completes the run's provenance and keeps the station's snapshot. After that the run goes on: what
        is no longer as it was is noted in the audit log ("bench changed"), and kept with the session.

        Args:
            snapshot: of the QCoDeS station.
            known: fields of `Provenance`.
        """
        before = self.provenance
        now = replace(before, **known)
        facts = {f"bench_{self._ledger.session}": json.dumps({k: v for k, v in asdict(now).items() if k in known})}
        if not self._ledger.fact("bench", ""):
            facts |= {"bench": str(self._ledger.session), "provenance": now.to_json()}
            facts |= {"snapshot": snapshot_text(snapshot)} if snapshot else {}
        self._ledger.set_facts(facts)
        for change in () if "provenance" in facts else differences(before, now):
            self._ledger.note("bench changed", change)
        self._rows.describe(self._metadata(), self._ledger.fact("snapshot"))

    def resume(self) -> Remaining:
        """What is left to do; attempts that a crash left open are ended as failed and their dies planned again."""
        interrupted = tuple((die, reason) for _, die, reason in self._ledger.end_interrupted())
        self._going = None
        left = self._ledger.left()
        if left:
            self._ledger.set_facts({"state": "open", "reason": ""})
        return Remaining(left, interrupted)

    def left(self) -> tuple[DieId, ...]:
        """Dies that are still to be probed, in the plan's order."""
        return self._ledger.left()

    def touchdowns(self) -> int:
        """Of all visits so far, also those of earlier sessions."""
        return self._ledger.touchdowns()

    def untold_bins(self) -> list[tuple[DieId, int]]:
        """Hard bins of finished dies that the prober's own map has not been told yet, in the plan's order."""
        return self._ledger.untold_bins()

    def bin_told(self, die: DieId, number: int) -> None:
        """The prober's own map has this bin of a die, or a person has decided that it need not."""
        self._ledger.set_bin_told(die, number)

    def plan_again(self, die: DieId, reason: str) -> None:
        """Have a die probed once more: a retest is another attempt of the same die."""
        self._ledger.plan_again(die, reason)

    def begin_attempt(self, die: DieId) -> int:
        """Begin a visit of a die, before the chuck moves; returns the attempt's number.

        Raises InputError for a die that is not in the plan, or while another attempt is going on.
        """
        attempt = self._ledger.begin_attempt(die)
        self._going = (die, attempt)
        return attempt

    def contacted(self, die: DieId, touchdowns: int) -> None:
        """The probes are down; `touchdowns` counts those of this attempt so far."""
        self._ledger.set_contacted(self._attempt(die), touchdowns)

    def measuring(self, die: DieId, step: str) -> None:
        """A step begins."""
        self._require_step(step)
        self._ledger.set_measuring(self._attempt(die), step)

    def keep(
        self,
        die: DieId,
        step: str,
        maps: ArrayMap | Sequence[ArrayMap] = (),
        scalars: Mapping[str, float] | None = None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
        *,
        map_name: str = "",
        more_maps: Mapping[str, Sequence[ArrayMap]] | None = None,
        files: Mapping[str, bytes] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what a step gave; on the disk when it returns. Keeping the same again does nothing.

        Args:
            die: whose attempt is going on.
            step: of the plan.
            maps: one map, or one per kernel, of equal shape.
            scalars: figures of the die by name (units: the plan's tests); truth values become 0 and 1.
            arrays: anything larger (repeats, traces), by name; one shape for all dies.
            map_name: what `maps` are called, where there are others.
            more_maps: other maps that the step gave, by name; one per kernel each.
            files: small files by name, e.g. "network.npz".
            details: plain values that nothing is judged by.

        Raises:
            InputError: no such attempt or step; names or values that cannot be kept; other data were kept for it.
            RecordError: it is not on the disk; try again when the reason is gone, or give the die up.
        """
        self._require_step(step)
        attempt = self._attempt(die)
        maps = [maps] if isinstance(maps, ArrayMap) else list(maps)
        figures, large, small = require_figures(scalars or {}), dict(arrays or {}), dict(files or {})
        others = {name: list(own) for name, own in (more_maps or {}).items()}
        require_names(figures, large, small, others, map_name)
        record = row_record(die, maps, figures, map_name, details)
        more = {name: row_record(die, own, {}, name) for name, own in others.items()}
        kept = self._ledger.kept(attempt, step)
        if kept is not None:
            require_same(kept, record, more, large, small)
            return
        record["files"] = [asdict(self._files.keep(step, name, attempt, each)) for name, each in small.items()]
        record["arrays"] = [asdict(self._arrays.keep(step, name, attempt, each)) for name, each in large.items()]
        record["more_maps"] = {
            name: own | self._row(f"{step}.{name}", attempt, others[name], {}, own) for name, own in more.items()
        }
        self._ledger.set_kept(attempt, step, record | self._row(step, attempt, maps, figures, record))
        self._in_doubt.clear()

    def _row(
        self, run: str, attempt: int, maps: Sequence[ArrayMap], figures: Mapping[str, float], record: dict[str, Any]
    ) -> dict[str, int]:
        """Where the row is in the database, which has it once, also if it seemed before that it was not written."""
        row = self._rows.find(run, attempt, record) if (attempt, run) in self._in_doubt else None
        self._in_doubt.add((attempt, run))
        if row is None:
            row = self._rows.add(run, attempt, maps, figures, record)
        return {"qcodes_run": row[0], "qcodes_row": row[1]}

    def finish(
        self,
        die: DieId,
        hard_bin: int,
        soft_bin: int,
        reason: str = "",
        *,
        first_failing: str = "",
        bench_seconds: float | None = None,
    ) -> None:
        """The die has been measured: done, with its bins. Raises InputError if no step of it was kept."""
        attempt = self._attempt(die)
        if not self._ledger.kept_steps(attempt):
            raise InputError(f"die ({die.x}, {die.y}) has no data", remedy="Keep its steps first, or use `fail`")
        bins: dict[str, Any] = {"hard_bin": int(hard_bin), "soft_bin": int(soft_bin), "first_failing": first_failing}
        self._ledger.finish(attempt, DieState.DONE, **bins, reason=reason, bench_seconds=bench_seconds)
        self._going = None

    def fail(
        self,
        die: DieId,
        reason: str,
        *,
        hard_bin: int | None = None,
        soft_bin: int | None = None,
        first_failing: str = "",
        bench_seconds: float | None = None,
        again: bool = False,
    ) -> None:
        """The die could not be measured (no contact, an instrument failed), and why; `again` plans it once more."""
        bins: dict[str, Any] = {"hard_bin": hard_bin, "soft_bin": soft_bin, "first_failing": first_failing}
        attempt = self._attempt(die)
        self._ledger.finish(attempt, DieState.FAILED, **bins, reason=reason, bench_seconds=bench_seconds, again=again)
        self._going = None

    def skip(self, die: DieId, reason: str) -> None:
        """The die is left out, and why; whether its attempt had begun or not."""
        attempt = self._going[1] if self._going and self._going[0] == die else self.begin_attempt(die)
        self._ledger.finish(attempt, DieState.SKIPPED, reason=reason)
        self._going = None

    def note(self, text: str, kind: str = "note") -> None:
        """Add to the audit log: who decided what, what the prober said."""
        self._ledger.note(kind, text, self._going[1] if self._going else None)

    def close(self, state: Literal["complete", "stopped", "failed"] = "complete", reason: str = "") -> None:
        """End the run, with the reason; it can be opened and gone on with nevertheless."""
        self._rows.complete({"mtjlab_state": state, "mtjlab_reason": reason})
        self._ledger.set_facts({"state": state, "reason": reason, "ended_wall": repr(self._ledger.wall_seconds())})
        self.leave()

    def leave(self) -> None:
        """Close the files without ending the run; without effect if they are closed."""
        self._rows.close()
        self._ledger.close()
        self._lock.release()

    def _attempt(self, die: DieId) -> int:
        if self._going is None or self._going[0] != die:
            raise InputError(f"no attempt of die ({die.x}, {die.y}) is going on", remedy="Call `begin_attempt` first")
        return self._going[1]

    def _require_step(self, step: str) -> None:
        if step not in self.plan.steps:
            raise InputError(f"step {step!r} is not in the plan", remedy=f"It has {', '.join(self.plan.steps)}")
