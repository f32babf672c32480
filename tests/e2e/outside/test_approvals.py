"""A tool that needs a person's word starts once when approved, whoever died meanwhile, and never when not."""

import asyncio
import time

from schemas import ids
from schemas.agent_file import AgentFile, Approval
from schemas.lists import CommandKind, RunStatus
from schemas.records import SessionCommand, UserMessage
from tests.fleet.effects import starts
from tests.fleet.outside import Outside

LIMIT_S = 40.0
PATIENT = AgentFile(
    id="patient", model="rehearsal:charging", tools=("charge",), approvals={"charge": Approval.ALWAYS}
)
HASTY = PATIENT.model_copy(update={"id": "hasty", "approval_limit_s": 2})


async def asked(outside: Outside, agent: AgentFile) -> tuple[str, str, str]:
    """Ask the agent something; return session, message and the call that waits for a person."""
    await outside.fleet.apply(agent)
    session_id, message_id = ids.new_id(), ids.new_id()
    await outside.fleet.publish(
        UserMessage(
            id=message_id, session_id=session_id, user_id="alice", content="charge me", agent_id=agent.id
        )
    )
    return session_id, message_id, await waiting_call(outside, session_id)


async def waiting_call(outside: Outside, session_id: str) -> str:
    """Return the tool call that the session's log says a person is asked about."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        rows = await outside.fleet.database.fetch(
            "select tool_call_id from task_logs where session_id = $1 and action = 'approval_requested'",
            session_id,
        )
        if rows:
            return str(rows[0]["tool_call_id"])
        assert time.monotonic() < deadline, f"nobody was asked in session {session_id}"
        await asyncio.sleep(0.1)


async def answer(outside: Outside, session_id: str, call_id: str, kind: CommandKind, user: str) -> None:
    """Send a person's word."""
    await outside.fleet.publish(
        SessionCommand(
            id=ids.new_id(),
            session_id=session_id,
            user_id=user,
            kind=kind,
            step_id=call_id,
            reason="too expensive",
        )
    )


async def test_an_approved_tool_runs_once_although_every_worker_died_while_waiting(outside: Outside) -> None:
    session_id, message_id, call_id = await asked(outside, PATIENT)
    for role in ("session-1", "execute-1"):
        await outside.fleet.supervisor.kill(role)
    assert starts(outside.effects, "charge")[call_id] == 0
    await answer(outside, session_id, call_id, CommandKind.APPROVE, "mallory")
    await answer(outside, session_id, call_id, CommandKind.APPROVE, "alice")
    await answer(outside, session_id, call_id, CommandKind.APPROVE, "alice")
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    run = outside.runs.by_message[message_id]
    assert (run.status, run.output) == (RunStatus.COMPLETED, "It is done: charged.")
    assert starts(outside.effects, "charge")[call_id] == 1
    calls = await outside.fleet.database.fetch("select approved_by from tool_calls where id = $1", call_id)
    assert [row["approved_by"] for row in calls] in ([], ["alice"])  # the sink may be a moment behind


async def test_a_denied_tool_never_starts_and_the_model_reads_why(outside: Outside) -> None:
    session_id, message_id, call_id = await asked(outside, PATIENT)
    await answer(outside, session_id, call_id, CommandKind.DENY, "alice")
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    run = outside.runs.by_message[message_id]
    assert run.status is RunStatus.COMPLETED
    assert "too expensive" in (run.output or "")
    assert starts(outside.effects, "charge")[call_id] == 0


async def test_a_tool_that_nobody_answers_about_counts_as_denied(outside: Outside) -> None:
    _, message_id, call_id = await asked(outside, HASTY)
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    assert outside.runs.by_message[message_id].status is RunStatus.COMPLETED
    assert starts(outside.effects, "charge")[call_id] == 0
