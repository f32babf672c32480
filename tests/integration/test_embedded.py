"""The embedded services really start, keep their data and ports, and come back after a kill."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from maestro.embedded.class_cache import cache_file, ensure_class_cache
from maestro.embedded.errors import EmbeddedError, FolderBusyError, PartFailedError
from maestro.embedded.folder import DataFolder
from maestro.embedded.jars import jars_dir
from maestro.embedded.kafka import FORMAT_CLASS, Kafka
from maestro.embedded.part import PartName
from maestro.embedded.ports import HeldPorts
from maestro.embedded.postgres_home import installed_programs, postgres_programs
from maestro.embedded.process import Identity, read_pid, run_program, started_at
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack

START_LIMIT_S = 60
PARTS_GONE_WITHIN_S = 15
DEADLINE_S = 30


@pytest.fixture
async def own_folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A data folder for tests that stop the services."""
    root = tmp_path / "data"
    yield root
    DataFolder(root).remove()


async def put_everywhere(stack: EmbeddedStack, word: str) -> None:
    """Leave a word in each service."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.urls.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(word, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.urls.kafka_bootstrap) as producer:
        await producer.send_and_wait(word, word.encode())
    connection = await asyncpg.connect(stack.urls.database_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
    await connection.execute("INSERT INTO words VALUES ($1)", word)
    await connection.close()
    async with Redis.from_url(stack.urls.redis_url) as redis:
        await redis.set(word, word)


async def is_everywhere(stack: EmbeddedStack, word: str) -> bool:
    """Tell whether each service still has the word."""
    consumer = AIOKafkaConsumer(
        word, bootstrap_servers=stack.urls.kafka_bootstrap, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            message = await consumer.getone()
    finally:
        await consumer.stop()
    connection = await asyncpg.connect(stack.urls.database_url)
    row = await connection.fetchval("SELECT word FROM words WHERE word = $1", word)
    await connection.close()
    async with Redis.from_url(stack.urls.redis_url) as redis:
        kept = await redis.get(word)
    return (message.value, row, kept) == (word.encode(), word, word.encode())


def a_word() -> str:
    """A name that no other test uses."""
    return f"w{uuid.uuid4().hex}"


async def test_each_service_is_reached_by_its_url(stack: EmbeddedStack) -> None:
    word = a_word()
    await put_everywhere(stack, word)
    assert await is_everywhere(stack, word)


async def test_java_takes_what_it_learnt_of_kafka(tmp_path: Path) -> None:
    jars = jars_dir(EmbeddedSettings())
    learnt = await asyncio.to_thread(ensure_class_cache, jars, print)
    assert learnt == cache_file(jars)
    kafka = Kafka(
        folder=tmp_path,
        jars=jars,
        class_cache=learnt,
        port=1,
        controller_port=2,
        cluster_id="",
        log=tmp_path / "log",
        pid_file=tmp_path / "pid",
    )
    *java, _, _ = kafka.spec.argv
    # In this mode Java refuses to start with a cache that does not fit, instead of going on without.
    argv = (*java, "-XX:AOTMode=on", FORMAT_CLASS, "random-uuid")
    assert len((await run_program(argv, within_s=60, env={})).strip()) == 22


async def test_where_nothing_can_be_learnt_kafka_starts_without(tmp_path: Path) -> None:
    said: list[str] = []
    assert await asyncio.to_thread(ensure_class_cache, tmp_path, said.append) is None
    assert "starts more slowly without" in said[-1]
    assert list(tmp_path.iterdir()) == []


async def test_the_database_has_pgvector_and_is_owned_by_its_role(stack: EmbeddedStack) -> None:
    connection = await asyncpg.connect(stack.urls.database_url)
    try:
        assert await connection.fetchval("SELECT '[1,2]'::vector <-> '[1,4]'::vector") == 2.0
        assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE ROLE somebody")
    finally:
        await connection.close()


async def test_the_superuser_runs_statements_and_gets_the_servers_words_back(stack: EmbeddedStack) -> None:
    assert await stack.run_sql("maestro", "SELECT 40 + 2") == "42\n"
    with pytest.raises(PartFailedError, match="no_such_table"):
        await stack.run_sql("maestro", "SELECT * FROM no_such_table")


async def test_redis_evicts_nothing_and_asks_for_its_password(stack: EmbeddedStack) -> None:
    async with Redis.from_url(stack.urls.redis_url) as redis:
        assert await redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert await redis.config_get("appendonly") == {"appendonly": "yes"}
    port = stack.folder.state.ports["redis"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PING\r\n")
    assert (await reader.readline()).startswith(b"-NOAUTH")
    writer.close()
    await writer.wait_closed()


async def test_a_second_stack_in_the_same_folder_is_refused_and_told_who_has_it(stack: EmbeddedStack) -> None:
    with pytest.raises(FolderBusyError, match=str(os.getpid())):
        await EmbeddedStack(EmbeddedSettings(data_dir=stack.folder.root)).start()
    assert stack.folder.holder() == os.getpid()


@pytest.mark.timeout(120)
async def test_data_ports_and_passwords_survive_a_restart(own_folder: Path) -> None:
    word = a_word()
    async with EmbeddedStack(EmbeddedSettings(data_dir=own_folder)) as first:
        await put_everywhere(first, word)
        urls = first.urls
    began = time.monotonic()
    async with EmbeddedStack(EmbeddedSettings(data_dir=own_folder)) as second:
        assert time.monotonic() - began < START_LIMIT_S
        assert second.urls == urls
        assert await is_everywhere(second, word)


async def test_a_port_is_held_while_the_stack_runs_and_given_up_to_who_holds_it_at_the_next_start(
    own_folder: Path,
) -> None:
    elsewhere = {PartName.KAFKA: "127.0.0.1:1", PartName.POSTGRES: "postgresql://unused.invalid/"}
    somebody = HeldPorts()
    async with EmbeddedStack(EmbeddedSettings(data_dir=own_folder), external=elsewhere) as stack:
        first = stack.folder.state.ports["redis"]
        # A service that is down for a moment keeps its port.
        await stack.kill(PartName.REDIS)
        assert not somebody.take(first)
        await stack.start_part(PartName.REDIS)
    assert somebody.take(first)
    said: list[str] = []
    stack = EmbeddedStack(EmbeddedSettings(data_dir=own_folder), external=elsewhere)
    await stack.start(lambda _, line: said.append(line))
    second = stack.folder.state.ports["redis"]
    await stack.stop()
    somebody.release()
    assert second != first
    assert f"port {first} is taken by another program; a new one is chosen" in said


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_a_killed_service_comes_back_on_its_port_with_its_data(own_folder: Path) -> None:
    word = a_word()
    async with EmbeddedStack(EmbeddedSettings(data_dir=own_folder)) as stack:
        await put_everywhere(stack, word)
        await asyncio.sleep(1.1)  # Redis writes its file once a second
        for part in PartName:
            await stack.kill(part)
            assert stack.dead_parts() == (part,)
            await stack.start_part(part)
        assert stack.dead_parts() == ()
        assert await is_everywhere(stack, word)


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_the_services_die_with_a_killed_supervisor_and_the_next_one_starts(own_folder: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from maestro.embedded.settings import EmbeddedSettings\n"
        "from maestro.embedded.stack import EmbeddedStack\n"
        "async def main():\n"
        "    await EmbeddedStack(EmbeddedSettings(data_dir=Path(sys.argv[1]))).start()\n"
        "    print('up', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(own_folder), stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    async with asyncio.timeout(START_LIMIT_S):
        assert await supervisor.stdout.readline() == b"up\n"
    children = [read_pid(own_folder / "pids" / part) for part in PartName]
    supervisor.send_signal(signal.SIGKILL)
    await supervisor.wait()
    deadline = time.monotonic() + PARTS_GONE_WITHIN_S
    while any(child and started_at(child[0]) == child[1] for child in children):
        assert time.monotonic() < deadline, "the services outlived their supervisor"
        await asyncio.sleep(0.1)
    async with EmbeddedStack(EmbeddedSettings(data_dir=own_folder)) as stack:
        assert stack.dead_parts() == ()


async def test_programs_that_the_database_user_cannot_reach_are_copied_and_run(tmp_path: Path) -> None:
    wheel = installed_programs().parent
    closed, home = tmp_path / "closed", tmp_path / "home"
    shutil.copytree(wheel / "pginstall18", closed / wheel.name / "pginstall18", symlinks=True)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), closed / f"{wheel.name}.libs", symlinks=True)
    closed.chmod(0o700)
    home.mkdir()
    said: list[str] = []
    somebody = Identity(uid=65_534, gid=65_534)
    programs = postgres_programs(closed / wheel.name / "pginstall18", home, somebody, said.append)
    assert programs.is_relative_to(home)
    assert len(said) == 1
    shutil.rmtree(closed)
    assert "18." in await run_program((str(programs / "initdb"), "--version"), within_s=10, env={})


async def test_a_folder_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("precious")
    with pytest.raises(EmbeddedError, match="left alone"):
        DataFolder(tmp_path).remove()
    assert (tmp_path / "letter.txt").read_text() == "precious"
