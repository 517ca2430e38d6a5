"""The flash drive in the front-panel port of a TSP instrument: files that exist in memory only, within a size."""

from __future__ import annotations

from .tsp_engine import TspError

MOST_BYTES = 4_000_000
"""Capacity of the drive (assumed)."""
MOST_ENTRIES = 500
MOST_OPEN = 20
"""Files open at a time (assumed)."""
ROOT = "/usb1"


class TspDisk:
    """Files by path. Paths without a leading slash begin at the working directory.

    Attributes:
        directory: the working directory.
    """

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._directories = {ROOT}
        self.directory = ROOT

    def path(self, name: str) -> str:
        """The whole path of a name; raises TspError outside the drive."""
        parts: list[str] = []
        whole = name.replace("\\", "/")
        for part in (whole if whole.startswith("/") else f"{self.directory}/{whole}").split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        path = "/" + "/".join(parts)
        if path != ROOT and not path.startswith(f"{ROOT}/"):
            raise TspError(2216, "Invalid drive")
        return path

    def is_file(self, name: str) -> bool:
        """Whether a file has this name."""
        return self._looked_up(name) in self._files

    def is_directory(self, name: str) -> bool:
        """Whether a directory has this name."""
        return self._looked_up(name) in self._directories

    def _looked_up(self, name: str) -> str:
        try:
            return self.path(name)
        except TspError:
            return ""

    def change_directory(self, name: str) -> str:
        """fs.chdir; raises TspError if there is no such directory."""
        path = self.path(name)
        if path not in self._directories:
            raise TspError(2207, "Cannot change directory")
        self.directory = path
        return path

    def make_directory(self, name: str) -> str:
        """fs.mkdir; raises TspError if it exists or its parent does not."""
        path = self.path(name)
        if path in self._directories or path in self._files or self._parent(path) not in self._directories:
            raise TspError(2208, "Cannot create directory")
        self._require_room(0)
        self._directories.add(path)
        return path

    def remove_directory(self, name: str) -> None:
        """fs.rmdir; raises TspError if it is missing or not empty."""
        path = self.path(name)
        if path not in self._directories or path == ROOT:
            raise TspError(2209, "Cannot remove directory")
        if self.entries(path):
            raise TspError(2223, "Directory not empty")
        self._directories.remove(path)
        if self.directory == path:
            self.directory = ROOT

    def entries(self, name: str) -> list[str]:
        """Names in a directory; raises TspError if there is no such directory."""
        path = self.path(name)
        if path not in self._directories:
            raise TspError(2204, "Directory not found")
        return sorted(p.rsplit("/", 1)[1] for p in (*self._files, *self._directories) if self._parent(p) == path)

    def remove(self, name: str) -> bool:
        """os.remove: true; raises TspError if there is no such file."""
        if self._files.pop(self.path(name), None) is None:
            raise TspError(2205, "File not found")
        return True

    def rename(self, name: str, new_name: str) -> bool:
        """os.rename: true; raises TspError if there is no such file, or one of the new name."""
        path, new = self.path(name), self.path(new_name)
        if path not in self._files:
            raise TspError(2205, "File not found")
        if new in self._files or new in self._directories:
            raise TspError(2220, "File already exists")
        self._files[new] = self._files.pop(path)
        return True

    def read(self, name: str) -> str:
        """A file's content; raises TspError if it cannot be opened."""
        content = self._files.get(self.path(name))
        if content is None:
            raise TspError(2203, "Cannot open file")
        return content.decode("latin-1")

    def write(self, name: str, text: str) -> None:
        """Make or replace a file; raises TspError if it cannot be."""
        content = self.opened(name, is_new=True)
        self.put(content, 0, text)

    def opened(self, name: str, *, is_new: bool) -> bytearray:
        """A file's content to work on, empty if it `is_new`; raises TspError if it cannot be opened."""
        path = self.path(name)
        if path in self._directories or self._parent(path) not in self._directories:
            raise TspError(2203, "Cannot open file")
        content = self._files.get(path)
        if is_new:
            if content is None:
                self._require_room(0)
                content = self._files[path] = bytearray()
            content.clear()
        elif content is None:
            raise TspError(2203, "Cannot open file")
        return content

    def put(self, content: bytearray, position: int, text: str) -> int:
        """Write into a file; returns where it ends. Raises TspError when the drive is full."""
        data = text.encode("latin-1")
        end = position + len(data)
        self._require_room(max(end - len(content), 0))
        if position > len(content):
            content.extend(bytes(position - len(content)))
        content[position:end] = data
        return end

    def _require_room(self, more: int) -> None:
        used = sum(len(content) for content in self._files.values())
        if used + more > MOST_BYTES or len(self._files) + len(self._directories) >= MOST_ENTRIES:
            raise TspError(2218, "Disk full")

    @staticmethod
    def _parent(path: str) -> str:
        return path.rsplit("/", 1)[0]
