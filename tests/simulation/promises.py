"""What must hold of every history, whatever happened in it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count

from schemas import ids
from schemas.lists import Action, RunStatus, SessionStatus
from schemas.partition import partition_of
from schemas.records import (
    Generation,
    LogEntry,
    Record,
    Run,
    TaskLogs,
    ToolResult,
)
from schemas.topics import BY_RECORD
from stores.redis.contexts import Stored
from streams.session import outbox
from streams.session.cause import Cause
from streams.session.context import Context, empty, from_bytes, to_bytes
from streams.session.evolve import evolve
from streams.session.log import fold, verify_chain
from streams.session.payload_text import payload_of
from streams.session.payloads import RunCompleted
from streams.session.project import project
from streams.session.recorded import decisions_of
from streams.session.timers import timers_of
from tests.fakes.record import is_gapless
from tests.fakes.redis_stores import FakeRedis
from tests.simulation.people import Accepted
from tests.simulation.record import SimulatedRecord
from tests.simulation.topics import Topics

ATTEMPT: ContextVar[int] = ContextVar("ATTEMPT", default=0)
"""The moment at which the current attempt at a paid step claimed it."""

RUN_ENDS = {
    Action.RUN_COMPLETED: {RunStatus.COMPLETED},
    Action.RUN_FAILED: {RunStatus.FAILED},
    Action.RUN_CANCELLED: {RunStatus.CANCELLED},
    Action.MESSAGE_REJECTED: {RunStatus.REJECTED},
}


_IGNORED = (Action.RESULT_IGNORED, Action.COMMAND_IGNORED)


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, and how."""

    promise: str
    what: str


