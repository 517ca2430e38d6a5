"""A lock that two programs meet, and that ends with its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mtjlab.bench_lock import BenchLock, holder_of
from mtjlab.errors import InputError

ADDRESSES = ["GPIB0::24::INSTR", "TCPIP::127.0.0.1::5025::SOCKET"]
HOLD = """
import sys
from pathlib import Path
from mtjlab.bench_lock import BenchLock
with BenchLock(sys.argv[2:], Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path, *addresses: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *addresses], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline().strip() == "held"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def test_a_second_program_is_refused_and_told_who_holds_the_bench(tmp_path: Path) -> None:
    holder = hold(tmp_path, ADDRESSES[1])
    try:
        with pytest.raises(InputError, match=f"TCPIP.*process {holder.pid}") as caught, BenchLock(ADDRESSES, tmp_path):
            pass
        assert "mtjlab bench off" in str(caught.value)
        found = holder_of(ADDRESSES[1], tmp_path)
        assert found is not None and found.process == holder.pid and found.user and found.host
        assert holder_of(ADDRESSES[0], tmp_path) is None, "what was taken before the refusal was given back"
    finally:
        end(holder)


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    end(hold(tmp_path, *ADDRESSES))
    assert holder_of(ADDRESSES[0], tmp_path) is None
    with BenchLock(ADDRESSES, tmp_path):
        pass


def test_other_instruments_are_free(tmp_path: Path) -> None:
    with BenchLock(ADDRESSES[:1], tmp_path), BenchLock(ADDRESSES[1:], tmp_path):
        assert all(holder_of(address, tmp_path) is not None for address in ADDRESSES)
    assert all(holder_of(address, tmp_path) is None for address in ADDRESSES)


def test_a_damaged_note_still_names_the_lock(tmp_path: Path) -> None:
    with BenchLock(ADDRESSES[:1], tmp_path):
        (note,) = tmp_path.glob("*.json")
        note.write_text("{", encoding="utf-8")
        found = holder_of(ADDRESSES[0], tmp_path)
        assert found is not None and found.user == "somebody"
