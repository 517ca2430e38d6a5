"""`mtjlab serve` as it is typed; a run goes on when it is killed."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mtjlab.cli_serve import serve_page
from mtjlab.errors import InputError
from mtjlab.page_guard import is_loopback

from .page_wafer import DIES, create, probe


@contextmanager
def serve(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mtjlab", "serve", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_printed_address_opens_the_page_and_a_kill_harms_no_run(tmp_path: Path) -> None:
    store = create(tmp_path / "run")
    probe(store, DIES[0])
    with serve(str(tmp_path), "--port", "0") as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with httpx.Client(trust_env=False, verify=False, follow_redirects=True) as client:
            assert "mtjlab" in client.get(address).text
            (run,) = client.get(address.partition("?")[0] + "api/runs").json()["runs"]
            assert (run["dies"], run["finished"]) == (36, 1)
            with client.stream("GET", f"{address.partition('?')[0]}api/runs/{run['run_id']}/live") as stream:
                assert next(stream.iter_lines()).startswith("event: whole")
                process.kill()
                process.wait()
    for die in DIES[1:]:
        probe(store, die)
    store.close()
    assert sorted(path.name for path in (tmp_path / "run").glob("*.sqlite*")) == ["ledger.sqlite"]


def test_over_https_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """The certificate beside this file is for this test alone; its key is no secret."""
    create(tmp_path / "run").leave()
    own = Path(__file__).parent / "localhost.pem"
    with serve(
        str(tmp_path), "--port", "0", "--certificate", str(own), "--key", str(own.with_suffix(".key"))
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(own))
        with httpx.Client(trust_env=False, verify=trusting) as client:
            first = client.get(address)
            assert first.status_code == 303 and "secure" in first.headers["set-cookie"].lower()
            bare = address.partition("?")[0]
            assert len(client.get(f"{bare}api/runs").json()["runs"]) == 1
            with pytest.raises(httpx.TransportError):
                client.get(bare.replace("https://", "http://"))


def test_behind_a_proxy_that_speaks_https(tmp_path: Path) -> None:
    store = create(tmp_path / "run")
    token = "a-token-of-my-own-for-this"
    with serve(str(tmp_path), "--port", "0", "--allow-name", "bench.example", "--token", token) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip().partition("?")[0]
        path = f"{address}api/runs/{store.run_id}/controls"
        sent = {
            "host": "bench.example",
            "origin": "https://bench.example",
            "sec-fetch-site": "same-origin",
            "authorization": f"Bearer {token}",
        }
        with httpx.Client(trust_env=False, headers=sent) as client:
            assert client.post(path, json={"name": "Ada"}).status_code == 403, "the proxy did not say that it was HTTPS"
            taken = client.post(path, json={"name": "Ada"}, headers={"x-forwarded-proto": "https"})
            assert taken.status_code == 200 and taken.json()["token"]
    store.leave()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"runs": Path("nowhere")}, "no such folder"),
        ({"token": "short"}, "token is too short"),
        ({"token": "with spaces in it, long"}, "strange signs"),
        ({"certificate": Path("x.pem")}, "go together"),
        ({"certificate": Path("x.pem"), "key": Path("x.key")}, "no such file"),
        ({"host": "no such host"}, "cannot listen there"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_listens(
    tmp_path: Path, options: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=words):
        serve_page(**({"runs": tmp_path} | options))
    assert capsys.readouterr().out == ""


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="cannot listen there"):
        serve_page(tmp_path, port=taken.getsockname()[1])


def test_the_page_is_served_to_this_machine_unless_told_otherwise() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "127.1.2.3")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.20", "bench", "")))


def test_nothing_of_the_page_is_imported_before_it_is_wanted() -> None:
    code = (
        "import mtjlab.cli, sys; print(sorted({'fastapi', 'uvicorn', 'starlette', 'sse_starlette'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
