"""Mass memory of a B2900A (MMEMory): a file system in memory, files of data, lists, traces and set-ups.

SCPI Command Reference, MMEMory subsystem. The unit keeps them on a USB memory at the front; the simulated one has one
that is always there and empty at first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .keysight_b2900_commands import CHANNELS, chosen_or_first, show_nr3
from .keysight_b2900_errors import refusal
from .keysight_b2900_panel import picture
from .keysight_b2900_readings import Kept
from .keysight_b2900_settings import CALCULATED, ELEMENTS, LARGEST_PULSED, MOST_LISTED
from .keysight_b2900_setups import Setup
from .scpi import Command
from .scpi_parameters import Text

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900
    from .keysight_b2900_channel import Channel

Content = bytes | Setup
_BYTES = 2**30
_MOST_FILES = 1000
_FORBIDDEN = set(':*?"<>|')
_SETUP_BYTES = 8192


class _OptionalText(Text):
    is_optional = True


class FileSystem:
    """Folders and files; names are taken as given, paths are separated by `\\` or `/`."""

    def __init__(self) -> None:
        self._folders: set[tuple[str, ...]] = {()}
        self._files: dict[tuple[str, ...], Content] = {}
        self.folder: tuple[str, ...] = ()

    def _path(self, name: str) -> tuple[str, ...]:
        text = name.replace("/", "\\").removeprefix("USB:")
        parts = [part for part in text.split("\\") if part and part != "."]
        if not parts or any(_FORBIDDEN & set(part) for part in parts):
            raise refusal(-224)
        path = list(() if text.startswith("\\") else self.folder)
        for part in parts:
            if part == "..":
                path = path[:-1]
            else:
                path.append(part)
        return tuple(path)

    def write(self, name: str, content: Content) -> None:
        """Make or overwrite a file; raises ScpiError +104 if that cannot be."""
        path = self._path(name)
        if path[:-1] not in self._folders or path in self._folders or len(self._files) >= _MOST_FILES:
            raise refusal(104)
        self._files[path] = content

    def read(self, name: str) -> Content:
        """A file's content; raises ScpiError +103 if it is not there."""
        path = self._path(name)
        if path not in self._files:
            raise refusal(103)
        return self._files[path]

    def delete(self, name: str) -> None:
        """Raises ScpiError +201 if it is not there."""
        path = self._path(name)
        if path not in self._files:
            raise refusal(201)
        del self._files[path]

    def copy(self, name: str, to: str) -> None:
        """A second file with the same content."""
        self.write(to, self.read(name))

    def move(self, name: str, to: str) -> None:
        """Another name for a file."""
        self.copy(name, to)
        if self._path(name) != self._path(to):
            self.delete(name)

    def make_folder(self, name: str) -> None:
        """Raises ScpiError +201 if there is one, or no folder to make it in."""
        path = self._path(name)
        if path in self._folders or path in self._files or path[:-1] not in self._folders:
            raise refusal(201)
        self._folders.add(path)

    def remove_folder(self, name: str) -> None:
        """Raises ScpiError +201 unless it is there and empty."""
        path = self._path(name)
        inside = [entry for entry in (*self._folders, *self._files) if entry[: len(path)] == path and entry != path]
        if path not in self._folders or inside or path == self.folder[: len(path)]:
            raise refusal(201)
        self._folders.remove(path)

    def change_folder(self, name: str) -> None:
        """Raises ScpiError +201 if it is not there."""
        path = () if name in ("\\", "/", "") else self._path(name)
        if path not in self._folders:
            raise refusal(201)
        self.folder = path

    def catalog(self, name: str | None) -> str:
        """Used and free bytes, and each entry as name, type, size."""
        folder = self.folder if name in (None, "", "USB") else self._path(name or "")
        if folder not in self._folders:
            raise refusal(201)
        used = sum(_size(content) for content in self._files.values())
        entries = [f'"{path[-1]},FOLD,0"' for path in sorted(self._folders) if path and path[:-1] == folder]
        entries += [
            f'"{path[-1]},{_kind(content)},{_size(content)}"'
            for path, content in sorted(self._files.items(), key=lambda item: item[0])
            if path[:-1] == folder
        ]
        return ",".join([str(used), str(_BYTES - used), *entries])


def _size(content: Content) -> int:
    return _SETUP_BYTES if isinstance(content, Setup) else len(content)


def _kind(content: Content) -> str:
    return "STAT" if isinstance(content, Setup) else "ASC" if content[:1].isascii() else "BIN"


def _table(channels: Sequence[Channel], of: Callable[[Channel], Sequence[Kept]], elements: Sequence[str]) -> bytes:
    """Columns of all channels side by side, one line a reading, as the unit's CSV files have them."""
    columns = [of(channel) for channel in channels]
    lines = [",".join(f"{name}{channel.number}" for channel in channels for name in elements)]
    for k in range(max((len(column) for column in columns), default=0)):
        cells = [
            show_nr3(value)
            for column in columns
            for value in (column[k].values(elements) if k < len(column) else [9.91e37] * len(elements))
        ]
        lines.append(",".join(cells))
    return ("\r\n".join(lines) + "\r\n").encode()


