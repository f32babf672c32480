"""The people of a history: what they say, when, and how they answer when they are asked."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from uuid import UUID

import orjson

from schemas import ids
from schemas.lists import Action, BusyPolicy, CommandKind
from schemas.records import Record, SessionCommand, TaskLogs, UserMessage
from tests.simulation.clock import START_MS
from tests.simulation.topics import Topics

OWNER = "alice"
_RUN_COMMANDS = (CommandKind.CANCEL, CommandKind.CANCEL, CommandKind.INTERRUPT, CommandKind.ROLLBACK)
_SESSION_COMMANDS = (CommandKind.ARCHIVE, CommandKind.UNARCHIVE, CommandKind.CONFIGURE)


@dataclass(frozen=True, slots=True)
class Saying:
    """One message that is sent at a time; `is_lost` puts it where another partitioner would."""

    at_s: float
    record: Record
    is_misplaced: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A user message that the broker has."""

    session_id: str
    message_id: str

    @property
    def run_id(self) -> str:
        """The run that it causes."""
        return ids.run_id(self.session_id, self.message_id)


def made_id(random: Random, at_s: float) -> str:
    """Return a time-ordered id (UUIDv7) that was made at a virtual time."""
    at_ms = START_MS + int(at_s * 1000)
    return str(
        UUID(int=at_ms << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62))
    )


class People:
    """Everybody who writes to the inputs of a history.

    `ahead_s` is how far the clock that made a session's id may be ahead: nobody speaks of a session earlier.
    """

    def __init__(
        self,
        random: Random,
        topics: Topics,
        later: Callable[[float, Callable[[], None]], None],
        *,
        ahead_s: float,
    ) -> None:
        self._random = random
        self._topics = topics
        self._later = later
        self._ahead_s = ahead_s
        self.waiting = 0
        self.accepted: list[Accepted] = []
        self.sessions: list[str] = []

    def plan(self) -> None:
        """Decide who says what, and let time pass."""
        random = self._random
        for _ in range(random.choice([1, 1, 2, 3])):
            at_s = random.choice([0.0, 0.5, 2.0]) + random.random()
            made_s = at_s - random.choice([0.0, 0.0, 1.0])
            earliest_s = made_s - self._ahead_s
            session_id = made_id(random, made_s)
            self.sessions.append(session_id)
            for _ in range(random.choice([1, 1, 2, 3])):
                self._plan_message(session_id, at_s)
                at_s += random.choice([0.01, 0.3, 3.0, 9.0]) * random.random()
            if random.random() < _SESSION_COMMANDED:
                self._plan_command(
                    max(earliest_s, at_s * random.random()), session_id, random.choice(_SESSION_COMMANDS)
                )
            if random.random() < _ERASED:
                erased_s = max(earliest_s, at_s * random.random() + random.choice([0.0, 5.0]))
                self._plan_command(erased_s, session_id, CommandKind.ERASE)

    def asked(self, logs: TaskLogs) -> None:
        """React to what a session asks."""
        for entry in logs.entries:
            if entry.action is Action.APPROVAL_REQUESTED and self._random.random() < _ANSWERS:
                kind = self._random.choice([CommandKind.APPROVE, CommandKind.APPROVE, CommandKind.DENY])
                for _ in range(self._random.choice([1, 1, 2])):
                    self._say(
                        self._random.choice([0.01, 0.5, 4.0]),
                        self._command(logs.session_id, kind, step_id=entry.tool_call_id),
                    )

    def _plan_message(self, session_id: str, at_s: float) -> None:
        random = self._random
        message = UserMessage(
            id=made_id(random, at_s),
            session_id=session_id,
            user_id=OWNER,
            content="a question",
            on_busy=random.choice([None, None, BusyPolicy.REJECT, BusyPolicy.INTERRUPT, BusyPolicy.ROLLBACK]),
        )
        self._say(at_s, message)
        if random.random() < _REPEATED:
            self._say(at_s + random.choice([0.0, 0.1, 2.0, 15.0]), message)
        run_id = ids.run_id(session_id, str(message.id))
        if random.random() < _RUN_COMMANDED:
            self._plan_command(at_s + random.random(), session_id, random.choice(_RUN_COMMANDS), run_id)

    def _plan_command(
        self, at_s: float, session_id: str, kind: CommandKind, run_id: str | None = None
    ) -> None:
        payload = orjson.dumps({"title": "renamed"}).decode() if kind is CommandKind.CONFIGURE else None
        command = self._command(session_id, kind, run_id=run_id, payload=payload)
        self._say(at_s, command)
        if self._random.random() < _REPEATED:
            self._say(at_s + 1.0, command)

    def _command(
        self,
        session_id: str,
        kind: CommandKind,
        *,
        run_id: str | None = None,
        step_id: str | None = None,
        payload: str | None = None,
    ) -> SessionCommand:
        return SessionCommand(
            id=made_id(self._random, 0.0),
            session_id=session_id,
            user_id=OWNER,
            kind=kind,
            run_id=run_id,
            step_id=step_id,
            payload=payload,
        )

    def _say(self, in_s: float, record: Record) -> None:
        partition = None
        if self._random.random() < _MISPLACED:
            partition = self._random.randrange(self._topics.partitions)
        self.waiting += 1
        self._later(in_s, lambda: self._said(record, partition))

    def _said(self, record: Record, partition: int | None) -> None:
        self.waiting -= 1
        self._topics.append(record, partition=partition)
        if isinstance(record, UserMessage):
            accepted = Accepted(record.session_id, str(record.id))
            if accepted not in self.accepted:
                self.accepted.append(accepted)


_SESSION_COMMANDED = 0.3
_ERASED = 0.12
_RUN_COMMANDED = 0.2
_REPEATED = 0.15
_MISPLACED = 0.1
_ANSWERS = 0.8
