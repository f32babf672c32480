"""`bench api lists`: what pages of sessions, a session and pages of messages cost, asked of the record."""

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median, quantiles
from typing import Any

from pydantic import SecretStr
from rich.console import Console

from bench.accounting import usage_of
from bench.api_plans import lists_with_other_plans
from bench.api_process import api_under_test
from bench.api_rows import ONE, Amount, fill, session_of_one
from bench.folder import bench_folder
from bench.maestro_system import environment
from bus.admin import Admin
from bus.settings import KafkaSettings, TopicSettings
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from stores.postgres.migrate import migrate
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings
from stores.postgres.web import Web

PER_PAGE = 20
WARM_CALLS = 10
"""Calls that are not counted: the server plans a statement anew for the first five, then for good."""
_FILL_WITHIN_S = 900.0
_err = Console(stderr=True, highlight=False)

Ask = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call costs, in milliseconds."""

    p50_ms: float
    p99_ms: float
    postgres_cpu_ms: float
    own_cpu_ms: float


async def measure(ask: Ask, *, calls: int, postgres: int) -> Cost:
    """Call one after the other; CPU of the server and its children, and of this process."""
    for _ in range(WARM_CALLS):
        await ask()
    times: list[float] = []
    before, own = usage_of(postgres).cpu_s, time.process_time()
    for _ in range(calls):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    own, spent = time.process_time() - own, usage_of(postgres).cpu_s - before
    return Cost(
        p50_ms=median(times),
        p99_ms=quantiles(times, n=100)[98],
        postgres_cpu_ms=spent * 1000 / calls,
        own_cpu_ms=own * 1000 / calls,
    )


def questions(web: Web, amount: Amount) -> dict[str, Ask]:
    """Return what is asked, by name."""
    first = session_of_one(amount, 0)
    last = max(1, amount.of_one * 8 // 10 // PER_PAGE)
    listed = partial(web.sessions, ONE, per_page=PER_PAGE)
    return {
        "list, first page": partial(listed, page=1),
        f"list, page {last}": partial(listed, page=last),
        "list of an agent": partial(listed, page=1, agent_id="agent-1"),
        "list, archived": partial(listed, page=1, archived=True),
        "list, part of a title": partial(listed, page=1, search="WEEK 17"),
        "list, at least 30 messages": partial(listed, page=1, min_messages=30),
        "list of a user with few": partial(web.sessions, "user-7", page=1, per_page=PER_PAGE),
        "session": partial(web.session, ONE, first),
        "messages, first page": partial(web.messages, ONE, first, page=1, per_page=PER_PAGE),
        "messages after one": partial(web.messages_after, ONE, first, after=100, limit=PER_PAGE),
    }


async def main(options: argparse.Namespace) -> Mapping[str, Any]:
    """Fill a record of an embedded stack and measure each question on it."""
    amount = Amount(options.sessions, options.of_one, options.users)
    with bench_folder() as folder:
        async with EmbeddedStack(EmbeddedSettings(data_dir=folder / "data")) as stack:
            await migrate(stack.urls.database_url)
            url = SecretStr(stack.urls.database_url)
            database = Database(PostgresSettings(database_url=url, command_timeout_s=_FILL_WITHIN_S))
            try:
                _say(f"making {amount.sessions} sessions, {amount.of_one} of one user")
                await fill(database, amount)
                others = await lists_with_other_plans(database)
                costs: dict[str, Any] = {}
                for name, ask in questions(Web(database), amount).items():
                    _say(name)
                    cost = await measure(ask, calls=options.calls, postgres=stack.pids()["postgres"])
                    costs[name] = asdict(cost)
            finally:
                await database.stop()
            _say("over HTTP")
            costs["list over HTTP, first page"] = asdict(await _over_http(stack, str(folder), options.calls))
    return {
        "sessions": amount.sessions,
        "of_one": amount.of_one,
        "costs": costs,
        "lists_with_other_plans": others,
    }


async def _over_http(stack: EmbeddedStack, logs: str, calls: int) -> Cost:
    """Return what the first page costs when the edge is asked for it."""
    urls = stack.urls
    async with Admin(KafkaSettings(bootstrap_servers=urls.kafka_bootstrap), TopicSettings()) as admin:
        await admin.create_topics()
    async with (
        api_under_test(environment(urls, logs), {}, logs, user=ONE) as under_test,
        under_test.client() as client,
    ):

        async def ask() -> None:
            answer = await client.get("/chat-sessions/", params={"per_page": PER_PAGE})
            answer.raise_for_status()

        return await measure(ask, calls=calls, postgres=stack.pids()["postgres"])


def table(results: Mapping[str, Any]) -> str:
    """Return the costs as lines of text."""
    head = f"{results['sessions']} sessions, {results['of_one']} of one".ljust(38)
    lines = [f"{head}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms: postgres':>18}{'own':>7}"]
    lines += [
        f"{name:<38}{each['p50_ms']:>8.1f}{each['p99_ms']:>8.1f}"
        f"{each['postgres_cpu_ms']:>18.2f}{each['own_cpu_ms']:>7.2f}"
        for name, each in results["costs"].items()
    ]
    others = results["lists_with_other_plans"]
    lines += [f"NOT by the index alone: {which}: {how}" for which, how in others.items()]
    lines += [] if others else ["plans: every list is found and counted by its index alone"]
    return "\n".join(lines)


def _say(line: str) -> None:
    _err.print(f"api: {line}", style="dim")
