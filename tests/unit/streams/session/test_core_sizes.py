"""Whatever users, models, tools and people say fits a Kafka message: by the sums, and tried out."""

import orjson
import pytest

from schemas.lists import CommandKind, RunStatus, ToolOutcome
from schemas.records import ConversationMessage, UserMessage
from schemas.topics import MAX_VALUE_BYTES
from streams.session.context import RECENT_REFLECTIONS
from streams.session.decide.command import MAX_VALUE_BYTES as SESSION_VALUE_BYTES
from streams.session.rules import Rules
from tests.unit.streams.session.simulated import SESSION, Simulated, agent

NASTY = '\x01\\"'
"""Three characters that take ten bytes in JSON."""

SESSION_VALUES = 3
"""Values of a session that its prompts show: project context, working directory, preferences."""


def test_the_parts_of_a_prompt_add_up_to_less_than_a_message() -> None:
    rules = Rules()
    always = (
        rules.max_configuration_bytes
        + SESSION_VALUES * SESSION_VALUE_BYTES
        + rules.max_summary_bytes
        + rules.max_history_bytes
        + rules.max_content_bytes
        + rules.max_run_bytes
        + (1 + RECENT_REFLECTIONS) * rules.max_note_bytes
    )
    acting = rules.max_answer_bytes + rules.max_batch_bytes
    checking = rules.max_answer_bytes
    assert always + max(acting, checking) < MAX_VALUE_BYTES * 9 // 10


def test_the_largest_decision_adds_up_to_less_than_a_message() -> None:
    rules = Rules()
    answered = 2 * rules.max_answer_bytes  # said and asked for: each call stands in the thought and alone
    ended = rules.max_answer_bytes + rules.max_configuration_bytes + rules.max_summary_bytes
    assert (
        max(answered, ended, rules.max_content_bytes + rules.max_configuration_bytes) < MAX_VALUE_BYTES // 2
    )


@pytest.mark.parametrize(
    ("reflection", "approval"),
    [("none", "never"), ("each", "always"), ("final", "never")],
)
def test_the_worst_that_everybody_may_say_fits_a_message(reflection: str, approval: str) -> None:
    rules = Rules(default_agent_id="analyst")
    prompt = "p" * (rules.max_configuration_bytes - 1_000)
    wordy = agent(
        system_prompt=prompt,
        planning="explicit",
        reflection=reflection,
        approvals={"sql_query": approval},
        limits={"generations": 20},
    )
    session = Simulated(rules=rules, agents={"analyst": wordy})
    for _ in range(2):
        session.say(NASTY * (rules.max_content_bytes // 10 - 10))
        for _ in range(4):
            _answer_at_length(session)
        while session.context.run is not None:
            session.answer(session.requests()[-1], NASTY * (rules.max_answer_bytes // 10 - 10))
    assert [run.status for run in session.context.runs] == [RunStatus.COMPLETED] * 2
    largest = max(len(request.messages.encode()) for request in session.requests())
    assert MAX_VALUE_BYTES // 3 < largest < MAX_VALUE_BYTES * 9 // 10


@pytest.mark.parametrize("metadata", ["[{}]", '{{"own":[{}]}}'])
def test_metadata_of_short_numbers_stays_short(metadata: str) -> None:
    session = Simulated(rules=Rules(default_agent_id="analyst"))
    numbers = ",".join(["1e15"] * (session.rules.max_content_bytes // 5 - 10))
    session.take(
        UserMessage(session_id=SESSION, user_id="alice", content="hello", metadata=metadata.format(numbers))
    )
    (said,) = [record for record in session.outputs if isinstance(record, ConversationMessage)]
    assert len(said.metadata or "") < session.rules.max_content_bytes


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, {}),
        ("{ }", {}),
        (' {"a": {"b": 1} }\n', {"a": {"b": 1}}),
        ('{"stage": "mine"}', {}),
        ("[1]", {"value": [1]}),
        ('"}"', {"value": "}"}),
        ("null", {"value": None}),
    ],
)
def test_the_stage_stands_beside_the_producers_metadata(
    metadata: str | None, expected: dict[str, object]
) -> None:
    session = Simulated()
    session.take(UserMessage(session_id=SESSION, user_id="alice", content="hello", metadata=metadata))
    (said,) = [record for record in session.outputs if isinstance(record, ConversationMessage)]
    assert orjson.loads(said.metadata or "") == {**expected, "stage": "message"}


def _answer_at_length(session: Simulated) -> None:
    """Let whoever is asked say as much as they may: a thinking model, a calling one, people and tools."""
    request = session.requests()[-1]
    most = session.rules.max_answer_bytes
    if request.tools == "[]":
        session.answer(request, NASTY * (most // 10 - 10))
        return
    calls = [("sql_query", {"query": NASTY * (most // 12 // 20)})] * 10
    session.answer(request, NASTY * 200, calls)
    asked = [step.step_id for step in session.context.pending if step.kind == "approval"]
    for number, step_id in enumerate(asked):
        kind = CommandKind.DENY if number == 0 else CommandKind.APPROVE
        session.command(kind, step_id=step_id, reason=NASTY * 1_000)
    for call in [call for call in session.calls()[-10:] if session.context.awaits(call.id)]:
        is_known = call.call_index % 2 or call.approved_by is None
        session.result(call, NASTY * 20_000, ToolOutcome.SUCCEEDED if is_known else ToolOutcome.FAILED)
