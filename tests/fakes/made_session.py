"""Records of one made-up session, and messages that carry them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from schemas import ids
from schemas.lists import (
    Action,
    GenerationStatus,
    Purpose,
    Role,
    RunStatus,
    SessionStatus,
    TaskStatus,
    ToolOutcome,
)
from schemas.records import (
    ConversationMessage,
    Generation,
    LogEntry,
    Run,
    Session,
    Task,
    TaskLogs,
    ToolCall,
    ToolResult,
)

AT = datetime(2026, 11, 18, 12, 30, 15, 123457, tzinfo=UTC)
ODD_JSON = '{"b": 1e2,  "a":[1.0, "é"]}'
"""JSON whose text changes when it is read and written again."""


@dataclass(frozen=True)
class Made:
    """Ids of one session, and records about it."""

    session_id: str

    @property
    def task_id(self) -> str:
        """Id of its task."""
        return ids.task_id(self.session_id)

    @property
    def run_id(self) -> str:
        """Id of its run."""
        return ids.run_id(self.session_id, self.session_id)

    @property
    def generation_id(self) -> str:
        """Id of its first generation."""
        return ids.generation_id(self.run_id, 0)

    @property
    def tool_call_id(self) -> str:
        """Id of its first tool call."""
        return ids.tool_call_id(self.generation_id, 0)

    def logs(self, first: int = 1, count: int = 1, *, term: int = 0, payload: str = ODD_JSON) -> TaskLogs:
        """A decision with `count` entries from sequence `first` on."""
        entries = tuple(
            LogEntry(
                id=ids.log_id(self.session_id, sequence),
                sequence=sequence,
                action=Action.THOUGHT,
                payload=payload,
                previous_hash=f"h{sequence - 1}" if sequence > 1 else "",
                hash=f"h{sequence}",
            )
            for sequence in range(first, first + count)
        )
        return self._decision(term=term, entries=entries)

    def fence(self, previous: int) -> TaskLogs:
        """A fence after the one with the term `previous`."""
        return self._decision(term=0, fence_previous=previous)

    def _decision(
        self, *, term: int, fence_previous: int | None = None, entries: tuple[LogEntry, ...] = ()
    ) -> TaskLogs:
        return TaskLogs(
            session_id=self.session_id,
            task_id=self.task_id,
            user_id="alice",
            term=term,
            fence_previous=fence_previous,
            cause_id=ids.event_id("user-messages", 0, 1),
            cause_topic="user-messages",
            cause_partition=0,
            cause_offset=1,
            trace_id="0" * 31 + "1",
            occurred_at=AT,
            entries=entries,
        )

    def task(self) -> Task:
        """Its task."""
        return Task(
            id=self.task_id,
            session_id=self.session_id,
            user_id="alice",
            prompt="how many?",
            status=TaskStatus.RUNNING,
            created_at=AT,
            updated_at=AT,
            term=0,
            version=1,
        )

    def session(self, *, timers: str = "[]", version: int = 1) -> Session:
        """Itself."""
        return Session(
            id=self.session_id,
            task_id=self.task_id,
            user_id="alice",
            title="how many?",
            status=SessionStatus.ACTIVE,
            ttl_seconds=60,
            created_at=AT,
            updated_at=AT,
            last_activity=AT,
            partition=3,
            timers=timers,
            term=0,
            version=version,
        )

    def run(self, status: RunStatus = RunStatus.RUNNING, *, term: int = 0, version: int = 1) -> Run:
        """Its run."""
        return Run(
            id=self.run_id,
            task_id=self.task_id,
            session_id=self.session_id,
            message_id=self.session_id,
            user_id="alice",
            status=status,
            input="how many?",
            created_at=AT,
            term=term,
            version=version,
        )

    def message(
        self, content: str = "hello", *, order: int = 1, term: int = 0, sequence: int = 1
    ) -> ConversationMessage:
        """One message."""
        return ConversationMessage(
            id=ids.message_id(self.session_id, order),
            session_id=self.session_id,
            task_id=self.task_id,
            user_id="alice",
            role=Role.ASSISTANT,
            content=content,
            timestamp=AT,
            sequence_order=order,
            term=term,
            sequence=sequence,
        )

    def generation(self, index: int = 0, *, cost: float | None = 0.25, response: str = "42") -> Generation:
        """One generation."""
        return Generation(
            id=ids.generation_id(self.run_id, index),
            task_id=self.task_id,
            session_id=self.session_id,
            run_id=self.run_id,
            user_id="alice",
            generation_index=index,
            purpose=Purpose.ACT,
            model_name="rehearsal",
            prompt=f"[{ODD_JSON}]",
            response=response,
            tool_calls="[]",
            created_at=AT,
            status=GenerationStatus.COMPLETED,
            cost_estimate=cost,
        )

    def tool_call(self) -> ToolCall:
        """Its tool call."""
        return ToolCall(
            id=self.tool_call_id,
            task_id=self.task_id,
            session_id=self.session_id,
            run_id=self.run_id,
            generation_id=self.generation_id,
            user_id="alice",
            call_index=0,
            name="sql_query",
            arguments=ODD_JSON,
            created_at=AT,
            born_at=AT,
            deadline_at=AT,
            term=0,
            sequence=1,
        )

    def tool_result(self, result: str = ODD_JSON) -> ToolResult:
        """The result of its tool call."""
        return ToolResult(
            id=ids.tool_result_id(self.tool_call_id),
            tool_call_id=self.tool_call_id,
            task_id=self.task_id,
            session_id=self.session_id,
            run_id=self.run_id,
            user_id="alice",
            tool_name="sql_query",
            outcome=ToolOutcome.SUCCEEDED,
            success=True,
            result=result,
            created_at=AT,
        )
