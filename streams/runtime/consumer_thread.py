"""Faust's consumer thread, which here fetches at a pace and is asked for messages in one call."""

import asyncio
import contextlib
from functools import partial
from time import monotonic
from typing import Any, Protocol, cast

from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.runtime.fetch_once import FetchOnce
from streams.runtime.pace import Pace


class Flow(Protocol):
    """What the thread asks the consumer that it works for."""

    flow_active: bool
    """Whether messages may be taken: not between the end of an assignment and the seek of the next."""

    @property
    def in_flight(self) -> int:
        """How many steps run."""
        ...


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that keeps the group membership, however busy the process is, and fetches.

    The private names of the client are those of a pinned version; tests guard them.
    """

    _known: tuple[Any, set[TP]] = (None, set())

    async def on_start(self) -> None:
        """Start the client, and let its fetches keep our pace."""
        await super().on_start()
        self._pace = Pace()
        self._takes: set[asyncio.Task[Any]] = set()
        fetcher = self._client._fetcher  # noqa: SLF001
        self._actions = fetcher._get_actions_per_node  # noqa: SLF001
        fetcher._get_actions_per_node = self._actions_in_time  # noqa: SLF001

    def assignment(self) -> set[TP]:
        """Return the current assignment, converted once: it is asked for with every place of a commit."""
        current = self._client.assignment()
        known, converted = self._known
        if current is not known:
            converted = {TP(place.topic, place.partition) for place in current}
            self._known = (current, converted)
        return converted

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        """Take in the thread what was fetched, waiting `timeout` seconds for a first message.

        One wake-up each way. Faust's queue of calls makes a worker of it that starts three tasks for each.
        """
        taken = self.parent_loop.create_future()
        self.thread_loop.call_soon_threadsafe(self._start_take, taken, active_partitions, timeout)
        return await taken

    @property
    def _client(self) -> Any:
        return self._ensure_consumer()

    def _actions_in_time(self, assignment: Any) -> Any:
        """Tell the client's fetch routine what to do now: nothing until the rest is over, then what it found.

        Where messages gather matters. Here it is at the broker, and one fetch brings all of them; if it were
        after the fetch, that would have brought the first one, and all others would wait for the next.
        """
        if (rest_s := self._pace.rest_s(monotonic())) > 0:
            return [], {}, rest_s, False, []
        requests, *others = self._actions(assignment)
        return [(node, FetchOnce(request)) for node, request in requests], *others

    def _start_take(self, taken: asyncio.Future[Any], active: Any, limit_s: float) -> None:
        task = self.thread_loop.create_task(self._take(active, limit_s))
        self._takes.add(task)
        task.add_done_callback(partial(self._answer, taken))

    def _answer(self, taken: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
        self._takes.discard(task)
        with contextlib.suppress(RuntimeError):  # the process ends, its loop is closed
            self.parent_loop.call_soon_threadsafe(_settle, taken, task)

    async def _take(self, active: Any, limit_s: float) -> Any:
        client, flow = self._client, cast("Flow", self.consumer)
        fetcher = client._fetcher  # noqa: SLF001
        if client._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001
            records = await self._fetched(flow, active)
            if not records:
                await _arrival(fetcher, limit_s)
                records = await self._fetched(flow, active)
        if records:
            self._pace.took(sum(map(len, records.values())), flow.in_flight, monotonic())
        return records

    async def _fetched(self, flow: Flow, active: Any) -> Any:
        # Asked before each look: what is taken between an assignment and the seek that follows it is put
        # aside, and in a partition that has no committed offset that seek does not bring it back.
        if not flow.flow_active:
            return {}
        client = self._client
        return await client._fetcher.fetched_records(  # noqa: SLF001
            active,
            timeout=0,
            max_records=client._max_poll_records,  # noqa: SLF001
        )


def _settle(taken: asyncio.Future[Any], task: asyncio.Task[Any]) -> None:
    """Let the future end as the task in the thread did. Runs on the loop of the future."""
    error = None if task.cancelled() else task.exception()
    if taken.done():
        return
    if task.cancelled():
        taken.cancel()
    elif error is not None:
        taken.set_exception(error)
    else:
        taken.set_result(task.result())


async def _arrival(fetcher: Any, limit_s: float) -> None:
    """Return when something was fetched, or after the limit. Raises what ends the membership."""
    waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
    timer = asyncio.get_running_loop().call_later(limit_s, fetcher._notify, waiter)  # noqa: SLF001
    try:
        await waiter
    finally:
        timer.cancel()
        waiter.cancel()
