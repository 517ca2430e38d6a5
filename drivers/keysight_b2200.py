"""Keysight (Agilent) B2200A, B2201A and E5250A switch mainframes (SCPI), playing SwitchMatrix and BiasMatrix.

Facts from the B2200 User's Guide (B2200-90001, chapters 3 to 5) and the E5250A User's Guide (chapters 5 to 7). QCoDeS's
stock driver is not used; docs/decisions/0006-own-drivers.md says why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from qcodes import validators as vals
from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.errors import InstrumentError
from mtjlab.roles import BiasMatrix, Crosspoint, Identity

from .checked_visa import WATCH
from .scpi_matrix import ScpiMatrix, open_and_close

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

SINGLE_ROUTE, FREE = "SROU", "FREE"
_INPUTS = {"B2200": 14, "B2201": 14, "E5250": 10}
_MATRIX_CARDS = ("B2210", "B2211", "E5252")
_OUTPUTS = 12
_SLOTS = 4
_GROUND_ROW = "12"
"""Chosen as ground port, this input is grounded inside the mainframe and its connector left open."""
_RELAY_SECONDS = {"B2200": 5e-3, "B2201": 5e-3, "E5250": 7e-3}
"""One way (assumed: the user's guides tell none; programs for them wait 20 ms)."""
_LIST = re.compile(r"^\(@(.*)\)$")
_CHANNEL = re.compile(r"^0(\d\d)(\d\d)$")


class KeysightB2200(ScpiMatrix, BiasMatrix):
    """One of these mainframes with matrix cards in slots 1, 2, ..., all addressed together (auto configuration).

    A row is an input port, 1 to 14 (E5250A: 10). In single-route mode, which `prepare` sets, every input goes to one
    output at most and the other way round; the many unselected lines are then `hold`'s part, not `route`'s. The free
    rule lets one input serve many outputs, but two inputs that meet on an output can damage what is connected to them:
    it is refused unless `allows_free_rule`, and `route` then refuses to let inputs meet.

    Args:
        allows_free_rule: whether `prepare` sets the free rule.
    """

    manual = "B2200 user's guide"

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        allows_free_rule: bool = False,
        **kwargs: Unpack[VisaInstrumentKWArgs],
    ) -> None:
        super().__init__(name, address, **kwargs)
        self._rule = FREE if allows_free_rule else SINGLE_ROUTE
        self._slots: tuple[int, ...] | None = None
        self._family = ""
        self._held: frozenset[int] = frozenset()
        self._holding_row: str | None = None
        self.connection_rule: Parameter[str, KeysightB2200] = self.add_parameter(
            "connection_rule",
            get_cmd=":CONN:RULE? 0",
            set_cmd=":CONN:RULE 0,{}",
            vals=vals.Enum(self._rule),
            label="Connection rule",
            docstring="SROU: an input goes to one output at most. FREE only with allows_free_rule.",
        )
        self.connection_sequence: Parameter[str, KeysightB2200] = self.add_parameter(
            "connection_sequence",
            get_cmd=":CONN:SEQ? 0",
            set_cmd=":CONN:SEQ 0,{}",
            vals=vals.Enum("BBM"),
            label="Connection sequence",
            docstring="Break before make; the others could join two sources for a moment.",
        )
        self.closed_channels: Parameter[str, KeysightB2200] = self.add_parameter(
            "closed_channels",
            get_cmd=":CLOS:CARD? 0",
            set_cmd=False,
            label="Closed channels",
            docstring="As the instrument reports them, e.g. (@00101,00213): input 1 to output 1, input 2 to output 13.",
        )

    @property
    def joins_columns(self) -> bool:
        """Under the free rule only."""
        return bool(self._rule != SINGLE_ROUTE)

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is none of these mainframes."""
        identity = self.identify(*_INPUTS)
        self._family = next(family for family in _INPUTS if family in identity.model.upper())
        return identity

    def prepare(self) -> None:
        """Reset: everything open, all modes off; then the connection rule, break before make."""
        self._forget()
        self.is_watched = False
        self.write(f"*RST;*CLS;:FUNC ACON;:CONN:RULE 0,{self._rule};:CONN:SEQ 0,BBM;{WATCH}")
        question = ":CONN:RULE? 0;:CONN:SEQ? 0"
        said = self.ask(question)
        self.check_errors()
        if said.strip() != f"{self._rule};BBM":
            raise InstrumentError(
                f"was told the connection rule {self._rule} and break before make, and reports '{said.strip()}'",
                where=self._where(),
                remedy="Do not route anything with it; see its front panel",
            )
        self.is_watched = True
        self.check_status()

    @property
    def rows(self) -> tuple[str, ...]:
        """Input ports: 1, 2, ..."""
        if not self._family:
            self.identity()
        return tuple(str(port) for port in range(1, _INPUTS[self._family] + 1))

    @property
    def columns(self) -> tuple[int, ...]:
        """Output ports (slot * 100 + output of that card)."""
        return tuple(slot * 100 + output for slot in self._cards for output in range(1, _OUTPUTS + 1))

    @property
    def _cards(self) -> tuple[int, ...]:
        """Slots with a matrix card, in the order in which auto configuration counts their outputs."""
        if self._slots is None:
            question = ";".join(f":SYST:CTYP? {slot}" for slot in range(1, _SLOTS + 1))
            replies = self.ask_twice(question).split(";")
            if len(replies) != _SLOTS:
                raise self._not_understood(question, ";".join(replies))
            models = [reply.strip().strip('"').split(",")[1:2] for reply in replies]
            self._slots = tuple(s for s, model in enumerate(models, 1) if model and model[0][:5] in _MATRIX_CARDS)
        return self._slots

    @property
    def seconds_per_route(self) -> float:
        """Opening and closing."""
        return 2 * _RELAY_SECONDS[self._family or "B2200"]

    def open_all(self) -> None:
        """Open every relay; bias and ground mode go off, which would close others."""
        self._forget()
        modes = ":BIAS 0,OFF;:AGND 0,OFF" if self.can_ground else ":BIAS 0,OFF"
        self.write(f"{modes};:OPEN:CARD 0")

    @property
    def can_ground(self) -> bool:
        """A B2200 has a ground mode, an E5250A does not."""
        if not self._family:
            self.identity()
        return self._family != "E5250"

    def hold(self, columns: Iterable[int], row: str | None = None) -> frozenset[Crosspoint]:
        """Bias mode with this input as bias port, or ground mode, with these outputs enabled: one message.

        In ground mode input 12 is the ground port: its connector is cut off. See BiasMatrix.
        """
        held = sorted(set(columns))
        node, port = ("AGND", _GROUND_ROW) if row is None else ("BIAS", row)
        self._refuse_to_hold(held, row)
        enabled = f":{node}:CHAN:ENAB (@{','.join(f'001{self._output(c):02d}' for c in held)});" if held else ""
        self._forget()
        message = (
            f"{self._modes_off()};:{node}:PORT 0,{port};:{node}:CHAN:DIS:CARD 0;{enabled}:{node} 0,ON;"
            f":{node}? 0;{self._question()}"
        )
        state, _, listed = self.ask(message).partition(";")
        self._known = self._told(message, listed)
        if state.strip() != "1":
            self.check_errors()
            raise InstrumentError("does not hold the columns it was told to", where=self._where())
        self._held, self._holding_row = frozenset(held), port
        return self._known

    def release(self) -> frozenset[Crosspoint]:
        """Bias and ground mode off."""
        self._forget()
        message = f"{self._modes_off()};{self._question()}"
        self._known = self._told(message, self.ask(message))
        return self._known

    def _modes_off(self) -> str:
        return ":BIAS 0,OFF;:AGND 0,OFF" if self.can_ground else ":BIAS 0,OFF"

    def _forget(self) -> None:
        self._held, self._holding_row, self._known = frozenset(), None, None

    def _refuse_to_hold(self, columns: Collection[int], row: str | None) -> None:
        unknown = sorted(set(columns) - set(self.columns))
        if unknown:
            raise InstrumentError(f"has no column {', '.join(map(str, unknown))}", where=self._where())
        if row is None and not self.can_ground:
            raise InstrumentError("has no ground mode", where=self._where(), remedy="Hold the columns at a row")
        if row is not None and row not in self.rows:
            raise InstrumentError(f"has no row {row}", where=self._where())
        port = _GROUND_ROW if row is None else row
        present = self.closed() if self._known is None else self._known
        in_use = {point.row for point in present if not self._is_held(point)}
        if port in in_use:
            raise InstrumentError(f"a route uses row {port}", where=self._where(), remedy="Open it first")

    def _is_held(self, point: Crosspoint) -> bool:
        return point.row == self._holding_row and point.column in self._held

    def _refuse(self, wanted: Collection[Crosspoint]) -> None:
        super()._refuse(wanted)
        if any(point.row == self._holding_row for point in wanted):
            raise InstrumentError(
                f"row {self._holding_row} holds what no route uses", where=self._where(), remedy="Route it elsewhere"
            )
        outputs = Counter(point.column for point in wanted)
        inputs = Counter(point.row for point in wanted)
        meeting = [column for column, count in outputs.items() if count > 1]
        if meeting:
            raise InstrumentError(
                f"rows {', '.join(sorted(p.row for p in wanted if p.column == meeting[0]))} would meet on column "
                f"{meeting[0]}",
                where=self._where(),
                remedy="Give each column one row; joined inputs can damage what is connected to them",
            )
        spread = [row for row, count in inputs.items() if count > 1]
        if spread and self._rule == SINGLE_ROUTE:
            raise InstrumentError(
                f"row {spread[0]} cannot go to {inputs[spread[0]]} columns in single-route mode",
                where=self._where(),
                remedy="Hold the unselected columns instead, or set 'allows_free_rule: true' in the station file",
            )

    def _moves(self, present: frozenset[Crosspoint], wanted: frozenset[Crosspoint]) -> list[str]:
        """What a closing takes over is opened by single-route mode itself, and is not held in between."""
        routed = frozenset(point for point in present if not self._is_held(point))
        opening, closing = open_and_close(routed, wanted)
        if self._rule == SINGLE_ROUTE:
            rows, columns = {point.row for point in closing}, {point.column for point in closing}
            opening = [p for p in opening if p.row not in rows and p.column not in columns]
        moves = [f":OPEN {self._list(opening)}"] if opening else []
        return [*moves, f":CLOS {self._list(closing)}"] if closing else moves

    def _question(self) -> str:
        return ":CLOS:CARD? 0"

    def _told(self, question: str, reply: str) -> frozenset[Crosspoint]:
        listed = _LIST.match(reply.strip())
        if listed is None:
            raise self._not_understood(question, reply)
        parts = [part.strip() for part in listed[1].split(",")] if listed[1].strip() else []
        channels = [_CHANNEL.match(part) for part in parts]
        most = _OUTPUTS * len(self._cards)
        if not all(channel and 1 <= int(channel[2]) <= most for channel in channels):
            raise self._not_understood(question, reply)
        return frozenset(Crosspoint(str(int(c[1])), self._column(int(c[2]))) for c in channels if c)

    def _column(self, output: int) -> int:
        card, number = divmod(output - 1, _OUTPUTS)
        return self._cards[card] * 100 + number + 1

    def _output(self, column: int) -> int:
        slot, number = divmod(column, 100)
        return self._cards.index(slot) * _OUTPUTS + number

    def _list(self, points: Iterable[Crosspoint]) -> str:
        return "(@" + ",".join(f"0{int(p.row):02d}{self._output(p.column):02d}" for p in points) + ")"
