"""What the runtime relies on inside the pinned clients, and the settings that Faust really gets."""

import asyncio
import inspect
from typing import Any
from unittest.mock import AsyncMock, Mock

import faust
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from mode.threads import ServiceThread

from streams.runtime.app import FaustDoor, _options
from streams.runtime.connection import ConnectionOptions
from streams.runtime.consumer import _continued, rest_before_take_s
from streams.runtime.settings import RuntimeSettings

CONNECTION = ConnectionOptions(bootstrap_servers=("127.0.0.1:1", "127.0.0.1:2"))


def conf(static_name: str | None = None, **settings: Any) -> Any:
    return faust.App("group", **_options("group", static_name, RuntimeSettings(**settings), CONNECTION)).conf


def test_the_probe_reads_names_that_exist() -> None:
    source = inspect.getsource(GroupCoordinator)
    for name in (
        "self._coordination_task",
        "self._rejoin_needed_fut",
        "self.coordinator_id",
        "self.generation",
    ):
        assert name in source


def test_faust_delivers_messages_by_the_call_that_is_shortened() -> None:
    source = inspect.getsource(FaustConsumer._drain_messages)
    assert "self.wait_first(" in source
    assert "callback(message), self.suspend_flow.wait()" in source


def test_environment_variables_do_not_reach_faust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_COMMIT_INTERVAL", "77")
    monkeypatch.setenv("STREAM_WAIT_EMPTY", "1")
    settings = conf()
    assert settings.broker_commit_interval == 0.1
    assert settings.stream_wait_empty is False


def test_the_session_timeout_depends_on_the_kind_of_member() -> None:
    assert conf().broker_session_timeout == 10
    assert conf("w0").broker_session_timeout == 45
    assert conf("w0", session_timeout_s=6).broker_session_timeout == 6


def test_a_static_member_keeps_its_address_and_others_never_share_one() -> None:
    assert conf("w0").canonical_url == conf("w0").canonical_url
    assert conf("w0").canonical_url != conf("w1").canonical_url
    assert conf().canonical_url != conf().canonical_url


def test_the_request_timeout_outlasts_joining() -> None:
    settings = conf("w0")
    assert settings.broker_request_timeout > settings.broker_rebalance_timeout
    assert settings.broker_request_timeout >= settings.broker_session_timeout


def test_credentials_are_passed_on() -> None:
    connection = ConnectionOptions(
        bootstrap_servers=("127.0.0.1:1",),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="u",
        sasl_password="p",
    )
    credentials = _options("group", None, RuntimeSettings(), connection)["broker_credentials"]
    assert (credentials.username, credentials.password) == ("u", "p")
    assert "'p'" not in repr(connection)


@given(st.integers(1, 2000))
def test_the_backoff_grows_to_its_limit(attempt: int) -> None:
    settings = RuntimeSettings()
    assert settings.retry_backoff_min_s <= settings.backoff_s(attempt) <= settings.backoff_s(attempt + 1)
    assert settings.backoff_s(attempt) <= settings.retry_backoff_max_s


async def test_a_delivery_that_waits_is_continued_where_it_stopped() -> None:
    gate = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def delivery() -> str:
        seen.append("first step")
        await gate
        await asyncio.sleep(0)
        seen.append("second step")
        return "delivered"

    coroutine = delivery()
    awaited = coroutine.send(None)
    assert seen == ["first step"]
    task = asyncio.create_task(_continued(coroutine, awaited))
    await asyncio.sleep(0)
    gate.set_result(None)
    assert await task == "delivered"
    assert seen == ["first step", "second step"]


async def test_a_cancellation_reaches_a_continued_delivery() -> None:
    gate = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def delivery() -> None:
        try:
            await gate
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    coroutine = delivery()
    task = asyncio.create_task(_continued(coroutine, coroutine.send(None)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert seen == ["cancelled"]


class QuietHooks:
    """Hooks that have nothing to do."""

    rebalance_limit_s = 1.0
    in_flight = 0

    def revoking(self) -> None: ...

    async def revoked(self) -> None: ...

    async def assigned(self, places: frozenset[TP], generation: int) -> None: ...


def a_door() -> FaustDoor:
    """A door that leads nowhere."""
    return FaustDoor(
        topics=("in",),
        group="group",
        static_name=None,
        settings=RuntimeSettings(),
        connection=CONNECTION,
        dispatch=AsyncMock(),
        hooks=QuietHooks(),
        fail=Mock(),
    )


async def test_nothing_flows_between_an_assignment_and_the_seek_that_follows_it() -> None:
    door = a_door()
    app = door._app
    consumer: Any = app.consumer
    # As Faust leaves it to a member that was assigned nothing.
    app.flow_control.resume()
    consumer.resume_flow()
    seen: list[tuple[bool, bool]] = []

    async def assigned(_places: object, _generation: int) -> None:
        seen.append((consumer.flow_active, app.flow_control.is_active()))

    consumer._on_partitions_assigned = assigned
    await consumer.on_partitions_assigned({TP("in", 0)}, 2)
    consumer._thread.thread_loop.close()
    assert seen == [(False, False)]


def test_faust_opens_the_flow_after_its_seek() -> None:
    source = inspect.getsource(Recovery._resume_streams)
    seek, flow = source.index("consumer.perform_seek()"), source.index("app.flow_control.resume()")
    assert seek < flow < source.index("consumer.resume_flow()")


def test_messages_gather_longer_the_more_steps_are_in_flight() -> None:
    assert rest_before_take_s(3, since_s=0.0) == 0.0
    assert rest_before_take_s(10, since_s=0.0) == pytest.approx(0.01)
    assert rest_before_take_s(64, since_s=0.0) == pytest.approx(0.025)
    assert rest_before_take_s(64, since_s=0.005) == pytest.approx(0.02)
    assert rest_before_take_s(64, since_s=1.0) == 0.0


def test_faust_takes_messages_through_the_call_that_rests() -> None:
    assert "self._fetch_records," in inspect.getsource(AIOKafkaConsumerThread.getmany)


def test_the_loop_of_the_consumers_thread_has_the_name_that_the_probe_asks() -> None:
    assert "self.thread_loop" in inspect.getsource(ServiceThread)


async def test_a_loop_that_does_not_answer_is_counted_and_one_that_does_is_not() -> None:
    door = a_door()
    loop = asyncio.get_running_loop()
    answers = [door._unanswered_by(loop) for _ in range(3)]
    await asyncio.sleep(0)
    answers.append(door._unanswered_by(loop))
    assert answers == [0, 1, 2, 0]
