"""The verdict over a part: from what the provider and the tools counted, from Kafka and from Postgres."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import MappingProxyType

from bus.message import Message
from bus.reader import Start, TopicReader
from maestro.lag import GROUPS
from schemas.lists import Action
from schemas.records import Generation, Record
from schemas.topics import GENERATIONS, MESSAGES, RUNS, TOOL_CALLS, TOOL_RESULTS, TopicSpec
from stores.redis.connection import RedisConnection
from stores.redis.recents import Recents
from tests.chaos.harness.blame import Attempt, blamed, repeats
from tests.chaos.harness.load import MESSAGES_PER_SESSION, Sent
from tests.chaos.harness.model import Call
from tests.chaos.harness.results import Fault, Kill
from tests.chaos.harness.world import World
from tests.fleet.effects import NAMES, all_starts
from tests.fleet.effects import Start as ToolStart
from tests.fleet.fleet import Ground
from tests.fleet.runs import sink_is_level
from tests.fleet.verdict import broken_promises

EFFECTS: Mapping[str, str] = MappingProxyType(
    dict(zip(NAMES, ("pure", "idempotent", "reconcile", "once"), strict=True))
)
"""Effect class of each tool."""

SETTLE_S = 120.0
_LAG_S = 75.0
_RECORDED_MARGIN_S = 1.0
"""A producer's time stamp is a little older than its acknowledgement."""
_ENDS = (Action.RUN_COMPLETED, Action.RUN_FAILED, Action.RUN_CANCELLED, Action.MESSAGE_REJECTED)
_TABLES: Mapping[TopicSpec, str] = MappingProxyType(
    {
        GENERATIONS: "generations",
        TOOL_CALLS: "tool_calls",
        TOOL_RESULTS: "tool_results",
        MESSAGES: "messages",
        RUNS: "runs",
    }
)


async def settled(world: World) -> list[str]:
    """Ask nothing more, and wait until everything is answered, recorded and acknowledged; say what is not."""
    world.load.finish()
    problems: list[str] = []
    missing = await world.load.answered(list(world.load.sent), within_s=SETTLE_S)
    problems += [f"message {each} has no terminal run" for each in sorted(missing)]
    try:
        await world.crew.ready()
        await sink_is_level(world.ground, within_s=_LAG_S)
    except AssertionError as error:
        problems.append(str(error))
    return problems + await _lags(world.ground)


async def _lags(ground: Ground) -> list[str]:
    deadline = time.monotonic() + _LAG_S
    behind: list[str] = []
    async with ground.admin() as admin:
        while True:
            behind = []
            for group in GROUPS:
                topics = [ground.names.full(spec) for spec in group.topics]
                lags = await admin.group_lag(ground.names.group(group.name), topics)
                behind += [
                    f"{group.name} is behind at {place}" for place, lag in lags.items() if lag.messages
                ]
            if not behind or time.monotonic() > deadline:
                return behind
            await asyncio.sleep(0.5)


async def judged(world: World, kills: Sequence[Kill], faults: Sequence[Fault], *, forgot: bool) -> list[str]:
    """Return a sentence for each broken promise, and write into the kills what is counted by kill.

    `forgot`: Redis lost something meanwhile.
    """
    ground, load = world.ground, world.load
    problems = await broken_promises(
        ground, load.sessions, runs=MESSAGES_PER_SESSION, may_be_forgotten=forgot
    )
    asked_for = list(load.sent.values())
    ended = await _ended_runs(ground, load.sessions)
    problems += two_ends(asked_for, ended)
    disordered = out_of_order(asked_for, ended)
    problems += [f"{session}: answers are not in the order of the messages" for session in disordered]
    for kill in kills:
        kill.order_violations = sum(kill.session == session for session in disordered)
    problems += await _rows_of_topics(world)
    problems += await _vectors(ground)
    problems += [] if forgot else await _recents(world)
    recorded = await _recorded_at(world)
    problems += bought_again(world.provider.calls, recorded)
    asked = [Attempt(call.generation, call.process, call.began_at) for call in world.provider.calls]
    for kill in blamed(asked, kills, faults, problems, "the model"):
        kill.model_repeats += 1
    for name in NAMES:
        starts = _attempts(all_starts(world.effects, name))
        if EFFECTS[name] == "once":
            problems += [f"once tool {name} started again: {each.step}" for _, each in repeats(starts)]
        for kill in blamed(starts, kills, faults, problems, name):
            kill.tool_repeats[EFFECTS[name]] = kill.tool_repeats.get(EFFECTS[name], 0) + 1
    return problems


