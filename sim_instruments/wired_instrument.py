"""Instruments with trigger connectors: what reaches them over trigger wires they do beside what others do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

from .reactions import Reactions
from .trigger_wires import Connection
from .wire_instrument import WireInstrument


class WiredInstrument(WireInstrument):
    """Base of instruments whose trigger connectors can be joined by wires.

    A message is carried out, and what it sets off elsewhere too, before the next one of any instrument; each
    instrument is then busy for the host as long as its own part took.
    """

    _reactions: Reactions | None = None

    @abstractmethod
    def trigger_terminals(self) -> Mapping[str, Connection]:
        """Its trigger connectors by the names that a bench file uses, without the instrument's own."""

    def take_part(self, reactions: Reactions) -> None:
        """A wire is at one of its connectors."""
        self._reactions = reactions

    @property
    def is_wired(self) -> bool:
        """Whether a trigger wire is at any of its connectors."""
        return self._reactions is not None

    def react(self, act: Callable[[], None]) -> bool:
        """Do this because of a trigger, from the present moment of the world on; returns whether it does.

        It does not where no wire can have brought the trigger, nor while it is out of order.
        """
        reactions = self._reactions
        if reactions is None or not self._is_answering:
            return False
        self._note_status()

        def act_and_note() -> None:
            act()
            self._let_time_pass()
            self._busy_until(self.world.seconds - self._behind_seconds(reactions))

        reactions.begin(self, act_and_note)
        return True

    def keep_on(self, seconds: float) -> None:
        """A trigger has started something that goes on by itself for so long."""
        reactions = self._reactions
        if reactions is not None and seconds > 0:
            self._note_status()
            reactions.later(seconds, lambda: self._busy_until(self.world.seconds - self._behind_seconds(reactions)))

    def _behind_seconds(self, reactions: Reactions) -> float:
        if reactions.behind_seconds is not None:
            return reactions.behind_seconds
        return max(self._host.ahead_seconds, 0.0)

    def _busy_until(self, seconds: float) -> None:
        """A reaction has ended, at this time of the host's clock."""
        self._ready_at = max(self._ready_at, seconds)

    def _occupy(self, act: Callable[[], None]) -> None:
        reactions = self._reactions
        if reactions is None:
            super()._occupy(act)
            return
        reactions.begin_operation()
        self._finish_reaction()
        host, start = self._host, self.world.seconds
        behind = start + max(-host.ahead_seconds, 0.0) - max(host.seconds, self._ready_at)
        reactions.behind_seconds = behind
        try:
            super()._occupy(act)
            self._while_others_go_on(reactions.run)
        finally:
            reactions.behind_seconds = None

    def _finish_reaction(self) -> None:
        reactions = self._reactions
        if reactions is not None:
            self._while_others_go_on(lambda: reactions.finish(self))

    def _while_others_go_on(self, act: Callable[[], None]) -> None:
        start = self.world.seconds
        act()
        self._host.ahead_seconds += self.world.seconds - start

    def device_clear(self, bus_seconds: float) -> None:
        """See WireInstrument; what a trigger has made it do comes to its end first."""
        self._finish_reaction()
        super().device_clear(bus_seconds)