def _of_results(kind: str) -> Callable[[Channel], Sequence[Kept]]:
    if kind == "SENSe":
        return lambda channel: channel.readings
    if kind == "LIMit":
        return lambda channel: channel.calculation.results.tested
    return lambda channel: channel.calculation.results.math


def _store(kind: str, elements: Sequence[str]) -> Callable[..., None]:
    of = _of_results(kind)

    def write(i: SimKeysightB2900, name: str, chosen: Sequence[Channel] | None) -> None:
        i.files.write(name, _table(chosen or i.channels, of, elements))

    return write


def _store_trace(i: SimKeysightB2900, name: str, chosen: Sequence[Channel] | None) -> None:
    channels = chosen or i.channels
    elements = ELEMENTS if channels[0].trace.feed == "SENS" else CALCULATED
    i.files.write(name, _table(channels, lambda channel: channel.trace.timed(), elements))


def _store_list(quantity: str) -> Callable[..., None]:
    def write(i: SimKeysightB2900, name: str, chosen: Sequence[Channel] | None) -> None:
        listed = chosen_or_first(i, chosen)[0].settings.sources[quantity].listed
        i.files.write(name, ("\r\n".join(show_nr3(value) for value in listed) + "\r\n").encode())

    return write


def _load_list(quantity: str) -> Callable[..., None]:
    def write(i: SimKeysightB2900, name: str, chosen: Sequence[Channel] | None) -> None:
        content = i.files.read(name)
        listed = _numbers(content) if isinstance(content, bytes) else []
        end = LARGEST_PULSED[quantity]
        if not 0 < len(listed) <= MOST_LISTED or any(abs(value) > end for value in listed):
            raise refusal(103)
        for channel in chosen_or_first(i, chosen):
            channel.settings.sources[quantity].listed = list(listed)

    return write


def _numbers(content: bytes) -> list[float]:
    try:
        return [float(word) for word in content.decode("ascii").replace(",", "\n").split()]
    except ValueError:
        return []


def _load_state(i: SimKeysightB2900, name: str) -> None:
    i.sweeps.require_idle()
    content = i.files.read(name)
    if not isinstance(content, Setup):
        raise refusal(103)
    i.install(content)


def _store_macro(i: SimKeysightB2900, name: str) -> None:
    i.files.write(name, i.programs.selected_text().encode("latin-1"))


def _load_macro(i: SimKeysightB2900, name: str) -> None:
    content = i.files.read(name)
    if not isinstance(content, bytes):
        raise refusal(103)
    i.programs.define(content.decode("latin-1"), i.tree)


_NAME = Text()
_CALLS: tuple[tuple[str, Callable[..., Any], int], ...] = (
    ("CDIRectory", lambda i, name: i.files.change_folder(name), 1),
    ("COPY", lambda i, name, to: i.files.copy(name, to), 2),
    ("MOVE", lambda i, name, to: i.files.move(name, to), 2),
    ("MDIRectory", lambda i, name: i.files.make_folder(name), 1),
    ("RDIRectory", lambda i, name: i.files.remove_folder(name), 1),
    ("STORe:STATe", lambda i, name: i.files.write(name, i.setup()), 1),
    ("LOAD:STATe", _load_state, 1),
    ("STORe:MACRo", _store_macro, 1),
    ("LOAD:MACRo", _load_macro, 1),
    ("STORe:SDUMp", lambda i, name: i.files.write(name, picture(i.panel.picture)), 1),
)
_LISTS = {"VOLT": "VOLTage", "CURR": "CURRent"}
FILE_COMMANDS: tuple[Command, ...] = (
    *(Command(f":MMEMory:{node}", write=write, takes=(_NAME,) * names) for node, write, names in _CALLS),
    Command(":MMEMory:CATalog", query=lambda i, name: i.files.catalog(name), asks=(_OptionalText(),)),
    Command(":MMEMory:DELete", write=lambda i, name, _device: i.files.delete(name), takes=(_NAME, _OptionalText())),
    Command(":MMEMory:STORe:DATA[:ALL]", write=_store("SENSe", ELEMENTS), takes=(_NAME, CHANNELS)),
    Command(":MMEMory:STORe:DATA:SENSe", write=_store("SENSe", ELEMENTS), takes=(_NAME, CHANNELS)),
    Command(":MMEMory:STORe:DATA:LIMit", write=_store("LIMit", CALCULATED), takes=(_NAME, CHANNELS)),
    Command(":MMEMory:STORe:DATA:MATH", write=_store("MATH", CALCULATED), takes=(_NAME, CHANNELS)),
    Command(":MMEMory:STORe:TRACe", write=_store_trace, takes=(_NAME, CHANNELS)),
    *(
        Command(f":MMEMory:{verb}:LIST:{node}", write=make(quantity), takes=(_NAME, CHANNELS))
        for quantity, node in _LISTS.items()
        for verb, make in (("STORe", _store_list), ("LOAD", _load_list))
    ),
)
"""What can be kept on the USB memory."""
