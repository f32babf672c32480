"""The session step: everything that one event does to the world, in the one order that survives crashes.

Load (or rebuild) → what the last decision owes → applied before? → decide → store → publish → return.
"""

from schemas.errors import PoisonError, TransientError
from schemas.records import SessionCommand, TaskLogs
from schemas.topics import TASK_LOGS
from stores.redis.contexts import FeedEntry, Loaded, Stored, TimerEntry
from streams.end_barrier import EndBarrier
from streams.phase import next_phase
from streams.session import feed, outbox
from streams.session.applied import Applied, applied, run_of
from streams.session.context import Context, empty, from_bytes, to_bytes
from streams.session.counted import count_decision
from streams.session.decide import agent_wanted, decide
from streams.session.erasure import Erasure
from streams.session.event import Event
from streams.session.kept import KeptContexts
from streams.session.log import chain, task_logs
from streams.session.new_session import is_certainly_new, may_begin
from streams.session.opened import Opened
from streams.session.outbox import Outbox
from streams.session.ports import Agents, Barrier, Contexts, EndOffsets, Runs, TopicNames
from streams.session.rebuild import Absence, Rebuilder, Unreadable
from streams.session.settings import SessionSettings
from streams.session.timers import lifetime_s, timer_change
from telemetry.metrics import CONTEXT_CONFLICTS, REDELIVERIES
from telemetry.points import point


