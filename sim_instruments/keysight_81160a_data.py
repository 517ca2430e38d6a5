"""DATA and FUNCtion:USER of the 81160A: one volatile waveform per channel, four kept under names of their own.

Commands, the number of slots and the 14-bit codes after public programs for the 81150A and 81160A; error numbers are
those of the 33220A, whose DATA commands are the same (assumed).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mtjlab.nouns import Floats

from .pulse_arbs import attribute_commands
from .pulse_samples import Samples, WaveformName, scaled
from .scpi import Command
from .scpi_errors import ScpiError

VOLATILE = "VOLATILE"
SLOTS = 4
_FULL_SCALE = 8191
_LOWEST_CODE = 8192
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,11}\Z")


def _store(i: Any, c: int, name: str, given: list[float] | bytes, full_scale: float) -> None:
    channel = i.channel(c)
    if name != VOLATILE:
        raise ScpiError(-224)
    samples = scaled(given, full_scale=full_scale, border=i.border)
    limits = channel.limits
    if not limits.samples_least <= samples.size <= limits.samples_most:
        raise ScpiError(-223 if samples.size > limits.samples_most else -109)
    i.waveforms.volatile[c][VOLATILE] = samples
    if channel.settings.function == "USER":
        i.changed(channel)


def _store_codes(i: Any, c: int, name: str, given: list[float] | bytes) -> None:
    """DATA:DAC: codes of -8191 to 8191; the lowest of 14 bits is taken too."""
    if isinstance(given, bytes):
        kind = ">i2" if i.border == "NORM" else "<i2"
        if len(given) % 2:
            raise ScpiError(800, "Block length must be even")
        given = np.frombuffer(given, dtype=kind).astype(float).tolist()
    codes = [max(code, -_FULL_SCALE) if code >= -_LOWEST_CODE else code for code in given]
    codes = [min(code, _FULL_SCALE) if code <= _LOWEST_CODE else code for code in codes]
    _store(i, c, name, codes, _FULL_SCALE)


def _copy(i: Any, c: int, name: str, source: str | None) -> None:
    i.channel(c)
    memory = i.waveforms
    if source not in (None, VOLATILE):
        raise ScpiError(784, "Name of source arb waveform for copy must be VOLATILE")
    if name == VOLATILE:
        raise ScpiError(788, "Cannot copy to VOLATILE arb waveform")
    if name in memory.built_in:
        raise ScpiError(782, "Cannot overwrite a built-in waveform")
    if not _NAME.match(name):
        raise ScpiError(-224)
    if VOLATILE not in memory.volatile[c]:
        raise ScpiError(780, "VOLATILE arb waveform has not been loaded")
    if name not in memory.stored and len(memory.stored) >= SLOTS:
        raise ScpiError(781, "Not enough memory to store new arb waveform; use DATA:DELETE")
    memory.stored[name] = memory.volatile[c][VOLATILE].copy()


def _delete(i: Any, c: int, name: str) -> None:
    i.channel(c)
    memory = i.waveforms
    if name in memory.built_in:
        raise ScpiError(786, "Not able to delete a built-in arb waveform")
    if _is_played(i, name):
        raise ScpiError(787, "Not able to delete the currently selected active arb waveform")
    if name == VOLATILE and memory.volatile[c].pop(VOLATILE, None) is not None:
        return
    if memory.stored.pop(name, None) is None:
        raise ScpiError(785, "Specified arb waveform does not exist")


def _is_played(i: Any, name: str) -> bool:
    return any(ch.settings.function == "USER" and ch.settings.arb == name and ch.settings.is_on for ch in i.channels)


def _delete_all(i: Any, c: int) -> None:
    i.channel(c)
    for name in [name for name in i.waveforms.stored if not _is_played(i, name)]:
        del i.waveforms.stored[name]


def _listed(names: list[str]) -> str:
    return ",".join(f'"{name}"' for name in names) or '""'


def _catalog(i: Any, c: int) -> str:
    i.channel(c)
    return _listed([*i.waveforms.built_in, *i.waveforms.volatile[c], *i.waveforms.stored])


def _samples(i: Any, c: int, name: str | None) -> Floats:
    i.channel(c)
    found = i.waveforms.find(c, name or VOLATILE)
    if found is None:
        raise _missing(name or VOLATILE)
    assert isinstance(found, np.ndarray)
    return found


def _missing(name: str) -> ScpiError:
    if name == VOLATILE:
        return ScpiError(780, "VOLATILE arb waveform has not been loaded")
    return ScpiError(785, "Specified arb waveform does not exist")


def _select(i: Any, c: int, name: str) -> None:
    channel = i.channel(c)
    if not i.waveforms.is_known(c, name):
        raise _missing(name)
    channel.settings.arb = name
    i.changed(channel)


_NAME_TAKEN = (WaveformName(),)

DATA_COMMANDS: tuple[Command, ...] = (
    Command(":DATA<c>", write=lambda i, c, n, v: _store(i, c, n, v, 1.0), takes=(WaveformName(), Samples())),
    Command(":DATA<c>:DAC", write=_store_codes, takes=(WaveformName(), Samples())),
    Command(":DATA<c>:COPY", write=_copy, takes=(WaveformName(), WaveformName(is_optional=True))),
    Command(":DATA<c>:DELete[:NAME]", write=_delete, takes=_NAME_TAKEN),
    Command(":DATA<c>:DELete:ALL", write=_delete_all),
    Command(":DATA<c>:CATalog", query=_catalog),
    Command(":DATA<c>:NVOLatile:CATalog", query=lambda i, c: _listed(list(i.waveforms.stored))),
    Command(":DATA<c>:NVOLatile:FREE", query=lambda i, c: str(SLOTS - len(i.waveforms.stored))),
    *attribute_commands(":DATA<c>", _samples),
    Command(
        "[:SOURce]:FUNCtion<c>:USER", write=_select, query=lambda i, c: i.channel(c).settings.arb, takes=_NAME_TAKEN
    ),
)
"""DATA, and FUNCtion:USER."""
