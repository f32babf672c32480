"""When what goes wrong: a plan of faults that strike at the turns of ports, until the budget is spent."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Protocol

from tests.simulation.process import Process

_DULL = ("timers.due", "timers.is_armed", "progress.next_offsets", "kafka.fetch", "feed.append")
"""Calls that are made all the time: a fault there shows little, so it mostly waits for another call."""


_TENDER = ("after redis.store", "before kafka.publish", "after redis.complete")
"""Between what is stored and what is published: where a process that wakes up late does the most harm."""


class Troubled(Protocol):
    """What can go wrong in a world."""

    def kill(self, process: Process) -> None: ...
    def freeze(self, process: Process) -> None: ...
    def move(self, process: Process) -> None: ...
    def flush(self) -> None: ...
    def fall_behind(self) -> Callable[[], None]: ...
    def take_away(self, service: str) -> None: ...
    def a_sink(self) -> Process | None: ...


Fault = Callable[[Troubled, Process], None]


def _fail(_: Troubled, process: Process) -> None:
    process.fail_next()


def _flush(world: Troubled, _: Process) -> None:
    world.flush()


def _flush_and_freeze(world: Troubled, process: Process) -> None:
    world.flush()
    world.freeze(process)


def _flush_and_fail(world: Troubled, process: Process) -> None:
    world.flush()
    process.fail_next()


def _flush_and_kill(world: Troubled, process: Process) -> None:
    world.flush()
    world.kill(process)


def _kill_sink(world: Troubled, _: Process) -> None:
    if (sink := world.a_sink()) is not None:
        world.kill(sink)


def _freeze_sink(world: Troubled, _: Process) -> None:
    if (sink := world.a_sink()) is not None:
        world.freeze(sink)


FAULTS: Mapping[str, tuple[int, Fault]] = MappingProxyType(
    {
        "kill": (4, lambda world, process: world.kill(process)),
        "freeze": (5, lambda world, process: world.freeze(process)),
        "fail": (4, _fail),
        "move": (3, lambda world, process: world.move(process)),
        "flush": (3, _flush),
        "flush-and-freeze": (2, _flush_and_freeze),
        "flush-and-fail": (1, _flush_and_fail),
        "flush-and-kill": (1, _flush_and_kill),
        "failover": (4, lambda _world, _process: None),
        "kill-sink": (1, _kill_sink),
        "freeze-sink": (2, _freeze_sink),
        "postgres-away": (1, lambda world, _: world.take_away("postgres")),
        "redis-away": (1, lambda world, _: world.take_away("redis")),
    }
)
"""Name, weight and effect of every fault."""


_MIXES: tuple[Mapping[str, int], ...] = (
    {kind: weight for kind, (weight, _) in FAULTS.items()},
    {"flush-and-freeze": 6, "freeze": 4, "flush": 2, "fail": 1, "move": 1, "failover": 2, "kill": 1},
    {"flush-and-freeze": 3, "freeze": 6, "flush": 3, "kill": 2},
    {"freeze-sink": 6, "kill-sink": 2, "postgres-away": 2, "freeze": 2, "move": 1, "kill": 2},
    {"kill": 6, "flush-and-kill": 2, "fail": 2, "move": 1, "failover": 2},
)
"""Weights of one history's faults: everything, or processes that wake up late, or trouble with the
record, or processes that die."""


class Plan:
    """The faults of one history."""

    def __init__(self, random: Random, *, kinds: tuple[str, ...] = tuple(FAULTS)) -> None:
        self._random = random
        mix = random.choice(_MIXES)
        self._is_tender = mix is not _MIXES[0] and random.random() < _OFTEN
        self._kinds = [kind for kind in kinds if kind in mix] or list(kinds)
        self._weights = [mix.get(kind, 1) for kind in self._kinds]
        self.left = random.choice([0, 1, 2, 3, 4, 6, 9]) if kinds else 0
        self._mean_gap = random.choice([15, 60, 200])
        self._turn = 0
        self._next = self._gap()
        self._lost: tuple[int, Callable[[], None]] | None = None

    def _gap(self) -> int:
        mean = 4 if self._random.random() < _NEAR else self._mean_gap
        return self._turn + 1 + int(self._random.expovariate(1 / mean))

    def stop(self) -> None:
        """Let nothing go wrong any more."""
        self.left = 0
        self._lost = None

    def strike(self, world: Troubled, process: Process, place: str) -> str | None:
        """Let a fault happen at this turn if one is due; return its name."""
        self._turn += 1
        if self._lost is not None and self._turn >= self._lost[0]:
            fail_over, self._lost = self._lost[1], None
            fail_over()
            return "failover"
        if not self.left or self._turn < self._next:
            return None
        if place.endswith(_DULL) and self._random.random() < _MOSTLY:
            return None
        if self._is_tender and place not in _TENDER and self._random.random() < _MOSTLY:
            return None
        self.left -= 1
        self._next = self._gap()
        kind = self._random.choices(self._kinds, self._weights)[0]
        if kind == "failover":
            # From here on Redis answers, but its replica does not hear of it.
            self._lost = (self._turn + 1 + int(self._random.expovariate(1 / 8)), world.fall_behind())
            return "replica falls behind"
        FAULTS[kind][1](world, process)
        return kind


_NEAR = 0.3
_MOSTLY = 0.95
_OFTEN = 0.6
