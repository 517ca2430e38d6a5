"""The live page's server: which runs there are, one as it goes on, its dies, maps and cells, and a hand on it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from .errors import InputError, MtjlabError
from .page_bench import bench_state
from .page_dies import cell_history, die_detail, die_map
from .page_feed import POLL_SECONDS, RunFeed
from .page_guard import COOKIE, PageGuard
from .page_views import ENDED, as_line, changed_at, listed, run_folders
from .run_control import MOST_NAME, Action, ControlDesk, NotInControl

_FILES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "wafer.js": "text/javascript",
    "die.js": "text/javascript",
    "idle.js": "text/javascript",
    "words.js": "text/javascript",
    "colours.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_OPEN = ("/login", "/static/page.css", "/static/icon.svg")
MOST_RUNS = 200
RETRY_MILLISECONDS = 1000
"""So long a browser that has lost the connection waits before it tries again."""

Token = Annotated[StrictStr, Field(min_length=1, max_length=64)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TakeControls(_Message):
    """Who wants the controls."""

    name: Annotated[StrictStr, Field(min_length=1, max_length=MOST_NAME, pattern=r"^[\w .,'()-]+$")]


class HaveControls(_Message):
    """Keep them, or give them back."""

    token: Token
    keep: bool


Coordinate = Annotated[StrictInt, Field(ge=-100_000, le=100_000)]


class Order(_Message):
    """What is asked of the run."""

    token: Token
    action: Literal["pause", "resume", "skip", "abort", "retry"]
    die: Annotated[list[Coordinate], Field(min_length=2, max_length=2)] | None = None


class RunsFolder:
    """The runs under a folder, by their ids: no path ever comes from outside.

    Args:
        root: folder of runs.
        poll_seconds: how often a watched run is looked at.
        locks: folder of the locks on instruments; None for the machine's own.
    """

    def __init__(self, root: Path, poll_seconds: float = POLL_SECONDS, locks: Path | None = None) -> None:
        self._root, self._poll, self._locks = root, poll_seconds, locks
        self._seen: dict[Path, tuple[tuple[int, ...], dict[str, Any]]] = {}
        self._feeds: dict[str, RunFeed] = {}

    def list(self) -> list[dict[str, Any]]:
        """Newest first; what cannot be read is left out. Runs that have ended are read once."""
        seen = {}
        for path in run_folders(self._root):
            with contextlib.suppress(MtjlabError, OSError, ValueError, KeyError):
                seen[path] = self._look(path)
        self._seen = seen
        return sorted((told for _, told in seen.values()), key=lambda told: -told["started_wall"])[:MOST_RUNS]

    def bench(self) -> dict[str, Any]:
        """Who holds instruments of this machine, and what was noted last."""
        newest = self.list()
        by_id = {told["run_id"]: path for path, (_, told) in self._seen.items()}
        return bench_state(newest, [by_id[told["run_id"]] for told in newest], self._locks)

    def folder(self, run_id: str) -> Path:
        """Raises InputError if there is no such run."""
        for is_fresh in (False, True):
            if is_fresh:
                self.list()
            for path, (_, told) in self._seen.items():
                if told["run_id"] == run_id:
                    return path
        raise InputError("there is no such run", remedy="Choose one of the list")

    def _look(self, path: Path) -> tuple[tuple[int, ...], dict[str, Any]]:
        stamp, before = changed_at(path), self._seen.get(path)
        if before and before[0] == stamp and before[1]["phase"] in ENDED:
            return before
        return stamp, listed(path)

    def feed(self, run_id: str) -> RunFeed:
        """Shared by all viewers of a run. Raises InputError if there is no such run."""
        folder = self.folder(run_id)
        if run_id not in self._feeds:
            self._feeds[run_id] = RunFeed(folder, self._poll)
        return self._feeds[run_id]

    async def close(self) -> None:
        """Stop watching."""
        for feed in self._feeds.values():
            await feed.close()


def page_app(
    root: Path,
    token: str,
    *,
    names: tuple[str, ...] = (),
    is_local: bool = True,
    is_secure: bool = False,
    poll_seconds: float = POLL_SECONDS,
    locks: Path | None = None,
) -> PageGuard:
    """The whole server, guarded.

    Args:
        root: folder of runs.
        token: that every request needs.
        names: host names that it may be called by.
        is_local: whether it listens on loopback alone.
        is_secure: whether it speaks HTTPS.
        poll_seconds: how often a watched run is looked at.
        locks: folder of the locks on instruments; None for the machine's own.
    """
    runs = RunsFolder(root, poll_seconds, locks)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        yield
        await runs.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    guard = PageGuard(app, token, names, is_local=is_local, open_paths=_OPEN)
    _add_errors(app)
    _add_pages(app, guard, token, is_secure)
    _add_views(app, runs)
    _add_controls(app, runs)
    return guard


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        del request
        where = sorted({".".join(map(str, each["loc"])) for each in error.errors()})[:3]
        return JSONResponse({"error": f"malformed: {', '.join(where)}"}, 400)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        del request
        return JSONResponse({"error": str(error.detail)}, error.status_code)

    @app.exception_handler(NotInControl)
    async def not_in_control(request: Request, error: NotInControl) -> Response:
        del request
        return JSONResponse({"error": str(error)}, 409)

    @app.exception_handler(MtjlabError)
    async def refused(request: Request, error: MtjlabError) -> Response:
        del request
        what = getattr(error, "what", str(error))  # never where: paths of this machine are nobody's business
        return JSONResponse({"error": str(what)}, 404 if isinstance(error, InputError) else 503)


def _add_pages(app: FastAPI, guard: PageGuard, token: str, is_secure: bool) -> None:
    def admitted() -> Response:
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=is_secure, path="/")
        return response

    @app.get("/")
    async def page(request: Request) -> Response:
        if "token" in request.query_params:
            return admitted()
        return HTMLResponse(_static("index.html"))

    @app.get("/login")
    async def ask_token() -> Response:
        return HTMLResponse(_static("login.html"))

    @app.post("/login")
    async def login(request: Request) -> Response:
        given = parse_qs((await request.body()).decode("latin-1"), max_num_fields=5).get("token", [""])
        return admitted() if guard.is_token(given[0].strip()) else HTMLResponse(_static("login.html"), 401)

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in _FILES:
            return JSONResponse({"error": "there is no such file"}, 404)
        return Response(_static(name), media_type=_FILES[name])


def _add_views(app: FastAPI, runs: RunsFolder) -> None:
    kept_line = lru_cache(16)(lambda *which: as_line(die_map(*which)))
    one_at_a_time = threading.Lock()

    def map_line(*which: Any) -> str:
        with one_at_a_time:  # several viewers who want the same map: it is read once
            return kept_line(*which)

    @app.get("/api/runs")
    async def all_runs() -> Response:
        return await _json(lambda: {"runs": runs.list()})

    @app.get("/api/bench")
    async def bench() -> Response:
        return await _json(runs.bench)

    @app.get("/api/runs/{run_id}/live")
    async def live(run_id: str) -> Response:
        feed = await asyncio.to_thread(runs.feed, run_id)

        async def events() -> AsyncIterator[ServerSentEvent]:
            async for kind, line in feed.follow():
                yield ServerSentEvent(line, event=kind, retry=RETRY_MILLISECONDS)

        return EventSourceResponse(events(), ping=15)

    @app.get("/api/runs/{run_id}/dies/{x}/{y}")
    async def die(run_id: str, x: int, y: int) -> Response:
        return await _json(lambda: die_detail(runs.folder(run_id), x, y))

    @app.get("/api/runs/{run_id}/dies/{x}/{y}/maps/{step}/{attempt}")
    async def maps(run_id: str, x: int, y: int, step: str, attempt: int) -> Response:
        line = await asyncio.to_thread(lambda: map_line(runs.folder(run_id), x, y, step, attempt))
        return Response(line, media_type="application/json")

    @app.get("/api/runs/{run_id}/dies/{x}/{y}/cells/{kernel}/{row}/{col}")
    async def cell(run_id: str, x: int, y: int, kernel: int, row: int, col: int) -> Response:
        return await _json(lambda: cell_history(runs.folder(run_id), x, y, kernel, row, col))


def _add_controls(app: FastAPI, runs: RunsFolder) -> None:
    def desk(run_id: str) -> ControlDesk:
        return ControlDesk(runs.folder(run_id))

    @app.post("/api/runs/{run_id}/controls")
    async def take(run_id: str, message: TakeControls) -> Response:
        return await _json(lambda: {"token": desk(run_id).take_controls(message.name)})

    @app.post("/api/runs/{run_id}/controls/keep")
    async def keep(run_id: str, message: HaveControls) -> Response:
        def done() -> dict[str, Any]:
            own = desk(run_id)
            (own.renew if message.keep else own.release)(message.token)
            return {"kept": message.keep}

        return await _json(done)

    @app.post("/api/runs/{run_id}/requests")
    async def request(run_id: str, message: Order) -> Response:
        place = (message.die[0], message.die[1]) if message.die else None
        return await _json(lambda: {"seq": desk(run_id).request(message.token, Action(message.action), place)})


async def _json(made: Callable[[], dict[str, Any]]) -> Response:
    return Response(as_line(await asyncio.to_thread(made)), media_type="application/json")


def _static(name: str) -> bytes:
    return (files("mtjlab") / "page" / name).read_bytes()
