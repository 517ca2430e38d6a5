"""Keysight (Agilent) 34980A switch unit with matrix modules 34931A to 34934A (SCPI), playing SwitchMatrix.

Facts from the 34980A Programmer's Reference ("34934A Channel Addressing", ROUTe:CLOSe, SYSTem:MODule:ROW:PROTection)
and the modules' User's Guides. QCoDeS's stock driver is not used; docs/decisions/0006-own-drivers.md says why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.errors import InputError, InstrumentError
from mtjlab.roles import Crosspoint, Identity

from .checked_visa import WATCH
from .scpi_matrix import ScpiMatrix, open_and_close

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

PROTECTION_OHMS = {"AUTO0": 0.0, "AUTO100": 100.0, "FIX": 100.0, "ISO": 0.0}
"""Row protection mode of a 34934A -> what it leaves in series between a row's connector and a column. Between two banks
of 32 columns it is twice that."""
_SLOTS = 8
_DUAL_MATRIX_COLUMNS = {"34931A": 8, "34932A": 16, "34933A": 8}
_MOST_CLOSED = 64
"""Of a 34934A's 1-wire channels, by the power that their coils take (User's Guide)."""
_NUMBER_SPACING = 800
_SECONDS = {"34931A": 8e-3, "34932A": 8e-3, "34933A": 1e-3, "34934A": 0.45e-3}
"""Opening and closing (34980A data sheet, selection tables)."""
_AUTO0_SECONDS = 0.7e-3
"""What the bypass and protection relays of a row take besides (assumed: one more closing of each)."""


@dataclass(frozen=True)
class Module:
    """A matrix module.

    Attributes:
        model: for example 34934A.
        rows, columns: of each of its matrices. A 34931A to 34933A has two: rows 1 to 4 reach the first half of its
            columns, rows 5 to 8 the second. Of a 34934A that is configured as several, the first high one counts.
    """

    model: str
    rows: int
    columns: int

    @property
    def is_dual(self) -> bool:
        """Whether it is two matrices side by side."""
        return self.model in _DUAL_MATRIX_COLUMNS

    def blocks(self, slot: int) -> Iterator[tuple[int, int, int]]:
        """For each row: the row, number of its first channel, its first column."""
        for row in range(1, self.rows + 1):
            if not self.is_dual:
                yield row, slot * 1000 + 100 + (row - 1) * _NUMBER_SPACING // self.rows + 1, slot * 100 + 1
            else:
                yield row, slot * 1000 + 100 * row + 1, slot * 100 + 1 + (self.columns if row > self.rows // 2 else 0)


class Keysight34980A(ScpiMatrix):
    """A 34980A; like-numbered rows of all modules count as one, as joined by the user's cables.

    Args:
        row_protection: mode of every 34934A. The factory's AUTO100 leaves 100 ohm in every path, a systematic error
            beside a junction; AUTO0 bypasses them once the inrush is over, so that only the contacts are left (each
            below 1 ohm when new). `prepare` sets it, and every route reads it back: after a power failure the mode is
            the factory's again.
    """

    manual = "34980A programmer's reference"

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        row_protection: str = "AUTO0",
        **kwargs: Unpack[VisaInstrumentKWArgs],
    ) -> None:
        if row_protection not in PROTECTION_OHMS:
            raise InputError(
                f"'{row_protection}' is no row protection mode",
                where=f"{name}, key row_protection",
                remedy=f"Use one of {', '.join(PROTECTION_OHMS)}",
            )
        super().__init__(name, address, **kwargs)
        self._row_protection = row_protection
        self._is_protection_set = False
        self._fitted: dict[int, Module] | None = None
        self._channels: dict[Crosspoint, int] = {}
        self.row_protection: Parameter[str, Keysight34980A] = self.add_parameter(
            "row_protection",
            get_cmd=self._ask_protection,
            set_cmd=False,
            label="Row protection",
            docstring="Mode of every 34934A, as the instrument reports it, separated by commas; see the class.",
        )

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is not a 34980A."""
        return self.identify("34980A")

    def prepare(self) -> None:
        """Reset: everything open, one command after the other; then the row protection, confirmed."""
        self._known = None
        protect = [f":SYST:MOD:ROW:PROT {slot},{self._row_protection}" for slot in self._protected]
        self.is_watched = False
        self.write(";".join(["*RST;*CLS", *protect, WATCH]))
        self._is_protection_set = True
        self._known = self.closed()
        self.check_errors()
        self.is_watched = True
        self.check_status()

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows of the matrix modules: 1, 2, ..."""
        return tuple(str(row) for row in range(1, max((m.rows for m in self._modules.values()), default=0) + 1))

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns (slot * 100 + column) of the matrix modules."""
        return tuple(sorted({point.column for point in self._numbers}))

    def reaches(self, point: Crosspoint) -> bool:
        """Whether there is such a channel."""
        return point in self._numbers

    @property
    def protection_ohms(self) -> float:
        """What the row protection of a 34934A leaves in series, in the mode that `prepare` sets."""
        return PROTECTION_OHMS[self._row_protection] if self._protected else 0.0

    @property
    def seconds_per_route(self) -> float:
        """Of the slowest module that is fitted."""
        extra = _AUTO0_SECONDS if self._row_protection == "AUTO0" and self._protected else 0.0
        return max((_SECONDS[module.model] for module in self._modules.values()), default=0.0) + extra

    def open_all(self) -> None:
        """Open every relay."""
        self._known = None
        self.write(":ROUT:OPEN:ALL")

    @property
    def _modules(self) -> dict[int, Module]:
        if self._fitted is None:
            question = ";".join(f":SYST:CTYP? {slot}" for slot in range(1, _SLOTS + 1))
            reply = self.ask_twice(question)
            cards = [part.strip().strip('"').split(",") for part in reply.split(";")]
            if len(cards) != _SLOTS or any(len(card) < 2 for card in cards):
                raise self._not_understood(question, reply)
            found = {slot: _module(card[1]) for slot, card in enumerate(cards, start=1)}
            self._fitted = {slot: module for slot, module in found.items() if module is not None}
        return self._fitted

    @property
    def _numbers(self) -> dict[Crosspoint, int]:
        """Channel number of every crosspoint."""
        if not self._channels:
            self._channels = {
                Crosspoint(str(row), column + k): number + k
                for slot, module in self._modules.items()
                for row, number, column in module.blocks(slot)
                for k in range(min(module.columns, 99))
            }
        return self._channels

    @property
    def _protected(self) -> list[int]:
        return [slot for slot, module in self._modules.items() if module.model == "34934A"]

    def _refuse(self, wanted: Collection[Crosspoint]) -> None:
        super()._refuse(wanted)
        for slot, count in Counter(point.column // 100 for point in wanted).items():
            if slot in self._protected and count > _MOST_CLOSED:
                raise InstrumentError(
                    f"{count} closed channels are more than the {_MOST_CLOSED} that the 34934A in slot {slot} takes",
                    where=self._where(),
                    remedy="Leave lines floating, or spread them over more modules",
                )

    def _moves(self, present: frozenset[Crosspoint], wanted: frozenset[Crosspoint]) -> list[str]:
        # not CLOSe:EXCLusive: while that runs, what stays closed is not guaranteed to stay so
        opening, closing = open_and_close(present, wanted)
        moves = [f":ROUT:OPEN {self._list(opening)}"] if opening else []
        return [*moves, f":ROUT:CLOS {self._list(closing)}"] if closing else moves

    def _list(self, points: list[Crosspoint]) -> str:
        return "(@" + ",".join(str(self._numbers[point]) for point in points) + ")"

    def _question(self) -> str:
        blocks = [(number, m.columns) for slot, m in self._modules.items() for _, number, _ in m.blocks(slot)]
        if not blocks:
            raise InstrumentError("has no matrix module", where=self._where(), remedy="Fit one")
        asked = ",".join(f"{number}:{number + min(columns, 99) - 1}" for number, columns in blocks)
        return ";".join([f":ROUT:CLOS? (@{asked})", *self._protection_questions])

    @property
    def _protection_questions(self) -> list[str]:
        return [f":SYST:MOD:ROW:PROT? {slot}" for slot in self._protected]

    def _told(self, question: str, reply: str) -> frozenset[Crosspoint]:
        flags, *modes = reply.strip().split(";")
        states = [flag.strip() for flag in flags.split(",")]
        if len(states) != len(self._numbers) or set(states) - {"0", "1"} or len(modes) != len(self._protected):
            raise self._not_understood(question, reply)
        wrong = sorted({mode.strip() for mode in modes} - {self._row_protection})
        if self._is_protection_set and wrong:
            raise InstrumentError(
                f"was told the row protection {self._row_protection} and reports {', '.join(wrong)}: it leaves up to "
                f"{max(PROTECTION_OHMS.get(mode, 100.0) for mode in wrong):g} ohm in every path",
                where=self._where(),
                remedy="It has lost its settings; check its power, and prepare the bench anew",
            )
        return frozenset(point for point, state in zip(self._numbers, states, strict=True) if state == "1")

    def _ask_protection(self) -> str:
        return self.ask(";".join(self._protection_questions)).replace(";", ",") if self._protected else ""


def _module(card: str) -> Module | None:
    """What SYSTem:CTYPe? calls a module, for example 34934A-8x64; None if it is no matrix."""
    if card in _DUAL_MATRIX_COLUMNS:
        return Module(card, 8, _DUAL_MATRIX_COLUMNS[card])
    matched = re.match(r"^(34934A)-(\d+)x(\d+)$", card)
    return Module(matched[1], int(matched[2]), int(matched[3])) if matched else None
