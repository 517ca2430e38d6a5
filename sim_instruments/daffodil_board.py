"""A simulated Daffodil board with the surface of the public daffodil-lib's `Daffodil_Base`, and real physics behind.

Names, channel maps, bit patterns, windows and refusals are facts from usnistgov/daffodil-lib (Board/controller.py);
times and errors are assumptions, see `BoardSettings`. Unlike the library's own simulation it knows time, noise, wire
resistance, amplifiers that leave their range, and cells that switch, are disturbed and break. It refuses what the
library refuses, and logs as incidents what a real board would do all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from mtjlab.nouns import Floats

from .daffodil_chip import KERNELS, SIDE, DaffodilChip, ResistorCard
from .daffodil_events import Amplifiers, BoardSettings, Events
from .daffodil_parts import ADC_CHANNELS, DAC_CHANNELS, Adc, Dac, DacChannel, Pot, PotChannel
from .world import Incident

_ADCS, _DACS = 7, 5
_REFERENCE = (1, 9)
"""DAC and channel of the amplifiers' reference."""
_LEAST_REFERENCE, _MOST_REFERENCE = 1.687, 2.5
_LEAST_GATE, _MOST_GATE = 1.68, 5.0


def _row_channel(i: int) -> tuple[int, int]:
    return (0, i) if i < DAC_CHANNELS else (1, i - DAC_CHANNELS)


def _col_channel(i: int) -> tuple[int, int]:
    return (2, i) if i < DAC_CHANNELS else (3, i - DAC_CHANNELS)


def _gate_channel(i: int) -> tuple[int, int]:
    if i < DAC_CHANNELS:
        return 4, i
    return (1, i - 6) if i < 22 else (3, i - 13)


