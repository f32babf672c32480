"""What becomes of messages that a decoder likes, refuses, or stumbles over."""

from typing import Any

import pytest

from schemas.errors import ErrorCode, PoisonError, TransientError
from schemas.lists import DeadLetterReason
from schemas.topics import AGENTS, MESSAGES, TopicSpec
from sinks.decoding import decoded
from sinks.ports import Entry
from tests.unit.sinks.sent import Sent

FAULTS = {
    b"undecodable": PoisonError("no magic byte", code=ErrorCode.UNDECODABLE),
    b"invalid": PoisonError("a field is missing", code=ErrorCode.INVALID),
    b"stumble": RecursionError("too deep"),
    b"away": TransientError("the registry is away"),
}


class FaultyDecoder:
    """Raises what the value asks for; takes every other value as a row."""

    def decode_plain(self, spec: TopicSpec, value: bytes | None) -> dict[str, Any]:
        """Return the value as a row."""
        if fault := FAULTS.get(value or b""):
            raise fault
        return {"topic": spec.name, "value": value}


async def test_a_message_that_a_decoder_stumbles_over_is_refused_and_the_others_are_kept() -> None:
    values = [b"one", b"stumble", b"two", b"invalid", b"undecodable", b"three"]
    messages = [Sent(offset, value=value) for offset, value in enumerate(values)]
    place = ("t.messages", 0)
    found = await decoded(FaultyDecoder(), {"t.messages": MESSAGES}, {place: messages})
    assert [entry.message.offset for entry in found[place]] == list(range(6))
    assert [entry.message.offset for entry in found[place] if entry.row] == [0, 2, 5]
    refused = [entry.refused for entry in found[place] if entry.refused]
    assert [(each.message.offset, each.reason) for each in refused] == [
        (1, DeadLetterReason.HANDLER_ERROR),
        (3, DeadLetterReason.INVALID),
        (4, DeadLetterReason.UNDECODABLE),
    ]
    assert refused[0].sentence == "decoding raised RecursionError: too deep"


async def test_a_store_that_is_away_is_no_fault_of_the_message() -> None:
    with pytest.raises(TransientError):
        _ = await decoded(FaultyDecoder(), {"t": MESSAGES}, {("t", 0): [Sent(0, value=b"away")]})


async def test_no_value_is_a_tombstone_only_on_a_compacted_topic() -> None:
    tombstone = Sent(0, value=None)
    found = await decoded(FaultyDecoder(), {"t": AGENTS}, {("t", 0): [tombstone]})
    assert found["t", 0] == [Entry(tombstone, None, None)]
