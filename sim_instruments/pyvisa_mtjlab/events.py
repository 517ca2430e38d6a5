"""VISA events of one session: what it wants to hear of, what has come, and who is told (VPP-4.3, section 3.7).

A service request is looked for whenever an operation on the bench has ended, whichever session acted: then the
handlers are called, outside the bench's lock. Where a program sleeps until its handler is called, nothing happens on
the bench by itself; a timer then lets pass what the instrument still needs.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyvisa.constants import EventAttribute, EventMechanism, EventType, StatusCode

from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.wire_instrument import WireInstrument

IDLE_SECONDS = 0.05
"""Real time without an operation after which a program that has handlers is taken to sleep."""
_LOOK_AGAIN_SECONDS = 0.01
_HANDLERS = int(EventMechanism.handler | EventMechanism.suspend_handler)


@dataclass(frozen=True)
class Event:
    """An event that has happened.

    Attributes:
        kind: which.
        attributes: what it tells beyond that.
    """

    kind: EventType
    attributes: dict[int, Any] = field(default_factory=dict)

    def get(self, attribute: int) -> tuple[Any, StatusCode]:
        """State of an attribute of the event."""
        if attribute == EventAttribute.event_type:
            return self.kind, StatusCode.success
        if attribute in self.attributes:
            return self.attributes[attribute], StatusCode.success
        return 0, StatusCode.error_nonsupported_attribute


class SessionEvents:
    """The events of one session.

    Args:
        bench: where they come from.
        instruments: those whose service requests concern the session.
        kinds: what may be enabled.
        call: calls the handlers installed for an event.
    """

    def __init__(
        self,
        bench: SimBench,
        instruments: Callable[[], list[WireInstrument]],
        kinds: frozenset[EventType],
        call: Callable[[Event], None],
    ) -> None:
        self._bench = bench
        self._instruments = instruments
        self._kinds = kinds
        self._call = call
        self._enabled: dict[EventType, int] = {}
        self._queue: deque[Event] = deque()
        self._suspended: deque[Event] = deque()
        self._was_requesting = False
        self._operations = 0
        self._timer: threading.Timer | None = None
        self._threads = {threading.get_ident()}
        self.most_queued = 50
        self._has_overflowed = False

    def supports(self, kind: EventType) -> bool:
        """Whether the session can enable such events."""
        return kind in self._kinds or kind is EventType.all_enabled

    def mechanisms(self, kind: EventType) -> int:
        """How such events are to be told; 0 if they are not."""
        if kind is EventType.all_enabled:
            return max(self._enabled.values(), default=0)
        return self._enabled.get(kind, 0)

    def enable(self, kind: EventType, mechanism: int) -> StatusCode:
        """Tell such events from now on, a request that is already there included."""
        status = StatusCode.success
        for each in list(self._enabled) if kind is EventType.all_enabled else [kind]:
            before = self._enabled.get(each, 0)
            if before & mechanism:
                status = StatusCode.success_event_already_enabled
            kept = before & ~_HANDLERS if mechanism & _HANDLERS else before
            self._enabled[each] = kept | mechanism
            if each is EventType.service_request and not before:
                self._was_requesting = False
        self._watch()
        self.look()
        if mechanism & EventMechanism.handler:
            while self._suspended:
                self._call(self._suspended.popleft())
        return status

    def disable(self, kind: EventType, mechanism: int) -> StatusCode:
        """No longer tell such events; those in the queue stay there."""
        status = StatusCode.success_event_already_disabled
        for each in list(self._enabled) if kind is EventType.all_enabled else [kind]:
            before = self._enabled.get(each, 0)
            if before & mechanism:
                status = StatusCode.success
            self._enabled[each] = before & ~mechanism
        self._watch()
        return StatusCode.success if kind is EventType.all_enabled else status

    def discard(self, kind: EventType, mechanism: int) -> StatusCode:
        """Forget events that wait to be told."""
        emptied = False
        chosen = [
            queue
            for bit, queue in (
                (EventMechanism.queue, self._queue),
                (EventMechanism.suspend_handler, self._suspended),
            )
            if mechanism & bit
        ]
        for queue in chosen:
            kept = [event for event in queue if kind not in (event.kind, EventType.all_enabled)]
            emptied |= len(kept) < len(queue)
            queue.clear()
            queue.extend(kept)
        return StatusCode.success if emptied else StatusCode.success_queue_already_empty

    def close(self) -> None:
        """The session is being closed."""
        self._enabled.clear()
        self._watch()

    def _watch(self) -> None:
        """Look for service requests after each operation, as long as they are wanted."""
        self._bench.lock.watch(self, self.look if self.mechanisms(EventType.service_request) else None)
        if not self.mechanisms(EventType.service_request) and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Whether an instrument has begun to request service; tell it if so."""
        if not self.mechanisms(EventType.service_request):
            return
        with self._bench.lock.quietly():
            self._operations += 1
            self._threads.add(threading.get_ident())
            instruments = self._instruments()
            for instrument in instruments:
                instrument.finish_promptly()
            is_requesting = any(instrument.requests_service for instrument in instruments)
            is_new = is_requesting and not self._was_requesting
            self._was_requesting = is_requesting
        if is_new:
            self.tell(Event(EventType.service_request))
        elif not is_requesting and self._will_change(instruments):
            self._start_timer()

    def tell(self, event: Event) -> None:
        """An event has happened."""
        mechanisms = self.mechanisms(event.kind)
        if mechanisms & EventMechanism.queue:
            if len(self._queue) < self.most_queued:
                self._queue.append(event)
            else:
                self._has_overflowed = True
        if mechanisms & EventMechanism.suspend_handler:
            self._suspended.append(event)
        elif mechanisms & EventMechanism.handler:
            self._call(event)

    def _will_change(self, instruments: list[WireInstrument]) -> bool:
        """Whether something is on its way that only a handler waits for."""
        has_handler = self.mechanisms(EventType.service_request) & EventMechanism.handler
        return bool(has_handler) and any(instrument.busy_seconds > 0 for instrument in instruments)

    def _start_timer(self) -> None:
        if self._timer is not None and self._timer.is_alive():
            return
        self._timer = threading.Timer(IDLE_SECONDS, self._pass_time, (self._operations,))
        self._timer.daemon = True
        self._timer.start()

    def _pass_time(self, operations: int) -> None:
        """The program seems to sleep: let the instruments finish what they are at."""
        self._timer = None
        if operations != self._operations:
            self._start_timer()
            return
        with self._bench.lock:
            for instrument in self._instruments():
                instrument.finish()

    def wait(self, kind: EventType, timeout_seconds: float | None) -> tuple[Event, StatusCode] | None:
        """The next event of this kind, waited for in simulated time; None if it does not come in time.

        Where other threads act on the bench too, the wait for what they may do takes real time.
        """
        event = self._take(kind)
        if event is None and kind in (EventType.service_request, EventType.all_enabled):
            self._wait_for_service(timeout_seconds)
            event = self._take(kind)
            if event is None and self._wait_for_others(timeout_seconds):
                event = self._take(kind)
        return event

    def has_queued(self, kind: EventType) -> bool:
        """Whether such an event has come and was not waited for."""
        return any(kind in (event.kind, EventType.all_enabled) for event in self._queue)

    def _take(self, kind: EventType) -> tuple[Event, StatusCode] | None:
        found = next((event for event in self._queue if kind in (event.kind, EventType.all_enabled)), None)
        if found is None:
            return None
        self._queue.remove(found)
        if self._has_overflowed:
            self._has_overflowed = False
            return found, StatusCode.warning_queue_overflow
        return found, StatusCode.success_queue_not_empty if self.has_queued(kind) else StatusCode.success

    def _wait_for_service(self, timeout_seconds: float | None) -> None:
        """Let simulated time pass until an instrument requests service, or no longer than the timeout."""
        rest = math.inf if timeout_seconds is None else timeout_seconds
        self.look()
        while not self._queue:
            with self._bench.lock:
                busy = [instrument for instrument in self._instruments() if instrument.busy_seconds > 0]
                first = min(busy, key=lambda instrument: instrument.busy_seconds, default=None)
                if first is None or first.busy_seconds > rest:
                    if not self._others():
                        self._bench.host.wait(0.0 if math.isinf(rest) else rest)
                    return
                rest -= first.busy_seconds
                first.finish()

    def _others(self) -> bool:
        """Whether another thread that has used the bench is still there."""
        alive = {thread.ident for thread in threading.enumerate()}
        return bool((self._threads & alive) - {threading.get_ident()})

    def _wait_for_others(self, timeout_seconds: float | None) -> bool:
        """Wait, really, for what other threads may bring about; whether anything has come."""
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self._others() and (end is None or time.monotonic() < end):
            if self._queue:
                return True
            time.sleep(_LOOK_AGAIN_SECONDS)
        return bool(self._queue)
