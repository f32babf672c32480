"""Judges the record after a campaign: every promise that Postgres and Redis can show."""

from collections.abc import Mapping, Sequence

from schemas.lists import Action, RunStatus
from schemas.partition import partition_of
from stores.postgres.audit import Audit
from stores.postgres.session_logs import SessionLogs
from stores.redis.connection import RedisConnection
from stores.redis.contexts import Contexts
from streams.session.context import to_bytes
from streams.session.log import fold, verify_chain
from streams.session.recorded import decisions_of
from tests.fleet.fleet import Ground

_ROWS = (
    ("generations", {Action.GENERATION_COMPLETED, Action.GENERATION_FAILED}),
    ("tool_calls", {Action.TOOL_CALLED}),
)
"""Tables, and the log entries of which each has left exactly one row, in runs that ended by themselves."""


async def broken_promises(
    fleet: Ground, sessions: Sequence[str], *, runs: int, may_be_forgotten: bool = False
) -> list[str]:
    """Return a sentence for each promise that the record breaks; none is what a campaign wants.

    `runs` is the number that every session was asked for. `may_be_forgotten`: Redis was flushed meanwhile, so
    that it need not have the context of a session that is quiet since.
    """
    problems = await _sums(fleet, sessions, runs)
    problems += [
        f"{rows} orphans of kind {kind}" for kind, rows in (await Audit(fleet.database).orphans()).items()
    ]
    rows = {table: await _rows(fleet, table, sessions) for table, _ in _ROWS}
    logs = SessionLogs(fleet.database)
    redis = RedisConnection(fleet.redis)
    await redis.start(fleet.topics.partitions)
    try:
        contexts = Contexts(redis)
        for session in sessions:
            problems += await _session(
                fleet, session, logs, contexts, rows, may_be_forgotten=may_be_forgotten
            )
    finally:
        await redis.stop()
    return problems


async def _session(
    fleet: Ground,
    session: str,
    logs: SessionLogs,
    contexts: Contexts,
    rows: Mapping[str, Mapping[str, tuple[int, int]]],
    *,
    may_be_forgotten: bool,
) -> list[str]:
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
    for table, actions in _ROWS:
        logged = sum(log.entry().action in actions for log in stored)
        if rows[table].get(session, (0, 0)) != (logged, logged):
            problems.append(f"{session}: {rows[table].get(session)} rows (and ids) in {table}, not {logged}")
    live = await _live(fleet, session, contexts)
    if live is None:
        problems += [] if may_be_forgotten else [f"{session}: no context in Redis"]
    elif live != to_bytes(fold(session, decisions)):
        problems.append(f"{session}: the context is not the fold of its log")
    return problems


async def _live(fleet: Ground, session: str, contexts: Contexts) -> bytes | None:
    partition = partition_of(session, fleet.topics.partitions)
    loaded = await contexts.load(partition, session, leave_token=False)
    return None if loaded.stored is None else loaded.stored.context


async def _rows(fleet: Ground, table: str, sessions: Sequence[str]) -> dict[str, tuple[int, int]]:
    rows = await fleet.database.fetch(
        f"select session_id::text as id, count(*) as rows, count(distinct id) as ids from {table}"  # noqa: S608
        " where session_id = any($1::uuid[]) group by 1",
        list(sessions),
    )
    return {row["id"]: (row["rows"], row["ids"]) for row in rows}


async def _sums(fleet: Ground, sessions: Sequence[str], runs: int) -> list[str]:
    problems: list[str] = []
    found = await _rows(fleet, "runs", sessions)
    if wrong := [session for session in sessions if found.get(session) != (runs, runs)]:
        problems.append(f"{len(wrong)} sessions have not {runs} rows in runs: {wrong[:3]}")
    open_ = await fleet.database.fetch(
        "select id::text as id, status from runs where session_id = any($1::uuid[]) and status = any($2)",
        list(sessions),
        [status.value for status in RunStatus if not status.is_terminal],
    )
    problems += [f"run {row['id']} is {row['status']} in the record" for row in open_]
    without = await fleet.database.fetch(
        "select c.id from tool_calls as c left join tool_results as r on r.tool_call_id = c.id"
        " where c.session_id = any($1::uuid[]) group by c.id having count(r.id) <> 1",
        list(sessions),
    )
    problems += [f"tool call {row['id']} has not one result" for row in without]
    orders = await fleet.database.fetch(
        "select session_id::text as id from messages where session_id = any($1::uuid[]) group by 1"
        " having count(*) <> max(sequence_order) or min(sequence_order) <> 1",
        list(sessions),
    )
    return problems + [f"{row['id']}: the conversation has gaps or repeats" for row in orders]
