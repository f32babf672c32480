"""A world under a seed: services, processes, people, trouble. It runs until it comes to rest, or cannot."""

import random as global_random
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from math import inf
from random import Random
from typing import Any

from schemas.lists import DeadLetterReason
from schemas.records import Record, TaskLogs
from stores.redis.contexts import Epoch
from streams.execute.reconcile import CannotTell, Reconciled, WasDone, WasNotDone
from streams.runtime.record import Record as Message
from streams.session import checkpoint, new_session
from streams.session.role import INPUTS
from tests.fakes.redis_stores import FakeRedis
from tests.simulation import drawn
from tests.simulation.clock import START_MS, silence, virtual_time
from tests.simulation.faults import FAULTS, Plan
from tests.simulation.group import Group
from tests.simulation.loop import SimulatedLoop
from tests.simulation.people import People
from tests.simulation.process import Process, shown
from tests.simulation.programs import (
    Services,
    execute_role,
    generate_role,
    recorded_topics,
    session_role,
    sink_process,
)
from tests.simulation.promises import Promises, Violation
from tests.simulation.record import SimulatedRecord
from tests.simulation.rest import unrest
from tests.simulation.sink import Source
from tests.simulation.topics import Topics
from tests.simulation.worker import Worker

PARTITIONS = 2
_PROCESSES = {"session": 2, "generate": 2, "execute": 2, "sink": 2}
_ROLES: dict[str, Any] = {"session": session_role, "generate": generate_role, "execute": execute_role}

_DETECTED_S = 1.0
"""The group's session timeout; leases are shorter."""
_SKEWS_MS = (0, 0, 0, -200, 200)
"""What clocks are wrong by: less than half the margin."""
_PATIENCE_S = 400.0
"""Virtual time after the last trouble within which everything must have come to its end."""
_REST_S = 0.25
_MOST_TURNS = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a campaign varies beside the seed."""

    faults: tuple[str, ...] = tuple(FAULTS)
    is_traced: bool = False
    fast_path: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one seed."""

    seed: int
    violations: tuple[Violation, ...]
    trace: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter[str])


def simulate(seed: int, options: Options | None = None) -> Outcome:
    """Live through one history and judge it."""
    before = global_random.getstate()
    global_random.seed(seed)
    try:
        with silence():
            world = World(seed, options or Options())
            with virtual_time(world.loop.time), _short_spans(world.random):
                try:
                    return world.run()
                finally:
                    world.loop.close()
    finally:
        global_random.setstate(before)


@contextmanager
def _short_spans(random: Random) -> Generator[None]:
    """Let checkpoints come soon, and the fast path trust ids a second younger than an epoch."""
    before = new_session.MARGIN_MS, checkpoint.CHECKPOINT_LOGS
    new_session.MARGIN_MS = _FAST_MARGIN_MS
    checkpoint.CHECKPOINT_LOGS = random.choice([8, 20, 200])
    try:
        yield
    finally:
        new_session.MARGIN_MS, checkpoint.CHECKPOINT_LOGS = before


