"""VISA locks between sessions and between threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import pyvisa
from pyvisa.constants import AccessModes, StatusCode

SMU = "GPIB0::24::INSTR"


def fails(act: Callable[[], object]) -> StatusCode:
    with pytest.raises(pyvisa.VisaIOError) as caught:
        act()
    return StatusCode(caught.value.error_code)


def is_locked_out(unit: Any) -> bool:
    try:
        return bool(unit.query("*OPC?") != "1")
    except pyvisa.VisaIOError as error:
        assert error.error_code == StatusCode.error_resource_locked
        return True


def test_a_shared_lock_is_shared_by_its_key(open_resource: Any) -> None:
    first, second, third = (open_resource(SMU) for _ in range(3))
    key = first.lock()
    assert second.lock(requested_key=key) == key
    assert [is_locked_out(unit) for unit in (first, second, third)] == [False, False, True]
    assert third.lock_state == AccessModes.shared_lock
    with third.lock_context(requested_key=key) as shared:
        assert shared == key
        assert not is_locked_out(third)
    assert is_locked_out(third)
    second.unlock()
    assert [is_locked_out(unit) for unit in (first, second)] == [False, True]
    assert fails(lambda: second.lock(requested_key="another")) == StatusCode.error_resource_locked
    assert fails(second.lock) == StatusCode.error_resource_locked, "a key of its own"
    first.unlock()
    assert not is_locked_out(third)
    assert third.lock_state == AccessModes.no_lock
    assert fails(lambda: third.lock(requested_key="k" * 300)) == StatusCode.error_invalid_access_key


def test_who_shares_a_lock_may_exclude_the_others_for_a_while(open_resource: Any) -> None:
    first, second, third = (open_resource(SMU) for _ in range(3))
    second.lock(requested_key=first.lock())
    with first.lock_context():
        assert is_locked_out(second)
        assert first.lock_state == AccessModes.exclusive_lock
        assert fails(second.lock_excl) == StatusCode.error_resource_locked
    assert not is_locked_out(second)
    assert fails(third.lock_excl) == StatusCode.error_resource_locked, "it shares nothing"


def test_an_exclusive_lock_does_not_become_a_shared_one(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.lock_excl()
    assert fails(smu.lock) == StatusCode.error_resource_locked


def test_locks_are_nested(open_resource: Any) -> None:
    smu, other = open_resource(SMU), open_resource(SMU)
    library = smu.visalib
    smu.lock_excl()
    smu.lock_excl()
    assert smu.last_status == StatusCode.success_nested_exclusive
    assert library.unlock(smu.session) == StatusCode.success_nested_exclusive
    assert is_locked_out(other)
    assert library.unlock(smu.session) == StatusCode.success
    assert not is_locked_out(other)
    key = smu.lock()
    assert smu.lock() == key
    assert library.unlock(smu.session) == StatusCode.success_nested_shared
    assert library.unlock(smu.session) == StatusCode.success
    assert fails(smu.unlock) == StatusCode.error_session_not_locked


def test_a_resource_is_opened_locked(spec: str) -> None:
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    held = manager.open_resource(SMU, access_mode=AccessModes.exclusive_lock)
    again = lambda mode: manager.open_resource(SMU, access_mode=mode)  # noqa: E731
    assert fails(lambda: again(AccessModes.exclusive_lock)) == StatusCode.error_resource_locked
    assert fails(lambda: again(AccessModes.shared_lock)) == StatusCode.error_resource_locked
    assert len(manager.list_opened_resources()) == 1
    other: Any = again(AccessModes.no_lock)
    assert fails(lambda: other.write("*CLS")) == StatusCode.error_resource_locked
    held.unlock()
    with again(AccessModes.exclusive_lock) as second:
        assert is_locked_out(other)
        assert second.session != held.session
    assert fails(held.unlock) == StatusCode.error_session_not_locked
    other.write("*CLS")
    manager.close()


def test_a_lock_that_nobody_will_give_back_is_not_waited_for(open_resource: Any) -> None:
    smu, other = open_resource(SMU), open_resource(SMU)
    smu.lock_excl()
    assert fails(lambda: other.lock_excl(timeout=None)) == StatusCode.error_resource_locked, "its own thread holds it"
    smu.unlock()
    holder = threading.Thread(target=smu.lock_excl)
    holder.start()
    holder.join()
    assert fails(lambda: other.lock_excl(timeout=None)) == StatusCode.error_resource_locked, "the holder is gone"


def test_threads_wait_for_a_lock_in_turn(open_resource: Any) -> None:
    """Without the locks, the two messages of one thread would be torn apart by those of another."""
    wrong: list[str] = []
    units = [open_resource(SMU) for _ in range(4)]

    def work(unit: Any, mark: int) -> None:
        for _ in range(50):
            with unit.lock_context(timeout=60_000):
                unit.write(f"*ESE {mark}")
                answer = unit.query("*ESE?")
                if answer != str(mark):
                    wrong.append(answer)

    threads = [threading.Thread(target=work, args=(unit, k)) for k, unit in enumerate(units)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert units[0].lock_state == AccessModes.no_lock


def test_a_wait_for_a_lock_ends_with_its_timeout(open_resource: Any) -> None:
    smu, other = open_resource(SMU), open_resource(SMU)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with smu.lock_context():
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    assert fails(lambda: other.lock_excl(timeout=20)) == StatusCode.error_resource_locked
    done.set()
    thread.join()
    other.lock_excl(timeout=60_000)
