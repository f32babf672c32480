"""`bench api runs`: what POST /agents/{id}/run adds to the same run started on the topic."""

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from typing import Any

import httpx
from rich.console import Console

from bench.api_process import ApiUnderTest, api_under_test
from bench.caller import Caller
from bench.folder import bench_folder
from bench.load import Ask, closed_loop, quantile
from bench.maestro_system import AGENT_ID, environment, maestro
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from schemas import ids

_FEWEST_PAIRS = 200
_DEADLINE_S = 300.0
_WAIT_S = 60
_WARM_SESSIONS = 32
_WARM_RUNS = 1_500
"""Runs of each way before anything is measured: a broker that was just started compiles itself meanwhile."""

_WARM_PAIRS = 50
_err = Console(stderr=True, highlight=False)


async def main(options: argparse.Namespace) -> Mapping[str, Any]:
    """Measure single runs, one after the other, and return the medians in milliseconds."""
    with bench_folder() as folder:
        logs = str(folder)
        async with EmbeddedStack(EmbeddedSettings(data_dir=folder / "data")) as stack:
            pids: dict[str, int] = {}
            async with (
                maestro(stack.urls, pids, logs) as caller,
                api_under_test(environment(stack.urls, logs), pids, logs) as under_test,
            ):
                return await _measured(caller, under_test, pairs=max(_FEWEST_PAIRS, options.calls))


async def _measured(caller: Caller, under_test: ApiUnderTest, *, pairs: int) -> Mapping[str, Any]:
    async with under_test.client() as client:
        http = _Asking(client)
        for name, ask, begin in (
            ("on the topic", caller.ask, _new_session),
            ("over HTTP", http.ask, http.begin),
        ):
            _say(f"{_WARM_RUNS} runs {name} to warm up")
            sessions = [await begin() for _ in range(_WARM_SESSIONS)]
            _ = await closed_loop(ask, sessions, _WARM_RUNS, _DEADLINE_S)
        topic_session, http_session = await _new_session(), await http.begin()
        await caller.ask(topic_session)
        both = (_timed(caller.ask, topic_session), _timed(http.ask, http_session))
        _ = await _taken_in_turn(*both, pairs=_WARM_PAIRS)
        _say(f"{pairs} runs each way, in turn")
        took = await _taken_in_turn(*both, pairs=pairs)
    topic, over_http = ([pair[way] for pair in took] for way in (0, 1))
    return {
        "runs_each": pairs,
        "topic_p50_ms": median(topic),
        "topic_p90_ms": quantile(topic, 0.9),
        "http_p50_ms": median(over_http),
        "http_p90_ms": quantile(over_http, 0.9),
        "added_p50_ms": median(over_http) - median(topic),
        "added_p50_of_pairs_ms": median([other - one for one, other in took]),
    }


async def _taken_in_turn(
    one: Callable[[], Awaitable[float]], other: Callable[[], Awaitable[float]], *, pairs: int
) -> list[tuple[float, float]]:
    """Return how long both took, pair by pair: what else the machine does meets both, and each goes first."""
    took: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            later = await other()
            took.append((await one(), later))
        else:
            took.append((await one(), await other()))
    return took


def _timed(ask: Ask, session: str) -> Callable[[], Awaitable[float]]:
    async def ask_once() -> float:
        began = time.perf_counter()
        await ask(session)
        return (time.perf_counter() - began) * 1000

    return ask_once


async def _new_session() -> str:
    return ids.new_id()


class _Asking:
    """Runs over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def begin(self) -> str:
        """Make a session with its first run, and return it."""
        session_id: str = (await self._run({}))["session_id"]
        return session_id

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
    lines = [f"  {results['runs_each']} runs each way, in turn"]
    for way, name in (("topic", "on the topic"), ("http", "over HTTP")):
        p50, p90 = results[f"{way}_p50_ms"], results[f"{way}_p90_ms"]
        lines.append(f"  {name:<16}p50 {p50:7.1f} ms, p90 {p90:7.1f} ms")
    of_pairs = results["added_p50_of_pairs_ms"]
    added = f"p50 {results['added_p50_ms']:7.1f} ms, median of the pairs' differences {of_pairs:.1f} ms"
    lines.append(f"  {'added':<16}{added}")
    return "\n".join(lines)


def _say(line: str) -> None:
    _err.print(f"api: {line}", style="dim")
