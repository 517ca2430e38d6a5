"""Tells people elsewhere how a run fares: it is done, ended early, had an incident, waits. Off without an address.

An address is a URL of apprise (optional extra `notify`) and holds secrets: no text made here has any part of it but
the word before `://`. A message goes out in a thread of its own: it never delays a run, and whatever fails on the way
is counted and told at the end.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from types import ModuleType

Send = Callable[[str, str, str], bool]
"""Sends (address, title, body); returns whether it was taken."""

LIMIT_SECONDS = 10.0
"""So long the end of a run waits for messages that are still on their way (an assumption)."""
MOST_INCIDENTS = 5
"""Incidents of one run that are told one by one (an assumption): a phone that never stops is not looked at."""
_THREAD = "mtjlab-notify"


class Event(StrEnum):
    """What people may want to be told."""

    DONE = "done"
    STOPPED = "stopped"
    INCIDENT = "incident"
    WAITING = "waiting"


@dataclass(frozen=True)
class Message:
    """What is told.

    Attributes:
        headline: in a few words.
        run: its name and folder.
        die: which it is about; "" for the run as a whole.
        reason: what happened, in words.
        wanted: what the person is to do; "" for nothing.
        where: machine and path.
    """

    event: Event
    headline: str
    run: str
    die: str = ""
    reason: str = ""
    wanted: str = ""
    where: str = ""

    @property
    def title(self) -> str:
        """One line."""
        return f"mtjlab: {self.headline}"

    @property
    def body(self) -> str:
        """A line for everything that is known."""
        lines = {"Run": self.run, "Die": self.die, "What happened": self.reason}
        lines |= {"What is wanted": self.wanted or "nothing", "Where": self.where}
        return "\n".join(f"{label}: {words}" for label, words in lines.items() if words)


class Notifier:
    """Sends messages to all addresses, each in a thread; nothing in here raises once it is made.

    Args:
        addresses: as `checked_addresses` has passed them; none: nothing is sent.
        about: which events are told.
        send: how.
        limit_seconds: so long `close` waits at most.
    """

    def __init__(
        self,
        addresses: Sequence[str] = (),
        about: Iterable[Event] = tuple(Event),
        *,
        send: Send | None = None,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        self._addresses, self._about = tuple(addresses), frozenset(about)
        self._send, self._limit = send or send_with_apprise, limit_seconds
        self._threads: list[threading.Thread] = []
        self._lost: list[bool] = []
        self._incidents = 0

    def tell(self, message: Message) -> None:
        """Send it, and return at once."""
        if message.event not in self._about:
            return
        if message.event is Event.INCIDENT:
            self._incidents += 1
            if self._incidents > MOST_INCIDENTS:
                return
        for address in self._addresses:
            thread = threading.Thread(
                target=self._sent, args=(address, message.title, message.body), name=_THREAD, daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def close(self) -> list[str]:
        """Wait for what is still on its way, with a limit in all; returns what did not work, in words."""
        until = time.monotonic() + self._limit
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        late, lost = sum(thread.is_alive() for thread in self._threads), len(self._lost)
        problems = []
        if lost:
            problems.append(f"{lost} of {len(self._threads)} notifications could not be sent: try the address alone")
        if late:
            problems.append(f"{late} of {len(self._threads)} notifications had not gone out after {self._limit:g} s")
        return problems

    def _sent(self, address: str, title: str, body: str) -> None:
        try:
            if not self._send(address, title, body):
                self._lost.append(True)
        except Exception:  # whatever a service throws is no reason for a run to be harmed
            self._lost.append(True)


def checked_addresses(addresses: Sequence[str], where: str) -> tuple[str, ...]:
    """The same; raises InputError, without the address itself, for one that apprise cannot use or if it is missing.

    Args:
        where: they stand, for the message.
    """
    if not addresses:
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some services load modules that newer Pythons lack
        apprise = _apprise()
        known = [apprise.Apprise.instantiate(address) is not None for address in addresses]
    if not all(known):
        number = known.index(False)
        raise InputError(
            f"notification address {number + 1} ({_kind(addresses[number])}) is none that apprise can use",
            where=where,
            remedy="Look its form up in apprise's list of services, for example mailto://user:password@host",
        )
    return tuple(addresses)


def send_with_apprise(address: str, title: str, body: str) -> bool:
    """Send one message to one address."""
    # not by way of Apprise.notify: its pool of threads is waited for at the end of the program, however slow a service
    service = _apprise().Apprise.instantiate(address)
    return bool(service and service.notify(body=body, title=title))


def _apprise() -> ModuleType:
    """The library, kept from logging addresses."""
    try:
        import apprise  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise InputError(
            "apprise is not installed, which sends notifications",
            remedy='Install it with: pip install -c constraints.txt ".[notify]", or give no address',
        ) from None
    for name in ("apprise", "urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_is_harmless)  # adding the same filter again changes nothing
    module: ModuleType = apprise
    return module


def _is_harmless(record: logging.LogRecord) -> bool:
    """Log lines of a sending thread, and all of apprise, may hold the address."""
    return record.name != "apprise" and record.threadName != _THREAD


def _kind(address: str) -> str:
    """The word before `://`, which says the service and is no secret."""
    found = re.match(r"([a-z][a-z0-9]{1,19})://", address, re.IGNORECASE)
    return f"{found[1]}://..." if found else "without a service like mailto:// before it"
