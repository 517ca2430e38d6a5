"""A rig of its own for each test, whose safety is looked at when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .wafer_rig import Rig


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs; none of them may have moved in contact or under bias when the test ends."""
    made: list[Rig] = []

    def make(**given: Any) -> Rig:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Rig(**{"folder": folder, **given}))
        return made[-1]

    yield make
    for rig in made:
        assert rig.prober.incidents == []
        assert rig.live_moves == []
