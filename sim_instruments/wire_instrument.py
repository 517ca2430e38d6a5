"""What every simulated instrument is to the bus: bytes in, bytes out, status byte, clear, trigger, and when it is busy.

Two clocks. The world's clock moves while an instrument does something. The host's clock moves while the program waits
for a bus or a reply; it lags behind as long as an instrument is still busy with what it was told. A message is carried
out as soon as it has arrived, so what it does to a die is complete before the next message of any instrument; a reply
can be read once the host has waited long enough. That is exact while one instrument works at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from enum import Enum

from .faults import FaultPlan
from .scpi_errors import ScpiError
from .world import World

INPUT_BUFFER_BYTES = 256
"""What an instrument takes in while it is busy, before it holds the bus off (assumed)."""
PROMPT_SECONDS = 10e-3
"""What a program lets pass between two operations (assumed): a status that changes within it is seen changed."""
_POLL_SECONDS, _PATIENCE, _MOST_PATIENCE = 300e-6, 1.5, 100
"""A program sleeps between its polls, and nobody can see how long: so much more is taken to pass each time."""


class NoReply(Exception):  # noqa: N818  a timeout is how the bus tells it
    """Nothing came within the session's timeout."""


class Ended(Enum):
    """Why a read ended."""

    END = "END"
    TERMINATION = "termination character"
    COUNT = "count reached"


