"""What is under the probes: dies of a wafer on the bench's world, or chips in the socket of a simulated board."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics.die_description import DieDescription
from mtjlab.physics.populations import DrawnDie, WaferDescription, draw_die

from .daffodil_board import SimDaffodilBoard
from .daffodil_chip import CHIP_COLS, CHIP_ROWS, SIDE, DaffodilChip
from .daffodil_kernel import Kernel
from .die import Die
from .world import World

LOST_OHMS = 1e15
"""A contact that is not made (as for a lost contact in fault_injector.py)."""
_LOST_BOARD_OHMS = 1e9
"""The same on a board, whose solver takes no more."""
_SUBSITE_SEED = 7919
Place = tuple[int, int, int]
"""x, y of the wafer's description, and subsite."""


class UnderProbes(ABC):
    """The dies of a wafer, one of which is under the probes; what happens to each stays with it.

    Args:
        wafer: what they are drawn from.
        seed: fixes them.
    """

    def __init__(self, wafer: WaferDescription, seed: int) -> None:
        self.wafer = wafer
        self.seed = seed
        self._exists = frozenset(wafer.places)

    def has(self, place: Place) -> bool:
        """Whether there is a die."""
        return place[:2] in self._exists

    @property
    @abstractmethod
    def lines(self) -> int:
        """How many probes touch a die."""

    @property
    @abstractmethod
    def is_live(self) -> bool:
        """Whether anything drives the die."""

    @abstractmethod
    def bring(self, place: Place) -> None:
        """This die is under the probes from now on, which are off it; where there is none there is bare wafer."""

    @abstractmethod
    def touch(self, factors: Floats) -> None:
        """The probes come down.

        Args:
            factors: shape (lines,), on the resistance that each contact of the die has by its description; infinite
                where there is no contact.
        """

    @abstractmethod
    def lift(self) -> None:
        """The probes go up."""

    def _seed_of(self, place: Place) -> int:
        """Every subsite is a die of its own."""
        return self.seed + _SUBSITE_SEED * place[2]


class DiesUnderProbes(UnderProbes):
    """Dies on the world of a bench of SMUs. The world's first die has to be that at the station's home."""

    def __init__(self, world: World, wafer: WaferDescription, seed: int) -> None:
        super().__init__(wafer, seed)
        self._world = world
        self._dies: dict[Place, Die] = {}
        self._ohms: dict[Place, Floats] = {}
        self._place: Place = (0, 0, 0)
        world.move_contact(False)

    @property
    def lines(self) -> int:
        """Rows and columns."""
        return self.wafer.die.rows + self.wafer.die.cols

    @property
    def is_live(self) -> bool:
        """Whether a source of the world drives."""
        return self._world.is_live

    def die(self, place: Place) -> Die:
        """The die at a place, as it is by now."""
        if place not in self._dies:
            drawn = self.wafer.draw(place[0], place[1], self._seed_of(place)) if self.has(place) else self._bare()
            made = Die(self.wafer.die, np.random.default_rng(0), drawn)
            self._dies[place], self._ohms[place] = made, made.contact_ohms.copy()
        return self._dies[place]

    def put(self, place: Place, die: Die) -> None:
        """The die at a place is this one from now on, in the state and with the contacts that it has."""
        die.description = self.wafer.die
        was, self._dies[place] = self.die(place), die
        if was is self._world.die:
            self._world.exchange_die(die)

    def forget(self, place: Place) -> None:
        """The die at a place is as it was made, when it comes under the probes again."""
        self._dies.pop(place, None)
        self._ohms.pop(place, None)

    def _bare(self) -> DrawnDie:
        return draw_die(_all_open(self.wafer.die), np.random.default_rng(0))

    def bring(self, place: Place) -> None:
        """See UnderProbes."""
        self._place = place
        self._world.exchange_die(self.die(place))

    def touch(self, factors: Floats) -> None:
        """See UnderProbes."""
        ohms = np.minimum(self._ohms[self._place] * factors, LOST_OHMS)
        self._world.renew_contacts(ohms if self.has(self._place) else np.full(self.lines, LOST_OHMS))
        self._world.move_contact(True)

    def lift(self) -> None:
        """See UnderProbes."""
        self._world.move_contact(False)


class ChipsUnderProbes(UnderProbes):
    """Chips of a wafer at a simulated Daffodil board, whose cable to the probe card never moves.

    While the probes are up the board finds a chip whose cells are all open.
    """

    def __init__(self, board: SimDaffodilBoard, wafer: WaferDescription, seed: int) -> None:
        super().__init__(wafer, seed)
        self._board = board
        self._chips: dict[Place, DaffodilChip] = {}
        self._nothing = bare_chip(wafer)
        self._place: Place = (0, 0, 0)
        self._ohms: dict[Place, list[Floats]] = {}
        board.chip = self._nothing

    @property
    def lines(self) -> int:
        """Rows and columns of a kernel: all kernels are on the same probes, through the chip's multiplexers."""
        return 2 * SIDE

    @property
    def is_live(self) -> bool:
        """Whether a write event still connects the lines."""
        return self._board.seconds < self._board.events.released_at

    def chip(self, place: Place) -> DaffodilChip:
        """The chip at a place, as it is by now."""
        if not self.has(place):
            return self._nothing
        if place not in self._chips:
            chip = DaffodilChip.of_wafer(self.wafer, place[0], place[1], seed=self._seed_of(place))
            self._chips[place], self._ohms[place] = chip, contacts_of(chip)
        return self._chips[place]

    def bring(self, place: Place) -> None:
        """See UnderProbes."""
        self._place = place
        self.chip(place)

    def touch(self, factors: Floats) -> None:
        """See UnderProbes."""
        chip = self.chip(self._place)
        if self.has(self._place):
            make_contact(chip, self._ohms[self._place], factors)
        self._board.chip = chip

    def lift(self) -> None:
        """See UnderProbes."""
        self._board.chip = self._nothing


def contacts_of(chip: DaffodilChip) -> list[Floats]:
    """Resistances of the lines of each kernel as the chip was made, rows then columns; probe and multiplexer in one."""
    return [kernel.die.contact_ohms.copy() for kernel in chip.kernels]


def make_contact(chip: DaffodilChip, as_made: Sequence[Floats], factors: Floats) -> None:
    """One touch-down: a probe that is bad is so for its line of every kernel.

    Args:
        as_made: see `contacts_of`.
        factors: shape (2 SIDE,), rows then columns; infinite where there is no contact.
    """
    for number, ohms in enumerate(as_made):
        die = chip.kernels[number].die
        die.contact_ohms[:] = np.minimum(ohms * factors, _LOST_BOARD_OHMS)
        chip.kernels[number] = Kernel(die, chip.access)  # its wires contain the contacts


def bare_chip(wafer: WaferDescription) -> DaffodilChip:
    """What probes find where no chip is: cells that are all open."""
    nothing = _all_open(wafer.die.model_copy(update={"rows": CHIP_ROWS, "cols": CHIP_COLS}))
    return DaffodilChip(nothing, draw_die(nothing, np.random.default_rng(0)))


def _all_open(die: DieDescription) -> DieDescription:
    rates = die.defect_rates.model_copy(update={"open": 1.0, "short": 0.0, "stuck_p": 0.0, "stuck_ap": 0.0})
    return die.model_copy(update={"defect_rates": rates, "defects": [], "line_defects": []})