class SessionStep:
    """Runs the step of one event at a time per session; many sessions at once."""

    def __init__(
        self,
        *,
        contexts: Contexts,
        rebuilder: Rebuilder,
        outbox: Outbox,
        agents: Agents,
        erasure: Erasure,
        runs: Runs,
        ends: EndOffsets,
        barrier: Barrier,
        names: TopicNames,
        settings: SessionSettings,
    ) -> None:
        self._contexts = contexts
        self._rebuilder = rebuilder
        self._outbox = outbox
        self._agents = agents
        self._erasure = erasure
        self._runs = runs
        self._recorded = EndBarrier(names=names, ends=ends, barrier=barrier)
        self._kept = KeptContexts(settings.kept_bytes)
        self._settings = settings
        self._rules = settings.rules()

    async def run(self, event: Event) -> None:
        """Apply `event` to its session once, whoever tried before; then every delivery was acknowledged.

        May be cancelled or fail at any await and be run again, here or elsewhere.

        Raises:
            TransientError: a store or the topics are away, or others are faster all the time.
            PoisonError: a command for a session that does not exist.

        """
        kept = self._kept.take(event.session_id)
        if kept is not None and await self._apply_kept(kept, event):
            return
        for _ in range(self._settings.max_rounds):
            opened = await self._open(event)
            if opened is Absence.ERASED:
                return
            if isinstance(opened, Opened) and await self._apply(opened, event):
                return
        message = (
            f"session {event.session_id} was changed by others {self._settings.max_rounds} times in a row"
        )
        raise TransientError(message)

    async def _apply_kept(self, kept: Opened, event: Event) -> bool:
        """Apply `event` to what this process stored last. Returns False when that may not be what is stored.

        Only a store proves that it still is: whatever else comes of it, the context is loaded.
        """
        await point("session.loaded")
        if applied(kept.context, event) is not Applied.NO:
            return False
        try:
            after, logs = await self._decided(kept, event)
        except PoisonError:
            return False
        await point("session.decided")
        if logs is None or after.erased:
            return False
        await next_phase()
        return await self._concluded(kept, after, logs, event)

    async def _open(self, event: Event) -> Opened | Absence:
        tries_fast = self._settings.fast_path and may_begin(event)
        loaded = await self._contexts.load(event.partition, event.session_id, leave_token=tries_fast)
        await point("session.loaded")
        stored = loaded.stored
        if stored is None:
            if tries_fast and is_certainly_new(loaded, event.session_id):
                return _begun(event, loaded)
            return await self._rebuilder.rebuild(event)
        try:
            context = from_bytes(stored.context)
        except PoisonError:
            return await self._replace(event, stored)
        if not self._outbox.is_delivered(event.session_id, term=stored.term, version=stored.version):
            owed = outbox.from_bytes(stored.outbox)
            await self._outbox.publish(context, owed, partition=event.partition, term=stored.term)
        return Opened(
            context=context,
            term=stored.term,
            epoch=loaded.epoch.id,
            expected=(stored.term, stored.version),
            now_ms=loaded.now_ms,
            is_rebuilt=False,
        )

    async def _replace(self, event: Event, stored: Stored) -> Opened | Absence:
        """Give up a context of another format. Its last logs may not be in the record: they go first."""
        owed = outbox.from_bytes(stored.outbox)
        if owed is not None:
            await self._outbox.publish_logs(owed, partition=event.partition)
        return await self._rebuilder.rebuild(event, Unreadable(stored.term, stored.version))

    async def _apply(self, opened: Opened, event: Event) -> bool:
        """Decide, store and publish. Returns False when somebody else stored first."""
        after, logs = opened.context, None
        if await self._is_applied(opened.context, event):
            REDELIVERIES.labels("context").inc()
        else:
            after, logs = await self._decided(opened, event)
        await point("session.decided")
        if logs is None:
            _refuse_lost_command(opened.context, event)
            if not opened.is_rebuilt:
                if after.erased:
                    await self._erasure.forget_feed(event.partition, event.session_id)
                return True
        if await self._concluded(opened, after, logs, event):
            return True
        CONTEXT_CONFLICTS.inc()
        return False

    async def _concluded(self, opened: Opened, after: Context, logs: TaskLogs | None, event: Event) -> bool:
        """Store and publish what was decided. Returns False when somebody else stored first."""
        if after.erased and not opened.context.erased:
            await self._erasure.forget_steps(event.partition, opened.context)
        new = Stored(
            context=to_bytes(after), outbox=outbox.to_bytes(logs), term=opened.term, version=after.sequence
        )
        if not await self._store(opened, after, new, logs, event):
            return False
        if logs is not None:
            count_decision(event.topic, after)
        await point("session.stored")
        await self._outbox.publish(after, logs, partition=event.partition, term=opened.term)
        await point("session.published")
        self._kept.put(opened.followed_by(after), len(new.context))
        if after.erased:
            await self._erasure.forget_feed(event.partition, event.session_id)
        return True

    async def _decided(self, opened: Opened, event: Event) -> tuple[Context, TaskLogs | None]:
        """Return the context after the event, and its logs; the same context and None for nothing to do."""
        context = opened.context
        wanted = agent_wanted(context, event, self._rules)
        agent = None if wanted is None else await self._agents.get(wanted)
        drafts = decide(context, event, agent, self._rules)
        if not drafts:
            return context, None
        after, entries = chain(context, drafts, event, term=opened.term)
        return after, task_logs(after, entries, event, term=opened.term)

    async def _is_applied(self, context: Context, event: Event) -> bool:
        known = applied(context, event)
        if known is not Applied.ASK_RECORD:
            return known is Applied.YES
        # Every decision that the context has forgotten was published before this moment.
        await self._recorded.passed(TASK_LOGS, event.partition)
        run_id = run_of(event)
        if run_id is None:
            return await self._runs.is_decided(event.session_id, event.id)
        return await self._runs.is_known(event.session_id, run_id)

    async def _store(
        self, opened: Opened, after: Context, new: Stored, logs: TaskLogs | None, event: Event
    ) -> bool:
        change = timer_change(opened.context, after, is_lost=opened.is_rebuilt)
        return await self._contexts.store(
            event.partition,
            event.session_id,
            epoch=opened.epoch,
            expected=opened.expected,
            new=new,
            ttl_s=lifetime_s(
                opened.context,
                after,
                now_ms=opened.now_ms,
                grace_s=self._settings.grace_s,
                max_ttl_s=self._settings.max_ttl_s,
            ),
            timers_set=[TimerEntry(timer.key, timer.kind, timer.due_ms) for timer in change.to_set],
            timers_removed=change.to_remove,
            feed=() if logs is None else [FeedEntry(stage.kind, stage.data) for stage in feed.stages(logs)],
        )


def _begun(event: Event, loaded: Loaded) -> Opened:
    """Return the context of a session that is certainly new: no fence, so its first term is 0."""
    return Opened(
        context=empty(event.session_id),
        term=0,
        epoch=loaded.epoch.id,
        expected=loaded.token or "",
        now_ms=loaded.now_ms,
        is_rebuilt=True,
    )


def _refuse_lost_command(context: Context, event: Event) -> None:
    # It has no log that could say so: without a dead letter nobody would ever know.
    if context.is_new and isinstance(event.record, SessionCommand):
        message = f"session {event.session_id} does not exist: send it a message or the command create first"
        raise PoisonError(message)
