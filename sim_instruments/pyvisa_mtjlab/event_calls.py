"""VISA functions that are about events: enabling, waiting, handlers, and input and output that ends with an event."""

from __future__ import annotations

import logging
from itertools import count
from typing import Any, SupportsBytes, cast

from pyvisa import constants, errors
from pyvisa.constants import EventAttribute, EventMechanism, EventType, StatusCode
from pyvisa.typing import VISAEventContext, VISAHandler, VISAJobID, VISASession

from .events import Event, SessionEvents
from .session_calls import SESSION_NUMBERS, SessionCalls

_LOG = logging.getLogger(__name__)
_MECHANISMS = int(EventMechanism.queue | EventMechanism.handler | EventMechanism.suspend_handler)


class EventCalls(SessionCalls):
    """Events of sessions; see `events`."""

    def _init(self) -> None:
        super()._init()
        self._jobs = count(1)
        self._buffers: dict[VISAJobID, bytearray] = {}

    def _events(self, session: int, kind: EventType) -> SessionEvents:
        events = self._any_session(session).events
        assert events is not None
        if not events.supports(EventType(kind)):
            self._refuse(session, StatusCode.error_invalid_event)
        return events

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        """Enable events, by queue or handler."""
        events = self._events(session, event_type)
        chosen = int(mechanism) & _MECHANISMS
        if not chosen or (chosen & EventMechanism.handler and chosen & EventMechanism.suspend_handler):
            self._refuse(session, StatusCode.error_invalid_mechanism)
        if chosen & EventMechanism.handler and not self._has_handler(session, event_type):
            self._refuse(session, StatusCode.error_handler_not_installed)
        return self._note(session, events.enable(EventType(event_type), chosen))

    def _has_handler(self, session: VISASession, kind: EventType) -> bool:
        installed = {entry[3] for entry in self.handlers[session]} if session in self.handlers else set()
        return bool(installed) if kind == EventType.all_enabled else kind in installed

    def disable_event(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        """Disable events."""
        events = self._existing(session).events
        assert events is not None
        if not events.supports(EventType(event_type)):
            self._refuse(session, StatusCode.error_invalid_event)
        return self._note(session, events.disable(EventType(event_type), _mask(mechanism)))

    def discard_events(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        """Forget events that have come and were not waited for."""
        events = self._existing(session).events
        assert events is not None
        if not events.supports(EventType(event_type)):
            self._refuse(session, StatusCode.error_invalid_event)
        return self._note(session, events.discard(EventType(event_type), _mask(mechanism)))

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int | None
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Wait, in simulated time, for an event; raises VisaIOError with VI_ERROR_TMO if it does not come."""
        kind = EventType(in_event_type)
        events = self._events(session, kind)
        is_endless = timeout is None or timeout == constants.VI_TMO_INFINITE
        seconds = None if is_endless or timeout is None else timeout / 1000
        if not events.mechanisms(kind) & EventMechanism.queue and not events.has_queued(kind):
            self._refuse(session, StatusCode.error_not_enabled)
        found = events.wait(kind, seconds)
        if found is None:
            self._refuse(session, StatusCode.error_timeout)
        event, status = found
        return event.kind, self._context_of(event), self._note(session, status)

    def _context_of(self, event: Event) -> VISAEventContext:
        number = next(SESSION_NUMBERS)
        self._contexts[number] = event
        return VISAEventContext(number)

    def install_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any
    ) -> tuple[VISAHandler, Any, Any, StatusCode]:
        """Remember a handler; raises TypeError if it cannot be called. PyVISA keeps the list."""
        self._existing(session)
        if not callable(handler):
            raise TypeError(f"an event handler must be callable, not {handler!r}")
        return handler, user_handle, handler, self._note(session, StatusCode.success)

    def uninstall_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any = None
    ) -> StatusCode:
        """Forget a handler; PyVISA keeps the list."""
        return StatusCode.success

    def _call_handlers(self, session: int, event: Event) -> None:
        """Call what is installed, the last one first; what a handler raises is told and goes no further."""
        context = self._context_of(event)
        for handler, user_handle, _, kind in reversed(list(self.handlers.get(VISASession(session), ()))):
            if kind != event.kind:
                continue
            try:
                if handler(VISASession(session), event.kind, context, user_handle) == _NO_MORE_HANDLERS:
                    break
            except Exception:  # there is no caller to raise it to: in VISA a handler is called by a thread of its own
                _LOG.exception("a handler of %s failed", event.kind.name)
        self._contexts.pop(int(context), None)

    def read_asynchronously(self, session: VISASession, count: int) -> tuple[SupportsBytes, VISAJobID, StatusCode]:
        """Read into a buffer; the end is told by an event. The host has waited for it when this returns."""
        buffer, job = bytearray(), self._new_job()
        self._buffers[job] = buffer
        status = StatusCode.success
        try:
            data, status = self.read(session, count)
            buffer.extend(data)
        except errors.VisaIOError as error:
            status = StatusCode(error.error_code)
        self._tell_completion(session, "viReadAsync", job, status, len(buffer))
        return cast("SupportsBytes", buffer), job, self._note(session, StatusCode.success_synchronous)

    def write_asynchronously(self, session: VISASession, data: bytes) -> tuple[VISAJobID, StatusCode]:
        """Write; the end is told by an event."""
        job = self._new_job()
        status, size = StatusCode.success, 0
        try:
            size, status = self.write(session, data)
        except errors.VisaIOError as error:
            status = StatusCode(error.error_code)
        self._tell_completion(session, "viWriteAsync", job, status, size)
        return job, self._note(session, StatusCode.success_synchronous)

    def _new_job(self) -> VISAJobID:
        return VISAJobID(next(self._jobs))

    def _tell_completion(self, session: int, name: str, job: VISAJobID, status: StatusCode, size: int) -> None:
        events = self._existing(session).events
        assert events is not None
        attributes: dict[int, Any] = {
            EventAttribute.status: status,
            EventAttribute.operation_name: name,
            EventAttribute.job_id: job,
            EventAttribute.return_count: size,
            EventAttribute.buffer: self._buffers.get(job),
        }
        events.tell(Event(EventType.io_completion, attributes))

    def get_buffer_from_id(self, job_id: VISAJobID) -> SupportsBytes | None:
        """The buffer of an asynchronous read."""
        return cast("SupportsBytes | None", self._buffers.get(job_id))

    def terminate(self, session: VISASession, degree: None, job_id: VISAJobID) -> StatusCode:
        """Nothing is under way any more once a call has returned."""
        self._existing(session)
        return self._note(session, StatusCode.success)


_NO_MORE_HANDLERS = constants.VI_SUCCESS_NCHAIN


def _mask(mechanism: int) -> int:
    return _MECHANISMS if int(mechanism) == EventMechanism.all else int(mechanism) & _MECHANISMS
