"""A file system in memory, as instruments have it: folders and files; names are compared without regard to case."""

from __future__ import annotations

from .scpi_errors import ScpiError

INTERNAL_BYTES = 64 * 1024 * 1024
_NOT_FOUND = ScpiError(-256, "File name not found")


class MemoryFiles:
    r"""Files below `INT:\`.

    Attributes:
        folder: the present one, for names without a drive.
    """

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, bytes]] = {}
        self._folders: dict[str, str] = {"INT:": "INT:", "INT:\\BUILTIN": "INT:\\BuiltIn"}
        self.folder = "INT:\\"

    def path(self, name: str) -> str:
        """The whole path of a name, without a backslash at its end."""
        name = name.strip().replace("/", "\\")
        if ":" not in name:
            name = f"{self.folder.rstrip(chr(92))}\\{name.lstrip(chr(92))}"
        return name.rstrip("\\")

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file; raises ScpiError -257 if its folder does not exist, -254 if it does not fit."""
        path = self.path(name)
        self._require_folder(path.rpartition("\\")[0])
        if self.used_bytes + len(content) > INTERNAL_BYTES:
            raise ScpiError(-254, "Media full")
        self._files[path.upper()] = (path, content)

    def read(self, name: str) -> bytes:
        """Content of a file; raises ScpiError -256."""
        found = self._files.get(self.path(name).upper())
        if found is None:
            raise _NOT_FOUND
        return found[1]

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.path(name).upper() in self._files

    def delete(self, name: str) -> None:
        """Remove a file; raises ScpiError -256."""
        if self._files.pop(self.path(name).upper(), None) is None:
            raise _NOT_FOUND

    def make_folder(self, name: str) -> None:
        """Make a folder in an existing one; raises ScpiError -257."""
        path = self.path(name)
        self._require_folder(path.rpartition("\\")[0])
        self._folders.setdefault(path.upper(), path)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder; raises ScpiError -257 if it is not there or not empty."""
        key = self.path(name).upper()
        self._require_folder(key)
        if self.entries(name) or key == "INT:":
            raise ScpiError(-257, "File name error; folder is not empty")
        del self._folders[key]

    def enter(self, name: str) -> None:
        """Make a folder the present one; raises ScpiError -257."""
        path = self.path(name)
        self._require_folder(path)
        self.folder = path + "\\"

    def _require_folder(self, path: str) -> None:
        if path.upper() not in self._folders:
            raise ScpiError(-257, "File name error; folder does not exist")

    def entries(self, name: str = "") -> list[tuple[str, str, int]]:
        """What is in a folder: name, FOLD or STAT, ARB, ASC, BIN ... as its ending says, and bytes."""
        inside = (self.path(name) if name else self.folder.rstrip("\\")).upper()
        self._require_folder(inside)
        folders = [(p.rpartition("\\")[2], "FOLD", 0) for k, p in self._folders.items() if _parent(k) == inside]
        files = [(p.rpartition("\\")[2], _kind(k), len(c)) for k, (p, c) in self._files.items() if _parent(k) == inside]
        return [*folders, *files]

    @property
    def used_bytes(self) -> int:
        """Sum of all files."""
        return sum(len(content) for _, content in self._files.values())

    @property
    def free_bytes(self) -> int:
        """What is left."""
        return INTERNAL_BYTES - self.used_bytes


def _parent(key: str) -> str:
    return key.rpartition("\\")[0]


def _kind(key: str) -> str:
    ending = key.rpartition(".")[2]
    return {"STA": "STAT", "ARB": "ARB", "BARB": "ARB", "SEQ": "SEQ", "BMP": "ASC", "CSV": "ASC"}.get(ending, "ASC")
