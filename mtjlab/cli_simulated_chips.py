"""Measured maps of the chips of a simulated wafer: drawn, put on the simulated board, surveyed; kept in a folder.

This is composition (world, board, driver, protocol), so it stands beside the command line; it has no commands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_calibration import DaffodilCalibration
from mtjlab.drivers.daffodil_settings import DaffodilSettings
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import DieId, Progress, unheard
from mtjlab.physics.deembed import Wires
from mtjlab.physics.populations import WaferDescription
from mtjlab.protocols.survey_chip import ChipSurvey, survey_chip
from mtjlab.protocols.survey_chip_kernel import SurveySettings
from mtjlab.roles import Crossbar
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import KERNELS, SIDE, DaffodilChip, ResistorCard
from mtjlab.sim_instruments.daffodil_events import BoardSettings

_VERSION = 1
"""Part of the key of what is kept; to be raised when the simulation or the protocol gives other maps."""
_STEP_VOLTS = 5 / 4096
_REFERENCE_SIEMENS = 1e-4


@dataclass(frozen=True)
class ChipBench:
    """A wafer of simulated chips and how they are measured. All numbers are assumptions.

    Attributes:
        wafer: what the chips are drawn from.
        seed: fixes the wafer, the errors of the boards and all that happens.
        survey: how; the read level is a whole number of the converters' steps, which makes it exact. What the maps are
            freed from are the wires that the wafer's description has, as a lab knows them from test structures.
        limits: of the device. The current is for all cells of a line together.
        driver: how the board is used. Readings at both polarities need no other zero.
        board: what a board is like; every chip has one of its own.
        reference_sigma: relative standard uncertainty of the resistors that it is calibrated against.
        averages: events per level in the calibration.
    """

    wafer: WaferDescription
    seed: int = 1
    survey: SurveySettings | None = None
    limits: DeviceLimits = field(default_factory=lambda: DeviceLimits(amps=25e-3))
    driver: DaffodilSettings = field(
        default_factory=lambda: DaffodilSettings(averages=1, subtracts_zero=False, full_siemens=3e-4)
    )
    board: BoardSettings = field(default_factory=BoardSettings)
    reference_sigma: float = 1e-3
    averages: int = 16

    @property
    def settings(self) -> SurveySettings:
        """`survey`, or what suits the wafer."""
        die = self.wafer.die
        return self.survey or SurveySettings(
            read_volts=82 * _STEP_VOLTS,
            wires=Wires(die.segment_ohms, die.contact_ohms, die.contact_ohms),
            segment_sigma_ohms=0.05 * die.segment_ohms,
            line_sigma_ohms=die.contact_spread * die.contact_ohms,
            gain_sigma=2 * self.reference_sigma,
        )

    @property
    def key(self) -> str:
        """Equal where the maps are."""
        parts = {
            "version": _VERSION,
            "wafer": self.wafer.model_dump(mode="json"),
            "limits": self.limits.model_dump(mode="json"),
            **{name: asdict(getattr(self, name)) for name in ("settings", "driver", "board")},
            **{name: getattr(self, name) for name in ("seed", "reference_sigma", "averages")},
        }
        text = json.dumps(parts, sort_keys=True, default=np.ndarray.tolist)
        return sha256(text.encode()).hexdigest()[:16]

    def chip(self, x: int, y: int) -> DaffodilChip:
        """The chip at a place, as it was made: the truth."""
        return DaffodilChip.of_wafer(self.wafer, x, y, seed=self.seed)

    def board_at(self, x: int, y: int) -> SimDaffodilBoard:
        """A board with that chip, and noise of its own."""
        seed = int(np.random.default_rng([self.seed, x & 0xFFFF, y & 0xFFFF]).integers(2**31))
        return SimDaffodilBoard(self.chip(x, y), seed=seed, settings=self.board)

    def measured(self, x: int, y: int, progress: Progress = unheard) -> ChipSurvey:
        """Calibrate the board, then survey the chip at a place."""
        board = self.board_at(x, y)
        die = DieId(self.wafer.wafer, x, y)
        return survey_chip(self.kernels(board), self.settings, die=die, progress=progress)

    def kernels(self, board: SimDaffodilBoard) -> Iterator[tuple[str, Callable[[], Crossbar]]]:
        """Calibrate the board; then the name of each kernel, and what opens its Crossbar."""
        tables = self._calibrated(board)
        first = self._opened(board, 0, tables)

        def opened(number: int) -> Callable[[], Crossbar]:
            return lambda: self._opened(board, number, tables, first)

        yield from ((f"kernel {number}", opened(number)) for number in range(KERNELS))

    def _calibrated(self, board: SimDaffodilBoard) -> DaffodilCalibration:
        board.card = ResistorCard(np.full((SIDE, SIDE), _REFERENCE_SIEMENS))
        crossbar = self._opened(board, 0, None)
        tables = crossbar.calibrate(_REFERENCE_SIEMENS, relative_sigma=self.reference_sigma, averages=self.averages)
        board.card = None
        return tables

    def _opened(
        self,
        board: SimDaffodilBoard,
        kernel: int,
        tables: DaffodilCalibration | None,
        first: DaffodilCrossbar | None = None,
    ) -> DaffodilCrossbar:
        """All through the first one's port, so that each knows what the others have sent."""
        return DaffodilCrossbar(
            first.port if first else board,
            kernel=kernel,
            limits=self.limits,
            settings=self.driver,
            calibration=tables,
            wait=board.wait,
            clock=board.clock,
        )


def packaged_wafer(name: str = "cmos20k") -> WaferDescription:
    """One of the wafers that come with the package."""
    with as_file(files("mtjlab.physics") / "wafers" / f"{name}.yaml") as path:
        return WaferDescription.load(path)


def measured_chips(
    bench: ChipBench,
    folder: Path,
    *,
    places: Sequence[tuple[int, int]] | None = None,
    jobs: int = 1,
    progress: Progress = unheard,
) -> list[ChipSurvey]:
    """Surveys of a wafer's chips, in the order of `places` (all dies of the wafer if left out).

    Each is kept as folder/key/die_x_y.npz as soon as it is done, and is not measured again. A killed run leaves no
    half-written file behind. Runs through joblib: `joblib.parallel_config` sends it elsewhere.

    Args:
        jobs: processes.
        progress: told of each chip that is done.
    """
    import joblib

    wanted = list(places if places is not None else bench.wafer.places)
    kept = folder / bench.key
    kept.mkdir(parents=True, exist_ok=True)
    missing = [place for place in wanted if not _file(kept, place).exists()]
    done = len(wanted) - len(missing)
    progress("surveying chips", done, len(wanted))
    work = (joblib.delayed(_measure)(bench, kept, place) for place in missing)
    for _ in joblib.Parallel(n_jobs=min(jobs, max(len(missing), 1)), return_as="generator_unordered")(work):
        done += 1
        progress("surveying chips", done, len(wanted))
    return [ChipSurvey.load(_file(kept, place)) for place in wanted]


def _file(kept: Path, place: tuple[int, int]) -> Path:
    return kept / f"die_{place[0]}_{place[1]}.npz"


def _measure(bench: ChipBench, kept: Path, place: tuple[int, int]) -> None:
    survey = bench.measured(*place)
    path = _file(kept, place)
    survey.save(written := path.with_name(f"{path.stem}.{os.getpid()}.part"))
    written.replace(path)
