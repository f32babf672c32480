"""Streams over feeds in memory: whoever comes, whenever, gets each event once and in order."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.streams.events import DONE, SHOWN_ACTIONS, TOKEN, Translation, in_order
from api.streams.hub import FeedHub
from api.streams.ids import BEGINNING, TOKEN_PART, EventId, parse_event_id
from api.streams.sources import Asked, Sources
from api.streams.stream import EventStream
from api.streams.watchman import Watchman
from schemas.lists import Action
from stores.postgres.session_logs import Head, StoredLog
from stores.redis.feed_watch import FeedRecord
from tests.unit.api.feeds import Feeds
from tests.unit.api.histories import HISTORY, History, history, items
from tests.unit.streams.session.test_core_properties import Move

WATCHED = (0, "a session")
STORY = history([Move("say", 0, 5, "hello"), *[Move("answer", 0, 9, "x")] * 3], [3])


@dataclass
class Record:
    """The record: a session's log as far as it was written."""

    logs: list[StoredLog] = field(default_factory=list[StoredLog])
    is_erased: bool = False

    async def newest(
        self, session_id: str, *, after: int, upto: int | None, run_id: str | None, limit: int
    ) -> list[StoredLog]:
        """Return what is shown."""
        assert session_id == WATCHED[1]
        await asyncio.sleep(0)
        found = [
            log
            for log in self.logs
            if log.action in SHOWN_ACTIONS
            and after < log.sequence <= (upto or log.sequence)
            and run_id in (None, log.run_id)
        ]
        return found[-limit:]

    async def head(self, session_id: str) -> Head:
        """Return where the log stands."""
        assert session_id == WATCHED[1]
        return Head(0, self.logs[-1].sequence if self.logs else 0, "", erased=self.is_erased)


@dataclass
class House:
    """A hub over a feed and a record."""

    feeds: Feeds
    record: Record
    hub: FeedHub
    ended: list[str]

    async def stream(self, *, last: EventId | None = None, run_id: str | None = None) -> EventStream:
        """Open a reader's stream."""
        sources = Sources(
            hub=self.hub, pages=self.feeds, shown=self.record, heads=self.record, record_wait_s=0.1
        )
        return await EventStream.open(
            sources, Asked(watched=WATCHED, user_id="alice", run_id=run_id, last=last)
        )


def house(*, queue: int = 10_000) -> House:
    """Return a house whose hub is not running yet."""
    feeds, record, ended = Feeds(), Record(), []

    async def on_end(user_id: str, session_id: str, run_id: str) -> None:
        assert (user_id, session_id) == ("alice", WATCHED[1])
        ended.append(run_id)

    return House(feeds, record, FeedHub(feeds, queue=queue, on_end=on_end), ended)


async def ids_of(opening: Awaitable[EventStream], *, upto: EventId | None) -> list[str]:
    """Read a stream until it has given the event `upto`, or is done; return the ids in their order."""
    wires: list[bytes] = []
    async with asyncio.timeout(20):
        stream = await opening
        try:
            async for events in stream.kept():
                wires += [event.wire() for event in events]
            while not stream.is_done and (upto is None or _ids(wires)[-1:] != [str(upto)]):
                wire = await stream.coming(within_s=10)
                if wire is None:
                    break
                wires.append(wire)
        finally:
            stream.close()
    return _ids(wires)


async def _already(stream: EventStream) -> EventStream:
    return stream


def _ids(wires: Sequence[bytes]) -> list[str]:
    lines = b"".join(wires).decode().split("\n")
    return [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]


