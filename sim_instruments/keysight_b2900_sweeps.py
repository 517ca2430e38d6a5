"""Everything a B2900A initiates: sweeps, waits for triggers, spot measurements, and what follows when they end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .keysight_b2900_channel import Channel
from .keysight_b2900_errors import BUSY, OUTPUT_MUST_BE_ON, refusal
from .keysight_b2900_layers import TriggerOut
from .keysight_b2900_run import Initiated, TriggerEngine
from .scpi import Reply

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

KINDS = ("TRAN", "ACQ")
_MOST_CAUGHT_UP = 50_000
"""Steps of a sweep without end that are followed when much time passes at once; triggers beyond them are lost."""


class Sweeps:
    """The trigger system as the commands use it.

    Args:
        unit: whose channels act.
        shortest_seconds: smallest period of a timer.
    """

    def __init__(self, unit: SimKeysightB2900, shortest_seconds: float) -> None:
        self._unit = unit
        self._engine = TriggerEngine(self, shortest_seconds)
        self._owed_reply: Callable[[], Reply] | None = None
        self._owes_completion = False
        self._swept: set[int] = set()

    @property
    def now(self) -> float:
        """World seconds."""
        return self._unit.world.seconds

    @property
    def seconds(self) -> float:
        """Time stamp now."""
        return self._unit.seconds

    def elapse(self, seconds: float, is_met: Callable[[], bool]) -> None:
        """Let time pass in the world, less of it where `is_met` says so."""
        self._unit.pass_time(seconds, is_met)

    @property
    def states(self) -> dict[tuple[int, str], str]:
        """What every action that is not idle is doing."""
        return self._engine.states()

    def go_on_until(self, seconds: float) -> None:
        """A sweep without end goes on until this time, world seconds."""
        if self._engine.is_endless:
            self._engine.advance(seconds, _MOST_CAUGHT_UP)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is initiated."""
        return self._engine.is_idle

    def is_busy(self, numbers: Sequence[int], kinds: Sequence[str]) -> bool:
        """Whether any of these actions is initiated."""
        return self._engine.is_busy(numbers, kinds)

    def require_idle(self) -> None:
        """Raises ScpiError +203 while anything is initiated."""
        if not self._engine.is_idle:
            raise refusal(BUSY)

    def change_source(self, channel: Channel, level: float) -> None:
        """Source a level now; a slow output filter takes its time."""
        self._unit.let_time_pass()
        self._engine.change_source(channel, level)
        if self._engine.is_idle:
            self._engine.advance()

    def initiate(self, initiated: Initiated) -> None:
        """INITiate: carry out the programmed triggers, as far as nothing has to be waited for."""
        if any(self.is_busy([number], list(kinds)) for number, kinds in initiated.items()):
            raise refusal(BUSY)
        unit, was_idle = self._unit, self._engine.is_idle
        channels = [unit.channel(number) for number in initiated]
        for channel in channels:
            self._prepare(channel, initiated[channel.number])
        unit.let_time_pass()
        if unit.system.is_time_auto_reset and was_idle:
            unit.reset_time()
        self._engine.initiate(channels, initiated)
        unit.refresh_status()
        self._go_on()

    def _prepare(self, channel: Channel, kinds: set[str]) -> None:
        if channel.output.is_auto_on:
            self._unit.switch_output(channel, True)
        if not channel.output.is_on:
            self._unit.status.report(refusal(OUTPUT_MUST_BE_ON))
        if "ACQ" in kinds:
            channel.begin_readings()

    def _go_on(self) -> None:
        self._engine.advance(self.now if self._engine.is_endless else math.inf)
        self._unit.refresh_status()
        self._complete_owed()

    def _complete_owed(self) -> None:
        if self._engine.is_idle and self._owes_completion:
            self._owes_completion = False
            self._unit.registers.complete()

    def finished(self, channel: int, kind: str) -> None:
        """An action has come to its end."""
        unit = self._unit.channel(channel)
        if kind == "ACQ":
            unit.finish_readings()
        if kind == "TRAN":
            self._swept.add(channel)
        if self._engine.is_idle:
            for number in sorted(self._swept):
                self._return_source(self._unit.channel(number))
            self._swept.clear()
        if unit.output.is_auto_off and not self.is_busy([channel], KINDS):
            self._unit.switch_output(unit, False)

    def _return_source(self, channel: Channel) -> None:
        """After a sweep the source goes back to where it began, unless it is to stay (when, is assumed)."""
        levels = channel.settings.levels()
        is_sweep = levels is not None and channel.settings.shape == "DC"
        if is_sweep and levels and channel.output.is_on and not channel.settings.stays_after_sweep:
            self._engine.change_source(channel, levels[0])

    def put_out(self, out: TriggerOut, moment: str) -> None:
        """A trigger on the lines of `out`; the internal ones arrive at once."""
        if not out.is_on:
            return
        self._unit.digital.pulse(out.lines, self.now, moment)
        for name in out.lines:
            if name.startswith("INT") and self._unit.internal_edges[int(name[3:])] in (moment, "BOTH"):
                self._engine.trigger(name)

    def lost(self, channel: int, kind: str) -> None:
        """A trigger came while its action was busy."""
        self._unit.registers.note_lost(channel, kind)

    def trigger(
        self, source: str, layer: str = "", kinds: Sequence[str] = (), channels: Sequence[int] = ()
    ) -> Reply | None:
        """A trigger of a source, or an immediate one (empty); the arguments restrict who takes it.

        Returns the reply that has waited for it, if there is one.
        """
        self._unit.let_time_pass()
        self._engine.trigger(source, layer, kinds, channels)
        self._go_on()
        if not self._engine.is_idle or self._owed_reply is None:
            return None
        answer, self._owed_reply = self._owed_reply, None
        return answer()

    def when_idle(self, answer: Callable[[], Reply]) -> Reply | None:
        """A reply now, or once everything initiated has ended."""
        if self._engine.is_idle:
            return answer()
        self._owed_reply = answer
        return None

    def complete(self) -> None:
        """*OPC."""
        self._owes_completion = True
        self._complete_owed()

    def abort(self, numbers: Sequence[int], kinds: Sequence[str]) -> None:
        """ABORt: back to idle; a reply that still waits for a trigger is not sent."""
        self._unit.let_time_pass()
        self._engine.abort(numbers, kinds)
        self._owed_reply = None
        self._complete_owed()
        self._unit.refresh_status()

    def clear(self) -> None:
        """A device clear: all back to idle, nothing is owed."""
        self._owes_completion = False
        self.abort([channel.number for channel in self._unit.channels], KINDS)

    def measure_spot(self, channels: Sequence[Channel], extra: str) -> None:
        """MEASure?: one measurement of each channel at the present output, at the same time."""
        self.require_idle()
        self._unit.let_time_pass()
        for channel in channels:
            channel.begin_readings()
            if not channel.output.is_on:
                self._unit.status.report(refusal(OUTPUT_MUST_BE_ON))
        self._engine.measure(channels, extra)
        for channel in channels:
            channel.finish_readings()
        self._unit.refresh_status()
