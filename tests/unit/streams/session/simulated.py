"""A session driven through the pure core, with everything checked that must hold after every decision."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from bus.codec import Codec
from schemas import ids
from schemas.lists import (
    Action,
    BusyPolicy,
    CommandKind,
    GenerationStatus,
    RunStatus,
    TimerKind,
    ToolOutcome,
)
from schemas.records import (
    Agent,
    Generation,
    GenerationRequest,
    Record,
    Run,
    SessionCommand,
    TaskLogs,
    TimerFired,
    ToolCall,
    ToolResult,
    UserMessage,
)
from schemas.topics import BY_RECORD, MAX_VALUE_BYTES
from streams.session.applied import Applied, applied
from streams.session.context import Context, StepKind, empty, from_bytes, to_bytes
from streams.session.decide import agent_wanted, decide
from streams.session.event import Event, EventRecord, ms_of, time_of
from streams.session.log import chain, fold, task_logs, verify_chain
from streams.session.payload_text import payload_of, read_payload
from streams.session.project import project, reissue
from streams.session.rules import Rules
from streams.session.timers import Timer, life_timer, timer_change, timers_of

SESSION = "0190aaaa-0000-7000-8000-000000000001"
CODEC = Codec()
START = datetime(2026, 1, 1, tzinfo=UTC)
TIGHT = Rules(
    default_agent_id="analyst",
    max_content_bytes=2_000,
    max_history_bytes=1_500,
    max_run_bytes=900,
    max_summary_bytes=700,
    max_result_bytes=600,
    max_batch_bytes=800,
    max_answer_bytes=3_000,
    max_tool_calls=4,
    max_queued_runs=3,
    max_queued_bytes=6_000,
)


def agent(agent_id: str = "analyst", *, user_id: str | None = None, **configuration: object) -> Agent:
    """Return an active agent with two tools and a budget of four generations."""
    return _agent(agent_id, user_id, configuration)


def analyst(**configuration: object) -> Agent:
    """Return the agent that answers when nobody is named."""
    return _agent("analyst", None, configuration)


def _agent(agent_id: str, user_id: str | None, configuration: dict[str, object]) -> Agent:
    values = {"tools": ["sql_query", "current_time"], "limits": {"generations": 4}} | configuration
    return Agent(
        id=agent_id,
        name=agent_id,
        configuration=orjson.dumps(values).decode(),
        user_id=user_id,
        created_at=START,
        updated_at=START,
    )


def _check_timers(before: Context, after: Context) -> None:
    """Check that what changes leads from the timers of one context to those of the next."""
    for is_lost in (False, True):
        armed = {} if is_lost else timers_of(before)
        change = timer_change(before, after, is_lost=is_lost)
        armed |= {timer.key: timer for timer in change.to_set}
        assert not {timer.key for timer in change.to_set} & set(change.to_remove)
        assert {key: timer for key, timer in armed.items() if key not in change.to_remove} == timers_of(after)


def _own_json(record: Record) -> tuple[str, ...]:
    """Return the texts that no reader of the record checks."""
    if isinstance(record, GenerationRequest):
        return record.messages, record.tools, record.parameters
    return (record.arguments,) if isinstance(record, ToolCall) else ()


@dataclass
class Simulated:
    """One session: events go in by `take`, decisions and outputs pile up."""

    rules: Rules = TIGHT
    agents: dict[str, Agent] = field(default_factory=lambda: {"analyst": agent()})
    term: int = 7
    context: Context = field(default_factory=lambda: empty(SESSION))
    decisions: list[TaskLogs] = field(default_factory=list[TaskLogs])
    outputs: list[Record] = field(default_factory=list[Record])
    events: list[Event] = field(default_factory=list[Event])
    now: datetime = START

    def take(self, record: EventRecord) -> tuple[Record, ...]:
        """Take one new input record; return what its decision publishes."""
        self.now += timedelta(milliseconds=250)
        offset = len(self.events)
        event = Event(
            id=getattr(record, "id", None) or ids.event_id("t", 3, offset),
            topic=BY_RECORD[type(record)].name,
            partition=3,
            offset=offset,
            at_ms=ms_of(self.now),
            trace_id="0" * 31 + "1",
            record=record,
        )
        self.events.append(event)
        return self.step(event)

    def step(self, event: Event) -> tuple[Record, ...]:
        """Decide about an event as the shell does, and check the decision."""
        if applied(self.context, event) is Applied.YES:
            return ()
        if applied(self.context, event) is Applied.ASK_RECORD and self._is_recorded(event):
            return ()
        before = self.context
        wanted = agent_wanted(before, event, self.rules)
        found = None if wanted is None else self.agents.get(wanted)
        drafts = decide(before, event, found, self.rules)
        if not drafts:
            return ()
        after, entries = chain(before, drafts, event, term=self.term)
        again, same = chain(before, decide(before, event, found, self.rules), event, term=self.term)
        assert same == entries
        assert to_bytes(again) == to_bytes(after)
        logs = task_logs(after, entries, event, term=self.term)
        outputs = project(after, logs, 3)
        self._check(after, logs, outputs)
        _check_timers(before, after)
        self.context = after
        self.decisions.append(logs)
        self.outputs.extend(outputs)
        return outputs

    def _check(self, after: Context, logs: TaskLogs, outputs: Sequence[Record]) -> None:
        data = to_bytes(after)
        assert from_bytes(data) == after
        assert len(data) <= self.rules.max_context_bytes
        assert to_bytes(from_bytes(data)) == data
        assert project(from_bytes(data), logs, 3) == outputs
        TaskLogs.model_validate(logs.model_dump())
        for entry in logs.entries:
            # The fold of a decision takes the payload itself, the fold of the record reads its text.
            assert payload_of(entry.action, entry.payload) == read_payload(entry.action, entry.payload)
        assert len(CODEC.encode(logs)) < MAX_VALUE_BYTES
        for record in outputs:
            # Built without validation: here each is validated.
            assert type(record).model_validate(record.model_dump()) == record
            assert len(CODEC.encode(record)) < MAX_VALUE_BYTES
            for text in _own_json(record):
                orjson.loads(text)
        self._check_run(after, outputs)

    def _check_run(self, after: Context, outputs: Sequence[Record]) -> None:
        """Check that an open run waits for something, and that whoever reads the topics knows its status."""
        asked = {step.id: step for step in reissue(after)}
        for record in outputs:
            if isinstance(record, GenerationRequest | ToolCall) and record.id in asked:
                assert record == asked[record.id]
        run = after.run
        is_asking = any(step.kind is StepKind.APPROVAL for step in after.pending)
        if run is None:
            assert not after.pending
            assert not after.queue
            return
        assert after.pending
        assert {step.run_id for step in after.pending} == {run.id}
        assert (run.status is RunStatus.WAITING) == is_asking == (run.waiting_since_ms is not None)
        told = [record for record in (*self.outputs, *outputs) if isinstance(record, Run)]
        assert [record.status for record in told if record.id == run.id][-1] is run.status

    def _is_recorded(self, event: Event) -> bool:
        run = ids.run_id(SESSION, event.id)
        return any(entry.run_id == run for logs in self.decisions for entry in logs.entries)

    def folded(self) -> Context:
        """Return the fold of all logs, as the record would give them back."""
        copies = [TaskLogs.model_validate_json(logs.model_dump_json()) for logs in self.decisions]
        assert verify_chain(copies) is None
        return fold(SESSION, copies)

    def say(
        self,
        content: str,
        *,
        user_id: str = "alice",
        agent_id: str | None = None,
        on_busy: BusyPolicy | None = None,
    ) -> tuple[Record, ...]:
        """A user says something."""
        return self.take(
            UserMessage(
                session_id=SESSION,
                user_id=user_id,
                content=content,
                agent_id=agent_id,
                on_busy=on_busy,
                metadata='{"from":"test"}',
            )
        )

    def command(
        self,
        kind: CommandKind,
        *,
        run_id: str | None = None,
        step_id: str | None = None,
        user_id: str = "alice",
        reason: str | None = None,
        payload: str | None = None,
    ) -> tuple[Record, ...]:
        """Somebody commands something."""
        return self.take(
            SessionCommand(
                session_id=SESSION,
                user_id=user_id,
                kind=kind,
                run_id=run_id,
                step_id=step_id,
                reason=reason,
                payload=payload,
            )
        )

    def answer(
        self,
        request: GenerationRequest,
        text: str = "",
        calls: Sequence[tuple[str, object]] = (),
        *,
        raw_calls: str | None = None,
        error_code: str | None = None,
    ) -> tuple[Record, ...]:
        """The model answers `request`; `raw_calls` stands for the calls as nonsense would have them."""
        asked = [{"id": f"p{n}", "name": name, "arguments": given} for n, (name, given) in enumerate(calls)]
        return self.take(
            Generation(
                id=request.id,
                task_id=request.task_id,
                session_id=SESSION,
                run_id=request.run_id,
                user_id=request.user_id,
                agent_id=request.agent_id,
                generation_index=request.generation_index,
                purpose=request.purpose,
                model_name="rehearsal",
                prompt=request.messages,
                response=text,
                tool_calls=raw_calls or orjson.dumps(asked).decode(),
                created_at=self.now,
                status=GenerationStatus.FAILED if error_code else GenerationStatus.COMPLETED,
                prompt_tokens=10,
                completion_tokens=5,
                total_tokens=15,
                cost_estimate=0.1,
                error_code=error_code,
                error_message=error_code,
            )
        )

    def result(
        self, call: ToolCall, value: object = 1, outcome: ToolOutcome = ToolOutcome.SUCCEEDED
    ) -> tuple[Record, ...]:
        """The tool answers `call`."""
        is_good = outcome is ToolOutcome.SUCCEEDED
        return self.take(
            ToolResult(
                id=ids.tool_result_id(call.id),
                tool_call_id=call.id,
                task_id=call.task_id,
                session_id=SESSION,
                run_id=call.run_id,
                user_id=call.user_id,
                tool_name=call.name,
                outcome=outcome,
                success=is_good,
                result=orjson.dumps(value if is_good else None).decode(),
                error_code=None if is_good else "tool_failed",
                error_message=None if is_good else str(value),
                created_at=self.now,
            )
        )

    def fire(self, key: str, due_at: datetime, kind: TimerKind = TimerKind.DEADLINE) -> tuple[Record, ...]:
        """A timer fires."""
        due_ms = int(due_at.timestamp() * 1000)
        return self.take(
            TimerFired(
                id=ids.timer_id(SESSION, key, due_ms),
                session_id=SESSION,
                kind=kind,
                key=key,
                due_at=due_at,
            )
        )

    def fire_step(self, step_id: str) -> tuple[Record, ...]:
        """The timer of a step that is waited for fires, at its time."""
        timer = timers_of(self.context)[step_id]
        self.now = max(self.now, time_of(timer.due_ms))
        return self.fire(timer.key, time_of(timer.due_ms), timer.kind)

    def requests(self) -> list[GenerationRequest]:
        """All model calls ever asked for."""
        return [record for record in self.outputs if isinstance(record, GenerationRequest)]

    def calls(self) -> list[ToolCall]:
        """All tool calls ever asked for."""
        return [record for record in self.outputs if isinstance(record, ToolCall)]

    def lapse(self) -> tuple[Record, ...]:
        """Nobody does anything until the session is idle, or expires; nothing while neither can be."""
        timer = life_timer(self.context)
        return () if timer is None else self.fire_life(timer)

    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    def fire_life(self, timer: Timer) -> tuple[Record, ...]:
        """A timer of the session's own life fires, not before its time."""
        due_at = time_of(timer.due_ms)
        self.now = max(self.now, due_at)
        return self.take(
            TimerFired(
                id=ids.timer_id(SESSION, timer.key, timer.due_ms),
                session_id=SESSION,
                kind=timer.kind,
                key=timer.key,
                due_at=due_at,
            )
        )

    def asked(self) -> list[str]:
        """The tool calls that a person was ever asked about."""
        return [
            entry.tool_call_id or ""
            for logs in self.decisions
            for entry in logs.entries
            if entry.action is Action.APPROVAL_REQUESTED
        ]

    def step_timers(self) -> list[Timer]:
        """The timers of what is waited for."""
        steps = {step.step_id for step in self.context.pending}
        return [timer for key, timer in timers_of(self.context).items() if key in steps]

    def drain(self) -> None:
        """Let every deadline pass, until nothing is open."""
        for _ in range(200):
            timers = self.step_timers()
            assert {timer.key for timer in timers} == {step.step_id for step in self.context.pending}
            if not timers:
                break
            self.fire_step(timers[0].key)
        assert self.context.run is None
        assert not self.context.queue
