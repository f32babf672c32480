"""Readers of one session: when they wake, what they are handed, and which of it they are still to be sent."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.streams.events import DONE, RUN, Event
from api.streams.ids import BEGINNING, EventId
from api.streams.reader import Batch, Reader
from api.streams.sieve import Sieve

LONG_S = 60.0


def event(number: int, run_id: str = "a run", name: str = RUN) -> Event:
    """An event of the feed's entry `number`."""
    return Event(id=EventId(number, 0, place=(number, 0)), name=name, run_id=run_id, data=b"{}")


def batch(*events: Event) -> Batch:
    return Batch.of(events)


def one_by_one(events: Sequence[Event], last: EventId, run_id: str | None) -> bytes:
    """What a reader is to be sent, by its definition."""
    sent = b""
    for each in events:
        if each.id > last:
            last = each.id
            if run_id in (None, each.run_id):
                sent += each.wire()
            if run_id == each.run_id and each.name == DONE:
                break
    return sent


@given(
    numbers=st.lists(st.integers(1, 30), unique=True).map(sorted),
    runs=st.lists(st.sampled_from("ab"), min_size=30, max_size=30),
    ends=st.sets(st.integers(1, 30)),
    cuts=st.lists(st.integers(0, 30)).map(sorted),
    known=st.tuples(st.integers(0, 30), st.sampled_from([None, "a", "b"])),
)
def test_what_is_made_for_all_is_what_each_would_have_picked(
    numbers: list[int], runs: list[str], ends: set[int], cuts: list[int], known: tuple[int, str | None]
) -> None:
    events = [event(each, runs[each - 1], DONE if each in ends else RUN) for each in numbers]
    batches = [
        batch(*events[begins:ends_at])
        for begins, ends_at in zip([0, *cuts], [*cuts, len(events)], strict=True)
        if events[begins:ends_at]
    ]
    number, run_id = known
    last = EventId(number, 0, place=(number, 0))
    sieve = Sieve(last, run_id)
    assert b"".join(sieve.wire([each]) for each in batches) == one_by_one(events, last, run_id)
    assert Sieve(last, run_id).wire(batches) == one_by_one(events, last, run_id)


def test_what_was_read_in_the_feed_is_not_sent_again_when_the_hub_hands_it_over() -> None:
    sieve = Sieve(BEGINNING, None)
    sieve.place = (4, 0)
    assert sieve.wire([batch(event(3), event(4)), batch(event(5))]) == event(5).wire()


def test_all_who_watch_are_sent_the_same_bytes() -> None:
    sieves = [Sieve(BEGINNING, run_id) for run_id in (None, "a run")]
    for sieve in sieves:
        _ = sieve.wire([batch(event(1))])
    shared = batch(event(2), event(3))
    assert {id(sieve._wire_of(shared)) for sieve in sieves} == {id(shared.wire)}


async def test_a_reader_takes_all_that_waits_and_then_waits() -> None:
    reader = Reader(100)
    first, second = batch(event(1)), batch(event(2))
    reader.put(first)
    reader.put(second)
    assert await reader.take(within_s=LONG_S) == [first, second]
    taking = asyncio.create_task(reader.take(within_s=LONG_S))
    await asyncio.sleep(0)
    assert not taking.done()
    reader.put(first)
    assert await taking == [first]
    reader.close()


async def test_a_wait_may_be_shorter_than_the_one_before() -> None:
    reader = Reader(100)
    taking = asyncio.create_task(reader.take(within_s=LONG_S))
    await asyncio.sleep(0)
    reader.put(batch(event(1)))
    assert await taking
    for _ in range(2):
        assert await reader.take(within_s=0.01) == []
    reader.close()


async def test_news_put_off_the_end_of_a_wait() -> None:
    reader, order = Reader(100), list[str]()
    loop = asyncio.get_running_loop()
    loop.call_later(0.03, reader.put, batch(event(1)))
    assert await reader.take(within_s=0.05)
    loop.call_later(0.045, order.append, "what was due sooner")
    assert await reader.take(within_s=0.05) == []
    assert order, "its time began with the news"
    reader.close()


async def test_a_reader_who_lags_is_ended_by_the_number_of_events() -> None:
    reader = Reader(3)
    ended = asyncio.Event()
    reader.when_ended(ended.set)
    reader.put(batch(*map(event, range(1, 6))))
    assert not ended.is_set(), "what comes at once is taken at once"
    reader.put(batch(event(6)))
    assert ended.is_set()
    assert reader.has_ended
    assert await reader.take(within_s=LONG_S) == []


async def test_what_waits_is_given_before_the_end() -> None:
    reader = Reader(3)
    reader.put(batch(event(1)))
    reader.end()
    reader.put(batch(event(2)))
    assert [each.events for each in await reader.take(within_s=LONG_S)] == [(event(1),)]
    assert await reader.take(within_s=LONG_S) == []


async def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    reader = Reader(3)
    taking = asyncio.create_task(reader.take(within_s=LONG_S))
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    reader.put(batch(event(1)))
    assert await reader.take(within_s=LONG_S)
    reader.close()
