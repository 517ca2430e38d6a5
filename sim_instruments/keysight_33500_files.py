"""MMEMory and MEMory commands of the 33500 and 33600 series: files in memory, stored states and waveforms."""

from __future__ import annotations

from typing import Any

from .pulse_arbs import load
from .pulse_parameters import show
from .pulse_samples import bare_name, file_of, samples_in_file
from .pulse_setting_commands import keep
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Block, Number, Parameter, Switch, Text

_LOCATIONS = 5
_MISSING_STATE = ScpiError(-224)


class FileName(Text):
    """A file's name, quoted or not."""

    def __init__(self, *, is_optional: bool = False) -> None:
        self.is_optional = is_optional

    def parse(self, token: str, instrument: Any) -> str:
        """The name as it was given."""
        return super().parse(token, instrument) if token[:1] in "\"'" else token


def _location() -> Number:
    return Number("", 0, _LOCATIONS - 1, is_integer=True)


def _catalog(*kinds: str) -> Any:
    def query(i: Any, folder: str | None) -> str:
        entries = [e for e in i.files.entries(folder or "") if not kinds or e[1] in kinds]
        listed = [f'"{name},{kind},{size}"' for name, kind, size in entries]
        return ",".join([f"+{i.files.used_bytes}", f"+{i.files.free_bytes}", *listed])

    return query


def _store_waveform(i: Any, c: int, name: str) -> None:
    channel = i.channel(c)
    samples = i.waveforms.samples(c, channel.settings.arb)
    i.files.write(name, file_of(samples, channel.settings.arb_rate))


def _load_waveform(i: Any, c: int, name: str) -> None:
    """MMEMory:LOAD:DATA: a built-in waveform or one of a file, into the channel's volatile memory."""
    i.channel(c)
    bare = bare_name(name)
    if bare in i.waveforms.built_in and "BUILTIN" in name.upper():
        return
    samples, rate = samples_in_file(i.files.read(name))
    load(i, c, bare, samples)
    if rate:
        i.channel(c).settings.arb_rate = rate


def _store_state(i: Any, name: str) -> None:
    i.files.write(_state_file(name), b"state")
    i.state_files[i.files.path(_state_file(name)).upper()] = tuple(ch.settings.copy() for ch in i.channels)


def _load_state(i: Any, name: str) -> None:
    i.files.read(_state_file(name))
    kept = i.state_files.get(i.files.path(_state_file(name)).upper())
    if kept is None:
        raise ScpiError(-230)
    i.take_over(kept)


def _state_file(name: str) -> str:
    return name if "." in name.rpartition("\\")[2] else f"{name}.sta"


def _copy(i: Any, source: str, target: str) -> None:
    i.files.write(target, i.files.read(source))
    kept = i.state_files.get(i.files.path(source).upper())
    if kept is not None:
        i.state_files[i.files.path(target).upper()] = kept


def _move(i: Any, source: str, target: str) -> None:
    _copy(i, source, target)
    i.files.delete(source)


def _upload(i: Any, name: str) -> bytes:
    content: bytes = i.files.read(name)
    length = str(len(content))
    return f"#{len(length)}{length}".encode() + content


def _download(i: Any, block: bytes) -> None:
    name = i.stored.get("download name", "")
    if not name:
        raise ScpiError(-256, "File name not found")
    i.files.write(name, block)


def _require_saved(i: Any, location: float) -> int:
    if int(location) not in i.saved:
        raise _MISSING_STATE
    return int(location)


def _name_state(i: Any, location: float, name: str | None) -> None:
    i.state_names[int(location)] = name or f"STATE_{int(location)}"


def _state_name(i: Any, location: float) -> str:
    default = "AUTO_RECALL" if int(location) == 0 else f"STATE_{int(location)}"
    return f'"{i.state_names.get(int(location), default)}"'


def _state_catalog(i: Any) -> str:
    return ",".join(_state_name(i, location) for location in range(_LOCATIONS))


def _delete_state(i: Any, location: float) -> None:
    del i.saved[_require_saved(i, location)]


def _one(pattern: str, act: Any, *takes: Parameter) -> Command:
    return Command(pattern, write=act, takes=takes or (FileName(),))


FILE_COMMANDS: tuple[Command, ...] = (
    Command(":MMEMory:CATalog[:ALL]", query=_catalog(), asks=(FileName(is_optional=True),)),
    Command(":MMEMory:CATalog:DATA:ARBitrary", query=_catalog("ARB", "SEQ"), asks=(FileName(is_optional=True),)),
    Command(":MMEMory:CATalog:STATe", query=_catalog("STAT"), asks=(FileName(is_optional=True),)),
    Command(
        ":MMEMory:CDIRectory",
        write=lambda i, name: i.files.enter(name),
        query=lambda i: f'"{i.files.folder}"',
        takes=(FileName(),),
    ),
    _one(":MMEMory:MDIRectory", lambda i, name: i.files.make_folder(name)),
    _one(":MMEMory:RDIRectory", lambda i, name: i.files.remove_folder(name)),
    _one(":MMEMory:DELete", lambda i, name: i.files.delete(name)),
    _one(":MMEMory:COPY[:FILE]", _copy, FileName(), FileName()),
    _one(":MMEMory:MOVE[:FILE]", _move, FileName(), FileName()),
    _one(":MMEMory:DOWNload:FNAMe", lambda i, name: i.stored.__setitem__("download name", name)),
    _one(":MMEMory:DOWNload:DATA", _download, Block()),
    Command(":MMEMory:UPLoad", query=_upload, asks=(FileName(),)),
    _one(":MMEMory:STORe:DATA<c>", _store_waveform),
    _one(":MMEMory:LOAD:DATA<c>", _load_waveform),
    _one(":MMEMory:STORe:STATe", _store_state),
    _one(":MMEMory:LOAD:STATe", _load_state),
    Command(":MEMory:NSTates", query=lambda i: f"+{_LOCATIONS}"),
    Command(":MEMory:STATe:CATalog", query=_state_catalog),
    _one(":MEMory:STATe:DELete", _delete_state, _location()),
    Command(
        ":MEMory:STATe:NAME",
        write=_name_state,
        query=_state_name,
        takes=(_location(), FileName(is_optional=True)),
        asks=(_location(),),
    ),
    Command(":MEMory:STATe:VALid", query=lambda i, n: str(int(int(n) in i.saved)), asks=(_location(),)),
    keep(":MEMory:STATe:RECall:AUTO", "recall at power-on", Switch(), "0"),
    keep(":MEMory:STATe:RECall:SELect", "recalled state", _location(), "0", lambda text: show(float(text))),
)
"""Files and states."""