class Promises:
    """Watches a history as it goes, and judges it when it has come to rest."""

    def __init__(self, topics: Topics, record: SimulatedRecord, redis: FakeRedis, grace_s: int) -> None:
        self._topics = topics
        self._record = record
        self._redis = redis
        self._grace_s = grace_s
        self._moments = count(1)
        self._recorded: dict[str, int] = {}
        self._starts: defaultdict[str, int] = defaultdict(int)
        self._offered: dict[tuple[int, str], set[str]] = defaultdict(set)
        self._lifetimes: dict[str, tuple[int, bytes, int]] = {}
        self.violations: list[Violation] = []
        self.told: Callable[[str], None] = lambda _: None
        self.bought_twice = 0

    def moment(self) -> int:
        """Return a number that only grows."""
        return next(self._moments)

    def broken(self, promise: str, what: str) -> None:
        """Note a violation."""
        self.told(f"!!! {promise}: {what}")
        self.violations.append(Violation(promise, what))

    def published(self, record: Record) -> None:
        """Note when the broker took the result of a step."""
        if isinstance(record, Generation):
            self._recorded.setdefault(record.id, self.moment())
        elif isinstance(record, ToolResult):
            self._recorded.setdefault(record.tool_call_id, self.moment())

    def starts(self, step_id: str, *, is_once: bool) -> None:
        """Check a start of a model call or a tool (G2, G4)."""
        self._starts[step_id] += 1
        recorded = self._recorded.get(step_id)
        if recorded is not None and recorded < ATTEMPT.get():
            self.broken("G2", f"step {step_id} was started again by an attempt that began after its result")
        elif recorded is not None:
            self.bought_twice += 1
        if is_once and self._starts[step_id] > 1:
            self.broken("G4", f"the once tool of step {step_id} was started {self._starts[step_id]} times")

    def asked_once(self, step_id: str, token: str, *, holder: str, is_ours: bool) -> None:
        """Check that nobody takes the own claim for another's: a tool that never started is not unknown."""
        task = asyncio.current_task()
        offered = self._offered[getattr(task, "number", 0), step_id]
        offered.add(token)
        if not is_ours and holder in offered and not self._starts[step_id]:
            self.broken("G4", f"the claim of step {step_id} is its own, and taken for another's")

    def stored(self, session_id: str, context: bytes, ttl_s: int) -> None:
        """Note how long a context shall live."""
        self._lifetimes[session_id] = (self._redis.now_ms(), context, ttl_s)

    def judge(self, sessions: Sequence[str], accepted: Sequence[Accepted]) -> None:
        """Check everything that can be told from what is left."""
        for session_id in sessions:
            decisions = self._record.accepted(session_id)
            if any(entry.action is Action.SESSION_ERASED for one in decisions for entry in one.entries):
                self._judge_erased(session_id)
                continue
            self._judge_log(session_id, decisions)
            contexts = list(_folded(session_id, decisions))
            after = contexts[-1] if contexts else empty(session_id)
            self._judge_context(session_id, after)
            self._judge_checkpoint(session_id, after)
            self._judge_outputs(session_id, decisions, contexts)
            runs = [each for each in accepted if each.session_id == session_id]
            self._judge_runs(runs, [entry for one in decisions for entry in one.entries])

    def _judge_erased(self, session_id: str) -> None:
        left = [
            identity[0].__name__
            for identity, row in self._record.rows.items()
            if session_id in (identity[1], getattr(row, "session_id", None))
        ]
        if session_id not in self._record.erased or self._record.logs.get(session_id) or left:
            self.broken("GE", f"session {session_id} is erased, but the record still has {left or 'its log'}")
        shard = self._redis.shard(partition_of(session_id, self._topics.partitions))
        kept = shard.contexts.get(session_id)
        if kept is not None and not from_bytes(kept.stored.context).erased:
            self.broken("GE", f"session {session_id} is erased, but Redis still has its context")

    def _judge_log(self, session_id: str, decisions: list[TaskLogs]) -> None:
        rows = self._record.logs[session_id]
        if not is_gapless(rows):
            self.broken(
                "G3", f"the record of session {session_id} has gaps: {[row.sequence for row in rows]}"
            )
        flaw = verify_chain(decisions)
        if flaw is not None:
            self.broken("G3", f"session {session_id}, entry {flaw.sequence}: {flaw.what}")
        expected = [(entry.sequence, entry.hash) for one in decisions for entry in one.entries]
        if [(row.sequence, row.hash) for row in rows] != expected:
            self.broken("G5", f"the record of session {session_id} is not its log")

    def _judge_context(self, session_id: str, after: Context) -> None:
        partition = partition_of(session_id, self._topics.partitions)
        shard = self._redis.shard(partition)
        kept = shard.contexts.get(session_id)
        if kept is None or kept.epoch != self._redis.epoch(partition).id:
            return
        after = self._with_owed(session_id, after, kept.stored)
        if kept.stored.context != to_bytes(after):
            there = from_bytes(kept.stored.context)
            owed = outbox.from_bytes(kept.stored.outbox)
            actions = [entry.action.value for entry in owed.entries] if owed is not None else []
            self.broken(
                "G10",
                f"the context of {session_id} at {there.sequence}, after {actions}, is not the fold at"
                f" {after.sequence}",
            )
        asked = timers_of(after)
        there = {key: timer.due_ms for (owner, key), timer in shard.timers.items() if owner == session_id}
        if not asked.keys() <= there.keys():
            self.broken("LIVE", f"timers of {session_id}: {sorted(asked)} wanted, {sorted(there)} are there")
        self._judge_lifetime(session_id, after)

    def _with_owed(self, session_id: str, after: Context, stored: Stored) -> Context:
        """Return the fold with what the stored context still owes, where that only says what was ignored.

        A late copy of an event that was acknowledged long ago may be stored by a process that loses the
        partition before it publishes: the next event of the session publishes it.
        """
        owed = outbox.from_bytes(stored.outbox)
        if owed is None or stored.version <= after.sequence:
            return after
        if stored.term != self._record.fences[session_id] or any(
            entry.action not in _IGNORED for entry in owed.entries
        ):
            return after
        return continued(after, owed)

    def _judge_checkpoint(self, session_id: str, after: Context) -> None:
        rows = self._record.logs[session_id]
        last = max((row.sequence for row in rows if row.action is Action.CHECKPOINT), default=0)
        if not last:
            return
        since = fold(session_id, decisions_of(row for row in rows if row.sequence >= last))
        if to_bytes(since) != to_bytes(after):
            self.broken("G10", f"the fold of {session_id} from its checkpoint {last} is another")

    def _judge_lifetime(self, session_id: str, after: Context) -> None:
        at_ms, context, ttl_s = self._lifetimes[session_id]
        if context != to_bytes(after) or after.run is not None:
            return
        longest_s = 0 if after.status is SessionStatus.EXPIRED else after.ttl_s
        if ttl_s > longest_s + self._grace_s:
            self.broken("G8", f"the context of {session_id} (ttl {after.ttl_s} s) was kept for {ttl_s} s")
        del at_ms

    def _judge_outputs(self, session_id: str, decisions: list[TaskLogs], contexts: list[Context]) -> None:
        partition = partition_of(session_id, self._topics.partitions)
        published = {
            (type(one.record), str(getattr(one.record, "id", "")))
            for spec in BY_RECORD.values()
            for one in self._topics.read(self._topics.names.full(spec), partition)
        }
        for logs, after in zip(decisions, contexts, strict=True):
            for record in project(after, logs, partition):
                identity = (type(record), str(getattr(record, "id", "")))
                if identity not in published:
                    self.broken(
                        "OUT", f"{identity[0].__name__} {identity[1]} of log {after.sequence} is missing"
                    )

    def _judge_runs(self, accepted: list[Accepted], entries: list[LogEntry]) -> None:
        answers: dict[str, str] = {}
        ends: defaultdict[str, list[Action]] = defaultdict(list)
        for entry in entries:
            if entry.action in RUN_ENDS and entry.run_id is not None:
                ends[entry.run_id].append(entry.action)
            payload = payload_of(entry.action, entry.payload)
            if isinstance(payload, RunCompleted) and entry.run_id is not None:
                answers[entry.run_id] = payload.output
        for each in accepted:
            found = ends[each.run_id]
            if len(found) != 1:
                what = f"run {each.run_id} of message {each.message_id} ended {len(found)} times: {found}"
                self.broken("G1" if found else "LIVE", what)
                continue
            self._judge_run(each, found[0], answers.get(each.run_id))

    def _judge_run(self, accepted: Accepted, end: Action, answer: str | None) -> None:
        row = self._record.rows.get((Run, accepted.run_id))
        if not isinstance(row, Run) or row.status not in RUN_ENDS[end] or row.output != answer:
            told = "nothing" if not isinstance(row, Run) else f"{row.status} {row.output!r}"
            self.broken("G1", f"run {accepted.run_id}: the log says {end} {answer!r}, its row says {told}")
        if answer is None or not isinstance(row, Run):
            return
        indexes = range(row.generations)
        said = [self._record.rows.get((Generation, ids.generation_id(accepted.run_id, at))) for at in indexes]
        if all(isinstance(each, Generation) and each.response != answer for each in said):
            self.broken("G5", f"run {accepted.run_id} answered {answer!r}, which no recorded generation said")


def continued(context: Context, logs: TaskLogs) -> Context:
    """Return the context after one more decision."""
    cause = Cause.of_logs(logs)
    for entry in logs.entries:
        context = evolve(context, entry, cause)
    return context


def _folded(session_id: str, decisions: list[TaskLogs]) -> Iterator[Context]:
    context = empty(session_id)
    for logs in decisions:
        context = continued(context, logs)
        yield context
