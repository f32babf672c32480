"""A world on fakes: people, models and tools around session processes, and what must hold in the end."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import NAMESPACE_URL, uuid5

import orjson

from schemas import ids
from schemas.errors import TransientError
from schemas.lists import Action, DeadLetterReason, GenerationStatus, ToolOutcome
from schemas.partition import partition_of
from schemas.records import (
    ConversationMessage,
    Generation,
    GenerationRequest,
    Record,
    Run,
    Session,
    Task,
    ToolCall,
    ToolResult,
    UserMessage,
)
from schemas.topics import BY_RECORD, GENERATION_REQUESTS, TOOL_CALLS
from streams.runtime.record import Record as Message
from streams.session.context import Context, to_bytes
from streams.session.log import fold, verify_chain
from streams.session.project import project
from streams.session.role import INPUTS
from streams.session.settings import SessionSettings
from streams.session.timers import timers_of
from tests.fakes.agents import FakeAgents, agent
from tests.fakes.record import FakeRecord, is_gapless
from tests.fakes.redis_stores import FakeRedis
from tests.fakes.topics import FakeTopics
from tests.unit.streams.session_shell.process import Process

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START_MS = 1_760_000_000_000
RETRIES = 5
RUN_ENDS = frozenset({Action.RUN_COMPLETED, Action.RUN_FAILED, Action.RUN_CANCELLED, Action.MESSAGE_REJECTED})
Fault = Callable[[Process], None]


def uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


class World:
    """Everything but the session processes, and the order in which messages reach them."""

    def __init__(self, *, scheduler: Random | None = None, settings: SessionSettings | None = None) -> None:
        self.settings = settings
        self.now_ms = START_MS
        self.topics = FakeTopics(lambda: self.now_ms)
        self.redis = FakeRedis(lambda: self.now_ms)
        self.record = FakeRecord(self.topics)
        self.agents = FakeAgents(agent("assistant", tools=["sql_query", "current_time"]))
        self.dead: list[tuple[Message, DeadLetterReason, str]] = []
        self.zombies: list[tuple[Process, asyncio.Task[None]]] = []
        self.said: list[tuple[str, str]] = []
        self.scheduler = scheduler
        self._taken: set[tuple[str, int, int]] = set()
        self._answered: set[str] = set()
        self._is_answering = True

    def process(self) -> Process:
        """A fresh process object, which remembers nothing."""
        return Process(self, scheduler=self.scheduler, settings=self.settings)

    def say(self, session: str, text: str, *, key: bytes | None = None, partition: int | None = None) -> str:
        """A person sends a message; returns its id."""
        self.now_ms += 10
        message = UserMessage(
            id=uuid(f"{session}/{text}"), session_id=uuid(session), user_id="alice", content=text
        )
        self.topics.append(message, key=key, partition=partition)
        if (session, str(message.id)) not in self.said:
            self.said.append((session, str(message.id)))
        return str(message.id)

    def inputs(self) -> list[Message]:
        """What has not been acknowledged, oldest first."""
        waiting = [one.message for spec in INPUTS for one in self.topics.of(spec)]
        waiting = [message for message in waiting if place(message) not in self._taken]
        return sorted(waiting, key=lambda message: (message.timestamp_ms, message.topic, message.offset))

    def acknowledge(self, message: Message) -> None:
        """The message is not delivered again."""
        self._taken.add(place(message))

    def work(self) -> None:
        """Models and tools answer what was asked, once each, in the order of the log."""
        topics = (GENERATION_REQUESTS, TOOL_CALLS)
        asked = [one.record for spec in topics for one in self.topics.of(spec)]
        requests = {one.id: one for one in asked if isinstance(one, GenerationRequest | ToolCall)}
        for request in sorted(requests.values(), key=lambda one: (one.session_id, one.sequence)):
            if request.id not in self._answered:
                self._answered.add(request.id)
                self.now_ms += 10
                self.topics.append(
                    generation(request) if isinstance(request, GenerationRequest) else result(request)
                )

    async def deliver(
        self, process: Process, message: Message, plan: Mapping[int, Fault] | None = None
    ) -> Process:
        """Bring one message through, whatever happens; returns the process that did it in the end."""
        process.plan = dict(plan or {})
        for _ in range(RETRIES):
            task = process.start(message)
            frozen = asyncio.create_task(process.frozen.wait())
            await asyncio.wait({task, frozen}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            frozen.cancel()
            if process.frozen.is_set() and not task.done():
                self.zombies.append((process, task))
                process = self.process()
                continue
            try:
                await asyncio.wait_for(task, 30)
            except TransientError:
                continue
            except asyncio.CancelledError:
                if not process.is_dead:
                    raise
                process = self.process()
                continue
            self.acknowledge(message)
            process.plan = {}
            return process
        reason = f"{message.topic}@{message.offset} was not brought through in {RETRIES} deliveries"
        raise AssertionError(reason)

    async def wake_zombies(self) -> None:
        """Frozen processes go on where they stopped, to their end."""
        while self.zombies:
            process, task = self.zombies.pop()
            process.plan = {}
            process.thaw()
            await asyncio.wait({task}, timeout=30)
            assert task.done(), "a zombie that woke up did not come to an end"
            error = None if task.cancelled() else task.exception()
            assert error is None or isinstance(error, TransientError), error

    async def settle(
        self, faults: Mapping[int, Mapping[int, Fault]] | None = None, *, zombies_wake_late: bool = False
    ) -> list[int]:
        """Deliver all; return the turns of each delivery. `faults`: by delivery, then by turn."""
        process, turns = self.process(), list[int]()
        while waiting := self.inputs():
            plan = (faults or {}).get(len(turns))
            process = await self.deliver(process, waiting[0], plan)
            turns.append(process.turns)
            if not zombies_wake_late:
                await self.wake_zombies()
            self.work()
        if self.zombies:
            await self.wake_zombies()
            self.work()
            turns += await self.settle()
        self.record.catch_up_all()
        return turns

    def context(self, session: str) -> Context:
        """What the valid logs fold to."""
        return self.folded(uuid(session))

    def folded(self, session_id: str) -> Context:
        """The same by the session's id."""
        return fold(session_id, self.record.accepted(session_id))

    def check(self, session: str, *, is_finished: bool = True) -> None:
        """What must hold of a session whatever happened; while it still works, not every run has ended."""
        self.record.catch_up_all()
        session_id = uuid(session)
        decisions = self.record.accepted(session_id)
        rows = self.record.logs[session_id]
        assert is_gapless(rows)
        assert verify_chain(decisions) is None
        assert [row.hash for row in rows] == [entry.hash for one in decisions for entry in one.entries]
        after = self.context(session)
        self._check_context(session_id, after)
        self._check_outputs(session_id)
        for name, message_id in self.said:
            if name == session:
                run = self.record.rows.get((Run, ids.run_id(session_id, message_id)))
                assert isinstance(run, Run), f"no run of message {message_id}"
                assert run.status.is_terminal or not is_finished
                ends = [
                    entry.action
                    for one in decisions
                    for entry in one.entries
                    if entry.run_id == run.id and entry.action in RUN_ENDS
                ]
                assert len(ends) == is_finished, f"run {run.id} ended {len(ends)} times"

    def _check_context(self, session_id: str, after: Context) -> None:
        partition = partition_of(session_id, self.topics.partitions)
        shard = self.redis.shard(partition)
        kept = shard.contexts.get(session_id)
        if kept is not None and shard.epoch is not None and kept.epoch == shard.epoch.id:
            assert kept.stored.context == to_bytes(after)
            assert kept.stored.version == after.sequence
            assert {key for owner, key in shard.timers if owner == session_id} == {*timers_of(after)}

    def _check_outputs(self, session_id: str) -> None:
        decisions = self.record.accepted(session_id)
        partition = partition_of(session_id, self.topics.partitions)
        for number, logs in enumerate(decisions, 1):
            after = fold(session_id, decisions[:number])
            for record in project(after, logs, partition):
                identity = (type(record), str(getattr(record, "id", "")))
                assert identity in self.record.rows, f"{identity} of log {after.sequence} was never published"
                if isinstance(record, GenerationRequest | ToolCall):
                    published = [
                        one.record
                        for one in self.topics.of(BY_RECORD[type(record)])
                        if same(one.record, record)
                    ]
                    born = {getattr(one, "born_at", None) for one in published}
                    assert born == {record.born_at}, "a request was repeated with another birth"

    def outcome(self, session: str) -> object:
        """What two histories of the same conversation must agree on."""
        session_id = uuid(session)
        kinds = (Run, Task, Session, ConversationMessage, ToolCall, GenerationRequest, Generation, ToolResult)
        rows = {
            identity: row.model_dump(exclude={"term"})
            for identity, row in self.record.rows.items()
            if identity[0] in kinds and session_id in (identity[1], getattr(row, "session_id", None))
        }
        logs = [
            (row.sequence, row.action, row.payload, row.hash, row.cause_id)
            for row in self.record.logs[session_id]
        ]
        return logs, rows, to_bytes(self.context(session))


