"""Words on their way to the live feed: few entries, in order, by attempt; never a reason to fail."""

import asyncio

import pytest

from schemas.errors import FatalError, MaestroError, TransientError
from streams.generate.deltas import Deltas
from streams.generate.settings import GenerateSettings
from tests.unit.streams.generate.feeds import ATTEMPT, OTHER_ATTEMPT, REQUEST, FakeFeed

INTERVAL_S = 0.01
SETTINGS = GenerateSettings(delta_interval_s=INTERVAL_S, feed_keep_s=77, feed_max_entries=88)


def deltas(feed: FakeFeed, attempt: str = ATTEMPT) -> Deltas:
    return Deltas(feed, SETTINGS, partition=3, request=REQUEST, attempt_id=attempt)


async def an_entry_more(feed: FakeFeed, count: int) -> None:
    async with asyncio.timeout(2):
        while len(feed.entries) < count:  # noqa: ASYNC110 - the feed has no event
            await asyncio.sleep(INTERVAL_S / 4)


async def test_an_answer_within_the_first_interval_sends_nothing() -> None:
    feed = FakeFeed()
    words = deltas(feed)
    words.add("very ")
    words.add("quick")
    await words.close()
    await asyncio.sleep(3 * INTERVAL_S)
    assert feed.calls == 0


async def test_pieces_of_one_interval_are_one_entry_and_the_rest_comes_with_the_close() -> None:
    feed = FakeFeed()
    words = deltas(feed)
    for piece in ("a", "b", "c"):
        words.add(piece)
    await an_entry_more(feed, 1)
    words.add("d")
    words.add("e")
    await words.close()
    assert [(entry["n"], entry["text"]) for entry in feed.entries] == [(0, "abc"), (1, "de")]


async def test_an_entry_names_run_generation_and_attempt_and_its_session_on_its_partition() -> None:
    feed = FakeFeed()
    for attempt in (ATTEMPT, OTHER_ATTEMPT):
        words = deltas(feed, attempt)
        words.add("x")
        await an_entry_more(feed, len(feed.entries) + 1)
        await words.close()
    assert feed.entries == [
        {"run_id": REQUEST.run_id, "generation_id": REQUEST.id, "attempt_id": attempt, "n": 0, "text": "x"}
        for attempt in (ATTEMPT, OTHER_ATTEMPT)
    ]
    assert feed.places == {(3, REQUEST.session_id, 77, 88)}


async def test_a_slow_feed_is_never_written_twice_at_a_time_and_keeps_the_order() -> None:
    gate = asyncio.Event()
    feed = FakeFeed(gate=gate)
    words = deltas(feed)
    words.add("first ")
    async with asyncio.timeout(2):
        while not feed.calls:  # noqa: ASYNC110 - the feed has no event
            await asyncio.sleep(INTERVAL_S / 4)
    for number in range(5):
        words.add(f"{number} ")
        await asyncio.sleep(INTERVAL_S)
    assert feed.calls == 1
    gate.set()
    await an_entry_more(feed, 2)
    await words.close()
    assert feed.text == "first 0 1 2 3 4 "
    assert [entry["n"] for entry in feed.entries] == [0, 1]


async def test_a_close_waits_for_the_entry_on_its_way() -> None:
    gate = asyncio.Event()
    feed = FakeFeed(gate=gate)
    words = deltas(feed)
    words.add("one ")
    async with asyncio.timeout(2):
        while not feed.calls:  # noqa: ASYNC110 - the feed has no event
            await asyncio.sleep(INTERVAL_S / 4)
    words.add("two")
    closing = asyncio.create_task(words.close())
    await asyncio.sleep(INTERVAL_S)
    assert not closing.done()
    gate.set()
    async with asyncio.timeout(2):
        await closing
    assert feed.text == "one two"


async def test_nothing_is_sent_after_the_close() -> None:
    feed = FakeFeed()
    words = deltas(feed)
    words.add("a")
    await an_entry_more(feed, 1)
    words.add("b")
    await words.close()
    sent = feed.calls
    await asyncio.sleep(3 * INTERVAL_S)
    assert feed.calls == sent == 2


@pytest.mark.parametrize("error", [TransientError("Redis is away"), FatalError("Redis refuses us")])
async def test_trouble_with_the_feed_is_no_trouble_of_the_generation(error: MaestroError) -> None:
    feed = FakeFeed(error=error)
    words = deltas(feed)
    words.add("lost")
    async with asyncio.timeout(2):
        while not feed.calls:  # noqa: ASYNC110 - the feed has no event
            await asyncio.sleep(INTERVAL_S / 4)
    feed.error = None
    words.add("seen")
    await words.close()
    assert [(entry["n"], entry["text"]) for entry in feed.entries] == [(1, "seen")]


async def test_halves_of_a_character_that_arrive_apart_are_joined() -> None:
    feed = FakeFeed()
    words = deltas(feed)
    words.add("ship \ud83d")
    words.add("\udea2, lone \ud83d")
    await an_entry_more(feed, 1)
    await words.close()
    assert feed.text == "ship 🚢, lone \ufffd"
