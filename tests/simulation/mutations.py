"""The rules of the protocol, each of which can be taken away: the simulation has to notice.

A mutation replaces one method of a class that the programs use, or of the port behind it, inside a block. The
programs themselves know nothing of this.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from msgspec import Raw

from schemas.ids import new_id
from schemas.lists import Action
from schemas.records import Record, TaskLogs
from schemas.topics import TASK_LOGS
from stores.redis.contexts import Epoch
from stores.redis.journal import Claimed
from streams.barrier import Barrier
from streams.journaled import OnceTokens, _Attempts
from streams.runtime import runner
from streams.session import log, rebuild, step
from streams.session.applied import Applied
from streams.session.context import FORMAT, to_bytes
from streams.session.draft import Draft
from streams.session.event import time_of
from streams.session.outbox import Outbox, trace_of
from streams.session.payloads import Checkpoint
from streams.session.project import project, reissue
from streams.session.rebuild import Rebuilder
from streams.session.timer_loop import TimerLoop
from tests.fakes.record import FakeRecord
from tests.fakes.redis_stores import FakeContexts, FakeJournal, FakeRedis, FakeTimers
from tests.simulation import record as record_module
from tests.simulation.clock import START_MS
from tests.simulation.record import SimulatedRecord

Replacement = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A rule without which something breaks: what it says, and what replaces what."""

    rule: str
    replaced: Callable[[], Sequence[Replacement]]

    @contextmanager
    def applied(self) -> Generator[None]:
        """Do without the rule inside this block."""
        before = [(place, name, getattr(place, name)) for place, name, _ in self.replaced()]
        for place, name, value in self.replaced():
            setattr(place, name, value)
        try:
            yield
        finally:
            for place, name, value in before:
                setattr(place, name, value)


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _no(*_: Any) -> bool:
    return False


def _nothing(*_: Any) -> tuple[()]:
    return ()


def _no_outbox() -> Sequence[Replacement]:
    return [(Outbox, "is_delivered", _yes)]


def _no_epoch() -> Sequence[Replacement]:
    original = FakeRedis.failover

    def failover(self: FakeRedis, dump: Any) -> None:
        original(self, dump)
        for partition, shard in self._shards.items():
            shard.epoch = dump[partition].epoch

    return [(FakeRedis, "failover", failover)]


def _no_token() -> Sequence[Replacement]:
    def is_expected(_: Any, shard: Any, session_id: str, epoch: str, expected: Any) -> bool:
        kept = shard.contexts.get(session_id)
        if kept is not None and kept.epoch != epoch:
            kept = None
        if isinstance(expected, str):
            return kept is None
        return kept is not None and (kept.stored.term, kept.stored.version) == expected

    return [(FakeContexts, "_is_expected", is_expected)]


def _judged_with(changed: Callable[[Any, int], Any]) -> Sequence[Replacement]:  # noqa: C901 - two readers, one rule
    """Let both readers, the sink and the check, see records changed: (record, fence in force) → record."""
    original_judge, original_accepted = record_module.judge, FakeRecord.accepted

    def judge(heads: Any, records: Sequence[Any], **named: Any) -> Any:
        fences = {session_id: head.fence for session_id, head in heads.items()}
        seen: list[Any] = []
        for each in records:
            new = changed(each, fences.get(each.session_id, 0))
            if new.fence_previous is not None and new.fence_previous == fences.get(each.session_id, 0):
                fences[each.session_id] = each.offset + 1
            seen.append(new)
        return original_judge(heads, seen, **named)

    def accepted(self: Any, session_id: str) -> list[TaskLogs]:
        fence = 0
        kept: dict[int, Record] = {}
        for one in self._topics.of(TASK_LOGS):
            logs = one.record
            if logs.session_id != session_id:
                continue
            kept[id(one)] = logs
            new = changed(logs, fence)
            if new.is_fence and new.fence_previous == fence:
                fence = one.message.offset + 1
            object.__setattr__(one, "record", new)
        try:
            return original_accepted(self, session_id)
        finally:
            for one in self._topics.of(TASK_LOGS):
                if id(one) in kept:
                    object.__setattr__(one, "record", kept[id(one)])

    return [(record_module, "judge", judge), (FakeRecord, "accepted", accepted)]


def _with(record: Any, **values: Any) -> Any:
    return record.model_copy(update=values) if isinstance(record, Record) else replace(record, **values)


