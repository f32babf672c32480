"""Notices that the caller of a request has gone, so that nothing is kept for nobody."""

import asyncio
from collections.abc import Callable

from starlette.types import Receive


def on_gone(receive: Receive, then: Callable[[], object]) -> "asyncio.Task[None]":
    """Call `then` once when the caller has gone; cancel the task when nobody cares any more."""

    async def wait() -> None:
        while (await receive())["type"] != "http.disconnect":
            continue  # a rest of the body
        then()

    return asyncio.create_task(wait(), name="caller gone")
