"""What a catalogue knows of a run: names, when, how it ended, dies by state, yield."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import InputError
from .stored_run import StoredRun
from .whole_files import whole_file

FORMAT = "mtjlab.RunSummary/1"


@dataclass(frozen=True)
class RunSummary:
    """A run in short.

    Attributes:
        state, reason: how it ended; "open" while it goes on, or if it was killed.
        started_wall, ended_wall: seconds since 1970 by the bench's clock.
        dies: number by state.
        hard_bins: number of dies by bin, of the newest binning.
        good: dies in a passing bin; `binned`: dies with a bin.
        seconds: of all attempts together; `bench_seconds` likewise, where known.
        steps: that data were kept of.
        files: SHA-256 of each exported file, by name.
        probe_card: its id, where somebody has told it.
    """

    run_id: str
    bench: str
    lot: str
    wafer: str
    state: str
    reason: str
    started_wall: float
    ended_wall: float | None
    operator: str
    recipe_name: str
    recipe_revision: str
    recipe_sha256: str
    limits_revision: str
    parent_run: str
    is_simulated: bool | None
    steps: tuple[str, ...]
    dies: dict[str, int]
    hard_bins: dict[int, int]
    good: int
    binned: int
    attempts: int
    touchdowns: int
    seconds: float
    bench_seconds: float
    files: dict[str, str] = field(default_factory=dict)
    probe_card: str = ""

    @property
    def yield_fraction(self) -> float:
        """Good dies among those with a bin; NaN if there are none."""
        return self.good / self.binned if self.binned else float("nan")

    @classmethod
    def of(cls, run: StoredRun, files: dict[str, str] | None = None) -> RunSummary:
        """Sum up a run as it is now."""
        known, rows, visits = run.provenance, run.dies(), run.attempts()
        binned = [row.hard_bin for row in rows if row.hard_bin is not None]
        return cls(
            run_id=run.run_id,
            bench=known.bench,
            lot=run.plan.lot,
            wafer=run.plan.wafer,
            state=run.state,
            reason=run.reason,
            started_wall=run.started_wall,
            ended_wall=run.ended_wall,
            operator=known.operator,
            recipe_name=known.recipe_name,
            recipe_revision=known.recipe_revision,
            recipe_sha256=known.recipe_sha256,
            limits_revision=known.limits_revision,
            parent_run=known.parent_run,
            is_simulated=known.is_simulated,
            steps=tuple(step for step in run.plan.steps if run.dies_with(step)),
            dies=dict(Counter(str(row.state) for row in rows)),
            hard_bins=dict(sorted(Counter(binned).items())),
            good=sum(number in run.plan.passing_bins for number in binned),
            binned=len(binned),
            attempts=len(visits),
            touchdowns=sum(visit.touchdowns for visit in visits),
            seconds=sum(visit.seconds or 0.0 for visit in visits),
            bench_seconds=sum(visit.bench_seconds or 0.0 for visit in visits),
            files=files or {},
            probe_card=known.probe_card,
        )

    def save(self, path: Path) -> Path:
        """Write it as JSON. Raises RecordError if the disk will not take it."""
        with whole_file(path) as unfinished:
            unfinished.write_text(json.dumps({"format": FORMAT} | asdict(self), indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> RunSummary:
        """Read what `save` wrote. Raises InputError for anything else."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if content.get("format") != FORMAT:
                raise InputError(f"unknown format {content.get('format')!r}", where=str(path))
            given = {f.name: content[f.name] for f in fields(cls) if f.name != "probe_card"}
            given["probe_card"] = str(content.get("probe_card", ""))  # younger than the format
            bins = {int(number): int(count) for number, count in given["hard_bins"].items()}
            return cls(**(given | {"hard_bins": bins, "steps": tuple(given["steps"])}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not the summary of a run ({error})", where=str(path)) from error