def same(first: Record, second: Record) -> bool:
    """Whether two records have the same id."""
    return getattr(first, "id", None) == getattr(second, "id", "")


def place(message: Message) -> tuple[str, int, int]:
    return message.topic, message.partition, message.offset


def generation(request: GenerationRequest) -> Generation:
    """What the model says: first two tool calls, then the answer."""
    is_first = request.generation_index == 0
    calls = [
        {"id": "call-a", "name": "current_time", "arguments": {}},
        {"id": "call-b", "name": "sql_query", "arguments": {"query": "select 42"}},
    ]
    return Generation(
        id=request.id,
        task_id=request.task_id,
        session_id=request.session_id,
        run_id=request.run_id,
        user_id=request.user_id,
        agent_id=request.agent_id,
        generation_index=request.generation_index,
        purpose=request.purpose,
        model_name=request.model_name,
        prompt=request.messages,
        response="First I look at the clock." if is_first else "It is 42.",
        tool_calls=orjson.dumps(calls if is_first else []).decode(),
        created_at=request.born_at,
        status=GenerationStatus.COMPLETED,
        prompt_tokens=10,
        completion_tokens=5,
        total_tokens=15,
    )


def result(call: ToolCall) -> ToolResult:
    """What the tool returns."""
    return ToolResult(
        id=ids.tool_result_id(call.id),
        tool_call_id=call.id,
        task_id=call.task_id,
        session_id=call.session_id,
        run_id=call.run_id,
        user_id=call.user_id,
        tool_name=call.name,
        outcome=ToolOutcome.SUCCEEDED,
        success=True,
        result='{"value":42}',
        created_at=call.born_at + timedelta(milliseconds=5),
    )
