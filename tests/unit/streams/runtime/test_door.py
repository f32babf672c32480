"""What the runtime relies on inside the pinned clients, and the settings that Faust really gets."""

import asyncio
import inspect
from typing import Any
from unittest.mock import AsyncMock, Mock

import faust
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from mode.threads import ServiceThread

from streams.runtime.app import FaustDoor, _options
from streams.runtime.connection import ConnectionOptions
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


def test_the_loop_of_the_consumers_thread_has_the_name_that_the_probe_asks() -> None:
    assert "self.thread_loop" in inspect.getsource(ServiceThread)


async def test_a_loop_that_does_not_answer_is_counted_and_one_that_does_is_not() -> None:
    door = a_door()
    loop = asyncio.get_running_loop()
    answers = [door._unanswered_by(loop) for _ in range(3)]
    await asyncio.sleep(0)
    answers.append(door._unanswered_by(loop))
    assert answers == [0, 1, 2, 0]