class World:
    """One history."""

    def __init__(self, seed: int, options: Options) -> None:
        self.seed = seed
        self.random = random = Random(seed)  # noqa: S311 - it only has to be the same for the same seed
        self.loop = SimulatedLoop(random)
        self.trace: list[str] = []
        self.counts: Counter[str] = Counter()
        self._options = options
        self._context = copy_context()
        self._away_until_s: dict[str, float] = {}
        self._numbers: Counter[str] = Counter()
        self._scale_s = random.choice([0.0005, 0.002, 0.01])
        broker_ms, redis_ms = random.choice(_SKEWS_MS), random.choice(_SKEWS_MS)
        self.topics = Topics(lambda: self.wall_ms + broker_ms, partitions=PARTITIONS)
        self.redis = FakeRedis(lambda: self.wall_ms + redis_ms)
        self.record = SimulatedRecord(self.topics)
        session = drawn.session_settings(random, fast_path=options.fast_path)
        self.promises = Promises(self.topics, self.record, self.redis, session.grace_s)
        # The fast path demands clocks that agree within its margin; without it ids may say what they like.
        ahead_s = _FAST_MARGIN_MS / 2000 if options.fast_path else inf
        self.people = People(random, self.topics, self.later, ahead_s=ahead_s)
        self.processes: list[Process] = []
        self.done: set[str] = set()
        self.workers: list[Worker] = []
        self._faults = Plan(random, kinds=options.faults)
        self._troubled_at_s = 0.0
        self._runtime = drawn.runtime_settings(random)
        self._services = Services(
            topics=self.topics,
            redis=self.redis,
            record=self.record,
            agents=drawn.agents(random),
            dead_letters=self,
            promises=self.promises,
            world=self,
            session=session,
            journal=drawn.journal_settings(random),
            sink=drawn.sink_settings(random),
        )
        self.groups = {
            role: Group(role, topics, partitions=PARTITIONS, random=random)
            for role, topics in self._topics_of_roles().items()
        }

    def _topics_of_roles(self) -> dict[str, tuple[str, ...]]:
        names = self.topics.names
        return {
            "session": tuple(names.full(spec) for spec in INPUTS),
            "generate": (f"{names.prefix}generation-requests",),
            "execute": (f"{names.prefix}tool-calls",),
            "sink": tuple(recorded_topics(self.topics)),
        }

    @property
    def wall_ms(self) -> int:
        """True time."""
        return START_MS + int(self.loop.time() * 1000)

    # ---- the history

    def run(self) -> Outcome:
        """Live until everything is at rest, and judge."""
        self.topics.watch = self._seen
        self.promises.told = lambda text: self.tell("PROMISE", lambda: text)
        self._context.run(self._begin)
        is_at_rest = self.loop.run_while(self._goes_on, every_s=_REST_S, most_turns=_MOST_TURNS)
        if not is_at_rest or self._is_overdue():
            self.promises.broken("LIVE", f"no rest after {self.loop.time():.1f} s: {unrest(self)}")
        for error in self.loop.errors:
            self.promises.broken("FATAL", f"an error reached the loop: {error!r}")
        self.promises.judge(self.people.sessions, self.people.accepted)
        self.counts["turns"] = self.loop.turns
        self.counts["bought twice"] = self.promises.bought_twice
        return Outcome(
            seed=self.seed,
            violations=tuple(self.promises.violations),
            trace=tuple(self.trace),
            counts=self.counts,
        )

    def _begin(self) -> None:
        begun_ago_ms = self.random.choice([0, 10_000])
        for partition in range(PARTITIONS):
            epoch = self.redis.epoch(partition)
            self.redis.shard(partition).epoch = Epoch(epoch.id, epoch.born_ms - begun_ago_ms)
        for role, many in _PROCESSES.items():
            for _ in range(many):
                self.start(role)
        self.people.plan()

    def _goes_on(self) -> bool:
        if self._is_overdue():
            return False
        return (self._faults.left > 0 and self.loop.time() < _TROUBLE_UNTIL_S) or bool(unrest(self))

    def _is_overdue(self) -> bool:
        return self.loop.time() > self._troubled_at_s + _PATIENCE_S

    # ---- processes

    def start(self, role: str, *, instead_of: Process | None = None) -> None:
        """Start a process of a role; `instead_of`: as the member that another one was."""
        self._numbers[role] += 1
        member = None if instead_of is None else instead_of.member
        skew_ms = self.random.choice(_SKEWS_MS)
        process = Process(self, role, self._numbers[role], member=member, skew_ms=skew_ms)
        self.processes.append(process)
        self.tell(process.name, lambda: "starts")
        if role == "sink":
            self._start_sink(process)
            return
        worker = Worker(
            process,
            _ROLES[role](process, self._services),
            self.groups[role],
            self.topics,
            self._runtime,
            world=self,
        )
        self.workers.append(worker)
        process.spawn(worker.run())
        if instead_of is None:
            self.groups[role].join(worker)
        else:
            self.groups[role].replace(worker, instead_of)

    def _start_sink(self, process: Process) -> None:
        sink = sink_process(process, self._services)
        streams = [stream.topics for stream in sink.streams]
        sink.connect(
            Source(process, self.groups["sink"], self.topics, streams=streams, on_assigned=sink.on_assigned)
        )
        process.spawn(self._run_sink(process, sink))

    async def _run_sink(self, process: Process, sink: Any) -> None:
        try:
            code = await sink.run()
        except Exception as error:  # noqa: BLE001 - whatever ends a program ends its process
            self.gave_up(process, error)
        else:
            self.gave_up(process, RuntimeError(f"the sink exited with {code}: {sink.health.live()}"))

    def gave_up(self, process: Process, error: BaseException) -> None:
        """Note that a process ended by itself, and replace it: its supervisor would."""
        if process.is_dead:
            return
        self.promises.broken("FATAL", f"{process.name} ended by itself: {error!r}")
        self.kill(process)

    # ---- trouble

    def strike(self, process: Process, place: str) -> None:
        """Let a fault happen at this turn of a process, if one is due."""
        kind = self._faults.strike(self, process, place)
        if kind is not None:
            self._troubled_at_s = self.loop.time()
            self.counts[kind] += 1
            self.tell(process.name, lambda: f"=== {kind.upper()} {place}")

    def kill(self, process: Process) -> None:
        """End a process; the group notices, and another takes its place."""
        process.kill()
        group = self.groups[process.role]
        if self.random.random() < _COMES_BACK:
            self.later(
                self.random.random() * _DETECTED_S, partial(self.start, process.role, instead_of=process)
            )
            return
        self.later(_DETECTED_S * self.random.random(), group.rebalance)
        self.later(self.random.choice([0.1, 1.0, 5.0]), partial(self.start, process.role))

    def freeze(self, process: Process) -> None:
        """Stop a process for a while; when that is long, its partitions move."""
        if process.is_frozen or process.is_dead:
            return
        process.freeze()
        stands_s = self.random.choice([0.05, 0.3, 0.6, 1.2, 2.0, 4.0, 20.0])
        detected_s = self.random.choice([0.0, 0.2, 1.0]) * _DETECTED_S
        if stands_s > detected_s:
            self.later(detected_s, self.groups[process.role].rebalance)
        self.later(stands_s, partial(self._wake, process, is_replaced=stands_s > detected_s))

    def _wake(self, process: Process, *, is_replaced: bool) -> None:
        if process.is_dead:
            return
        self.tell(process.name, lambda: "=== WAKES UP")
        process.wake()
        if is_replaced:
            # It learns from its next heartbeat that it lost everything.
            self.later(self.random.choice([0.0, 0.1, 1.0]), self.groups[process.role].rebalance)

    def move(self, process: Process) -> None:
        """Deal the partitions of a group anew."""
        self.groups[process.role].rebalance()

    def flush(self) -> None:
        """Let Redis forget everything."""
        self.redis.flush()
        if self.random.random() < _AGAIN:
            self.later(self.random.choice([0.01, 0.1, 1.0]), self._flush_again)

    def _flush_again(self) -> None:
        self.tell("redis", lambda: "=== FLUSH AGAIN")
        self.redis.flush()

    def fall_behind(self) -> Callable[[], None]:
        """From now on writes to Redis are lost in the failover that is returned."""
        dump = self.redis.dump()
        return lambda: self.redis.failover(dump)

    def take_away(self, service: str) -> None:
        """Let a service not answer for a while."""
        self._away_until_s[service] = self.loop.time() + self.random.choice([0.1, 1.0, 6.0])

    def a_sink(self) -> Process | None:
        """Return one of the sinks that run."""
        sinks = [process for process in self.processes if process.role == "sink" and process.is_up]
        return self.random.choice(sinks) if sinks else None

    def is_away(self, service: str) -> bool:
        """Whether a service does not answer now."""
        name = {"timers": "redis", "feed": "redis", "progress": "postgres"}.get(service, service)
        until_s = self._away_until_s.get(name)
        return until_s is not None and self.loop.time() < until_s

    # ---- what others tell

    def later(self, in_s: float, what: Callable[[], None]) -> None:
        """Let something happen later, whoever asks for it."""
        self.loop.call_later(in_s, what, context=self._context.copy())

    def delay_s(self) -> float:
        """Draw how long a call takes: mostly no time, sometimes long."""
        chance = self.random.random()
        if chance < _AT_ONCE:
            return 0.0
        return self._scale_s * (self.random.random() if chance < _SLOW else 20 * self.random.random())

    def starts(self, process: Process, step_id: str, *, is_once: bool) -> int:
        """Note the start of a model call or a tool."""
        self.tell(process.name, lambda: f"STARTS step {step_id}{' (once)' if is_once else ''}")
        self.promises.starts(step_id, is_once=is_once)
        self._numbers["starts"] += 1
        return self._numbers["starts"]

    def what_became(self, step_id: str) -> Reconciled:
        """Answer for the outside world, which may not know yet."""
        if self.random.random() < _UNSURE:
            return CannotTell("nobody knows yet")
        return WasDone({"number": 0}) if step_id in self.done else WasNotDone()

    async def put(self, *, topic: str, offset: int, reason: DeadLetterReason, message: str, **_: Any) -> None:
        """Take a dead letter: a model that broke makes one, and a command without a session."""
        self.tell("dead letters", lambda: f"{topic}@{offset} {reason.value}: {message}")
        self.counts["dead letters"] += 1
        if "BrokenError" not in message and "does not exist" not in message:
            self.promises.broken("DEAD", f"{topic}@{offset} became a dead letter: {reason.value}, {message}")

    def tell(self, who: str, what: Callable[[], str]) -> None:
        """Write a line of the trace, when somebody will read it."""
        if self._options.is_traced:
            self.trace.append(f"{self.loop.time():9.4f} {who:<11} {what()}")

    def _seen(self, record: Record, message: Message) -> None:
        self.promises.published(record)
        if isinstance(record, TaskLogs):
            self._context.copy().run(self.people.asked, record)
        self.tell("broker", lambda: f"{message.topic}/{message.partition}@{message.offset} {shown(record)}")


_TROUBLE_UNTIL_S = 60.0
_COMES_BACK = 0.3
_AGAIN = 0.3
_UNSURE = 0.2
_FAST_MARGIN_MS = 1_000
_AT_ONCE = 0.6
_SLOW = 0.95
