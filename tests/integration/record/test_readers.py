"""The questions asked of the record have their answers."""

from uuid import uuid4

from schemas.ids import new_id
from schemas.lists import Action, RunStatus
from schemas.records import TaskLogs
from sinks.postgres.store import PostgresStore
from stores.postgres.audit import Audit, get_task_audit_trail
from stores.postgres.costs import SessionCost, calculate_session_cost
from stores.postgres.once_claims import OnceClaims
from stores.postgres.pool import Database
from stores.postgres.runs import Runs
from stores.postgres.session_logs import Head, SessionLogs
from stores.postgres.steps import Steps
from stores.postgres.timers import RecordedTimer, Timers
from stores.postgres.tool_calls import ToolCallContext, get_tool_call_context
from tests.fakes.made_session import AT, ODD_JSON, Made
from tests.fakes.partition import write_all


async def test_the_audit_trail_of_a_task_is_every_entry_in_order(
    store: PostgresStore, database: Database, made: Made
) -> None:
    other = Made(str(uuid4()))
    await write_all(store, made.logs(1, 3), other.logs(1, 2), made.logs(4, 2))
    trail = await get_task_audit_trail(database, made.task_id)
    assert [log.sequence for log in trail] == [1, 2, 3, 4, 5]
    assert {log.session_id for log in trail} == {made.session_id}
    assert await Audit(database).session_trail(made.session_id) == trail
    assert await get_task_audit_trail(database, str(uuid4())) == []


async def test_the_cost_of_a_session_says_whether_any_is_unknown(
    store: PostgresStore, database: Database, made: Made
) -> None:
    assert await calculate_session_cost(database, made.session_id) == SessionCost(None, 0, 0)
    await write_all(
        store, *(made.generation(index, cost=cost) for index, cost in enumerate((0.25, None, 0.5)))
    )
    assert await calculate_session_cost(database, made.session_id) == SessionCost(0.75, 3, 1)


async def test_the_context_of_a_tool_call_is_what_was_recorded_to_the_byte(
    store: PostgresStore, database: Database, made: Made
) -> None:
    assert await get_tool_call_context(database, made.tool_call_id) is None
    await write_all(store, made.tool_call())
    assert await get_tool_call_context(database, made.tool_call_id) is None, (
        "no accepted decision asked for it"
    )
    await write_all(store, made.logs())
    assert await get_tool_call_context(database, made.tool_call_id) == ToolCallContext(
        made.tool_call(), None, None, None
    )
    await write_all(store, made.task(), made.generation(), made.tool_result())
    assert await get_tool_call_context(database, made.tool_call_id) == ToolCallContext(
        made.tool_call(), made.tool_result(), made.generation(), made.task()
    )


async def test_recorded_steps_come_back_as_they_were(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, made.generation(), made.tool_result())
    steps = Steps(database)
    assert await steps.generation(made.generation_id) == made.generation()
    assert await steps.tool_result(made.tool_call_id) == made.tool_result()
    assert await steps.generation(str(uuid4())) is None
    assert await steps.tool_result("unknown") is None


def _about_run(made: Made, *actions: Action) -> list[TaskLogs]:
    """One decision per action, each about the run."""
    decisions = [made.logs(number) for number in range(1, len(actions) + 1)]
    return [
        one.model_copy(
            update={"entries": (one.entries[0].model_copy(update={"action": action, "run_id": made.run_id}),)}
        )
        for one, action in zip(decisions, actions, strict=True)
    ]


async def test_a_run_is_known_once_the_log_took_its_message(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, *_about_run(made, Action.COMMAND_IGNORED, Action.MESSAGE_RECEIVED))
    assert await Runs(database).is_known(made.session_id, made.run_id)
    assert not await Runs(database).is_known(str(uuid4()), made.run_id)


async def test_a_command_about_a_run_does_not_make_it_known(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, *_about_run(made, Action.COMMAND_IGNORED))
    assert not await Runs(database).is_known(made.session_id, made.run_id)


async def test_a_run_stands_as_it_was_recorded(store: PostgresStore, database: Database, made: Made) -> None:
    runs = Runs(database)
    await write_all(store, made.run(RunStatus.QUEUED))
    assert not await runs.is_known(made.session_id, made.run_id)
    assert await runs.get(made.run_id) is None, "no accepted decision tells of it"
    assert await runs.of_session(made.session_id) == []
    await write_all(store, made.logs())
    assert await runs.get(made.run_id) == made.run(RunStatus.QUEUED)
    assert await runs.of_session(made.session_id) == [made.run(RunStatus.QUEUED)]


