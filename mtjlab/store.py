"""The folder of a run: readings line by line as they come, maps as they are finished, the result, the report.

Runs of whole wafers are recorded by `mtjlab.records`; `open_run` reads them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .nouns import ArrayMap, Line, Lines, Reading

if TYPE_CHECKING:
    from .stored_run import StoredRun

_HEADER = "bench_seconds,kind,driven,sensed,volts,amps,in_compliance,is_overflow\n"


class RunFolder:
    """Where a run keeps everything. Made on construction; raises InputError if that is impossible.

    Files: `readings.csv` (one line per reading or pulse, on disk at once), `maps/*.npz`, `result.json`, and copies of
    what the run was made from.

    Args:
        path: a new or empty folder.
        clock: seconds of bench time, for the readings; can be replaced later.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path.resolve()
        self._is_new = not self.path.exists()
        self._lines = 0
        self.clock = clock
        remedy = "Give another folder with --out"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise InputError("the output folder is not empty", where=str(path), remedy=remedy)
            (self.path / "maps").mkdir()
            self._readings = (self.path / "readings.csv").open("w", buffering=1, encoding="utf-8", newline="\n")
            self._readings.write(_HEADER)
        except OSError as error:
            raise InputError(
                f"the output folder cannot be written ({error.strerror})", where=str(path), remedy=remedy
            ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, {self._lines} readings and pulses)"

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readings.close()

    def listen(self, kind: str, lines: Lines, sense: Sequence[Line], readings: Sequence[Reading]) -> None:
        """Keep the readings of one transaction; a bench's listener."""
        driven = _driven(lines)
        self._lines += len(readings)
        for line, reading in zip(sense, readings, strict=True):
            flags = f"{int(reading.in_compliance)},{int(reading.is_overflow)}"
            self._readings.write(
                f"{self.clock():.6f},{kind},{driven},{line.axis[0]}{line.number},"
                f"{reading.volts:.6e},{reading.amps:.6e},{flags}\n"
            )

    def discard(self) -> None:
        """Take the folder away again, if this run made it and nothing was measured into it."""
        self._readings.close()
        if self._is_new and self._lines == 0:
            shutil.rmtree(self.path, ignore_errors=True)

    def keep_map(self, name: str, array_map: ArrayMap) -> None:
        """Write a map under `maps/`; it replaces an earlier one of that name only when it is complete on disk."""
        target = self.path / "maps" / f"{name}.npz"
        temporary = target.with_name(f"{name}.partial.npz")
        array_map.save(temporary)
        temporary.replace(target)

    def keep_file(self, source: Path, name: str | None = None) -> Path:
        """Copy a file that the run was made from."""
        return Path(shutil.copyfile(source, self.path / (name or source.name)))

    def write_result(self, result: dict[str, Any]) -> Path:
        """Write `result.json`."""
        target = self.path / "result.json"
        temporary = target.with_suffix(".json.partial")
        temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(target)
        return target


def open_run(folder: Path) -> StoredRun:
    """Open the recorded run of a wafer, finished or in progress: its dies, ArrayMaps and xarray Datasets.

    Raises InputError if there is none in the folder, RecordError if it cannot be read.
    """
    from .stored_run import StoredRun

    return StoredRun(folder)


def _driven(lines: Lines) -> str:
    """The lines away from 0 V, e.g. `r3=0.1 c4=0.05`; floating ones as `r3=open`."""
    parts = []
    for letter, volts in (("r", lines.row_volts), ("c", lines.col_volts)):
        for number, level in enumerate(volts):
            if level != 0:
                parts.append(f"{letter}{number}={'open' if level != level else format(level, 'g')}")
    return " ".join(parts)
