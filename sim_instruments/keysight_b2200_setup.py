"""Setup memory, labels and front panel settings of a B2200: what never moves a relay by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .keysight_b2200_routes import CardRoutes

MEMORIES = 8


@dataclass
class Memory:
    """One setup memory.

    Attributes:
        function: channel configuration mode.
        routes: the cards.
        comment: what the user wrote about it.
    """

    function: str = "ACON"
    routes: dict[int, CardRoutes] | None = None
    comment: str = ""


@dataclass
class PanelSettings:
    """Beeper, display, keys, light pen, and the names shown for ports.

    Attributes:
        symbols: (card, output) -> name; card -1 holds the input ports.
        tested: card or item -> result of its latest test.
    """

    is_beeper_on: bool = True
    is_lcd_on: bool = True
    is_led_on: bool = True
    text: str = ""
    is_locked: bool = False
    is_pen_on: bool = True
    symbols: dict[tuple[int, int], str] = field(default_factory=dict)
    tested: dict[str, int] = field(default_factory=dict)

    def forget_symbols(self, cards: Iterable[int]) -> None:
        """The outputs of these cards have their numbers again."""
        gone = set(cards)
        self.symbols = {key: name for key, name in self.symbols.items() if key[0] not in gone}
