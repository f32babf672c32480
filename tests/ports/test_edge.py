"""What the edge's replicas share in Redis: limits with exact waits, first values, writes; none for ever."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from stores.redis.connection import RedisConnection
from stores.redis.edge import MOST_WRITES, EdgeKeys, Remembered, Spent, Write
from tests.ports.redis_server import RedisServer

DEADLINE_S = 20
ODD_USER = "we{ird} us}er{"


@pytest.fixture
async def connections(redis_server: RedisServer) -> AsyncIterator[tuple[RedisConnection, RedisConnection]]:
    """Two replicas' clients, with key names of the test's own."""
    prefix = f"{uuid.uuid4()}:"
    one, other = await redis_server.connect(prefix), await redis_server.connect(prefix)
    yield one, other
    await one.stop()
    await other.stop()


@pytest.fixture
def one(connections: tuple[RedisConnection, RedisConnection]) -> EdgeKeys:
    """The keys as one replica sees them."""
    return EdgeKeys(connections[0])


@pytest.fixture
def other(connections: tuple[RedisConnection, RedisConnection]) -> EdgeKeys:
    """The keys as another replica sees them."""
    return EdgeKeys(connections[1])


async def spend(keys: EdgeKeys, user_id: str, *, limit: int, window_s: int = 100) -> Spent:
    """Count a request."""
    return (await keys.arrive(user_id, limit=limit, window_s=window_s)).spent


async def test_a_window_allows_its_limit_over_all_replicas_and_says_how_long_to_wait(
    one: EdgeKeys, other: EdgeKeys
) -> None:
    spent = [await spend(keys, "alice", limit=3) for keys in (one, other, one, other)]
    assert [each.allowed for each in spent] == [True, True, True, False]
    assert [each.left for each in spent] == [2, 1, 0, 0]
    assert all(0 < each.retry_after_s <= 100 for each in spent)
    assert (await spend(one, "bob", limit=3)).left == 2


async def test_requests_at_once_never_pass_a_limit_together(one: EdgeKeys, other: EdgeKeys) -> None:
    spent = await asyncio.gather(*(spend(keys, "alice", limit=7) for keys in (one, other) for _ in range(20)))
    assert sum(each.allowed for each in spent) == 7


async def test_after_the_wait_that_was_told_a_request_is_allowed(one: EdgeKeys) -> None:
    spent = [await spend(one, "alice", limit=1, window_s=1)]
    assert spent[0] == Spent(allowed=True, left=0, retry_after_s=1)
    async with asyncio.timeout(DEADLINE_S):
        while spent[-1].allowed:  # on a busy machine a window may end between two requests
            spent.append(await spend(one, "alice", limit=1, window_s=1))
    refused = spent[-1]
    assert (refused.left, refused.retry_after_s) == (0, 1)
    await asyncio.sleep(refused.retry_after_s)
    assert (await spend(one, "alice", limit=1, window_s=1)).allowed


async def test_without_a_limit_nothing_is_counted(one: EdgeKeys) -> None:
    assert all([(await spend(one, "alice", limit=0)).allowed for _ in range(3)])
    assert (await spend(one, "alice", limit=1)).left == 0


async def test_no_more_runs_than_allowed_are_counted_and_a_repeated_one_counts_once(
    one: EdgeKeys, other: EdgeKeys
) -> None:
    assert await one.begin_run("alice", "a", most=2, keep_s=100)
    assert await other.begin_run("alice", "b", most=2, keep_s=100)
    assert not await one.begin_run("alice", "c", most=2, keep_s=100)
    assert await other.begin_run("alice", "a", most=2, keep_s=100)
    assert await one.begin_run("bob", "c", most=2, keep_s=100)
    await other.end_run("alice", "a")
    await other.end_run("alice", "never begun")
    assert await one.begin_run("alice", "c", most=2, keep_s=100)


async def test_a_run_whose_end_nobody_told_leaves_by_itself(one: EdgeKeys) -> None:
    assert await one.begin_run("alice", "lost", most=2, keep_s=1)
    assert await one.begin_run("alice", "kept", most=2, keep_s=100)
    await asyncio.sleep(1.01)
    assert await one.begin_run("alice", "next", most=2, keep_s=100)
    assert not await one.begin_run("alice", "another", most=2, keep_s=100)


async def test_the_first_value_of_a_key_wins_and_another_request_is_told_apart(
    one: EdgeKeys, other: EdgeKeys
) -> None:
    key = "any {text}\nof any length " * 100
    first = await one.remember_key("alice", key, "hash", "run 1\nof many lines", keep_s=100)
    assert first == Remembered("run 1\nof many lines", is_first=True, is_same_request=True)
    again = await other.remember_key("alice", key, "hash", "run 2", keep_s=100)
    assert again == Remembered("run 1\nof many lines", is_first=False, is_same_request=True)
    wrong = await other.remember_key("alice", key, "another", "run 3", keep_s=100)
    assert wrong == Remembered("run 1\nof many lines", is_first=False, is_same_request=False)
    assert (await other.remember_key("bob", key, "hash", "run 4", keep_s=100)).is_first


async def test_of_many_at_once_with_one_key_one_is_first(one: EdgeKeys, other: EdgeKeys) -> None:
    found = await asyncio.gather(
        *(
            keys.remember_key("alice", "key", "hash", f"{number}", keep_s=100)
            for number, keys in enumerate((one, other) * 10)
        )
    )
    assert sum(each.is_first for each in found) == 1
    assert len({each.value for each in found}) == 1


async def test_writes_are_known_to_every_replica_until_they_are_forgotten(
    one: EdgeKeys, other: EdgeKeys
) -> None:
    await one.note_write("alice", "s1", "e1", "message", keep_s=50)
    await other.note_write("alice", "s2", "e2", "erase", keep_s=60)
    await one.note_write("bob", "s3", "e3", "message", keep_s=60)
    assert await other.writes("alice") == [Write("e1", "s1", "message"), Write("e2", "s2", "erase")]
    await other.forget_writes("alice", ["e1", "e3", "unknown"])
    await other.forget_writes("alice", [])
    assert await one.writes("alice") == [Write("e2", "s2", "erase")]
    assert await one.writes("bob") == [Write("e3", "s3", "message")]


async def test_a_write_leaves_by_itself_though_others_stay(one: EdgeKeys) -> None:
    await one.note_write("alice", "s", "short", "message", keep_s=1)
    await one.note_write("alice", "s", "long", "message", keep_s=100)
    await asyncio.sleep(1.01)
    assert [write.event_id for write in await one.writes("alice")] == ["long"]


async def test_of_too_many_writes_the_newest_are_kept(one: EdgeKeys) -> None:
    for number in range(MOST_WRITES + 3):
        await one.note_write("alice", "s", f"e{number}", "message", keep_s=100 + number)
    kept = [write.event_id for write in await one.writes("alice")]
    assert kept == [f"e{number}" for number in range(3, MOST_WRITES + 3)]


async def test_who_arrives_at_any_replica_is_known_with_what_they_erased_and_published_lately(
    one: EdgeKeys, other: EdgeKeys
) -> None:
    await one.note_erased("alice", "s1", keep_s=50)
    await other.note_erased("alice", "s2", keep_s=1)
    await one.note_erased("bob", "s3", keep_s=50)
    for keys, partition, offset in ((one, 7, 12), (other, 7, 11), (one, 3, 0)):
        await keys.note_agent("alice", partition, offset, keep_s=50)
    await one.note_write("alice", "s4", "e1", "message", keep_s=50)
    alice = await other.arrive("alice", limit=0, window_s=100)
    assert alice.writes == [Write("e1", "s4", "message")]
    assert alice.agents == {7: 12, 3: 0}
    assert alice.erased >= {"s1"}
    await asyncio.sleep(1.01)
    assert (await one.arrive("alice", limit=0, window_s=100)).erased == {"s1"}
    bob = await one.arrive("bob", limit=0, window_s=100)
    assert (bob.erased, bob.agents, bob.writes) == ({"s3"}, {}, [])


async def test_who_has_written_much_is_not_told_with_each_arrival(one: EdgeKeys) -> None:
    for number in range(21):
        told = (await one.arrive("alice", limit=0, window_s=100)).writes
        assert told is not None
        assert len(told) == number
        await one.note_write("alice", "s", f"e{number}", "message", keep_s=100)
    assert (await one.arrive("alice", limit=0, window_s=100)).writes is None


async def test_of_too_many_erasures_the_newest_are_kept(one: EdgeKeys) -> None:
    for number in range(MOST_WRITES + 3):
        await one.note_erased("alice", f"s{number}", keep_s=100 + number)
    erased = (await one.arrive("alice", limit=0, window_s=100)).erased
    assert erased == {f"s{number}" for number in range(3, MOST_WRITES + 3)}


async def test_every_key_expires_and_carries_its_user_as_the_only_tag(
    connections: tuple[RedisConnection, RedisConnection],
) -> None:
    connection, keys = connections[0], EdgeKeys(connections[0])
    await spend(keys, ODD_USER, limit=1, window_s=60)
    await keys.begin_run(ODD_USER, "run", most=1, keep_s=60)
    await keys.remember_key(ODD_USER, "{key}", "hash", "value", keep_s=60)
    await keys.note_write(ODD_USER, "s", "e", "message", keep_s=60)
    await keys.note_erased(ODD_USER, "s", keep_s=60)
    await keys.note_agent(ODD_USER, 0, 1, keep_s=60)
    found = await connection.command(b"KEYS", connection.keys.prefix.encode() + b"edge:*")
    assert isinstance(found, list)
    names = [key for key in found if isinstance(key, bytes)]
    assert len(names) == 6
    assert all(b"{we%7Bird%7D%20us%7Der%7B}" in name and name.count(b"{") == 1 for name in names)
    lives = [await connection.command(b"TTL", name) for name in names]
    assert all(isinstance(life, int) and 0 < life <= 60 for life in lives)
