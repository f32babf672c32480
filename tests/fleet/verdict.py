"""Judges the record after a campaign: every promise that Postgres and Redis can show."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.partition import partition_of
from stores.postgres.audit import Audit
from stores.postgres.session_logs import SessionLogs
from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts
from streams.session.context import to_bytes
from streams.session.log import fold, verify_chain
from streams.session.recorded import decisions_of
from tests.fleet.fleet import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Rows that each session must have left."""

    runs: int
    generations: int
    tool_calls: int


async def broken_promises(fleet: Fleet, sessions: Sequence[str], expected: Expected) -> list[str]:
    """Return a sentence for each promise that the record breaks; none is what a campaign wants."""
    problems = await _counts(fleet, sessions, expected)
    problems += [
        f"{rows} orphans of kind {kind}" for kind, rows in (await Audit(fleet.database).orphans()).items()
    ]
    logs = SessionLogs(fleet.database)
    redis = RedisConnection(fleet.redis)
    await redis.start(fleet.topics.partitions)
    try:
        contexts = Contexts(redis)
        for session in sessions:
            problems += await _session(fleet, session, logs, contexts)
    finally:
        await redis.stop()
    return problems


async def _session(fleet: Fleet, session: str, logs: SessionLogs, contexts: Contexts) -> list[str]:
    stored = await logs.entries(session)
    head = await logs.head(session)
    decisions = list(decisions_of(stored))
    problems: list[str] = []
    if [log.sequence for log in stored] != list(range(1, len(stored) + 1)):
        problems.append(f"{session}: the log has gaps or repeats")
    if broken := verify_chain(decisions):
        problems.append(f"{session}: the chain breaks at {broken.sequence}: {broken.what}")
    if not stored or (head.sequence, head.hash) != (stored[-1].sequence, stored[-1].hash):
        problems.append(f"{session}: the head is not the last entry")
    loaded = await contexts.load(partition_of(session, fleet.topics.partitions), session, leave_token=False)
    if loaded.stored is None:
        problems.append(f"{session}: no context in Redis")
    elif loaded.stored.context != to_bytes(fold(session, decisions)):
        problems.append(f"{session}: the context is not the fold of its log")
    return problems


async def _counts(fleet: Fleet, sessions: Sequence[str], expected: Expected) -> list[str]:
    problems: list[str] = []
    for table, per_session in (
        ("runs", expected.runs),
        ("generations", expected.generations),
        ("tool_calls", expected.tool_calls),
        ("tool_results", expected.tool_calls),
    ):
        rows = await fleet.database.fetch(
            f"select session_id::text as id, count(*) as rows, count(distinct id) as ids from {table}"  # noqa: S608
            " where session_id = any($1::uuid[]) group by 1",
            list(sessions),
        )
        right = {row["id"] for row in rows if row["rows"] == row["ids"] == per_session}
        if wrong := set(sessions) - right:
            problems.append(
                f"{len(wrong)} sessions have not {per_session} rows in {table}: {sorted(wrong)[:3]}"
            )
    statuses = await fleet.database.fetch(
        "select status, count(*) as rows from runs where session_id = any($1::uuid[]) group by 1",
        list(sessions),
    )
    found = {row["status"]: row["rows"] for row in statuses}
    if found != {"completed": expected.runs * len(sessions)}:
        problems.append(f"runs by status are {found}")
    orders = await fleet.database.fetch(
        "select session_id::text as id from messages where session_id = any($1::uuid[]) group by 1"
        " having count(*) <> max(sequence_order) or min(sequence_order) <> 1",
        list(sessions),
    )
    return problems + [f"{row['id']}: the conversation has gaps or repeats" for row in orders]
