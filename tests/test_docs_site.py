"""The documentation as a site: every page is in the navigation; it builds without a warning and without the network."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
PAGES = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
pytestmark = pytest.mark.skipif(not PAGES, reason="needs the source tree, not only the wheel")


def pages_of(entry: object) -> Iterator[str]:
    """Every page below an entry of the navigation."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for below in entry.values():
            yield from pages_of(below)
    elif isinstance(entry, list):
        for below in entry:
            yield from pages_of(below)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(pages_of(YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(listed) == sorted(PAGES)


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs mkdocs: the extra 'docs' or 'test'")
def test_the_site_builds_without_a_warning_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in PAGES:
        html = (tmp_path / page).with_suffix(".html").read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//", html), page
        assert not re.findall(r"<link[^>]*rel=\"(?:stylesheet|icon)\"[^>]*href=\"(?:https?:)?//", html), page


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", index))
    assert PAGES - linked == {"index.md"}
