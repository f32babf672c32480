"""The port of recent sessions: newest first, greater versions win, erased ones stay away, none for ever."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from stores.redis.connection import RedisConnection
from stores.redis.recents import Recents, RecentSession
from tests.fakes.recents import FakeRecents
from tests.ports.redis_server import RedisServer

KEEP_S = 100
MOST = 5
AnyRecents = Recents | FakeRecents


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    """A client with key names of the test's own."""
    opened = await redis_server.connect(f"{uuid.uuid4()}:")
    yield opened
    await opened.stop()


@pytest.fixture(params=["fake", "real"])
def recents(request: pytest.FixtureRequest, connection: RedisConnection) -> AnyRecents:
    """Both sides in turn."""
    if request.param == "fake":
        return FakeRecents(keep_s=KEEP_S, most=MOST)
    return Recents(connection, keep_s=KEEP_S, most=MOST)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def session(number: int = 0, *, user_id: str = "alice", age_s: float = 0) -> RecentSession:
    return RecentSession(
        session_id=str(uuid.UUID(int=number)),
        user_id=user_id,
        agent_id=None,
        title=f"Número {number}",
        status="active",
        archived=False,
        total_messages=3,
        last_message="42 orders",
        last_activity_ms=now_ms() - int(age_s * 1000),
        created_ms=1,
        term=4,
        version=2,
    )


async def test_a_users_sessions_come_back_as_they_were_the_last_active_first(recents: AnyRecents) -> None:
    sessions = [session(number, age_s=age_s) for number, age_s in enumerate((20, 10, 30))]
    await recents.put(sessions)
    await recents.put([session(7, user_id="bob")])
    assert await recents.of_user("alice") == (sessions[1], sessions[0], sessions[2])
    assert await recents.of_user("alice", limit=1) == (sessions[1],)
    assert await recents.of_user("nobody") == ()


async def test_only_a_greater_version_replaces_a_session(recents: AnyRecents) -> None:
    first = session()
    await recents.put([first])
    for term, version in ((4, 2), (4, 1), (3, 99)):
        await recents.put([replace(first, title="older", term=term, version=version)])
    assert await recents.of_user("alice") == (first,)
    for term, version in ((4, 10), (5, 1)):
        newer = replace(first, title="newer", term=term, version=version)
        await recents.put([newer])
        assert await recents.of_user("alice") == (newer,)


async def test_what_was_put_away_is_shown_when_asked_for(recents: AnyRecents) -> None:
    one, away = session(1), replace(session(2, age_s=1), archived=True)
    await recents.put([one, away])
    assert await recents.of_user("alice") == (one,)
    assert await recents.of_user("alice", archived=True) == (away,)
    assert await recents.of_user("alice", archived=None) == (one, away)


async def test_an_erased_session_is_gone_and_a_late_record_does_not_bring_it_back(
    recents: AnyRecents,
) -> None:
    await recents.put([session(1), session(2, age_s=1)])
    await recents.remove([session(1).session_id, session(9).session_id])
    late = [replace(session(number), version=9) for number in (1, 9)]
    await recents.put(late)
    assert [each.session_id for each in await recents.of_user("alice")] == [session(2).session_id]


async def test_a_list_holds_no_more_than_it_may_and_nothing_old(recents: AnyRecents) -> None:
    await recents.put([session(number, age_s=number) for number in range(MOST + 3)])
    await recents.put([session(99, age_s=KEEP_S + 1)])
    listed = await recents.of_user("alice", limit=100)
    assert [each.session_id for each in listed] == [session(number).session_id for number in range(MOST)]


async def test_a_session_that_grew_old_in_the_list_is_not_shown(connection: RedisConnection) -> None:
    for recents in (FakeRecents(keep_s=1, most=MOST), Recents(connection, keep_s=1, most=MOST)):
        await recents.put([session(age_s=0.5)])
        assert len(await recents.of_user("alice")) == 1
    await asyncio.sleep(0.7)
    assert await recents.of_user("alice") == ()


async def test_every_key_expires_but_the_offsets(connection: RedisConnection) -> None:
    recents = Recents(connection, keep_s=KEEP_S, most=MOST)
    await recents.put([session(1, user_id="we{ird} user"), session(2)])
    await recents.remove([session(2).session_id])
    await recents.move({3: 7})
    assert len(await recents.of_user("we{ird} user")) == 1
    keys = await connection.command(b"KEYS", connection.keys.prefix.encode() + b"recents:*")
    assert isinstance(keys, list)
    lives = {key: await connection.command(b"TTL", key) for key in keys if isinstance(key, bytes)}
    unending = [key for key, life in lives.items() if life == -1]
    assert [key.rpartition(b":")[2] for key in unending] == [b"{t03}"]
    assert all(b"{we%7Bird%7D%20user}" in key for key in lives if b"sessions" in key and b"alice" not in key)


async def test_offsets_are_kept_beside_the_lists(recents: AnyRecents) -> None:
    assert await recents.offsets([1, 2]) == {}
    await recents.move({1: 5, 2: 0})
    await recents.move({1: 6})
    assert await recents.offsets([1, 2, 3]) == {1: 6, 2: 0}
