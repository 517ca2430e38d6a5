"""What can be set on a 34980A and is reset by *RST."""

from __future__ import annotations

from dataclasses import dataclass, field

from .keysight_34980a_dmm import Measurement
from .keysight_34980a_modules import EMPTY_SETUP
from .scpi_errors import ScpiError

SETUPS = 6


@dataclass
class ScanSettings:
    """How to scan, with the *RST values.

    Attributes:
        source: what begins a sweep.
        count: triggers until the scan is over.
        sweeps: sweeps per trigger.
        timer_seconds: from the begin of one sweep to that of the next, with the TIMer as source.
        samples: readings per trigger of the DMM by itself.
        advance: what goes on to the next channel without the internal DMM.
        is_ordered: whether the scan list is sorted.
    """

    source: str = "IMM"
    count: float = 1.0
    sweeps: float = 1.0
    samples: float = 1.0
    timer_seconds: float = 10.0  # to be checked
    advance: str = "EXT"
    is_ordered: bool = True


@dataclass
class Settings34980:
    """All that *RST resets, apart from the relays themselves and what is stored.

    Attributes:
        delays: channel delays; those that are missing are automatic.
        scan_list: channels of ROUTe:SCAN.
        trigger_delay_seconds: before each reading of the DMM.
        measurement, measurements: what the DMM measures by itself, and by channel.
        is_overlapped: whether relays may still be moving when the next command is carried out.
    """

    delays: dict[int, float] = field(default_factory=dict)
    scan_list: list[int] = field(default_factory=list)
    scan: ScanSettings = field(default_factory=ScanSettings)
    trigger_delay_seconds: float = 0.0
    is_dmm_enabled: bool = True
    measurement: Measurement = field(default_factory=Measurement)
    measurements: dict[int, Measurement] = field(default_factory=dict)
    is_overlapped: bool = False
    is_interlock_simulated: bool = False
    is_display_on: bool = True
    is_beeper_on: bool = True
    text: str = ""

    def measurement_of(self, channel: int) -> Measurement:
        """What the DMM measures on a channel."""
        return self.measurements.setdefault(channel, Measurement())


@dataclass
class Setups:
    """What *SAV has stored: row protection mode and closed channels by slot. *RST leaves it alone."""

    names: dict[int, str] = field(default_factory=dict)
    _stored: dict[int, dict[int, tuple[str, frozenset[int]]]] = field(default_factory=dict)

    def __contains__(self, location: object) -> bool:
        return location in self._stored

    def save(self, location: int, setup: dict[int, tuple[str, frozenset[int]]]) -> None:
        """Store one; raises ScpiError -222."""
        self._check(location)
        self._stored[location] = setup

    def get(self, location: int) -> dict[int, tuple[str, frozenset[int]]]:
        """One; raises ScpiError -222 or 291."""
        self._check(location)
        if location not in self._stored:
            raise ScpiError(*EMPTY_SETUP)
        return self._stored[location]

    def forget(self, location: int) -> None:
        """Delete one, with its name."""
        self._stored.pop(location, None)
        self.names.pop(location, None)

    @staticmethod
    def _check(location: int) -> None:
        if location >= SETUPS:
            raise ScpiError(-222)
