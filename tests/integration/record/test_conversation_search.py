"""Searching conversations on a real PostgreSQL: the user's own, only what was really said, best first."""

from datetime import timedelta
from uuid import uuid4

import pytest

from schemas.lists import Role, RunStatus, StopReason
from schemas.records import ConversationMessage
from sinks.postgres.store import PostgresStore
from stores.postgres.conversation_search import ConversationSearch, Found
from stores.postgres.pool import Database
from streams.execute.tool import ToolContext, ToolError
from streams.execute.tools.search_conversation import SearchConversationArguments, search_conversation_tool
from tests.fakes.made_session import AT, Made
from tests.fakes.partition import write_all


def said(
    made: Made, order: int, text: str, *, user_id: str = "alice", run_id: str | None = None, term: int = 0
) -> ConversationMessage:
    message = made.message(text, order=order, sequence=order, term=term)
    return message.model_copy(
        update={
            "user_id": user_id,
            "role": Role.USER,
            "run_id": run_id,
            "timestamp": AT + timedelta(minutes=order),
        }
    )


@pytest.fixture
def search(database: Database) -> ConversationSearch:
    return ConversationSearch(database)


async def found(
    search: ConversationSearch, made: Made, words: str, *, everywhere: bool = False, limit: int = 10
) -> list[Found]:
    return await search.search(
        words,
        user_id="alice",
        session_id=made.session_id,
        not_run_id=str(uuid4()),
        everywhere=everywhere,
        limit=limit,
    )


async def test_messages_with_all_words_come_first_and_show_the_words_around_them(
    search: ConversationSearch, store: PostgresStore, made: Made
) -> None:
    long = "filler " * 300 + "the agreed budget for Lisbon is 4,000 euros " + "filler " * 300
    await write_all(
        store,
        made.logs(1, 4),
        said(made, 1, "our budget is tight"),
        said(made, 2, long),
        said(made, 3, "Lisbon is sunny"),
        said(made, 4, "nothing of that kind"),
    )
    rows = await found(search, made, "What was the budget for Lisbon?")
    assert rows[0].sequence_order == 2
    assert {row.sequence_order for row in rows} == {1, 2, 3}
    assert [row.has_all for row in rows] == [True, False, False]
    assert "4,000 euros" in rows[0].snippet
    assert len(rows[0].snippet) < 1_000
    assert len(await found(search, made, "budget Lisbon", limit=1)) == 1


async def test_other_users_and_other_sessions_stay_unseen(
    search: ConversationSearch, store: PostgresStore, made: Made
) -> None:
    mine, strange = Made(str(uuid4())), Made(str(uuid4()))
    await write_all(
        store,
        *(one.logs() for one in (made, mine, strange)),
        *(one.session() for one in (made, mine)),
        strange.session().model_copy(update={"user_id": "bob"}),
        said(made, 1, "secret here"),
        said(mine, 1, "secret there"),
        said(strange, 1, "secret of bob", user_id="bob"),
    )
    assert [row.snippet for row in await found(search, made, "secret")] == ["secret here"]
    everywhere = await found(search, made, "secret", everywhere=True)
    assert {row.snippet for row in everywhere} == {"secret here", "secret there"}
    assert await found(search, strange, "secret") == []


async def test_what_was_not_really_said_is_left_out(
    search: ConversationSearch, store: PostgresStore, database: Database, made: Made
) -> None:
    rolled_back = made.run(RunStatus.CANCELLED).model_copy(update={"stop_reason": StopReason.ROLLED_BACK})
    await write_all(
        store,
        made.logs(1, 2),
        rolled_back,
        said(made, 1, "word accepted"),
        said(made, 2, "word rolled back", run_id=made.run_id),
        said(made, 3, "word without a log entry"),
    )
    assert [row.snippet for row in await found(search, made, "word")] == ["word accepted"]
    _ = await database.execute("insert into erased_sessions (session_id) values ($1)", made.session_id)
    assert await found(search, made, "word") == []


@pytest.mark.parametrize("words", ["", "?!", "the and of", "' | ! & ( :*", "\\ '", "a" * 500, "x:*&y"])
async def test_words_that_mean_something_to_the_parser_are_only_words(
    search: ConversationSearch, store: PostgresStore, made: Made, words: str
) -> None:
    await write_all(store, made.logs(), said(made, 1, "hello"))
    assert await found(search, made, words) == []


async def test_the_tool_leaves_out_the_run_that_asks(
    search: ConversationSearch, store: PostgresStore, made: Made
) -> None:
    await write_all(
        store,
        made.logs(1, 2),
        said(made, 1, "we met in May"),
        said(made, 2, "when did we meet? in May?", run_id=made.run_id),
    )
    context = ToolContext(session_id=made.session_id, user_id="alice", run_id=made.run_id, step_id="t")
    answer = await search_conversation_tool(search)(SearchConversationArguments(query="May meet"), context)
    assert answer["count"] == 1
    assert answer["messages"][0] == {
        "role": "user",
        "said_at": "2026-11-18T12:31:15+00:00",
        "this_conversation": True,
        "session_id": made.session_id,
        "number": 1,
        "has_all_words": False,
        "text": "we met in May",
    }


async def test_without_a_record_the_tool_says_so() -> None:
    context = ToolContext(session_id="s", user_id="alice", run_id="r", step_id="t")
    with pytest.raises(ToolError, match="not reachable"):
        _ = await search_conversation_tool(None)(SearchConversationArguments(query="x"), context)


async def test_thousands_of_messages_are_searched_in_moderate_time(
    search: ConversationSearch, store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, made.logs(1, 2), said(made, 1, "needle"))
    _ = await database.execute(
        "insert into messages select gen_random_uuid(), session_id, task_id, run_id, user_id, role,"
        " repeat('some words of a long answer ', 40) || n, \"timestamp\", metadata, tool_calls, tool_results,"
        " sql_query, 1 + n, 0, 2 from messages, generate_series(1, 3000) as n where session_id = $1",
        made.session_id,
    )
    rows = await found(search, made, "words answer", limit=20)
    assert len(rows) == 20
    assert await found(search, made, "needle") == []
