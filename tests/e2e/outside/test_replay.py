"""A session replayed by the command: as it was, beside its live context, decided again, and forked."""

import pytest

from schemas import ids
from schemas.agent_file import AgentFile
from schemas.lists import RunStatus
from schemas.records import Run, UserMessage
from tests.e2e.outside.command import maestro
from tests.fleet.outside import Outside
from tests.fleet.runs import sink_is_level

pytestmark = pytest.mark.timeout(180)
LIMIT_S = 40.0
TELLER = AgentFile(id="teller", model="rehearsal:awkward", tools=("current_time",))


async def said(outside: Outside, session_id: str, content: str) -> Run:
    """Say something and return the run that answers."""
    message_id = ids.new_id()
    await outside.fleet.publish(
        UserMessage(
            id=message_id, session_id=session_id, user_id="alice", content=content, agent_id=TELLER.id
        )
    )
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    run = outside.runs.by_message[message_id]
    assert run.status is RunStatus.COMPLETED, run.error_message
    await sink_is_level(outside.fleet, within_s=LIMIT_S)
    return run


@pytest.fixture(scope="module")
async def talk(outside: Outside) -> str:
    """A session in which a tool was called and two questions were answered."""
    session_id = ids.new_id()
    await outside.fleet.apply(TELLER)
    await said(outside, session_id, "gives wrong arguments")
    await said(outside, session_id, "remember the number 17")
    return session_id


async def test_a_session_is_shown_as_it_was_at_any_entry(outside: Outside, talk: str) -> None:
    begun = (await maestro(outside.fleet, "replay", talk, "--at", "2", "--json")).row
    assert (begun["context"]["sequence"], begun["context"]["messages"]) == (2, [])
    assert begun["last_sequence"] > begun["sequence"] == 2
    told = await maestro(outside.fleet, "replay", talk)
    assert (told.code, "remember the number 17" in told.stdout) == (0, True)


async def test_the_live_context_is_what_the_log_makes(outside: Outside) -> None:
    session_id = ids.new_id()
    await said(outside, session_id, "hello")
    compared = await maestro(outside.fleet, "replay", session_id, "--compare", "--json")
    assert (compared.code, compared.row["standing"]) == (0, "same"), compared.stdout


async def test_every_decision_is_decided_again_and_other_limits_show(outside: Outside, talk: str) -> None:
    decided = await maestro(outside.fleet, "replay", talk, "--decide", "--json")
    report = decided.row
    assert (decided.code, report["difference"], report["skipped"]) == (0, None, []), report
    assert report["same"] == report["decisions"] > 4
    assert {"topic", "record"} <= set(report["events"])
    other = await maestro(outside.fleet, "replay", talk, "--decide", "--json", MAESTRO_SESSION_TTL_S="77")
    found = other.row["difference"]
    assert (other.code, found["sequence"], found["field"], found["decided"]) == (1, 1, "payload.ttl_s", 77)


async def test_a_fork_goes_on_with_what_was_said_and_leaves_its_source_alone(
    outside: Outside, talk: str
) -> None:
    fleet = outside.fleet
    before = await fleet.database.fetch("select t::text as row from runs as t where session_id = $1", talk)
    done = await maestro(fleet, "replay", talk, "--fork", "new", "--json")
    assert done.code == 0, done.stderr
    fork = done.row
    assert (fork["cancelled_runs"], fork["user_id"], fork["taken_up"]) == (0, "alice", True)
    run = await said(outside, fork["session_id"], "and now?")

    again = (await maestro(fleet, "replay", run.session_id, "--decide", "--json")).row
    assert (again["difference"], again["skipped"]) == (None, [])
    assert again["copied"] > 4
    assert again["same"] >= 3

    kept = await fleet.database.fetch(
        "select content from accepted_messages where session_id = $1 order by sequence_order", run.session_id
    )
    texts = [row["content"] for row in kept]
    assert "remember the number 17" in texts
    assert texts[-2:] == ["and now?", run.output]
    prompts = await fleet.database.fetch(
        "select prompt from generations where session_id = $1", run.session_id
    )
    assert prompts
    assert all("remember the number 17" in row["prompt"] for row in prompts)
    assert before == await fleet.database.fetch(
        "select t::text as row from runs as t where session_id = $1", talk
    )


async def test_a_fork_in_the_middle_of_a_run_cancels_it_there_and_nowhere_else(outside: Outside) -> None:
    fleet, session_id = outside.fleet, ids.new_id()
    await fleet.apply(TELLER)
    await said(outside, session_id, "gives wrong arguments")
    rows = await fleet.database.fetch(
        "select sequence from task_logs where session_id = $1 and action = 'tool_called'", session_id
    )
    at = str(rows[0]["sequence"])
    new_id = ids.random_id()
    done = await maestro(fleet, "replay", session_id, "--at", at, "--fork", new_id, "--json")
    assert done.code == 0, done.stderr
    assert (done.row["session_id"], done.row["cancelled_runs"]) == (new_id, 1)
    run = await said(outside, new_id, "what now?")
    assert "what now?" in (run.output or "")
    statuses = await fleet.database.fetch(
        "select session_id::text, status from runs where session_id = any($1::uuid[])", [session_id, new_id]
    )
    assert sorted((row["session_id"], row["status"]) for row in statuses) == sorted(
        [(session_id, "completed"), (new_id, "completed")]
    )
    taken = await maestro(fleet, "replay", session_id, "--fork", new_id)
    assert (taken.code, "used before" in taken.stderr) == (1, True)


async def test_what_is_not_there_is_said(outside: Outside) -> None:
    unknown = await maestro(outside.fleet, "replay", ids.new_id())
    assert (unknown.code, "nothing is recorded" in unknown.stderr) == (1, True)
