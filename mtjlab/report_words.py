"""How a run's page says numbers, and in words what a recipe asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .recipe_units import quantity_text

NUMBERS = {
    "bad_instruments": "instruments that are not as expected",
    "bad_lines": "lines that are not as expected",
    "silent_lines": "lines without contact",
    "median_siemens": "median conductance",
    "least_siemens": "lowest conductance",
    "most_siemens": "highest conductance",
    "sigma_siemens": "typical uncertainty (sigma)",
    "unread_cells": "cells without a reading",
    "healthy_share": "yield of cells",
    "defects": "defective cells",
    "median_p_siemens": "median conductance in P",
    "median_ap_siemens": "median conductance in AP",
    "on_off_siemens": "median of G_P - G_AP",
    "tmr": "median TMR",
    "line_open": "broken lines' cells",
    "line_short": "touching lines' cells",
    "cells_measured": "cells measured",
    "cells_refused": "cells that refused",
    "to_p_volts": "switches to P at",
    "to_ap_volts": "switches to AP at",
    "loop_tmr": "TMR in the loop",
    "tmr0": "TMR at zero bias",
    "volts_half": "bias at which TMR is halved",
    "write_error_rate": "write error rate",
    "read_disturb_rate": "read disturb rate",
    "delta": "thermal stability Δ",
    "critical_volts": "critical voltage V_c0",
    "software_accuracy": "accuracy in software",
    "planned_accuracy": "accuracy predicted from the map",
    "predicted_accuracy": "accuracy predicted from the map as written",
    "accuracy": "accuracy on the array",
    "accuracy_untuned": "accuracy on the array, untuned",
    "write_fidelity": "write fidelity",
    "fidelity": "write fidelity",
    "unwritten_cells": "cells that refused their target",
    "mended_cells": "cells written again after their neighbours",
    "pulses": "write pulses",
}
"""Numbers that steps give, in a reader's words."""
_WAYS = {
    "thorough": "thoroughly: several looks at every cell, and half-selects",
    "quick": "quickly: once to P and once to AP",
    "columns": "whole columns by one pulse each",
}
_MEASURES = {
    "loop": "the loop of conductance over pulse amplitude",
    "bias": "TMR against bias",
    "write_errors": "write error rates",
    "read_disturb": "read disturb",
    "switching": "switching probability against amplitude, with a fit of Δ and V_c0",
}


def with_micro(text: str) -> str:
    """Units as they are printed: 3 uS becomes 3 µS."""
    return re.sub(r"(?<=\d) u(?=[A-Z])", " µ", text)


def first_upper(text: str) -> str:
    """As at the beginning of a line; symbols such as TMR and V_c0 stay."""
    return text[:1].upper() + text[1:]


def limits_words(limits: Mapping[str, Any]) -> str:
    """Limits of a device, for a reader."""
    units = {
        "read_volts": "V",
        "write_volts_positive": "V",
        "write_volts_negative": "V",
        "pulse_seconds": "s",
        "amps": "A",
    }
    said = {
        "read_volts": "reading {}",
        "write_volts_positive": "pulses +{}",
        "write_volts_negative": "-{}",
        "pulse_seconds": "{} long",
        "amps": "{}",
        "pulses_per_cell": "{} pulses on a cell",
    }
    found = [
        words.format(quantity_text(float(limits[name]), units.get(name, "")))
        for name, words in said.items()
        if isinstance(limits.get(name), int | float)
    ]
    return f"at most: {', '.join(found)}" if found else ""


def number_words(name: str) -> str:
    """What a number of a step is called."""
    return NUMBERS.get(name, f"cells {name.replace('_', ' ')}")


def step_words(step: dict[str, Any]) -> str:
    """What a step of a recipe asks for, in one sentence; its kind alone where its parameters are not as expected."""
    kind = str(step.get("step", ""))
    try:
        return _SENTENCES[kind](step)
    except (KeyError, TypeError, ValueError):
        return f"Do the step '{kind}'."


def _volts(step: dict[str, Any], key: str = "read_volts") -> str:
    return quantity_text(float(step[key]), "V")


def _pulses(step: dict[str, Any]) -> str:
    return f"pulses of at most {_volts(step, 'most_volts')} and {quantity_text(float(step['pulse_seconds']), 's')}"


def _contact(step: dict[str, Any]) -> str:
    then = "; end there if one is silent" if step["stops"] else ""
    return f"See whether every line makes contact: a few cells on each, at {_volts(step)}{then}."


def _read(step: dict[str, Any]) -> str:
    both = "at both polarities, " if step["both_polarities"] else ""
    until = "" if step["wanted"] is None else f", up to {step['most_readings']} until {step['wanted']:.2%} are reached"
    return (
        f"Read every cell in the state that it is in, with an uncertainty: at {_volts(step)}, {both}{step['readings']} "
        f"readings each{until}. Nothing is pulsed."
    )


def _classify(step: dict[str, Any]) -> str:
    return (
        f"Bring every cell to P and to AP ({_WAYS[step['how']]}) by {_pulses(step)}, read it in both states at "
        f"{_volts(step)}, and say what is wrong with cells and lines."
    )


def _characterize(step: dict[str, Any]) -> str:
    cells = step["cells"]
    many = cells if isinstance(cells, int) else len(cells)
    measured = [_MEASURES[name] for name in step["measure"]]
    return f"Measure {many} cell{'s' * (many != 1)} in depth: {'; '.join(measured)}."


def _train(step: dict[str, Any]) -> str:
    way = ", with the conductances of this die's cells in the loop," if step.get("aware") == "hardware" else ""
    return (
        f"Train {step['solutions']} networks of binary weights on {step['data']}{way} and keep the one that this die's "
        "map predicts the best for, on the lines where defects hurt it least."
    )


def _write(step: dict[str, Any]) -> str:
    return (
        f"Write the pattern '{step['pattern']}' into the array by {_pulses(step)}, each cell verified by a reading at "
        f"{_volts(step)}, with at most {step['passes']} further passes over cells that are not in their state."
    )


def _infer(step: dict[str, Any]) -> str:
    return (
        f"Write the network into the array layer by layer by {_pulses(step)}, with verification, and run every sample "
        f"on it at {_volts(step)}."
    )


_SENTENCES = {
    "check": lambda step: (
        "Check who the instruments are, their firmware and calibration; path, leakage and contact of every line."
    ),
    "contact": _contact,
    "read": _read,
    "classify": _classify,
    "characterize": _characterize,
    "train": _train,
    "write": _write,
    "infer": _infer,
}


# filters of the pages


def percent(value: float | None, digits: int = 1) -> str:
    """A share."""
    return "not measured" if value is None else f"{value * 100:.{digits}f} %"


def when(iso: str) -> str:
    """A moment, to the minute."""
    try:
        return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return iso


def count(value: int | None) -> str:
    """Thousands set apart by narrow spaces."""
    return "not recorded" if value is None else f"{value:,}".replace(",", "\u202f")


def clock(seconds: float | None) -> str:
    """Hours, minutes, seconds."""
    if seconds is None:
        return "not recorded"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def micro(siemens: float | None) -> str:
    """A conductance in microsiemens."""
    return "not recorded" if siemens is None else f"{siemens * 1e6:.4g} µS"


def plain(value: Any) -> str:
    """Any plain value."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items() if one is not None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(one) for one in value)
    return "not said" if value is None else str(value)