@settings(max_examples=25)
@given(HISTORY, st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_readers_who_come_at_any_time_get_exactly_the_rest(
    past: History, joins: int, cuts: int, comes: int
) -> None:
    """Some of the feed is there before the reader, some comes after; the reader knows a part, or none."""
    whole = list(Translation().events_of(items(past.feed)))
    if not whole:
        return
    before = joins % (len(past.feed) + 1)
    there = list(Translation().events_of(items(past.feed[:before])))
    known = parse_event_id(str(there[cuts % len(there)].id)) if there and cuts % 3 else None
    expected = [str(event.id) for event in in_order(whole, known or BEGINNING)]
    if not expected:
        return

    async def read() -> tuple[list[str], list[str]]:
        place = house()
        async with place.hub:
            place.feeds.add(WATCHED, *past.feed[:before])
            first = asyncio.create_task(ids_of(place.stream(last=known), upto=whole[-1].id))
            for number, record in enumerate(past.feed[before:]):
                if number == comes % 7:
                    await asyncio.sleep(0)
                place.feeds.add(WATCHED, record)
                if number % 2:
                    await asyncio.sleep(0)
            second = asyncio.create_task(ids_of(place.stream(), upto=whole[-1].id))
            return await first, await second

    first, second = asyncio.run(read())
    assert first == expected
    assert second == [str(event.id) for event in whole]


async def test_many_watch_by_one_read() -> None:
    place = house()
    whole = list(Translation().events_of(items(STORY.feed)))
    async with place.hub:
        readers = [asyncio.create_task(ids_of(place.stream(), upto=whole[-1].id)) for _ in range(200)]
        await asyncio.sleep(0.1)
        place.feeds.add(WATCHED, *STORY.feed)
        told = await asyncio.gather(*readers)
    assert all(each == [str(event.id) for event in whole] for each in told)
    assert place.feeds.follows < 10
    assert place.hub.readers == 0
    assert place.ended == [event.run_id for event in whole if event.name == DONE], "told once for all"


async def test_what_has_expired_is_rebuilt_and_then_the_rest_comes() -> None:
    whole = [event for event in Translation().events_of(items(STORY.feed)) if event.name != TOKEN]
    for lost in range(len(STORY.feed)):
        place = house()
        place.record.logs = STORY.logs
        place.feeds.add(WATCHED, *STORY.feed[lost:])
        for known in (None, *whole[:-1]):
            last = None if known is None else EventId(known.id.sequence, known.id.part, place=(1, 0))
            run_id = whole[0].run_id
            async with house_hub(place) as running:
                told = await ids_of(running.stream(last=last, run_id=run_id), upto=None)
            places = [parse_event_id(each) for each in told]
            stages = [each for each in places if each is not None and each.part != 9]
            assert stages == [event.id for event in whole if known is None or event.id > known.id]


class house_hub:  # noqa: N801  used as a function
    """A running hub of its own over a house's feed and record."""

    def __init__(self, place: House) -> None:
        fresh = house()
        self._house = House(place.feeds, place.record, fresh.hub, fresh.ended)
        self._house.hub._feeds = place.feeds

    async def __aenter__(self) -> House:
        await self._house.hub.__aenter__()
        return self._house

    async def __aexit__(self, *error: object) -> None:
        await self._house.hub.__aexit__(None, None, None)


async def test_a_reader_who_takes_nothing_is_cut_and_the_others_are_not() -> None:
    place = house(queue=3)
    async with place.hub:
        slow, quick = await place.stream(), await place.stream()
        cut = asyncio.Event()
        slow.when_ended(cut.set)
        async for _ in slow.kept():
            pass
        reading = asyncio.create_task(ids_of(_already(quick), upto=None))
        await asyncio.sleep(0)
        for number in range(10):
            place.feeds.add(WATCHED, words(number))
            await asyncio.sleep(0.03)
        assert cut.is_set()
        assert await slow.coming(within_s=10) is None
        assert slow.has_ended
        slow.close()
        quick.end()
        assert len(await reading) == 10


async def test_streams_end_with_the_process_and_give_what_waits_first() -> None:
    place = house()
    async with place.hub:
        reading = asyncio.create_task(ids_of(place.stream(), upto=None))
        await asyncio.sleep(0.05)
        place.feeds.add(WATCHED, words(1))
        await asyncio.sleep(0.05)
        place.hub.end_all()
        assert len(await reading) == 1


async def test_who_has_all_of_a_run_is_told_so() -> None:
    place = house()
    whole = list(Translation().events_of(items(STORY.feed)))
    done = next(event for event in whole if event.name == DONE)
    place.record.logs = STORY.logs
    async with place.hub:
        for kept in ((), STORY.feed):
            place.feeds.forget(WATCHED)
            place.feeds.add(WATCHED, *kept)
            stream = await place.stream(last=parse_event_id(str(done.id)), run_id=done.run_id)
            assert await stream.is_over()
            stream.close()
            early = await place.stream(last=parse_event_id(str(whole[0].id)), run_id=done.run_id)
            assert not await early.is_over()
            early.close()


async def test_an_end_that_never_came_to_the_feed_is_given_from_the_record() -> None:
    place = house()
    async with place.hub:
        stream = await place.stream(run_id=STORY.logs[-1].run_id)
        async for _ in stream.kept():
            pass
        assert await stream.ended_in_record() == []
        place.record.logs = STORY.logs
        assert [event.name for event in await stream.ended_in_record()][-1] == DONE
        assert stream.is_done
        stream.close()


async def test_readers_of_a_feed_that_has_lost_entries_come_back_for_them() -> None:
    place = house()
    watchman = Watchman(place.hub, place.record, place.record, every_s=3_600)
    async with place.hub:
        place.feeds.add(WATCHED, *STORY.feed[:1])
        stream = await place.stream()
        async for _ in stream.kept():
            pass
        await watchman.look()
        place.record.logs = STORY.logs
        await watchman.look()
        assert await stream.coming(within_s=0.01) is None
        assert not stream.has_ended, "it may be on its way"
        await watchman.look()
        assert await stream.coming(within_s=10) is None
        assert stream.has_ended
        stream.close()


async def test_readers_of_an_erased_session_are_let_go() -> None:
    place = house()
    watchman = Watchman(place.hub, place.record, place.record, every_s=3_600)
    place.record.is_erased = True
    async with place.hub:
        reading = asyncio.create_task(ids_of(place.stream(), upto=None))
        await asyncio.sleep(0.05)
        await watchman.look()
        assert await reading == []


async def test_the_hub_goes_on_when_redis_comes_back() -> None:
    place = house()
    async with place.hub:
        last = EventId(0, TOKEN_PART, (2002, 0), (2002, 0))
        reading = asyncio.create_task(ids_of(place.stream(), upto=last))
        await asyncio.sleep(0.05)
        place.feeds.is_away = True
        place.feeds.add(WATCHED, words(1))
        await asyncio.sleep(0.3)
        place.feeds.is_away = False
        place.feeds.add(WATCHED, words(2))
        assert len(await asyncio.wait_for(asyncio.shield(reading), 20)) == 2


def words(number: int) -> FeedRecord:
    """An entry of words."""
    record = next(each for each in STORY.feed if each.items[0].kind == "delta")
    at = f"{2000 + number}-0"
    return FeedRecord(at, tuple(type(item)(at, item.kind, item.data) for item in record.items))


@pytest.mark.parametrize("action", [Action.SESSION_CREATED, Action.CHECKPOINT])
def test_what_is_no_stage_is_not_shown(action: Action) -> None:
    assert action not in SHOWN_ACTIONS