def _attempts(starts: Iterable[ToolStart]) -> list[Attempt]:
    return [Attempt(start.step_id, start.pid, start.at) for start in starts]


def two_ends(sent: Sequence[Sent], ended: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a sentence for each run that has not exactly one end in its session's log."""
    ends = Counter(run for runs in ended.values() for run in runs)
    return [f"run {each.run} has {ends[each.run]} ends in the log" for each in sent if ends[each.run] != 1]


def out_of_order(sent: Sequence[Sent], ended: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the sessions whose runs did not end in the order in which their messages were sent."""
    asked: defaultdict[str, list[str]] = defaultdict(list)
    for each in sent:
        asked[each.session].append(each.run)
    return [
        session
        for session, runs in asked.items()
        if [run for run in ended.get(session, ()) if run in runs] != runs
    ]


def bought_again(calls: Sequence[Call], recorded: Mapping[str, float]) -> list[str]:
    """Return a sentence for each request of a generation that was on its topic before."""
    return [
        f"generation {call.generation} was recorded, and asked for again by {call.process}"
        for call in calls
        if call.began_at > recorded.get(call.generation, call.began_at) + _RECORDED_MARGIN_S
    ]


async def _ended_runs(ground: Ground, sessions: Sequence[str]) -> Mapping[str, Sequence[str]]:
    rows = await ground.database.fetch(
        "select session_id::text as session, run_id::text as run from task_logs"
        " where session_id = any($1::uuid[]) and action = any($2) order by session_id, sequence",
        list(sessions),
        [action.value for action in _ENDS],
    )
    ended: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        ended[row["session"]].append(row["run"])
    return ended


async def _records(world: World, spec: TopicSpec) -> AsyncIterator[tuple[Message, Record | None]]:
    """Yield what is on a topic, but for what was sent to be refused."""
    ground = world.ground
    async with TopicReader(ground.kafka, [ground.names.full(spec)], start=Start.BEGINNING) as reader:
        async for message in reader.read_to_end(deadline_s=60):
            if (message.topic, message.partition, message.offset) not in world.refused:
                yield message, ground.codec.decode(spec, message.value)


async def _rows_of_topics(world: World) -> list[str]:
    ground = world.ground
    problems: list[str] = []
    for spec, table in _TABLES.items():
        on_topic = {str(getattr(record, "id", "")) async for _, record in _records(world, spec)}
        rows = await ground.database.fetch(f"select id::text as id from {table}")  # noqa: S608
        in_table = {row["id"] for row in rows}
        if on_topic != in_table:
            problems.append(
                f"{table}: {len(on_topic - in_table)} rows are missing, {len(in_table - on_topic)} too many"
            )
    return problems


async def _recorded_at(world: World) -> Mapping[str, float]:
    """Return when each generation was first published, wall clock seconds."""
    found: dict[str, float] = {}
    async for message, record in _records(world, GENERATIONS):
        if isinstance(record, Generation):
            found.setdefault(record.id, message.timestamp / 1000)
    return found


async def _vectors(ground: Ground) -> list[str]:
    rows = await ground.database.fetch(
        "select (select count(*) from messages where role in ('user', 'assistant') and content <> '')"
        " as words, (select count(distinct id) from message_embeddings) as embedded"
    )
    row = rows[0]
    return (
        []
        if row["words"] == row["embedded"]
        else [f"{row['embedded']} of {row['words']} messages have vectors"]
    )


async def _recents(world: World) -> list[str]:
    """Compare the lists of recent sessions with the record."""
    rows = await world.ground.database.fetch("select id::text as id, user_id, term, version from sessions")
    redis = RedisConnection(world.ground.redis)
    await redis.start(world.ground.topics.partitions)
    try:
        lists = Recents(redis, keep_s=2_592_000, most=200)
        listed = {
            each.session_id: (each.term, each.version)
            for user in {row["user_id"] for row in rows}
            for each in await lists.of_user(user, limit=1000)
        }
    finally:
        await redis.stop()
    wrong = [row["id"] for row in rows if listed.get(row["id"]) != (row["term"], row["version"])]
    return (
        [f"{len(wrong)} sessions are not in the lists as they are in the record: {wrong[:3]}"]
        if wrong
        else []
    )
