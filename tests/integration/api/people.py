"""Two users with records of their own: every kind of id, each session to be used by one test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas import ids
from schemas.agent_file import AgentFile
from schemas.lists import RunStatus
from schemas.records import Agent, Record
from tests.fakes.made_session import Made

SESSIONS_EACH = 200
AGENTS_EACH = 40
UNKNOWN = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"
MALFORMED = "no-uuid"

ID_OF: dict[str, Callable[[Made], str]] = {
    "session": lambda made: made.session_id,
    "task": lambda made: made.task_id,
    "run": lambda made: made.run_id,
    "tool call": lambda made: made.tool_call_id,
}
"""Kinds of ids that belong to a session."""


@dataclass
class Person:
    """A user, sessions of theirs, one of which is erased, and agents of theirs."""

    user_id: str
    unused: list[Made] = field(default_factory=lambda: [Made(ids.new_id()) for _ in range(SESSIONS_EACH)])
    erased: Made = field(default_factory=lambda: Made(ids.new_id()))
    unused_agents: list[str] = field(default_factory=lambda: [ids.new_id() for _ in range(AGENTS_EACH)])

    @property
    def mark(self) -> str:
        """A text that stands in everything that is theirs."""
        return f"secret of {self.user_id}"

    def fresh(self, kind: str) -> str:
        """Return an id of theirs that nothing has touched."""
        return self.unused_agents.pop() if kind == "agent" else ID_OF[kind](self.unused.pop())

    def records(self) -> list[Record]:
        """Return what the record has of them."""
        return [record for made in (*self.unused, self.erased) for record in self._of(made)]

    def agents(self) -> list[Agent]:
        """Return the records of their agents."""
        return [
            AgentFile(id=each, name=self.mark, system_prompt=self.mark).record(
                user_id=self.user_id, now=datetime.now(UTC)
            )
            for each in self.unused_agents
        ]

    def _of(self, made: Made) -> list[Record]:
        run = made.run(RunStatus.COMPLETED, version=2)
        theirs: list[Record] = [
            made.logs(1, 2, payload=f'{{"said":"{self.mark}"}}'),
            made.task().model_copy(update={"prompt": self.mark}),
            made.session(version=2).model_copy(update={"title": self.mark, "last_message": self.mark}),
            run.model_copy(update={"input": self.mark, "output": self.mark}),
            made.message(self.mark),
            made.generation(response=self.mark),
            made.tool_call(),
            made.tool_result(f'"{self.mark}"'),
        ]
        return [record.model_copy(update={"user_id": self.user_id}) for record in theirs]
