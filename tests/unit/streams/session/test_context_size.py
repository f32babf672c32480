"""However much is said, a context stays within its bytes, and what was left out lives on in the summary."""

from streams.session.context import to_bytes
from streams.session.rules import Rules
from tests.unit.streams.session.simulated import Simulated, agent
from tests.unit.streams.session.test_core_stories import SELECT

RULES = Rules(default_agent_id="analyst")
WORST = "\u001f"
"""The character that takes most bytes in JSON: six."""


def filled(bytes_in_json: int) -> str:
    """Text that takes about so many bytes."""
    return WORST * (bytes_in_json // 6 - 100)


def test_the_largest_messages_answers_results_and_queues_stay_within_the_bound() -> None:
    session = Simulated(
        rules=RULES,
        agents={"analyst": agent(system_prompt='"' * 30_000, limits={"generations": None})},
    )
    largest = 0
    for _ in range(4):
        session.say(filled(RULES.max_content_bytes))
        for _ in range(6):
            session.answer(
                session.requests()[-1], filled(RULES.max_answer_bytes // 2), [SELECT, SELECT, SELECT]
            )
            for call in session.calls()[-3:]:
                session.result(call, filled(RULES.max_result_bytes))
            session.say(filled(RULES.max_content_bytes // 2))
            largest = max(largest, len(to_bytes(session.context)))
        session.answer(session.requests()[-1], filled(RULES.max_answer_bytes))
        largest = max(largest, len(to_bytes(session.context)))
    assert RULES.max_queued_bytes < largest <= RULES.max_context_bytes


def test_many_short_messages_stay_within_the_bound_too() -> None:
    session = Simulated(rules=RULES, agents={"analyst": agent(planning="none")})
    for number in range(400):
        session.say(f"{number}?")
        session.answer(session.requests()[-1], "!")
    assert len(to_bytes(session.context)) < 2 * (RULES.max_history_bytes + RULES.max_summary_bytes) + 65_536


def test_what_no_longer_fits_is_a_line_of_the_summary_that_the_model_reads() -> None:
    session = Simulated(rules=RULES, agents={"analyst": agent(planning="none")})
    session.say("My name is Ada. " + "a" * 1_000)
    session.answer(session.requests()[-1], "Hello Ada. " + "b" * 1_000)
    for number in range(56):
        session.say(f"Question {number} " + "c" * 500)
        session.answer(session.requests()[-1], "Answer " + "d" * 500)
    session.say("Who am I?")
    assert "My name is Ada." not in [message.content for message in session.context.messages]
    assert "- User: My name is Ada." in session.context.context_summary
    assert "My name is Ada." in session.requests()[-1].messages
    assert sum(message.size for message in session.context.messages) <= RULES.max_history_bytes + 1_000
