"""Watches a run on the session's live feed: stages line by line, the model's words while they come."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson
from rich.live import Live
from rich.text import Text

from maestro.cli.draft import Draft
from maestro.cli.output import err, note
from maestro.cli.stages import ENDS, belongs, line_of
from maestro.clients import live_feed
from schemas.errors import MaestroError, TransientError
from stores.redis.feed import BEGINNING, Feed, FeedItem
from streams.generate.deltas import DELTA
from streams.session.feed import STAGE

_BLOCK_MS = 1_000
_RETRY_S = 0.5
_LAST_WORDS_S = 1.0
"""How long the end of a run is waited for on the feed after the answer is known."""

_DRAFT_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The run that is watched. `since_ms` is the broker's time of its message."""

    session_id: str
    run_id: str
    partition: int
    partitions: int
    since_ms: int


class LiveView:
    """Shows a run on stderr while it happens. Without Redis it says so, and nothing else changes.

    `noticed` is called with each stage after it was shown.
    """

    def __init__(self, watched: Watched, noticed: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self._watched = watched
        self._noticed = noticed
        self._draft = Draft()
        # The words are shown on a terminal only, where they can be taken back.
        self._screen = _screen() if err.is_terminal else None
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to watch, in the background."""
        if self._screen is not None:
            self._screen.start()
        self._following = asyncio.create_task(self._follow(), name="live view")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show what is left of a run that ended, and stop."""
        if self._following is not None:
            if kind is None:
                await asyncio.wait([self._following], timeout=_LAST_WORDS_S)
            _ = self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        if self._screen is not None:
            self._screen.update(Text(""))
            self._screen.stop()

    async def _follow(self) -> None:
        try:
            async with live_feed(self._watched.partitions) as feed:
                await self._show_all(feed)
        except MaestroError as error:
            note(f"no live view: {error.message} The answer comes all the same.")

    async def _show_all(self, feed: Feed) -> None:
        after = BEGINNING
        while True:
            try:
                items = await feed.read(
                    self._watched.partition, self._watched.session_id, after=after, block_ms=_BLOCK_MS
                )
            except TransientError:
                await asyncio.sleep(_RETRY_S)
                continue
            for item in items:
                after = item.id
                if self._show(item):
                    return

    def _show(self, item: FeedItem) -> bool:
        """Show one entry; return whether it is the run's last."""
        entry: Mapping[str, Any] = orjson.loads(item.data)
        if item.kind == DELTA and entry.get("run_id") == self._watched.run_id:
            self._draft = self._draft.with_piece(entry)
            self._redraw()
        if item.kind != STAGE or not belongs(
            entry, run_id=self._watched.run_id, since_ms=self._watched.since_ms
        ):
            return False
        self._draft = self._draft.cleared()
        self._redraw()
        line = line_of(entry)
        if line is not None:
            err.print(line.rendered, style=line.style, markup=False)
        if self._noticed is not None:
            self._noticed(entry)
        return entry.get("stage") in ENDS and entry.get("run_id") == self._watched.run_id

    def _redraw(self) -> None:
        if self._screen is not None:
            text = self._draft.last_lines(_DRAFT_LINES)
            self._screen.update(Text(text, style="dim", no_wrap=False, overflow="fold"), refresh=True)


def _screen() -> Live:
    return Live(console=err, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
