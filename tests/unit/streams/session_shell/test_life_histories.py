"""Random histories in which time passes: sessions lapse, are resumed and erased amid all faults."""

import pytest

from schemas.lists import Action, CommandKind, SessionStatus
from schemas.records import Run, SessionCommand
from streams.session import checkpoint
from streams.session.settings import SessionSettings
from tests.unit.streams.session_shell.test_histories import SESSIONS, History
from tests.unit.streams.session_shell.world import World, uuid

SHORT = SessionSettings(idle_s=10, ttl_s=40, grace_s=5)
LOGS = 15
"""Entries between two checkpoints here."""


class LifeHistory(History):
    """One random history with jumps of time; now and then a session is erased."""

    def __init__(self, seed: int, *, erases: bool) -> None:
        super().__init__(seed, settings=SHORT)
        self._to_erase = self.random.sample(SESSIONS, 1) if erases else []

    async def happen(self) -> None:
        """Let time pass, and what is due fire; somebody may erase a session."""
        if self.random.random() < 0.3:
            self.world.now_ms += self.random.choice((1_000, 11_000, 30_000, 50_000))
            await self.fire()
        if self._to_erase and self.world.record.logs[uuid(self._to_erase[0])] and self.random.random() < 0.2:
            session_id = uuid(self._to_erase.pop())
            command = SessionCommand(
                id=uuid(f"erase {session_id}"), session_id=session_id, user_id="alice", kind=CommandKind.ERASE
            )
            self.world.topics.append(command)

    async def fire(self) -> None:
        """The owner of the partitions does what is due."""
        loop = self.processes[0].timer_loop
        self.processes[0].plan = {}
        for partition in range(self.world.topics.partitions):
            await loop.arm(partition)
            await loop.fire_due(partition)

    async def rest(self) -> None:
        """Leave everything alone until nothing is to happen any more."""
        self.processes[0] = self.world.process()
        for _ in range(6):
            self.world.now_ms += 50_000
            await self.fire()
            await self.world.settle()


def check(world: World, name: str) -> None:
    """What must hold of a session that was left alone for long."""
    if uuid(name) in world.record.erased:
        assert not world.record.logs[uuid(name)]
        rows = [row for row in world.record.rows.values() if getattr(row, "session_id", None) == uuid(name)]
        assert not [row for row in rows if isinstance(row, Run)]
        assert not [kept for kept in world.redis.dump().values() if uuid(name) in kept.feeds]
        return
    world.check(name)
    assert world.context(name).status is SessionStatus.EXPIRED
    rows = world.record.logs[uuid(name)]
    places = [row.sequence for row in rows if row.action is Action.CHECKPOINT]
    assert all(later - earlier <= LOGS for earlier, later in zip([1, *places], places, strict=False))


@pytest.mark.parametrize("erases", [False, True], ids=["kept", "erased"])
@pytest.mark.parametrize("first", range(0, 20, 10))
async def test_random_lives_keep_every_promise(
    first: int, erases: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_LOGS", LOGS)
    for seed in range(first, first + 10):
        history = LifeHistory(seed, erases=erases)
        world = await history.run()
        await history.rest()
        for name in {name for name, _ in world.said}:
            try:
                check(world, name)
            except AssertionError as error:
                error.add_note(f"seed {seed}, session {name}")
                raise
