"""Arbitrary waveforms of a generator: DATA commands, samples as numbers, DAC codes or binary blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .pulse_parameters import choice, quantity, show
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Block, Choice, Parameter, Text, parse_number

_MOST_SAMPLES = 1_000_000
_DAC_FULL_SCALE = 32767
_USER_FULL_SCALE = 8192
_LEAST_SAMPLES = 8


class Name(Text):
    """A waveform's name, quoted or not; parses to upper case without path and extension."""

    def parse(self, token: str, instrument: Any) -> str:
        """The name."""
        text = super().parse(token, instrument) if token[:1] in "\"'" else token
        return text.replace("/", "\\").rpartition("\\")[2].upper().removesuffix(".ARB").removesuffix(".BARB")


class _Samples(Parameter):
    """Numbers, or one binary block; parses to a list of floats or to bytes."""

    takes_rest = True

    def parse(self, token: str, instrument: Any) -> float:
        """One number."""
        return parse_number(token)

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> list[float] | bytes:
        """All of them."""
        if tokens[0].startswith("#"):
            return Block().parse(tokens[0], instrument)
        if len(tokens) > _MOST_SAMPLES:
            raise ScpiError(-223)
        return [self.parse(token, instrument) for token in tokens]


def _store(i: Any, name: str, given: list[float] | bytes, *, full_scale: float) -> None:
    if isinstance(given, bytes):
        order = ">" if i.border == "NORM" else "<"
        kind = f"{order}i2" if full_scale > 1 else f"{order}f4"
        if len(given) % np.dtype(kind).itemsize:
            raise ScpiError(-161)
        given = np.frombuffer(given, dtype=kind).astype(float).tolist()
    if len(given) < _LEAST_SAMPLES:
        raise ScpiError(786, "Specified arb waveform must have at least 8 points")
    samples = np.asarray(given) / full_scale
    if np.abs(samples).max() > 1 + 1e-6:
        raise ScpiError(-222)
    i.arbs[name] = (0.5 + 0.5 * np.clip(samples, -1, 1)).tolist()


def _select(channel: Any, name: str) -> None:
    channel.settings.arb = name


def _known(i: Any, name: str) -> str:
    if name not in i.arbs:
        raise ScpiError(781, "Not enough memory to load arb waveform; or it does not exist")
    return name


class _KnownName(Name):
    """Name of a waveform that has been loaded or is built in."""

    def parse(self, token: str, instrument: Any) -> str:
        """The name."""
        return _known(instrument, super().parse(token, instrument))


def _clear(i: Any, _: int) -> None:
    built_in = type(i).built_in_arbs()
    i.arbs.clear()
    i.arbs.update(built_in)


def arb_commands(prefix: str) -> tuple[Command, ...]:
    """DATA and FUNCtion:ARBitrary; `prefix` holds the channel's number, for example `:SOURce<c>`."""
    return (
        Command(
            f"{prefix}:DATA:ARBitrary[1]",
            write=lambda i, c, name, given: _store(i, name, given, full_scale=1.0),
            takes=(Name(), _Samples()),
        ),
        Command(
            f"{prefix}:DATA:ARBitrary[1]:DAC",
            write=lambda i, c, name, given: _store(i, name, given, full_scale=_DAC_FULL_SCALE),
            takes=(Name(), _Samples()),
        ),
        Command(f"{prefix}:DATA:VOLatile:CLEar", write=_clear),
        Command(f"{prefix}:DATA:VOLatile:CATalog", query=lambda i, c: ",".join(f'"{name}"' for name in i.arbs)),
        Command(f"{prefix}:DATA:VOLatile:FREE", query=lambda i, c: str(_MOST_SAMPLES)),
        Command(
            f"{prefix}:DATA:ATTRibute:POINts",
            query=lambda i, c, name: str(len(i.arbs[name])),
            asks=(_KnownName(),),
        ),
        choice(
            f"{prefix}:FUNCtion:ARBitrary",
            _KnownName(),
            lambda channel: channel.settings.arb,
            _select,
            lambda name: f'"{name}"',
        ),
        quantity(
            f"{prefix}:FUNCtion:ARBitrary:SRATe",
            ("SA/S", "HZ", ""),
            lambda channel: channel.settings.arb_rate,
            lambda channel, rate: setattr(channel.settings, "arb_rate", rate),
            lambda _: (1e-6, 1e9, 40e3),
            show,
        ),
        choice(
            f"{prefix}:FUNCtion:ARBitrary:ADVance",
            Choice("TRIGger", "SRATe"),
            lambda channel: channel.settings.arb_advance,
            lambda channel, word: setattr(channel.settings, "arb_advance", word),
        ),
        choice(
            f"{prefix}:FUNCtion:ARBitrary:FILTer",
            Choice("NORMal", "STEP", "OFF"),
            lambda channel: channel.settings.arb_filter,
            lambda channel, word: setattr(channel.settings, "arb_filter", word),
        ),
    )


def user_commands() -> tuple[Command, ...]:
    """DATA and FUNCtion:USER of the 81160A, whose waveforms are played once per period; DAC codes have 14 bits."""
    return (
        Command(
            ":DATA<c>",
            write=lambda i, c, name, given: _store(i, name, given, full_scale=1.0),
            takes=(Name(), _Samples()),
        ),
        Command(
            ":DATA<c>:DAC",
            write=lambda i, c, name, given: _store(i, name, given, full_scale=_USER_FULL_SCALE),
            takes=(Name(), _Samples()),
        ),
        Command(":DATA<c>:CATalog", query=lambda i, c: ",".join(f'"{name}"' for name in i.arbs)),
        choice(":FUNCtion<c>:USER", _KnownName(), lambda channel: channel.settings.arb, _select),
    )
