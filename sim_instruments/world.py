"""The world behind the simulated instruments: one clock, one die, sources and switches on named nodes, incidents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from mtjlab.nouns import Bools, Floats
from mtjlab.physics.die_description import DieDescription
from mtjlab.physics.populations import DrawnDie
from mtjlab.yaml_files import check_model

from .circuit import Circuit, Output, Source, SourcePoint
from .die import Die
from .processes import Processes
from .relay_contacts import INSTANT, Contacts
from .switches import Switches as Switches

HOT_VOLTS = 5e-3
"""Voltage across an open relay above which closing it counts as hot switching (assumed; reed data sheets say "dry")."""
HOT_AMPS = 5e-6
"""Current through a closed relay above which opening it counts as hot switching (assumed): that voltage on a kilohm.

The offsets of SMUs at 0 V drive a microampere or two through a whole line, which is dry by any data sheet (low-level
loads of reeds: up to 10 mV and 10 uA); a single cell that is being read draws more than this.
"""
_QUIET = 1e-10
"""Expected number of events below which a stretch of time counts as uneventful."""
_RARE = 1e-3
"""Expected number of events below which they are drawn by thinning a bound of their rate."""
_MOST_EVENTS = 2000


@dataclass(frozen=True)
class Incident:
    """Something that should never happen to a die or a bench."""

    seconds: float
    kind: str
    message: str


class World:
    """A die on a bench. Instruments act on it through sources and switches; time passes only in `wait`.

    Cells under voltage switch, are disturbed and break down as their rates say: events are drawn one by one
    (exponential waiting times), the network being solved anew after each.

    Args:
        description: what the die is drawn from, unless it is given as `drawn`.
        seed: fixes the die and all noise.

    Attributes:
        processes: what changes by itself as time passes: start and stop them here.
        under_probes: the dies that a prober of the bench brings under the probes, if it has one (prober_dies.py).
        sleeper: takes over `wait` while one of several things that go on side by side is being followed (reactions.py).
    """

    def __init__(
        self, description: DieDescription, *, seed: int, line_hertz: float, drawn: DrawnDie | None = None
    ) -> None:
        self.line_hertz = line_hertz
        self.incidents: list[Incident] = []
        self.seconds = 0.0
        self._seed = seed
        self._streams: list[tuple[str, np.random.Generator]] = []
        self._events = self.rng("events")
        self.die = Die(description, self.rng("die"), drawn)
        self.circuit = Circuit(self.die)
        self.processes = Processes()
        self._sources: dict[str, list[Source]] = {}
        self._switches: list[Switches] = []
        self._field_tesla = 0.0
        self._rates: tuple[Floats, Floats, float] | None = None
        self._bound: float | None = None
        self._bounds: dict[tuple[float, float], float] = {}
        self.sleeper: Callable[[float, Callable[[], bool] | None], None] | None = None
        self.under_probes: object | None = None
        self._is_touching = True
        self._blamed: set[tuple[str, int]] = set()
        self._is_held = False
        self._onset = 0.0
        self._quiet_until = -math.inf
        self._worst_siemens = float(self.die.siemens_p.max())

    @classmethod
    def from_description(cls, die: Mapping[str, object], *, seed: int, line_hertz: float) -> World:
        """Make a world from the `die` section of a bench file; keys as in `DieDescription`."""
        description = check_model(dict(die), DieDescription, Path("die"))
        return cls(description, seed=seed, line_hertz=line_hertz)

    def rng(self, name: str) -> np.random.Generator:
        """A random stream of its own for each name, fixed by the bench's seed."""
        stream = np.random.default_rng([self._seed, crc32(name.encode())])
        self._streams.append((name, stream))
        return stream

    def renew_draws(self, *numbers: int) -> None:
        """All random streams begin anew, fixed by the bench's seed and these numbers: what was before counts no longer.

        A wafer whose dies are each probed after this, with their own numbers, gives the same in any order and after any
        interruption.
        """
        words = [number % 2**32 for number in numbers]
        for name, stream in self._streams:
            anew = np.random.default_rng([self._seed, crc32(name.encode()), *words])
            stream.bit_generator.state = anew.bit_generator.state

    def add_source(self, name: str, node: str) -> Source:
        """An SMU output between `node` and the common ground, disconnected at first."""
        source = Source(name, self.circuit.add_source(node), self)
        self._sources.setdefault(node.split(".")[0], []).append(source)
        return source

    def sources_of(self, instrument: str) -> tuple[Source, ...]:
        """The outputs whose nodes begin with this instrument's name."""
        return tuple(self._sources.get(instrument, ()))

    def add_switches(
        self, name: str, pairs: Sequence[tuple[str, str]], ohms: float, contacts: Contacts = INSTANT
    ) -> Switches:
        """Relays between pairs of nodes, all open at first, with contacts that move like these."""
        first = self.circuit.add_relays(pairs, ohms)
        made = Switches(self, name, first, pairs, contacts)
        self._switches.append(made)
        return made

    def has_relay(self, node_a: str, node_b: str) -> bool:
        """Whether a relay joins these nodes."""
        return any(switches.number_of(node_a, node_b) is not None for switches in self._switches)

    def stick_relay(self, node_a: str, node_b: str, *, is_closed: bool) -> None:
        """The relay between these nodes sticks where `is_closed` says, whatever its mainframe tells it."""
        for switches in self._switches:
            number = switches.number_of(node_a, node_b)
            if number is not None:
                switches.stick(number, is_closed=is_closed)

    def change_contact(self, axis: str, number: int, ohms: float) -> None:
        """The probe on a `row` or `col` of the die has another resistance from now on."""
        description = self.die.description
        self.die.contact_ohms[number if axis == "row" else description.rows + number] = ohms
        self.circuit.contact_changed()
        self._settle()

    def exchange_die(self, die: Die) -> None:
        """Another die of the same description is under the probes; what happened to the former one stays with it."""
        self.die = die
        self._worst_siemens = float(die.siemens_p.max())
        self._bounds.clear()
        self._blamed.clear()
        self.circuit.exchange_die(die)
        self._settle()

    def renew_contacts(self, ohms: Floats) -> None:
        """The probes touch anew: resistance of every contact, rows and then columns."""
        self.die.contact_ohms[:] = ohms
        self.circuit.contact_changed()
        self._settle()

    def connect(self, node_a: str, node_b: str, ohms: float = 0.05) -> None:
        """A cable between two nodes."""
        self.circuit.add_cable(node_a, node_b, ohms)

    @property
    def is_touching(self) -> bool:
        """Whether the probes are on the die."""
        return self._is_touching

    def move_contact(self, is_touching: bool) -> None:
        """Put the probes on the die or lift them; doing so under bias is an incident."""
        if is_touching != self._is_touching and self.is_live:
            self.log("contact moved under bias", "probes moved while a source was driving the array")
        self._is_touching = is_touching
        self.circuit.touch(is_touching)
        self._settle()

    @property
    def field_tesla(self) -> float:
        """Magnetic field along the junctions' axis; positive favours P."""
        return self._field_tesla

    @field_tesla.setter
    def field_tesla(self, tesla: float) -> None:
        if tesla != self._field_tesla:
            self._field_tesla = tesla
            self._rates = self._bound = None
            self._quiet_until = -math.inf
            self._onset = self.seconds

    @property
    def is_live(self) -> bool:
        """Whether any source drives the bench away from 0 V."""
        return self.circuit.is_live

    def wait(self, seconds: float, is_met: Callable[[], bool] | None = None) -> None:
        """Let time pass; cells are exposed to whatever is across them, processes change it as they go on.

        It ends early if `is_met` says so after a process has changed something.
        """
        if seconds <= 0:
            return
        if self.sleeper is not None:
            self.sleeper(seconds, is_met)
            return
        end = self.seconds + seconds
        if self.processes:
            self.processes.prepare(self.seconds, end)
            while (due := self.processes.next_change()) <= end:
                self._expose(due - self.seconds)
                self.seconds = due
                self.processes.change(due)
                if is_met is not None and is_met():
                    return
            seconds = end - self.seconds
        self._expose(seconds)

    def _expose(self, seconds: float) -> None:
        """Let time pass in which nothing changes but by events."""
        left = float(seconds)
        if self._rates is None:
            if self.seconds + left < self._quiet_until:
                self.seconds += left
                return
            if self._bound is None:
                self._bound = self._rate_bound()
            if self._bound * left < _RARE:
                self._expose_to_rare_events(left)
                return
        for _ in range(_MOST_EVENTS):
            switching, breaking, total = self._event_rates()
            if total * left < _QUIET:
                break
            until_event = self._events.exponential(1 / total)
            if until_event >= left:
                break
            left -= until_event
            self.seconds += until_event
            self._happen(switching, breaking)
        self.seconds += left

    def _expose_to_rare_events(self, seconds: float) -> None:
        """Events drawn without solving the network, in nearly all cases.

        Thinning: candidates come at the rate that bounds the true one. Before the first of them there is no event. When
        it comes, the rates are looked at, and the waiting begins anew: exact, since exponential waiting has no memory
        of a candidate that was none.
        """
        bound = self._bound or 0.0
        if self._quiet_until <= self.seconds:
            self._quiet_until = self.seconds + (self._events.exponential(1 / bound) if bound > 0 else math.inf)
        until_candidate = self._quiet_until - self.seconds
        if until_candidate > seconds:
            self.seconds += seconds
            return
        self._quiet_until = -math.inf
        switching, breaking, total = self._event_rates()
        self.seconds += until_candidate
        if self._events.random() * bound < total:
            self._happen(switching, breaking)
        self._expose(seconds - until_candidate)

    def log(self, kind: str, message: str) -> None:
        """Put an incident on record."""
        self.incidents.append(Incident(self.seconds, kind, message))

    def sources_changed(self) -> None:
        """Called by a source after its settings changed."""
        self.circuit.changed()
        if not self._is_held:
            self._settle()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What sources do within this happens at the same moment: cells see the last of it only."""
        was_held, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = was_held
            if not was_held:
                self._settle()

    def pass_quietly(self, seconds: float) -> None:
        """Time passes in which nothing happens to a cell; whoever calls this has drawn it (`pulse_trains.py`)."""
        self.seconds += seconds

    def event_rate(self, seconds: float, stretch_seconds: float = math.inf) -> float:
        """Rate of all events as things stand, 1/s; zero if hardly any is to be expected in so many seconds.

        Args:
            seconds: all the time spent so.
            stretch_seconds: how long at a time: in the first nanoseconds of each stretch hardly any cell switches.
        """
        if self._rates is None:
            if self._bound is None:
                self._bound = self._rate_bound()
            if self._bound * seconds < _QUIET:
                return 0.0
        switching, breaking, total = self._event_rates()
        if self.die.is_long(stretch_seconds):
            return total
        return float((switching * self._average_part(stretch_seconds)).sum() + breaking.sum())

    def _average_part(self, stretch_seconds: float) -> Floats:
        return self.die.average_part(self.cell_volts(), self._field_tesla, stretch_seconds)

    def event_bound(self, seconds: float) -> float:
        """At least the rate of all events as things stand, 1/s, as exactly as it matters for so many seconds.

        May be asked within `at_once`, of a state that cells never see.
        """
        bound = self._rate_bound()
        if bound * seconds < _QUIET:
            return bound
        volts = self.cell_volts()
        switching = self.die.switching_rates(volts, self._field_tesla)
        return float(switching.sum() + self.die.breakdown_rates(volts).sum())

    def strike(self) -> None:
        """One event happens now; rates say which."""
        switching, breaking, total = self._event_rates()
        if total > 0:
            self._onset = -math.inf
            self._happen(switching, breaking)

    def exposure(self, stretch_seconds: float = math.inf) -> tuple[Floats, Floats, Floats]:
        """Rates of every cell, 1/s: leaving its state, returning to it were it in the other, breaking down.

        `stretch_seconds` is as for `event_rate`.
        """
        leaving, breaking, _ = self._event_rates()
        volts, is_long = self.cell_volts(), self.die.is_long(stretch_seconds)
        leaving = leaving if is_long else leaving * self._average_part(stretch_seconds)
        self.die.is_parallel = ~self.die.is_parallel
        returning = self.die.switching_rates(volts, self._field_tesla)
        returning = returning if is_long else returning * self._average_part(stretch_seconds)
        self.die.is_parallel = ~self.die.is_parallel
        return leaving, returning, breaking

    def overtake(self, switched: Iterable[int], broken: Iterable[int]) -> None:
        """These cells have changed their state or broken down in the meantime."""
        for index in switched:
            self.die.is_parallel[index] = not self.die.is_parallel[index]
            self.circuit.cell_changed(index)
        for index in broken:
            self.die.break_down(index)
            self.log("breakdown", f"the barrier of cell {tuple(self.die.site(index))} broke down")
            self.circuit.cell_changed(index)
        self._bounds.clear()
        self._settle()

    def solve_source(self, output: Output) -> SourcePoint:
        """Operating point of one source, noise-free."""
        return self.circuit.source_point(output)

    def cell_volts(self) -> Floats:
        """Voltage across every cell now, row minus column, row-major."""
        return self.circuit.cell_volts()

    def _settle(self, *, is_new_bias: bool = True) -> None:
        self._rates = self._bound = None
        self._quiet_until = -math.inf
        if is_new_bias:
            self._onset = self.seconds
        self._check_stress()

    def _rate_bound(self) -> float:
        """At least the total rate of events, 1/s, without solving the network: every cell at the largest voltage."""
        volts = self.circuit.largest_volts
        field = math.ceil(abs(self._field_tesla) * 1000) / 1000
        step = math.ceil(volts * 100) / 100
        if (step, field) not in self._bounds:
            full = np.full(self.die.kind.size, step)
            worst = np.maximum(self.die.switching_rates(full, field), self.die.switching_rates(-full, -field))
            self._bounds[step, field] = float((worst + self.die.breakdown_rates(full)).sum())
        return self._bounds[step, field]

    def _event_rates(self) -> tuple[Floats, Floats, float]:
        if self._rates is None:
            volts = self.cell_volts()
            switching = self.die.switching_rates(volts, self._field_tesla)
            breaking = self.die.breakdown_rates(volts)
            self._rates = (switching, breaking, float(switching.sum() + breaking.sum()))
        return self._rates

    def _happen(self, switching: Floats, breaking: Floats) -> None:
        running = np.cumsum(np.concatenate([switching, breaking]))
        chosen = int(np.searchsorted(running, self._events.random() * running[-1], side="right"))
        cells = switching.size
        if chosen < cells:
            if self._is_too_early(chosen):
                return
            self.die.is_parallel[chosen] = not self.die.is_parallel[chosen]
        else:
            chosen -= cells
            self.die.break_down(chosen)
            self.log("breakdown", f"the barrier of cell {tuple(self.die.site(chosen))} broke down")
        self.circuit.cell_changed(chosen)
        self._bounds.clear()
        self._settle(is_new_bias=False)

    def _is_too_early(self, index: int) -> bool:
        """Whether an event drawn at a cell's final rate does not happen, as its bias came just nanoseconds ago.

        Thinning again: the rate grows towards the final one, so some of the events drawn at that are none.
        """
        part = self.die.reached_part(index, self.cell_volts(), self._field_tesla, self.seconds - self._onset)
        return part < 1 and self._events.random() >= part

    def _check_stress(self) -> None:
        limits = self.die.description
        bound = self.circuit.largest_volts
        worst_siemens = self._worst_siemens
        if bound <= limits.limit_volts and bound * worst_siemens <= limits.limit_amps:
            self._blamed.clear()
            return
        volts = self.cell_volts()
        amps = volts * self.die.siemens(volts)
        self._blame("over-voltage", np.abs(volts) > limits.limit_volts, volts, "V")
        self._blame("over-current", np.abs(amps) > limits.limit_amps, amps, "A")

    def _blame(self, kind: str, over: Bools, values: Floats, unit: str) -> None:
        for index in np.flatnonzero(over & self.die.is_tunnelling):
            if (kind, int(index)) not in self._blamed:
                self._blamed.add((kind, int(index)))
                self.log(kind, f"cell {tuple(self.die.site(int(index)))} saw {values[index]:.3g} {unit}")

    def log_if_hot(self, name: str, relays: Sequence[int]) -> bool:
        """Whether one of these relays (numbers in the circuit) has voltage on it or carries current; if so, log it."""
        for relay in relays:
            if self.circuit.stays_below(relay, HOT_VOLTS, HOT_AMPS):
                continue
            volts, amps = self.circuit.relay_point(relay)
            if abs(amps) > HOT_AMPS or abs(volts) > HOT_VOLTS:
                self.log("hot switching", f"a relay of {name} moved at {volts:.3g} V and {amps:.3g} A")
                return True
        return False

    def move_relays(self, first: int, closed: frozenset[int]) -> None:
        """Of the group of relays that begins at `first`, exactly these conduct from now on."""
        self.circuit.set_relays(first, closed)
        self._settle()
