"""Keithley 707B and 708B switching matrix (TSP), playing SwitchMatrix.

Facts from the Models 707B and 708B Reference Manual (TSP commands, channel specifiers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from qcodes import validators as vals
from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.errors import InstrumentError
from mtjlab.roles import Crosspoint, Identity, SwitchMatrix

from .checked_visa import TSP_WATCH, CheckedVisa, number

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

BREAK_BEFORE_MAKE = 1
_RELAY_SECONDS = 4e-3
"""One way (assumed: the longest among comparable cards)."""
_NO_ERROR = re.compile(r"^[+]?0(\.0*)?(e[+-]?0+)?\t", re.IGNORECASE)
_CHANNEL = re.compile(r"^(\d)([A-Z])(\d\d)$")


class Keithley707B(CheckedVisa, SwitchMatrix):
    """A 707B (six slots) or 708B (one slot) with matrix cards; rows are common to all slots."""

    default_terminator = "\n"

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        super().__init__(name, address, **kwargs)
        self._fitted: tuple[tuple[str, ...], tuple[int, ...]] | None = None
        self.connect_rule: Parameter[int, Keithley707B] = self.add_parameter(
            "connect_rule",
            get_cmd="print(channel.connectrule)",
            set_cmd="channel.connectrule = {}",
            get_parser=lambda reply: int(float(reply)),
            vals=vals.Enum(0, 1, 2),
            label="Connect rule",
            docstring="0 off, 1 break before make, 2 make before break.",
        )
        self.closed_channels: Parameter[str, Keithley707B] = self.add_parameter(
            "closed_channels",
            get_cmd='print(channel.getclose("allslots"))',
            set_cmd=False,
            label="Closed channels",
            docstring="As the instrument reports them, e.g. 1A01;1B02, or nil.",
        )

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is not a 707B or 708B."""
        return self.identify("707B", "708B")

    def prepare(self) -> None:
        """Open everything and set break before make."""
        self.is_watched = False
        self.write(f"errorqueue.clear() {TSP_WATCH}")
        self.open_all()
        self.connect_rule(BREAK_BEFORE_MAKE)
        self.check_errors()
        self.is_watched = True
        self.check_status()

    def reopen(self) -> None:
        """See CheckedVisa; whether it has kept its power nobody knows."""
        self.is_watched = False
        super().reopen()

    @property
    def rows(self) -> tuple[str, ...]:
        """Row letters of the fitted cards."""
        return self._cards()[0]

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns (slot * 100 + column) of the fitted cards."""
        return self._cards()[1]

    def _cards(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        if self._fitted is None:
            rows, columns = 0, []
            for slot in range(1, 7):
                of_slot, per_slot = self._counts(slot)
                rows = max(rows, of_slot)
                columns += [slot * 100 + column for column in range(1, per_slot + 1)]
            self._fitted = tuple("ABCDEFGH"[:rows]), tuple(columns)
        return self._fitted

    def _counts(self, slot: int) -> tuple[int, int]:
        """Rows and columns of a slot; told twice, since a wrong digit would be another card."""
        counts = f"slot[{slot}].rows.matrix, slot[{slot}].columns.matrix"
        query = f"if slot[{slot}] then print({counts}, {counts}) else print(nil, nil) end"
        reply = self.ask(query)
        if set(reply.split()) == {"nil"}:  # no card, or one that is no matrix
            return 0, 0
        found = [number(part) for part in reply.split()]
        if len(found) != 4 or None in found or found[:2] != found[2:]:
            raise self._not_understood(query, reply)
        return int(found[0] or 0), int(found[1] or 0)

    @property
    def seconds_per_route(self) -> float:
        """Opening and closing."""
        return 2 * _RELAY_SECONDS

    def route(self, closed: Iterable[Crosspoint]) -> frozenset[Crosspoint]:
        """Close exactly these in one transaction; returns what the instrument then reads back."""
        channels = ",".join(channel_name(point) for point in closed)
        reply = self.ask(f'channel.exclusiveclose("{channels}") waitcomplete() print(channel.getclose("allslots"))')
        return self._parse(reply)

    def open_all(self) -> None:
        """Open every relay."""
        self.write('channel.open("allslots") waitcomplete()')

    def closed(self) -> frozenset[Crosspoint]:
        """Read back which relays are closed."""
        return self._parse(self.closed_channels())

    def check_errors(self) -> None:
        """Drain the error queue; raises InstrumentError quoting every entry."""
        found = []
        for _ in range(20):
            entry = self.ask("print(errorqueue.next())")
            if _NO_ERROR.match(entry):
                break
            if "\t" not in entry:
                raise self._not_understood("errorqueue.next()", entry)
            found.append(entry.replace("\t", " "))
        if found:
            raise InstrumentError("reports " + "; ".join(found), where=self._where(), remedy="See the 707B manual")

    def _parse(self, reply: str) -> frozenset[Crosspoint]:
        text = reply.strip()
        if text == "nil":
            return frozenset()
        matches = [_CHANNEL.match(part) for part in text.split(";")]
        if not all(matches):
            raise self._not_understood("channel.getclose", text)
        return frozenset(Crosspoint(m[2], int(m[1]) * 100 + int(m[3])) for m in matches if m)


def channel_name(point: Crosspoint) -> str:
    """The instrument's name of a crosspoint, e.g. row A, column 101 is 1A01."""
    slot, column = divmod(point.column, 100)
    return f"{slot}{point.row}{column:02d}"
