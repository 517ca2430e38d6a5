"""A run whose process ends at once, without a word, in the middle of a visit: resumed, it has everything once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mtjlab.ledger_rows import DieState
from mtjlab.store import open_run

from .wafer_rig import PLACES, Rig, quick

DIES = PLACES[:3]
KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from wafer_rig import Rig, quick
rig = quick(Rig(Path(sys.argv[2]), places=[(0, 0), (1, 0), (2, 0)]))
count = rig.count
def dying(what):
    count(what)
    if what == sys.argv[3] and rig.counts[what] == int(sys.argv[4]):
        os._exit(9)
rig.count = dying
rig.run()
"""


@pytest.mark.parametrize(("what", "number", "done"), [("move", 4, 1), ("bench", 3, 2)])
def test_a_killed_run_goes_on_at_the_die_where_it_was(
    make_rig: Callable[..., Rig], what: str, number: int, done: int
) -> None:
    rig = quick(make_rig(places=DIES))
    given = [str(Path(__file__).parent), str(rig.folder), what, str(number)]
    assert subprocess.run([sys.executable, "-c", KILLED, *given], check=False).returncode == 9
    with open_run(rig.run_folder) as run:
        assert run.state == "open"
        assert [row.state for row in run.dies()].count(DieState.DONE) == done
        before = run.figures()
    outcome = rig.run()
    assert outcome.state == "complete"
    assert [place[:2] for place in rig.prober.touched] == DIES[done:]
    with open_run(rig.run_folder) as run:
        interrupted = [visit for visit in run.attempts() if visit.state != DieState.DONE]
        assert [visit.reason.startswith("interrupted while") for visit in interrupted] == [True]
        assert {row.state for row in run.dies()} == {DieState.DONE} and run.problems() == []
        assert before.items() <= run.figures().items()
