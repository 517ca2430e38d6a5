"""STDF version 4: its records as bytes (Standard Test Data Format specification, Teradyne).

Every field is written out, also where the format lets trailing ones go: readers exist that need them. Little-endian,
results are 32-bit floats: a format to hand on, not to keep.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

MOST_BYTES = 65_535
"""Of a record's content: its length is a 16-bit number."""
MISSING_PLACE = -32_768
"""X_COORD and Y_COORD of a part without coordinates."""

_TEXTS = " Cn"
LAYOUTS: dict[str, tuple[int, int, str]] = {
    "FAR": (0, 10, "U1 U1"),
    "ATR": (0, 20, "U4 Cn"),
    "MIR": (1, 10, "U4 U4 U1 C1 C1 C1 U2 C1" + 30 * _TEXTS),
    "MRR": (1, 20, "U4 C1 Cn Cn"),
    "PCR": (1, 30, "U1 U1 U4 U4 U4 U4 U4"),
    "HBR": (1, 40, "U1 U1 U2 U4 C1 Cn"),
    "SBR": (1, 50, "U1 U1 U2 U4 C1 Cn"),
    "SDR": (1, 80, "U1 U1 U1 U1*" + 16 * _TEXTS),
    "WIR": (2, 10, "U1 U1 U4 Cn"),
    "WRR": (2, 20, "U1 U1 U4 U4 U4 U4 U4 U4" + 6 * _TEXTS),
    "WCR": (2, 30, "R4 R4 R4 U1 C1 I2 I2 C1 C1"),
    "PIR": (5, 10, "U1 U1"),
    "PRR": (5, 20, "U1 U1 B1 U2 U2 U2 I2 I2 U4 Cn Cn Bn"),
    "TSR": (10, 30, "U1 U1 C1 U4 U4 U4 U4 Cn Cn Cn B1 R4 R4 R4 R4 R4"),
    "PTR": (15, 10, "U4 U1 U1 B1 B1 R4 Cn Cn B1 I1 I1 I1 R4 R4 Cn Cn Cn Cn R4 R4"),
    "MPR": (
        15,
        15,
        "U4 U1 U1 B1 B1 U2 U2 N1* R4* Cn Cn B1 I1 I1 I1 R4 R4 R4 R4 U2* Cn Cn Cn Cn Cn R4 R4",
    ),
    "FTR": (
        15,
        20,
        "U4 U1 U1 B1 B1 U4 U4 U4 U4 I4 I4 I2 U2 U2 U2* N1* U2* N1* Dn Cn Cn Cn Cn Cn Cn Cn U1 Dn",
    ),
    "DTR": (50, 30, "Cn"),
}
"""REC_TYP, REC_SUB and field types of each record; `*` is an array whose length stands in a field of its own."""

_CODES = {"U1": "B", "U2": "H", "U4": "I", "I1": "b", "I2": "h", "I4": "i", "R4": "f", "B1": "B"}

_SHORT_RESULT = np.dtype(
    [
        ("length", "<u2"),
        ("type", "u1"),
        ("subtype", "u1"),
        ("number", "<u4"),
        ("head", "u1"),
        ("site", "u1"),
        ("test_flags", "u1"),
        ("parametric_flags", "u1"),
        ("result", "<f4"),
    ]
)


def record(name: str, *values: Any) -> bytes:
    """One record, header and all.

    Args:
        name: e.g. "PTR".
        values: one per field of `LAYOUTS`.

    Raises:
        InputError: a value does not fit its field, or the record gets too long.
    """
    kind, subtype, layout = LAYOUTS[name]
    fields = layout.split()
    if len(fields) != len(values):
        raise InputError(f"a {name} record has {len(fields)} fields, not {len(values)}")
    try:
        content = b"".join(_packed(field, value) for field, value in zip(fields, values, strict=True))
    except (struct.error, OverflowError) as error:
        raise InputError(f"a value does not fit a {name} record of STDF ({error})") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"a {name} record of {len(content)} bytes is too long for STDF")
    return struct.pack("<HBB", len(content), kind, subtype) + content


def short_results(
    numbers: NDArray[Any], values: NDArray[Any], test_flags: NDArray[Any], parametric_flags: int, head: int, site: int
) -> bytes:
    """PTR records of many results at once, without what the first PTR of each test has said already.

    Args:
        numbers, values, test_flags: shape (results,).
        parametric_flags, head, site: of all of them.
    """
    kind, subtype, _ = LAYOUTS["PTR"]
    packed = np.empty(numbers.size, dtype=_SHORT_RESULT)
    packed["length"], packed["type"], packed["subtype"] = _SHORT_RESULT.itemsize - 4, kind, subtype
    packed["number"], packed["head"], packed["site"] = numbers, head, site
    packed["test_flags"], packed["parametric_flags"] = test_flags, parametric_flags
    packed["result"] = values
    return packed.tobytes()


def _packed(field: str, value: Any) -> bytes:
    if field == "Cn":
        return _text(value)
    if field == "C1":
        return (str(value).encode("ascii", "replace") or b" ")[:1]
    if field in ("Bn", "Dn"):  # only empty ones are written here
        return b"\x00" * (1 if field == "Bn" else 2)
    if field == "N1*":
        return _nibbles(value)
    if field.endswith("*"):
        return np.asarray(value, dtype=f"<{_CODES[field[:2]]}").tobytes()
    return struct.pack(f"<{_CODES[field]}", value)


def _text(value: str) -> bytes:
    """A length and as much of the text as 255 characters of ASCII take."""
    signs = value.encode("ascii", "replace")[:255]
    return bytes([len(signs)]) + signs


def _nibbles(values: Sequence[int]) -> bytes:
    """Two to a byte, the first in the low half."""
    padded = [*values, 0][: 2 * ((len(values) + 1) // 2)]
    return bytes((low & 15) | ((high & 15) << 4) for low, high in zip(padded[::2], padded[1::2], strict=True))
