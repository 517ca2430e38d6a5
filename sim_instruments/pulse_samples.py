"""Samples of arbitrary waveforms as they come over the bus: numbers, DAC codes, binary blocks, or a waveform's file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtjlab.nouns import Floats

from .scpi_errors import ScpiError
from .scpi_parameters import Block, Parameter, Text, parse_number

_ROUNDING = 1e-6


class WaveformName(Text):
    """A waveform's name, quoted or not; parses to upper case without path and extension."""

    def __init__(self, *, is_optional: bool = False) -> None:
        self.is_optional = is_optional

    def parse(self, token: str, instrument: Any) -> str:
        """The name."""
        text = super().parse(token, instrument) if token[:1] in "\"'" else token
        return bare_name(text)


def bare_name(text: str) -> str:
    """Upper case, without path and extension."""
    return text.replace("/", "\\").rpartition("\\")[2].upper().removesuffix(".ARB").removesuffix(".BARB")


class Samples(Parameter):
    """Numbers, or one binary block; parses to a list of floats or to bytes."""

    takes_rest = True

    def parse(self, token: str, instrument: Any) -> float:
        """One number."""
        return parse_number(token)

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> list[float] | bytes:
        """All of them."""
        if tokens[0].startswith("#"):
            return Block().parse(tokens[0], instrument)
        return [self.parse(token, instrument) for token in tokens]


def scaled(given: list[float] | bytes, *, full_scale: float, border: str) -> Floats:
    """Samples between 0 and 1 of values between -full_scale and full_scale.

    Binary blocks hold 16-bit integers where `full_scale` is not 1, else 32-bit floats.

    Raises ScpiError -161 for a block of odd length, -222 for values beyond the full scale.
    """
    if isinstance(given, bytes):
        kind = np.dtype((">" if border == "NORM" else "<") + ("i2" if full_scale > 1 else "f4"))
        if len(given) % kind.itemsize:
            raise ScpiError(-161)
        values = np.frombuffer(given, dtype=kind).astype(float)
    else:
        values = np.asarray(given, dtype=float)
    values = values / full_scale
    if values.size and not np.abs(values).max() <= 1 + _ROUNDING:
        raise ScpiError(-222)
    return np.asarray(0.5 + 0.5 * np.clip(values, -1, 1))


def file_of(samples: Floats, hertz: float) -> bytes:
    """A waveform's file, as the instruments write it (copyright and checksum lines left out)."""
    codes = np.round((2 * samples - 1) * 32767).astype(int)
    head = ["File Format:1.10", "Channel Count:1", f"Sample Rate:{hertz:.6f}", "High Level:1.0", "Low Level:-1.0"]
    head += ['Data Type:"short"', 'Filter:"off"', f"Data Points:{samples.size}", "Data:"]
    return ("\r\n".join([*head, *map(str, codes.tolist())]) + "\r\n").encode()


def samples_in_file(content: bytes) -> tuple[Floats, float | None]:
    """Samples and sample rate of a waveform's file; raises ScpiError -230 if it holds none."""
    head, mark, body = content.decode("latin-1").partition("Data:")
    if not mark:
        head, body = "", content.decode("latin-1")
    try:
        values = np.array([float(word) for word in body.replace(",", " ").split()])
        rates = [float(line.partition(":")[2]) for line in head.splitlines() if line.startswith("Sample Rate:")]
    except ValueError as error:
        raise ScpiError(-230) from error
    if not values.size or not np.isfinite(values).all():
        raise ScpiError(-230)
    full_scale = 32767.0 if np.abs(values).max() > 1 else 1.0
    return np.clip(0.5 + 0.5 * values / full_scale, 0, 1), rates[0] if rates else None
