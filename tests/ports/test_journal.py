"""The port of the journal: one attempt at a time, a finished value for everybody, no paid answer lost."""

import asyncio

from stores.redis.journal import Busy, Claimed, Done
from tests.ports.redis_sides import RedisSide

P = 3
LEASE_MS = 30_000
SHORT_MS = 50
KEEP_MS = 60_000


async def test_a_fresh_step_is_claimed_once(redis: RedisSide, session_id: str) -> None:
    mine = await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    theirs = await redis.other.journal.claim(P, session_id, "b", LEASE_MS)
    assert mine == Claimed(epoch=await redis.one.timers.epoch(P), taken_over=False)
    assert isinstance(theirs, Busy)
    assert 0 < theirs.retry_after_ms <= LEASE_MS


async def test_of_two_attempts_at_once_one_claims(redis: RedisSide, session_id: str) -> None:
    claims = await asyncio.gather(
        redis.one.journal.claim(P, session_id, "a", LEASE_MS),
        redis.other.journal.claim(P, session_id, "b", LEASE_MS),
    )
    assert sorted(type(claim).__name__ for claim in claims) == ["Busy", "Claimed"]


async def test_claiming_again_with_the_own_token_holds_it_still(redis: RedisSide, session_id: str) -> None:
    first = await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    assert await redis.one.journal.claim(P, session_id, "a", LEASE_MS) == first


