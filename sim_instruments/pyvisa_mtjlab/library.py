"""The VISA library over simulated benches: every VISA function that message-based instruments need, without a sleep."""

from __future__ import annotations

from itertools import count
from typing import Any, NoReturn, SupportsInt, cast

from pyvisa import constants, errors, highlevel, rname
from pyvisa.constants import AccessModes, EventMechanism, EventType, RENLineOperation, ResourceAttribute, StatusCode
from pyvisa.typing import VISAEventContext, VISAHandler, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, packaged_benches, sim_bench
from mtjlab.sim_instruments.wire_instrument import Ended, NoReply

from .session import Session

_SESSION_NUMBERS = count(1000)
_STATUS = {
    Ended.END: StatusCode.success,
    Ended.TERMINATION: StatusCode.success_termination_character_read,
    Ended.COUNT: StatusCode.success_max_count_read,
}
_ALL_MECHANISMS = int(EventMechanism.queue | EventMechanism.handler | EventMechanism.suspend_handler)
_DISCARDING_READS = (
    constants.BufferOperation.discard_read_buffer
    | constants.BufferOperation.discard_read_buffer_no_io
    | constants.BufferOperation.discard_receive_buffer
    | constants.BufferOperation.discard_receive_buffer2
)


class MtjlabVisaLibrary(highlevel.VisaLibraryBase):
    """PyVISA's view of one simulated bench.

    The library path is the name of a packaged bench or the path of a bench file. Benches outlive libraries, resource
    managers and sessions: see `mtjlab.sim_instruments.simulated_bench`. Raises mtjlab.errors.InputError, through
    `pyvisa.ResourceManager(...)`, if there is no such bench or its file is malformed.
    """

    _bench_spec: str

    def __new__(cls, library_path: str | LibraryPath = "") -> MtjlabVisaLibrary:
        """Make the library, or give the one that is in use for the same bench file."""
        path = str(bench_path(str(library_path)))
        return cast("MtjlabVisaLibrary", super().__new__(cls, LibraryPath(path, "user specified")))

    def _init(self) -> None:
        self._bench_spec = str(self.library_path)
        self._sessions: dict[int, Session] = {}
        sim_bench(self._bench_spec)

    @staticmethod
    def get_library_paths() -> tuple[LibraryPath, ...]:
        """The packaged benches."""
        return tuple(LibraryPath(name) for name in packaged_benches())

    @staticmethod
    def get_debug_info() -> dict[str, str | list[str]]:
        """What `pyvisa-info` shows."""
        return {"Packaged benches": list(packaged_benches())}

    @property
    def bench(self) -> SimBench:
        """The bench as it is now."""
        return sim_bench(self._bench_spec)

    def _refuse(self, session: int | None, status: StatusCode) -> NoReturn:
        self.handle_return_value(cast("VISASession | None", session), status)
        raise errors.VisaIOError(status)

    def _note(self, session: int, status: StatusCode) -> StatusCode:
        self._last_status = status
        self._last_status_in_session[cast("VISASession", session)] = status
        return status

    def _open_session(self, session: int) -> Session:
        """The session of an instrument, if it may be used now."""
        found = self._any_session(session)
        if found.is_interface:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        if found.is_lost:
            self._refuse(session, StatusCode.error_connection_lost)
        return found

    def _any_session(self, session: int) -> Session:
        """The session of an instrument or an interface, if it may be used now."""
        try:
            found = self._sessions[session]
        except KeyError:
            self._refuse(None, StatusCode.error_invalid_object)
        bench = found.bench
        if bench.is_closed:
            self._refuse(session, StatusCode.error_connection_lost)
        if not bench.locks.is_empty and not bench.locks.may_use(found.address, session):
            self._refuse(session, StatusCode.error_resource_locked)
        return found

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """A session of the resource manager."""
        number = next(_SESSION_NUMBERS)
        return VISARMSession(number), self._note(number, StatusCode.success)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: AccessModes = AccessModes.no_lock,
        open_timeout: SupportsInt = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a session; raises VisaIOError with VI_ERROR_RSRC_NFOUND if no instrument has this address."""
        try:
            parsed = rname.parse_resource_name(resource_name)
        except rname.InvalidResourceName:
            self._refuse(session, StatusCode.error_invalid_resource_name)
        bench = self.bench
        if str(parsed) not in bench.by_address and str(parsed) not in bench.interfaces:
            self._refuse(session, StatusCode.error_resource_not_found)
        bench.session_opened()
        number = next(_SESSION_NUMBERS)
        if access_mode != AccessModes.no_lock:
            _, status = bench.locks.acquire(str(parsed), number, access_mode, None)
            if status < 0:
                bench.session_closed()
                self._refuse(session, status)
        bench.opened(str(parsed))
        self._sessions[number] = Session(bench, parsed, int(session))
        return VISASession(number), self._note(number, StatusCode.success)

    def close(self, session: VISASession | VISARMSession | VISAEventContext) -> StatusCode:
        """Close a session, an event or the resource manager. The bench stays as it is."""
        closed = self._sessions.pop(int(session), None)
        if closed is not None:
            closed.bench.locks.drop(closed.address, int(session))
            closed.bench.session_closed()
        return StatusCode.success

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Addresses on the bench that match a VISA resource expression."""
        return tuple(rname.filter([*self.bench.by_address, *self.bench.interfaces], query))

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; the last one carries END where the interface has it."""
        found = self._open_session(session)
        with found.bench.lock:
            found.instrument.receive(
                data,
                is_end=found.sends_end,
                bus_seconds=found.bus.message_seconds + len(data) * found.bus.byte_seconds,
            )
            if found.enabled_mechanisms:
                self._call_handlers(session, found)
        if found.is_lost:
            self._refuse(session, StatusCode.error_connection_lost)
        return len(data), self._note(session, StatusCode.success)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read at most `count` bytes; raises VisaIOError with VI_ERROR_TMO, at once, if nothing comes in time."""
        found = self._open_session(session)
        with found.bench.lock:
            try:
                data, ended = found.instrument.send(
                    count,
                    timeout_seconds=found.timeout_seconds,
                    termination=found.termination,
                    bus_seconds=found.bus.message_seconds,
                )
            except NoReply:
                lost, timeout = StatusCode.error_connection_lost, StatusCode.error_timeout
                self._refuse(session, lost if found.is_lost else timeout)
        return data, self._note(session, _STATUS[ended])

    def clear(self, session: VISASession) -> StatusCode:
        """Device clear."""
        found = self._open_session(session)
        with found.bench.lock:
            found.instrument.device_clear(found.bus.poll_seconds)
        return self._note(session, StatusCode.success)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll."""
        found = self._open_session(session)
        with found.bench.lock:
            try:
                byte = found.instrument.poll(timeout_seconds=found.timeout_seconds, bus_seconds=found.bus.poll_seconds)
            except NoReply:
                self._refuse(session, StatusCode.error_timeout)
            found.was_requesting = False
        return byte, self._note(session, StatusCode.success)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Group execute trigger."""
        found = self._open_session(session)
        with found.bench.lock:
            found.instrument.group_trigger(found.bus.poll_seconds)
            if found.enabled_mechanisms:
                self._call_handlers(session, found)
        return self._note(session, StatusCode.success)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Discard what has not been read, if the mask says so; writes are never held back."""
        found = self._open_session(session)
        if mask & _DISCARDING_READS:
            with found.bench.lock:
                found.instrument.drop_replies()
        return self._note(session, StatusCode.success)

    def gpib_control_ren(self, session: VISASession, mode: RENLineOperation) -> StatusCode:
        """Remember the state of REN; simulated instruments listen in any state."""
        found = self._any_session(session)
        released = {RENLineOperation.deassert, RENLineOperation.deassert_gtl}
        found.set_remote_enabled(mode not in released)
        return self._note(session, StatusCode.success)

    def gpib_send_ifc(self, session: VISASession) -> StatusCode:
        """Pulse IFC on the board of an INTFC session: a hung bus works again."""
        found = self._any_session(session)
        if not found.is_interface:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        with found.bench.lock:
            found.bench.interface_clear(found.address)
        return self._note(session, StatusCode.success)

    def get_attribute(
        self,
        session: VISASession | VISARMSession | VISAEventContext,
        attribute: ResourceAttribute | constants.EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """State of an attribute."""
        found = self._sessions.get(int(session))
        if found is None:
            if attribute == constants.EventAttribute.event_type:
                return EventType.service_request, StatusCode.success
            self._refuse(None, StatusCode.error_invalid_object)
        state, status = found.get(int(attribute))
        if status < 0:
            self._refuse(int(session), status)
        return state, self._note(int(session), status)

    def set_attribute(
        self,
        session: VISASession | VISARMSession | VISAEventContext,
        attribute: ResourceAttribute | constants.EventAttribute,
        attribute_state: Any,
    ) -> StatusCode:
        """Set an attribute."""
        found = self._sessions.get(int(session))
        if found is None:
            self._refuse(None, StatusCode.error_invalid_object)
        status = found.set(int(attribute), attribute_state)
        if status < 0:
            self._refuse(int(session), status)
        return self._note(int(session), status)

    def lock(
        self,
        session: VISASession,
        lock_type: constants.Lock | AccessModes,
        timeout: int,
        requested_key: str | None = None,
    ) -> tuple[str, StatusCode]:
        """Lock a resource for this session; fails at once if another one holds it."""
        found = self._sessions.get(session)
        if found is None:
            self._refuse(None, StatusCode.error_invalid_object)
        with found.bench.lock:
            mode = AccessModes(int(lock_type))
            key, status = found.bench.locks.acquire(found.address, session, mode, requested_key)
        if status < 0:
            self._refuse(session, status)
        return key, self._note(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        """Give back one lock."""
        found = self._open_session(session)
        with found.bench.lock:
            status = found.bench.locks.release(found.address, session)
        if status < 0:
            self._refuse(session, status)
        return self._note(session, status)

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        """Enable service requests, by queue or handler."""
        found = self._open_session(session)
        if event_type not in (EventType.service_request, EventType.all_enabled):
            self._refuse(session, StatusCode.error_invalid_event)
        found.enabled_mechanisms |= int(mechanism) & _ALL_MECHANISMS
        return self._note(session, StatusCode.success)

    def disable_event(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        """Disable service requests."""
        found = self._sessions.get(session)
        if found is not None:
            found.enabled_mechanisms &= ~int(mechanism)
        return StatusCode.success

    def discard_events(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        """Nothing is queued: a service request lasts until the instrument is polled."""
        return StatusCode.success

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Wait, in simulated time, for a service request; raises VisaIOError with VI_ERROR_TMO if it does not come."""
        found = self._open_session(session)
        if not found.enabled_mechanisms & EventMechanism.queue:
            self._refuse(session, StatusCode.error_not_enabled)
        is_endless = timeout is None or timeout == constants.VI_TMO_INFINITE
        with found.bench.lock:
            try:
                found.instrument.await_service(None if is_endless else timeout / 1000)
            except NoReply:
                self._refuse(session, StatusCode.error_timeout)
        context = VISAEventContext(next(_SESSION_NUMBERS))
        return EventType.service_request, context, self._note(session, StatusCode.success)

    def install_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any
    ) -> tuple[VISAHandler, Any, Any, StatusCode]:
        """Remember a handler for service requests."""
        self._open_session(session)
        return handler, user_handle, handler, StatusCode.success

    def uninstall_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any = None
    ) -> StatusCode:
        """Forget a handler; PyVISA keeps the list."""
        return StatusCode.success

    def _call_handlers(self, session: VISASession, found: Session) -> None:
        """Call the handlers once when the instrument starts to assert SRQ."""
        is_requesting = found.instrument.requests_service
        is_new = is_requesting and not found.was_requesting
        found.was_requesting = is_requesting
        if not is_new or not found.enabled_mechanisms & EventMechanism.handler:
            return
        for handler, user_handle, _, event_type in list(self.handlers[session]):
            if event_type == EventType.service_request:
                context = VISAEventContext(next(_SESSION_NUMBERS))
                handler(session, EventType.service_request, context, user_handle)
