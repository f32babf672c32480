"""Messages of topics as JSON."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from bus.codec import Codec
from bus.deadletter import PREFIX
from bus.letters import MARK
from bus.names import TopicNames
from maestro.cli.messages import as_json, is_of_session, topic_named
from schemas.errors import NotFoundError
from schemas.records import UserMessage
from schemas.topics import RUNS

SESSION = "0197f0a0-0000-7000-8000-000000000001"
NAMES = TopicNames("maestro.")
CODEC = Codec()
RECORD = UserMessage(session_id=SESSION, user_id="alice", content="hi")


@dataclass(frozen=True, kw_only=True)
class Read:
    """A message as the bus returns it."""

    topic: str = "maestro.user-messages"
    partition: int = 3
    offset: int = 17
    timestamp: int = 1_767_312_000_123
    key: bytes | None = SESSION.encode()
    value: bytes | None = b"\xffgarbage"
    headers: Sequence[tuple[str, bytes | None]] = ()


def test_a_record_is_shown_decoded_with_its_place() -> None:
    shown = as_json(Read(value=CODEC.encode(RECORD), headers=[("a", b"b"), ("c", None)]), NAMES, CODEC)

    assert shown == {
        "topic": "maestro.user-messages",
        "partition": 3,
        "offset": 17,
        "timestamp": "2026-01-02T00:00:00.123Z",
        "key": SESSION,
        "headers": {"a": "b", "c": None},
        "value": RECORD.model_dump(mode="json"),
    }


def test_what_cannot_be_decoded_is_shown_raw_with_the_reason() -> None:
    shown = as_json(Read(), NAMES, CODEC)

    assert base64.b64decode(shown["raw"]) == b"\xffgarbage"
    assert "0xff" in shown["error"]
    assert "value" not in shown


def test_a_tombstone_has_no_value() -> None:
    assert as_json(Read(value=None), NAMES, CODEC)["value"] is None


def test_a_dead_letter_is_decoded_as_the_topic_that_it_came_from() -> None:
    headers = [(f"{PREFIX}topic", b"maestro.user-messages")]
    letter = Read(topic="maestro.dead-letters", value=CODEC.encode(RECORD), headers=headers)

    assert as_json(letter, NAMES, CODEC)["value"]["content"] == "hi"


def test_a_dead_letter_of_a_foreign_topic_is_shown_raw() -> None:
    letter = Read(topic="maestro.dead-letters", headers=[(f"{PREFIX}topic", b"orders")])

    assert "none of ours" in as_json(letter, NAMES, CODEC)["error"]
    assert "none of ours" in as_json(Read(topic="maestro.dead-letters"), NAMES, CODEC)["error"]


def test_a_mark_on_the_dead_letter_topic_is_shown_as_the_json_that_it_is() -> None:
    mark = Read(topic="maestro.dead-letters", value=b'{"did":"discarded"}', headers=[(MARK, b"discarded")])

    assert as_json(mark, NAMES, CODEC)["value"] == {"did": "discarded"}


def test_a_topic_is_found_with_and_without_its_prefix() -> None:
    assert topic_named("runs", NAMES) is RUNS
    assert topic_named("maestro.runs", NAMES) is RUNS


def test_a_misspelt_topic_is_answered_with_the_right_one() -> None:
    with pytest.raises(NotFoundError, match="did you mean task-logs"):
        topic_named("tasklogs", NAMES)


def test_messages_of_a_session_are_known_by_key_or_by_field() -> None:
    by_key = as_json(Read(), NAMES, CODEC)
    by_field = as_json(Read(key=None, value=CODEC.encode(RECORD)), NAMES, CODEC)

    assert is_of_session(by_key, SESSION)
    assert is_of_session(by_field, SESSION)
    assert not is_of_session(by_field, SESSION.replace("1", "2"))
