"""Simulated Keithley 7001 and 7002 switch systems: SCPI as in the Model 7001 Instruction Manual (7001-901-01).

Channel (@s!r!c) of a matrix card connects the nodes `<name>.row.<r>` and `<name>.col.<100 s + c>`; the rows of all
cards are joined through the analog backplane. Channel (@s!c) of a multiplexer card connects `<name>.col.<100 s + c>` to
the output of its bank, `<name>.row.<1 to 4>`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_7001_cards import CARDS, Card, Channel
from .keithley_7001_route import ROUTE_COMMANDS
from .keithley_7001_scan import Scanner
from .keithley_7001_settings import Kept, Settings7001, SlotSettings
from .keithley_7001_status import REGISTERS, OperationStatus
from .keithley_7001_system import SYSTEM_COMMANDS
from .keithley_7001_triggers import TriggerConnectors
from .relay_bank import RelayBank
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .scpi_switch import ScpiSwitch
from .status_488 import Status488
from .switching_tables import KEITHLEY_7001 as TIMING
from .trigger_wires import Connection
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

_ERROR_AVAILABLE = 4


class SimKeithley7001(WiredInstrument, ScpiSwitch):
    """A 7001, with two slots.

    Attributes:
        settings: all that *RST resets apart from the relays.
        cards: slot -> card; *OPT? and CTYPe tell them.
        channels: every channel, in order.
        kept: memories and setups, which *RST leaves alone.
        operation: what the trigger model and the relays report.
        connectors: its trigger connectors.
    """

    tree: ClassVar[CommandTree] = CommandTree((*ROUTE_COMMANDS, *SYSTEM_COMMANDS))
    command_seconds: ClassVar[float] = TIMING.command_seconds
    model: ClassVar[str] = "7001"
    firmware: ClassVar[str] = "A04  /A01"
    slots: ClassVar[int] = 2

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        cards: Sequence[str | None],
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=10)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        fitted = [CARDS[card] if card else None for card in cards]  # type: ignore[index]  # checked in the bench file
        self.cards: dict[int, Card] = {slot: card for slot, card in enumerate(fitted, start=1) if card is not None}
        self.channels: tuple[Channel, ...] = tuple(c for slot in self.cards for c in self.cards[slot].channels(slot))
        self._places = {channel: place for place, channel in enumerate(self.channels)}
        self._banks = {slot: self._make_bank(slot, card) for slot, card in self.cards.items()}
        self.settings = self._default_settings()
        self.kept = Kept()
        self.operation = OperationStatus(status, self._replies.append)
        self.connectors = TriggerConnectors(self)
        self.scanner = Scanner(
            lambda: self.settings, self._scan_step, self._take_time, self.operation.enter, self.connectors.put_out
        )
        self._scanned: frozenset[Channel] = frozenset()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley7001:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, cards=spec.cards, serial=spec.serial, has_end=spec.has_end, faults=faults)

    def _make_bank(self, slot: int, card: Card) -> RelayBank[Channel]:
        nodes = {channel: card.nodes(channel) for channel in card.channels(slot)}
        pairs = {channel: (f"{self.name}.{row}", f"{self.name}.{column}") for channel, (row, column) in nodes.items()}
        return RelayBank(self.world, self.name, pairs, card.electrics)

    def _default_settings(self) -> Settings7001:
        return Settings7001({slot: SlotSettings() for slot in range(1, self.slots + 1)})

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"KEITHLEY INSTRUMENTS INC.,MODEL {self.model},{self.serial},{self.firmware}"

    @property
    def closed(self) -> frozenset[Channel]:
        """Channels that are closed now."""
        return frozenset().union(*(bank.closed for bank in self._banks.values()))

    def in_order(self, channels: Iterable[Channel]) -> list[Channel]:
        """Sorted as the instrument lists them."""
        return sorted(channels, key=self._places.__getitem__)

    def place(self, channel: Channel) -> int:
        """Position of a channel among all; raises ScpiError -222 if it does not exist."""
        if channel not in self._places:
            raise ScpiError(-222)
        return self._places[channel]

    def slot(self, number: int) -> SlotSettings:
        """Settings of a slot; raises ScpiError -114 if there is none."""
        if number not in self.settings.slots:
            raise ScpiError(-114)
        return self.settings.slots[number]

    def memory(self, number: int) -> tuple[Channel, ...]:
        """Channels of a memory location; raises ScpiError -222 if nothing was saved there."""
        if number not in self.kept.memories:
            raise ScpiError(-222)
        return self.kept.memories[number]

    def reset(self) -> None:
        """*RST: all channels open, settings at their defaults; memory and setups stay."""
        self.abort_scan()
        self.bring_to(())
        self.settings = self._default_settings()

    def save(self, location: int) -> None:
        """*SAV 0 to 9, closed channels included."""
        self.kept.setups[location] = copy.deepcopy(self.settings), self.closed

    def recall(self, location: int) -> None:
        """*RCL 0 to 9."""
        self.abort_scan()
        settings, closed = self.kept.setups.get(location, (self._default_settings(), frozenset()))
        self.settings = copy.deepcopy(settings)
        self.bring_to(closed)

    def abort_scan(self) -> None:
        """ABORt."""
        self.scanner.abort()
        self.connectors.let_go()

    def trigger(self) -> None:
        """*TRG or a group execute trigger."""
        self._signal("BUS")

    def external_trigger(self) -> None:
        """A pulse at the external trigger input."""
        self._occupy(lambda: self._signal("EXT"))

    def trigger_link(self, line: int) -> None:
        """A pulse on a line of the Trigger Link."""
        self._occupy(lambda: self._signal("TLIN", line))

    def step_key(self) -> None:
        """The STEP key on the front panel: what a layer with the source MANual waits for."""
        self._occupy(lambda: self._signal("MAN"))

    def notice(self, source: str, line: int | None = None) -> None:
        """The same from a trigger wire: the step goes on beside all else; one that comes too early is lost."""
        if self.scanner.takes(source, line):
            self.react(lambda: self._signal(source, line))
        elif self.scanner.misses(source, line):
            self.status.report(ScpiError(-211))

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument: tlink.1 to tlink.6, external_trigger and channel_ready."""
        return self.connectors.terminals

    def catch_up(self) -> None:
        """Let the accounted time pass in the world."""
        self._let_time_pass()

    def _signal(self, source: str, line: int | None = None) -> None:
        try:
            self.scanner.signal(source, line)
        except ScpiError as error:
            self.status.report(error)

    def _cleared(self) -> None:
        self.operation.forget()
        self.abort_scan()

    def _power_on(self) -> None:
        super()._power_on()
        setup = self.kept.power_on_setup
        if setup.startswith("SAV"):
            self.recall(int(setup[3:]))

    def close_channels(self, channels: Iterable[Channel]) -> None:
        """ROUTe:CLOSe: close these too; raises ScpiError -221 if one is forbidden, and then closes none."""
        wanted = self._with_partners(channels)
        if wanted & set(self.settings.forbidden):
            raise ScpiError(-221)
        if self.settings.is_single:
            last = self._with_partners(list(channels)[-1:])
            self.bring_to(last if wanted else self.closed)
        else:
            self.bring_to(self.closed | wanted)

    def open_channels(self, channels: Iterable[Channel]) -> None:
        """ROUTe:OPEN."""
        self.bring_to(self.closed - self._with_partners(channels))

    def forbid(self, channels: Sequence[Channel]) -> None:
        """ROUTe:FCHannels: these cannot be closed any more, and open if they are."""
        self.settings.forbidden = self.in_order(set(channels))
        self.bring_to(self.closed - set(channels))

    def bring_to(self, wanted: Iterable[Channel]) -> None:
        """Move the relays so that exactly these are closed: first what opens, then what closes."""
        target = frozenset(wanted)
        self._move_all(self.closed & target)
        self._move_all(target)

    def _move_all(self, wanted: frozenset[Channel]) -> None:
        moving = {slot for slot, bank in self._banks.items() if bank.closed != wanted & set(bank.every)}
        if not moving:
            return
        self._let_time_pass()
        self.operation.settle(True)
        self._take_time(max([self._move_bank(slot, wanted) for slot in moving]))
        self.operation.settle(False)

    def _move_bank(self, slot: int, wanted: frozenset[Channel]) -> float:
        """Move one card's relays; returns the seconds until it counts as settled."""
        bank = self._banks[slot]
        return bank.set(wanted & set(bank.every)) + self.settings.slots[slot].settle_seconds

    def _with_partners(self, channels: Iterable[Channel]) -> frozenset[Channel]:
        """With CPAir on, odd and even slots next to each other switch together."""
        wanted = set(channels)
        if self.settings.is_paired:
            partners = {((channel[0] - 1 ^ 1) + 1, *channel[1:]) for channel in wanted}
            wanted |= partners & set(self._places)
        return frozenset(wanted)

    def _scan_step(self, group: tuple[Channel, ...]) -> None:
        following = self._with_partners(group) - set(self.settings.forbidden)
        before = self.closed - self._scanned
        if not self.settings.is_break_before_make:
            self._move_all(self.closed | following)
        self.bring_to(before | following)
        self._scanned = following


class SimKeithley7002(SimKeithley7001):
    """A 7002, with ten slots."""

    model: ClassVar[str] = "7002"
    firmware: ClassVar[str] = "A03  /A02"
    slots: ClassVar[int] = 10
