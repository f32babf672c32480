"""Restarts and failovers of a real Redis: what was kept counts as absent; it may be older; writes refused."""

import asyncio

import pytest

from schemas.errors import TransientError
from stores.redis.contexts import Contexts, Stored
from stores.redis.journal import Claimed, Journal
from stores.redis.timers import Timers
from tests.ports.redis_clients import VALUE, P, begin, connected, reconnected
from tests.ports.redis_server import RedisServer


async def test_a_restart_ends_the_epoch_of_every_partition(own_server: RedisServer) -> None:
    connection = await connected(own_server)
    contexts, timers, journal = Contexts(connection), Timers(connection), Journal(connection)
    before = await begin(connection, "s")
    await journal.complete(P, "step", "a", b"value", 600_000)
    await timers.mark_armed(P, before)
    old = [await timers.epoch(partition) for partition in range(4)]
    await own_server.kill()
    await own_server.start()
    await reconnected(connection)
    kept = connection.keys.context(P, "s")
    assert (
        await connection.command(b"EXISTS", kept) == 1
    )  # the data came back, and count as absent all the same
    loaded = await contexts.load(P, "s", leave_token=True)
    assert loaded.stored is None
    assert loaded.epoch.id != before
    assert loaded.epoch.born_ms >= old[P].born_ms
    assert not await contexts.store(P, "s", epoch=before, expected=(1, 1), new=VALUE, ttl_s=600)
    assert isinstance(await journal.claim(P, "step", "b", 1_000), Claimed)
    assert not await timers.is_armed(P)
    new = [await timers.epoch(partition) for partition in range(4)]
    assert not {epoch.id for epoch in new} & {epoch.id for epoch in old}
    await connection.stop()


async def test_an_epoch_holds_while_the_server_runs(own_server: RedisServer) -> None:
    first = await own_server.connect("shared:")
    epoch = await begin(first, "s")
    await first.stop()
    second = await own_server.connect("shared:")
    loaded = await Contexts(second).load(P, "s", leave_token=True)
    assert (loaded.epoch.id, loaded.stored) == (epoch, VALUE)
    await second.stop()


async def test_a_failover_to_an_older_state_makes_all_of_it_absent(own_server: RedisServer) -> None:
    connection = await connected(own_server)
    contexts = Contexts(connection)
    epoch = await begin(connection, "s")
    await asyncio.sleep(0.1)
    own_server.dump()
    newer = Stored(b"newer", b"", 1, 2)
    assert await contexts.store(P, "s", epoch=epoch, expected=(1, 1), new=newer, ttl_s=600)
    await own_server.fail_over()
    await reconnected(connection)
    # The older state holds a context and its marker: but for the run id it would be believed.
    assert await connection.command(b"EXISTS", connection.keys.context(P, "s")) == 1
    assert not await contexts.store(P, "s", epoch=epoch, expected=(1, 1), new=newer, ttl_s=600)
    loaded = await contexts.load(P, "s", leave_token=True)
    assert loaded.stored is None
    assert loaded.epoch.id != epoch
    await connection.stop()


async def test_a_full_server_and_one_that_became_a_replica_are_waited_for(own_server: RedisServer) -> None:
    connection = await connected(own_server)
    contexts = Contexts(connection)
    await connection.command(b"CONFIG", b"SET", b"maxmemory", b"1")
    with pytest.raises(TransientError, match="no memory left"):
        await contexts.load(P, "s", leave_token=True)
    await connection.command(b"CONFIG", b"SET", b"maxmemory", b"0")
    assert (await contexts.load(P, "s", leave_token=True)).token is not None
    await connection.command(b"REPLICAOF", b"127.0.0.1", b"1")
    with pytest.raises(TransientError, match="READONLY"):
        await contexts.load(P, "s", leave_token=True)
    await connection.stop()
