"""Contact check of a 2600B: HI against SENSE HI, LO against SENSE LO (reference manual, "Contact check").

A small current goes from SENSE HI to HI through both leads. Where a bench has no sense leads, and for LO, which has
none on any bench, a good connection is found at the instrument's terminals.
"""

from __future__ import annotations

from .circuit import AUTO_SENSE_OHMS, Source
from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_settings import HIGH_Z

CONTACT_OHMS = 0.4
"""What a sound connection measures without leads (assumed)."""
_SECONDS = (1e-3, 4e-3, 15e-3)
"""Fast, medium and slow check (assumed)."""
_LEAST_AMPS = 1e-3
_TEST_AMPS, _TEST_VOLTS = 1e-6, 10.0
"""Assumed."""
_OPEN_FRACTION = 0.99
"""At this part of the resistance inside the instrument nothing is connected outside."""


class ContactCheck:
    """smuX.contact of one channel."""

    def __init__(self, channel: SmuChannel) -> None:
        self._channel = channel
        self._prober: Source | None = None

    def ohms(self) -> tuple[float, float]:
        """contact.r(): resistance of the HI and of the LO contact; raises TspError where it cannot be measured."""
        self._require_possible()
        channel = self._channel
        channel.instrument.take_time(_SECONDS[channel.settings.contact_speed])
        channel.instrument.let_time_pass()
        return self._high_ohms(), CONTACT_OHMS

    def is_good(self) -> bool:
        """contact.check(): whether both are below the threshold."""
        return max(self.ohms()) < self._channel.settings.contact_threshold

    def _high_ohms(self) -> float:
        if self._prober is None:
            name = f"{self._channel.instrument.name}.{self._channel.letter}"
            self._prober = self._channel.instrument.world.add_source(f"{name}.contact", f"{name}.sense_hi")
        prober = self._prober
        with self._channel.output.sensing_locally() as output:
            before = prober.point().volts - output.point().volts
            prober.drive_amps(_TEST_AMPS, _TEST_VOLTS)
            across = prober.point().volts - output.point().volts - before
            prober.disconnect()
        measured = across / _TEST_AMPS
        if measured >= _OPEN_FRACTION * AUTO_SENSE_OHMS:
            return CONTACT_OHMS
        return measured / (1 - measured / AUTO_SENSE_OHMS)

    def _require_possible(self) -> None:
        settings, error = self._channel.settings, self._channel.error
        if not settings.is_on and settings.off_mode == HIGH_Z:
            raise error(5048, "Contact check not valid with HIGH-Z output off")
        if settings.is_on and not settings.is_volts_source:
            raise error(5049, "Contact check not valid while an active current source")
        if settings.is_on and settings.limit_amps < _LEAST_AMPS:
            raise error(5050, "I limit too low for contact check")
        if not settings.is_on and settings.offlimit_amps < _LEAST_AMPS:
            raise error(5066, "source.offlimiti too low for contact check")
