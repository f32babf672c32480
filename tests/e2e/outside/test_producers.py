"""Producers that know nothing of Maestro: JSON and Avro, with any key and partition, are answered once."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas import ids
from schemas.lists import Role, RunStatus
from schemas.partition import partition_of
from schemas.topics import USER_MESSAGES
from tests.fleet.messages import messages_of
from tests.fleet.outside import Outside
from tests.fleet.runs import sink_is_level

AVRO = Path(__file__).parents[3] / "schemas" / "avro"
ANSWER_LIMIT_S = 20.0


def as_json(session_id: str) -> bytes:
    """What the README shows."""
    return json.dumps({"session_id": session_id, "user_id": "alice", "content": "hello"}).encode()


def as_avro(session_id: str) -> bytes:
    """The Confluent framing, made by hand from the committed schema and its committed id."""
    schema: dict[str, Any] = json.loads((AVRO / "user-messages.avsc").read_text())
    identity: int = json.loads((AVRO / "ids.json").read_text())["user-messages"]["1"]
    message = {field["name"]: None for field in schema["fields"]}
    message |= {"session_id": session_id, "user_id": "alice", "content": "hello"}
    datum = BytesIO()
    schemaless_writer(datum, parse_schema(schema), message)
    return b"\x00" + identity.to_bytes(4, "big") + datum.getvalue()


async def is_answered_once(outside: Outside, session_id: str, message_id: str) -> None:
    """Check `runs`, `messages` and the record."""
    fleet = outside.fleet
    await outside.runs.wait([message_id], within_s=ANSWER_LIMIT_S)
    run = outside.runs.by_message[message_id]
    assert (run.status, run.session_id, run.output) == (RunStatus.COMPLETED, session_id, "You said: hello")
    spoken = await messages_of(fleet, session_id, count=2, within_s=ANSWER_LIMIT_S)
    assert [(each.role, each.content) for each in spoken] == [
        (Role.USER, "hello"),
        (Role.ASSISTANT, "You said: hello"),
    ]
    await sink_is_level(fleet, within_s=ANSWER_LIMIT_S)
    runs = await fleet.database.fetch("select id, status from runs where session_id = $1", session_id)
    assert [(str(row["id"]), row["status"]) for row in runs] == [(run.id, "completed")]
    told = await fleet.database.fetch(
        "select role, content from messages where session_id = $1 order by sequence_order", session_id
    )
    assert [(row["role"], row["content"]) for row in told] == [
        ("user", "hello"),
        ("assistant", "You said: hello"),
    ]


@pytest.mark.parametrize("encode", [as_json, as_avro])
@pytest.mark.parametrize("choice", ["its own partitioner", "a wrong partition", "a wrong key", "no key"])
async def test_a_stock_producer_is_answered(outside: Outside, encode: Any, choice: str) -> None:
    session_id = ids.new_id()
    key = {"no key": None, "a wrong key": b"orders"}.get(choice, session_id.encode())
    partitions = outside.fleet.topics.partitions
    wrong = (partition_of(session_id, partitions) + 1) % partitions
    place = await outside.producer.send(
        USER_MESSAGES, encode(session_id), key=key, partition=wrong if choice == "a wrong partition" else -1
    )
    message_id = ids.event_id(USER_MESSAGES.name, place.partition, place.offset)
    await is_answered_once(outside, session_id, message_id)
