"""`bench api runs`: what POST /agents/{id}/run adds to the same run started on the topic."""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.api_process import ApiUnderTest, api_under_test
from bench.caller import Caller
from bench.load import closed_loop
from bench.maestro_system import AGENT_ID, environment, maestro
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from schemas import ids

_BLOCKS = 6
"""Both ways take turns, so that what else the machine does meets both."""

_DEADLINE_S = 300.0
_WARM_UP = 10
_WAIT_S = 60


async def main(options: argparse.Namespace) -> Mapping[str, Any]:
    """Measure single runs, one after the other, and return the medians in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="maestro-bench-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101, S103  PostgreSQL's user passes through when run as root
        async with EmbeddedStack(EmbeddedSettings(data_dir=Path(folder) / "data")) as stack:
            pids: dict[str, int] = {}
            async with (
                maestro(stack.urls, pids, folder) as caller,
                api_under_test(environment(stack.urls, folder), pids, folder) as under_test,
            ):
                return await _measured(caller, under_test, each=max(2, options.calls // _BLOCKS))


async def _measured(caller: Caller, under_test: ApiUnderTest, *, each: int) -> Mapping[str, Any]:
    topic: list[float] = []
    http: list[float] = []
    async with under_test.client() as client:
        over_http = _Asking(client)
        session = ids.new_id()
        _ = await closed_loop(caller.ask, [session], _WARM_UP, _DEADLINE_S)
        await over_http.begin()
        _ = await closed_loop(over_http.ask, [over_http.session_id], _WARM_UP, _DEADLINE_S)
        for _block in range(_BLOCKS):
            topic.append((await closed_loop(caller.ask, [session], each, _DEADLINE_S)).p50_ms)
            load = await closed_loop(over_http.ask, [over_http.session_id], each, _DEADLINE_S)
            http.append(load.p50_ms)
    return {
        "runs_each": each * _BLOCKS,
        "topic_p50_ms": median(topic),
        "http_p50_ms": median(http),
        "added_p50_ms": median(_differences(http, topic)),
    }


def _differences(more: Sequence[float], less: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(more, less, strict=True)]


class _Asking:
    """Runs of one session over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.session_id = ""

    async def begin(self) -> None:
        """Make the session."""
        self.session_id = (await self._run({}))["session_id"]

    async def ask(self, session_id: str) -> None:
        """Run one message of the session to its end."""
        _ = await self._run({"session_id": session_id})

    async def _run(self, more: Mapping[str, str]) -> dict[str, Any]:
        body = {"message": "What time is it?", "wait_seconds": _WAIT_S, **more}
        answer = await self._client.post(f"/agents/{AGENT_ID}/run", json=body)
        answer.raise_for_status()
        run: dict[str, Any] = answer.json()
        if run["status"] != "completed":
            message = f"a run ended as {run['status']}: {run['error']}"
            raise RuntimeError(message)
        return run


def table(results: Mapping[str, Any]) -> str:
    """Return the figures as lines."""
    return "\n".join(
        (
            f"  {results['runs_each']} runs each way, one after the other",
            f"  on the topic    p50 {results['topic_p50_ms']:7.1f} ms",
            f"  over HTTP       p50 {results['http_p50_ms']:7.1f} ms",
            f"  added           p50 {results['added_p50_ms']:7.1f} ms",
        )
    )
