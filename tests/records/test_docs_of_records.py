"""The examples of the reference page run one after the other, in a folder of their own."""

import re
from pathlib import Path

import pytest

from mtjlab.store import open_run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "records.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree, not only the wheel")
def test_the_examples_record_read_bin_and_list_a_wafer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    names: list[dict[str, object]] = []
    for block in blocks:
        names.append({})
        exec(block, names[-1])  # the documentation's own examples
    assert dict(names[1]["wafer"].sizes) == {"die": 6, "kernel": 1, "row": 4, "col": 5}  # type: ignore[attr-defined]
    assert names[3]["table"].num_rows == 6  # type: ignore[attr-defined]
    with open_run(tmp_path / "runs" / "W07") as run:
        assert [row.hard_bin for row in run.dies()] == [1] * 6
        assert [each.name for each in run.binnings()] == ["limits C"]
