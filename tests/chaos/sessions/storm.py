"""A storm over many sessions: Redis flushed, the broker restarted, workers killed, while runs go on."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.part import PartName
from maestro.embedded.stack import EmbeddedStack
from schemas import ids
from schemas.agent_file import AgentFile, Approval
from schemas.records import UserMessage
from stores.redis.connection import RedisConnection
from tests.fleet import SCRIPTS
from tests.fleet.effects import FOLDER, NAMES, starts
from tests.fleet.fleet import Fleet, running_fleet
from tests.fleet.person import Person
from tests.fleet.runs import Runs, reading_runs, sink_is_level
from tests.fleet.verdict import broken_promises

MESSAGES_PER_SESSION = 3
_PLAIN = AgentFile(id="plain", model="rehearsal:effects", tools=NAMES)
_CAREFUL = AgentFile(
    id="careful", model="rehearsal:effects", tools=NAMES, approvals={"charge": Approval.ALWAYS}
)

Say = Callable[[str], None]
Disturbance = Callable[[EmbeddedStack, Fleet], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much, and what goes wrong; each disturbance comes when another part of the runs has ended."""

    sessions: int
    flushes: int = 2
    broker_restarts: int = 1
    workers: int = 2
    careful_every: int = 10
    """Every so many sessions has an agent that asks a person before it charges."""
    within_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the storm left. `starts` counts each tool's starts, `repeats` those beyond the first of a step."""

    seconds: float
    runs: Counter[str]
    starts: Counter[str]
    repeats: Counter[str]
    approved: int
    denied: int
    problems: tuple[str, ...]


async def weather(stack: EmbeddedStack, folder: Path, plan: Plan, say: Say) -> Report:
    """Run one storm and judge it: by files outside the stores, by the topics and by the record."""
    effects = folder / "effects"
    effects.mkdir(parents=True)
    env = {
        "MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(SCRIPTS),
        "MAESTRO_TOOL_MODULES": "tests.fleet.effects",
        FOLDER: str(effects),
    }
    began = time.monotonic()
    async with (
        running_fleet(stack, folder, workers=plan.workers, extra_env=env) as fleet,
        reading_runs(fleet) as runs,
        Person(fleet) as person,
    ):
        await fleet.apply(_PLAIN)
        await fleet.apply(_CAREFUL)
        sessions = [str(uuid.uuid4()) for _ in range(plan.sessions)]
        *first, last = range(1, MESSAGES_PER_SESSION + 1)
        messages = await _ask(fleet, sessions, plan, first)
        say(f"{len(messages)} messages are sent")
        await _disturb(stack, fleet, runs, plan, say)
        # Now, so that every session has something to do after the last flush: Redis has all contexts again.
        messages += await _ask(fleet, sessions, plan, [last])
        await runs.wait(messages, within_s=plan.within_s)
        say(f"all runs have ended after {time.monotonic() - began:.0f} s")
        await sink_is_level(fleet, within_s=120)
        problems = await broken_promises(fleet, sessions, runs=MESSAGES_PER_SESSION)
        started = {name: starts(effects, name) for name in NAMES}
        problems += [
            f"once tool charge started {count} times for step {step}"
            for step, count in started["charge"].items()
            if count > 1
        ]
        return Report(
            seconds=time.monotonic() - began,
            runs=Counter(
                f"{run.status.value} ({run.stop_reason.value if run.stop_reason else '-'})"
                for run in runs.by_message.values()
            ),
            starts=Counter({name: counted.total() for name, counted in started.items()}),
            repeats=Counter({name: counted.total() - len(counted) for name, counted in started.items()}),
            approved=len(person.approved),
            denied=len(person.denied),
            problems=tuple(problems),
        )


async def _ask(fleet: Fleet, sessions: list[str], plan: Plan, numbers: Sequence[int]) -> list[str]:
    sent: list[str] = []
    for number in numbers:
        for place, session in enumerate(sessions):
            message = UserMessage(
                id=ids.new_id(),
                session_id=session,
                user_id="alice",
                content=f"question {number}",
                agent_id=(_PLAIN if place % plan.careful_every else _CAREFUL).id,
            )
            await fleet.publish(message)
            sent.append(message.id or "")
    return sent


async def _disturb(stack: EmbeddedStack, fleet: Fleet, runs: Runs, plan: Plan, say: Say) -> None:
    messages = plan.sessions * MESSAGES_PER_SESSION
    disturbances: list[Disturbance] = [_flush] * plan.flushes
    disturbances[1:1] = [_restart_broker] * plan.broker_restarts
    for number, disturb in enumerate(disturbances, 1):
        enough = number * messages // (len(disturbances) + 2)
        await runs.wait_for(enough, within_s=plan.within_s)
        say(f"{len(runs.by_message)} of {messages} runs have ended: {_NAMES[disturb]}")
        await disturb(stack, fleet)


async def _flush(_stack: EmbeddedStack, fleet: Fleet) -> None:
    redis = RedisConnection(fleet.redis)
    await redis.start(fleet.topics.partitions)
    try:
        await redis.command(b"FLUSHALL")
    finally:
        await redis.stop()


async def _restart_broker(stack: EmbeddedStack, _fleet: Fleet) -> None:
    await stack.kill(PartName.KAFKA)
    await asyncio.sleep(1.0)
    await stack.start_part(PartName.KAFKA)


_NAMES: Mapping[Disturbance, str] = {_flush: "Redis is flushed", _restart_broker: "the broker is killed"}
