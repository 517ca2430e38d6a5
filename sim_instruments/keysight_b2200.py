"""Simulated Agilent B2201A and E5250A switch mainframes: SCPI as in their User's Guides (B2200-90001, E5250-90006).

Input port i is the node `<name>.row.<i>`; output port o of the card in slot n is the node `<name>.col.<100 n + o>`. In
auto configuration (card 0 in channel lists) output 13 is output 1 of slot 2, and so on. In ground mode input 12 is
grounded inside the mainframe and its connector left open, input 13 is grounded with its connector; any other ground
port is at ground only if something at its connector puts it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_b2200_commands import B2200_COMMANDS, E5250A_COMMANDS
from .keysight_b2200_ground import GroundNet
from .keysight_b2200_lists import Place
from .keysight_b2200_routes import CardRoutes, Crosspoint
from .keysight_b2200_setup import Memory, PanelSettings
from .relay_bank import RelayBank
from .scpi import CommandTree
from .scpi_switch import ScpiSwitch
from .status_488 import Status488
from .switching_tables import B2211A, E5252A, KEYSIGHT_B2200, KEYSIGHT_E5250A, CardElectrics
from .timing import MatrixTiming
from .wire_instrument import HostClock
from .world import World

OUTPUTS = 12
"""Output ports of a card."""
Relay = tuple[int, int, int]
"""Slot, input, output."""


class SimKeysightE5250A(ScpiSwitch):
    """An E5250A with E5252A cards, 10 inputs and 12 outputs each.

    Attributes:
        routes: card number -> what is connected on it: card 0 in auto configuration, the slots in normal configuration.
        function: channel configuration mode, ACON or NCON.
        cards: slot -> model of its card.
    """

    tree: ClassVar[CommandTree] = CommandTree(E5250A_COMMANDS)
    timing: ClassVar[MatrixTiming] = KEYSIGHT_E5250A
    command_seconds: ClassVar[float] = KEYSIGHT_E5250A.command_seconds
    identity_text: ClassVar[str] = "HEWLETT-PACKARD,E5250A,0,A.03.00"
    inputs: ClassVar[int] = 10
    electrics: ClassVar[CardElectrics] = E5252A
    has_ground_mode: ClassVar[bool] = False
    slots: ClassVar[int] = 4

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        cards: Sequence[str | None],
        serial: str = "0",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488({}, error_bit=0, queue_capacity=30)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.cards = {slot: card for slot, card in enumerate(cards, start=1) if card is not None}
        inputs, outputs = range(1, self.inputs + 1), range(1, OUTPUTS + 1)
        self.ground_net = GroundNet(name, world) if self.has_ground_mode else None
        pairs = {
            (slot, i, o): (self._input_node(i), f"{name}.col.{slot * 100 + o}")
            for slot in self.cards
            for i in inputs
            for o in outputs
        }
        self._relays: RelayBank[Relay] = RelayBank(world, name, pairs, self.electrics)
        self.function = "ACON"
        self.routes: dict[int, CardRoutes] = self._fresh_routes()
        self.memories: dict[int, Memory] = {}
        self.panel = PanelSettings()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeysightE5250A:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, cards=spec.cards, has_end=spec.has_end, faults=faults)

    def _input_node(self, port: int) -> str:
        if self.ground_net is None:
            return f"{self.name}.row.{port}"
        return self.ground_net.input_node(port)

    @property
    def identity(self) -> str:
        """What *IDN? answers; the serial number field is always 0."""
        return self.identity_text

    def _fresh_routes(self) -> dict[int, CardRoutes]:
        if self.function == "ACON":
            return {0: CardRoutes(self.inputs, OUTPUTS * len(self.cards))}
        return {slot: CardRoutes(self.inputs, OUTPUTS) for slot in self.cards}

    def reset(self) -> None:
        """*RST: auto configuration, everything open, all modes off."""
        self.select_function("ACON")
        self.panel = PanelSettings()

    def select_function(self, function: str) -> None:
        """ROUTe:FUNCtion; opens everything and sets all cards to their defaults (assumed of a change)."""
        self.function = function
        self.routes = self._fresh_routes()
        self.apply()

    def power_on(self, cards: Iterable[int]) -> None:
        """SYSTem:CPON."""
        fresh, cards = self._fresh_routes(), list(cards)
        for card in cards:
            self.routes[card] = fresh[card]
        self.panel.forget_symbols(cards)
        self.apply()

    def test_relays(self, slots: Iterable[int]) -> bool:
        """The relay test: every relay of these slots is closed and opened by itself; whether all of them move.

        It needs the relay test adapter at the inputs, which is taken to be there. Everything is open afterwards.
        """
        slots = list(slots)
        self.disconnect_cards(self.routes)
        for routes in self.routes.values():
            routes.bias.is_on = routes.ground.is_on = False
        self.apply()
        contacts = self.electrics.contacts
        relays = sum(1 for slot, *_ in self._relays.every if slot in slots)
        self.pass_time(relays * (contacts.settle_seconds + contacts.release_seconds))
        return not any(slot in slots for slot, *_ in self.stuck_relays)

    def connect(self, places: Iterable[Place]) -> None:
        """ROUTe:CLOSe; raises ScpiError, with nothing moved, if a channel cannot be controlled now."""
        places = list(places)
        for card, point in places:
            self.routes[card].check([point])
        for card, point in places:
            self.routes[card].connect(point)
        self.apply()

    def disconnect(self, places: Iterable[Place]) -> None:
        """ROUTe:OPEN; raises ScpiError, with nothing moved, if a channel cannot be controlled now."""
        places = list(places)
        for card, point in places:
            self.routes[card].check([point])
        for card, point in places:
            self.routes[card].disconnect(point)
        self.apply()

    def disconnect_cards(self, cards: Iterable[int]) -> None:
        """ROUTe:OPEN:CARD; bias or ground mode then takes the outputs."""
        for card in cards:
            self.routes[card].asked.clear()
        self.apply()

    @property
    def stuck_relays(self) -> frozenset[Relay]:
        """Relays that do not move any more; only the relay test finds them."""
        return self._relays.stuck

    def is_closed(self, place: Place) -> bool:
        """Whether a channel is closed now."""
        return self._relay(*place) in self._relays.closed

    def apply(self) -> None:
        """Move the relays to what the cards' routes want, each card in its own sequence."""
        for card, routes in self.routes.items():
            wanted = frozenset(self._relay(card, point) for point in routes.closed)
            ports = {routes.bias.acting_port, routes.ground.acting_port}
            elsewhere = frozenset(r for r in self._relays.closed if not self._is_on(card, r))
            self._move_card(wanted | elsewhere, routes, ports)
        if self.ground_net is not None:
            ports_grounded = {r.ground.port for r in self.routes.values() if r.ground.is_on}
            unused = {port for r in self.routes.values() if r.ground.is_on for port in r.unused}
            if self.ground_net.needs(ports_grounded, unused):
                self._let_time_pass()
                self.pass_time(self.ground_net.set(ports_grounded, unused))

    def _move_card(self, wanted: frozenset[Relay], routes: CardRoutes, ports: set[int]) -> None:
        """Bias and ground relays always break before make (User's Guide); other routes as the sequence says."""
        to_open = self._relays.closed - wanted
        if routes.sequence == "BBM" or routes.rule == "FREE":
            self.move(self._relays, self._relays.closed - to_open)
        else:
            by_mode = frozenset(relay for relay in to_open | wanted if relay[1] in ports)
            self.move(self._relays, self._relays.closed - (to_open & by_mode))
            if routes.sequence == "MBBR":
                self.move(self._relays, self._relays.closed | wanted - by_mode)
            self.move(self._relays, self._relays.closed & by_mode | wanted - by_mode)
        self.move(self._relays, wanted)

    def _is_on(self, card: int, relay: Relay) -> bool:
        return card in (0, relay[0])

    def _relay(self, card: int, point: Crosspoint) -> Relay:
        if card:
            return card, point.input, point.output
        index, output = divmod(point.output - 1, OUTPUTS)
        return sorted(self.cards)[index], point.input, output + 1


class SimKeysightB2201A(SimKeysightE5250A):
    """A B2201A with B2211A modules, 14 inputs and 12 outputs each; it has a ground mode besides."""

    tree: ClassVar[CommandTree] = CommandTree(B2200_COMMANDS)
    timing: ClassVar[MatrixTiming] = KEYSIGHT_B2200
    command_seconds: ClassVar[float] = KEYSIGHT_B2200.command_seconds
    identity_text: ClassVar[str] = "AGILENT TECHNOLOGIES,B2201A,0,A.01.00"
    inputs: ClassVar[int] = 14
    electrics: ClassVar[CardElectrics] = B2211A
    has_ground_mode: ClassVar[bool] = True
