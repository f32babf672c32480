"""What holds for every history of a session: generated ones are walked through."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import ids
from schemas.agent_file import Approval
from schemas.lists import Action, BusyPolicy, CommandKind, RunStatus, ToolOutcome
from schemas.records import GenerationRequest, Run, SessionCommand, ToolCall, UserMessage
from streams.session.configurations import read_configuration
from streams.session.context import to_bytes
from streams.session.payload_text import PAYLOADS
from streams.session.project import reissue
from tests.unit.streams.session.simulated import SESSION, Simulated, agent

TERMINAL_LOGS = {
    Action.MESSAGE_REJECTED,
    Action.RUN_COMPLETED,
    Action.RUN_FAILED,
    Action.RUN_CANCELLED,
}

ELSEWHERE = {Action.SESSION_ERASED, Action.SESSION_FORKED, Action.CHECKPOINT}
"""What has histories of its own."""

COMMANDS = [kind for kind in CommandKind if kind is not CommandKind.ERASE]


@dataclass(frozen=True)
class Move:
    """One thing that happens; the numbers choose among what is there."""

    kind: str
    which: int
    shape: int
    text: str


TEXTS = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
MOVES = st.builds(
    Move,
    kind=st.sampled_from(
        [
            *["say", "say", "answer", "answer", "answer", "result", "result"],
            *["fire", "command", "decide", "decide", "repeat", "lapse"],
        ]
    ),
    which=st.integers(0, 9),
    shape=st.integers(0, 17),
    text=TEXTS.flatmap(lambda text: st.sampled_from([text, text * 40, "x"])),
)
HISTORIES = st.lists(MOVES, max_size=45)


AGENTS = (
    agent(),
    agent("hasty", planning="none", on_busy="reject"),
    agent("careful", planning="explicit", reflection="each", approvals={"sql_query": "always"}),
    agent(
        "thorough",
        planning="explicit",
        reflection="final",
        last_answer=True,
        approvals={"current_time": "always", "sql_query": "never"},
        limits={"generations": 5, "seconds": 60},
    ),
    agent(
        "poor",
        reflection="on_error",
        last_answer=True,
        limits={"tokens": 40},
        session_limits={"generations": 12, "seconds": 400},
    ),
)


def walk(moves: list[Move]) -> Simulated:
    session = Simulated(agents={one.id: one for one in AGENTS})
    for move in moves:
        _happen(session, move)
    return session


def _happen(session: Simulated, move: Move) -> None:
    match move.kind:
        case "say":
            session.say(
                move.text or "hello",
                user_id="mallory" if move.shape == 0 else "alice",
                agent_id=[None, "nobody", "hasty", "careful", "careful", "thorough", "poor"][move.which % 7],
                on_busy=[None, None, *BusyPolicy][move.shape % 7],
            )
        case "answer":
            _answer(session, move)
        case "result":
            _result(session, move)
        case "fire":
            _fire(session, move)
        case "command":
            _command(session, move)
        case "lapse":
            session.lapse()
        case "decide":
            _decide(session, move)
        case _:
            _repeat_or_erase(session, move)


def _repeat_or_erase(session: Simulated, move: Move) -> None:
    if move.kind == "erase":
        session.command(CommandKind.ERASE)
        return
    for event in session.events[-1 - move.which :][:1]:
        session.step(event)


def _fire(session: Simulated, move: Move) -> None:
    steps = [*session.requests(), *session.calls()]
    if steps and move.shape < 3:
        step = steps[-1 - move.which % len(steps)]
        session.fire(step.id, step.deadline_at)
    elif move.shape < 5 and (timers := session.step_timers()):
        session.fire_step(timers[move.which % len(timers)].key)


def _decide(session: Simulated, move: Move) -> None:
    if asked := session.asked():
        session.command(
            CommandKind.DENY if move.shape % 3 == 0 else CommandKind.APPROVE,
            step_id=asked[-1 - move.which // 3 % len(asked)],
            user_id="mallory" if move.shape == 11 else "alice",
            reason=move.text or None,
        )


def _command(session: Simulated, move: Move) -> None:
    runs = [record.id for record in session.outputs if isinstance(record, Run)]
    session.command(
        COMMANDS[move.shape % len(COMMANDS)],
        run_id=runs[-1 - move.which % len(runs)] if runs and move.which else None,
        payload='{"title":"new"}' if move.which % 2 else None,
    )


def _result(session: Simulated, move: Move) -> None:
    if calls := session.calls():
        outcome = [*ToolOutcome, *[ToolOutcome.OUTCOME_UNKNOWN] * 2, *[ToolOutcome.SUCCEEDED] * 8][move.shape]
        session.result(calls[-1 - move.which // 2 % len(calls)], move.text, outcome)


def _answer(session: Simulated, move: Move) -> None:
    requests = session.requests()
    if not requests:
        return
    request = requests[-1 - move.which // 3 % len(requests)]
    if move.shape == 0:
        session.answer(request, error_code="model_timeout")
    elif move.shape == 1:
        session.answer(request, move.text, raw_calls='[{"name": 3}]')
    elif move.shape < 8:
        names = ["sql_query", "current_time", "sql_query", "no_such_tool", "sql_query"]
        session.answer(
            request,
            move.text if move.shape % 2 else "",
            [(name, {"query": move.text}) for name in names[: 1 + move.which % 5]],
        )
    else:
        session.answer(request, move.text)


@settings(max_examples=150)
@given(HISTORIES)
def test_the_context_is_the_fold_of_its_logs_to_the_byte(moves: list[Move]) -> None:
    session = walk(moves)
    assert to_bytes(session.folded()) == to_bytes(session.context)


@settings(max_examples=150)
@given(HISTORIES)
def test_every_message_ends_in_exactly_one_terminal_run(moves: list[Move]) -> None:
    session = walk(moves)
    session.drain()
    said = {
        ids.run_id(SESSION, event.id) for event in session.events if isinstance(event.record, UserMessage)
    }
    ends = Counter(
        entry.run_id for logs in session.decisions for entry in logs.entries if entry.action in TERMINAL_LOGS
    )
    assert ends == dict.fromkeys(said, 1)
    runs = [record for record in session.outputs if isinstance(record, Run)]
    assert Counter(run.id for run in runs if run.status.is_terminal) == dict.fromkeys(said, 1)
    for run in runs:
        assert run.status.is_terminal == (run.stop_reason is not None)
        assert (run.output is not None) == (run.status is RunStatus.COMPLETED)


@settings(max_examples=75)
@given(HISTORIES)
def test_a_redelivered_event_changes_nothing(moves: list[Move]) -> None:
    session = walk(moves)
    before, published = to_bytes(session.context), len(session.outputs)
    decided = {logs.cause_id for logs in session.decisions}
    for event in session.events[-12:]:
        # A command to a session that did not exist yet was nothing, and left no trace to be known by.
        if event.id in decided or not isinstance(event.record, SessionCommand):
            session.step(event)
    assert to_bytes(session.context) == before
    assert len(session.outputs) == published


@settings(max_examples=75)
@given(HISTORIES)
def test_queued_runs_start_in_the_order_of_their_messages(moves: list[Move]) -> None:
    session = walk(moves)
    session.drain()
    entries = [entry for logs in session.decisions for entry in logs.entries]
    queued = [entry.run_id for entry in entries if entry.action is Action.RUN_QUEUED]
    started = [entry.run_id for entry in entries if entry.action is Action.RUN_STARTED]
    waited = [run for run in started if run in set(queued)]
    assert waited == [run for run in queued if run in set(waited)]
    assert len(set(started)) == len(started)


@settings(max_examples=75)
@given(HISTORIES)
def test_what_is_pending_is_asked_for_again_as_it_was_first(moves: list[Move]) -> None:
    session = walk(moves)
    first = {
        record.id: record for record in session.outputs if isinstance(record, GenerationRequest | ToolCall)
    }
    session.term += 1
    for again in reissue(session.folded()):
        assert again == first[again.id]


@settings(max_examples=50)
@given(HISTORIES)
def test_log_numbers_messages_and_versions_have_no_gaps(moves: list[Move]) -> None:
    session = walk(moves)
    numbers = [entry.sequence for logs in session.decisions for entry in logs.entries]
    assert numbers == list(range(1, len(numbers) + 1))
    orders = sorted(
        order
        for record in session.outputs
        if isinstance(order := getattr(record, "sequence_order", None), int)
    )
    assert orders == list(range(1, session.context.total_messages + 1))


def _random_history(seed: int) -> list[Move]:
    dice = Random(seed)  # noqa: S311  the same histories each time
    kinds = [
        "say",
        "answer",
        "answer",
        "answer",
        "result",
        "result",
        "fire",
        "command",
        "decide",
        "repeat",
        "lapse",
    ]
    return [
        Move(dice.choice(kinds), dice.randrange(10), dice.randrange(18), dice.choice(["", "x", "why " * 9]))
        for _ in range(60)
    ]


def test_the_histories_reach_every_kind_of_entry() -> None:
    reached: set[Action] = set()
    for seed in range(60):
        session = walk(_random_history(seed))
        reached |= {entry.action for logs in session.decisions for entry in logs.entries}
    assert set(PAYLOADS) - reached <= ELSEWHERE


@settings(max_examples=75)
@given(HISTORIES)
def test_no_run_asks_the_model_more_often_than_its_budget_and_once(moves: list[Move]) -> None:
    session = walk(moves)
    session.drain()
    limits = {one.id: read_configuration(one.configuration).limits.generations for one in AGENTS}
    asked = Counter(request.run_id for request in session.requests())
    for request in session.requests():
        limit = limits[request.agent_id]
        assert limit is None or asked[request.run_id] <= limit + 1
    entries = [entry for logs in session.decisions for entry in logs.entries]
    over = Counter(entry.run_id for entry in entries if entry.action is Action.BUDGET_EXCEEDED)
    assert all(count == 1 for count in over.values())


@settings(max_examples=75)
@given(HISTORIES)
def test_no_call_that_needs_a_person_starts_without_one_and_none_starts_twice(moves: list[Move]) -> None:
    session = walk(moves)
    rules = {one.id: read_configuration(one.configuration).approvals for one in AGENTS}
    started = Counter(call.id for call in session.calls())
    assert all(count == 1 for count in started.values())
    for call in session.calls():
        is_asked = rules[call.agent_id or ""].get(call.name) is Approval.ALWAYS
        assert call.approved_by == "alice" if is_asked else call.approved_by in {None, "alice"}


@settings(max_examples=75)
@given(HISTORIES)
def test_a_command_ends_no_other_run_than_the_one_it_names(moves: list[Move]) -> None:
    session = walk(moves)
    commands = {event.id: event.record for event in session.events}
    for logs in session.decisions:
        command = commands[logs.cause_id]
        if isinstance(command, SessionCommand):
            ended = {entry.run_id for entry in logs.entries if entry.action is Action.RUN_CANCELLED}
            assert ended <= {command.run_id}
