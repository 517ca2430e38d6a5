"""What README and docs say is run: commands, links, the Python example, the files they name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
in_checkout = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree, not only the wheel")


def block(marker: str) -> str:
    """The fenced block after the README's marker comment."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, marker
    return found[1].strip()


@pytest.mark.parametrize("marker", ["main", "tests"])
def test_each_command_is_one_line_that_needs_only_python(marker: str) -> None:
    command = block(marker)
    assert "\n" not in command
    assert command.startswith("python3 -m venv .venv && .venv/bin/python -m pip install -q -c constraints.txt -e ")
    assert "://" not in command


@pytest.mark.parametrize("marker", ["main", "tests"])
def test_the_powershell_line_does_the_same(marker: str) -> None:
    shell, power = block(marker), block(f"{marker}-powershell")
    extras = re.search(r'-e "(.*?)"', shell)
    assert extras and extras[0] in power
    assert shell.split("/")[-1].split()[1:] == power.split("\\")[-1].split()[1:]


def test_the_main_command_is_a_command_of_mtjlab() -> None:
    words = block("main").split("&&")[-1].split()
    assert words[0] == ".venv/bin/mtjlab"
    helped = subprocess.run(
        [sys.executable, "-m", "mtjlab", *words[1:], "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0
    for option in re.findall(r"mtjlab demo (--[a-z-]+)", README):
        assert option in helped.stdout


def test_the_python_example_runs_and_reads_a_current() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", block("example")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    identity, reading = (line for line in done.stdout.splitlines() if line)
    assert "MODEL 2400" in identity
    assert len(reading.split(",")) == 5


@in_checkout
@pytest.mark.parametrize(
    "page", [*sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md")), "README.md"]
)
def test_every_link_in_the_docs_leads_to_a_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


@in_checkout
def test_the_constraints_pin_every_dependency() -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    for requirement in wanted:
        assert re.split(r"[<>=~!\[]", requirement)[0].lower() in pinned, requirement


@in_checkout
def test_the_example_that_reads_a_map_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from mtjlab.nouns import ArrayMap, Conditions

    (tmp_path / "maps").mkdir()
    ones = np.ones((2, 3))
    small = np.ones((2, 3), dtype=np.int8)
    ArrayMap(ones, 2 * ones, ones, small, small, 0 * ones, Conditions(0.1)).save(tmp_path / "maps" / "both_states.npz")
    text = (ROOT / "docs/reference/files.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code[1], names)  # the documentation's own example
    assert np.array_equal(names["siemens_p"], 2 * ones)
    assert names["header"]["conditions"]["read_volts"] == 0.1


@in_checkout
def test_the_benchmarks_are_listed() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert {"dies", "wires"} <= {line.split()[0] for line in done.stdout.splitlines()}
