"""Trigger wires: lines between the trigger connectors of instruments, which anyone on them can pull low.

Trigger links, digital lines and trigger connectors of laboratory instruments are TTL lines with a pull-up. An
open-collector output pulls its line low for a pulse; an output that rests low holds it low and lets it go. Where
several pull, low wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pydantic import RootModel, model_validator

from mtjlab.errors import InputError

from .cables import expanded

TRIGGER_PULSE_SECONDS = 10e-6
"""Width of an output trigger where a maker does not let it be set (Keithley: about 10 us)."""
Later = Callable[[float, Callable[[], None]], None]
"""Lets something happen in so many seconds of the world's time."""


class Wire:
    """A line with a pull-up that anyone on it can pull low.

    Args:
        later: what ends the pulses of terminals; not needed by owners that do so themselves.
    """

    def __init__(self, later: Later | None = None) -> None:
        self.later = later
        self._pulling: set[object] = set()
        self._watching: list[Callable[[bool], None]] = []

    @property
    def is_high(self) -> bool:
        """Whether nobody pulls it low."""
        return not self._pulling

    def watch(self, on_edge: Callable[[bool], None]) -> None:
        """Call this at each edge, with whether it rises."""
        self._watching.append(on_edge)

    def set(self, owner: object, *, is_low: bool) -> None:
        """Somebody pulls it low, or lets it go."""
        was_high = self.is_high
        if is_low:
            self._pulling.add(owner)
        else:
            self._pulling.discard(owner)
        if self.is_high != was_high:
            for on_edge in tuple(self._watching):
                on_edge(self.is_high)


class Connection(Protocol):
    """What an instrument has at a trigger connector."""

    def attach(self, wire: Wire) -> None:
        """Be on this wire from now on."""


class Terminal:
    """A trigger connector, input or output or both. Its own edges it does not hear.

    Args:
        heard: called at each edge that others make, with whether it rises.
    """

    def __init__(self, heard: Callable[[bool], None] | None = None) -> None:
        self._heard = heard
        self._wire: Wire | None = None
        self._rests_low = False
        self._is_setting = False
        self._pulses = 0

    @property
    def is_joined(self) -> bool:
        """Whether a wire is at it."""
        return self._wire is not None

    @property
    def is_high(self) -> bool:
        """Level of its wire; one without a wire is pulled up."""
        return self._wire is None or self._wire.is_high

    def attach(self, wire: Wire) -> None:
        """Be on this wire from now on."""
        self._wire = wire
        wire.watch(self._edge)
        self._put(is_low=self._rests_low)

    def _edge(self, is_rising: bool) -> None:
        if self._heard is not None and not self._is_setting:
            self._heard(is_rising)

    def rest(self, *, is_low: bool) -> None:
        """The level between pulses: pulled low, or let go."""
        self._rests_low = is_low
        self._put(is_low=is_low)

    def pulse(self, seconds: float = TRIGGER_PULSE_SECONDS) -> None:
        """Leave the level of rest for so long; another pulse meanwhile lengthens it."""
        wire = self._wire
        if wire is None or wire.later is None:
            return
        self._pulses += 1
        number = self._pulses
        self._put(is_low=not self._rests_low)
        wire.later(seconds, lambda: self._end_pulse(number))

    def _end_pulse(self, number: int) -> None:
        if number == self._pulses:
            self._put(is_low=self._rests_low)

    def _put(self, *, is_low: bool) -> None:
        if self._wire is None:
            return
        self._is_setting = True
        try:
            self._wire.set(self, is_low=is_low)
        finally:
            self._is_setting = False


class TriggerWireSpec(RootModel[list[str]]):
    """One entry of `trigger_wires`: the terminals that it joins, `[k2400.tlink.2, k7001.tlink.1]`.

    A terminal may hold a range in braces, as those of cables may: `[k2400.tlink.{1-4}, k7001.tlink.{1-4}]` is a whole
    trigger link cable.
    """

    @model_validator(mode="after")
    def _has_two_ends(self) -> TriggerWireSpec:
        if len(self.root) < 2:
            raise ValueError("a trigger wire joins at least two terminals")
        counts = {len(expanded(end)) for end in self.root}
        if len(counts) > 1:
            raise ValueError("the ends of a trigger wire name different numbers of terminals")
        return self

    @property
    def wires(self) -> list[tuple[str, ...]]:
        """The terminals of each wire that it stands for."""
        return list(zip(*(expanded(end) for end in self.root), strict=True))


def join(terminals: Mapping[str, Mapping[str, Connection]], specs: Sequence[TriggerWireSpec], later: Later) -> set[str]:
    """Join terminals by wires; returns the names of the instruments that are on one.

    Args:
        terminals: those of each instrument by name.
        specs: what the bench file says.
        later: what ends pulses.

    Raises InputError whose `where` is the number of the entry that names a terminal that does not exist or is taken.
    """
    joined: set[str] = set()
    for number, spec in enumerate(specs):
        for ends in spec.wires:
            wire = Wire(later)
            for end in ends:
                if end in joined:
                    raise InputError(
                        f"'{end}' is on two trigger wires",
                        where=str(number),
                        remedy="Join all that it is connected to by one wire",
                    )
                joined.add(end)
                _found(terminals, end, number).attach(wire)
    return {end.partition(".")[0] for end in joined}


def _found(terminals: Mapping[str, Mapping[str, Connection]], end: str, number: int) -> Connection:
    instrument, _, name = end.partition(".")
    known = terminals.get(instrument, {})
    if name in known:
        return known[name]
    if instrument not in terminals:
        raise InputError(
            f"there is no instrument '{instrument}' for the trigger terminal '{end}'",
            where=str(number),
            remedy=f"Use names from this file: {', '.join(sorted(terminals))}",
        )
    listed = ", ".join(known) if known else "it has none that is simulated"
    raise InputError(
        f"there is no trigger terminal '{end}'", where=str(number), remedy=f"Terminals of '{instrument}': {listed}"
    )
