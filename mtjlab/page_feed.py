"""Several viewers of one run share one look at its files: each change is read once and handed to all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .errors import MtjlabError
from .page_views import Changes, as_line, changed_at, whole

POLL_SECONDS = 0.04
"""How often it is looked whether a file has changed; only then is one opened."""
LONGEST_SECONDS = 2.0
"""Files are read at least so often: some systems tell late that one has changed, and a dead run changes none."""
MOST_WAITING = 50
"""A viewer that is so many updates behind is sent the whole instead."""


class RunFeed:
    """The updates of one run.

    Args:
        folder: of the run.
        poll_seconds: how often its files are looked at.
    """

    def __init__(self, folder: Path, poll_seconds: float = POLL_SECONDS) -> None:
        self.folder = folder
        self._poll = poll_seconds
        self._viewers: set[asyncio.Queue[str | None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page")
        self._task: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many are watching."""
        return len(self._viewers)

    async def follow(self) -> AsyncIterator[tuple[str, str]]:
        """Kind ("whole", "changes") and JSON of each update; the first is the whole."""
        waiting: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        self._viewers.add(waiting)
        self._ensure_watching()
        try:
            yield "whole", await self._whole()
            while True:
                line = await waiting.get()
                if line is None:
                    yield "whole", await self._whole()
                else:
                    yield "changes", line
        finally:
            self._viewers.discard(waiting)

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=False)

    async def _whole(self) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: as_line(whole(self.folder)))

    def _ensure_watching(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """While anybody watches."""
        loop, changes = asyncio.get_running_loop(), Changes(self.folder)
        stamp: tuple[int, ...] = ()
        last: dict[str, Any] = {}
        read_at = -LONGEST_SECONDS
        while self._viewers:
            now = changed_at(self.folder)
            if now != stamp or loop.time() - read_at > LONGEST_SECONDS:
                stamp, read_at = now, loop.time()
                try:
                    told = await loop.run_in_executor(self._thread, changes.since)
                except (MtjlabError, OSError, ValueError, KeyError) as error:  # the next look may find it whole
                    told = {"problem": getattr(error, "what", "it cannot be read")}
                if told != last:
                    self._hand_on(as_line(told))
                last = told | {"dies": [], "events": []}
            await asyncio.sleep(self._poll)

    def _hand_on(self, line: str) -> None:
        for waiting in self._viewers:
            if waiting.full():
                while not waiting.empty():
                    waiting.get_nowait()
                waiting.put_nowait(None)
            else:
                waiting.put_nowait(line)
