"""The page in a real browser, in six states: idle, running, paused, fault, finished, resumed.

With MTJLAB_SCREENSHOTS=docs/page the pictures of the documentation are written anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from mtjlab.bench_lock import BenchLock  # noqa: E402
from mtjlab.records import RunStore  # noqa: E402
from mtjlab.run_control import Action, RunChannel  # noqa: E402

from .page_wafer import DIES, TOKEN, WAFER, SteadyClock, create, probe, serving  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "msedge"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
PICTURES = os.environ.get("MTJLAB_SCREENSHOTS")
BIG: dict[str, Any] = {"kernels": 32, "side": 25} if PICTURES else {"kernels": 2, "side": 5}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page on the runs in `tmp_path`; whatever the page complains of fails the test."""
    complaints: list[str] = []
    with serving(tmp_path) as address:
        contexts = []

        def open_page(**context: Any) -> Any:
            options = {"viewport": {"width": 1280, "height": 1000}, "locale": "en-GB", "timezone_id": "UTC"} | context
            contexts.append(browser.new_context(**options))
            page = contexts[-1].new_page()
            page.set_default_timeout(8000)
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{address}/?token={TOKEN}")
            return page

        yield open_page
        for context in contexts:
            context.close()
    assert complaints == []


@pytest.fixture
def run(tmp_path: Path) -> Iterator[tuple[RunStore, RunChannel]]:
    """Five dies are done, the sixth is being measured."""
    store = create(tmp_path / "run")
    channel = RunChannel(tmp_path / "run")
    for die in DIES[:14]:
        probe(store, die, **BIG)
    probe(store, DIES[14], **BIG, ends=False)
    channel.publish(doing="probing dies", done=14, total=36, bench={"board": "on"})
    yield store, channel
    channel.close()
    store.leave()


