"""Everything off, whatever state it is in: each step is attempted and reported, and none can keep another from it.

The order: levels to 0 V and outputs off, each confirmed by the instrument's own word; relays open; field down.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from .roles import FieldSource, PulseSource, SourceMeasureUnit, SwitchMatrix


class _Switch(Protocol):
    def __call__(self, name: str, part: Any, problems: list[str], *, is_recovering: bool) -> bool | None: ...


class _Output(Protocol):
    def output_off(self) -> None: ...

    def is_output_on(self) -> bool: ...

    def recover(self) -> None: ...


@dataclass(frozen=True)
class OffReport:
    """What was found after switching off.

    Attributes:
        outputs: per source, read back: True off, False still on, None if it did not answer.
        relays: per matrix, read back: True all open, False, or None if it did not answer.
        problems: what could not be done, in words.
    """

    outputs: Mapping[str, bool | None]
    relays: Mapping[str, bool | None]
    problems: tuple[str, ...]

    @property
    def is_safe(self) -> bool:
        """Whether every output was read back as off and every relay as open."""
        return all(off is True for off in (*self.outputs.values(), *self.relays.values()))


def switch_all_off(
    instruments: Mapping[str, Any], *, is_recovering: bool = False, patience_seconds: float | None = None
) -> OffReport:
    """Switch off every source and open every relay of these instruments, channels included.

    Instruments of a stage are dealt with at the same time: a silent one keeps none from being switched off.

    Args:
        instruments: station name -> driver; what plays no role with an output or relays is left alone.
        is_recovering: clear each instrument first, since somebody may have been interrupted while talking to it.
        patience_seconds: how long to wait for each answer; the drivers' own time-outs if it is left out.
    """
    problems: list[str] = []
    if patience_seconds is not None:
        for instrument in instruments.values():
            _hurry(instrument, patience_seconds)

    def attempted(switch: _Switch, *roles: type) -> dict[str, bool | None]:
        """One thread for each instrument; channels of one instrument in turn."""
        found: dict[str, bool | None] = {}

        def of_one(name: str, instrument: Any) -> None:
            for part_name, part in _parts(name, instrument):
                if isinstance(part, roles):
                    found[part_name] = switch(part_name, part, problems, is_recovering=is_recovering)

        with ThreadPoolExecutor(max_workers=max(len(instruments), 1)) as pool:
            list(pool.map(of_one, instruments.keys(), instruments.values()))
        return dict(sorted(found.items()))

    outputs = attempted(output_off, SourceMeasureUnit, PulseSource)
    relays = attempted(relays_open, SwitchMatrix)
    fields = attempted(output_off, FieldSource)
    return OffReport(outputs | fields, relays, tuple(problems))


def _hurry(instrument: Any, seconds: float) -> None:
    with contextlib.suppress(Exception):  # a driver without this setting keeps its own patience
        instrument.timeout(seconds)


def _parts(name: str, instrument: Any) -> Iterator[tuple[str, Any]]:
    yield name, instrument
    for channel, part in getattr(instrument, "submodules", {}).items():
        yield f"{name}.{channel}", part


def output_off(name: str, part: _Output, problems: list[str], *, is_recovering: bool = False) -> bool | None:
    """0 V and off, with one device clear if it does not listen; returns what it reads back."""
    is_off = None
    for is_last_chance in (False, True):
        try:
            if is_last_chance or is_recovering:
                part.recover()
            part.output_off()
            is_off = not part.is_output_on()
            if is_off:
                break
        except Exception as error:  # whatever the fault, the other instruments must still be switched off
            note(problems, name, error)
    return is_off


def relays_open(name: str, part: SwitchMatrix, problems: list[str], *, is_recovering: bool = False) -> bool | None:
    """All relays open, with one device clear if it does not listen; returns what it reads back."""
    is_open = None
    for is_last_chance in (False, True):
        try:
            if is_last_chance or is_recovering:
                part.recover()
            part.open_all()
            is_open = not part.closed()
            if is_open:
                break
        except Exception as error:  # likewise
            note(problems, name, error)
    return is_open


def note(problems: list[str], name: str, error: Exception) -> None:
    """Remember what could not be done, once."""
    text = str(error) if name in str(error) else f"{name}: {error}"
    if text not in problems:
        problems.append(text)


def as_lines(report: OffReport) -> Sequence[str]:
    """What an operator reads."""
    words = {True: "off", False: "STILL ON", None: "DOES NOT ANSWER"}
    lines = [f"{name}: output {words[off]}" for name, off in report.outputs.items()]
    states = {True: "all relays open", False: "RELAYS STILL CLOSED", None: "DOES NOT ANSWER"}
    lines += [f"{name}: {states[is_open]}" for name, is_open in report.relays.items()]
    return [*lines, *(f"problem: {problem}" for problem in report.problems)]
