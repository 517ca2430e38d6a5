"""Converters and potentiometers of a simulated Daffodil board, with the names that the board's library gives them.

Facts from usnistgov/daffodil-lib (Board/Components): AD5391-5 and ADS7950 with 12 bits over 5 V, AD8403 with 8 bits.
What a part really does differs from what its formula says by the errors that it was drawn with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mtjlab.nouns import Floats

CODES = 4096
DAC_CHANNELS = 16
ADC_CHANNELS = 4
POT_POSITIONS = 256
NOMINAL_END_OHMS = 100e3
NOMINAL_WIPER_OHMS = 50.0
_REFERENCE_VOLTS = 2.5


@dataclass
class Changes:
    """Counts the changes of some parts: what was worked out from them may be kept as long as the number stays."""

    number: int = 0


@dataclass
class DacChannel:
    """One output: register `x1`, gain `m` and offset `c`; `vout` is what it was last told to put out.

    Attributes:
        error_volts: by how much the output differs.
        changes: of the outputs that it belongs to.
    """

    error_volts: float = 0.0
    changes: Changes = field(default_factory=Changes)
    x1: int = 0
    m: int = CODES - 2
    c: int = 0
    x2: float = 0.0
    vout: float = 0.0

    def update_x1(self, value: int) -> None:
        """Write the register; raises ValueError beyond 12 bits."""
        if not 0 <= value < CODES:
            raise ValueError(f"x1 goes from 0 to {CODES - 1}, not {value}")
        self.x1 = int(value)

    def update_m(self, value: int) -> None:
        """Write the gain register."""
        if not 0 <= value < CODES - 2:
            raise ValueError(f"m goes from 0 to {CODES - 3}, not {value}")
        self.m = int(value)

    def update_c(self, value: int) -> None:
        """Write the offset register."""
        if not -CODES // 2 <= value < CODES // 2 - 1:
            raise ValueError(f"c goes from {-CODES // 2} to {CODES // 2 - 2}, not {value}")
        self.c = int(value)

    def update_vout(self) -> None:
        """Put out what the registers say."""
        self.x2 = (self.m + 2) / CODES * self.x1 + self.c
        self.vout = 2 * _REFERENCE_VOLTS * self.x2 / CODES
        self.changes.number += 1


@dataclass
class Dac:
    """An AD5391-5: 16 outputs."""

    all_channels: list[DacChannel]

    def setchannels_m(self, values: Sequence[int]) -> None:
        """Gain registers of the first channels."""
        for channel, value in zip(self.all_channels, values, strict=False):
            channel.update_m(value)

    def setchannels_c(self, values: Sequence[int]) -> None:
        """Offset registers of the first channels."""
        for channel, value in zip(self.all_channels, values, strict=False):
            channel.update_c(value)

    def calcvout(self, x1: int, m: int, c: int) -> float:
        """Volts for a register value; raises ValueError beyond 12 bits."""
        if not 0 <= x1 <= CODES:
            raise ValueError(f"x1 goes from 0 to {CODES - 1}, not {x1}")
        return 2 * _REFERENCE_VOLTS * ((m + 2) / CODES * x1 + c) / CODES

    def invertvout(self, volts: float, m: int, c: int) -> int:
        """Nearest register value, kept within 12 bits."""
        exact = (CODES * volts / (2 * _REFERENCE_VOLTS) - c) * CODES / (m + 2)
        return min(max(round(exact), 0), CODES - 1)


@dataclass
class Adc:
    """An ADS7950: four inputs; gain 1 is a range of twice the reference."""

    vref: float = _REFERENCE_VOLTS
    gain: int = 1
    registers: list[int] = field(default_factory=lambda: [0] * ADC_CHANNELS)

    def predict_voltage(self, registervalue: float, gain: int) -> float:
        """Volts that a register value stands for."""
        return (1 + gain) * self.vref * registervalue / CODES

    def invert_voltage(self, value: float, gain: int) -> int:
        """Register value that stands for these volts."""
        return round(CODES * value / (gain + 1) / self.vref)

    def codes_of(self, volts: Floats) -> list[int]:
        """`invert_voltage` of many inputs at once, kept within 12 bits."""
        exact = CODES * volts / (self.gain + 1) / self.vref
        return np.minimum(np.maximum(np.rint(exact), 0), CODES - 1).astype(int).tolist()  # type: ignore[no-any-return]

    def convert_all(self, volts: Floats) -> None:
        """Put the values of the first inputs into their registers; they stay within 12 bits."""
        self.registers[: volts.size] = self.codes_of(volts)


@dataclass
class PotChannel:
    """One potentiometer, the feedback of one amplifier.

    Attributes:
        end_ohms, wiper_ohms: what it really has; the library's formula takes the data sheet's.
        D: its position; -1 before it was set.
        changes: of the potentiometers that it belongs to.
    """

    end_ohms: float = NOMINAL_END_OHMS
    wiper_ohms: float = NOMINAL_WIPER_OHMS
    changes: Changes = field(default_factory=Changes)
    D: int = -1

    @property
    def true_ohms(self) -> float:
        """Resistance it really has; in the middle before it was set."""
        position = self.D if self.D >= 0 else POT_POSITIONS // 2
        return position / POT_POSITIONS * self.end_ohms + self.wiper_ohms

    def update_D(self, position: int) -> None:  # noqa: N802 (the library's name)
        """Move the wiper; raises ValueError beyond 8 bits."""
        if position not in range(POT_POSITIONS):
            raise ValueError(f"positions go from 0 to {POT_POSITIONS - 1}, not {position}")
        self.D = position
        self.changes.number += 1

    def predictcalcrout(self) -> float:
        """What the data sheet makes of the position; raises ValueError before it was set."""
        if self.D < 0:
            raise ValueError("the potentiometer has not been set")
        return self.D / POT_POSITIONS * NOMINAL_END_OHMS + NOMINAL_WIPER_OHMS

    def invertrout(self, rout: float) -> int:
        """Nearest position by the data sheet, kept within 8 bits."""
        exact = (rout - NOMINAL_WIPER_OHMS) / NOMINAL_END_OHMS * POT_POSITIONS
        return min(max(round(exact), 0), POT_POSITIONS - 1)


@dataclass
class Pot:
    """An AD8403: four potentiometers."""

    all_channels: list[PotChannel]

    def setchannels_D(self, values: Sequence[int]) -> None:  # noqa: N802 (the library's name)
        """Positions of the first channels."""
        for channel, value in zip(self.all_channels, values, strict=False):
            channel.update_D(value)

    def calcrout(self) -> list[float]:
        """Resistances by the data sheet."""
        return [channel.predictcalcrout() for channel in self.all_channels]

    def invertchannels_rout(self, rout: float) -> list[int]:
        """Positions for a resistance by the data sheet."""
        return [channel.invertrout(rout) for channel in self.all_channels]
