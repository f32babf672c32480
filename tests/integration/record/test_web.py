"""What applications read: pages in order with their totals, one user's rows only, nothing that was erased."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from schemas.lists import Action, RunStatus, SessionStatus, StopReason
from schemas.records import Record, Session
from schemas.topics import SESSIONS
from sinks.postgres.store import PostgresStore
from stores.postgres.audit import get_task_audit_trail
from stores.postgres.costs import SessionCost
from stores.postgres.pool import Database
from stores.postgres.tool_calls import ToolCallContext
from stores.postgres.web import Web
from tests.fakes.made_session import AT, Made
from tests.fakes.partition import Partition, write_all

EVERYTHING: dict[str, Any] = {"page": 1, "per_page": 50}


@pytest.fixture
def web(database: Database) -> Web:
    """What is tested."""
    return Web(database)


def session(number: int, **changes: Any) -> Session:
    """Return the session of that number, active that many minutes after the first, of an id of its own."""
    at = AT + timedelta(minutes=number)
    made = Made(str(uuid4())).session()
    return made.model_copy(update={"title": f"Session {number}", "last_activity": at, **changes})


async def listed(web: Web, user_id: str = "alice", **asked: Any) -> tuple[list[str], int]:
    """Return titles and total."""
    rows, total = await web.sessions(user_id, **{**EVERYTHING, **asked})
    return [row.title for row in rows], total


async def test_sessions_come_by_their_last_activity_page_by_page(store: PostgresStore, web: Web) -> None:
    minutes = (3, 25, 1, 7, 40, 26, 2)  # some share ten minutes, some do not
    await write_all(store, *(session(number) for number in minutes))
    expected = [f"Session {number}" for number in sorted(minutes, reverse=True)]
    assert await listed(web) == (expected, 7)
    for per_page in (1, 2, 3, 7):
        pages = [await listed(web, page=page, per_page=per_page) for page in range(1, 9)]
        assert [title for titles, _ in pages for title in titles] == expected
        assert {total for _, total in pages} == {7}
    assert await listed(web, "nobody") == ([], 0)


async def test_sessions_of_one_moment_come_in_one_order(store: PostgresStore, web: Web) -> None:
    same = [session(5) for _ in range(6)]
    await write_all(store, *same)
    pages = [(await web.sessions("alice", page=page, per_page=2))[0] for page in (1, 2, 3)]
    assert [row.id for rows in pages for row in rows] == sorted(each.id for each in same)


async def test_a_session_that_was_used_again_comes_first(store: PostgresStore, web: Web) -> None:
    one, other = session(1), session(2)
    again = one.model_copy(update={"last_activity": AT + timedelta(days=1), "version": 2})
    sessions = Partition(SESSIONS).append(one, other, again)
    await store.begin([("sessions", sessions.number)])
    await sessions.write(store, 2)
    assert await listed(web) == (["Session 2", "Session 1"], 2)
    await sessions.write(store, 1)
    assert await listed(web) == (["Session 1", "Session 2"], 2)


async def test_lists_are_narrowed_by_agent_archive_title_and_messages(store: PostgresStore, web: Web) -> None:
    await write_all(
        store,
        session(1, agent_id="sql", title="100% of the Ünits_", total_messages=1),
        session(2, agent_id="sql", title="1000 units", total_messages=9),
        session(3, agent_id=None, title=r"a\b c_d", total_messages=5),
        session(4, agent_id="sql", archived=True, title="put away"),
        session(5, user_id="bob", agent_id="sql", title="100% bob's", total_messages=9),
    )
    assert await listed(web, agent_id="sql") == (["1000 units", "100% of the Ünits_"], 2)
    assert await listed(web, archived=True) == (["put away"], 1)
    assert await listed(web, search="UNITS") == (["1000 units"], 1)
    assert await listed(web, search="üNITS") == (["100% of the Ünits_"], 1)
    assert await listed(web, search="0%") == (["100% of the Ünits_"], 1)
    assert await listed(web, search="c_d") == ([r"a\b c_d"], 1)
    assert await listed(web, search="\\") == ([r"a\b c_d"], 1)
    assert await listed(web, search="c%d") == ([], 0)
    assert await listed(web, min_messages=5) == ([r"a\b c_d", "1000 units"], 2)
    assert await listed(web, min_messages=2, agent_id="sql", search="unit") == (["1000 units"], 1)
    assert await listed(web, min_messages=0, search="") == (
        [r"a\b c_d", "1000 units", "100% of the Ünits_"], 3
    )  # fmt: skip
    assert await listed(web, "bob", search="100%") == (["100% bob's"], 1)


async def test_a_session_is_as_it_was_recorded(store: PostgresStore, web: Web) -> None:
    kept = session(1, context_summary="asked for orders", metadata='{"a": 1}', last_message="42")
    await write_all(store, kept)
    found = await web.session("alice", kept.id)
    assert found is not None
    same = {name: getattr(found, name) for name in type(found).__dataclass_fields__}
    assert same == {name: value for name, value in kept.model_dump().items() if name in same}
    assert found.status == SessionStatus.ACTIVE
    assert await web.session("bob", kept.id) is None
    assert await web.session("alice", str(uuid4())) is None


async def test_a_conversation_comes_in_order_by_page_and_by_place(
    store: PostgresStore, web: Web, made: Made
) -> None:
    said = [made.message(f"{order}", order=order, sequence=order) for order in range(1, 8)]
    await write_all(store, *reversed(said), made.logs(1, 6))
    assert said[6].sequence == 7, "no accepted decision came to the last one"

    async def page(number: int) -> tuple[list[str], int]:
        rows, total = await web.messages("alice", made.session_id, page=number, per_page=4)
        return [row.content for row in rows], total

    assert await page(1) == (["1", "2", "3", "4"], 6)
    assert await page(2) == (["5", "6"], 6)
    assert await page(3) == ([], 6)
    after = await web.messages_after("alice", made.session_id, after=2, limit=3)
    assert [row.sequence_order for row in after] == [3, 4, 5]
    assert await web.messages_after("alice", made.session_id, after=6, limit=3) == []


async def test_what_was_rolled_back_is_no_part_of_a_conversation(
    store: PostgresStore, web: Web, made: Made
) -> None:
    taken_back = made.run(RunStatus.CANCELLED).model_copy(update={"stop_reason": StopReason.ROLLED_BACK})
    of_it = made.message("never said", order=1).model_copy(update={"run_id": made.run_id})
    await write_all(store, made.logs(1, 2), taken_back, of_it, made.message("said", order=2, sequence=2))
    rows, total = await web.messages("alice", made.session_id, page=1, per_page=20)
    assert ([row.content for row in rows], total) == (["said"], 1)
    after = await web.messages_after("alice", made.session_id, after=0, limit=9)
    assert [row.content for row in after] == ["said"]


async def test_runs_count_where_the_log_accepted_them(store: PostgresStore, web: Web, made: Made) -> None:
    old = made.run(RunStatus.COMPLETED).model_copy(update={"id": str(uuid4())})
    new = made.run(RunStatus.WAITING, version=2).model_copy(update={"created_at": AT + timedelta(seconds=1)})
    void = made.run(RunStatus.RUNNING, version=3).model_copy(update={"id": str(uuid4())})
    await write_all(store, made.logs(1, 2), old, new, void)
    assert await web.run("alice", old.id) == old
    assert await web.run("alice", void.id) is None
    assert await web.run("bob", old.id) is None
    assert await web.runs("alice", made.session_id, page=1, per_page=1) == ([new], 2)
    assert await web.runs("alice", made.session_id, page=2, per_page=1) == ([old], 2)
    assert await web.runs("alice", made.session_id, page=3, per_page=1) == ([], 2)
    assert await web.active_runs("alice") == 1
    assert await web.active_runs("bob") == 0


def _whole(made: Made) -> tuple[Record, ...]:
    return (
        made.session(),
        made.task(),
        made.run(),
        made.message(),
        made.generation(cost=0.5),
        made.generation(1, cost=None),
        made.tool_call(),
        made.tool_result(),
        made.logs(1, 3),
    )


async def test_trail_cost_and_context_are_what_was_recorded(
    store: PostgresStore, database: Database, web: Web, made: Made
) -> None:
    await write_all(store, *_whole(made))
    trail = await get_task_audit_trail(database, made.task_id)
    assert await web.task_trail("alice", made.task_id) == trail
    assert await web.task_trail("alice", made.task_id, after=1, limit=1) == trail[1:2]
    assert await web.task_trail("alice", made.task_id, after=3) == []
    assert await web.cost("alice", made.session_id) == SessionCost(0.5, 2, 1)
    assert await web.tool_call("alice", made.tool_call_id) == ToolCallContext(
        made.tool_call(), made.tool_result(), made.generation(cost=0.5), made.task()
    )


async def test_usage_is_counted_by_day_and_model(store: PostgresStore, web: Web, made: Made) -> None:
    def used(index: int, model: str, cost: float | None, hours: float) -> Record:
        changes = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11, "model_name": model}
        at = AT.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=hours)
        return made.generation(index, cost=cost).model_copy(update={**changes, "created_at": at})

    await write_all(
        store, used(0, "a", 0.25, 0), used(1, "a", None, 23.99), used(2, "b", None, 1), used(3, "a", 1, 24)
    )
    day = AT.date()
    rows = await web.usage("alice", since=day, until=day)
    assert [(row.day, row.model, row.generations, row.unpriced, row.cost_estimate) for row in rows] == [
        (day, "a", 2, 1, 0.25),
        (day, "b", 1, 1, None),
    ]
    assert [(row.prompt_tokens, row.completion_tokens, row.total_tokens) for row in rows] == [
        (20, 2, 22),
        (10, 1, 11),
    ]
    both = await web.usage("alice", since=day, until=day + timedelta(days=1))
    assert [row.day for row in both] == [day, day, day + timedelta(days=1)]
    assert await web.usage("bob", since=day, until=day + timedelta(days=1)) == []
    assert await web.usage("alice", since=day + timedelta(days=1), until=day) == []


async def _everything(web: Web, user_id: str, made: Made) -> list[object]:
    """Ask every question about one session as `user_id`."""
    day = AT.date()
    return [
        await web.sessions(user_id, page=1, per_page=50),
        await web.sessions(user_id, page=1, per_page=50, search="how"),
        await web.sessions(user_id, page=1, per_page=50, min_messages=1),
        await web.session(user_id, made.session_id),
        await web.messages(user_id, made.session_id, page=1, per_page=50),
        await web.messages_after(user_id, made.session_id, after=0, limit=50),
        await web.run(user_id, made.run_id),
        await web.runs(user_id, made.session_id, page=1, per_page=50),
        await web.active_runs(user_id),
        await web.task_trail(user_id, made.task_id),
        await web.cost(user_id, made.session_id),
        await web.tool_call(user_id, made.tool_call_id),
        await web.usage(user_id, since=day, until=day),
        await web.caused(user_id, made.session_id, made.logs().cause_id),
    ]


NOTHING = [([], 0), ([], 0), ([], 0), None, ([], 0), [], None, ([], 0), 0, None, None, None, [], None]


async def test_another_user_gets_nothing_of_it(store: PostgresStore, web: Web, made: Made) -> None:
    records = [*_whole(made), made.session(version=2).model_copy(update={"total_messages": 3})]
    await write_all(store, *records)
    assert all(
        one != nothing for one, nothing in zip(await _everything(web, "alice", made), NOTHING, strict=True)
    )
    assert await _everything(web, "mallory", made) == NOTHING


async def test_an_erased_session_is_not_there_though_rows_are_left(
    store: PostgresStore, database: Database, web: Web, made: Made
) -> None:
    await write_all(store, *_whole(made), session(1))
    await database.execute("insert into erased_sessions (session_id) values ($1)", made.session_id)
    assert await listed(web) == (["Session 1"], 1)
    found = (await _everything(web, "alice", made))[3:12]
    assert found == NOTHING[3:12]
    caused = await web.caused("alice", made.session_id, str(uuid4()))
    assert caused is not None
    assert caused.is_seen


def _deciding(made: Made, *actions: Action, first: int = 1) -> Record:
    logs = made.logs(first, len(actions))
    entries = tuple(
        entry.model_copy(update={"action": action, "run_id": made.run_id})
        for entry, action in zip(logs.entries, actions, strict=True)
    )
    return logs.model_copy(update={"entries": entries})


async def test_a_write_is_seen_once_log_and_rows_are_there(
    store: PostgresStore, web: Web, made: Made
) -> None:
    event_id = made.logs().cause_id

    async def is_seen() -> bool:
        caused = await web.caused("alice", made.session_id, event_id)
        return caused is not None and caused.is_seen

    # A later state of each row stands for the ones before it.
    rows: list[Record] = [
        _deciding(made, Action.SESSION_CREATED, Action.MESSAGE_RECEIVED, Action.RUN_STARTED),
        made.session(version=3),
        made.task().model_copy(update={"version": 4}),
        made.run(version=3),
        made.message(sequence=3),
    ]
    for row in rows:
        assert not await is_seen()
        await write_all(store, row)
    assert await is_seen()
    caused = await web.caused("alice", made.session_id, event_id)
    assert caused is not None
    assert (caused.run_id, caused.actions[-1]) == (made.run_id, Action.RUN_STARTED)
    assert await web.caused("mallory", made.session_id, event_id) is None


async def test_a_command_that_changes_nothing_is_seen_by_its_entry_alone(
    store: PostgresStore, web: Web, made: Made
) -> None:
    await write_all(store, _deciding(made, Action.COMMAND_IGNORED))
    caused = await web.caused("alice", made.session_id, made.logs().cause_id)
    assert caused is not None
    assert caused.is_seen
    assert not replace(caused, entries=()).is_seen
