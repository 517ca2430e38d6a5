"""What a device may be exposed to, per device type and polarity. No limits, no output."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from .errors import LimitError


class DeviceLimits(BaseModel):
    """Limits of one device type; volts are across one cell, positive when its row is above its column.

    The defaults are assumptions (no published array states them); a lab sets its own in the wiring file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    read_volts: float = Field(default=0.15, gt=0, description="largest |V| while reading")
    write_volts_positive: float = Field(default=1.0, gt=0, description="largest positive pulse")
    write_volts_negative: float = Field(default=1.0, gt=0, description="largest negative pulse, as a magnitude")
    pulse_seconds: float = Field(default=0.05, gt=0, description="longest pulse")
    amps: float = Field(default=1e-2, gt=0, description="largest current of any source: its compliance")
    pulses_per_cell: int = Field(default=200, gt=0, description="pulses one cell may get in one run")

    def check_read(self, volts: float) -> None:
        """Raise LimitError if a cell would be read at more than the read limit."""
        if not abs(volts) <= self.read_volts * (1 + 1e-9):
            raise LimitError(
                f"reading at {volts:g} V is beyond this device's read limit of {self.read_volts:g} V",
                where="device.limits.read_volts",
                remedy="Lower the read voltage, or have an engineer raise the limit in the wiring file",
            )

    def check_pulse_bounds(self, bounds: tuple[float, float], seconds: float) -> None:
        """`check_pulse` of the most negative and the most positive voltage that any cell could see."""
        for volts in bounds:
            self.check_pulse(volts, seconds)

    def check_pulse(self, volts: float, seconds: float) -> None:
        """Raise LimitError if a pulse is too high for its polarity or too long, or is not a number."""
        if not (math.isfinite(volts) and math.isfinite(seconds)):
            raise LimitError(f"a pulse of {volts} V for {seconds} s is no pulse", where="device.limits")
        positive = volts >= 0
        limit = self.write_volts_positive if positive else self.write_volts_negative
        key = f"device.limits.write_volts_{'positive' if positive else 'negative'}"
        if abs(volts) > limit * (1 + 1e-9):
            raise LimitError(
                f"a pulse of {volts:g} V is beyond this device's limit of {'+' if positive else '-'}{limit:g} V",
                where=key,
                remedy="Lower the write amplitude, or have an engineer raise the limit in the wiring file",
            )
        if seconds > self.pulse_seconds * (1 + 1e-9):
            raise LimitError(
                f"a pulse of {seconds:g} s is beyond this device's limit of {self.pulse_seconds:g} s",
                where="device.limits.pulse_seconds",
                remedy="Shorten the pulse",
            )
