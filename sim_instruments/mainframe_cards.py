"""Which cards fit which switching mainframe, and in how many slots."""

from __future__ import annotations

from typing import Literal, get_args

Keithley707BCard = Literal["7071", "7072", "7073", "7074", "7172", "7173-50", "7174A"]
Keithley7001Card = Literal[
    "7011",
    "7011-S",
    "7011-C",
    "7012",
    "7012-S",
    "7012-C",
    "7015",
    "7015-S",
    "7015-C",
    "7018-S",
    "7018-C",
    "7022",
    "7035",
    "7052",
    "7152",
    "7153",
    "7156",
    "7158",
]
KeysightB2200Card = Literal["B2211A"]
KeysightE5250Card = Literal["E5252A"]
Keysight34980Card = Literal[
    "34921A",
    "34922A",
    "34923A",
    "34924A",
    "34925A",
    "34931A",
    "34932A",
    "34933A",
    "34934A-4x32",
    "34934A-4x64",
    "34934A-4x128",
    "34934A-8x32",
    "34934A-8x64",
    "34934A-16x32",
]
SwitchCard = Keithley7001Card | KeysightB2200Card | KeysightE5250Card | Keysight34980Card

FITTING: dict[str, tuple[int, tuple[str, ...]]] = {
    "keithley_707b": (6, get_args(Keithley707BCard)),
    "keithley_708b": (1, get_args(Keithley707BCard)),
    "keithley_7001": (2, get_args(Keithley7001Card)),
    "keithley_7002": (10, get_args(Keithley7001Card)),
    "keysight_b2201a": (4, get_args(KeysightB2200Card)),
    "keysight_e5250a": (4, get_args(KeysightE5250Card)),
    "keysight_34980a": (8, get_args(Keysight34980Card)),
}
"""Mainframe -> its slots and the cards that fit."""


def misfit(model: str, cards: list[str | None]) -> str | None:
    """What is wrong with these cards in slots 1, 2, ... of this mainframe; None if nothing is."""
    slots, fitting = FITTING[model]
    if len(cards) > slots:
        return f"a {model} has {slots} slots, not {len(cards)}"
    wrong = next((card for card in cards if card is not None and card not in fitting), None)
    return None if wrong is None else f"a {wrong} does not fit a {model}; use {', '.join(fitting)}"
