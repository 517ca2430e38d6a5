"""A QCoDeS VisaInstrument whose communication faults name the instrument and the remedy, and which counts messages."""

from __future__ import annotations

import contextlib
import re
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyvisa
from qcodes.instrument import VisaInstrument, VisaInstrumentKWArgs
from qcodes.utils import DelayedKeyboardInterrupt

from mtjlab.errors import InstrumentError
from mtjlab.roles import Identity

if TYPE_CHECKING:
    from typing_extensions import Unpack

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
"""A number as instruments write it: "nan", "inf" and "1_0", which Python would take for numbers as well, are none."""
WATCH = "*ESE 1;*OPC"
"""Sets a status bit that stays until the power fails: `check_status` looks for it."""
TSP_WATCH = "status.standard.enable = status.standard.OPC opc()"
"""The same for an instrument that is told so in Lua."""
_ERROR_AVAILABLE, _EVENT_SUMMARY = 1 << 2, 1 << 5
"""Bits of the status byte: IEEE 488.2 for the latter, SCPI-99 and the manuals of the 2400 and 2600B for the former."""
_STREAMS = (pyvisa.resources.TCPIPSocket, pyvisa.resources.SerialInstrument)
"""Interfaces without a serial poll."""
_LOST = (
    pyvisa.constants.StatusCode.error_connection_lost,
    pyvisa.constants.StatusCode.error_invalid_object,
    pyvisa.constants.StatusCode.error_io,
)