class HostClock:
    """The time as the program at the host sees it.

    Attributes:
        seconds: simulated seconds since the bench was made.
        ahead_seconds: how far the world is ahead, because instruments have done what the host has not waited for;
            negative if the host has spent time that has not passed in the world yet.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds = 0.0
        self.ahead_seconds = 0.0

    def spend(self, seconds: float) -> None:
        """The host spends time; it passes in the world before the next thing that happens there."""
        self.seconds += seconds
        self.ahead_seconds -= seconds

    def wait(self, seconds: float) -> None:
        """The host waits; the world follows where it is behind."""
        self.spend(seconds)
        if self.ahead_seconds < 0:
            self._world.wait(-self.ahead_seconds)
            self.ahead_seconds = 0.0


class WireInstrument(ABC):
    """An instrument on a bus.

    Args:
        name: as in the bench file; also names its terminals and its random stream.
        world: what it acts on.
        host: the bench's host clock.
        has_end: whether its interface marks the end of a message (GPIB, USBTMC, VXI-11); sockets and serial do not.
        faults: what is planned to go wrong with it.
    """

    def __init__(
        self, name: str, world: World, host: HostClock, *, has_end: bool = True, faults: FaultPlan | None = None
    ) -> None:
        self.name = name
        self.world = world
        self.has_end = has_end
        self.faults = faults
        self._host = host
        self._input = b""
        self._replies: deque[bytes] = deque()
        self._ready_at = host.seconds
        self._owed_seconds = 0.0
        self._waiting: deque[tuple[float, int]] = deque()
        self._waiting_bytes = 0
        self._polled_for, self._polls = 0.0, 0

    @abstractmethod
    def _carry_out(self, message: str) -> None:
        """Carry out one complete message; put replies into `_replies`."""

    @abstractmethod
    def status_byte(self) -> int:
        """The status byte without bit 6."""

    @abstractmethod
    def serial_poll(self) -> int:
        """The status byte with RQS in bit 6, which the poll clears."""

    @property
    @abstractmethod
    def requests_service(self) -> bool:
        """Whether it asserts SRQ."""

    @abstractmethod
    def trigger(self) -> None:
        """Group execute trigger."""

    def receive(self, data: bytes, *, is_end: bool, bus_seconds: float) -> None:
        """Bytes from the host. A message ends with a newline, and with END where the interface has it."""
        self._host.spend(bus_seconds)
        self._hold_off(len(data))
        if self.faults is not None and not self.faults.takes_message():
            return
        if is_end and self.has_end and not self._input and b"#" not in data:
            message = data.rstrip(b"\r\n")
            if b"\n" not in message:
                self._run(message)
                return
        self._input += data
        messages, self._input = self._split(self._input, is_end and self.has_end)
        for message in messages:
            self._run(message)

    def _hold_off(self, size: int) -> None:
        """A full input buffer keeps the host waiting until what is in it has been carried out."""
        waiting, now = self._waiting, self._host.seconds
        while waiting and waiting[0][0] <= now:
            self._waiting_bytes -= waiting.popleft()[1]
        while waiting and self._waiting_bytes + size > INPUT_BUFFER_BYTES:
            until, length = waiting.popleft()
            self._waiting_bytes -= length
            self._host.spend(until - self._host.seconds)

    def _forget_input(self) -> None:
        """What was taken in and not yet carried out is gone."""
        self._input = b""
        self._waiting.clear()
        self._waiting_bytes = 0

    def _split(self, buffer: bytes, is_end: bool) -> tuple[list[bytes], bytes]:
        """Complete messages in the buffer, and what is left for later."""
        *complete, rest = buffer.split(b"\n")
        if is_end and rest:
            complete.append(rest)
            rest = b""
        return [message.rstrip(b"\r") for message in complete], rest

    def messages_in(self, buffer: bytes) -> tuple[list[bytes], bytes]:
        """Complete messages in what a stream has brought, and what is left for later."""
        return self._split(buffer, False)

    def exchange(self, message: bytes, bus_seconds: float) -> bytes:
        """One complete message over a connection with an output queue of its own; returns what it answers.

        The host waits until the answer is ready. What other sessions have not read yet stays theirs.
        """
        self._host.spend(bus_seconds)
        self._hold_off(len(message))
        if self.faults is not None and not self.faults.takes_message():
            return b""
        unread = tuple(self._replies)
        self._replies.clear()
        try:
            self._run(message)
            answer = b"".join(self._replies) if self._is_answering else b""
        finally:
            self._replies.clear()
            self._replies.extend(unread)
        if answer:
            self._await_ready(None)
            self._reply_taken()
        return answer

    def _run(self, message: bytes) -> None:
        self._occupy(lambda: self._carry_out(message.decode("latin-1")))
        if self._ready_at > self._host.seconds:
            self._waiting.append((self._ready_at, len(message)))
            self._waiting_bytes += len(message)

    def _occupy(self, act: Callable[[], None]) -> None:
        """Do something that keeps the instrument busy as long as the world's clock moves meanwhile."""
        world, host = self.world, self._host
        start = world.seconds
        behind = max(-host.ahead_seconds, 0.0)
        self._owed_seconds = behind
        answered = self._replies[-1] if self._replies else None
        act()
        self._let_time_pass()
        passed = world.seconds - start
        host.ahead_seconds += passed
        self._ready_at = max(host.seconds, self._ready_at) + passed - behind
        if self.faults is not None:
            if self._replies and self._replies[-1] is not answered:
                self._replies[-1], late_seconds = self.faults.spoiled(self._replies[-1])
                self._ready_at += late_seconds
            self.faults.settle()

    def _take_time(self, seconds: float) -> None:
        """Account for time; it passes before the instrument next acts on the world."""
        self._owed_seconds += seconds

    def _let_time_pass(self) -> None:
        """Let the accounted time pass in the world; call before any action on it."""
        if self._owed_seconds > 0:
            seconds, self._owed_seconds = self._owed_seconds, 0.0
            self.world.wait(seconds)

    def send(
        self, count: int, *, timeout_seconds: float | None, termination: bytes | None, bus_seconds: float
    ) -> tuple[bytes, Ended]:
        """Up to `count` bytes to the host and why the transfer ended.

        Args:
            count: most bytes the host takes.
            timeout_seconds: how long the host waits, simulated; None for ever. Never sleeps.
            termination: byte at which the host stops.
            bus_seconds: bus overhead of the transfer.

        Raises NoReply if there is nothing within the timeout; the host has then waited that long.
        """
        if not self._replies or not self._is_answering:
            self._nothing_to_say()
            self._host.wait(timeout_seconds or 0.0)
            raise NoReply
        self._await_ready(timeout_seconds)
        self._host.spend(bus_seconds)
        if not self.has_end and len(self._replies) > 1:
            stream = b"".join(self._replies)
            self._replies.clear()
            self._replies.append(stream)
        if not self.has_end and termination is not None and self._lacks(termination, count):
            self.drop_replies()
            self._host.wait(timeout_seconds or 0.0)
            raise NoReply
        return self._cut(count, termination)

    def _lacks(self, termination: bytes, count: int) -> bool:
        """Whether a stream ran dry before its termination came; what the host has taken by then is lost to it."""
        return len(self._replies[0]) < count and termination not in self._replies[0]

    def _cut(self, count: int, termination: bytes | None) -> tuple[bytes, Ended]:
        reply = self._replies[0]
        length, ended = min(count, len(reply)), Ended.COUNT
        found = reply.find(termination, 0, length) if termination is not None else -1
        if found >= 0:
            length, ended = found + 1, Ended.TERMINATION
        if length < len(reply):
            self._replies[0] = reply[length:]
            return reply[:length], ended
        self._replies.popleft()
        self._reply_taken()
        return reply, ended if ended is Ended.TERMINATION and not self.has_end else Ended.END

    def _await_ready(self, timeout_seconds: float | None) -> None:
        needed = self._ready_at - self._host.seconds
        if needed <= 0:
            return
        if timeout_seconds is not None and needed > timeout_seconds:
            self._host.wait(timeout_seconds)
            raise NoReply
        self._host.spend(needed)

    @abstractmethod
    def _nothing_to_say(self) -> None:
        """The host reads although it asked nothing."""

    @abstractmethod
    def _reply_taken(self) -> None:
        """A reply has been read completely."""

    @property
    def _is_answering(self) -> bool:
        return self.faults is None or self.faults.is_answering

    @property
    def _has_message(self) -> bool:
        return bool(self._replies) and self._ready_at <= self._host.seconds

    def poll(self, *, timeout_seconds: float | None, bus_seconds: float) -> int:
        """Serial poll by the host; raises NoReply if the instrument does not answer."""
        self._host.wait(bus_seconds)
        if not self._is_answering:
            self._host.wait(timeout_seconds or 0.0)
            raise NoReply
        self.let_poller_wait(max(bus_seconds, _POLL_SECONDS))
        return self._poll_while_busy() if self.busy_seconds > 0 else self.serial_poll()

    @property
    def busy_seconds(self) -> float:
        """How long the host would have to wait until it has done what it was told; 0 or less if it has."""
        return self._ready_at - self._host.seconds

    def let_poller_wait(self, seconds: float = _POLL_SECONDS) -> None:
        """The host has asked whether it is ready, and will have slept before it asks again."""
        rest = self.busy_seconds
        if rest <= 0:
            return
        if self._ready_at != self._polled_for:
            self._polled_for, self._polls = self._ready_at, 0
        self._polls = min(self._polls + 1, _MOST_PATIENCE)
        self._host.spend(rest if rest <= PROMPT_SECONDS else min(rest, seconds * _PATIENCE**self._polls))

    def finish_promptly(self) -> None:
        """The host lets pass what an instrument needs for a short command."""
        if self.busy_seconds <= PROMPT_SECONDS:
            self.finish()

    def finish(self) -> None:
        """The host waits until it has done what it was told."""
        if self.busy_seconds > 0:
            self._host.spend(self.busy_seconds)

    def _note_status(self) -> None:  # noqa: B027  an instrument without a status byte has nothing to note
        """What it is about to do changes its status, which the host must not see before the instrument is there."""

    def _poll_while_busy(self) -> int:
        """The status byte that the host finds while the instrument is still at what it was told."""
        return self.serial_poll()

    def await_service(self, timeout_seconds: float | None) -> None:
        """The host waits for SRQ; raises NoReply if it does not come within the timeout."""
        for is_last_chance in (False, True):
            if self._is_answering and self.requests_service:
                return
            if not is_last_chance:
                self._await_ready(timeout_seconds)
        self._host.wait(timeout_seconds or 0.0)
        raise NoReply

    def device_clear(self, bus_seconds: float) -> None:
        """Drop input, replies and whatever it was busy with; a hung instrument listens again."""
        self._host.wait(bus_seconds)
        if self.faults is not None:
            self.faults.device_clear()
            if not self._is_answering:
                return
        self._forget_input()
        self.drop_replies()
        self._ready_at = self._host.seconds
        self._cleared()

    @property
    def connections_lost(self) -> int:
        """How often its connection was lost; a session opened before the last time is dead."""
        return 0 if self.faults is None else self.faults.connections_lost

    def connection_lost(self) -> None:
        """The connection broke: what was half received or not yet read is gone."""
        self._forget_input()
        self.drop_replies()

    def power_cycle(self) -> None:
        """The instrument lost its power for a moment and is as just switched on."""
        self.connection_lost()
        self._occupy(self._power_on)
        self._ready_at = self._host.seconds

    def _power_on(self) -> None:
        """Bring settings and status to their power-on state."""
        self._cleared()

    def output_cut(self) -> None:  # noqa: B027  most instruments still know it when they notice
        """Its output is dropping this moment; `trip_output` follows once it has done what it is at."""

    def trip_output(self, error: ScpiError) -> None:
        """Its output has dropped by itself; the instrument notices and reports `error`, where it can."""
        self._occupy(lambda: self._output_tripped(error))

    def _output_tripped(self, error: ScpiError) -> None:
        """The output is off from now on; an instrument without one has nothing to report."""
        del error

    def drop_replies(self) -> None:
        """Forget what has not been read."""
        self._replies.clear()
        self._reply_taken()

    @abstractmethod
    def _cleared(self) -> None:
        """A device clear has arrived."""

    def group_trigger(self, bus_seconds: float) -> None:
        """Group execute trigger from the host."""
        self._host.spend(bus_seconds)
        if self._is_answering:
            self._note_status()
            self._occupy(self.trigger)
