"""Waits for an instrument's service request, so that nothing is polled while it is at work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pyvisa.constants import EventMechanism, EventType, StatusCode
from pyvisa.errors import VisaIOError

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource

_SLICE_SECONDS = 0.5
"""How long one wait in the VISA library lasts: in between, Ctrl-C is heard."""

Wait = Callable[[float], None]
"""Returns after a service request, or after so many seconds without one."""


@contextmanager
def service_requests(handle: MessageBasedResource) -> Iterator[Wait | None]:
    """Service requests are kept from now on; yields what waits for one, None if the interface has none (a socket).

    Waiting raises VisaIOError if the session is lost.
    """
    kind, queue = EventType.service_request, EventMechanism.queue
    try:
        handle.enable_event(kind, queue)
    except VisaIOError:
        yield None
        return
    try:
        handle.discard_events(kind, queue)
        yield lambda seconds: _wait(handle, seconds)
    finally:
        handle.disable_event(kind, queue)


def _wait(handle: MessageBasedResource, seconds: float) -> None:
    for _ in range(math.ceil(seconds / _SLICE_SECONDS)):
        try:
            handle.wait_on_event(EventType.service_request, int(_SLICE_SECONDS * 1000))
        except VisaIOError as error:
            if error.error_code != StatusCode.error_timeout:
                raise
        else:
            handle.read_stb()
            return
