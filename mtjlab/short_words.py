"""Results that print themselves on a line or two: arrays by type and shape, long lists by their first entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

_MOST = 4
_LONGEST = 120


def in_short(self: Any) -> str:
    """`__repr__` of a dataclass that holds arrays."""
    told = (f"{field.name}={_words(getattr(self, field.name))}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(told)})"


def _words(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {' x '.join(map(str, value.shape)) or 'scalar'}>"
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        more = [f"... {len(value)} in all"] if len(value) > _MOST else []
        left, right = "()" if isinstance(value, tuple) else "[]"
        return f"{left}{', '.join([*map(_words, value[:_MOST]), *more])}{right}"
    if isinstance(value, Mapping):
        more = [f"... {len(value)} in all"] if len(value) > _MOST else []
        told = [f"{key!r}: {_words(one)}" for key, one in list(value.items())[:_MOST]]
        return f"{{{', '.join([*told, *more])}}}"
    text = repr(value)
    return text if len(text) <= _LONGEST or "(" in text else f"{text[: _LONGEST - 4]} ..."
