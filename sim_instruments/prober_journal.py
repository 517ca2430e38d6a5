"""What a simulated station does not forget when the program that drives it ends: a journal in a file, a line an event.

A real station stands there with its card and its wafer while programs come and go. A simulated one lives in the
program's process; its journal brings touch-downs, marks, cleanings and the wafer's alignment back after a stop, a crash
or a kill.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mtjlab.errors import InputError

_KINDS = {"touched", "cleaned", "dragged", "aligned"}


class StationJournal:
    """Events of a station, in order. Each is on the disk before the station goes on.

    Args:
        path: of the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def events(self) -> list[tuple[str, list[float]]]:
        """Kind and numbers of each so far; a last line that a kill cut short did not happen, and goes.

        Raises InputError if another line is not one of a journal.
        """
        if not self._path.exists():
            return []
        whole, _, cut = self._path.read_text(encoding="utf-8").rpartition("\n")
        if cut:
            self._path.write_text(f"{whole}\n" if whole else "", encoding="utf-8", newline="\n")
        return [self._parsed(line, number) for number, line in enumerate(whole.splitlines(), 1)]

    def note(self, kind: str, *numbers: float) -> None:
        """One more."""
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps([kind, *numbers]) + "\n")

    def _parsed(self, line: str, number: int) -> tuple[str, list[float]]:
        try:
            found: Any = json.loads(line)
        except json.JSONDecodeError:
            found = None
        is_event = isinstance(found, list) and found and found[0] in _KINDS
        if not is_event or not all(isinstance(one, int | float) for one in found[1:]):
            raise InputError(
                "this is no line of a simulated station's journal",
                where=f"{self._path}, line {number}",
                remedy="Begin a new run, or put the file back as it was",
            )
        return found[0], found[1:]
