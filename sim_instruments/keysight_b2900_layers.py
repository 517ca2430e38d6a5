"""Settings of a B2900A's trigger system: arm and trigger layers, trigger outputs, waiting times."""

from __future__ import annotations

from dataclasses import dataclass, field

_BY_ITSELF = ("AINT", "TIM")
"""Trigger sources that wait for nothing from outside."""


@dataclass
class WaitSettings:
    """Waiting time of source or measurement: gain x initial time + offset."""

    is_on: bool = True
    is_auto: bool = True
    gain: float = 1.0
    offset_seconds: float = 0.0


@dataclass
class TriggerOut:
    """Whether an event also gives a trigger, and on which lines."""

    is_on: bool = False
    lines: tuple[str, ...] = ("EXT1",)


@dataclass
class LayerSettings:
    """The arm or trigger layer of one action, transient or acquire."""

    source: str = "AINT"
    count: float = 1.0
    delay_seconds: float = 0.0
    timer_seconds: float = 1e-5
    bypass: str = "OFF"
    trigger_out: TriggerOut = field(default_factory=TriggerOut)


def layers() -> dict[str, LayerSettings]:
    """Those of both actions, as after a reset."""
    return {"TRAN": LayerSettings(), "ACQ": LayerSettings()}


def steps_of(arm: LayerSettings, trigger: LayerSettings) -> float:
    """Actions between two waits for something from outside, or of one initiation; infinite if a count is."""
    if trigger.source not in _BY_ITSELF:
        return 1.0
    return trigger.count if arm.source not in _BY_ITSELF else arm.count * trigger.count
