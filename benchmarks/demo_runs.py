"""Runs `mtjlab demo --json` as a person would, several at a time, and gives back each result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def run_demo(arguments: Sequence[str]) -> dict[str, Any]:
    """One run in a process and folder of its own; raises RuntimeError with what it said if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mtjlab", "demo", "--json", "--out", str(Path(folder) / "run"), *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"mtjlab demo {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-800:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def run_demos(all_arguments: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Several runs, one per core at a time, in the order given."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(run_demo, all_arguments))
