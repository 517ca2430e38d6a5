"""What the blocks of a 2450's trigger model act on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from .keithley_2450_bus import TriggerBus
from .keithley_2450_events import Event
from .scpi_errors import ScpiError


class Host(Protocol):
    """What blocks act on. Nothing here lets time pass; what takes time says how long."""

    bus: TriggerBus

    @property
    def seconds(self) -> float:
        """World seconds now."""

    def elapse(self, seconds: float) -> None:
        """Let time pass in the world."""

    def log(self, event: Event, text: str = "") -> None:
        """An event for the log."""

    def report(self, error: ScpiError) -> None:
        """An error for the log."""

    def model_ended(self) -> None:
        """A run is over."""

    def clear_buffer(self, name: str) -> None:
        """Empty a reading buffer."""

    def measure(self, name: str, count: int, *, is_alone: bool) -> Iterator[float]:
        """Measure into a reading buffer; `is_alone` if nothing else happens on the bench meanwhile."""

    def last_values(self, name: str, count: int) -> list[float]:
        """The last readings of a buffer."""

    def recall_point(self, name: str, index: int) -> float:
        """Recall a point of a source or measure configuration list; returns the seconds that takes."""

    def list_size(self, name: str) -> int:
        """Points of a configuration list."""

    def put_output(self, is_on: bool) -> float:
        """Output on or off; returns the seconds that takes."""

    def write_lines(self, pattern: int, mask: int) -> None:
        """Set digital lines."""

    def limits_of(self, number: int) -> tuple[float, float]:
        """Limit test 1 or 2 of the selected measure function."""

    def user_delay(self, name: str) -> float:
        """A delay of SOURce or SENSe:...:DELay:USER, as SOUR1 or MEAS1."""

    @property
    def is_limiting(self) -> bool:
        """Whether the output is at its limit."""
