"""What is where in the folder of a wafer run."""

from __future__ import annotations

LEDGER = "ledger.sqlite"
"""State of every die, attempts, reasons, bins: `ledger_rows.LedgerView` reads it."""
DATABASE = "data.db"
"""QCoDeS: a run per step, a row per attempt."""
ARRAYS = "arrays.zarr"
"""Large arrays."""
FILES = "files"
"""What else steps gave, e.g. trained networks: `<attempt>/<step>/<name>`."""
LOCK = "writer.lock"
"""Held by the one program that records the run."""
EXPORTS = "exports"
"""Files for others; made from the above at any time."""
SUMMARY = "run.json"
"""In the exports: what a catalogue needs to know of the run."""
