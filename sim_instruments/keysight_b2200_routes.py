"""Which crosspoints of a B2200 or E5250A have to be closed: connection rule, bias, ground and couple mode of one card.

Agilent B2200 User's Guide (B2200-90001), chapter 3, "Switch Control Functions", and E5250A User's Guide, chapter 5,
"Switch Control Basics". What the modes connect is kept apart from what was asked for: the user's routes stay as they
are, what a mode adds is worked out each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .scpi_errors import ScpiError

NO_PORT = -1


class Crosspoint(NamedTuple):
    """An input port and an output port, numbered as the card's own."""

    input: int
    output: int


@dataclass
class PortMode:
    """Bias or ground mode: one input goes to every enabled output that no other input is connected to.

    Attributes:
        is_on: whether it acts.
        port: that input; -1 for none.
        enabled: the outputs.
    """

    port: int
    enabled: set[int]
    is_on: bool = False

    @property
    def acting_port(self) -> int:
        """The port that cannot be controlled directly now; -1 if none."""
        return self.port if self.is_on else NO_PORT


@dataclass
class CardRoutes:
    """One card as commands address it: a slot, or all of them together in auto configuration.

    Attributes:
        inputs, outputs: how many ports.
        asked: crosspoints that were closed by command, in the order in which they were.
        unused: inputs that ground mode grounds.
        couple_ports: odd inputs that are coupled with the next one.
    """

    inputs: int
    outputs: int
    rule: str = "FREE"
    sequence: str = "BBM"
    asked: list[Crosspoint] = field(default_factory=list)
    bias: PortMode = field(init=False)
    ground: PortMode = field(default_factory=lambda: PortMode(12, set()))
    unused: tuple[int, ...] = ()
    is_coupled: bool = False
    couple_ports: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.bias = PortMode(10, set(range(1, self.outputs + 1)))

    def check(self, points: Iterable[Crosspoint]) -> None:
        """Raises ScpiError if commands cannot reach one of these now."""
        for point in points:
            if point.input == self.bias.acting_port:
                raise ScpiError(3014, "Cannot directly specify Bias Port channel")
            if point.input == self.ground.acting_port:
                raise ScpiError(3022, "Cannot directory specify Auto Ground Port channel")  # the firmware's spelling
            if self.ground.is_on and point.input in self.unused:
                raise ScpiError(-220, "Parameter error")

    def connect(self, point: Crosspoint) -> None:
        """Close a crosspoint and its couple; in single-route mode open what its ports were connected to."""
        for each in self.coupled(point):
            if self.rule == "SROU":
                self.asked = [p for p in self.asked if p.input != each.input and p.output != each.output]
            if each not in self.asked:
                self.asked.append(each)

    def disconnect(self, point: Crosspoint) -> None:
        """Open a crosspoint and its couple."""
        gone = self.coupled(point)
        self.asked = [p for p in self.asked if p not in gone]

    def coupled(self, point: Crosspoint) -> tuple[Crosspoint, ...]:
        """The crosspoints that one means: coupled inputs go to a pair of outputs, odd to odd and even to even."""
        first_input = point.input - (point.input + 1) % 2
        if not self.is_coupled or first_input not in self.couple_ports:
            return (point,)
        first_output = point.output - (point.output + 1) % 2
        return Crosspoint(first_input, first_output), Crosspoint(first_input + 1, first_output + 1)

    @property
    def automatic(self) -> frozenset[Crosspoint]:
        """What bias or ground mode connects."""
        taken = {point.output for point in self._by_hand}
        return frozenset(
            Crosspoint(mode.port, output)
            for mode in (self.bias, self.ground)
            if mode.is_on and mode.port != NO_PORT
            for output in mode.enabled - taken
        )

    @property
    def closed(self) -> frozenset[Crosspoint]:
        """Everything that has to be closed."""
        return frozenset(self._by_hand) | self.automatic

    @property
    def _by_hand(self) -> list[Crosspoint]:
        hidden = {self.bias.acting_port, self.ground.acting_port, *(self.unused if self.ground.is_on else ())}
        return [point for point in self.asked if point.input not in hidden]

    def set_mode(self, mode: PortMode, is_on: bool) -> None:
        """Turn bias or ground mode on or off; the port's own routes are given up. Raises ScpiError -220 for both on."""
        other = self.ground if mode is self.bias else self.bias
        if is_on and other.is_on:
            raise ScpiError(-220, "Parameter error")
        if is_on:
            self._refuse_couple_port(mode.port)
            self.asked = [point for point in self.asked if point.input != mode.port]
        mode.is_on = is_on

    def set_port(self, mode: PortMode, port: int) -> None:
        """Choose the bias or ground port; raises ScpiError -220 if it is a couple port."""
        self._refuse_couple_port(port)
        mode.port = port
        if mode.is_on:
            self.asked = [point for point in self.asked if point.input != port]

    def set_couple_ports(self, ports: tuple[int, ...]) -> None:
        """Choose the couple ports; raises ScpiError -220 if the bias or ground port in use is among them."""
        pairs = {port + offset for port in ports for offset in (0, 1)}
        if pairs & {self.bias.acting_port, self.ground.acting_port}:
            raise ScpiError(-220, "Parameter error")
        self.couple_ports = ports

    def _refuse_couple_port(self, port: int) -> None:
        if self.is_coupled and port - (port + 1) % 2 in self.couple_ports:
            raise ScpiError(-220, "Parameter error")
