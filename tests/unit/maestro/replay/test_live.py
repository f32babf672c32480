"""The live context beside the record: the same, another, gone, or another version's."""

from dataclasses import replace
from typing import Any, cast

import pytest
from msgspec import structs

from maestro.replay.live import Comparison, Standing, compared
from schemas.errors import TransientError
from schemas.partition import partition_of
from stores.postgres.session_logs import SessionLogs
from stores.redis.contexts import Contexts
from streams.session.context import from_bytes, to_bytes
from tests.fakes.redis_stores import FakeContexts
from tests.unit.streams.session_shell.world import World, uuid

CHAT = uuid("chat")


async def talked() -> World:
    world = World()
    world.say("chat", "one")
    await world.settle()
    return world


async def found(world: World, *, timeout_s: float = 20) -> Comparison:
    return await compared(
        cast("Contexts", FakeContexts(world.redis)),
        cast("SessionLogs", world.record),
        CHAT,
        partitions=world.topics.partitions,
        timeout_s=timeout_s,
    )


def change(world: World, **changes: Any) -> None:
    """Put another context in the place of the live one."""
    shard = world.redis.shard(partition_of(CHAT, world.topics.partitions))
    kept = shard.contexts[CHAT]
    shard.contexts[CHAT] = replace(kept, stored=structs.replace(kept.stored, **changes))


async def test_the_live_context_is_the_fold_of_the_record() -> None:
    world = await talked()
    comparison = await found(world)
    assert comparison == Comparison(standing=Standing.SAME, sequence=world.context("chat").sequence)


async def test_a_changed_context_is_found_with_the_field_and_both_values() -> None:
    world = await talked()
    shard = world.redis.shard(partition_of(CHAT, world.topics.partitions))
    data = shard.contexts[CHAT].stored.context
    text = data.decode().replace('"title":"one"', '"title":"two"')
    assert to_bytes(from_bytes(text.encode())) != data
    change(world, context=text.encode())
    comparison = await found(world)
    assert (comparison.standing, comparison.field) == (Standing.DIFFERENT, "title")
    assert (comparison.recorded, comparison.live) == ("one", "two")


async def test_a_context_of_an_older_term_is_different_whatever_it_holds() -> None:
    world = await talked()
    change(world, term=0)
    comparison = await found(world)
    assert (comparison.standing, comparison.field, comparison.live) == (Standing.DIFFERENT, "term", 0)


async def test_a_lost_context_and_one_of_another_version_are_no_difference() -> None:
    world = await talked()
    change(world, context=b'{"format":1}')
    assert (await found(world)).standing is Standing.UNREADABLE
    world.redis.shard(partition_of(CHAT, world.topics.partitions)).contexts.clear()
    assert (await found(world)).standing is Standing.ABSENT


async def test_a_record_that_stays_behind_is_no_difference_but_said() -> None:
    world = await talked()
    change(world, version=999)
    with pytest.raises(TransientError, match="sink"):
        await found(world, timeout_s=0.3)
