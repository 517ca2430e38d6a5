"""What a device may be exposed to, per device type and polarity. No limits, no output."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from .errors import LimitError


class DeviceLimits(BaseModel):
    """Limits of one device type; volts are across one cell, positive when its row is above its column.

    Where a limit has a twin for negative pulses, leaving that out makes it the same. The defaults are assumptions (no
    published array states them); a lab sets its own in the wiring file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    read_volts: float = Field(default=0.15, gt=0, description="largest |V| while reading")
    write_volts_positive: float = Field(default=1.0, gt=0, description="largest positive pulse")
    write_volts_negative: float = Field(default=1.0, gt=0, description="largest negative pulse, as a magnitude")
    pulse_seconds: float = Field(default=0.05, gt=0, description="longest pulse")
    pulse_seconds_negative: float | None = Field(default=None, gt=0, description="longest negative pulse")
    amps: float = Field(default=1e-2, gt=0, description="largest current of any source")
    amps_negative: float | None = Field(default=None, gt=0, description="likewise, of a negative current's magnitude")
    pulses_per_cell: int = Field(default=200, gt=0, description="pulses one cell may get in one run")
    pulses_per_cell_negative: int | None = Field(default=None, gt=0, description="how many of them may be negative")
    ramp_volts: float | None = Field(default=None, gt=0, description="largest step of a level that is not a pulse")

    @property
    def compliance_amps(self) -> float:
        """What every source is limited to: the smaller current, since a compliance works both ways."""
        return min(self.amps, self.amps_negative or self.amps)

    def ramp(self, before: float, after: float) -> list[float]:
        """Levels to go through from one level to another, the last included; none if it is there already.

        From an unknown level (NaN) it goes at once.
        """
        if before == after:
            return []
        steps = (
            1
            if self.ramp_volts is None or not math.isfinite(before)
            else max(math.ceil(abs(after - before) / self.ramp_volts - 1e-9), 1)
        )
        return [before + (after - before) * k / steps for k in range(1, steps)] + [after]

    def most_pulses(self, volts: float) -> int:
        """How many pulses of this polarity a cell may get in one run, pulses of the other one apart."""
        negative = self.pulses_per_cell_negative
        return self.pulses_per_cell if volts >= 0 or negative is None else min(negative, self.pulses_per_cell)

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
        """Raise LimitError if a pulse is too high or too long for its polarity, or is not a number."""
        if not (math.isfinite(volts) and math.isfinite(seconds)):
            raise LimitError(f"a pulse of {volts} V for {seconds} s is no pulse", where="device.limits")
        polarity = "positive" if volts >= 0 else "negative"
        limit = self.write_volts_positive if volts >= 0 else self.write_volts_negative
        if abs(volts) > limit * (1 + 1e-9):
            raise LimitError(
                f"a pulse of {volts:g} V is beyond this device's limit of {'+' if volts >= 0 else '-'}{limit:g} V",
                where=f"device.limits.write_volts_{polarity}",
                remedy="Lower the write amplitude, or have an engineer raise the limit in the wiring file",
            )
        has_own = volts < 0 and self.pulse_seconds_negative is not None
        longest = self.pulse_seconds_negative if has_own else self.pulse_seconds
        if longest is not None and seconds > longest * (1 + 1e-9):
            raise LimitError(
                f"a pulse of {seconds:g} s is beyond this device's limit of {longest:g} s",
                where=f"device.limits.pulse_seconds{'_negative' if has_own else ''}",
                remedy="Shorten the pulse",
            )
