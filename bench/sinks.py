"""`bench sinks`: the PostgreSQL sink on a backlog and on a trickle, beside what PostgreSQL alone can take."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr
from rich.console import Console

from bench.accounting import usage_by_name, usage_of
from bench.children import children
from bench.folder import bench_folder
from bench.sink_records import RECORDS_OF_RUN, VALUE_BYTES, Sessions, backlog
from bus.admin import Admin
from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.settings import KafkaSettings, TopicSettings
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from schemas.partition import partition_of
from schemas.topics import BY_RECORD, MESSAGES, key_of
from sinks.batch import winners
from sinks.postgres.tables import MESSAGES as MESSAGES_TABLE
from stores.postgres.migrate import migrate
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings

_BATCH_ROWS = 5000
_SESSIONS = 128
_PATIENCE_S = 30.0
_PER = 100_000
_err = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class House:
    """The services that everything here runs on."""

    kafka: KafkaSettings
    topics: TopicSettings
    database: Database
    pids: Mapping[str, int]

    @property
    def names(self) -> TopicNames:
        """Names of the topics."""
        return TopicNames(self.topics.prefix)

    async def passed(self) -> int:
        """Return how many records the sink has passed, of all topics."""
        row = await self.database.fetch_one(
            "select coalesce(sum(next_offset), 0)::bigint as n from sink_offsets"
        )
        return int(row["n"]) if row else 0

    async def until_passed(self, number: int) -> None:
        """Wait until the sink has passed that many records; TimeoutError when it stands still."""
        last, since = -1, time.monotonic()
        while (now := await self.passed()) < number:
            if now != last:
                last, since = now, time.monotonic()
            if time.monotonic() - since > _PATIENCE_S:
                message = f"the sink stands still at {now} of {number} records; see its log"
                raise TimeoutError(message)
            await asyncio.sleep(0.02)


async def drain(house: House, sink: Mapping[str, int], number: int) -> dict[str, float]:
    """Let a starting sink work off a backlog; return rows/s and CPU from its first transaction on."""
    await house.until_passed(1)
    before, began, first = usage_by_name({**house.pids, **sink}), time.perf_counter(), await house.passed()
    await house.until_passed(number)
    seconds, after = time.perf_counter() - began, usage_by_name({**house.pids, **sink})
    share = _PER / (number - first)
    return {
        "rows_per_s": (number - first) / seconds,
        "sink_cpu_s": (after["sink"].cpu_s - before["sink"].cpu_s) * share,
        "postgres_cpu_s": (after["postgres"].cpu_s - before["postgres"].cpu_s) * share,
        "kafka_cpu_s": (after["kafka"].cpu_s - before["kafka"].cpu_s) * share,
        "sink_mb": after["sink"].resident_mb,
    }


async def trickle(
    house: House, sink: Mapping[str, int], publisher: Publisher, codec: Codec, *, per_s: int, seconds: float
) -> dict[str, float]:
    """Publish runs' records at a steady rate; return what the sink, PostgreSQL and Kafka use for them."""
    sessions = Sessions.made(_SESSIONS)
    before = await house.passed()
    usage, began, sent = usage_by_name({**house.pids, **sink}), time.perf_counter(), 0
    async with asyncio.TaskGroup() as group:
        while (now := time.perf_counter() - began) < seconds:
            while sent < now * per_s:
                session_id = sessions.ids[(sent // RECORDS_OF_RUN) % _SESSIONS]
                group.create_task(_publish(house, publisher, codec, sessions, session_id))
                sent += RECORDS_OF_RUN
            await asyncio.sleep(0.005)
    await house.until_passed(before + sent)
    after = usage_by_name({**house.pids, **sink})
    per = _PER / sent
    return {
        "records_per_s": sent / seconds,
        **{f"{name}_cpu_s": (after[name].cpu_s - usage[name].cpu_s) * per for name in after},
    }


async def _publish(
    house: House, publisher: Publisher, codec: Codec, sessions: Sessions, session_id: str
) -> None:
    async with sessions.turns[session_id]:
        for record in sessions.run(session_id):
            key = key_of(record)
            await publisher.send_raw(
                house.names.full(BY_RECORD[type(record)]),
                partition=partition_of(key, house.topics.partitions),
                key=key.encode(),
                value=codec.encode(record),
                headers=[],
            )


async def ceiling(
    house: House, rows: Sequence[tuple[Any, ...]], write: Callable[[Sequence[tuple[Any, ...]]], Any]
) -> dict[str, float]:
    """Return rows/s and CPU of PostgreSQL when rows come from memory."""
    before, began = usage_of(house.pids["postgres"]).cpu_s, time.perf_counter()
    for start in range(0, len(rows), _BATCH_ROWS):
        await write(rows[start : start + _BATCH_ROWS])
    seconds, cpu_s = time.perf_counter() - began, usage_of(house.pids["postgres"]).cpu_s - before
    return {"rows_per_s": len(rows) / seconds, "postgres_cpu_s": cpu_s * _PER / len(rows)}


async def ceilings(house: House, codec: Codec, values: Iterator[bytes]) -> dict[str, dict[str, float]]:
    """Measure COPY and the plain upsert into tables like the record's, from memory."""
    table = MESSAGES_TABLE
    found = (codec.decode_plain(MESSAGES, value) for value in values)
    rows = [
        tuple(row[name] for name in table.columns)
        for row in winners(found, rule=table.rule, key=lambda row: str(row["id"]), version=lambda _: (0, 0))
    ]
    columns = ", ".join(f'"{name}" {kind.value[0]}' for name, kind in table.columns.items())
    await house.database.execute(f"create table bench_copy ({columns}, primary key (id))")
    await house.database.execute("create index on bench_copy (session_id, sequence_order)")
    await house.database.execute(f"create table bench_upsert (like {table.name} including all)")
    await house.database.execute(table.make_row_type)
    upsert = table.insert.replace(f"insert into {table.name} ", "insert into bench_upsert ", 1)

    async def by_copy(some: Sequence[tuple[Any, ...]]) -> None:
        async with house.database.transaction() as transaction:
            await transaction.copy("bench_copy", tuple(table.columns), some)

    async def by_upsert(some: Sequence[tuple[Any, ...]]) -> None:
        await house.database.execute(upsert, some)

    return {
        "copy_from_memory": await ceiling(house, rows, by_copy),
        "upsert_from_memory": await ceiling(house, rows, by_upsert),
    }


async def run(number: int, per_s: int, seconds: float, logs: str) -> dict[str, Any]:
    """Measure everything on one embedded stack."""
    results: dict[str, Any] = {"messages": number}
    with bench_folder() as folder:
        async with EmbeddedStack(EmbeddedSettings(data_dir=folder / "data")) as stack:
            urls, pids = stack.urls, stack.pids()
            await migrate(urls.database_url)
            house = House(
                KafkaSettings(bootstrap_servers=urls.kafka_bootstrap, linger_ms=5),
                TopicSettings(),
                Database(PostgresSettings(database_url=SecretStr(urls.database_url))),
                {"kafka": pids["kafka"], "postgres": pids["postgres"]},
            )
            codec = Codec()
            publisher = Publisher(house.kafka, names=house.names, codec=codec, source="bench")
            async with Admin(house.kafka, house.topics) as admin:
                await admin.create_topics()
            await publisher.start()
            try:
                await _fill(house, publisher, backlog(codec, number))
                _say("measuring COPY and upsert from memory")
                results |= await ceilings(house, codec, (value for _, value in backlog(codec, number)))
                own: dict[str, int] = {}
                command = {"sink": (sys.executable, "-m", "maestro", "sink", "postgres")}
                env = {
                    "KAFKA_BOOTSTRAP_SERVERS": urls.kafka_bootstrap,
                    "DATABASE_URL": urls.database_url,
                    "MAESTRO_LOG_LEVEL": "warning",
                }
                _say("measuring the sink")
                async with children(command, env=env, logs=logs, pids=own, says=None):
                    results["backlog"] = await drain(house, own, number)
                    measured = partial(trickle, house, own, publisher, codec)
                    results["trickle"] = await measured(per_s=per_s, seconds=seconds)
                results["sink_share_of_copy"] = (
                    results["backlog"]["rows_per_s"] / results["copy_from_memory"]["rows_per_s"]
                )
            finally:
                await publisher.stop()
                await house.database.stop()
    return results


async def _fill(house: House, publisher: Publisher, messages: Iterator[tuple[bytes, bytes]]) -> None:
    _say("filling the topic")
    topic, pending = house.names.full(MESSAGES), set[asyncio.Task[Any]]()
    for key, value in messages:
        partition = partition_of(key.decode(), house.topics.partitions)
        sending = publisher.send_raw(topic, partition=partition, key=key, value=value, headers=[])
        pending.add(asyncio.create_task(sending))
        if len(pending) >= _BATCH_ROWS:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)


def table(results: Mapping[str, Any]) -> str:
    """Return the results as lines of text."""
    head = f"{results['messages']} messages of {VALUE_BYTES} bytes".ljust(34)
    lines = [f"{head}{'rows/s':>10}{'CPU s per 100,000: sink':>26}{'postgres':>10}{'MB':>6}"]
    for name in ("copy_from_memory", "upsert_from_memory", "backlog"):
        each = results[name]
        lines.append(
            f"{'sink' if name == 'backlog' else name:<34}{each['rows_per_s']:>10.0f}"
            f"{each.get('sink_cpu_s', 0):>26.2f}{each['postgres_cpu_s']:>10.2f}{each.get('sink_mb', 0):>6.0f}"
        )
    slow, fast = results["trickle"], results["backlog"]
    together = fast["sink_cpu_s"] + fast["postgres_cpu_s"]
    used = ", ".join(f"{name} {slow[f'{name}_cpu_s']:.2f}" for name in ("sink", "postgres", "kafka"))
    lines.append(
        f"share of COPY from memory: {results['sink_share_of_copy']:.2f}; "
        f"sink and postgres together: {together:.2f} CPU s per 100,000 rows"
    )
    lines.append(
        f"records of runs at {slow['records_per_s']:.0f}/s over eight topics, CPU s per 100,000: {used}"
    )
    return "\n".join(lines)


def _say(line: str) -> None:
    _err.print(f"sinks: {line}", style="dim")


async def main(arguments: list[str]) -> int:
    """Run the benchmark, print the table, write JSON where asked."""
    parser = argparse.ArgumentParser(prog="scripts/bench sinks", description=__doc__)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--messages", type=int, default=300_000, help="size of the backlog (default 300000)")
    parser.add_argument("--per-s", type=int, default=2_000, help="records per second of the trickle")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the trickle lasts (default 15)")
    parser.add_argument("--logs", default=tempfile.gettempdir(), help="folder for the log of the sink")
    options = parser.parse_args(arguments)
    results = await run(options.messages, options.per_s, options.seconds, options.logs)
    print(table(results))
    if options.json:
        options.json.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    return 0
