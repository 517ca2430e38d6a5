"""One stream connection to an instrument: what was half received and what has not been read yet belong to it alone.

A LAN instrument keeps an input and an output queue for each socket. On a stream nothing marks the end of an answer, so
a read ends at the termination character, when it has all bytes it asked for, or, if the session takes pauses for ends,
when nothing more comes; otherwise what has arrived is lost to a read that times out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .wire_instrument import Ended, NoReply, WireInstrument


class Connection:
    """The queues of one session; offers what the session needs of an instrument.

    Args:
        instrument: behind the connection.

    Attributes:
        ends_at_pause: whether a read without termination character ends when nothing more comes.
    """

    def __init__(self, instrument: WireInstrument) -> None:
        self.instrument = instrument
        self.ends_at_pause = False
        self._input = b""
        self._replies: deque[bytes] = deque()

    @contextmanager
    def _own_queues(self) -> Iterator[None]:
        """The instrument has this connection's queues meanwhile."""
        instrument = self.instrument
        others = instrument._input, instrument._replies
        instrument._input, instrument._replies = self._input, self._replies
        try:
            yield
        finally:
            self._input, self._replies = instrument._input, instrument._replies
            instrument._input, instrument._replies = others

    @property
    def waiting_bytes(self) -> int:
        """How many bytes have come and were not read."""
        with self._own_queues():
            return sum(map(len, self._replies)) if self.instrument._has_message else 0

    def receive(self, data: bytes, *, is_end: bool, bus_seconds: float) -> None:
        """See WireInstrument."""
        with self._own_queues():
            self.instrument.receive(data, is_end=is_end, bus_seconds=bus_seconds)

    def send(
        self, count: int, *, timeout_seconds: float | None, termination: bytes | None, bus_seconds: float
    ) -> tuple[bytes, Ended]:
        """See WireInstrument; END never comes, unless this session takes a pause for it."""
        with self._own_queues():
            self._join()
            if termination is None and not self.ends_at_pause and 0 < self._size < count:
                self.instrument._await_ready(timeout_seconds)
                self.instrument.drop_replies()
                self.instrument._host.wait(timeout_seconds or 0.0)
                raise NoReply
            data, ended = self.instrument.send(
                count, timeout_seconds=timeout_seconds, termination=termination, bus_seconds=bus_seconds
            )
        return data, Ended.COUNT if ended is Ended.END and len(data) == count else ended

    def _join(self) -> None:
        replies = self.instrument._replies
        if len(replies) > 1:
            stream = b"".join(replies)
            replies.clear()
            replies.append(stream)

    @property
    def _size(self) -> int:
        return sum(map(len, self.instrument._replies))

    def drop_replies(self) -> None:
        """Forget what has come and was not read."""
        with self._own_queues():
            self.instrument.drop_replies()

    def device_clear(self, bus_seconds: float) -> None:
        """A break on a serial line does this."""
        with self._own_queues():
            self.instrument.device_clear(bus_seconds)

    def group_trigger(self, bus_seconds: float) -> None:
        """A trigger whose answers come to this connection."""
        with self._own_queues():
            self.instrument.group_trigger(bus_seconds)

    def poll(self, *, timeout_seconds: float | None, bus_seconds: float) -> int:
        """The status byte."""
        with self._own_queues():
            return self.instrument.poll(timeout_seconds=timeout_seconds, bus_seconds=bus_seconds)

    @property
    def connections_lost(self) -> int:
        """See WireInstrument."""
        return self.instrument.connections_lost
