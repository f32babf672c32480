"""What a worker says of its stores: away, hanging, and back again."""

import asyncio
from dataclasses import dataclass

from maestro.wiring.reach import Reach
from schemas.errors import TransientError
from telemetry.health import Health, Verdict

DEADLINE_S = 5.0


@dataclass
class Store:
    """A store that a test takes away."""

    is_away: bool = False
    asked: int = 0

    async def probe(self) -> None:
        self.asked += 1
        if self.is_away:
            message = "cannot be reached"
            raise TransientError(message)


async def until_asked_again(store: Store) -> None:
    wanted = store.asked + 2
    async with asyncio.timeout(DEADLINE_S):
        while store.asked < wanted:  # noqa: ASYNC110  it gives no sign
            await asyncio.sleep(0.001)


async def test_a_worker_is_not_ready_while_a_store_is_away_and_says_which() -> None:
    postgres, redis = Store(), Store()
    said: list[str | None] = [None]
    reach = Reach({"PostgreSQL": postgres.probe, "Redis": redis.probe}, also=lambda: said[0], every_s=0.001)
    health = Health()
    health.also(reach.trouble)
    health.beat(Verdict(True))
    reach.start()
    await until_asked_again(redis)
    assert health.ready() == Verdict(True)
    redis.is_away = True
    await until_asked_again(redis)
    assert health.ready() == Verdict(False, "Redis: cannot be reached")
    assert health.live()
    redis.is_away = False
    await until_asked_again(redis)
    said[0] = "the sink does not come on"
    assert health.ready() == Verdict(False, "the sink does not come on")
    said[0] = None
    assert health.ready() == Verdict(True)
    await reach.stop()
    assert health.ready() == Verdict(False, "the stores are not asked any more")


async def test_membership_and_draining_come_first() -> None:
    health = Health()
    health.also(lambda: "something else")
    health.beat(Verdict(False, "no member"))
    assert health.ready() == Verdict(False, "no member")
    health.beat(Verdict(True))
    health.drain()
    assert health.ready() == Verdict(False, "draining")
