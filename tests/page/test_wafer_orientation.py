"""The wafer on the live page lies as it lies on the chuck: y may grow downwards, x to the left."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtjlab import page_views
from mtjlab.map_frame import MapFrame
from mtjlab.map_transform import Axes
from mtjlab.provenance import Provenance
from mtjlab.records import RunStore

from .page_wafer import PLAN

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "msedge"))), None)
SCRIPT = Path(page_views.__file__).parent / "page" / "wafer.js"
LAY = """(signs) => {
  const place = document.createElement("div");
  document.body.append(place);
  const wafer = new Wafer(place, () => {});
  wafer.lay([[0, 0], [1, 0], [0, 1]].map(([x, y]) => ({ x, y })), signs);
  place.querySelector("button").focus();
  return [...place.children].map((die) => [parseFloat(die.style.left), parseFloat(die.style.top)]);
}"""


@pytest.mark.parametrize(("frame", "signs"), [(None, [1, 1]), (MapFrame("DR"), [1, -1]), (MapFrame("UL"), [-1, 1])])
def test_the_page_is_told_where_the_numbers_grow(tmp_path: Path, frame: MapFrame | None, signs: list[int]) -> None:
    RunStore.create(tmp_path / "run", replace(PLAN, frame=frame), Provenance()).leave()
    assert page_views.whole(tmp_path / "run")["fixed"]["signs"] == signs


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_dies_and_arrow_keys_follow_them() -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        axes: Axes
        for axes in ("UR", "UL", "DR", "DL"):
            page: Any = browser.new_page()
            script = SCRIPT.read_text(encoding="utf-8").replace("export class Wafer", "window.Wafer = class Wafer")
            page.add_script_tag(content=script)
            right, up = MapFrame(axes).signs
            home, beside, above = page.evaluate(LAY, [right, up])
            assert (beside[0] - home[0]) * right > 0 and beside[1] == home[1]
            assert (above[1] - home[1]) * up < 0 and above[0] == home[0]
            page.keyboard.press("ArrowRight" if right > 0 else "ArrowLeft")
            assert page.evaluate("[document.activeElement.dataset.x, document.activeElement.dataset.y]") == ["1", "0"]
            page.close()
        browser.close()
