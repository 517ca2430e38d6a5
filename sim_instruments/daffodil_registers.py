"""Constants, converters and potentiometers of a simulated Daffodil board, called as the board's library calls them.

Channel maps, windows and refusals are facts from usnistgov/daffodil-lib, Board/controller.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtjlab.nouns import Floats

from .daffodil_chip import KERNELS, SIDE
from .daffodil_events import Amplifiers, BoardSettings
from .daffodil_parts import ADC_CHANNELS, DAC_CHANNELS, Adc, Changes, Dac, DacChannel, Pot, PotChannel

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


class KnownVolts(NamedTuple):
    """Outputs of one kind after so many changes, and bytes that are equal where they are."""

    number: int
    volts: Floats
    key: bytes


class DaffodilRegisters(ABC):
    """What of a board is registers. Voltages are absolute.

    Args:
        settings: sizes of the errors, and times.
        rng: draws the errors.

    Attributes:
        pots: after `set_dpot_D`, minus the feedback of each channel by the data sheet, ohms.
    """

    def __init__(self, settings: BoardSettings, rng: np.random.Generator) -> None:
        self._times = settings
        self._set_constants()
        self._fit_parts(settings, rng)
        self.curr_vref: float | None = None
        self.curr_mode: str | None = None

    @abstractmethod
    def _access(self, seconds: float, count: int = 1) -> None:
        """So many accesses of so many seconds each."""

    def _set_constants(self) -> None:
        self.vground, self.vmax, self.refvoltages, self.highbias = 1.7, 5.0, 2.5, 5
        self.kernels, self.xdim, self.ydim, self.channels, self.dac_num = KERNELS, SIDE, SIDE, DAC_CHANNELS, _DACS
        self.dac_gain_mode, self.dac_offset, self.adc_gain_mode, self.dac_curr_limit = 4094, 0, 1, 40000
        self.read_pulse_len = 128 * 200 * 25 * 4 * 10 * 10 * 2
        self.write_pulse_len = 5
        self.pots: list[float] = []

    def _fit_parts(self, s: BoardSettings, rng: np.random.Generator) -> None:
        errors = s.dac_error_volts * rng.standard_normal((_DACS, DAC_CHANNELS))
        self.dacs = [Dac([DacChannel(float(error)) for error in of_part]) for of_part in errors]
        self.adcs = [Adc(self.refvoltages) for _ in range(_ADCS)]
        self._pot_changes = Changes()
        ends = s.end_ohms * (1 + s.gain_spread * rng.uniform(-1, 1, (_ADCS, ADC_CHANNELS)))
        wipers = rng.uniform(*s.wiper_ohms, (_ADCS, ADC_CHANNELS))
        self.dpots = [
            Pot([PotChannel(float(e), float(w), changes=self._pot_changes) for e, w in zip(*pair, strict=True)])
            for pair in zip(ends, wipers, strict=True)
        ]
        maps = {"row": _row_channel, "col": _col_channel, "gate": _gate_channel}
        places = {kind: [place(i) for i in range(SIDE)] for kind, place in maps.items()} | {"reference": [_REFERENCE]}
        self._outputs = {kind: [self.dacs[d].all_channels[n] for d, n in own] for kind, own in places.items()}
        self._output_changes = {kind: Changes() for kind in places}
        for kind, channels in self._outputs.items():
            for channel in channels:
                channel.changes = self._output_changes[kind]
        self._known_outputs: dict[str, KnownVolts] = {}
        self._known_ohms: tuple[int, Floats] | None = None
        self._feedback = [self.dpots[k // ADC_CHANNELS].all_channels[k % ADC_CHANNELS] for k in range(SIDE)]
        self._amplifiers = Amplifiers(s.offset_volts * rng.standard_normal(SIDE), s.lowest_volts, s.highest_volts)

    def true_ohms(self) -> Floats:
        """Feedback that each amplifier really has, shape (25,); the same array until one is changed."""
        if self._known_ohms is None or self._known_ohms[0] != self._pot_changes.number:
            ohms = _fixed([channel.true_ohms for channel in self._feedback])
            self._known_ohms = self._pot_changes.number, ohms
        return self._known_ohms[1]

    # converters

    def _set_dac(self, place: tuple[int, int], code: int) -> None:
        channel = self.dacs[place[0]].all_channels[place[1]]
        channel.update_x1(code)
        channel.update_vout()
        self._access(self._times.dac_seconds)

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
        return [code for adc in self.adcs for code in adc.registers][:SIDE]

    def convert(self, volts: Floats) -> None:
        """Put what is at the inputs of all channels, shape (25,), into the ADCs' registers."""
        are_alike = len({(adc.gain, adc.vref) for adc in self.adcs}) == 1
        codes = self.adcs[0].codes_of(volts) if are_alike else []
        for part, adc in enumerate(self.adcs):
            own = slice(part * ADC_CHANNELS, min((part + 1) * ADC_CHANNELS, SIDE))
            if are_alike:
                adc.registers[: own.stop - own.start] = codes[own]
            else:
                adc.convert_all(volts[own])

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
        return self.outputs(kind).volts

    def outputs(self, kind: str) -> KnownVolts:
        """The same with a key; worked out anew after a change only."""
        number = self._output_changes[kind].number
        if (known := self._known_outputs.get(kind)) is None or known.number != number:
            volts = _fixed([channel.vout + channel.error_volts for channel in self._outputs[kind]])
            known = self._known_outputs[kind] = KnownVolts(number, volts, volts.tobytes())
        return known

    # potentiometers

    def invert_dpot_rout(self, rout: float) -> list[list[int]]:
        """Positions of all potentiometers for a resistance, by the data sheet."""
        return [pot.invertchannels_rout(rout) for pot in self.dpots]

    def set_dpot_D(self, D: int | list[list[int]]) -> None:  # noqa: N802, N803 (the library's names)
        """One position for all, or those of each channel."""
        for n, pot in enumerate(self.dpots):
            pot.setchannels_D([D] * ADC_CHANNELS if isinstance(D, int) else D[n])
        self._access(self._times.dac_seconds, _ADCS * ADC_CHANNELS)
        self.pots = [-ohms for pot in self.dpots for ohms in pot.calcrout()][:SIDE]


def _fixed(values: list[float]) -> Floats:
    """An array that nobody changes."""
    found = np.array(values)
    found.setflags(write=False)
    return found
