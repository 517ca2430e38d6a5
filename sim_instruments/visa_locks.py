"""VISA locks: which session may use a resource while others are kept out (VPP-4.3, section 3.6)."""

from __future__ import annotations

from pyvisa.constants import AccessModes, StatusCode


class _Lock:
    def __init__(self) -> None:
        self.exclusive: int | None = None
        self.depth = 0
        self.sharing: dict[int, int] = {}
        self.key = ""


class Locks:
    """Exclusive and shared locks on the resources of one bench; waiting for a lock fails at once, never sleeps."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}
        self._made_keys = 0

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

    def acquire(self, address: str, session: int, mode: AccessModes, key: str | None) -> tuple[str, StatusCode]:
        """Lock a resource; returns the access key (empty for an exclusive lock) and the status."""
        lock = self._locks.setdefault(address, _Lock())
        if mode == AccessModes.exclusive_lock:
            return "", self._acquire_exclusive(lock, session)
        if lock.exclusive not in (None, session) or (lock.sharing and key is not None and key != lock.key):
            return "", StatusCode.error_resource_locked
        if lock.sharing and session not in lock.sharing and key is None:
            return "", StatusCode.error_resource_locked
        if not lock.sharing:
            self._made_keys += 1
            lock.key = key or f"mtjlab-{self._made_keys}"
        is_nested = session in lock.sharing
        lock.sharing[session] = lock.sharing.get(session, 0) + 1
        return lock.key, StatusCode.success_nested_shared if is_nested else StatusCode.success

    @staticmethod
    def _acquire_exclusive(lock: _Lock, session: int) -> StatusCode:
        others = set(lock.sharing) - {session}
        if lock.exclusive not in (None, session) or others:
            return StatusCode.error_resource_locked
        is_nested = lock.exclusive == session
        lock.exclusive = session
        lock.depth += 1
        return StatusCode.success_nested_exclusive if is_nested else StatusCode.success

    def release(self, address: str, session: int) -> StatusCode:
        """Give back one lock, an exclusive one first; returns the status."""
        lock = self._locks.get(address)
        if lock is None or (lock.exclusive != session and session not in lock.sharing):
            return StatusCode.error_session_not_locked
        if lock.exclusive == session:
            lock.depth -= 1
            if lock.depth == 0:
                lock.exclusive = None
        else:
            lock.sharing[session] -= 1
            if lock.sharing[session] == 0:
                del lock.sharing[session]
        self._forget_if_free(address, lock)
        return StatusCode.success

    def drop(self, address: str, session: int) -> None:
        """Give back every lock of a session that is being closed."""
        lock = self._locks.get(address)
        if lock is None:
            return
        if lock.exclusive == session:
            lock.exclusive, lock.depth = None, 0
        lock.sharing.pop(session, None)
        self._forget_if_free(address, lock)

    def _forget_if_free(self, address: str, lock: _Lock) -> None:
        if lock.exclusive is None and not lock.sharing:
            del self._locks[address]
