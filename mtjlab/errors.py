"""What can go wrong, in words for the person at the bench: what, where, and what to do about it."""

from __future__ import annotations


class MtjlabError(Exception):
    """A fault mtjlab can explain.

    Args:
        what: what was wrong.
        where: the file, key or instrument it was found at; empty if nowhere in particular.
        remedy: what the operator can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        message = f"{where}: {what}" if where else what
        self._message = f"{message}. {remedy}" if remedy else message
        super().__init__(self._message)

    def __str__(self) -> str:
        return self._message  # QCoDeS appends its own context to `args`, which would show as a tuple


class InputError(MtjlabError):
    """Something a person wrote (a file, an option) cannot be used; nothing has been switched on."""


class LimitError(InputError):
    """A request would expose a device to more than its limits allow; it was refused before anything was sent."""


class BudgetError(LimitError):
    """A cell has had all the pulses it may get in one run."""


class InstrumentError(MtjlabError):
    """An instrument did not answer, answered with an error, or is not what was expected."""


class RecordError(MtjlabError):
    """Something could not be kept on disk or read back; what was reported as saved before it still is."""
