"""Runs the steps of one role: takes messages, starts steps within the limits, acknowledges in order."""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Iterable
from functools import partial

from streams.runtime.acker import Acker, Place
from streams.runtime.attempt import attempt
from streams.runtime.finished import Finished
from streams.runtime.lanes import Lanes
from streams.runtime.record import Record
from streams.runtime.role import Role
from streams.runtime.running_step import CURRENT_STEP, RunningStep
from streams.runtime.settings import RuntimeSettings
from streams.runtime.ticket import Outcome, Ticket
from telemetry.metrics import REDELIVERIES

_log = logging.getLogger(__name__)

_CANCEL_LIMIT_S = 3.0
"""What cancelled steps get to release their leases before the process goes on without them."""


def kept(places: frozenset[Place], *, before: int, now: int) -> frozenset[Place]:
    """Return those of `places` that nobody else can have had between two generations of this process.

    A process that was frozen may get back what others had in the meantime: it missed a generation. What they
    made of a message may be another decision, and ours void; so nothing that we did counts.
    """
    return places if now == before + 1 else frozenset()


class Runner:
    """All steps of one process. Every method is called on the event loop of the process.

    `acknowledge` is called with a place and the offset up to which everything in it is finished; `pause` and
    `resume` steer the intake of one place; `fail` ends the process.
    """

    def __init__(
        self,
        role: Role,
        settings: RuntimeSettings,
        *,
        acknowledge: Callable[[Place, int], None],
        pause: Callable[[Place], None],
        resume: Callable[[Place], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._role = role
        self._settings = settings
        self._acknowledge = acknowledge
        self._pause = pause
        self._resume = resume
        self._fail = fail
        self._lanes: Lanes[Ticket] = Lanes(settings.max_in_flight)
        self._acker = Acker(settings.partition_window)
        self._finished = Finished(2 * settings.partition_window)
        self._active: dict[tuple[Place, int], Ticket] = {}
        self._leaders: dict[Hashable, Ticket] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._generation = 0
        """The last one that was assigned here; the acker knows whether it still goes on."""
        self._is_draining = False

    @property
    def in_flight(self) -> int:
        """How many steps hold a slot."""
        return self._lanes.in_flight

    @property
    def unfinished(self) -> int:
        """How many steps are known: running, waiting for their turn or for a retry."""
        return len(self._active)

    def oldest(self) -> dict[Place, int]:
        """Return the broker's time (ms) of the oldest unfinished message of each place that has one."""
        return {place: record.timestamp_ms for place, record in self._acker.oldest().items()}

    async def dispatch(self, records: Iterable[Record], generation: int | None) -> None:
        """Take messages; returns when the next may come. Those of another generation are left alone."""
        for record in records:
            # Asked anew for each: while one waits for a slot, its generation may end.
            if self._is_draining or generation is None or generation != self._acker.generation:
                return
            place = (record.topic, record.partition)
            if not self._acker.has_room(place):
                self._acker.hold(place, record)
                self._pause(place)
                continue
            self._take(place, record)
            self._start_ready()
            if self._lanes.is_saturated:
                self._room.clear()
                await self._room.wait()

    def revoking(self) -> None:
        """End the generation: nothing is taken or acknowledged until `assigned`. Steps that run go on."""
        for record in self._acker.end():
            self._finished.remember((record.topic, record.partition), record.offset, record.timestamp_ms)
        self._drop_waiting()
        self._room.set()

    async def assigned(self, places: frozenset[Place], generation: int) -> None:
        """Start a generation; steps of places that were elsewhere are cancelled before this returns.

        Shielded ones go on, and acknowledge nothing unless their message comes here again.
        """
        stayed = kept(places, before=self._generation, now=generation)
        self._generation = generation
        strays = [ticket for ticket in self._active.values() if ticket.place not in stayed]
        for ticket in strays:
            ticket.is_stray = True
        await self._cancel([ticket for ticket in strays if not ticket.is_shielded])
        self._finished.keep_only(stayed)
        self._acker.begin(generation)

    async def drain(self, limit_s: float) -> None:
        """Take nothing more, let running steps finish for at most `limit_s` seconds, then cancel them."""
        self._is_draining = True
        self._drop_waiting()
        self._room.set()
        tasks = [ticket.task for ticket in self._active.values() if ticket.task is not None]
        if tasks and limit_s > 0:
            await asyncio.wait(tasks, timeout=limit_s)
        # Finished tasks run their callbacks one turn of the loop later.
        await asyncio.sleep(0)
        await self._cancel(list(self._active.values()))

    def _drop_waiting(self) -> None:
        dropped = self._lanes.drop(lambda ticket: ticket.task is None)
        for ticket in self._active.values():
            ticket.joined = ()
            if ticket.retry is not None:
                ticket.retry.cancel()
                self._lanes.finish(ticket)
                dropped.append(ticket)
        for ticket in dropped:
            self._forget(ticket)

    async def _cancel(self, tickets: Collection[Ticket]) -> None:
        tasks = [ticket.task for ticket in tickets if ticket.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=_CANCEL_LIMIT_S)
            await asyncio.sleep(0)
            if pending:
                _log.warning("%d cancelled steps have not ended after %.0f s", len(pending), _CANCEL_LIMIT_S)

    def _take(self, place: Place, record: Record) -> None:
        if not self._acker.take(place, record):
            return
        if self._finished.forget(place, record.offset, record.timestamp_ms):
            REDELIVERIES.labels("finished").inc()
            self._finish(place, record.offset)
            return
        known = self._active.get((place, record.offset))
        if known is not None and known.record.timestamp_ms == record.timestamp_ms:
            known.is_stray = False
            return
        self._enter(Ticket(place, record, self._role.lane(record), self._role.join_key(record)))

    def _enter(self, ticket: Ticket) -> None:
        if ticket.join_key is not None:
            leader = self._leaders.setdefault(ticket.join_key, ticket)
            if leader is not ticket:
                REDELIVERIES.labels("running").inc()
                leader.join(ticket)
                return
        self._active[ticket.place, ticket.record.offset] = ticket
        self._lanes.add(ticket)

    def _start_ready(self) -> None:
        while (ticket := self._lanes.start()) is not None:
            if ticket.slot is not None:
                # Cancelled while it waited: the step ends by itself and finishes its lane then.
                if not ticket.slot.done():
                    ticket.slot.set_result(None)
                continue
            ticket.retry = None
            ticket.attempts += 1
            ticket.task = asyncio.create_task(self._attempt(ticket))
            # Not a `finally` in the task: one that is cancelled before its first line never gets there.
            ticket.task.add_done_callback(partial(self._ended, ticket))
        if not self._lanes.is_saturated:
            self._room.set()

    async def _attempt(self, ticket: Ticket) -> Outcome:
        CURRENT_STEP.set(
            RunningStep(
                partial(self._leave_slot, ticket),
                partial(self._retake_slot, ticket),
                partial(setattr, ticket, "is_shielded"),
            )
        )
        return await attempt(self._role, ticket.record)

    def _leave_slot(self, ticket: Ticket) -> None:
        if ticket.is_stray and not ticket.is_shielded and ticket.task is not None:
            ticket.task.cancel()
        self._lanes.park(ticket)
        self._start_ready()

    async def _retake_slot(self, ticket: Ticket) -> None:
        ticket.slot = asyncio.get_running_loop().create_future()
        self._lanes.unpark(ticket)
        self._start_ready()
        await ticket.slot
        ticket.slot = None

    def _ended(self, ticket: Ticket, task: asyncio.Task[Outcome]) -> None:
        try:
            self._settle(ticket, task)
            self._start_ready()
        except Exception as error:  # noqa: BLE001 - in a callback of the loop nobody else would hear of it
            self._fail(error)

    def _settle(self, ticket: Ticket, task: asyncio.Task[Outcome]) -> None:
        ticket.task = None
        ticket.slot = None
        if task.cancelled():
            # By us, when the partition is gone or the process drains; by the role's own code: then again.
            self._retry_later(ticket)
        elif (error := task.exception()) is not None:
            self._close(ticket)
            self._fail(error)
        elif task.result() is Outcome.RETRY:
            self._retry_later(ticket)
        else:
            self._succeeded(ticket, task.result())

    def _retry_later(self, ticket: Ticket) -> None:
        if self._is_draining or not self._acker.is_unfinished(ticket.place, ticket.record.offset):
            # Its partition was revoked meanwhile: the message comes again, here or elsewhere.
            self._close(ticket)
            return
        self._lanes.park(ticket)
        delay_s = self._settings.backoff_s(ticket.attempts)
        ticket.retry = asyncio.get_running_loop().call_later(delay_s, self._retry, ticket)

    def _retry(self, ticket: Ticket) -> None:
        ticket.retry = None
        self._lanes.unpark(ticket)
        self._start_ready()

    def _succeeded(self, ticket: Ticket, outcome: Outcome) -> None:
        if outcome is Outcome.DONE:
            for other in ticket.joined:
                self._release(other)
            ticket.joined = ()
        self._release(ticket)
        self._close(ticket)

    def _close(self, ticket: Ticket) -> None:
        """End a ticket's turn; messages joined to a step that did not succeed get steps of their own."""
        joined, ticket.joined = ticket.joined, ()
        self._lanes.finish(ticket)
        self._forget(ticket)
        for other in joined:
            if not self._is_draining and self._acker.is_unfinished(other.place, other.record.offset):
                self._enter(other)

    def _forget(self, ticket: Ticket) -> None:
        key = (ticket.place, ticket.record.offset)
        if self._active.get(key) is ticket:
            del self._active[key]
        if ticket.join_key is not None and self._leaders.get(ticket.join_key) is ticket:
            del self._leaders[ticket.join_key]

    def _release(self, ticket: Ticket) -> None:
        """Count a message as finished; acknowledge what that makes possible and take what waited for room."""
        place, offset = ticket.place, ticket.record.offset
        if not self._acker.is_unfinished(place, offset):
            if not ticket.is_stray:
                self._finished.remember(place, offset, ticket.record.timestamp_ms)
            return
        self._finish(place, offset)
        if self._acker.is_holding(place) and not self._is_draining:
            while (held := self._acker.next_held(place)) is not None:
                self._take(place, held)
            if not self._acker.is_holding(place):
                self._resume(place)

    def _finish(self, place: Place, offset: int) -> None:
        if (finished_until := self._acker.finish(place, offset)) is not None:
            self._acknowledge(place, finished_until)
