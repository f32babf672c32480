"""The load: sessions that are asked, answered and asked again, and when each message was answered."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bus.reader import Start, TopicReader
from schemas import ids
from schemas.agent_file import AgentFile, Approval
from schemas.errors import PoisonError, TransientError
from schemas.records import Run, UserMessage
from schemas.topics import RUNS
from tests.fleet.effects import NAMES
from tests.fleet.fleet import Ground

MESSAGES_PER_SESSION = 2
_LONGEST_PAUSE_S = 2.0
"""Before a session follows one that was answered: the machine is to be disturbed, not filled."""
_THRICE_EVERY = 5
_CAREFUL_EVERY = 8
_MODEL = "openai/chaos"
PLAIN = AgentFile(id="plain", model=_MODEL, tools=NAMES)
CAREFUL = AgentFile(id="careful", model=_MODEL, tools=NAMES, approvals={"charge": Approval.ALWAYS})
AGENTS = (PLAIN, CAREFUL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message whose publish was acknowledged. `at` is the wall clock in seconds."""

    id: str
    session: str
    at: float

    @property
    def run(self) -> str:
        """Id of its run."""
        return ids.run_id(self.session, self.id)


@dataclass(slots=True)
class Load:
    """Keeps `width` sessions asking; messages of a session are sent together, so that one waits for another.

    Some messages are published three times. `answered_at` has the moment at which each message's terminal
    run was first read from the topic.
    """

    ground: Ground
    seed: int
    width: int
    sent: dict[str, Sent] = field(default_factory=dict[str, Sent])
    answered_at: dict[str, float] = field(default_factory=dict[str, float])
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    _started: int = 0
    _is_over: bool = False
    thrice: int = 0
    """Messages that were published three times."""

    @property
    def sessions(self) -> list[str]:
        """Every session that was asked."""
        return list(dict.fromkeys(sent.session for sent in self.sent.values()))

    def open(self) -> list[Sent]:
        """Return what is not answered yet."""
        return [sent for sent in self.sent.values() if sent.id not in self.answered_at]

    def finish(self) -> None:
        """Begin no more sessions."""
        self._is_over = True

    async def run(self) -> None:
        """Ask until `finish`; return when all sessions that were begun are answered."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.width):
                group.create_task(self._ask_on())

    async def answered(self, messages: Collection[str], *, within_s: float) -> set[str]:
        """Wait for answers; return the messages that have none in time."""
        wanted = set(messages)
        try:
            async with asyncio.timeout(within_s), self._moved:
                await self._moved.wait_for(lambda: wanted <= self.answered_at.keys())
        except TimeoutError:
            pass
        return wanted - self.answered_at.keys()

    async def ask(self, session: str, agent: AgentFile, number: int, content: str, *, copies: int = 1) -> str:
        """Send one message, as often as asked, and return its id when each was acknowledged."""
        message = UserMessage(
            id=ids.new_id(),
            session_id=session,
            user_id=f"user-{number % 10}",
            content=content,
            agent_id=agent.id,
        )
        for _ in range(copies):
            await self._acknowledged(message)
        self.thrice += copies > 1
        self.sent[message.id or ""] = Sent(id=message.id or "", session=session, at=time.time())
        return message.id or ""

    async def follow(self, reader: TopicReader) -> None:
        """Read what runs say until cancelled, over every outage."""
        while True:
            try:
                found = await reader.read(timeout_s=1.0)
            except TransientError:
                await asyncio.sleep(0.5)
                continue
            for message in found:
                self._note(message.value)
            async with self._moved:
                self._moved.notify_all()

    def _note(self, value: bytes | None) -> None:
        try:
            run = self.ground.codec.decode(RUNS, value)
        except PoisonError:
            return  # bad input
        if isinstance(run, Run) and run.status.is_terminal:
            self.answered_at.setdefault(run.message_id, time.time())

    async def _ask_on(self) -> None:
        while not self._is_over:
            number, self._started = self._started, self._started + 1
            chance = random.Random(f"{self.seed}/{number}")  # noqa: S311 - reproducible, not secret
            agent = AGENTS[number % _CAREFUL_EVERY == 1]
            session = ids.new_id()
            asked = [
                await self.ask(
                    session,
                    agent,
                    number,
                    f"question {number} with " + " ".join(chance.sample(NAMES, chance.randint(1, 4))),
                    copies=3 if (number + turn) % _THRICE_EVERY == 0 else 1,
                )
                for turn in range(MESSAGES_PER_SESSION)
            ]
            while not self._is_over and await self.answered(asked, within_s=5.0):
                pass
            await asyncio.sleep(chance.uniform(0, _LONGEST_PAUSE_S))

    async def _acknowledged(self, message: UserMessage) -> None:
        while True:
            try:
                await self.ground.publish(message)
            except TransientError:
                await asyncio.sleep(0.5)
            else:
                return


@asynccontextmanager
async def running_load(ground: Ground, *, seed: int, width: int) -> AsyncGenerator[Load]:
    """Apply the agents and keep asking until the context closes."""
    for agent in AGENTS:
        await ground.apply(agent)
    load = Load(ground, seed, width)
    topic = ground.names.full(RUNS)
    async with (
        TopicReader(ground.kafka, [topic], start=Start.BEGINNING) as reader,
        asyncio.TaskGroup() as group,
    ):
        following = group.create_task(load.follow(reader), name="answers")
        asking = group.create_task(load.run(), name="load")
        try:
            yield load
        finally:
            load.finish()
            following.cancel()
            asking.cancel()
