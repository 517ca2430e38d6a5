"""fs, io and os of TSP instruments, on a drive that exists in memory only (reference manuals, "File I/O")."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any

from .tsp_disk import MOST_OPEN, TspDisk
from .tsp_engine import PARAMETER_ERROR, TspEngine, TspError, is_table, number_argument, text_argument

Functions = dict[str, Callable[..., Any]]
_NUMBER = re.compile(rb"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")


class OpenFile:
    """An open file.

    Attributes:
        is_open: until it is closed.
    """

    def __init__(self, disk: TspDisk, name: str, mode: str) -> None:
        self._disk = disk
        self._content = disk.opened(name, is_new=mode.startswith("w") or (mode[0] == "a" and not disk.is_file(name)))
        self._can_read = "r" in mode or "+" in mode
        self._can_write = "r" not in mode or "+" in mode
        self._position = len(self._content) if mode.startswith("a") else 0
        self.is_open = True

    def write(self, *values: object) -> bool:
        """file:write(...): true."""
        self._require(self._can_write, (2200, "File write error"))
        for value in values:
            text = f"{value:.14g}" if isinstance(value, int | float) and not isinstance(value, bool) else value
            self._position = self._disk.put(self._content, self._position, text_argument(text))
        return True

    def read(self, *formats: object) -> Any:
        """file:read(...): a line without one; None at the end of the file."""
        self._require(self._can_read, (2201, "File read error"))
        found = tuple(self._one(wanted) for wanted in formats or ("*l",))
        return found[0] if len(found) == 1 else found

    def _one(self, wanted: object) -> str | float | None:
        left = bytes(self._content[self._position :])
        if isinstance(wanted, int | float):
            count = int(number_argument(wanted, 0, 1e9))
            return self._taken(left, count) if left or not count else None
        kind = text_argument(wanted).lstrip("*")[:1]
        if kind == "a":
            return self._taken(left, len(left))
        if kind == "n":
            match = _NUMBER.match(left)
            return None if match is None else float(self._taken(left, match.end()))
        if kind != "l":
            raise TspError(PARAMETER_ERROR, "Parameter error")
        if not left:
            return None
        line, newline, _ = left.partition(b"\n")
        self._taken(left, len(line) + len(newline))
        return line.decode("latin-1")

    def _taken(self, left: bytes, count: int) -> str:
        self._position += min(count, len(left))
        return left[:count].decode("latin-1")

    def seek(self, whence: object = "cur", offset: object = 0) -> int:
        """file:seek(whence, offset): the new position."""
        self._require(True, (2215, "Invalid file handle"))
        starts = {"set": 0, "cur": self._position, "end": len(self._content)}
        start = starts.get(text_argument(whence))
        if start is None:
            raise TspError(PARAMETER_ERROR, "Parameter error")
        position = start + int(number_argument(offset, -1e7, 1e7))
        if position < 0:
            raise TspError(2221, "File seek error")
        self._position = min(position, len(self._content))
        return self._position

    def close(self) -> bool:
        """file:close(): true."""
        self._require(True, (2215, "Invalid file handle"))
        self.is_open = False
        return True

    def _require(self, is_allowed: bool, error: tuple[int, str]) -> None:
        if not self.is_open:
            raise TspError(2215, "Invalid file handle")
        if not is_allowed:
            raise TspError(*error)


class TspFiles:
    """Makes the `fs`, `io` and `os` objects.

    Attributes:
        disk: the drive.
    """

    def __init__(self, engine: TspEngine) -> None:
        self._engine = engine
        self.disk = TspDisk()
        self._numbers = count(1)
        self._open: dict[int, OpenFile] = {}
        self._standard: dict[str, Any] = {"input": None, "output": None}

    def file_system(self) -> Any:
        """`fs`."""
        disk = self.disk
        functions: Functions = {
            "chdir": lambda name: disk.change_directory(text_argument(name)),
            "cwd": lambda: disk.directory,
            "is_dir": lambda name: disk.is_directory(text_argument(name)),
            "is_file": lambda name: disk.is_file(text_argument(name)),
            "mkdir": lambda name: disk.make_directory(text_argument(name)),
            "readdir": lambda name: self._engine.list_of(disk.entries(text_argument(name))),
            "rmdir": lambda name: disk.remove_directory(text_argument(name)),
        }
        return self._engine.object(functions=functions)

    def operating_system(self, clock: Callable[[], float]) -> Any:
        """`os`: what is left of it on the instrument."""
        disk = self.disk
        functions: Functions = {
            "clock": clock,
            "time": lambda *_: float(int(clock())),
            "difftime": lambda later, earlier=0: (
                number_argument(later, -1e18, 1e18) - number_argument(earlier, -1e18, 1e18)
            ),
            "remove": lambda name: disk.remove(text_argument(name)),
            "rename": lambda name, new: disk.rename(text_argument(name), text_argument(new)),
        }
        return self._engine.object(functions=functions)

    def input_output(self) -> Any:
        """`io`."""
        functions: Functions = {
            "open": self._opened,
            "close": lambda file=None: self._found(file, "output").close(),
            "input": lambda file=None: self._select("input", file, "r"),
            "output": lambda file=None: self._select("output", file, "w"),
            "read": lambda *formats: self._found(None, "input").read(*formats),
            "write": lambda *values: self._found(None, "output").write(*values),
            "type": self._type,
        }
        return self._engine.object(functions=functions)

    def _opened(self, name: object, mode: object = "r") -> Any:
        wanted = text_argument(mode).replace("b", "")
        if wanted not in ("r", "w", "a", "r+", "w+", "a+"):
            raise TspError(PARAMETER_ERROR, "Parameter error")
        self._open = {number: file for number, file in self._open.items() if file.is_open}
        if len(self._open) >= MOST_OPEN:
            raise TspError(2213, "Too many open files")
        number = next(self._numbers)
        self._open[number] = OpenFile(self.disk, text_argument(name), wanted)
        return self._object(self._open[number], number)

    def _object(self, file: OpenFile, number: int) -> Any:
        functions: Functions = {
            "write": lambda _, *values: file.write(*values),
            "read": lambda _, *formats: file.read(*formats),
            "seek": lambda _, *where: file.seek(*where),
            "flush": lambda _: True,
            "close": lambda _: file.close(),
            "is_open": lambda _: file.is_open,
        }
        return self._engine.object({"file_id": number}, functions=functions, kind="file")

    def _found(self, made: Any, standard: str) -> OpenFile:
        made = self._standard[standard] if made is None else made
        file = self._open.get(made["file_id"]) if is_table(made) else None
        if file is None:
            raise TspError(2215, "Invalid file handle")
        return file

    def _select(self, standard: str, file: Any, mode: str) -> Any:
        if file is not None:
            made = self._opened(file, mode) if isinstance(file, str) else file
            self._found(made, standard)
            self._standard[standard] = made
        return self._standard[standard]

    def _type(self, made: Any) -> str | None:
        if not is_table(made) or made["file_id"] is None:
            return None
        file = self._open.get(made["file_id"])
        return "file" if file is not None and file.is_open else "closed file"
