"""Every fault of the simulated bench at every message of a read and of a write: what it leaves behind on each bench."""

from __future__ import annotations

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ._fault_cases import KINDS, PHASES, Case, Undisturbed, cases, cases_in_the_middle, undisturbed
from ._fault_rig import JOBS, Rig
from ._fault_verdict import Verdict, judged

BENCHES = ("passive15", "linked15", "biased15")
_SAMPLE = 150
_SHOWN = 40


def verdicts(benches: Iterable[str] = BENCHES, sample: int | None = None, seed: int = 0) -> list[Verdict]:
    """Run all cases on these packaged benches, or so many of them, drawn from every phase and kind alike."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        rigs = {name: Rig(name, Path(folder)) for name in benches}
        try:
            runs = {(name, job): undisturbed(rig, job) for name, rig in rigs.items() for job in JOBS}
            chosen = [
                case
                for (name, job), run in runs.items()
                for every in (cases, cases_in_the_middle)
                for case in every(rigs[name], job, run)
            ]
            if sample is not None:
                chosen = _drawn(chosen, sample, random.Random(seed))
            for case in chosen:
                found.append(_tried(rigs[case.bench], case, runs[case.bench, case.job]))
        finally:
            for rig in rigs.values():
                rig.close()
    return found


def _tried(rig: Rig, case: Case, run: Undisturbed) -> Verdict:
    outcome = rig.run(case.job, lambda bench, *_: case.inject(bench))
    assert run.outcome is not None
    return judged(case, outcome, run.outcome)


def _drawn(chosen: Sequence[Case], sample: int, rng: random.Random) -> list[Case]:
    """One case after the other from each combination of bench, kind and phase in turn."""
    groups: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in chosen:
        groups[case.bench, case.kind, case.operation.phase].append(case)
    drawn: list[Case] = []
    for group in groups.values():
        rng.shuffle(group)
    names = list(groups)
    while len(drawn) < min(sample, len(chosen)):
        rng.shuffle(names)
        drawn += [groups[name].pop() for name in names if groups[name]]
    return drawn[:sample]


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    found = verdicts(sample=_SAMPLE if quick else None)
    failed = [verdict for verdict in found if verdict.failures]
    noticed = {kind: Counter(v.noticed for v in found if v.case.kind == kind) for kind in KINDS}
    columns = ("harmless", "stopped", "wrong, then stopped", "wrong, marked", "wrong, unnoticed")
    rows: list[list[Any]] = [["fault", "cases", "failures", *columns]]
    for kind in KINDS:
        failures = sum(verdict.case.kind == kind for verdict in failed)
        rows.append([kind, noticed[kind].total(), failures, *(noticed[kind][column] for column in columns)])
    figures = {
        "cases": len(found),
        "failures": len(failed),
        "failures_by_kind": _counted(failed, lambda v: v.case.kind),
        "failures_by_phase": _counted(failed, lambda v: v.case.operation.phase),
        "failures_by_bench": _counted(failed, lambda v: v.case.bench),
        "cases_by_phase": {phase: sum(v.case.operation.phase == phase for v in found) for phase in PHASES},
        "cases_by_bench": _counted(found, lambda v: v.case.bench),
        "noticed_by_kind": {kind: dict(counts) for kind, counts in noticed.items()},
        "readings_told_wrong": sum(verdict.wrong for verdict in found),
        "first_failures": [f"{verdict.case}: {'; '.join(verdict.failures)}" for verdict in failed[:_SHOWN]],
    }
    return "Faults at every moment of a read and of a write", rows, figures


def _counted(found: Iterable[Verdict], key: Any) -> dict[str, int]:
    return dict(sorted(Counter(key(verdict) for verdict in found).items()))
