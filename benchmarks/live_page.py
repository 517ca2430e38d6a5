"""The live page, five viewers, 36 dies of 20,000 cells: how late updates are, and what the run feels of them.

A run is replayed into a store by a process of its own, with a pause for the instruments in each die (2 s: an
assumption, on the short side for 20,000 cells). Viewers and server are on the same machine, which is the worst place.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
TOKEN = "a-token-of-the-benchmark"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
VIEWERS = 5


def run(quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Pairs of runs, without and with viewers, by turns."""
    dies, pairs, rest = (12, 2, 0.1) if quick else (36, 3, 2.0)
    watched: list[dict[str, Any]] = []
    alone: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    for pair in range(pairs):
        for is_watched in (pair % 2 == 0, pair % 2 == 1):
            figures, viewed = _one(dies, rest, is_watched)
            (watched if is_watched else alone).append(figures)
            seen += [viewed] if viewed else []
        print(
            f"pair {pair}: {alone[-1]['seconds']:.2f} s alone, {watched[-1]['seconds']:.2f} s watched", file=sys.stderr
        )
    bare = [_one(dies, 0.0, is_watched)[0]["seconds"] for is_watched in (False, True) * 2]
    late = sorted(1e3 * value for each in seen for value in each["late"])
    maps = sorted(1e3 * value for each in seen for value in each["maps"])
    browser = {name: sorted(value for each in seen for value in each["browser"].get(name, [])) for name in _DRAWN}
    slower = [w["seconds"] / a["seconds"] - 1 for w, a in zip(watched, alone, strict=True)]
    bare_slower = [w / a - 1 for a, w in zip(bare[::2], bare[1::2], strict=True)]
    rows: list[list[Any]] = [["figure", "median", "95 %", "most", "unit"]]
    figures_of = [
        ("die done until a viewer is told", late),
        ("map of 20,000 cells fetched", maps),
        *((f"browser: {name}", browser[name]) for name in _DRAWN),
    ]
    rows += [[name, *_spread(values), "ms"] for name, values in figures_of if values]
    rows += [
        [f"run slower with viewers ({rest} s of instruments a die)", f"{statistics.median(slower):+.2%}", "", "", ""],
        ["run slower with viewers (recording alone)", f"{statistics.median(bare_slower):+.1%}", "", "", ""],
    ]
    result = {
        "dies": dies,
        "cells": 20_000,
        "viewers": VIEWERS,
        "browsers": int(any(browser.values())),
        "told_ms": _spread(late),
        "map_ms": _spread(maps),
        **{f"browser_{name}_ms": _spread(browser[name]) for name in _DRAWN if browser[name]},
        "updates": len(late),
        "slower_paced": [round(value, 4) for value in slower],
        "slower_bare": [round(value, 4) for value in bare_slower],
        "instrument_seconds_a_die": rest,
        "seconds_alone": [round(each["seconds"], 2) for each in alone],
        "seconds_watched": [round(each["seconds"], 2) for each in watched],
    }
    return f"live page: {VIEWERS} viewers, {dies} dies of 20,000 cells, {pairs} pairs of runs", rows, result


_DRAWN = ("update", "map")


def _one(dies: int, rest: float, is_watched: bool) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A run in a process of its own; what it said, and what the viewers saw."""
    with (
        tempfile.TemporaryDirectory() as root,
        _child([str(HERE / "_live_run.py"), f"{root}/run", str(dies), str(rest)]) as child,
    ):
        assert child.stdout and child.stdin
        child.stdout.readline()
        with _viewers(Path(root)) if is_watched else contextlib.nullcontext() as viewers:
            child.stdin.write("go\n")
            child.stdin.flush()
            figures: dict[str, Any] = json.loads(child.stdout.readline())
            if viewers is None:
                return figures, None
            return figures, viewers.seen(figures["done"])


@contextlib.contextmanager
def _child(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    )
    try:
        yield child
    finally:
        child.terminate()
        child.communicate()


class _Viewers:
    """Follow a run as the page does; as many as `VIEWERS`, one of them a browser where there is one."""

    def __init__(self, address: str, run_id: str, page: Any) -> None:
        self.address, self.run_id, self.page = address, run_id, page
        self.told: list[dict[str, float]] = []
        self.maps: list[float] = []
        self.ready = threading.Barrier(VIEWERS - (page is not None) + 1)
        for _ in range(VIEWERS - (page is not None)):
            self.told.append({})
            threading.Thread(target=self._follow, args=(self.told[-1],), daemon=True).start()
        self.ready.wait(30)

    def _follow(self, told: dict[str, float]) -> None:
        path = f"{self.address}/api/runs/{self.run_id}"
        with (
            httpx.Client(headers=HEADERS, timeout=None, trust_env=False) as client,
            client.stream("GET", f"{path}/live") as stream,
            contextlib.suppress(httpx.HTTPError),
        ):
            for line in stream.iter_lines():
                if not line.startswith("data: "):
                    continue
                now, update = time.time(), json.loads(line[6:])
                if "fixed" in update:
                    self.ready.wait(30)
                for die in update["dies"]:
                    if die["state"] == "done" and told.setdefault(f"{die['x']},{die['y']}", now) == now:
                        self._fetch(client, path, die)

    def _fetch(self, client: httpx.Client, path: str, die: dict[str, Any]) -> None:
        began = time.perf_counter()
        client.get(f"{path}/dies/{die['x']}/{die['y']}/maps/survey/{die['attempt']}").raise_for_status()
        self.maps.append(time.perf_counter() - began)

    def seen(self, done: dict[str, float]) -> dict[str, Any]:
        """When the run has ended: how late everything came; waits for what is still on its way."""
        until = time.monotonic() + 60
        while missed := [place for told in self.told for place in done if place not in told]:
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        assert not missed, f"never told: {missed}"
        drawn = "(name) => performance.getEntriesByName(name).map((entry) => entry.duration)"
        browser = {name: self.page.evaluate(drawn, name) for name in _DRAWN} if self.page else {}
        late = [max(0.0, told[place] - at) for told in self.told for place, at in done.items()]
        return {"late": late, "maps": list(self.maps), "browser": browser}


@contextlib.contextmanager
def _viewers(root: Path) -> Iterator[_Viewers]:
    with _child(["-m", "mtjlab", "serve", str(root), "--port", "0", "--token", TOKEN]) as server, _browser() as page:
        assert server.stdout
        address = server.stdout.readline().partition("/?token")[0]
        (found,) = httpx.get(f"{address}/api/runs", headers=HEADERS, trust_env=False, timeout=30).json()["runs"]
        if page is not None:
            page.goto(f"{address}/?token={TOKEN}")
            page.wait_for_selector("#wafer button")
        yield _Viewers(address, found["run_id"], page)


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    """A page in Chromium; None where there is none."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "msedge"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page()
        browser.close()


def _spread(values: list[float]) -> list[float]:
    """Median, 95 % and most."""
    return [round(values[min(len(values) - 1, int(share * len(values)))], 1) for share in (0.5, 0.95, 1.0)]