async def test_a_lease_that_ended_is_taken_over(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", SHORT_MS)
    await asyncio.sleep(0.1)
    claim = await redis.other.journal.claim(P, session_id, "b", LEASE_MS)
    assert isinstance(claim, Claimed)
    assert claim.taken_over
    again = await redis.other.journal.claim(P, session_id, "b", LEASE_MS)
    assert again == claim
    assert not await redis.one.journal.renew(P, session_id, "a", LEASE_MS)
    assert not await redis.one.journal.complete(P, session_id, "a", b"late", KEEP_MS)


async def test_a_process_that_came_back_takes_over_at_once_what_the_one_before_it_held(
    redis: RedisSide, session_id: str
) -> None:
    before, after = "g.generate-1:0001:a", "g.generate-1:0002:b"
    await redis.one.journal.claim(P, session_id, before, LEASE_MS)
    for other in ("g.generate-2:0002:c", "generate-1:0002:d", "generate-1", "g.generate-1:0001:e"):
        assert isinstance(await redis.other.journal.claim(P, session_id, other, LEASE_MS), Busy)
    claim = await redis.other.journal.claim(P, session_id, after, LEASE_MS)
    assert isinstance(claim, Claimed)
    assert claim.taken_over
    assert isinstance(await redis.one.journal.claim(P, session_id, before, LEASE_MS), Busy)
    assert not await redis.one.journal.complete(P, session_id, before, b"late", KEEP_MS)
    assert await redis.other.journal.complete(P, session_id, after, b"mine", KEEP_MS)


async def test_a_renewed_lease_is_not_taken_over(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", SHORT_MS)
    assert await redis.one.journal.renew(P, session_id, "a", LEASE_MS)
    await asyncio.sleep(0.1)
    assert isinstance(await redis.other.journal.claim(P, session_id, "b", LEASE_MS), Busy)


async def test_renewing_what_is_lost_says_so(redis: RedisSide, session_id: str) -> None:
    assert not await redis.one.journal.renew(P, session_id, "a", LEASE_MS)
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    await redis.begin_epoch(P)
    assert not await redis.one.journal.renew(P, session_id, "a", LEASE_MS)


async def test_a_released_step_can_be_claimed_at_once_by_another(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    await redis.other.journal.release(P, session_id, "b")
    assert isinstance(await redis.other.journal.claim(P, session_id, "b", LEASE_MS), Busy)
    await redis.one.journal.release(P, session_id, "a")
    claim = await redis.other.journal.claim(P, session_id, "b", LEASE_MS)
    assert isinstance(claim, Claimed)
    assert claim.taken_over


async def test_a_completed_step_answers_with_its_value(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    value = bytes(range(256)) * 8192
    assert await redis.one.journal.complete(P, session_id, "a", value, KEEP_MS)
    assert await redis.other.journal.claim(P, session_id, "b", LEASE_MS) == Done(value)
    assert not await redis.one.journal.renew(P, session_id, "a", LEASE_MS)
    await redis.one.journal.release(P, session_id, "a")
    assert await redis.one.journal.claim(P, session_id, "a", LEASE_MS) == Done(value)


async def test_a_value_is_never_replaced(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    assert await redis.one.journal.complete(P, session_id, "a", b"first", KEEP_MS)
    assert not await redis.one.journal.complete(P, session_id, "a", b"second", KEEP_MS)
    assert not await redis.other.journal.complete(P, session_id, "b", b"second", KEEP_MS)
    assert await redis.one.journal.claim(P, session_id, "b", LEASE_MS) == Done(b"first")


async def test_complete_is_refused_while_another_token_holds_the_step(
    redis: RedisSide, session_id: str
) -> None:
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    assert not await redis.other.journal.complete(P, session_id, "b", b"value", KEEP_MS)
    assert await redis.one.journal.complete(P, session_id, "a", b"value", KEEP_MS)


async def test_complete_stores_an_absent_entry(redis: RedisSide, session_id: str) -> None:
    assert await redis.one.journal.complete(P, session_id, "a", b"paid", KEEP_MS)
    assert await redis.other.journal.claim(P, session_id, "b", LEASE_MS) == Done(b"paid")


async def test_complete_after_a_flush_stores_the_value(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    await redis.flush()
    assert await redis.one.journal.complete(P, session_id, "a", b"paid", KEEP_MS)
    assert await redis.other.journal.claim(P, session_id, "b", LEASE_MS) == Done(b"paid")


async def test_entries_of_an_ended_epoch_are_absent(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, "held", "a", LEASE_MS)
    await redis.one.journal.complete(P, session_id, "a", b"lost?", KEEP_MS)
    await redis.begin_epoch(P)
    for step_id in ("held", session_id):
        claim = await redis.other.journal.claim(P, step_id, "b", LEASE_MS)
        assert claim == Claimed(epoch=await redis.one.timers.epoch(P), taken_over=False)


async def test_complete_replaces_an_entry_of_an_ended_epoch(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.claim(P, session_id, "a", LEASE_MS)
    await redis.begin_epoch(P)
    assert await redis.other.journal.complete(P, session_id, "b", b"paid", KEEP_MS)
    assert await redis.one.journal.claim(P, session_id, "a", LEASE_MS) == Done(b"paid")


async def test_a_value_is_kept_as_long_as_asked(redis: RedisSide, session_id: str) -> None:
    await redis.one.journal.complete(P, session_id, "a", b"value", SHORT_MS)
    await asyncio.sleep(0.1)
    claim = await redis.one.journal.claim(P, session_id, "b", LEASE_MS)
    assert isinstance(claim, Claimed)
    assert not claim.taken_over


async def test_of_forgotten_steps_it_is_known_that_they_were(redis: RedisSide, session_id: str) -> None:
    done, running, other = (f"{session_id}/{name}" for name in ("done", "running", "other"))
    for step in (done, running, other):
        assert isinstance(await redis.one.journal.claim(P, step, "a", 60_000), Claimed)
    assert await redis.one.journal.complete(P, done, "a", b"secret", 60_000)
    await redis.other.journal.forget(P, [done, running, f"{session_id}/unknown"])
    await redis.other.journal.forget(P, [])
    for step in (done, running):
        assert not await redis.one.journal.renew(P, step, "a", 60_000)
        for _ in range(2):
            claimed = await redis.one.journal.claim(P, step, "b", 60_000)
            assert isinstance(claimed, Claimed)
            assert claimed.is_forgotten
    assert isinstance(await redis.one.journal.claim(P, other, "b", 60_000), Busy)
    unknown = await redis.one.journal.claim(P, f"{session_id}/unknown", "b", 60_000)
    assert isinstance(unknown, Claimed)
    assert not unknown.is_forgotten


async def test_an_attempt_whose_step_was_forgotten_meanwhile_still_keeps_what_was_paid_for(
    redis: RedisSide, session_id: str
) -> None:
    assert isinstance(await redis.one.journal.claim(P, session_id, "a", 60_000), Claimed)
    await redis.one.journal.forget(P, [session_id])
    assert await redis.one.journal.complete(P, session_id, "a", b"paid", KEEP_MS)
    assert await redis.one.journal.claim(P, session_id, "b", LEASE_MS) == Done(b"paid")
