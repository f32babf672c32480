"""An agent plans, checks its draft and keeps to its budget on real services: stages, messages and reasons."""

import asyncio
import time

from schemas import ids
from schemas.agent_file import AgentFile, Limits, Planning, Reflection
from schemas.lists import RunStatus, StopReason
from schemas.records import Run, UserMessage
from tests.fleet.outside import Outside

LIMIT_S = 40.0
CAREFUL = AgentFile(
    id="careful",
    model="rehearsal:demo",
    tools=("current_time",),
    planning=Planning.EXPLICIT,
    reflection=Reflection.FINAL,
)
POOR = AgentFile(
    id="poor", model="rehearsal:demo", tools=("current_time",), limits=Limits(generations=1), last_answer=True
)


async def asked(outside: Outside, agent: AgentFile) -> Run:
    """Ask the agent for the time; return how its run ended."""
    await outside.fleet.apply(agent)
    message_id = ids.new_id()
    await outside.fleet.publish(
        UserMessage(
            id=message_id,
            session_id=ids.new_id(),
            user_id="alice",
            content="What time is it?",
            agent_id=agent.id,
        )
    )
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    return outside.runs.by_message[message_id]


async def stages_of(outside: Outside, run: Run, *, last: str) -> list[str]:
    """Return the stages of the run's messages in order, once the record has the last one."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        rows = await outside.fleet.database.fetch(
            "select metadata::jsonb ->> 'stage' as stage from messages where run_id = $1"
            " order by sequence_order",
            run.id,
        )
        stages = [row["stage"] for row in rows]
        if last in stages:
            return stages
        assert time.monotonic() < deadline, f"the record has only {stages} of run {run.id}"
        await asyncio.sleep(0.1)


async def test_a_plan_a_draft_and_its_check_can_be_read_before_the_answer(outside: Outside) -> None:
    run = await asked(outside, CAREFUL)
    assert (run.status, run.stop_reason, run.generations) == (RunStatus.COMPLETED, StopReason.ANSWERED, 5)
    assert (run.output or "").startswith("It is ")
    assert await stages_of(outside, run, last="answer") == [
        "message",
        "plan",
        "thought",
        "tool_result",
        "observation",
        "draft",
        "reflection",
        "answer",
    ]


async def test_a_run_out_of_budget_answers_once_more_and_says_why_it_stopped(outside: Outside) -> None:
    run = await asked(outside, POOR)
    assert (run.status, run.stop_reason) == (RunStatus.COMPLETED, StopReason.BUDGET_GENERATIONS)
    assert (run.output or "").startswith("It is ")
    assert run.generations == 2
