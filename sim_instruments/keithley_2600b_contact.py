"""Contact check of a 2600B: HI against SENSE HI, LO against SENSE LO (reference manual, "Contact check").

The bench has no sense leads of its own, so a good connection is always found at the instrument's terminals.
"""

from __future__ import annotations

from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_settings import HIGH_Z
from .tsp_engine import TspError

CONTACT_OHMS = 0.4
"""What a sound connection measures (assumed)."""
_SECONDS = (1e-3, 4e-3, 15e-3)
"""Fast, medium and slow check (assumed)."""
_LEAST_AMPS = 1e-3


def contact_ohms(channel: SmuChannel) -> tuple[float, float]:
    """smuX.contact.r(): resistance of the HI and of the LO contact; raises TspError where it cannot be measured."""
    _require_possible(channel)
    channel.instrument.take_time(_SECONDS[channel.settings.contact_speed])
    return CONTACT_OHMS, CONTACT_OHMS


def check_contact(channel: SmuChannel) -> bool:
    """smuX.contact.check(): whether both are below the threshold."""
    return max(contact_ohms(channel)) < channel.settings.contact_threshold


def _require_possible(channel: SmuChannel) -> None:
    settings = channel.settings
    if not settings.is_on and settings.off_mode == HIGH_Z:
        raise TspError(5048, "Contact check not valid with HIGH-Z output off")
    if settings.is_on and not settings.is_volts_source:
        raise TspError(5049, "Contact check not valid while an active current source")
    if settings.is_on and settings.limit_amps < _LEAST_AMPS:
        raise TspError(5050, "I limit too low for contact check")
    if not settings.is_on and settings.offlimit_amps < _LEAST_AMPS:
        raise TspError(5066, "source.offlimiti too low for contact check")