def picture(page: Any, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.wait_for_load_state("load")
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


def expect(page: Any, selector: str, text: str) -> None:
    sync_api.expect(page.locator(selector)).to_contain_text(text)


def test_idle(opened: Callable[..., Any], tmp_path: Path) -> None:
    store = create(tmp_path / "run")
    for die in DIES:
        probe(store, die)
    store.close()
    page = opened()
    expect(page, "#idle", "Nothing is running")
    expect(page, "#free", "No program of this machine holds an instrument")
    expect(page, "#list", "36 of 36")
    expect(page, "#messages .incident >> nth=0", f"{WAFER}, die (")
    expect(page, "#messages .incident >> nth=0", "no contact")
    page.check("#idle-incidents")
    assert page.locator("#messages li:visible").count() == page.locator("#messages li.incident").count() > 0
    page.uncheck("#idle-incidents")
    picture(page, "idle")


def test_idle_says_who_holds_the_instruments_and_for_which_run(
    opened: Callable[..., Any], run: tuple[RunStore, RunChannel], tmp_path: Path
) -> None:
    del run
    with BenchLock(["GPIB0::24::INSTR", "GPIB0::16::INSTR"], tmp_path / "locks"):
        page = opened()
        expect(page, "#count", "14 of 36")
        page.select_option("#runs", "")
        expect(page, "#idle-word", "A run is going on")
        expect(page, "#holders", "GPIB0::24::INSTR")
        expect(page, "#holders", f"process {os.getpid()}")
        expect(page, "#holders a", WAFER)
        if PICTURES:  # whoever makes the pictures is not what they show
            page.evaluate(
                "document.querySelectorAll('#holders td').forEach((td, k) => { "
                "if (k === 1) td.textContent = 'ada on bench-pc, process 4711'; "
                "if (k === 4) td.textContent = 'mtjlab run probe-wafer.yaml'; })"
            )
        picture(page, "bench")
        page.click("#holders a")
        expect(page, "#phase", "Running")
    page.select_option("#runs", "")
    expect(page, "#free", "No program")


def test_running_shows_wafer_die_cell_and_history(opened: Callable[..., Any], run: tuple[RunStore, RunChannel]) -> None:
    store, _ = run
    page = opened()
    expect(page, "#phase", "Running")
    expect(page, "#count", "14 of 36")
    expect(page, "#bench", "board on")
    assert re.fullmatch(r"\d+ min, till \d\d:\d\d", page.locator("#left").inner_text())
    assert page.locator("#wafer button").count() == 36
    failed = page.locator("#wafer .fails").all_inner_texts()
    assert failed and "1" not in failed and page.locator("#bins .fails").count() == 4
    marked = "getComputedStyle(document.querySelector('#wafer .fails')).backgroundImage"
    assert "gradient" in page.evaluate(marked)
    here = page.locator("#wafer .here")
    assert here.get_attribute("aria-label").startswith(f"Die {DIES[14].x}, {DIES[14].y}: measuring")
    page.locator(f'#wafer [data-x="{DIES[4].x}"][data-y="{DIES[4].y}"]').click()
    expect(page, "#die-name", f"Die ({DIES[4].x}, {DIES[4].y})")
    expect(page, "#pointed", "cells, read at 0.1 V")
    page.select_option("#quantity", "defects")
    expect(page, "#scale", "ok")
    page.locator("#map").press("ArrowRight")
    page.locator("#map").press("ArrowRight")
    page.locator("#map").press("Enter")
    expect(page, "#cell-name", "array 0, row 0, column 1")
    assert page.locator("#cell-rows tr").count() == 1
    page.select_option("#quantity", "siemens_p")
    page.evaluate("scrollTo(0, 0)")
    picture(page, "running")
    store.finish(DIES[14], 2, 20, "defects")
    expect(page, "#count", "15 of 36")
    expect(page, "#log", "done")


def test_paused_and_on_by_one_who_has_the_controls_while_another_watches(
    opened: Callable[..., Any], run: tuple[RunStore, RunChannel]
) -> None:
    _, channel = run
    page = opened(color_scheme="dark")
    other = opened()
    page.fill("#name", "Ada")
    page.click("#take")
    expect(page, "#holder", "You have the controls")
    expect(other, "#holder", "Ada has the controls")
    sync_api.expect(other.locator("#take")).to_be_disabled()
    page.click("#orders [data-action=pause]")
    expect(page, "#told", "Asked: pause")
    (request,) = channel.take()
    assert (request.action, request.name) == (Action.PAUSE, "Ada")
    channel.answer(request, "paused, the bench is idle")
    channel.publish(phase="paused", bench={"board": "off"})
    expect(page, "#phase", "Paused")
    expect(other, "#phase", "Paused")
    expect(page, "#link", "live")
    picture(page, "paused")
    page.keyboard.press("p")
    expect(page, "#told", "Asked: resume")
    assert [each.action for each in channel.take()] == [Action.RESUME]
    page.click("#orders [data-action=abort]")
    page.click("#sure button[value=no]")
    assert channel.take() == []
    page.click("#orders [data-action=abort]")
    page.click("#sure button[value=yes]")
    expect(page, "#told", "Asked: abort")
    assert [each.action for each in channel.take()] == [Action.ABORT]


def test_a_fault_puts_a_question(opened: Callable[..., Any], run: tuple[RunStore, RunChannel]) -> None:
    store, channel = run
    store.note("touching down on die (-1, 0): the chuck did not reach its contact height", "prober: retry")
    store.note("stands on die (-1, 0), separated", "prober: read back")
    question = {"what": "touching down", "reason": "the chuck did not reach its contact height (Velox, code 703)"}
    asked = question | {"die": [DIES[14].x, DIES[14].y], "terminal": True}
    channel.publish(phase="asking", question=asked, bench={"board": "off"})
    page = opened()
    expect(page, "#phase", "Waiting for a person")
    expect(page, "#question", "code 703")
    expect(page, "#how", "the first answer counts. To answer here, take the controls.")
    expect(page, "#log .incident >> nth=0", "did not reach")
    page.fill("#name", "Ada")
    page.click("#take")
    sync_api.expect(page.locator("#question [data-action=retry]")).to_be_enabled()
    assert "take the controls" not in page.locator("#how").inner_text()
    expect(page, "#link", "live")
    picture(page, "fault")
    page.click("#question [data-action=retry]")
    expect(page, "#told", "Asked: retry")
    assert [each.action for each in channel.take()] == [Action.RETRY]


def test_finished_on_a_tablet(opened: Callable[..., Any], tmp_path: Path) -> None:
    store = create(tmp_path / "run")
    for die in DIES:
        probe(store, die, **BIG)
    store.close("complete")
    page = opened(viewport={"width": 820, "height": 1180}, has_touch=True, color_scheme="dark")
    page.click("#list a")
    expect(page, "#phase", "Finished")
    expect(page, "#count", "36 of 36")
    page.tap(f'#wafer [data-x="{DIES[9].x}"][data-y="{DIES[9].y}"]')
    page.select_option("#quantity", "defects")
    expect(page, "#scale", "ok")
    assert page.locator("#controls").is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(page, "finished")


def test_resumed(opened: Callable[..., Any], run: tuple[RunStore, RunChannel], tmp_path: Path) -> None:
    store, channel = run
    store.leave()
    channel.close()
    later = SteadyClock(1_785_835_800.0, 9.0)
    again = RunStore.open(tmp_path / "run", wall=later, monotonic=SteadyClock(0.0, 21.0))
    channel = RunChannel(tmp_path / "run")
    for die in again.resume().dies[:6]:
        probe(again, die, **BIG)
    channel.publish(doing="probing dies", done=20, total=36, bench={"board": "on"})
    page = opened()
    expect(page, "#phase", "resumed")
    expect(page, "#log", "interrupted while survey")
    again.begin_attempt(DIES[20])
    page.locator(f'#wafer [data-x="{DIES[14].x}"][data-y="{DIES[14].y}"]').click()
    expect(page, "#visits", "interrupted while survey")
    assert page.locator("#visits tr").count() == 2
    picture(page, "resumed")
    channel.close()
    again.leave()
    expect(page, "#phase", "Interrupted")


def test_keys_alone_reach_a_cell(opened: Callable[..., Any], run: tuple[RunStore, RunChannel]) -> None:
    page = opened()
    expect(page, "#count", "14 of 36")
    page.keyboard.press("Escape")
    focused = "document.activeElement.dataset.x + ',' + document.activeElement.dataset.y"
    start = page.evaluate(focused)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    x, y = page.evaluate(focused).split(",")
    assert f"{x},{y}" != start
    expect(page, "#die-name", f"Die ({x}, {y})")
    assert re.search(rf"/{x},{y}$", page.url)


def test_the_page_goes_on_when_the_server_is_back(browser: Any, tmp_path: Path) -> None:
    store = create(tmp_path / "run")
    channel = RunChannel(tmp_path / "run")
    context = browser.new_context()
    page = context.new_page()
    with serving(tmp_path) as address:
        page.goto(f"{address}/?token={TOKEN}")
        expect(page, "#count", "0 of 36")
    expect(page, "#link", "no connection")
    probe(store, DIES[0])  # the run does not wait for the page
    with serving(tmp_path, port=int(address.rpartition(":")[2])):
        expect(page, "#count", "1 of 36")
        expect(page, "#link", "live")
        context.close()
    assert channel.problems == []
    channel.close()
    store.leave()


def test_a_later_die_is_left_out_by_its_own_name(opened: Callable[..., Any], run: tuple[RunStore, RunChannel]) -> None:
    _, channel = run
    page = opened()
    page.fill("#name", "Ada")
    page.press("#name", "Enter")
    expect(page, "#holder", "You have the controls")
    page.locator(f'#wafer [data-x="{DIES[30].x}"][data-y="{DIES[30].y}"]').click()
    expect(page, "#die-words", "planned")
    page.locator("#wafer [aria-selected=true]").press("s")
    expect(page, "#sure-what", f"die ({DIES[30].x}, {DIES[30].y})")
    page.click("#sure button[value=yes]")
    expect(page, "#told", "Asked: skip")
    assert [each.die for each in channel.take()] == [(DIES[30].x, DIES[30].y)]
    page.click("#release")
    expect(page, "#holder", "Nobody has the controls")
