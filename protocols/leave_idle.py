"""Whatever ends a protocol, nothing is left on: the way out that all of them share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mtjlab.errors import MtjlabError
from mtjlab.roles import Crossbar


@contextmanager
def left_idle(*crossbars: Crossbar) -> Iterator[None]:
    """Levels at 0 V and outputs off once the inside has ended, by itself, by an interrupt or by a fault.

    All Crossbars are tried; the first fault is raised. What ended the inside is not replaced by what goes wrong while
    switching off because of it: the bench's own shutdown, which follows, reports that.
    """
    try:
        yield
    except BaseException:
        with suppress(MtjlabError):
            _all_idle(crossbars)
        raise
    _all_idle(crossbars)


def _all_idle(crossbars: tuple[Crossbar, ...]) -> None:
    if crossbars:
        try:
            crossbars[0].idle()
        finally:
            _all_idle(crossbars[1:])