def _no_fence() -> Sequence[Replacement]:
    return _judged_with(
        lambda record, fence: record if record.fence_previous is not None else _with(record, term=fence)
    )


def _no_predecessor() -> Sequence[Replacement]:
    return _judged_with(
        lambda record, fence: record if record.fence_previous is None else _with(record, fence_previous=fence)
    )


def _no_own_barrier() -> Sequence[Replacement]:
    original = Barrier.wait

    async def wait(self: Any, topic: str, partition: int, offset_end: int) -> None:
        # One target for all who wait in a partition: the first one's.
        targets = self.__dict__.setdefault("targets", {})
        await original(self, topic, partition, targets.setdefault((topic, partition), offset_end))

    return [(Barrier, "wait", wait)]


def _no_logs_first() -> Sequence[Replacement]:
    async def publish(self: Any, after: Any, logs: Any, *, partition: int, term: int) -> None:
        if logs is not None:
            await self.publish_all(project(after, logs, partition), trace=trace_of(logs), partition=partition)
            await self.publish_logs(logs, partition=partition)
        self.remember(after.session_id, term=term, version=after.sequence)

    return [(Outbox, "publish", publish)]


def _no_whole() -> Sequence[Replacement]:
    original = Outbox.publish_logs

    async def publish_logs(self: Any, logs: TaskLogs, **named: Any) -> Any:
        for entry in logs.entries[:-1]:
            await original(self, logs.model_copy(update={"entries": (entry,)}), **named)
        return await original(self, logs.model_copy(update={"entries": logs.entries[-1:]}), **named)

    return [(Outbox, "publish_logs", publish_logs)]


def _no_checkpoint_first() -> Sequence[Replacement]:
    due, original = log.checkpoint, log.chain

    def chain(context: Any, drafts: Any, event: Any, *, term: int) -> Any:
        after, entries = original(context, drafts, event, term=term)
        if not due(context, drafts):
            return after, entries
        payload = Checkpoint(format=FORMAT, context=Raw(to_bytes(after)))
        after, more = original(after, [Draft(action=Action.CHECKPOINT, payload=payload)], event, term=term)
        return after, (*entries, *more)

    return [(log, "checkpoint", _nothing), (step, "chain", chain)]


def _no_known_runs() -> Sequence[Replacement]:
    def applied(context: Any, event: Any) -> Applied:
        return Applied.YES if event.id in context.applied else Applied.NO

    return [(step, "applied", applied)]


def _no_projections_again() -> Sequence[Replacement]:
    async def publish_again(self: Any, context: Any, decisions: Any, partition: int, **_: Any) -> None:
        if decisions:
            requests = list(reissue(context))
            await self._outbox.publish_all(requests, trace=trace_of(decisions[-1]), partition=partition)

    return [(Rebuilder, "_publish_again", publish_again)]


def _no_birth() -> Sequence[Replacement]:
    def reborn(record: Any) -> Any:
        if not hasattr(record, "born_at"):
            return record
        now_ms = START_MS + int(asyncio.get_running_loop().time() * 1000)
        return record.model_copy(update={"born_at": time_of(now_ms)})

    def reissued(context: Any) -> list[Any]:
        return [reborn(each) for each in reissue(context)]

    def projected(after: Any, logs: Any, partition: int) -> list[Any]:
        return [reborn(each) for each in project(after, logs, partition)]

    return [
        (rebuild, "reissue", reissued),
        (rebuild, "project", projected),
    ]


def _no_look_up() -> Sequence[Replacement]:
    return [(_Attempts, "_may_be_forgotten", _no)]


def _no_once_claim() -> Sequence[Replacement]:
    async def claim(self: Any, step_id: str, token: str) -> bool:
        self.claims[step_id] = token
        return True

    return [(SimulatedRecord, "claim", claim)]


def _no_kept_once_token() -> Sequence[Replacement]:
    def of(self: Any, step_id: str) -> str:
        self._tokens[step_id] = new_id()
        return self._tokens[step_id]

    return [(OnceTokens, "of", of)]


def _no_due_time() -> Sequence[Replacement]:
    async def remove(self: Any, partition: int, timer: Any) -> bool:
        return self._redis.shard(partition).timers.pop((timer.session_id, timer.key), None) is not None

    return [(FakeTimers, "remove_if_unchanged", remove)]


def _no_arming() -> Sequence[Replacement]:
    async def is_armed(*_: Any) -> bool:
        return True

    return [(FakeTimers, "is_armed", is_armed)]


