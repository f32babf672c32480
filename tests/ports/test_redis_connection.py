"""The door to a real Redis: coalescing, isolation of errors, losses, refusals."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.errors import ErrorCode, FatalError, TransientError
from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts, Stored
from stores.redis.feed import Feed
from stores.redis.link import Call, Link
from stores.redis.scripts import CONTEXT_LOAD, CONTEXT_STORE
from tests.ports.redis_clients import DEADLINE_S, P, begin, connected, reconnected
from tests.ports.redis_server import RedisServer


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    """A client of the shared server."""
    started = await redis_server.connect(f"{uuid.uuid4()}:")
    yield started
    await started.stop()


async def test_commands_of_one_turn_go_out_as_one_pipeline(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await redis_server.connect(f"{uuid.uuid4()}:", connections=1)
    writes: list[int] = []
    send = Link.send

    def counted(link: Link, calls: Sequence[Call]) -> None:
        writes.append(len(calls))
        send(link, calls)

    monkeypatch.setattr(Link, "send", counted)
    names = [f"{uuid.uuid4()}".encode() for _ in range(300)]

    async def there_and_back(name: bytes) -> None:
        await connection.command(b"SET", name, name)
        assert await connection.command(b"GET", name) == name

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(there_and_back(name))
    assert writes == [300, 300]  # the replies come in a few chunks, and their callers go on together
    await connection.stop()


async def test_an_error_fails_its_own_caller_only(connection: RedisConnection) -> None:
    key = f"{uuid.uuid4()}".encode()
    replies = await asyncio.gather(
        connection.command(b"SET", key, b"1"),
        connection.command(b"LPUSH", key, b"x"),
        connection.command(b"INCR", key),
        return_exceptions=True,
    )
    assert (replies[0], replies[2]) == (b"OK", 2)
    assert isinstance(replies[1], FatalError)
    assert replies[1].code is ErrorCode.REFUSED_BY_STORE
    assert "WRONGTYPE" in replies[1].message


async def test_a_caller_that_left_does_not_shift_the_replies(connection: RedisConnection) -> None:
    async def echo(word: bytes) -> object:
        return await connection.command(b"ECHO", word)

    tasks = [asyncio.create_task(echo(b"%d" % number)) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert ended[1::2] == [b"%d" % number for number in range(1, 20, 2)]
    assert await echo(b"after") == b"after"


async def test_scripts_that_were_flushed_are_loaded_again(redis_server: RedisServer) -> None:
    connection = await redis_server.connect(f"{uuid.uuid4()}:", connections=1)
    await connection.command(b"SCRIPT", b"FLUSH")
    await asyncio.gather(*(begin(connection, f"s{number}") for number in range(20)))
    assert await connection.command(b"SCRIPT", b"EXISTS", CONTEXT_LOAD.sha, CONTEXT_STORE.sha) == [1, 1]
    await connection.stop()


async def test_hundreds_of_sessions_step_at_once(connection: RedisConnection) -> None:
    contexts = Contexts(connection)
    big = b"x" * 8192

    async def ten_steps(session_id: str) -> int:
        await begin(connection, session_id)
        for _ in range(10):
            loaded = await contexts.load(P, session_id, leave_token=True)
            assert loaded.stored is not None
            expected = (loaded.stored.term, loaded.stored.version)
            new = Stored(big, session_id.encode(), 1, expected[1] + 1)
            assert await contexts.store(
                P, session_id, epoch=loaded.epoch.id, expected=expected, new=new, ttl_s=600
            )
        last = await contexts.load(P, session_id, leave_token=True)
        assert last.stored == Stored(big, session_id.encode(), 1, 11)
        return 1

    assert sum(await asyncio.gather(*(ten_steps(f"s{number}") for number in range(400)))) == 400


async def test_a_loss_fails_what_is_in_flight_and_the_rest_goes_on(own_server: RedisServer) -> None:
    connection = await connected(own_server)
    waiting = [asyncio.create_task(Feed(connection).read(P, "s", block_ms=20_000)) for _ in range(3)]
    stuck = asyncio.create_task(asyncio.wait_for(connection.command(b"BLPOP", b"nothing", b"0"), DEADLINE_S))
    await asyncio.sleep(0.1)
    await own_server.kill()
    for ended in await asyncio.gather(stuck, *waiting, return_exceptions=True):
        assert isinstance(ended, TransientError)
    late = asyncio.create_task(begin(connection, "s"))  # issued while nobody is there
    await asyncio.sleep(0.1)
    assert not connection.is_connected
    await own_server.start()
    async with asyncio.timeout(DEADLINE_S):
        assert await late
    await connection.stop()


async def test_a_command_without_an_answer_fails_in_time(own_server: RedisServer) -> None:
    connection = RedisConnection(own_server.settings("p:", connections=1, command_timeout_s=0.3))
    await connection.start(4)
    async with asyncio.timeout(5):
        with pytest.raises(TransientError, match="no answer in time"):
            await connection.command(b"BLPOP", b"nothing", b"0")
    await reconnected(connection)
    await connection.stop()


async def test_commands_fail_in_time_while_nobody_is_there(own_server: RedisServer) -> None:
    connection = RedisConnection(own_server.settings("p:", connections=1, command_timeout_s=0.3))
    await connection.start(4)
    await own_server.kill()
    await asyncio.sleep(0.1)
    assert not connection.is_connected
    async with asyncio.timeout(5):
        with pytest.raises(TransientError, match="cannot be reached"):
            await connection.command(b"PING")
    await connection.stop()


async def test_a_server_that_may_evict_is_refused(own_server: RedisServer) -> None:
    connection = await connected(own_server)
    await connection.command(b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lru")
    late = RedisConnection(own_server.settings("p:"))
    with pytest.raises(FatalError, match=r"maxmemory-policy is allkeys-lru.*noeviction"):
        await late.start(4)
    await late.stop()
    await connection.stop()


async def test_a_server_that_evicts_after_a_restart_fails_commands_with_what_to_do(
    own_server: RedisServer,
) -> None:
    connection = RedisConnection(own_server.settings("p:", connections=1))
    await connection.start(4)
    await connection.command(b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lru")
    assert await connection.command(b"QUIT") == b"OK"
    await asyncio.sleep(0.1)
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(FatalError, match="maxmemory-policy"):
            await connection.command(b"PING")
    await connection.stop()


async def test_a_wrong_password_is_refused_without_telling_it(own_server: RedisServer) -> None:
    url = own_server.part.url.replace(own_server.part.password, "not-this-one")
    settings = own_server.settings("p:").model_copy(update={"redis_url": SecretStr(url)})
    connection = RedisConnection(settings)
    with pytest.raises(FatalError, match="REDIS_URL") as refused:
        await connection.start(4)
    assert "not-this-one" not in str(refused.value)
    await connection.stop()


async def test_a_start_without_a_server_gives_up(tmp_path: Path) -> None:
    never_started = RedisServer(tmp_path)
    connection = RedisConnection(never_started.settings("p:"))
    with pytest.raises(TransientError, match="cannot be reached"):
        await connection.start(4)
    await connection.stop()
    await never_started.stop()


async def test_a_stopped_connection_refuses_commands(own_server: RedisServer) -> None:
    connection = await connected(own_server)
    await connection.stop()
    with pytest.raises(TransientError, match="not open"):
        await connection.command(b"PING")


async def test_more_waiting_readers_than_connections_are_told_so(redis_server: RedisServer) -> None:
    settings = redis_server.settings(f"{uuid.uuid4()}:", command_timeout_s=0.3)
    connection = RedisConnection(settings.model_copy(update={"blocking_connections": 1}))
    await connection.start(4)
    feed = Feed(connection)
    first = asyncio.create_task(feed.read(P, "s", block_ms=20_000))
    await asyncio.sleep(0.1)
    with pytest.raises(TransientError, match="MAESTRO_REDIS_BLOCKING_CONNECTIONS"):
        await feed.read(P, "s", block_ms=20_000)
    await connection.stop()
    with pytest.raises(TransientError):
        await first


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis"),
        (b"-LOADING the dataset\r\n", "LOADING"),
        (b"", "reached"),
    ],
)
async def test_a_server_that_cannot_serve_is_waited_for_up_to_a_limit(
    redis_server: RedisServer, answer: bytes, reason: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(answer * data.count(b"*"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = redis_server.settings("p:").model_copy(
            update={
                "redis_url": SecretStr(f"redis://127.0.0.1:{port}"),
                "start_timeout_s": 0.3,
                "connect_timeout_s": 0.2,
            }
        )
        connection = RedisConnection(settings)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(TransientError, match=reason):
                await connection.start(4)
        await connection.stop()