class SimDaffodilBoard:
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
        pots: after `set_dpot_D`, minus the feedback of each channel by the data sheet, ohms.
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
        self._seed = seed
        self._set_constants()
        self._fit_parts()
        self.COL_EN_tobe, self.ROW_EN_tobe = [1] * SIDE, [1] * SIDE
        self.selected_kernel = 0
        self.compliance_control = 1
        self.curr_vref: float | None = None
        self.curr_mode: str | None = None
        self._events = Events(self, self._amplifiers, self._rng("noise"), self._rng("events"))
        self.config_muxes()
        self.set_kernel(0)

    def _set_constants(self) -> None:
        self.vground, self.vmax, self.refvoltages, self.highbias = 1.7, 5.0, 2.5, 5
        self.kernels, self.xdim, self.ydim, self.channels, self.dac_num = KERNELS, SIDE, SIDE, DAC_CHANNELS, _DACS
        self.dac_gain_mode, self.dac_offset, self.adc_gain_mode, self.dac_curr_limit = 4094, 0, 1, 40000
        self.read_pulse_len = 128 * 200 * 25 * 4 * 10 * 10 * 2
        self.write_pulse_len = 5
        self.pots: list[float] = []

    def _fit_parts(self) -> None:
        s, rng = self.settings, self._rng("parts")
        errors = s.dac_error_volts * rng.standard_normal((_DACS, DAC_CHANNELS))
        self.dacs = [Dac([DacChannel(float(error)) for error in of_part]) for of_part in errors]
        self.adcs = [Adc(self.refvoltages) for _ in range(_ADCS)]
        ends = s.end_ohms * (1 + s.gain_spread * rng.uniform(-1, 1, (_ADCS, ADC_CHANNELS)))
        wipers = rng.uniform(*s.wiper_ohms, (_ADCS, ADC_CHANNELS))
        self.dpots = [
            Pot([PotChannel(float(e), float(w)) for e, w in zip(*pair, strict=True)])
            for pair in zip(ends, wipers, strict=True)
        ]
        self._amplifiers = Amplifiers(s.offset_volts * rng.standard_normal(SIDE), s.lowest_volts, s.highest_volts)

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, crc32(name.encode())])

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

    def true_ohms(self) -> Floats:
        """Feedback that each amplifier really has, shape (25,)."""
        return np.array([self.dpots[k // ADC_CHANNELS].all_channels[k % ADC_CHANNELS].true_ohms for k in range(SIDE)])

    def _access(self, seconds: float, count: int = 1) -> None:
        self.transactions += count
        self.seconds += seconds * count
        if self.seconds < self._events.released_at:
            self.log("live change", "something was set while a write event connected the lines")

    # converters

    def _set_dac(self, place: tuple[int, int], code: int) -> None:
        channel = self.dacs[place[0]].all_channels[place[1]]
        channel.update_x1(code)
        channel.update_vout()
        self._access(self.settings.dac_seconds)

    def _check_line(self, code: int, mode: str, name: str) -> None:
        """As the library: in the mode that drives these lines, within the chip's supply; 0 means not used."""
        volts = self.dac_calcvout(code)
        if self.curr_mode != mode:
            return
        if abs(volts - self._reference_volts()) > self.vmax - self.vground:
            raise ValueError("Applied voltage across the chip cannot be greater than 3.3V.")
        if volts != 0 and not self.vground <= volts <= self.vmax:
            raise ValueError(f"{name} Bias cannot be lower than 1.7V.")

    def _reference_volts(self) -> float:
        if self.curr_vref is None:
            raise TypeError("the reference has not been set: call setrefopamp first")
        return self.curr_vref

    def setcoldac_channel(self, colvoltage: int, i: int) -> None:
        """Register value of one column; raises ValueError outside the window."""
        self._check_line(colvoltage, "forward", "Column")
        self._set_dac(_col_channel(i), colvoltage)

    def setcoldacs(self, colvoltages: Sequence[int]) -> None:
        """Register values of the first columns."""
        for i, code in enumerate(colvoltages):
            self.setcoldac_channel(code, i)

    def setrowdac_channel(self, rowvoltage: int, i: int) -> None:
        """Register value of one row; raises ValueError outside the window."""
        self._check_line(rowvoltage, "backward", "Row")
        self._set_dac(_row_channel(i), rowvoltage)

    def setrowdacs(self, rowvoltages: Sequence[int]) -> None:
        """Register values of the first rows."""
        for i, code in enumerate(rowvoltages):
            self.setrowdac_channel(code, i)

    def setgatedac_channel(self, gatevoltage: int, i: int) -> None:
        """Register value of one column's gates; raises ValueError outside the window."""
        volts = self.dac_calcvout(gatevoltage)
        if abs(volts - self._reference_volts()) > self.vmax - self.vground:
            raise ValueError("Applied voltage across the gate cannot be greater than 3.3V.")
        if volts != 0 and not _LEAST_GATE <= volts <= _MOST_GATE:
            raise ValueError("Gate Bias cannot be lower than 1.7V.")
        self._set_dac(_gate_channel(i), gatevoltage)

    def setgatedacs(self, gatevoltages: Sequence[int]) -> None:
        """Register values of the first columns' gates."""
        for i, code in enumerate(gatevoltages):
            self.setgatedac_channel(code, i)

    def setrefopamp(self, refbias: int) -> None:
        """Register value of the amplifiers' reference; raises ValueError outside 1.7 to 2.5 V."""
        volts = self.dac_calcvout(refbias)
        if not _LEAST_REFERENCE <= abs(volts) <= _MOST_REFERENCE:
            raise ValueError("vref is best set within [1.7, 2.5] V.")
        self.curr_vref = volts
        self._set_dac(_REFERENCE, refbias)

    def set_dac_gain_mode(self, mode: int) -> None:
        """Gain registers of all outputs; as in the library, `dac_calcvout` goes on with the gain it knew."""
        for dac in self.dacs:
            dac.setchannels_m([mode] * DAC_CHANNELS)

    def set_dac_offset(self, offset: int) -> None:
        """Offset registers of all outputs."""
        self.dac_offset = offset
        for dac in self.dacs:
            dac.setchannels_c([offset] * DAC_CHANNELS)

    def dac_calcvout(self, x1: int) -> float:
        """Volts for a register value."""
        return self.dacs[0].calcvout(x1, self.dac_gain_mode, self.dac_offset)

    def dac_invertvout(self, v: float) -> int:
        """Register value for volts."""
        return self.dacs[0].invertvout(v, self.dac_gain_mode, self.dac_offset)

    def adc_predict_voltage(self, registervalue: float) -> float:
        """Volts that a reading stands for."""
        return self.adcs[0].predict_voltage(registervalue, self.adc_gain_mode)

    def adc_invert_voltage(self, voltage: float) -> int:
        """Reading that stands for volts."""
        return self.adcs[0].invert_voltage(voltage, self.adc_gain_mode)

    def retrievecurrents(self) -> list[int]:
        """Readings of all 25 channels, as the last event left them."""
        return [self.retrievecurrent_channel(k) for k in range(SIDE)]

    def retrievecurrent_channel(self, channel_no: int) -> int:
        """Reading of one channel."""
        return self.adcs[channel_no // ADC_CHANNELS].registers[channel_no % ADC_CHANNELS]

    def _x2(self, place: tuple[int, int]) -> float:
        return self.dacs[place[0]].all_channels[place[1]].x2

    def retreivecolvoltages(self) -> list[float]:
        """What the column outputs hold (the name is the library's)."""
        return [self._x2(_col_channel(i)) for i in range(SIDE)]

    def retrieverowvoltages(self) -> list[float]:
        """What the row outputs hold."""
        return [self._x2(_row_channel(i)) for i in range(SIDE)]

    def retrievegatevoltages(self) -> list[float]:
        """What the gate outputs hold."""
        return [self._x2(_gate_channel(i)) for i in range(SIDE)]

    def output_volts(self, kind: str) -> Floats:
        """What the outputs of "row", "col", "gate" or "reference" really put out."""
        maps = {"row": _row_channel, "col": _col_channel, "gate": _gate_channel}
        places = [maps[kind](i) for i in range(SIDE)] if kind in maps else [_REFERENCE]
        channels = [self.dacs[part].all_channels[number] for part, number in places]
        return np.array([channel.vout + channel.error_volts for channel in channels])

    # potentiometers

    def invert_dpot_rout(self, rout: float) -> list[list[int]]:
        """Positions of all potentiometers for a resistance, by the data sheet."""
        return [pot.invertchannels_rout(rout) for pot in self.dpots]

    def set_dpot_D(self, D: int | list[list[int]]) -> None:  # noqa: N802, N803 (the library's names)
        """One position for all, or those of each channel."""
        for n, pot in enumerate(self.dpots):
            pot.setchannels_D([D] * ADC_CHANNELS if isinstance(D, int) else D[n])
        self._access(self.settings.dac_seconds, _ADCS * ADC_CHANNELS)
        self.pots = [-ohms for pot in self.dpots for ohms in pot.calcrout()][:SIDE]

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
