"""VISA functions that are about sessions: opening and closing, resource names, attributes, locks."""

from __future__ import annotations

from itertools import count
from typing import Any, NoReturn, SupportsInt, cast

from pyvisa import constants, errors, highlevel, rname
from pyvisa.constants import AccessModes, EventType, InterfaceType, ResourceAttribute, StatusCode
from pyvisa.highlevel import ResourceInfo
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession

from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import WireInstrument

from .attributes import library_attributes
from .events import Event, SessionEvents
from .gpib_board import GpibBoard
from .resource_names import ExpressionError, find_address, parsed_name, select
from .session import Session

SESSION_NUMBERS = count(1000)
_SERVICE, _COMPLETION = frozenset({EventType.service_request}), frozenset({EventType.io_completion})


class SessionCalls(highlevel.VisaLibraryBase):
    """Keeps the sessions of one bench.

    Statuses are those of VPP-4.3; a VisaIOError with one of them is raised where the VISA function would return it.
    """

    _bench_spec: str

    def _init(self) -> None:
        self._bench_spec = str(self.library_path)
        self._sessions: dict[int, Session] = {}
        self._managers: set[int] = set()
        self._contexts: dict[int, Event] = {}
        self._boards: dict[str, GpibBoard] = {}
        sim_bench(self._bench_spec)

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
        found = self._existing(session)
        bench = found.bench
        if bench.is_closed:
            self._refuse(session, StatusCode.error_connection_lost)
        if not bench.locks.is_empty and not bench.locks.may_use(found.address, session):
            self._refuse(session, StatusCode.error_resource_locked)
        return found

    def _existing(self, session: int) -> Session:
        try:
            return self._sessions[session]
        except KeyError:
            self._refuse(None, StatusCode.error_invalid_object)

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """A session of the resource manager."""
        number = next(SESSION_NUMBERS)
        self._managers.add(number)
        return VISARMSession(number), self._note(number, StatusCode.success)

    def _addresses(self) -> dict[str, str]:
        """Addresses of the bench, each with its alias: the name of the instrument in the bench file."""
        bench = self.bench
        names = {id(instrument): name for name, instrument in bench.by_name.items()}
        aliases = {address: names.get(id(instrument), "") for address, instrument in bench.by_address.items()}
        return aliases | dict.fromkeys(bench.interfaces, "")

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: AccessModes = AccessModes.no_lock,
        open_timeout: SupportsInt = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a session; raises VisaIOError with VI_ERROR_RSRC_NFOUND if no instrument has this address.

        Raises ValueError if the timeout is not a number.
        """
        try:
            wait_seconds = int(open_timeout) / 1000
        except (TypeError, ValueError) as error:
            raise ValueError(f"open_timeout must be an integer (or compatible type), not {open_timeout!r}") from error
        address = self._found_address(session, resource_name)
        bench = self.bench
        bench.session_opened()
        number = next(SESSION_NUMBERS)
        if access_mode != AccessModes.no_lock:
            _, status = bench.locks.acquire(address, number, AccessModes(int(access_mode)), None, wait_seconds)
            if status < 0:
                bench.session_closed()
                self._refuse(session, status)
        bench.opened(address)
        made = Session(bench, rname.parse_resource_name(address), int(session))
        made.events = self._events_of(number, made)
        self._sessions[number] = made
        return VISASession(number), self._note(number, StatusCode.success)

    def _found_address(self, session: int, resource_name: str) -> str:
        address = find_address(resource_name, self._addresses())
        if address is None:
            is_name = parsed_name(resource_name) is not None
            wrong = StatusCode.error_resource_not_found if is_name else StatusCode.error_invalid_resource_name
            self._refuse(session, wrong)
        return address

    def _events_of(self, number: int, found: Session) -> SessionEvents:
        def instruments() -> list[WireInstrument]:
            if found.bench.is_closed:
                return []
            return self._board(found).instruments if found.is_interface else [found.device]

        kinds = _COMPLETION if found.is_stream else _SERVICE | _COMPLETION
        return SessionEvents(found.bench, instruments, kinds, lambda event: self._call_handlers(number, event))

    def _call_handlers(self, session: int, event: Event) -> None:
        """Call what is installed for an event."""
        raise NotImplementedError

    def _board(self, found: Session) -> GpibBoard:
        """The board of an interface session; the sessions of one board share its state."""
        board = self._boards.get(found.address)
        if board is None or board.bench is not found.bench:
            number = found.address.partition("::")[0].removeprefix("GPIB")
            board = self._boards[found.address] = GpibBoard(found.bench, number)
        return board

    def close(self, session: VISASession | VISARMSession | VISAEventContext) -> StatusCode:
        """Close a session, an event or the resource manager with all its sessions. The bench stays as it is."""
        number = int(session)
        if number in self._managers:
            self._managers.discard(number)
            for each in [key for key, found in self._sessions.items() if found.manager == number]:
                self._close_session(each)
        elif number in self._sessions:
            self._close_session(number)
        elif self._contexts.pop(number, None) is None:
            self._refuse(None, StatusCode.error_invalid_object)
        return StatusCode.success

    def _close_session(self, number: int) -> None:
        closed = self._sessions.pop(number)
        if closed.events is not None:
            closed.events.close()
        closed.bench.locks.drop(closed.address, number)
        closed.bench.session_closed()

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Addresses on the bench that match a VISA resource expression, conditions over attributes included."""
        try:
            return select(list(self._addresses()), query)
        except ExpressionError:
            self._refuse(session, StatusCode.error_invalid_expression)

    def parse_resource_extended(self, session: VISARMSession, resource_name: str) -> tuple[ResourceInfo, StatusCode]:
        """What a resource name or an alias means; raises VisaIOError if it is neither."""
        addresses = self._addresses()
        address = find_address(resource_name, addresses)
        parsed = parsed_name(resource_name if address is None else address)
        if parsed is None:
            self._refuse(session, StatusCode.error_invalid_resource_name)
        info, status = super().parse_resource_extended(session, str(parsed))
        alias = "" if address is None else addresses[address]
        return info._replace(alias=alias or None), status

    def get_attribute(
        self,
        session: VISASession | VISARMSession | VISAEventContext,
        attribute: ResourceAttribute | constants.EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """State of an attribute of a session, an event or the resource manager."""
        number = int(session)
        found = self._sessions.get(number)
        if found is None:
            return self._get_elsewhere(number, int(attribute))
        if found.is_interface:
            with found.bench.lock:
                line = self._board(found).get(int(attribute))
            if line is not None:
                return line, self._note(number, StatusCode.success)
        state, status = found.get(int(attribute))
        if status < 0:
            self._refuse(number, status)
        return state, self._note(number, status)

    def _get_elsewhere(self, number: int, attribute: int) -> tuple[Any, StatusCode]:
        if number in self._contexts:
            state, status = self._contexts[number].get(attribute)
        elif number in self._managers:
            known: dict[int, Any] = {int(key): value for key, value in library_attributes().items()}
            known[ResourceAttribute.interface_type] = InterfaceType.unknown
            state = known.get(attribute, 0)
            status = StatusCode.success if attribute in known else StatusCode.error_nonsupported_attribute
        else:
            self._refuse(None, StatusCode.error_invalid_object)
        if status < 0:
            self._refuse(number, status)
        return state, status

    def set_attribute(
        self,
        session: VISASession | VISARMSession | VISAEventContext,
        attribute: ResourceAttribute | constants.EventAttribute,
        attribute_state: Any,
    ) -> StatusCode:
        """Set an attribute."""
        found = self._existing(int(session))
        if found.is_interface and self._board(found).get(int(attribute)) is not None:
            self._refuse(int(session), StatusCode.error_attribute_read_only)
        status = found.set(int(attribute), attribute_state)
        if status < 0:
            self._refuse(int(session), status)
        if attribute == ResourceAttribute.max_queue_length and found.events is not None:
            found.events.most_queued = int(attribute_state)
        return self._note(int(session), status)

    def lock(
        self,
        session: VISASession,
        lock_type: constants.Lock | AccessModes,
        timeout: int,
        requested_key: str | None = None,
    ) -> tuple[str, StatusCode]:
        """Lock a resource for this session; waits as `Locks.acquire` does."""
        found = self._existing(session)
        mode = AccessModes(int(lock_type))
        wait_seconds = constants.VI_TMO_INFINITE / 1000 if timeout is None else int(timeout) / 1000
        key, status = found.bench.locks.acquire(found.address, session, mode, requested_key, wait_seconds)
        if status < 0:
            self._refuse(session, status)
        return key, self._note(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        """Give back one lock."""
        found = self._existing(session)
        status = found.bench.locks.release(found.address, session)
        if status < 0:
            self._refuse(session, status)
        return self._note(session, status)
