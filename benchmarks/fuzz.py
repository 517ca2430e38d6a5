"""A million random and mutated messages over every simulated instrument: nothing escapes, hangs or grows."""

from __future__ import annotations

import gc
import itertools
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, packaged_benches
from mtjlab.sim_instruments.wire_instrument import NoReply, WireInstrument

from ._fuzz_messages import Make, maker

MESSAGES, QUICK_MESSAGES = 1_000_000, 20_000
LIMIT_SECONDS = 5.0
"""A message that takes longer counts as a hang."""
WARM_UP = 0.3
"""Share of the messages after which memory is first taken: caches and Lua's heaps are full by then."""
_SLICE = 100
_SEED = 488
_INVALID = (b"XYZZY:PLUGH 1", b"][", b"XYZZY?", b"*PLUGH")
_KEPT = 20


class _TooLong(BaseException):
    """Not an Exception: what catches those must not catch this."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise _TooLong

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def resident_megabytes() -> float:
    """Memory of this process now; where the system does not tell, the most it has had."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


class _Target:
    """One instrument under test."""

    def __init__(self, bench: str, address: str, instrument: WireInstrument, seed: int) -> None:
        self.name = f"{bench}:{instrument.name or address}"
        self.model = type(instrument).__name__
        self.instrument = instrument
        self.rng = random.Random(seed)
        self.make: Make = maker(instrument, self.rng)
        self.counts: Counter[str] = Counter()
        self.worst_seconds = 0.0
        self.worst_message = b""

    def shot(self) -> tuple[bytes, BaseException] | None:
        """One message or bus operation; returns what it was and what escaped, if something did."""
        message, invalid = self.make(), False
        if self.rng.random() < 0.01:
            message, invalid = self.rng.choice(_INVALID), hasattr(self.instrument, "status")
        started = time.perf_counter()
        try:
            if invalid:
                self._invalid(message)
            else:
                self._message(message)
        except (Exception, _TooLong) as error:
            return message, error
        finally:
            took = time.perf_counter() - started
            self.counts["messages"] += 1
            if took > self.worst_seconds:
                self.worst_seconds, self.worst_message = took, message
        return None

    def rest(self) -> None:
        """Reset it: what it plays or drives must not slow down the others, who share its world."""
        self.instrument.device_clear(0.0)
        self.instrument.receive(b"*RST\n", is_end=True, bus_seconds=0.0)

    def _message(self, message: bytes) -> None:
        instrument, way = self.instrument, self.rng.random()
        if way < 0.02:
            instrument.device_clear(0.0)
        elif way < 0.03:
            instrument.poll(timeout_seconds=0.0, bus_seconds=0.0)
        elif way < 0.04:
            instrument.group_trigger(0.0)
        instrument.receive(message + b"\n", is_end=way > 0.1, bus_seconds=0.0)
        if way < 0.7:
            try:
                for _ in range(20):
                    instrument.send(10**6, timeout_seconds=None, termination=None, bus_seconds=0.0)
                    self.counts["answers"] += 1
            except NoReply:
                pass

    def _invalid(self, message: bytes) -> None:
        instrument: Any = self.instrument
        instrument.device_clear(0.0)
        instrument.receive(b"*CLS\n", is_end=True, bus_seconds=0.0)
        instrument.receive(message + b"\n", is_end=True, bus_seconds=0.0)
        self.counts["invalid"] += 1
        self.counts["reported"] += bool(len(instrument.status.errors))


def _targets() -> list[_Target]:
    found = []
    for name in packaged_benches():
        bench = SimBench(bench_path(name))
        for address, instrument in bench.by_address.items():
            found.append(_Target(name, address, instrument, _SEED + len(found)))
    return found


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    total = QUICK_MESSAGES if quick else MESSAGES
    targets = _targets()
    escaped: list[str] = []
    hangs: list[str] = []
    started, warm, fired = time.perf_counter(), 0.0, 0
    for target in itertools.cycle(targets):
        if fired >= total:
            break
        if not warm and fired >= WARM_UP * total:
            warm = resident_megabytes()
        for _ in range(min(_SLICE, total - fired)):
            fired += 1
            with _time_limit(LIMIT_SECONDS):
                failure = target.shot()
            if failure is not None:
                message, error = failure
                kind = "hangs" if isinstance(error, _TooLong) else "escaped"
                target.counts[kind] += 1
                (hangs if kind == "hangs" else escaped).append(f"{target.model}: {message[:300]!r}: {error!r}")
        target.rest()
    after = resident_megabytes()
    rows: list[list[Any]] = [
        ["instrument", "messages", "answers", "invalid", "reported", "escaped", "hangs", "worst-ms"]
    ]
    for target in targets:
        counts = [target.counts[key] for key in ("messages", "answers", "invalid", "reported", "escaped", "hangs")]
        rows.append([target.name, *counts, f"{1000 * target.worst_seconds:.1f}"])
    invalid, reported = (sum(target.counts[key] for target in targets) for key in ("invalid", "reported"))
    slowest = max(targets, key=lambda target: target.worst_seconds)
    figures = {
        "messages": fired,
        "instruments": len(targets),
        "models": len({target.model for target in targets}),
        "escaped": len(escaped),
        "hangs": len(hangs),
        "invalid_messages": invalid,
        "invalid_messages_reported": reported,
        "worst_message_seconds": round(slowest.worst_seconds, 3),
        "worst_message": f"{slowest.model}: {slowest.worst_message[:200]!r}",
        "rss_megabytes_warm": round(warm, 1),
        "rss_megabytes_after": round(after, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "examples": sorted(set(escaped))[:_KEPT] + hangs[:_KEPT],
    }
    return f"{fired} messages to {len(targets)} instruments", rows, figures
