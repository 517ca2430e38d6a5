"""A probe station on the simulated bench: stage, heights, wafer map, doors, vacuum, chuck, light; it speaks nothing.

It does what it is told if a real one would: it drags the chuck through the contacts if its interlock is off, and
touches down on bare wafer. What should never happen is logged as an incident of the world.
"""

from __future__ import annotations

import math
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from mtjlab.map_transform import MapTransform
from mtjlab.nouns import Floats
from mtjlab.wafer_map import DieUse, MapDie, SkipRules, WaferMap

from .prober_card import ProbeCard
from .prober_dies import UnderProbes
from .prober_journal import StationJournal
from .prober_spec import StationSpec
from .prober_thermal import Chuck
from .world import World


class Fault(Enum):
    """Why a station does not do what it is told; its name in words."""

    END_OF_ROUTE = "end of the wafer map's route"
    NO_DIE = "there is no such die on the wafer map"
    NO_SUBSITE = "there is no such subsite"
    NOT_SEPARATED = "chuck is below separation height"
    DOOR_OPEN = "chamber door is open"
    NO_VACUUM = "chuck vacuum failed"
    NOT_ALIGNED = "alignment pattern was not found"
    OUT_OF_RANGE = "value is out of range"


class StationError(Exception):
    """The station refuses, or fails at, what it was told."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Place(NamedTuple):
    """A die in the station's own numbers, and a subsite."""

    x: int
    y: int
    subsite: int = 0


