"""Events of a session: ids grow, and whoever goes on from any of them gets exactly the rest."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.streams.events import (
    DONE,
    ERROR,
    MESSAGE,
    NAMES,
    SHOWN_ACTIONS,
    TOKEN,
    Translation,
    in_order,
    stage_events,
)
from api.streams.ids import BEGINNING, TOKEN_PART, EventId, parse_event_id, place_of
from api.streams.stages import WITH_PAYLOAD, stage_of
from stores.redis.feed import FeedItem
from streams.session.feed import stages
from tests.unit.api.histories import HISTORY, History, items

PLACES = st.tuples(st.integers(1, 10**13), st.integers(0, 10**6))


def _token_id(at: int, place: tuple[int, int]) -> EventId:
    return EventId(at, TOKEN_PART, place, place)


IDS = st.one_of(
    st.builds(EventId, st.integers(0, 10**9), st.integers(0, 3), place=st.none() | PLACES),
    st.builds(_token_id, st.integers(0, 10**9), PLACES),
)


@given(IDS)
def test_an_id_is_read_back_as_it_was_written(event_id: EventId) -> None:
    read = parse_event_id(str(event_id))
    assert read == event_id
    assert read is not None
    assert read.place == event_id.place


@pytest.mark.parametrize(
    "text", ["", "7", "1.2.3", "1.9", "-1.0", "1.0@5", "x", "1.0@5-6 7", "9" * 40, "1.0\n2"]
)
def test_what_is_no_id_of_ours_is_none(text: str) -> None:
    assert parse_event_id(text) is None


@settings(max_examples=60)
@given(HISTORY)
def test_ids_grow_strictly_and_name_known_events(history: History) -> None:
    events = list(Translation().events_of(items(history.feed)))
    ids = [event.id for event in events]
    assert all(before < after for before, after in pairwise(ids))
    assert len({str(each) for each in ids}) == len(ids)
    assert {event.name for event in events} <= set(NAMES)
    assert list(in_order(events, BEGINNING)) == events


@settings(max_examples=60)
@given(HISTORY, st.integers(0, 10_000))
def test_going_on_from_any_event_gives_exactly_the_rest(history: History, number: int) -> None:
    events = list(Translation().events_of(items(history.feed)))
    if not events:
        return
    cut = number % len(events)
    last = parse_event_id(str(events[cut].id))
    assert last is not None
    assert last.place is not None
    # As another replica does it: from the entry that the id names, inclusive, with what the id tells.
    kept = [record for record in history.feed if place_of(record.id) >= last.place]
    again = in_order(Translation(last.sequence).events_of(items(kept)), last)
    assert list(again) == events[cut + 1 :]


@settings(max_examples=60)
@given(HISTORY, st.integers(0, 10_000))
def test_what_comes_twice_is_given_once(history: History, number: int) -> None:
    feed = history.feed
    cut = number % (len(feed) + 1)
    first = Translation().events_of(items(feed[:cut]))
    again = Translation().events_of(items(feed))
    once = list(Translation().events_of(items(feed)))
    assert list(in_order([*first, *again], BEGINNING)) == once


@settings(max_examples=60)
@given(HISTORY)
def test_the_record_gives_the_same_stages_as_the_feed(history: History) -> None:
    live = [orjson.loads(stage.data) for logs in history.session.decisions for stage in stages(logs)]
    by_sequence = {log.sequence: log for log in history.logs}
    for stage in live:
        assert stage_of(by_sequence[stage["sequence"]]) == stage


@settings(max_examples=60)
@given(HISTORY, st.integers(0, 200))
def test_the_record_and_then_the_feed_give_every_stage_once(history: History, number: int) -> None:
    feed = history.feed
    lost = number % (len(feed) + 1)
    whole = [event for event in Translation().events_of(items(feed)) if event.name != TOKEN]
    kept = list(Translation().events_of(items(feed[lost:])))
    rebuilt = [
        event
        for log in history.logs
        if log.action in SHOWN_ACTIONS
        for event in stage_events(stage_of(log), None)
    ]
    first = next((event.id.sequence for event in kept if event.name != TOKEN), None)
    before = [event for event in rebuilt if first is None or event.id.sequence < first]
    told = [event for event in in_order([*before, *kept], BEGINNING) if event.name != TOKEN]
    assert [(event.id, event.name, event.data) for event in told] == [
        (event.id, event.name, event.data) for event in whole
    ]


@settings(max_examples=60)
@given(HISTORY)
def test_every_run_is_done_once_after_its_answer_or_error(history: History) -> None:
    events = list(Translation().events_of(items(history.feed)))
    done = [event.run_id for event in events if event.name == DONE]
    assert len(done) == len(set(done))
    for before, event in pairwise(events):
        if event.name == DONE:
            assert before.name in {MESSAGE, ERROR}
            assert before.run_id == event.run_id


def test_only_payloads_that_show_something_are_read() -> None:
    assert set(WITH_PAYLOAD) <= set(SHOWN_ACTIONS)


def delta(n: int, attempt: str) -> FeedItem:
    """Words of an attempt."""
    data = {"run_id": "r", "generation_id": "g", "attempt_id": attempt, "n": n, "text": "so "}
    return FeedItem(f"5-{n}", "delta", orjson.dumps(data))


def test_a_new_attempt_says_to_drop_the_words_of_the_old_one() -> None:
    first, second, other = Translation(3).events_of([delta(0, "a"), delta(1, "a"), delta(0, "b")])
    assert [orjson.loads(each.data)["starts_over"] for each in (first, second, other)] == [True, False, True]
    assert orjson.loads(other.data)["attempt_id"] == "b"
    assert orjson.loads(other.data)["generation_id"] == "g"


def test_an_answer_that_the_feed_has_cut_says_so() -> None:
    stage = {"stage": "run_completed", "sequence": 5, "run_id": "r", "at_ms": 1, "stop_reason": "answered"}
    short, _ = stage_events({**stage, "output": "x…"}, (1, 0))
    long, _ = stage_events({**stage, "output": "x" * 4_000 + "…"}, (1, 0))
    assert orjson.loads(short.data)["is_cut"] is False
    assert orjson.loads(long.data)["is_cut"] is True


def test_what_is_no_json_of_ours_is_passed_over() -> None:
    odd = [FeedItem("1-0", "stage", b"{"), FeedItem("2-0", "stage", b"[]"), FeedItem("3-0", "other", b"{}")]
    assert not list(Translation().events_of(odd))


def test_an_event_is_sent_in_four_lines() -> None:
    (event,) = stage_events({"stage": "thought", "sequence": 4, "run_id": "r", "text": "a\nb"}, (7, 1))
    lines = event.wire().split(b"\n")
    assert lines[0] == b"id: 4.0@7-1"
    assert lines[1] == b"event: thought"
    assert orjson.loads(lines[2].removeprefix(b"data: "))["text"] == "a\nb"
    assert lines[3:] == [b"", b""]
