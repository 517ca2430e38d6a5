"""Keithley 7001 and 7002 switch systems with matrix cards (SCPI), playing SwitchMatrix.

Facts from the Model 7001 Instruction Manual (sections 4 and 5: channel lists, ROUTe subsystem) and the cards' manuals.
QCoDeS has no driver for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from qcodes import validators as vals
from qcodes.instrument import VisaInstrumentKWArgs
from qcodes.parameters import create_on_off_val_mapping

from mtjlab.errors import InstrumentError
from mtjlab.roles import Crosspoint, Identity

from .checked_visa import WATCH
from .scpi_matrix import ScpiMatrix, open_and_close

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

MATRIX_CARDS: dict[str, tuple[int, int]] = {
    "C7012": (4, 10),
    "C7022": (5, 6),
    "C7052": (4, 5),
    "C7152": (4, 5),
    "C7153": (4, 5),
}
"""Card as *OPT? names it -> rows and columns. Multiplexer cards play no part."""
_RELAY_SECONDS = 3e-3
"""Actuation of the 7012's and 7052's relays, release counted as long (data sheets)."""
_LIST = re.compile(r"^\(@(.*)\)$")
_CHANNEL = re.compile(r"^(\d+)!(\d+)!(\d+)$")


class Keithley7001(ScpiMatrix):
    """A 7001 (two slots) or 7002 (ten) whose matrix cards share rows 1, 2, ... through the analog backplane."""

    manual = "7001 instruction manual"

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        super().__init__(name, address, **kwargs)
        self._fitted: dict[int, tuple[int, int]] | None = None
        self._settle_seconds = 0.0
        self.break_before_make: Parameter[bool, Keithley7001] = self.add_parameter(
            "break_before_make",
            get_cmd=":ROUT:CONF:BBM?",
            set_cmd=":ROUT:CONF:BBM {}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Break before make",
            docstring="Of scans; routes open before they close by the order of commands in one message.",
        )
        self.settle_seconds: Parameter[float, Keithley7001] = self.add_parameter(
            "settle_seconds",
            get_cmd=self._ask_settle,
            set_cmd=self._set_settle,
            vals=vals.Numbers(0, 99999.999),
            unit="s",
            label="Settling time",
            docstring="Added by the instrument to the relays' own, on every slot with a matrix card.",
        )
        self.closed_channels: Parameter[str, Keithley7001] = self.add_parameter(
            "closed_channels",
            get_cmd=":ROUT:CLOS:STAT?",
            set_cmd=False,
            label="Closed channels",
            docstring="As the instrument reports them, e.g. (@1!1!1,1!2!10).",
        )

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is not a 7001 or 7002."""
        return self.identify("7001", "7002")

    def prepare(self) -> None:
        """Reset: everything open, break before make, nothing forbidden or paired, no settling time added."""
        self._known = None
        self.is_watched = False
        self.write(f"*RST;*CLS;:ROUT:CONF:BBM ON;:ROUT:CONF:SCH OFF;:ROUT:CONF:CPA OFF;{WATCH}")
        self._settle_seconds = 0.0
        self.check_errors()
        self.is_watched = True
        self.check_status()

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows of the matrix cards: 1, 2, ..."""
        return tuple(str(row) for row in range(1, max((rows for rows, _ in self._cards.values()), default=0) + 1))

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns (slot * 100 + column) of the matrix cards."""
        return tuple(slot * 100 + column for slot, (_, count) in self._cards.items() for column in range(1, count + 1))

    def reaches(self, point: Crosspoint) -> bool:
        """Whether the card in that slot has this row and column."""
        slot, column = divmod(point.column, 100)
        rows, columns = self._cards.get(slot, (0, 0))
        return point.row.isdecimal() and 1 <= int(point.row) <= rows and 1 <= column <= columns

    @property
    def _cards(self) -> dict[int, tuple[int, int]]:
        if self._fitted is None:
            names = self.ask_twice("*OPT?").split(",")
            fitted = enumerate((name.strip().upper() for name in names), start=1)
            self._fitted = {slot: MATRIX_CARDS[name] for slot, name in fitted if name in MATRIX_CARDS}
        return self._fitted

    @property
    def seconds_per_route(self) -> float:
        """Opening and closing, each with the settling time."""
        return 2 * (_RELAY_SECONDS + self._settle_seconds)

    def open_all(self) -> None:
        """Open every relay."""
        self._known = None
        self.write(":ROUT:OPEN ALL")

    def _moves(self, present: frozenset[Crosspoint], wanted: frozenset[Crosspoint]) -> list[str]:
        opening, closing = open_and_close(present, wanted)
        moves = [f":ROUT:OPEN {channel_list(opening)}"] if opening else []
        return [*moves, f":ROUT:CLOS {channel_list(closing)}"] if closing else moves

    def _question(self) -> str:
        return ":ROUT:CLOS:STAT?"

    def _told(self, question: str, reply: str) -> frozenset[Crosspoint]:
        listed = _LIST.match(reply.strip())
        if listed is None:
            raise self._not_understood(question, reply)
        entries = [entry.strip() for entry in listed[1].split(",")] if listed[1].strip() else []
        try:
            return frozenset(point for entry in entries for point in self._of_entry(entry))
        except ValueError as error:
            raise self._not_understood(question, reply) from error

    def _of_entry(self, entry: str) -> Iterator[Crosspoint]:
        """One channel, or a range of them, which counts through the columns of one card, then through its rows."""
        ends = [_place(end) for end in entry.split(":")]
        (slot, row, column), (last_slot, *last) = ends[0], ends[-1]
        columns = self._cards.get(slot, (0, 0))[1]
        if len(ends) > 2 or last_slot != slot or (len(ends) == 2 and not columns):
            raise ValueError(entry)
        while [row, column] <= last:
            yield Crosspoint(str(row), slot * 100 + column)
            row, column = (row, column + 1) if column < columns else (row + 1, 1)

    def _set_settle(self, seconds: float) -> None:
        self.write(";".join(f":ROUT:CONF:SLOT{slot}:STIM {seconds:.3f}" for slot in self._cards))
        self._settle_seconds = seconds

    def _ask_settle(self) -> float:
        question = ";".join(f":ROUT:CONF:SLOT{slot}:STIM?" for slot in self._cards)
        if not question:
            raise InstrumentError("has no matrix card", where=self._where(), remedy="Fit one")
        reply = self.ask(question)
        try:
            return max(float(part) for part in reply.split(";"))
        except ValueError as error:
            raise self._not_understood(question, reply) from error


def _place(text: str) -> tuple[int, int, int]:
    found = _CHANNEL.match(text.strip())
    if found is None:
        raise ValueError(text)
    return int(found[1]), int(found[2]), int(found[3])


def channel_list(points: Iterable[Crosspoint]) -> str:
    """The instrument's list of these crosspoints, e.g. (@1!4!10): slot 1, row 4, column 10."""
    return "(@" + ",".join(f"{p.column // 100}!{p.row}!{p.column % 100}" for p in points) + ")"
