"""Pulse and waveform generators that speak SCPI, with their outputs as channels that play PulseSource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.errors import InstrumentError
from mtjlab.roles import Identity

from .checked_visa import CheckedVisa
from .pulse_generator_channel import PulseGeneratorChannel

if TYPE_CHECKING:
    from typing_extensions import Unpack

_MOST_ERRORS = 40


@dataclass(frozen=True)
class Dialect:
    """Headers of a family; {n} is the channel.

    Attributes:
        edge, edge_told: sets both edges, asks for them.
        set_up: makes it a pulse burst that waits for `trigger`.
        most_load_ohms: largest load that it can be told; beyond, it is told an endless one.
    """

    width: str
    period: str
    edge: str
    edge_told: str
    volts: str
    cycles: str
    set_up: str
    trigger: str
    most_load_ohms: float


class PulseGenerator(CheckedVisa):
    """A generator with channels 1 and 2 (a model with one output refuses the second when it is prepared)."""

    default_terminator = "\n"
    models: ClassVar[tuple[str, ...]]
    manual: ClassVar[str]
    dialect: ClassVar[Dialect]
    shortest_seconds: ClassVar[float]
    shortest_edge_seconds: ClassVar[float]

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        super().__init__(name, address, **kwargs)
        self.outputs = tuple(PulseGeneratorChannel(self, number) for number in (1, 2))
        for output in self.outputs:
            self.add_submodule(str(output.number), output)

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is none of this family."""
        return self.identify(*self.models)

    def check_errors(self) -> None:
        """Drain the error queue; raises InstrumentError quoting every entry."""
        found = self.errors()
        if found:
            raise InstrumentError(
                "reports " + "; ".join(found), where=self._where(), remedy=f"See the {self.manual}, error messages"
            )

    def forget(self) -> None:
        """It has lost its settings: every output must be prepared anew."""
        for output in self.outputs:
            output.forget()

    def errors(self) -> list[str]:
        """Drain the error queue; what was in it, oldest first."""
        found: list[str] = []
        while len(found) < _MOST_ERRORS:
            entry = self.ask(":SYST:ERR?").strip()
            if entry.split(",")[0] in ("0", "+0"):
                break
            found.append(entry)
        return found

    def ask_numbers(self, question: str) -> list[float]:
        """Ask for as many numbers as there are questions; raises InstrumentError if the reply is something else."""
        reply = self.ask(question)
        parts = reply.split(";")
        try:
            numbers = [float(part) for part in parts]
        except ValueError as error:
            raise self._not_understood(question, reply) from error
        if len(numbers) != question.count("?"):
            raise self._not_understood(question, reply)
        return numbers
