"""The fourteen lines of a B2900A's digital I/O connector, and their commands (SCPI Command Reference)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .keysight_b2900_commands import Clipped, register_text, show_nr3
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Parameter
from .trigger_wires import Terminal

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

LINES = 14
_MOST_PULSES = 10_000


@dataclass
class Line:
    """One line.

    Attributes:
        function: DIO, DINP, HVOL, TINP or TOUT.
        polarity: NEG: a low level is 1.
        driven_high: what the outside does with it; None leaves it to the pull-up resistor.
        terminal: where a trigger wire can be.
    """

    function: str = "DINP"
    polarity: str = "NEG"
    edge_position: str = "BOTH"
    edge_seconds: float = 1e-4
    kind: str = "EDGE"
    driven_high: bool | None = None
    terminal: Terminal = field(default_factory=Terminal)


class TriggerPulse(NamedTuple):
    """A trigger that a line has put out, world seconds."""

    seconds: float
    line: int
    width_seconds: float


class DigitalPort:
    """The lines 1 to 14 with what is put out on them.

    Args:
        triggered: told the line on which a trigger has come over a wire.

    Attributes:
        lines: them.
        pulses: the latest triggers put out.
        bit_lines, busy_line, end_line, start_line: what CALCulate:DIGital assigns to the limit tests.
    """

    def __init__(self, triggered: Callable[[int], None] = lambda number: None) -> None:
        self.pulses: deque[TriggerPulse] = deque(maxlen=_MOST_PULSES)
        self._triggered = triggered
        self.lines = [Line(terminal=Terminal(partial(self._edge, number))) for number in range(1, LINES + 1)]
        self.reset()

    def reset(self) -> None:
        """As after *RST; what the outside does stays."""
        self.lines = [Line(driven_high=line.driven_high, terminal=line.terminal) for line in self.lines]
        self.lines[LINES - 1].function = "HVOL"
        self.data = 0
        self.bit_lines: tuple[int, ...] = ()
        self.busy_line = self.end_line = self.start_line = 0
        self.put()

    def put(self) -> None:
        """Bring the wires at the lines to what is put out: data, or the resting level of a trigger output."""
        for number, line in enumerate(self.lines, 1):
            if line.terminal.is_joined:
                is_low = line.function == "TOUT" and line.polarity == "POS"
                line.terminal.rest(is_low=is_low or (line.function == "DIO" and self._puts_out_low(number)))

    def _edge(self, number: int, rises: bool) -> None:
        line = self.lines[number - 1]
        if line.function == "TINP" and rises == (line.polarity == "POS"):
            self._triggered(number)

    def line(self, number: int) -> Line:
        """A line; raises ScpiError -114 for one that is not there."""
        if not 1 <= number <= LINES:
            raise ScpiError(-114)
        return self.lines[number - 1]

    def drive(self, number: int, is_high: bool | None) -> None:
        """Something outside pulls a line high or low, or lets go of it."""
        self.line(number).driven_high = is_high

    def level(self, number: int) -> bool:
        """Whether a line is high: it is pulled up, and anything that pulls it down wins."""
        line = self.line(number)
        if line.function == "DIO" and self._puts_out_low(number):
            return False
        return line.driven_high is not False and line.terminal.is_high

    def _puts_out_low(self, number: int) -> bool:
        is_one = bool(self.data >> (number - 1) & 1)
        return is_one == (self.lines[number - 1].polarity == "NEG")

    def read(self) -> int:
        """The lines as SOURce:DIGital:DATA? tells them: bit 0 is line 1."""
        ones = 0
        for number, line in enumerate(self.lines, 1):
            if self.level(number) == (line.polarity == "POS"):
                ones |= 1 << (number - 1)
        return ones

    def write(self, data: int) -> None:
        """Put out data on the lines that are outputs."""
        self.data = data
        self.put()

    def put_out_bits(self, bits: int) -> None:
        """A limit test's pattern; only on the lines assigned to it, if there are any."""
        mask = sum(1 << (number - 1) for number in self.bit_lines) or (1 << LINES) - 1
        self.data = (self.data & ~mask) | (bits & mask)
        self.put()

    def pulse(self, names: Iterable[str], seconds: float, moment: str) -> None:
        """A trigger on the lines named EXT1 to EXT14 that are trigger outputs, BEFore or AFTer an action."""
        for name in names:
            if not name.startswith("EXT"):
                continue
            number = int(name[3:])
            line = self.lines[number - 1]
            if line.function == "TOUT" and line.edge_position in (moment, "BOTH"):
                self.pulses.append(TriggerPulse(seconds, number, line.edge_seconds))
                line.terminal.pulse(line.edge_seconds)


class NumberOrPattern(Parameter):
    """A bit pattern for the fourteen lines, decimal or #B, #Q, #H."""

    def parse(self, token: str, instrument: Any) -> float:
        """The pattern as a number."""
        return Number("", 0, (1 << LINES) - 1, is_integer=True).parse(token, instrument)


def _of_line(pattern: str, name: str, parameter: Parameter) -> Command:
    def write(i: SimKeysightB2900, number: int, value: Any) -> None:
        setattr(i.digital.line(number), name, value)
        i.digital.put()

    def query(i: SimKeysightB2900, number: int) -> str:
        value = getattr(i.digital.line(number), name)
        return show_nr3(value) if isinstance(parameter, Number) else str(value)

    return Command(pattern, write=write, query=query, takes=(parameter,))


def _write_internal_edge(i: SimKeysightB2900, number: int, value: str) -> None:
    if number not in (1, 2):
        raise ScpiError(-114)
    i.internal_edges[number] = value


def _internal_edge(i: SimKeysightB2900, number: int) -> str:
    if number not in (1, 2):
        raise ScpiError(-114)
    return i.internal_edges[number]


_ROOT = "[:SOURce]:DIGital"
_EDGES = Choice("BEFore", "AFTer", "BOTH")
DIGITAL_COMMANDS: tuple[Command, ...] = (
    Command(
        f"{_ROOT}:DATA",
        write=lambda i, data: i.digital.write(int(data)),
        query=lambda i: register_text(i.digital.read(), i.format.digital),
        takes=(NumberOrPattern(),),
    ),
    _of_line(f"{_ROOT}:EXTernal<n>[:FUNCtion]", "function", Choice("DIO", "DINPut", "HVOL", "TINPut", "TOUTput")),
    _of_line(f"{_ROOT}:EXTernal<n>:POLarity", "polarity", Choice("NEGative", "POSitive")),
    _of_line(f"{_ROOT}:EXTernal<n>:TOUTput[:EDGE]:POSition", "edge_position", _EDGES),
    _of_line(f"{_ROOT}:EXTernal<n>:TOUTput[:EDGE]:WIDTh", "edge_seconds", Clipped("S", 1e-5, 1e-2, 1e-4)),
    _of_line(f"{_ROOT}:EXTernal<n>:TOUTput:TYPE", "kind", Choice("EDGE", "LEVel")),
    Command(
        f"{_ROOT}:INTernal<n>:TOUTput[:EDGE]:POSition",
        write=_write_internal_edge,
        query=_internal_edge,
        takes=(_EDGES,),
    ),
)
"""What the lines are for."""
