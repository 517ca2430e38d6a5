"""Every Python block of the how-to and explanation pages runs, as it stands, in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(page for part in ("how-to", "explanation") for page in (ROOT / "docs" / part).glob("*.md"))
BLOCKS = [
    (page, code)
    for page in PAGES
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize(("page", "code"), BLOCKS, ids=[page.stem for page, _ in BLOCKS])
def test_the_block_runs(page: Path, code: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.skipif(not PAGES, reason="needs the source tree, not only the wheel")
def test_the_showroom_page_lists_its_instruments_at_their_addresses() -> None:
    from mtjlab.sim_instruments.bench_file import load_bench_file
    from mtjlab.sim_instruments.simulated_bench import bench_path

    text = (ROOT / "docs" / "how-to" / "simulated-bench.md").read_text()
    loaded = load_bench_file(bench_path("showroom"))
    bench = loaded[0] if isinstance(loaded, tuple) else loaded
    for instrument in bench.instruments:
        number = re.sub(r"^(keithley|keysight|yokogawa)_", "", instrument.model).upper()
        row = next(line for line in text.splitlines() if f"{number} |" in line)
        assert f"`{instrument.address}`" in row
