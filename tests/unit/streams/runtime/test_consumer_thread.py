"""The consumer's thread: what a take waits for, what it leaves alone, and the pace of the fetches."""

import asyncio
import contextlib
import inspect
from time import monotonic
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import ConsumerStoppedError
from aiokafka.protocol.fetch import FetchRequest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.runtime.consumer_thread import ConsumerThread
from streams.runtime.pace import Pace

PLACE = TP("in", 0)


def test_the_client_fetches_by_the_calls_that_are_paced() -> None:
    routine = inspect.getsource(Fetcher._fetch_requests_routine)
    assert "self._get_actions_per_node(assignment)" in routine
    order = ("fetch_requests,", "reset_requests,", "timeout,", "invalid_metadata,", "resume_futures,")
    places = [routine.index(name) for name in order]
    assert places == sorted(places)
    taking = inspect.getsource(Fetcher.fetched_records)
    for name in ("self._create_fetch_waiter()", "waiter.result()", "if drained or not timeout:"):
        assert name in taking
    assert "consumer._max_poll_records" in inspect.getsource(AIOKafkaConsumerThread.getmany)


class FakeFetcher:
    """The client's fetcher as the thread uses it: what is there, and who waits for more."""

    def __init__(self) -> None:
        self._closed = False
        self._subscriptions = Mock(fetch_context=contextlib.nullcontext)
        self.there: dict[TP, list[Any]] = {}
        self.waiters: list[asyncio.Future[None]] = []

    async def fetched_records(self, _places: object, *, timeout: float, max_records: int) -> Any:  # noqa: ASYNC109
        assert timeout == 0
        assert max_records == 32
        taken, self.there = self.there, {}
        return taken

    def _create_fetch_waiter(self) -> asyncio.Future[None]:
        self.waiters.append(asyncio.get_running_loop().create_future())
        return self.waiters[-1]

    def _notify(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)


class FakeThread(ConsumerThread):
    """A consumer thread on the loop of the test, without a client."""

    def __init__(self, fetcher: FakeFetcher) -> None:
        self._pace = Pace()
        self._takes = set()
        self._consumer: Any = Mock(_fetcher=fetcher, _closed=False, _max_poll_records=32)
        self.consumer: Any = Mock(flow_active=True, in_flight=0)
        self.parent_loop = self.thread_loop = asyncio.get_running_loop()


async def test_a_take_waits_for_a_first_message_up_to_its_limit() -> None:
    fetcher = FakeFetcher()
    thread = FakeThread(fetcher)
    assert await thread.getmany({PLACE}, 0.001) == {}
    taking = asyncio.create_task(thread.getmany({PLACE}, 5))
    await asyncio.sleep(0.005)
    fetcher.there = {PLACE: ["a message"]}
    fetcher._notify(fetcher.waiters[-1])
    assert await taking == {PLACE: ["a message"]}


async def test_nothing_is_taken_that_arrives_while_the_flow_is_stopped() -> None:
    fetcher = FakeFetcher()
    thread = FakeThread(fetcher)
    taking = asyncio.create_task(thread.getmany({PLACE}, 5))
    await asyncio.sleep(0.005)
    thread.consumer.flow_active = False
    fetcher.there = {PLACE: ["a message"]}
    fetcher._notify(fetcher.waiters[-1])
    assert await taking == {}
    assert fetcher.there


async def test_whoever_takes_hears_that_the_client_is_closed() -> None:
    fetcher = FakeFetcher()
    fetcher._closed = True
    with pytest.raises(ConsumerStoppedError):
        await FakeThread(fetcher).getmany({PLACE}, 5)


async def test_the_client_does_nothing_until_the_rest_is_over() -> None:
    thread = FakeThread(FakeFetcher())
    found = FetchRequest(1500, 1, 1000, 0, [("in", [(0, 7, 100)])])
    thread._actions = Mock(return_value=([(1, found)], {}, 0.2, True, ["resumed"]))
    requests, *others = thread._actions_in_time(None)
    assert [(node, request.topics) for node, request in requests] == [(1, found.topics)]
    assert others == [{}, 0.2, True, ["resumed"]]
    for _ in range(9):
        thread._pace.took(20, 10, monotonic())
    requests, resets, wait_s, _, _ = thread._actions_in_time(None)
    assert not requests
    assert not resets
    assert 0 < wait_s <= 0.025