class Station:
    """One station with a wafer on its chuck.

    Args:
        world: whose time it lives in.
        under: the dies.
        spec: what it is like.
        rng: gives seeds to contacts and alignments.

    Attributes:
        under: what is under the probes.
        card: the probe card.
        place: where it stands.
        is_in_contact: whether the probes are down.
        overtravel_um, is_overtravel_on: for the next touch-down.
        has_interlock: whether a step in contact is refused.
        has_auto_z: whether a step in contact goes through separation and touches down again.
        is_door_open, has_vacuum, is_light_on: as they are.
        fails_alignment: whether the next alignments do not find their pattern.
        off_um: how far the tips are from the middle of their pads by alignment alone, x and y.
        is_aside: whether the chuck stands under its cleaning pad; the map goes on naming the die (assumed).
        alignments: how often the wafer was aligned.
    """

    def __init__(self, world: World, under: UnderProbes, spec: StationSpec, rng: np.random.Generator) -> None:
        self.world, self.spec = world, spec
        self.card = ProbeCard(spec.card, rng)
        self._seed = int(rng.integers(2**62))
        self._journal: StationJournal | None = None
        self.alignments = 0
        self.is_in_contact = self.is_aside = False
        self.overtravel_um, self.is_overtravel_on = spec.overtravel_um, spec.is_overtravel_on
        self.has_interlock, self.has_auto_z = True, True
        self.is_door_open, self.has_vacuum, self.is_light_on = False, True, True
        self.fails_alignment = False
        self.off_um = np.array(spec.misalignment_um, dtype=np.float64)
        self._aligned_kelvin = spec.kelvin
        self.chuck = Chuck(spec)
        self.put_under(under)

    def put_under(self, under: UnderProbes) -> None:
        """Another wafer, or the same before other instruments: chips at a board, say. The probes must be up."""
        self.under = under
        self.wafer_map = _map_of(under, self.spec)
        self._back = self.wafer_map.transform.inverse()
        self._route: tuple[MapDie, ...] = self.wafer_map.route()
        self.place = Place(*self.spec.home)
        under.bring(self.source_place(self.place))

    @property
    def has_journal(self) -> bool:
        """Whether what happens is written down."""
        return self._journal is not None

    def remember(self, journal: StationJournal) -> None:
        """Go on where the journal ends, as a station does whose program was started anew; keep it from now on."""
        self.card.forget()
        self.alignments = 0
        for kind, numbers in journal.events():
            if kind == "touched":
                x, y, subsite = (int(number) for number in numbers)
                self.card.count((x, y, subsite))
            elif kind == "cleaned":
                self.card.clean()
            elif kind == "dragged":
                self.card.drag()
            else:
                self._aligned_at(np.array(numbers[:2], dtype=np.float64), numbers[2])
        self._journal = journal

    def _note(self, kind: str, *numbers: float) -> None:
        if self._journal is not None:
            self._journal.note(kind, *numbers)

    @property
    def route(self) -> tuple[MapDie, ...]:
        """Dies on its route, in order."""
        return self._route

    @property
    def number_on_route(self) -> int:
        """Number of the present die on the route, from 0; -1 if it is not on it."""
        return next((n for n, die in enumerate(self._route) if (die.x, die.y) == self.place[:2]), -1)

    def source_place(self, place: Place) -> tuple[int, int, int]:
        """The same place in the numbers of the wafer's description."""
        x, y = self._back(place.x, place.y)
        return x, y, place.subsite

    def stage_um(self) -> tuple[float, float]:
        """Where the tips are from the home die on the wafer, to the right and up."""
        return self.spec.cleaning_um if self.is_aside else self._way_um(self.place)

    def _way_um(self, place: Place) -> tuple[float, float]:
        here, home = (self.wafer_map.place_metres(*one) for one in (place[:2], self.spec.home))
        dx, dy = self.spec.subsites_um[place.subsite]
        return 1e6 * (here[0] - home[0]) + dx, 1e6 * (here[1] - home[1]) + dy

    # moves; each returns the seconds it takes

    def step(self, x: int, y: int, subsite: int = 0) -> float:
        """Go to a die of the map."""
        if (x, y) not in self.wafer_map:
            raise StationError(Fault.NO_DIE)
        if not 0 <= subsite < len(self.spec.subsites_um):
            raise StationError(Fault.NO_SUBSITE)
        self._check_ready()
        if self.is_in_contact and not self.has_auto_z and self.has_interlock:
            raise StationError(Fault.NOT_SEPARATED)
        touches_again, seconds = self.is_in_contact and self.has_auto_z, 0.0
        if touches_again:
            seconds += self.separate()
        seconds += self._move(Place(x, y, subsite))
        return seconds + (self.contact() if touches_again else 0.0)

    def _move(self, there: Place) -> float:
        if self.is_in_contact:
            self.world.log("chuck moved in contact", f"from {tuple(self.place)} to {tuple(there)} with the probes down")
            self.card.drag()
            self._note("dragged")
        if self.under.is_live:
            self.world.log("chuck moved under bias", f"from {tuple(self.place)} to {tuple(there)} with an output on")
        before = self.stage_um()
        self.place, self.is_aside = there, False
        after = self.stage_um()
        self.under.bring(self.source_place(there))
        if self.is_in_contact:
            self._touch()
        return self.spec.step_seconds + math.dist(before, after) * 1e-6 / self.spec.metres_per_second

    def step_first(self) -> float:
        """Go to the first die of the route."""
        return self.step(self._route[0].x, self._route[0].y)

    def step_next(self) -> float:
        """Go to the next die of the route."""
        number = self.number_on_route + 1
        if number >= len(self._route):
            raise StationError(Fault.END_OF_ROUTE)
        return self.step(self._route[number].x, self._route[number].y, self.place.subsite)

    def contact(self) -> float:
        """Touch down; in contact already, nothing moves."""
        self._check_ready()
        if self.is_in_contact:
            return 0.0
        self.is_in_contact = True
        if self.is_aside:
            self.world.log("touched down beside the wafer", "on the cleaning pad, which the map does not know")
        else:
            self._touch()
        return self.spec.height_seconds

    def separate(self) -> float:
        """Lift off. Doors and vacuum do not keep it from doing so."""
        if self.is_in_contact:
            self.is_in_contact = False
            self.under.lift()
        return self.spec.height_seconds

    def clean(self) -> float:
        """Go to the cleaning pad, touch it until the tips are clean, and stay there, separated."""
        if self.is_in_contact:
            raise StationError(Fault.NOT_SEPARATED)
        if self.is_door_open:
            raise StationError(Fault.DOOR_OPEN)
        if self.under.is_live:
            self.world.log("chuck moved under bias", "to the cleaning pad with an output on")
        way = math.dist(self.stage_um(), self.spec.cleaning_um)
        self.is_aside = True
        self.card.clean()
        self._note("cleaned")
        return self.spec.cleaning_seconds + way * 1e-6 / self.spec.metres_per_second

    def _touch(self) -> None:
        um = self.overtravel_um if self.is_overtravel_on else 0.0
        factors = self.foretold(self.place, um)
        place = self.source_place(self.place)
        self.card.count(place)
        self._note("touched", *place)
        self.world.renew_draws(*place, self.card.marks[place])  # what was measured before changes nothing
        self.under.touch(factors)

    def foretold(self, place: Place, overtravel_um: float, after: int = 0) -> Floats:
        """Contacts that the next touch-down there would make, see `ProbeCard.foretold`."""
        at = place[:2]
        is_whole = at in self.wafer_map and self.wafer_map.die(*at).use is not DieUse.EDGE
        off, lines = self.off_centre_um(place), self.under.lines
        return self.card.foretold(self.source_place(place), lines, overtravel_um, off, is_whole, after)

    def off_centre_um(self, place: Place | None = None) -> float:
        """How far the tips are from the middle of their pads: alignment, and a wafer that has grown since."""
        grown = self.spec.expansion_per_kelvin * (self.chuck.kelvin(self.world.seconds) - self._aligned_kelvin)
        return float(np.hypot(*(self.off_um + grown * np.array(self._way_um(place or self.place)))))

    def align(self) -> float:
        """Align the wafer, separated."""
        self._check_ready()
        if self.is_in_contact:
            raise StationError(Fault.NOT_SEPARATED)
        if self.fails_alignment:
            raise StationError(Fault.NOT_ALIGNED)
        rng = np.random.default_rng([self._seed, self.alignments])
        kelvin = self.chuck.kelvin(self.world.seconds)
        self._aligned_at(self.spec.alignment_um * rng.standard_normal(2), kelvin)
        self._note("aligned", *self.off_um.tolist(), kelvin)
        return self.spec.align_seconds

    def _aligned_at(self, off_um: Floats, kelvin: float) -> None:
        self.off_um, self._aligned_kelvin = off_um, kelvin
        self.alignments += 1

    def set_overtravel(self, um: float) -> None:
        """For the next touch-down."""
        if not 0 <= um <= self.spec.most_overtravel_um:
            raise StationError(Fault.OUT_OF_RANGE)
        self.overtravel_um = um

    def _check_ready(self) -> None:
        if self.is_door_open:
            raise StationError(Fault.DOOR_OPEN)
        if not self.has_vacuum:
            raise StationError(Fault.NO_VACUUM)

    def upset(self, kind: str) -> None:
        """A fault of the bench happens: `door_open`, `vacuum_lost` or `misaligned`."""
        if kind == "door_open":
            self.is_door_open = True
        elif kind == "vacuum_lost":
            self.has_vacuum = False
        else:
            self.off_um = self.off_um + np.array([3.0 * self.spec.card.reach_um, 0.0])

    def mend(self) -> None:
        """What an operator does: close the door, get the vacuum back, teach the alignment pattern again."""
        self.is_door_open, self.has_vacuum, self.fails_alignment = False, True, False


def _map_of(under: UnderProbes, spec: StationSpec) -> WaferMap:
    """The wafer in the station's numbers; its description's grow to the right and up, from its middle."""
    wafer, skipped = under.wafer, frozenset(spec.skip)
    pitch = (wafer.pitch_mm[0] * 1e-3, wafer.pitch_mm[1] * 1e-3)
    dies = tuple(MapDie(x, y) for x, y in wafer.places)
    source = WaferMap(wafer.wafer, dies, pitch, "UR", spec.notch_degrees, source="wafer description")
    turned = MapTransform.between("UR", spec.axes).then(MapTransform(shift_x=spec.shift[0], shift_y=spec.shift[1]))
    found = source.transformed(turned)
    if spec.diameter_mm is not None:
        found = replace(found, diameter_metres=1e-3 * spec.diameter_mm)
    return found.with_uses(SkipRules(never=skipped, finds_edge=spec.diameter_mm is not None))
