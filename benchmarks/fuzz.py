"""A million random and mutated messages over every simulated instrument and VISA: nothing escapes, hangs or grows."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, packaged_benches, sim_bench

from ._fuzz_targets import BusTarget, Target, VisaTarget
from ._fuzz_watch import TooLong, Watchdog, resident_megabytes

MESSAGES, QUICK_MESSAGES = 1_000_000, 20_000
LIMIT_SECONDS = 5.0
"""A message that takes longer counts as a hang."""
WARM_UP = 0.3
"""Share of the messages after which memory is first taken: caches and Lua's heaps are full by then."""
_SLICE = 100
_SEED = 488
_KEPT = 40


def _targets(seed: int) -> list[Target]:
    found: list[Target] = []
    for name in packaged_benches():
        bench = SimBench(bench_path(name))
        for address, instrument in bench.by_address.items():
            found.append(BusTarget(name, address, instrument, seed + len(found)))
    found.append(VisaTarget(sim_bench("showroom"), seed + len(found)))
    return found


def _shots(targets: list[Target], total: int) -> Iterator[Target]:
    """Whom to shoot at: each target for a slice, again and again; each rests after its slice."""
    fired = 0
    for target in itertools.cycle(targets):
        for _ in range(min(_SLICE, total - fired)):
            fired += 1
            yield target
        target.rest()
        if fired >= total:
            return


def run(*, quick: bool, messages: int | None = None, seed: int = _SEED) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    total = messages or (QUICK_MESSAGES if quick else MESSAGES)
    targets = _targets(seed)
    failures: dict[str, str] = {}
    started, warm = time.perf_counter(), 0.0
    watchdog = Watchdog(LIMIT_SECONDS)
    for fired, target in enumerate(_shots(targets, total)):
        if not warm and fired >= WARM_UP * total:
            warm = resident_megabytes()
        kind, failure = "escaped", None
        try:
            with watchdog:
                failure = target.shot()
        except TooLong as error:
            kind, failure = "hangs", (target.worst_message, error)
        if failure is not None:
            message, problem = failure
            target.counts[kind] += 1
            failures.setdefault(f"{target.model}: {_where(problem)}", repr(message[:300]))
    watchdog.close()
    return f"{total} messages to {len(targets)} targets", _rows(targets), _figures(targets, failures, started, warm)


def _where(problem: BaseException) -> str:
    """What it was and which line it came from."""
    at = problem.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = "" if at is None else f" at {at.tb_frame.f_code.co_filename.rpartition('/')[2]}:{at.tb_lineno}"
    return f"{type(problem).__name__}: {str(problem)[:150]}{place}"


def _rows(targets: list[Target]) -> list[list[Any]]:
    keys = ("messages", "answers", "invalid", "reported", "escaped", "hangs")
    rows: list[list[Any]] = [["target", *keys, "worst-ms"]]
    for target in targets:
        rows.append([target.name, *(target.counts[key] for key in keys), f"{1000 * target.worst_seconds:.1f}"])
    return rows


def _figures(targets: list[Target], failures: dict[str, str], started: float, warm: float) -> dict[str, Any]:
    counts = {
        key: sum(t.counts[key] for t in targets) for key in ("messages", "escaped", "hangs", "invalid", "reported")
    }
    slowest = max(targets, key=lambda target: target.worst_seconds)
    return {
        "messages": counts["messages"],
        "instruments": sum(isinstance(target, BusTarget) for target in targets),
        "models": len({target.model for target in targets if isinstance(target, BusTarget)}),
        "escaped": counts["escaped"],
        "hangs": counts["hangs"],
        "invalid_messages": counts["invalid"],
        "invalid_messages_reported": counts["reported"],
        "worst_message_seconds": round(slowest.worst_seconds, 3),
        "worst_message": f"{slowest.model}: {slowest.worst_message[:200]!r}",
        "rss_megabytes_warm": round(warm, 1),
        "rss_megabytes_after": round(resident_megabytes(), 1),
        "seconds": round(time.perf_counter() - started, 1),
        "examples": [f"{problem} <- {message}" for problem, message in sorted(failures.items())][:_KEPT],
    }
