"""`mtjlab serve`: the live page of the runs in a folder. It reads what a run records; the run needs nothing of it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from .errors import InputError


def serve_page(
    runs: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs"),
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless told otherwise.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 8642,
    allow_name: Annotated[
        list[str] | None, typer.Option(help="Host name that the page may be called by, beside this machine's.")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="MTJLAB_PAGE_TOKEN", help="Token of your own. [default: a new one]")
    ] = "",
    certificate: Annotated[Path | None, typer.Option(help="Certificate (PEM), for HTTPS; goes with --key.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
) -> None:
    """Watch runs in a browser, and pause, resume, leave out a die or abort, until Ctrl-C."""
    import platform
    import re
    import secrets

    uvicorn = _uvicorn()
    from .page_app import page_app
    from .page_guard import LEAST_TOKEN, is_loopback

    if not runs.is_dir():
        raise InputError("there is no such folder", where=str(runs), remedy="Give the folder that runs are recorded in")
    if token and not re.fullmatch(rf"[A-Za-z0-9_-]{{{LEAST_TOKEN},}}", token):
        raise InputError(
            "the token is too short or has strange signs",
            where="--token",
            remedy=f"Use at least {LEAST_TOKEN} letters, digits, - and _",
        )
    if (certificate is None) != (key is None):
        raise InputError("--certificate and --key go together", remedy="Give both, or neither")
    for path in filter(None, (certificate, key)):
        if not path.is_file():
            raise InputError("there is no such file", where=str(path), remedy="Check the path")
    own = token or secrets.token_urlsafe(24)
    is_local = is_loopback(host)
    names = (*(allow_name or ()), *(() if is_local else (host, platform.node())))
    app = page_app(runs, own, names=names, is_local=is_local, is_secure=certificate is not None)
    listening = _listen(host, port)
    scheme, shown = ("https" if certificate else "http"), host if ":" not in host else f"[{host}]"
    typer.echo(f"{scheme}://{shown}:{listening.getsockname()[1]}/?token={own}")
    if not is_local and certificate is None:
        typer.echo("mtjlab: others on this network can read what is sent; --certificate and --key prevent it", err=True)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        ws="none",
        limit_concurrency=200,
        timeout_graceful_shutdown=1,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    _yield_to_others()
    uvicorn.Server(config).run(sockets=[listening])


def _uvicorn() -> ModuleType:
    try:
        import fastapi  # noqa: F401
        import sse_starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise InputError(
            f"the live page needs {error.name}", remedy='Install it: python -m pip install "mtjlab[page]"'
        ) from error
    return uvicorn


def _yield_to_others() -> None:
    """Run at a lower priority than the run that is watched."""
    if sys.platform == "win32":
        import ctypes
        import subprocess

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(ctypes.c_void_p(kernel.GetCurrentProcess()), subprocess.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        import os

        os.nice(5)


def _listen(host: str, port: int) -> socket.socket:
    """A socket on that address. Raises InputError if it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen there ({error.strerror or error})",
            where=f"{host}, port {port}",
            remedy="Choose another --port, or an address of this machine as --host",
        ) from error