class CheckedVisa(VisaInstrument):
    """Common ground of our drivers.

    After an answer that did not come, or came spoilt, a device clear goes before the next message: a late answer must
    not be taken for that to another question.

    Attributes:
        writes, queries: messages sent so far, without and with a reply.
        encoding: of its answers.
        is_watched: whether it has been told `WATCH`, so that `check_status` can tell whether its power failed.
    """

    default_timeout = 10.0
    encoding = "ascii"

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        self.writes = 0
        self.queries = 0
        self.is_watched = False
        self._is_in_step = True
        self._library = kwargs.get("visalib")
        self._resource = str(address)
        try:
            super().__init__(name, address, **kwargs)
        except pyvisa.errors.VisaIOError as error:
            raise InstrumentError(
                f"does not answer ({error.abbreviation})",
                where=f"{name} ({address})",
                remedy="Check that it is switched on, its cable, and its address in the station file",
            ) from error
        self._resource = str(self.address)  # a session that was lost knows neither of these
        self._terminator = self.visa_handle.read_termination

    @property
    def returns_early(self) -> bool:
        """Whether a write may return before the instrument has the message: it may, on networks and serial lines."""
        return self._resource.upper().startswith(("TCPIP", "ASRL"))

    def write_raw(self, cmd: str) -> None:
        """Send a message; raises InstrumentError if the instrument does not take it."""
        self.writes += 1
        with self.exchange(cmd):
            super().write_raw(cmd)

    def ask_raw(self, cmd: str) -> str:
        """Send a message and read the reply; raises InstrumentError if none comes in time, or only a part of it."""
        self.queries += 1
        self.visa_log.debug("Querying: %s", cmd)
        with self.exchange(cmd), DelayedKeyboardInterrupt(context={"instrument": self.name, "reason": "ask"}):
            self.visa_handle.write(cmd)
            return self.read_line(cmd)

    def read_line(self, cmd: str) -> str:
        """The answer to `cmd` up to its terminator; raises InstrumentError if that is missing."""
        end = self.visa_handle.read_termination or ""
        line = self.visa_handle.read_raw().decode(self.encoding)
        if not line.endswith(end):
            raise self._not_understood(cmd, line)
        return line.removesuffix(end)

    @contextlib.contextmanager
    def exchange(self, cmd: str) -> Iterator[None]:
        """Around everything that is sent and read: faults of the bus are told as InstrumentError."""
        self._get_in_step()
        self._is_in_step = False
        try:
            yield
        except pyvisa.errors.Error as error:
            raise self._fault(cmd, error) from error
        except UnicodeDecodeError as error:
            raise self._not_understood(cmd, repr(error.object[:40])) from error
        self._is_in_step = True

    def _get_in_step(self) -> None:
        if not self._is_in_step:
            self.recover()

    def identify(self, *known: str) -> Identity:
        """Ask what it is; raises InstrumentError if it does not answer, or if its model contains none of `known`."""
        reply = self.ask("*IDN?")
        parts = [part.strip() for part in reply.split(",", 3)]
        if len(parts) != 4:
            raise self._not_understood("*IDN?", reply)
        vendor, model, serial, firmware = parts
        model = re.sub(r"^model\s+", "", model, flags=re.IGNORECASE)
        if not any(name in model.upper() for name in known):
            raise InstrumentError(
                f"is a '{vendor} {model}', expected one of {', '.join(known)}",
                where=self._where(),
                remedy="Correct the address or the driver in the station file",
            )
        self._confirm("*IDN?", reply)
        return Identity(vendor, model, serial, firmware)

    def ask_twice(self, cmd: str) -> str:
        """Ask for what nothing else would tell to be wrong; raises InstrumentError if it is not the same twice."""
        reply = self.ask(cmd)
        self._confirm(cmd, reply)
        return reply

    def _confirm(self, cmd: str, reply: str) -> None:
        again = self.ask(cmd)
        if again != reply:
            raise self._not_understood(cmd, f"{reply}' and then '{again}")

    def ask_number(self, cmd: str) -> float:
        """Ask for one number; raises InstrumentError if the reply is none."""
        reply = self.ask(cmd)
        found = number(reply)
        if found is None:
            raise self._not_understood(cmd, reply)
        return found

    def ask_flag(self, cmd: str) -> bool:
        """Ask for something that is 0 or 1, false or true; raises InstrumentError if the reply is neither."""
        reply = self.ask(cmd)
        found = flag(reply)
        if found is None:
            raise self._not_understood(cmd, reply)
        return found

    def check_status(self) -> None:
        """A serial poll; raises InstrumentError if it has an error to report, or lost its power since `prepare`."""
        if not self.is_watched:
            return
        status = self._status_byte()
        if status & _ERROR_AVAILABLE:
            self.check_errors()
        if not status & _EVENT_SUMMARY:
            self.is_watched = False
            raise InstrumentError(
                "has lost its power since it was prepared, and with it its settings",
                where=self._where(),
                remedy="Check its mains lead and start anew; what was just measured does not count",
            )

    @abstractmethod
    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting it if there was anything."""

    def _status_byte(self) -> int:
        if isinstance(self.visa_handle, _STREAMS):
            return int(self.ask_number("*STB?"))
        with self.exchange("serial poll"):
            return self.visa_handle.read_stb()

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """For a while, wait `seconds` longer for an answer than usual."""
        self._get_in_step()
        before = self.visa_handle.timeout
        self.visa_handle.timeout = before + seconds * 1e3
        try:
            yield
        finally:
            with contextlib.suppress(pyvisa.errors.Error):  # a session that was lost has no timeout to set back
                self.visa_handle.timeout = before

    def recover(self) -> None:
        """Device clear: abort what it is doing, so that it listens again.

        A session that was lost is opened anew, and so is one over a socket, which knows no device clear.
        """
        self._is_in_step = True
        if isinstance(self.visa_handle, pyvisa.resources.TCPIPSocket):
            self.reopen()
            return
        try:
            self.visa_handle.clear()
        except pyvisa.errors.InvalidSession:
            self.reopen()
        except pyvisa.errors.VisaIOError as error:
            if error.error_code not in _LOST:
                raise self._fault("device clear", error) from error
            self.reopen()

    def reopen(self) -> None:
        """Open the session anew after it was lost; settings are those that the instrument has by then."""
        seconds = self.timeout.cache.get(get_if_invalid=False)
        with contextlib.suppress(pyvisa.errors.Error):  # a session that is gone cannot be closed
            self.visa_handle.close()
        self._is_in_step = True
        try:
            self.set_address(self._resource, self._library)
        except pyvisa.errors.Error as error:
            raise InstrumentError(
                f"cannot be opened again ({_in_words(error)})",
                where=self._where(),
                remedy="Check that it is switched on, and its cable",
            ) from error
        self.set_terminator(self._terminator)
        self.timeout(self.default_timeout if seconds is None else seconds)

    def _fault(self, cmd: str, error: pyvisa.errors.Error) -> InstrumentError:
        timed_out = getattr(error, "error_code", None) == pyvisa.constants.StatusCode.error_timeout
        what = f"did not answer '{cmd}'" if timed_out else f"failed at '{cmd}' ({_in_words(error)})"
        return InstrumentError(
            what,
            where=self._where(),
            remedy="Look at its front panel and its bus cable; switch its output off by hand if it is lit",
        )

    def _not_understood(self, cmd: str, reply: str) -> InstrumentError:
        return InstrumentError(
            f"answered '{cmd}' with '{reply[:80]}', which cannot be understood",
            where=self._where(),
            remedy="Check the bus cable and that no other program talks to it",
        )

    def _where(self) -> str:
        return f"{self.name} ({self._resource})"


def number(text: str) -> float | None:
    """The number that a reply is; None if it is none."""
    return float(text) if NUMBER.fullmatch(text.strip()) else None


def flag(text: str) -> bool | None:
    """Whether a reply is 1 or true, 0 or false; None if it is neither."""
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    found = number(text)
    return bool(found) if found in (0.0, 1.0) else None


def _in_words(error: pyvisa.errors.Error) -> str:
    return str(getattr(error, "abbreviation", type(error).__name__))
