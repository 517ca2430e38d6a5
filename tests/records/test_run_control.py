"""The command channel of a run: what is said, what is asked, who may ask, and that nothing of it can harm the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtjlab.errors import InputError
from mtjlab.run_control import CONTROL, LEASE_SECONDS, LIVE, Action, ControlDesk, NotInControl, RunChannel


class Clock:
    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def test_what_the_run_says_is_read_until_it_ends(tmp_path: Path) -> None:
    desk = ControlDesk(tmp_path)
    assert desk.status() == {}
    channel = RunChannel(tmp_path)
    channel.publish(doing="probing dies", done=3, total=36)
    said = desk.status()
    assert (said["phase"], said["doing"], said["done"], said["is_live"]) == ("running", "probing dies", 3, True)
    channel.close()
    assert (desk.status()["phase"], desk.status()["is_live"]) == ("ended", False)
    assert channel.problems == []


def test_a_run_that_died_is_not_live_although_it_said_running(tmp_path: Path) -> None:
    channel = RunChannel(tmp_path)
    channel._alive.release()  # what the system does with the lock of a dead process
    assert (ControlDesk(tmp_path).status()["phase"], ControlDesk(tmp_path).is_live()) == ("running", False)


def test_requests_arrive_in_order_once_with_who_made_them(tmp_path: Path) -> None:
    channel, desk = RunChannel(tmp_path), ControlDesk(tmp_path)
    assert channel.take() == []
    token = desk.take_controls("Ada")
    desk.request(token, Action.PAUSE)
    desk.request(token, Action.SKIP, (3, -4))
    first, second = channel.take()
    assert (first.action, first.die, first.name) == (Action.PAUSE, None, "Ada")
    assert (second.action, second.die) == (Action.SKIP, (3, -4))
    assert channel.take() == []
    desk.request(token, Action.ABORT)
    assert [each.action for each in channel.take()] == [Action.ABORT]
    channel.answer(second, "left out")
    assert desk.status()["answers"] == [[second.seq, "left out"]]
    channel.close()


def test_what_was_asked_of_an_earlier_run_is_not_done_by_the_next(tmp_path: Path) -> None:
    before, desk = RunChannel(tmp_path), ControlDesk(tmp_path)
    token = desk.take_controls("Ada")
    desk.request(token, Action.ABORT)
    before.close()
    after = RunChannel(tmp_path)
    assert after.take() == []
    after.close()
    with pytest.raises(InputError, match="no run is going on"):
        desk.request(token, Action.PAUSE)


def test_one_has_the_controls_until_they_are_given_back_or_lapse(tmp_path: Path) -> None:
    clock = Clock()
    channel, desk, other = RunChannel(tmp_path), ControlDesk(tmp_path, clock), ControlDesk(tmp_path, clock)
    token = desk.take_controls("Ada")
    assert other.controller() == "Ada"
    with pytest.raises(NotInControl, match="Ada has the controls"):
        other.take_controls("Bob")
    with pytest.raises(NotInControl):
        other.request("guessed", Action.ABORT)
    desk.release(token)
    bobs = other.take_controls("Bob")
    with pytest.raises(NotInControl):
        desk.request(token, Action.ABORT)
    clock.seconds += LEASE_SECONDS / 2
    other.renew(bobs)
    clock.seconds += LEASE_SECONDS - 1
    with pytest.raises(NotInControl, match="Bob"):
        desk.take_controls("Ada")
    clock.seconds += 2
    with pytest.raises(NotInControl, match="lapsed"):
        other.request(bobs, Action.ABORT)
    assert desk.controller() is None
    desk.take_controls("Ada")
    assert channel.take() == []
    channel.close()


@pytest.mark.parametrize("name", [CONTROL, LIVE])
def test_a_spoilt_channel_harms_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no database at all" * 99)
    channel = RunChannel(tmp_path)
    channel.publish(doing="probing dies")
    assert channel.take() == []
    channel.close()
    assert channel.problems
