"""badcrossbar 1.1.0, for comparison: its solver without its drawing and saving parts, and without its log on screen."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import types
from collections.abc import Callable
from typing import Any

_INSTALL = (
    "this benchmark compares with badcrossbar; install it without its drawing dependency:\n  pip install --no-deps "
)
_VERSION = "badcrossbar==1.1.0"


def compute() -> Callable[..., Any]:
    """badcrossbar's `compute(applied_voltages, resistances, r_i)`; leaves with what to install if it is missing."""
    if importlib.util.find_spec("badcrossbar") is None:
        raise SystemExit(_INSTALL + _VERSION)
    sys.modules.setdefault("badcrossbar.plot", types.ModuleType("badcrossbar.plot"))
    if importlib.util.find_spec("pathvalidate") is None:
        stand_in = types.ModuleType("pathvalidate")
        stand_in.sanitize_filepath = lambda path: path  # type: ignore[attr-defined]
        sys.modules["pathvalidate"] = stand_in
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    module = importlib.import_module("badcrossbar.compute")
    root.handlers[:], root.level = handlers, level
    logging.getLogger("badcrossbar").setLevel(logging.WARNING)
    return module.compute  # type: ignore[no-any-return]
