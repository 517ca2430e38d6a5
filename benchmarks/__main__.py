"""Runs one benchmark by name: its table on standard output and, as the last line, one line of JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent


def names() -> dict[str, str]:
    """Benchmarks on disk and the first line of each one's docstring."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.stem.startswith("_") or path.stem == "demo_runs":
            continue
        module = importlib.import_module(f"benchmarks.{path.stem}")
        found[path.stem] = (module.__doc__ or "").splitlines()[0]
    return found


def main() -> None:
    """List the benchmarks, or run one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Print mtjlab's figures.")
    parser.add_argument("name", nargs="?", help="which benchmark; without it, the list")
    parser.add_argument("--quick", action="store_true", help="a smaller version of the same")
    arguments = parser.parse_args()
    known = names()
    if arguments.name is None:
        for name, what in known.items():
            print(f"{name:<12} {what}")
        return
    if arguments.name not in known:
        parser.error(f"no benchmark '{arguments.name}'; there are {', '.join(known)}")
    title, rows, result = importlib.import_module(f"benchmarks.{arguments.name}").run(quick=arguments.quick)
    table = Table(title=title)
    for heading in rows[0]:
        table.add_column(heading, justify="right")
    for row in rows[1:]:
        table.add_row(*[str(cell) for cell in row])
    Console(width=max(100, min(160, 14 * len(rows[0])))).print(table)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"benchmark": arguments.name, "quick": arguments.quick, "machine": machine, **result}))


if __name__ == "__main__":
    main()
