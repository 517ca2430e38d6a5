"""VISA locks: which session may use a resource while others are kept out (VPP-4.3, section 3.6).

A session waits, really, for a lock that a session of another thread holds. If nobody else could give it back, waiting
would be in vain, and it is refused at once.
"""

from __future__ import annotations

import threading
import time

from pyvisa.constants import AccessModes, StatusCode

LONGEST_KEY = 255
"""Characters of an access key (VI_FIND_BUFLEN, less the closing zero)."""


class _Lock:
    def __init__(self) -> None:
        self.exclusive: int | None = None
        self.depth = 0
        self.sharing: dict[int, int] = {}
        self.key = ""
        self.threads: dict[int, int] = {}

    @property
    def is_free(self) -> bool:
        return self.exclusive is None and not self.sharing

    def holders(self, session: int) -> set[int]:
        """Threads of the other sessions that hold it."""
        others = ({self.exclusive} | set(self.sharing)) - {None, session}
        return {self.threads[other] for other in others if other is not None}


class Locks:
    """Exclusive and shared locks on the resources of one bench."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}
        self._made_keys = 0
        self._changed = threading.Condition()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is locked."""
        return not self._locks

    def may_use(self, address: str, session: int) -> bool:
        """Whether this session may use the resource now."""
        lock = self._locks.get(address)
        if lock is None:
            return True
        if lock.exclusive is not None:
            return lock.exclusive == session
        return session in lock.sharing

    def state(self, address: str) -> AccessModes:
        """How the resource is locked."""
        lock = self._locks.get(address)
        if lock is None:
            return AccessModes.no_lock
        return AccessModes.shared_lock if lock.exclusive is None else AccessModes.exclusive_lock

    def acquire(
        self, address: str, session: int, mode: AccessModes, key: str | None, timeout_seconds: float = 0.0
    ) -> tuple[str, StatusCode]:
        """Lock a resource; returns the access key (empty for an exclusive lock) and the status.

        Args:
            key: of a shared lock; None or empty to have one made.
            timeout_seconds: how long to wait, really, while sessions of other threads hold the resource.
        """
        if key is not None and len(key) > LONGEST_KEY:
            return "", StatusCode.error_invalid_access_key
        end = time.monotonic() + timeout_seconds
        with self._changed:
            while True:
                made_key, status = self._try(address, session, mode, key or None)
                rest = end - time.monotonic()
                if status != StatusCode.error_resource_locked or rest <= 0 or not self._can_hope(address, session):
                    return made_key, status
                self._changed.wait(min(rest, threading.TIMEOUT_MAX))

    def _can_hope(self, address: str, session: int) -> bool:
        """Whether another thread, which still lives, can give the lock back."""
        alive = {thread.ident for thread in threading.enumerate()}
        holders = self._locks[address].holders(session)
        return bool(holders) and holders <= alive - {threading.get_ident()}

    def _try(self, address: str, session: int, mode: AccessModes, key: str | None) -> tuple[str, StatusCode]:
        lock = self._locks.setdefault(address, _Lock())
        is_exclusive = mode == AccessModes.exclusive_lock
        made_key, status = ("", self._exclude(lock, session)) if is_exclusive else self._share(lock, session, key)
        if status >= 0:
            lock.threads[session] = threading.get_ident()
        return made_key, status

    def _share(self, lock: _Lock, session: int, key: str | None) -> tuple[str, StatusCode]:
        is_nested = session in lock.sharing
        if lock.exclusive is not None and not (lock.exclusive == session and is_nested):
            return "", StatusCode.error_resource_locked  # nor may an exclusive lock become a shared one
        if lock.sharing and key != lock.key and not (is_nested and key is None):
            return "", StatusCode.error_resource_locked
        if not lock.sharing:
            self._made_keys += 1
            lock.key = key or f"mtjlab-{self._made_keys}"
        lock.sharing[session] = lock.sharing.get(session, 0) + 1
        return lock.key, StatusCode.success_nested_shared if is_nested else StatusCode.success

    @staticmethod
    def _exclude(lock: _Lock, session: int) -> StatusCode:
        """Who shares a lock may exclude the others for a while; who does not must wait until nobody shares it."""
        if lock.exclusive not in (None, session) or (lock.sharing and session not in lock.sharing):
            return StatusCode.error_resource_locked
        is_nested = lock.exclusive == session
        lock.exclusive = session
        lock.depth += 1
        return StatusCode.success_nested_exclusive if is_nested else StatusCode.success

    def release(self, address: str, session: int) -> StatusCode:
        """Give back one lock, an exclusive one first; the status says whether the session still has such locks."""
        with self._changed:
            lock = self._locks.get(address)
            if lock is None or (lock.exclusive != session and session not in lock.sharing):
                return StatusCode.error_session_not_locked
            status = self._release_one(lock, session)
            self._forget_if_free(address, lock)
            return status

    @staticmethod
    def _release_one(lock: _Lock, session: int) -> StatusCode:
        if lock.exclusive == session:
            lock.depth -= 1
            if lock.depth:
                return StatusCode.success_nested_exclusive
            lock.exclusive = None
            return StatusCode.success_nested_shared if session in lock.sharing else StatusCode.success
        lock.sharing[session] -= 1
        if lock.sharing[session]:
            return StatusCode.success_nested_shared
        del lock.sharing[session]
        return StatusCode.success

    def drop(self, address: str, session: int) -> None:
        """Give back every lock of a session that is being closed."""
        with self._changed:
            lock = self._locks.get(address)
            if lock is None:
                return
            if lock.exclusive == session:
                lock.exclusive, lock.depth = None, 0
            lock.sharing.pop(session, None)
            self._forget_if_free(address, lock)

    def _forget_if_free(self, address: str, lock: _Lock) -> None:
        if lock.is_free:
            del self._locks[address]
        self._changed.notify_all()
