"""A Crossbar around another: passes everything on, so that a subclass says only what it does otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from .limits import DeviceLimits
from .nouns import Cost, Line, Lines, Reading
from .roles import Capabilities, Crossbar


class CrossbarAround(Crossbar):
    """All that a Crossbar must have, from the one inside.

    A series (`measure_each`, `write_each`) is made of this Crossbar's own `measure` and `pulse`, so a subclass that
    changes those changes series too; one that wants the series of the one inside passes it on itself.

    Args:
        inner: does it.

    Attributes:
        inner: as given.
    """

    def __init__(self, inner: Crossbar) -> None:
        self.inner = inner

    @property
    def shape(self) -> tuple[int, int]:
        """As inside."""
        return self.inner.shape

    @property
    def capabilities(self) -> Capabilities:
        """As inside."""
        return self.inner.capabilities

    @property
    def limits(self) -> DeviceLimits | None:
        """As inside."""
        return self.inner.limits

    @property
    def spent(self) -> Cost:
        """As inside."""
        return self.inner.spent

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        return self.inner.measure(lines, sense)

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar."""
        return self.inner.pulse(lines, seconds)

    def idle(self) -> None:
        """See Crossbar."""
        self.inner.idle()
