"""The runtime keeps its promises while real processes and a real broker are killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maestro.embedded.part import PartName
from maestro.embedded.stack import EmbeddedStack
from tests.chaos.runtime import history
from tests.chaos.runtime.campaign import (
    SETTINGS,
    all_ready,
    count_lost_natively,
    find_problems,
    kafka_only,
    run_seed,
)
from tests.chaos.runtime.fleet import Fleet, wait_until
from tests.chaos.runtime.traffic import Traffic, lag, make_traffic, produce, wait_for_no_lag

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStack]:
    async with kafka_only(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def fleet_for(traffic: Traffic, folder: Path, **options: Any) -> Fleet:
    defaults: dict[str, Any] = {
        "mean_step_s": 0.01,
        "static": False,
        "event_loop": "auto",
        "settings": SETTINGS,
    }
    return Fleet(
        folder,
        topics=traffic.topics,
        group=traffic.group,
        bootstrap=traffic.bootstrap,
        **{**defaults, **options},
    )


@pytest.mark.parametrize(("seed", "kills"), [(0, 1), (2, 2)])
async def test_nothing_is_lost_or_reordered_while_processes_die(
    seed: int, kills: int, stack: EmbeddedStack, tmp_path: Path
) -> None:
    report = await run_seed(seed, stack, tmp_path, kills=kills, over_s=8.0)
    assert not report.problems
    assert report.messages > 0


async def test_a_static_member_that_restarts_leaves_the_survivor_alone(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    traffic = await make_traffic(stack.urls.kafka_bootstrap)
    fleet = fleet_for(traffic, tmp_path, static=True, settings={**SETTINGS, "session_timeout_s": 45.0})
    try:
        fleet.start("w0")
        fleet.start("w1")
        await all_ready(fleet)
        await wait_until("both own partitions", lambda: len(assignments(fleet)) == 2, 20)
        before = [fact for fact in fleet.facts if fact.kind == "assigned"]
        sending = asyncio.create_task(produce(traffic, count=200, keys=20, over_s=6.0))
        await asyncio.sleep(1.0)
        fleet.kill("w0")
        fleet.start("w0")
        produced = await sending
        await all_ready(fleet)
        await wait_for_no_lag(traffic, 40)
        survivor = fleet.pid("w1")
        after = [fact for fact in fleet.facts if fact.kind == "assigned" and fact.pid == survivor]
        assert after == [fact for fact in before if fact.pid == survivor]
        assert not find_problems(fleet, fleet.facts, produced)
    finally:
        fleet.end()


async def test_a_broker_restart_ends_no_process_and_repeats_nothing(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    traffic = await make_traffic(stack.urls.kafka_bootstrap)
    fleet = fleet_for(traffic, tmp_path)
    try:
        fleet.start("w0")
        fleet.start("w1")
        await all_ready(fleet)
        await wait_until("both own partitions", lambda: len(assignments(fleet)) == 2, 20)
        pids = {name: fleet.pid(name) for name in fleet.names}
        sending = asyncio.create_task(produce(traffic, count=300, keys=20, over_s=6.0))
        await asyncio.sleep(1.5)
        await stack.kill(PartName.KAFKA)
        await wait_until("a worker says that the broker is away", lambda: not fleet.is_ready("w0"), 10)
        await stack.start_part(PartName.KAFKA)
        produced = await sending
        await wait_for_no_lag(traffic, 60)
        await all_ready(fleet)
        assert {name: fleet.pid(name) for name in fleet.names} == pids
        assert not find_problems(fleet, fleet.facts, produced)
        assert history.repeats(fleet.facts) == 0
    finally:
        fleet.end()


async def test_unequal_partition_counts_stop_the_worker_with_a_sentence(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    traffic = await make_traffic(stack.urls.kafka_bootstrap, partitions=(6, 4))
    fleet = fleet_for(traffic, tmp_path)
    try:
        fleet.start("w0")
        await wait_until("the worker has ended", lambda: not fleet.names, 20)
        assert fleet.exit_code("w0") == 1
        assert "same number of partitions" in fleet.log
        assert not [fact for fact in fleet.facts if fact.kind == "begin"]
    finally:
        fleet.end()


async def test_a_drain_that_takes_too_long_is_cut_and_repeated(stack: EmbeddedStack, tmp_path: Path) -> None:
    traffic = await make_traffic(stack.urls.kafka_bootstrap)
    settings = {**SETTINGS, "drain_limit_s": 1.0}
    fleet = fleet_for(traffic, tmp_path, mean_step_s=30.0, settings=settings)
    try:
        fleet.start("w0")
        await all_ready(fleet)
        await produce(traffic, count=20, keys=20, over_s=0.2)
        await wait_until("a step runs", lambda: any(fact.kind == "begin" for fact in fleet.facts), 10)
        assert await fleet.stop("w0", 6.0) == 0
        facts = fleet.facts
        ended = {fact.id for fact in facts if fact.kind in {"end", "cancelled", "failed"}}
        assert {fact.id for fact in facts if fact.kind == "begin"} <= ended
        assert [fact for fact in facts if fact.kind in {"assigned", "revoked"}][-1].kind == "revoked"
        assert sum((await lag(traffic)).values()) >= 20 - len([fact for fact in facts if fact.kind == "end"])
    finally:
        fleet.end()


@pytest.mark.long
async def test_a_frozen_worker_that_wakes_acknowledges_nothing_that_moved(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    traffic = await make_traffic(stack.urls.kafka_bootstrap)
    fleet = fleet_for(traffic, tmp_path)
    try:
        fleet.start("w0")
        fleet.start("w1")
        await all_ready(fleet)
        sending = asyncio.create_task(produce(traffic, count=400, keys=20, over_s=14.0))
        await asyncio.sleep(2.0)
        os.kill(fleet.pid("w0"), signal.SIGSTOP)
        await asyncio.sleep(9.0)
        os.kill(fleet.pid("w0"), signal.SIGCONT)
        produced = await sending
        await wait_for_no_lag(traffic, 60)
        await all_ready(fleet)
        assert history.missing(fleet.facts, produced) == []
        assert history.crowded_lanes(fleet.facts) == []
    finally:
        for name in fleet.names:
            os.kill(fleet.pid(name), signal.SIGCONT)
        fleet.end()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_faust_with_native_concurrency_loses_messages(stack: EmbeddedStack, tmp_path: Path) -> None:
    lost = 0
    for attempt in range(4):
        lost += await count_lost_natively(stack, tmp_path / str(attempt))
        if lost:
            return
    pytest.fail("no message was lost in four runs: is the runtime still needed?")


def assignments(fleet: Fleet) -> dict[int, tuple[int, ...]]:
    """Return the newest partitions of every process that owns some."""
    newest = {fact.pid: fact.partitions for fact in fleet.facts if fact.kind in {"assigned", "revoked"}}
    return {pid: partitions for pid, partitions in newest.items() if 0 < len(partitions) < 6}