async def test_an_unknown_session_has_an_empty_head(database: Database) -> None:
    assert await SessionLogs(database).head(str(uuid4())) == Head(0, 0, "", erased=False)


async def test_timers_of_a_partition_come_in_pages(store: PostgresStore, database: Database) -> None:
    waiting = sorted(str(uuid4()) for _ in range(3))
    timer = '[{"key": "expiry", "kind": "expiry", "due_ms": 1700000000123}]'
    await write_all(
        store, *(Made(each).session(timers=timer) for each in waiting), Made(str(uuid4())).session()
    )
    timers = Timers(database)
    first = await timers.of_partition(3, limit=2)
    assert first == tuple(RecordedTimer(each, "expiry", "expiry", 1700000000123) for each in waiting[:2])
    last = await timers.of_partition(3, after=waiting[1], limit=2)
    assert [each.session_id for each in last] == waiting[2:]
    assert await timers.of_partition(3, after=waiting[2]) == ()
    assert await timers.of_partition(4) == ()


async def test_a_once_step_belongs_to_its_first_attempt_for_ever(database: Database) -> None:
    claims, step, token = OnceClaims(database), "step", new_id()
    assert await claims.claim(step, token)
    assert await claims.claim(step, token)
    assert not await claims.claim(step, new_id())
    assert await claims.holds(step, token)


async def test_orphans_are_counted_by_kind_until_their_parents_come(
    store: PostgresStore, database: Database, made: Made
) -> None:
    audit = Audit(database)
    await write_all(store, made.tool_result(), made.message())
    assert await audit.orphans() == {"message without session": 1, "tool result without tool call": 1}
    await write_all(
        store, made.tool_call(), made.generation(), made.run(), made.session(), made.task(), made.logs()
    )
    assert await audit.orphans() == {}


async def test_analysts_find_the_names_they_know(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, made.logs(), made.run(RunStatus.COMPLETED), made.generation())
    event = await database.fetch_one("select * from events")
    assert event is not None
    assert (event["event_type"], event["timestamp_ms"], event["payload"]) == (
        "thought", int(AT.timestamp() * 1000), ODD_JSON
    )  # fmt: skip
    execution = await database.fetch_one("select * from agent_executions")
    assert execution is not None
    assert (execution["input_data"], execution["status"]) == ("how many?", "completed")
    interaction = await database.fetch_one("select * from llm_interactions")
    assert interaction is not None
    assert (interaction["model"], interaction["success"], interaction["response"]) == (
        "rehearsal",
        True,
        "42",
    )


def _checkpoint(logs: TaskLogs, *, context_format: int) -> TaskLogs:
    first = logs.entries[0].model_copy(
        update={"action": Action.CHECKPOINT, "payload": f'{{"format":{context_format},"context":{{}}}}'}
    )
    return logs.model_copy(update={"entries": (first, *logs.entries[1:])})


async def test_a_rebuild_reads_from_the_last_checkpoint_that_its_version_can_read(
    store: PostgresStore, database: Database, made: Made
) -> None:
    logs = SessionLogs(database)
    await write_all(
        store,
        made.logs(1, 3),
        _checkpoint(made.logs(4, 2), context_format=7),
        _checkpoint(made.logs(6, 2), context_format=7),
        _checkpoint(made.logs(8, 2), context_format=8),
    )

    async def read(*, upto: int, context_format: int) -> list[int]:
        found = await logs.since_checkpoint(made.session_id, upto=upto, context_format=context_format)
        return [row.sequence for row in found]

    assert await read(upto=9, context_format=8) == [8, 9]
    assert await read(upto=9, context_format=7) == [6, 7, 8, 9]
    assert await read(upto=5, context_format=7) == [4, 5]
    assert await read(upto=3, context_format=7) == [1, 2, 3]
    assert await read(upto=9, context_format=9) == list(range(1, 10))


async def test_the_steps_of_a_session_are_those_asked_for_and_those_answered(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(
        store, made.generation(), made.tool_call(), made.tool_result(), Made(new_id()).generation()
    )
    assert await Steps(database).of_session(made.session_id) == {made.generation_id, made.tool_call_id}


async def test_sessions_whose_newest_entry_is_missing_are_found(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, made.logs(1, 3), Made(new_id()).logs(1, 2))
    assert await Audit(database).gaps() == []
    await database.execute("delete from task_logs where session_id = $1 and sequence = 3", made.session_id)
    assert await Audit(database).gaps() == [made.session_id]
