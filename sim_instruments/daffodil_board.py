"""A simulated Daffodil board with the surface of the public daffodil-lib's `Daffodil_Base`, and real physics behind.

Names, channel maps, bit patterns, windows and refusals are facts from usnistgov/daffodil-lib (Board/controller.py);
times and errors are assumptions, see `BoardSettings`. Unlike the library's own simulation it knows time, noise, wire
resistance, amplifiers that leave their range, and cells that switch, are disturbed and break. It refuses what the
library refuses, and logs as incidents what a real board would do all the same.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from .daffodil_chip import KERNELS, SIDE, DaffodilChip, ResistorCard
from .daffodil_events import BoardSettings, Events
from .daffodil_registers import DaffodilRegisters
from .world import Incident


class SimDaffodilBoard(DaffodilRegisters):
    """The board. Voltages are absolute, as on the real one: the chip's ground is at `vground`.

    Args:
        chip: the cells; one drawn from the packaged defaults if left out.
        seed: fixes the board's errors, its noise and what the cells do.
        settings: sizes of the errors, and times.

    Attributes:
        seconds: simulated time.
        incidents: what should never happen to a chip.
        transactions: register and pin accesses so far, counted as the library makes them.
        card: resistors in place of the chip, for calibration.
        COL_EN_tobe, ROW_EN_tobe: lines that the next event connects.
    """

    def __init__(
        self, chip: DaffodilChip | None = None, *, seed: int = 0, settings: BoardSettings | None = None
    ) -> None:
        self.settings = settings or BoardSettings()
        self.chip = chip or DaffodilChip.draw(seed=seed)
        self.card: ResistorCard | None = None
        self.seconds = 0.0
        self.incidents: list[Incident] = []
        self.transactions = 0
        super().__init__(self.settings, np.random.default_rng([seed, crc32(b"parts")]))
        self.COL_EN_tobe, self.ROW_EN_tobe = [1] * SIDE, [1] * SIDE
        self.selected_kernel = 0
        self.compliance_control = 1
        noise, happenings = (np.random.default_rng([seed, crc32(name)]) for name in (b"noise", b"events"))
        self._events = Events(self, self._amplifiers, noise, happenings)
        self.config_muxes()
        self.set_kernel(0)

    # what a simulated board has beside the real one

    def clock(self) -> float:
        """Simulated seconds so far."""
        return self.seconds

    def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.seconds += seconds

    def log(self, kind: str, message: str) -> None:
        """Put an incident on record."""
        self.incidents.append(Incident(self.seconds, kind, message))

    @property
    def events(self) -> Events:
        """What the events do; its `point` is the last one's operating point."""
        return self._events

    def _access(self, seconds: float, count: int = 1) -> None:
        self.transactions += count
        self.seconds += seconds * count
        if self.seconds < self._events.released_at:
            self.log("live change", "something was set while a write event connected the lines")

    # multiplexers

    def config_muxes(self) -> None:
        """All lines and gates to their DACs."""
        self._multiplex(write_c=0, write_r=0)
        self.EN_IO_G = self.EN_IO_C = self.EN_IO_R = 1
        self.EXT_ROW = self.EXT_GATE = self.EXT_COL = 0

    def _multiplex(self, *, write_c: int, write_r: int) -> None:
        self.write_mode_C, self.write_mode_R, self.write_mode_G = write_c, write_r, 0
        self.ext_mode_C = self.ext_mode_R = self.ext_mode_G = 0
        self._access(self.settings.pin_seconds, 6)

    def config_forward_pass(self) -> None:
        """DACs on the columns, amplifiers on the rows."""
        self._multiplex(write_c=0, write_r=1)
        self.curr_mode = "forward"

    def config_backward_pass(self) -> None:
        """DACs on the rows, amplifiers on the columns."""
        self._multiplex(write_c=1, write_r=0)
        self.curr_mode = "backward"

    def config_outerproduct(self) -> None:
        """DACs on rows and columns."""
        self._multiplex(write_c=0, write_r=0)
        self.curr_mode = "outerproduct"

    def set_kernel(self, kernel: int, swfix_en: bool = False) -> None:
        """Select a kernel; like the library it leaves `selected_kernel` alone."""
        if kernel not in range(KERNELS):
            raise ValueError(f"kernels go from 0 to {KERNELS - 1}, not {kernel}")
        self.RA0, self.RA1, self.CA1 = kernel & 1, (kernel >> 1) & 1, (kernel >> 2) & 1
        self.LSB, self.MSB, self.CA0 = (kernel >> 3) & 1, (kernel >> 4) & 1, 0
        self.swfix_en = swfix_en
        self._access(self.settings.pin_seconds, 5)

    def set_compliance_control(self, bit: int) -> None:
        """0: the gate's voltage sets the saturation current; 1: gates are driven fully or not at all."""
        if bit not in (0, 1):
            raise ValueError("Setting compliance control incorrectly")
        self.compliance_control = bit
        self._access(self.settings.pin_seconds)

    # events

    def event(self) -> None:
        """Connect the enabled lines for the preset length; with amplifiers connected, read all channels."""
        is_read = self.write_mode_C == 1 or self.write_mode_R == 1
        self.event_timevariant(self.read_pulse_len if is_read else self.write_pulse_len)

    def event_timevariant(self, pulse_len: int, write: bool = False) -> None:
        """The same for so many cycles of the board's clock."""
        self._access(self.settings.event_seconds)
        self._events.run(pulse_len / self.settings.clock_hertz)
