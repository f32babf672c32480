"""Checks of the services behind the URLs: Kafka and its topics, PostgreSQL, Redis, and what they hold."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from bus.settings import KafkaSettings
from maestro.clients import KafkaAccess, database
from maestro.dev.check_record import check_orphans, check_registry
from maestro.dev.finding import Finding, noted, ok, wrong
from maestro.settings import load, masked
from schemas.errors import FatalError, MaestroError
from stores.postgres.audit import Audit
from stores.postgres.migrate import pending
from stores.postgres.readonly import ReadOnlyPostgres
from stores.postgres.settings import PostgresSettings
from stores.redis.connection import RedisConnection
from stores.redis.settings import RedisSettings
from streams.execute.settings import SqlSettings

LIMIT_S: Final = 20.0
PATIENCE_S: Final = 5.0
OLDEST_REDIS: Final = (6, 2)
_GAPS_SHOWN: Final = 5

Check = Callable[[], Awaitable[Finding]]


async def check_services() -> AsyncIterator[Finding]:
    """Look at all services at once; each has its deadline."""
    checks: dict[str, Check] = {
        "kafka": _kafka,
        "postgres": _postgres,
        "redis": _redis,
        "sql_query": _sql,
        "registry": check_registry,
        "record": check_orphans,
    }
    for finding in await asyncio.gather(*(_within_limit(name, check) for name, check in checks.items())):
        yield finding


async def _within_limit(name: str, check: Check) -> Finding:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await check()
    except TimeoutError:
        return wrong(name, f"no answer within {LIMIT_S:.0f} s", "Look whether it is overloaded or hangs.")


async def _kafka() -> Finding:
    (settings,) = load(KafkaSettings)
    place = settings.bootstrap_servers
    try:
        access = await KafkaAccess.from_environment()
        async with access.admin() as admin:
            problems = await admin.check_topics()
    except MaestroError as error:
        mend = "Start it, or set KAFKA_BOOTSTRAP_SERVERS (and KAFKA_SECURITY_PROTOCOL …) to where it is."
        return wrong("kafka", f"{place}: {error.message}", mend)
    if problems:
        mend = "`maestro topics` creates missing ones; the others need their setting changed or a new prefix."
        return wrong("kafka", f"{place}: {'; '.join(problems)}", mend)
    return ok("kafka", f"{place}, topics as they must be")


async def _postgres() -> Finding:
    (settings,) = load(PostgresSettings)
    place = masked(settings.database_url)
    try:
        async with database() as opened:
            missing = await pending(opened)
            gaps = [] if missing else await Audit(opened).gaps(limit=_GAPS_SHOWN)
    except MaestroError as error:
        return wrong("postgres", f"{place}: {error.message}", "Start it, or set DATABASE_URL to where it is.")
    if missing:
        return wrong("postgres", f"{place}: {len(missing)} migrations are missing", "Run `maestro migrate`.")
    if gaps:
        mend = "Restore the rows of task_logs from a backup, or give the sessions up: see docs/protocol.md."
        return wrong("postgres", f"{place}: log entries are missing of session {', '.join(gaps)}", mend)
    return ok("postgres", f"{place}, migrated")


async def _redis() -> Finding:
    (settings,) = load(RedisSettings)
    place = masked(settings.redis_url)
    hurried = {"start_timeout_s": PATIENCE_S, "connect_timeout_s": PATIENCE_S, "connections": 1}
    connection = RedisConnection(settings.model_copy(update=hurried))
    try:
        await connection.start(0)
        reply = await connection.command(b"INFO", b"server")
    except FatalError as error:
        return wrong("redis", f"{place}: it cannot be used", error.message)
    except MaestroError as error:
        return wrong("redis", f"{place}: {error.message}", "Start it, or set REDIS_URL to where it is.")
    finally:
        await connection.stop()
    return redis_version(place, reply.decode() if isinstance(reply, bytes) else "")


def redis_version(place: str, info: str) -> Finding:
    """Judge the server's version by the section `server` of its INFO."""
    match = re.search(r"^redis_version:(\d+)\.(\d+)(\S*)", info, re.MULTILINE)
    if match is None:
        return noted(
            "redis", f"{place}, noeviction, of an unknown version", "It should do what Redis 6.2 does."
        )
    version = "".join((match[1], ".", match[2], match[3]))
    if (int(match[1]), int(match[2])) < OLDEST_REDIS:
        return wrong("redis", f"{place} is version {version}", "Use Redis 6.2 or newer.")
    return ok("redis", f"{place}, version {version}, noeviction")


async def _sql() -> Finding:
    (settings,) = load(SqlSettings)
    if settings.url is None:
        return noted("sql_query", "no database", "Set MAESTRO_SQL_URL to one that agents may read.")
    place = masked(settings.url)
    try:
        _ = await ReadOnlyPostgres(settings.url.get_secret_value()).query(
            "SELECT 1", row_limit=1, time_limit_s=PATIENCE_S
        )
    except MaestroError as error:
        return wrong("sql_query", f"{place}: {error.message}", "Mend MAESTRO_SQL_URL, or unset it.")
    return ok("sql_query", f"{place}, read-only")
