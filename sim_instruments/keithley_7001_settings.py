"""What can be set on a Keithley 7001 or 7002, with the *RST values of the instruction manual."""

from __future__ import annotations

from dataclasses import dataclass, field

from .keithley_7001_cards import Channel

DIGITAL_OUTPUTS = 4


@dataclass
class SlotSettings:
    """One slot.

    Attributes:
        settle_seconds: added to what the card's relays need.
        poles: poles per channel.
    """

    settle_seconds: float = 0.0
    poles: float = 2.0


@dataclass
class Layer:
    """One layer of the trigger model.

    Attributes:
        source: what it waits for.
        is_auto_count: the channel layer's count is the length of the scan list.
    """

    source: str = "IMM"
    count: float = 1.0
    is_auto_count: bool = False
    delay_seconds: float = 0.0
    timer_seconds: float = 0.1
    direction: str = "ACC"
    protocol: str = "ASYN"
    input_line: float = 1.0
    output_line: float = 2.0


@dataclass
class DigitalOutput:
    """One line of the digital I/O port."""

    is_on: bool = False
    sense: str = "ALOW"


@dataclass
class Settings7001:
    """All that *RST resets, apart from the relays themselves."""

    slots: dict[int, SlotSettings]
    is_break_before_make: bool = True
    is_paired: bool = False
    is_single: bool = False
    forbidden: list[Channel] = field(default_factory=list)
    scanned: list[tuple[Channel, ...]] = field(default_factory=list)
    arm: Layer = field(default_factory=Layer)
    scan: Layer = field(default_factory=Layer)
    channel: Layer = field(default_factory=lambda: Layer(is_auto_count=True))
    is_continuous: bool = False
    outputs: dict[int, DigitalOutput] = field(
        default_factory=lambda: {line: DigitalOutput() for line in range(1, DIGITAL_OUTPUTS + 1)}
    )
    is_display_on: bool = True
    display_text: str = ""
    is_display_text_on: bool = False
    shows_scan_list: bool = False
    latest_key: float = 0.0

    @property
    def channel_count(self) -> float:
        """How many channels one scan takes."""
        return len(self.scanned) if self.channel.is_auto_count else self.channel.count


@dataclass
class Kept:
    """What neither *RST nor power loss resets.

    Attributes:
        memories: channel patterns by memory location.
        setups: what *SAV has stored: settings and closed channels.
        power_on_setup: what SYSTem:POSetup chose.
    """

    memories: dict[int, tuple[Channel, ...]] = field(default_factory=dict)
    setups: dict[int, tuple[Settings7001, frozenset[Channel]]] = field(default_factory=dict)
    power_on_setup: str = "RST"
