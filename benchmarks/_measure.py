"""How the crossbar benchmarks take CPU time and memory, and the arrays they all use."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from mtjlab.nouns import Floats

SEGMENT_OHMS = 2.0


def cpu_seconds(act: Callable[[], object], times: int, repeat: int = 1) -> float:
    """Median CPU seconds of one call, the first not counted; short ones `repeat` at a time."""
    act()
    taken = []
    for _ in range(times):
        started = time.process_time()
        for _ in range(repeat):
            act()
        taken.append((time.process_time() - started) / repeat)
    return median(taken)


def junctions(seed: int, *shape: int, shorts: float = 0.0, opens: float = 0.0) -> Floats:
    """Conductances of 5 to 20 kilohms, some shorts of 250 ohms and open cells."""
    rng = np.random.default_rng(seed)
    g, kinds = rng.uniform(5e-5, 2e-4, shape), rng.random(shape)
    g[kinds < shorts], g[kinds > 1 - opens] = 4e-3, 0.0
    return g


def blas() -> str:
    """Which kernels BLAS takes on this machine; OPENBLAS_CORETYPE in the environment would choose others."""
    kinds = {str(library.get("architecture")) for library in threadpool_info() if library.get("user_api") == "blas"}
    pinned = os.environ.get("OPENBLAS_CORETYPE")
    return "/".join(sorted(kinds)) + (f" (pinned by OPENBLAS_CORETYPE={pinned})" if pinned else "")


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of the straight line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def in_child(act: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What `act` returns in a process of its own, one BLAS thread, and the most memory it had, megabytes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_reporting, (act, arguments))  # type: ignore[no-any-return]


def _reporting(act: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    from mtjlab.physics.blas_threads import one_thread

    with one_thread():
        found = act(*arguments)
    return found, _peak_megabytes()


def _peak_megabytes() -> float:
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    if sys.platform == "linux":  # the figure of getrusage would be the parent's, if that was larger
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def significant(value: float, digits: int = 3) -> float:
    """Rounded to so many digits that mean something."""
    return round(value, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0.0
