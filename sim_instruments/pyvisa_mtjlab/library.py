"""The VISA library over simulated benches: every VISA function that message-based instruments need, without a sleep."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pyvisa import constants, errors
from pyvisa.constants import ATNLineOperation, RENLineOperation, StatusCode
from pyvisa.typing import VISASession
from pyvisa.util import LibraryPath

from mtjlab.sim_instruments.simulated_bench import bench_path, packaged_benches
from mtjlab.sim_instruments.wire_instrument import Ended, NoReply

from .event_calls import EventCalls
from .session import Session

_STATUS = {
    Ended.END: StatusCode.success,
    Ended.TERMINATION: StatusCode.success_termination_character_read,
    Ended.COUNT: StatusCode.success_max_count_read,
}
_DISCARDING_READS = (
    constants.BufferOperation.discard_read_buffer
    | constants.BufferOperation.discard_read_buffer_no_io
    | constants.BufferOperation.discard_receive_buffer
    | constants.BufferOperation.discard_receive_buffer2
)
_RELEASED = {RENLineOperation.deassert, RENLineOperation.deassert_gtl}


class MtjlabVisaLibrary(EventCalls):
    """PyVISA's view of one simulated bench.

    The library path is the name of a packaged bench or the path of a bench file. Benches outlive libraries, resource
    managers and sessions: see `mtjlab.sim_instruments.simulated_bench`. Raises mtjlab.errors.InputError, through
    `pyvisa.ResourceManager(...)`, if there is no such bench or its file is malformed.
    """

    def __new__(cls, library_path: str | LibraryPath = "") -> MtjlabVisaLibrary:
        """Make the library, or give the one that is in use for the same bench file."""
        path = str(bench_path(str(library_path)))
        return cast("MtjlabVisaLibrary", super().__new__(cls, LibraryPath(path, "user specified")))

    @staticmethod
    def get_library_paths() -> tuple[LibraryPath, ...]:
        """The packaged benches."""
        return tuple(LibraryPath(name) for name in packaged_benches())

    @staticmethod
    def get_debug_info() -> dict[str, str | list[str]]:
        """What `pyvisa-info` shows."""
        return {"Packaged benches": list(packaged_benches())}

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes; the last one carries END where the interface has it."""
        found = self._open_session(session)
        size, bus = len(data), found.bus
        with found.bench.lock:
            seconds = bus.message_seconds + size * bus.byte_seconds
            found.instrument.receive(data, is_end=found.sends_end, bus_seconds=seconds)
        if found.is_lost:
            self._refuse(session, StatusCode.error_connection_lost)
        return size, self._note(session, StatusCode.success)

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
        """Device clear; on a serial line a break, on a socket only what has come is forgotten.

        So NI-VISA's help, viClear (from memory, to be checked).
        """
        found = self._any_session(session)
        if found.is_interface:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        found = self._open_session(session)
        with found.bench.lock:
            if found.speaks_4882:
                self._say(found, b"*CLS\n")
            if found.is_socket:
                found.instrument.drop_replies()
            else:
                found.instrument.device_clear(found.bus.poll_seconds)
        return self._note(session, StatusCode.success)

    def _say(self, found: Session, message: bytes) -> None:
        found.instrument.receive(message, is_end=False, bus_seconds=len(message) * found.bus.byte_seconds)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll; on a stream *STB?, if the protocol is VI_PROT_4882_STRS, and else not supported."""
        found = self._open_session(session)
        with found.bench.lock:
            try:
                if found.is_stream:
                    byte = self._ask_status(session, found)
                else:
                    seconds = found.bus.poll_seconds
                    byte = found.instrument.poll(timeout_seconds=found.timeout_seconds, bus_seconds=seconds)
            except NoReply:
                self._refuse(session, StatusCode.error_timeout)
        return byte, self._note(session, StatusCode.success)

    def _ask_status(self, session: int, found: Session) -> int:
        if not found.speaks_4882:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        self._say(found, b"*STB?\n")
        answer, _ = found.instrument.send(
            1024, timeout_seconds=found.timeout_seconds, termination=b"\n", bus_seconds=found.bus.message_seconds
        )
        try:
            return int(float(answer)) & 0xFF
        except ValueError:
            self._refuse(session, StatusCode.error_io)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Group execute trigger; on a stream *TRG, if the protocol is VI_PROT_4882_STRS, and else not supported."""
        found = self._open_session(session)
        if protocol != constants.TriggerProtocol.default:
            self._refuse(session, StatusCode.error_invalid_protocol)
        if found.is_stream and not found.speaks_4882:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        with found.bench.lock:
            if found.is_stream:
                self._say(found, b"*TRG\n")
            else:
                found.instrument.group_trigger(found.bus.poll_seconds)
        return self._note(session, StatusCode.success)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Discard what a stream has brought, if the mask says so.

        Nothing is buffered on this side of any other interface, and an answer that was not read stays where it is.
        """
        found = self._any_session(session)
        if found.is_stream and mask & _DISCARDING_READS:
            with found.bench.lock:
                found.instrument.drop_replies()
        return self._note(session, StatusCode.success)

    def set_buffer(self, session: VISASession, mask: constants.BufferType, size: int) -> StatusCode:
        """Sizes of buffers change nothing that a program could see."""
        self._existing(session)
        return self._note(session, StatusCode.success)

    def buffer_read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Formatted input: as `read`."""
        return self.read(session, count)

    def buffer_write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Formatted output: as `write`."""
        return self.write(session, data)

    def read_to_file(self, session: VISASession, filename: str, count: int) -> tuple[int, StatusCode]:
        """Read into a file, which is made or overwritten."""
        data, status = self.read(session, count)
        Path(filename).write_bytes(data)
        return len(data), status

    def write_from_file(self, session: VISASession, filename: str, count: int) -> tuple[int, StatusCode]:
        """Send what a file holds, at most `count` bytes."""
        try:
            data = Path(filename).read_bytes()[:count]
        except OSError:
            self._refuse(session, StatusCode.error_file_access)
        return self.write(session, data)

    def status_description(self, session: VISASession, status: StatusCode) -> tuple[str, StatusCode]:
        """What a status means."""
        abbreviation, text = errors.completion_and_error_messages.get(
            int(status), ("VI_WARN_UNKNOWN_STATUS", "The status code passed to the operation could not be interpreted.")
        )
        return f"{abbreviation}: {text}", StatusCode.success

    def gpib_control_ren(self, session: VISASession, mode: RENLineOperation) -> StatusCode:
        """Remember the state of REN; simulated instruments listen in any state."""
        found = self._any_session(session)
        if found.is_stream:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        found.set_remote_enabled(mode not in _RELEASED)
        return self._note(session, StatusCode.success)

    def _board_session(self, session: int) -> Session:
        found = self._any_session(session)
        if not found.is_interface:
            self._refuse(session, StatusCode.error_nonsupported_operation)
        return found

    def gpib_send_ifc(self, session: VISASession) -> StatusCode:
        """Pulse IFC on the board of an INTFC session: a hung bus works again."""
        found = self._board_session(session)
        with found.bench.lock:
            self._board(found).interface_clear()
        return self._note(session, StatusCode.success)

    def gpib_command(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send command bytes: addressing, group execute trigger, device clear."""
        found = self._board_session(session)
        with found.bench.lock:
            self._board(found).command(data)
        return len(data), self._note(session, StatusCode.success)

    def gpib_control_atn(self, session: VISASession, mode: ATNLineOperation) -> StatusCode:
        """Assert or release ATN."""
        found = self._board_session(session)
        self._board(found).control_attention(ATNLineOperation(mode))
        return self._note(session, StatusCode.success)

    def gpib_pass_control(self, session: VISASession, primary_address: int, secondary_address: int) -> StatusCode:
        """Give up control of the bus, until IFC."""
        found = self._board_session(session)
        self._board(found).pass_control()
        return self._note(session, StatusCode.success)