def _no_draining() -> Sequence[Replacement]:
    async def drained(*_: Any) -> None:
        return

    return [(TimerLoop, "_drained", drained)]


def _no_compared_offsets() -> Sequence[Replacement]:
    def move(self: Any, batches: Any) -> None:
        for batch in batches:
            for each in batch.moves:
                self.next[batch.topic, each.partition] = each.next

    original = SimulatedRecord.write

    async def write(self: Any, batches: Any, refuse: Any) -> None:
        # Without the lock of the compare-and-set a transaction that stands still judges by old heads.
        sessions = {
            row["session_id"]
            for each in batches
            for one in each.entries
            if (row := one.row) and "cause_id" in row
        }
        heads = {session_id: head for session_id, head in self.heads.items() if session_id in sessions}
        await asyncio.sleep(0.005)
        self.heads.update(heads)
        await original(self, batches, refuse)

    return [(SimulatedRecord, "move", move), (SimulatedRecord, "write", write)]


def _last_wins() -> Sequence[Replacement]:
    original = SimulatedRecord.wins

    def wins(self: Any, found: Any, new: Any, names: Any) -> bool:
        return names is None or original(self, found, new, names)

    return [(SimulatedRecord, "wins", wins)]


def _no_version() -> Sequence[Replacement]:
    original = SimulatedRecord.wins

    def wins(self: Any, found: Any, new: Any, names: Any) -> bool:
        if found is None or names is None:
            return original(self, found, new, names)
        return getattr(found, names[1]) <= getattr(new, names[1])

    return [(SimulatedRecord, "wins", wins)]


def _no_new_epoch_for_steps() -> Sequence[Replacement]:
    original = FakeJournal.claim

    async def claim(self: Any, *arguments: Any) -> Any:
        claimed = await original(self, *arguments)
        if isinstance(claimed, Claimed):
            return replace(claimed, epoch=Epoch(claimed.epoch.id, 0))
        return claimed

    return [(FakeJournal, "claim", claim)]


def _no_missed_generation() -> Sequence[Replacement]:
    def kept(places: Any, **_: int) -> Any:
        return places

    return [(runner, "kept", kept)]


MUTATIONS: Mapping[str, Mutation] = MappingProxyType(
    {
        name: Mutation(rule=rule, replaced=replaced)
        for name, rule, replaced in (
            (
                "OUTBOX",
                "What a stored decision owes is published unless this object saw it delivered",
                _no_outbox,
            ),
            ("EPOCH", "After a failover everything in Redis counts as absent", _no_epoch),
            ("TOKEN", "A rebuilt context is stored only by the last one who left a token", _no_token),
            ("FENCE", "A decision counts only under the fence in force", _no_fence),
            ("FCAS", "A fence counts only if it names its predecessor", _no_predecessor),
            ("OWNBAR", "A rebuild waits for its own fence, not for somebody else's", _no_own_barrier),
            ("LOGSFIRST", "The logs of a decision are published before its other outputs", _no_logs_first),
            ("WHOLE", "All entries of a decision travel in one record", _no_whole),
            ("CKFIRST", "A checkpoint is the first entry of its decision", _no_checkpoint_first),
            ("RUNKNOWN", "A message whose run is known is not decided again", _no_known_runs),
            (
                "REPROJECT",
                "A rebuild publishes the outputs of the last decision again",
                _no_projections_again,
            ),
            ("BORN", "A request that is made again keeps its birth", _no_birth),
            ("JLOOK", "A step that the journal may have forgotten is looked up in the record", _no_look_up),
            ("EPOCHBIRTH", "The journal knows when Redis began to remember", _no_new_epoch_for_steps),
            ("ONCE", "The only start of a once tool is claimed in the record", _no_once_claim),
            ("ONCETOK", "A delivery keeps its token until the start", _no_kept_once_token),
            ("TMDUE", "A timer is removed only if its due time is unchanged", _no_due_time),
            ("ARMKEY", "Timers are put back in every new epoch of Redis", _no_arming),
            ("DRAINARM", "Steps in flight end before the timers are put back", _no_draining),
            (
                "MISSED",
                "A process that missed a generation takes its messages anew",
                _no_missed_generation,
            ),
            ("OFFCAS", "The sink moves its offsets by compare-and-set", _no_compared_offsets),
            ("FIRSTWINS", "The first result of a step wins in the record", _last_wins),
            ("VER", "A state is replaced by a strictly greater term and version only", _no_version),
        )
    }
)
"""By the name of the rule that is taken away."""
