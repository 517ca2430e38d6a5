"""A QCoDeS VisaInstrument whose communication faults name the instrument and the remedy, and which counts messages."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyvisa
from qcodes.instrument import VisaInstrument, VisaInstrumentKWArgs

from mtjlab.errors import InstrumentError
from mtjlab.roles import Identity

if TYPE_CHECKING:
    from typing_extensions import Unpack


class CheckedVisa(VisaInstrument):
    """Common ground of our drivers.

    Attributes:
        writes, queries: messages sent so far, without and with a reply.
    """

    default_timeout = 10.0

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        self.writes = 0
        self.queries = 0
        self._library = kwargs.get("visalib")
        try:
            super().__init__(name, address, **kwargs)
        except pyvisa.errors.VisaIOError as error:
            raise InstrumentError(
                f"does not answer ({error.abbreviation})",
                where=f"{name} ({address})",
                remedy="Check that it is switched on, its cable, and its address in the station file",
            ) from error

    def write_raw(self, cmd: str) -> None:
        """Send a message; raises InstrumentError if the instrument does not take it."""
        self.writes += 1
        try:
            super().write_raw(cmd)
        except pyvisa.errors.VisaIOError as error:
            raise self._fault(cmd, error) from error

    def ask_raw(self, cmd: str) -> str:
        """Send a message and read the reply; raises InstrumentError if none comes in time."""
        self.queries += 1
        try:
            return super().ask_raw(cmd)
        except pyvisa.errors.VisaIOError as error:
            raise self._fault(cmd, error) from error
        except UnicodeDecodeError as error:
            raise self._not_understood(cmd, repr(error.object[:40])) from error

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
        return Identity(vendor, model, serial, firmware)

    def ask_number(self, cmd: str) -> float:
        """Ask for one number; raises InstrumentError if the reply is none."""
        reply = self.ask(cmd)
        try:
            return float(reply)
        except ValueError as error:
            raise self._not_understood(cmd, reply) from error

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """For a while, wait `seconds` longer for an answer than usual."""
        before = self.visa_handle.timeout
        self.visa_handle.timeout = before + seconds * 1e3
        try:
            yield
        finally:
            with contextlib.suppress(pyvisa.errors.Error):  # a session that was lost has no timeout to set back
                self.visa_handle.timeout = before

    def recover(self) -> None:
        """Device clear: abort what it is doing, so that it listens again."""
        try:
            self.visa_handle.clear()
        except pyvisa.errors.VisaIOError as error:
            raise self._fault("device clear", error) from error

    def reopen(self) -> None:
        """Open the session anew after it was lost; settings are those that the instrument has by then."""
        address, terminator = self.address, self.visa_handle.read_termination  # a closed session knows neither
        with contextlib.suppress(pyvisa.errors.Error):  # a session that is gone cannot be closed
            self.visa_handle.close()
        try:
            self.set_address(str(address), self._library)
        except pyvisa.errors.VisaIOError as error:
            raise InstrumentError(
                f"cannot be opened again ({error.abbreviation})",
                where=f"{self.name} ({address})",
                remedy="Check that it is switched on, and its cable",
            ) from error
        self.set_terminator(terminator)
        self.timeout(self.default_timeout)

    def _fault(self, cmd: str, error: pyvisa.errors.VisaIOError) -> InstrumentError:
        timed_out = error.error_code == pyvisa.constants.StatusCode.error_timeout
        what = f"did not answer '{cmd}'" if timed_out else f"failed at '{cmd}' ({error.abbreviation})"
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
        return f"{self.name} ({self.address})"
