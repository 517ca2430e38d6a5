"""Whom the page answers: everything without the token, from elsewhere, too large, malformed or crooked is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mtjlab.nouns import DieId
from mtjlab.run_control import RunChannel
from mtjlab.store import open_run

from .page_wafer import DIES, TOKEN, create, probe, serving

OWN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    store = create(root / "run")
    for die in DIES[:5]:
        probe(store, die)
    store.leave()
    (root / "secret.txt").write_text("not for the page")
    return root


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


@pytest.fixture(scope="module")
def run_id(folder: Path) -> str:
    with open_run(folder / "run") as run:
        return run.run_id


@pytest.fixture
def live(folder: Path) -> Iterator[RunChannel]:
    channel = RunChannel(folder / "run")
    yield channel
    channel.close()


def get(address: str, path: str, **headers: str) -> httpx.Response:
    return httpx.get(address + path, headers=headers, trust_env=False, verify=False)


def post(address: str, path: str, content: Any, **headers: str) -> httpx.Response:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    return httpx.post(
        address + path,
        content=body,
        headers={"content-type": "application/json", **OWN, **headers},
        trust_env=False,
        verify=False,
    )


PATHS = ["/", "/api/runs", "/api/runs/RUN/live", "/api/runs/RUN/dies/0/0", "/static/page.js", "/nothing", "/docs"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"cookie": "mtjlab_page=wrong"}])
def test_nothing_without_the_token(address: str, run_id: str, path: str, headers: dict[str, str]) -> None:
    answer = get(address, path.replace("RUN", run_id), **headers)
    assert answer.status_code == 401
    assert run_id not in answer.text and "MTJ-07" not in answer.text


def test_a_wrong_token_in_the_address_or_in_the_form_opens_nothing(address: str) -> None:
    for path in ("/?token=wrong", f"/api/runs?token={TOKEN}", f"/?token={TOKEN}&token=wrong", "/?token="):
        answer = get(address, path)
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False), path
    form = {"content-type": "application/x-www-form-urlencoded", "authorization": ""}
    answer = post(address, "/login", "token=wrong", **form)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(address: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded", "authorization": ""}
    for answer in (get(address, f"/?token={TOKEN}"), post(address, "/login", f"token={TOKEN}", **form)):
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert get(address, "/api/runs", cookie=cookie.split(";")[0]).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_calls_from_other_sites_are_refused_although_they_bring_the_token(
    address: str, run_id: str, headers: dict[str, str]
) -> None:
    assert get(address, "/api/runs", **OWN, **headers).status_code == 403
    answer = post(address, f"/api/runs/{run_id}/controls", {"name": "Eve"}, **headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.168.1.9", "127.0.0.1.evil.example", "[", ""])
def test_another_name_that_points_here_is_refused(address: str, host: str) -> None:
    assert get(address, "/api/runs", **OWN, host=host).status_code in (400, 421)


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_refused(address: str, method: str) -> None:
    answer = httpx.request(method, f"{address}/api/runs", headers=OWN, trust_env=False, verify=False)
    assert answer.status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/static/../page_app.py",
        "/static/%2e%2e/page_app.py",
        "/static/..%2f..%2fpyproject.toml",
        "/static/%2e%2e%5c%2e%2e%5csecret.txt",
        "/static//etc/passwd",
        "/static/index.html%00.css",
        "/api/runs/..%2f..%2fsecret.txt/live",
        "/api/runs/..%2frun/dies/0/0",
        "/api/runs/%2e%2e/dies/0/0",
        "/api/runs/RUN/dies/0/0/maps/..%2f..%2fledger.sqlite/0",
        "/api/runs/RUN/dies/0/0/maps/survey' OR 1=1 --/0",
        "/api/runs/C:%5csecret.txt/live",
    ],
)
def test_crooked_paths_lead_nowhere(address: str, run_id: str, path: str) -> None:
    answer = get(address, path.replace("RUN", run_id), **OWN)
    assert answer.status_code in (400, 401, 404)
    assert "not for the page" not in answer.text and "import" not in answer.text


def test_too_large_is_refused_whether_or_not_it_says_so(address: str, run_id: str) -> None:
    path = f"/api/runs/{run_id}/controls"
    assert post(address, path, {"name": "x" * 5000}).status_code == 413
    chunks = (b"x" * 1000 for _ in range(20))
    headers = {"content-type": "application/json", **OWN}
    assert httpx.post(address + path, content=chunks, headers=headers, trust_env=False, verify=False).status_code == 413
    assert get(address, "/api/runs?" + "x" * 3000, **OWN).status_code == 414


ORDER = {"token": "t", "action": "pause"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"pause"',
        b"\xff\xfe\x00",
        "[" * 2000,
        {},
        {"token": "t"},
        ORDER | {"action": "destroy"},
        ORDER | {"action": 3},
        ORDER | {"token": ["t"]},
        ORDER | {"token": "t" * 100},
        ORDER | {"die": [1]},
        ORDER | {"die": [1, 2, 3]},
        ORDER | {"die": ["1", "2"]},
        ORDER | {"die": [1.5, 2]},
        ORDER | {"die": [1e9, 0]},
        ORDER | {"die": "1,2"},
        ORDER | {"more": 1},
    ],
)
def test_malformed_orders_are_refused(address: str, run_id: str, live: RunChannel, content: Any) -> None:
    answer = post(address, f"/api/runs/{run_id}/requests", content)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert live.take() == []


def test_forms_of_other_sites_cannot_be_orders(address: str, run_id: str) -> None:
    body = json.dumps({"name": "Eve"})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = post(address, f"/api/runs/{run_id}/controls", body, **{"content-type": kind})
        assert answer.status_code == 400, kind


@pytest.mark.parametrize("name", ["", " " * 3 + "\n", "<script>", "x" * 41, "a\x00b"])
def test_names_are_names(address: str, run_id: str, name: str) -> None:
    assert post(address, f"/api/runs/{run_id}/controls", {"name": name}).status_code == 400


def test_of_two_controllers_one_is_refused(address: str, run_id: str, live: RunChannel) -> None:
    first = post(address, f"/api/runs/{run_id}/controls", {"name": "Ada"}).json()["token"]
    second = post(address, f"/api/runs/{run_id}/controls", {"name": "Bob"})
    assert second.status_code == 409 and "Ada" in second.json()["error"]
    path = f"/api/runs/{run_id}/requests"
    assert post(address, path, {"token": "guess", "action": "abort"}).status_code == 409
    assert live.take() == []
    assert post(address, path, {"token": first, "action": "skip", "die": [0, 0]}).status_code == 200
    assert [(each.name, each.die) for each in live.take()] == [("Ada", (0, 0))]
    assert post(address, f"/api/runs/{run_id}/controls/keep", {"token": first, "keep": False}).status_code == 200
    assert post(address, path, {"token": first, "action": "abort"}).status_code == 409
    assert live.take() == []


def test_an_order_to_a_run_that_is_not_there_is_refused(address: str, run_id: str) -> None:
    token = post(address, f"/api/runs/{run_id}/controls", {"name": "Ada"}).json()["token"]
    answer = post(address, f"/api/runs/{run_id}/requests", {"token": token, "action": "pause"})
    assert answer.status_code == 404 and "no run is going on" in answer.json()["error"]
    post(address, f"/api/runs/{run_id}/controls/keep", {"token": token, "keep": False})
    assert post(address, "/api/runs/none/controls", {"name": "Ada"}).status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/runs", "/static/page.js", "/nothing", "/login"])
def test_every_answer_forbids_scripts_of_others_and_keeping(address: str, path: str) -> None:
    headers = get(address, path, **OWN).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_the_page_brings_everything_itself_and_has_no_inline_script() -> None:
    from importlib.resources import files

    for path in (files("mtjlab") / "page").iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path
        assert not re.search(r"\son\w+=|<script>|javascript:|<style|\sstyle=|@import|innerHTML|eval\(", text), path


def test_dies_and_cells_that_are_not_there_are_refused(address: str, run_id: str) -> None:
    die: DieId = DIES[0]
    here = f"{die.x}/{die.y}"
    beyond = ["9/9", f"{here}/maps/survey/99", f"{here}/maps/nothing/0", f"{here}/cells/9/0/0", "x/y", f"{9**30}/0"]
    for rest in [*beyond, f"{here}/cells/0/0/-1", f"{here}/cells/0/4/0"]:
        answer = get(address, f"/api/runs/{run_id}/dies/{rest}", **OWN)
        assert answer.status_code in (400, 404), rest
        assert "/" not in answer.json()["error"]
