"""A simulated Keithley 707B switching matrix: TSP as in the Models 707B and 708B Reference Manual (707B-901-01)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, ClassVar

from .bench_file import CardModel, InstrumentSpec
from .channel_list import Card, Channel, ChannelLists
from .faults import FaultPlan
from .keithley_707b_channels import ChannelTree
from .keithley_707b_relays import MatrixRelays
from .keithley_707b_scan import Scan, ScanTree
from .switching_tables import K707B_RELAY
from .timing import KEITHLEY_707B as TIMING
from .tsp_display import display
from .tsp_setups import TspSetups
from .tsp_status import SUMMARIES, TspStatus
from .tsp_system_tree import interfaces
from .tsp_trigger_tree import TriggerTree
from .tsp_triggered import TriggeredTsp
from .tsp_triggers import TriggerObjects
from .wire_instrument import HostClock
from .world import World

RELAY_OHMS = 0.5
"""Path resistance of a closed crosspoint (assumed; card data sheets bound it at 1 ohm when new)."""
_CARDS: dict[CardModel, Card] = {
    "7071": Card("7071", 8, 12, "8x12 General Purpose Matrix"),
    "7072": Card("7072", 8, 12, "8x12 Semiconductor Matrix"),
    "7073": Card("7073", 8, 12, "8x12 Coaxial Matrix"),
    "7074": Card("7074", 8, 12, "8x12 General Purpose Multiplexer"),
    "7172": Card("7172", 8, 12, "8x12 Low Current Matrix"),
    "7173-50": Card("7173-50", 4, 12, "4x12 Two-pole High Frequency Matrix"),
    "7174A": Card("7174A", 8, 12, "8x12 Low Current Matrix"),
}


class SimKeithley707B(TriggeredTsp):
    """One 707B. Row r of every slot is the node `<name>.row.<A..H>`: rows are joined through the backplane.
    Column c of slot s is the node `<name>.col.<100 s + c>`.

    Attributes:
        relays: its crosspoints.
        scan: its trigger model.
    """

    model: ClassVar[str] = "707B"
    firmware: ClassVar[str] = "01.42b"
    command_seconds: ClassVar[float] = TIMING.command_seconds
    status_summaries: ClassVar[dict[int, str]] = SUMMARIES
    trigger_objects: ClassVar[TriggerObjects] = TriggerObjects(timers=4, blenders=2, generators=0)
    slots: ClassVar[int] = 6

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        cards: Iterable[CardModel | None],
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        super().__init__(name, world, host, serial=serial, has_end=has_end, faults=faults)
        self._cards = {slot: _CARDS[card] for slot, card in enumerate(cards, start=1) if card is not None}
        self._lists = ChannelLists(self._cards, {})
        every = self._lists.every
        pairs = [(f"{name}.row.{c.row}", f"{name}.col.{c.slot * 100 + c.column}") for c in every]
        self._switches = world.add_switches(name, pairs, RELAY_OHMS, K707B_RELAY)
        self.relays = MatrixRelays(world, self._switches, every)
        self._channels = ChannelTree(self, self._lists)
        self.scan = Scan(self, self._channels, self.events)
        self.setups = TspSetups(self._settings, self._set_settings, self._reset)
        self._define()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley707B:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, cards=spec.cards, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def closed(self) -> frozenset[Channel]:
        """Channels that are closed now."""
        return self.relays.closed

    def reset(self) -> None:
        """reset(): all channels open, rules, delays and forbidden channels at their defaults, patterns deleted."""
        self.scan.reset()
        self.triggers.reset()
        self.move(frozenset())
        self._channels.reset()

    def move(self, wanted: frozenset[Channel]) -> None:
        """Move the relays by the connection rule; the instrument is busy as long as that takes."""
        self._let_time_pass()
        for seconds in self.relays.moves(wanted):
            self._take_time(seconds)
            self._let_time_pass()

    def running_models(self) -> frozenset[str]:
        """The scan, if it is running."""
        return frozenset({"scan"} if self.scan.is_running else ())

    def abort_models(self) -> None:
        """The scan ends."""
        self.scan.stop()

    def _define(self) -> None:
        engine = self.engine
        tree = TriggerTree(self)
        made = {
            "channel": self._channels.made(),
            "scan": ScanTree(self, self.scan, self._lists, tree).made(),
            "slot": engine.list_of([self._slot(number) for number in range(1, self.slots + 1)]),
            "trigger": tree.trigger(),
            "status": TspStatus(self.status).made(engine),
            "display": display(engine, tree.panel()),
            "digio": tree.digital_io(),
            "setup": self.setups.made(engine, self.files.disk),
            "memory": engine.object(functions={"available": lambda: "99,99,99,99", "used": lambda: "1,1,1,1"}),
            **interfaces(engine, tree.lan_members(), gpib_address=16),
        }
        for name, value in made.items():
            engine.set_global(name, value)
        self._define_triggers()

    def _slot(self, number: int) -> Any:
        table = self.engine.table
        card = self._cards.get(number)
        if card is None:
            return table({"idn": "Empty Slot", "rows": table(), "columns": table(), "pseudocard": 0})
        idn = f"{card.model},{card.description},01.00a,{zlib.crc32(f'{self.serial}.{number}'.encode()) % 10**7:07d}"
        rows, columns = table({"matrix": card.rows}), table({"matrix": card.columns})
        return table({"idn": idn, "matrix": 1, "pseudocard": 0, "rows": rows, "columns": columns})

    def _settings(self) -> dict[str, Any]:
        relays, channels = self.relays, self._channels
        return {
            "rule": relays.rule, "is_sequential": relays.is_sequential, "delays": relays.delays,
            "patterns": channels.patterns, "labels": channels.labels, "forbidden": channels.forbidden,
            "closed": relays.closed,
        }  # fmt: skip

    def _set_settings(self, saved: dict[str, Any]) -> None:
        self.reset()
        relays, channels = self.relays, self._channels
        relays.rule, relays.is_sequential = saved["rule"], saved["is_sequential"]
        relays.delays.update(saved["delays"])
        channels.patterns.update(saved["patterns"])
        channels.labels.update(saved["labels"])
        channels.forbidden.update(saved["forbidden"])
        self.move(saved["closed"])

    def _power_on(self) -> None:
        super()._power_on()
        self.setups.power_on()
