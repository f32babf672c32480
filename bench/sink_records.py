"""What the sink's benchmark publishes: a backlog of messages, and runs as the session step records them."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from bus.codec import Codec
from schemas import examples
from schemas.records import LogEntry, Record

VALUE_BYTES = 620
REPEATED_SHARE = 0.02
_PLACEHOLDER = "00000000-0000-4000-8000-000000000000"
_LOGS_OF_RUN = 4
_VERSIONS_OF_RUN = {"session": 4, "task": 2, "run": 3}
_MESSAGES_OF_RUN = 4

RECORDS_OF_RUN = _LOGS_OF_RUN + sum(_VERSIONS_OF_RUN.values()) + _MESSAGES_OF_RUN + 4
"""Log records, states, messages, two generations, a tool call and its result."""


def backlog(codec: Codec, number: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of `number` conversation messages of 620 bytes; 2 % repeat an earlier id."""
    empty = examples.CONVERSATION_MESSAGE.model_copy(
        update={"id": _PLACEHOLDER, "session_id": _PLACEHOLDER, "content": ""}
    )
    room = VALUE_BYTES - len(codec.encode(empty)) - 1
    template = codec.encode(empty.model_copy(update={"content": "x" * room}))
    every = round(1 / REPEATED_SHARE)
    last = b""
    for place in range(number):
        if place % every or not last:
            last = str(uuid.uuid4()).encode()
        yield last, template.replace(_PLACEHOLDER.encode(), last)


@dataclass(slots=True)
class Sessions:
    """Sessions that go on and on: their logs have no holes and their states ever greater versions."""

    ids: tuple[str, ...]
    sequences: dict[str, int]
    turns: dict[str, asyncio.Lock]
    """Held while a session's run is published: its log is read in order."""

    @classmethod
    def made(cls, number: int) -> "Sessions":
        """Return `number` new sessions."""
        ids = tuple(str(uuid.uuid4()) for _ in range(number))
        return cls(ids, dict.fromkeys(ids, 0), {name: asyncio.Lock() for name in ids})

    def run(self, session_id: str) -> list[Record]:
        """Return the records of one more run of a session, in the order of their log entries."""
        own = {"session_id": session_id, "run_id": str(uuid.uuid4())}
        ids, versions = (str(uuid.uuid4()) for _ in count()), count(self.sequences[session_id] + 1)
        records: list[Record] = [self._log(session_id) for _ in range(_LOGS_OF_RUN)]
        records += [
            examples.CONVERSATION_MESSAGE.model_copy(update={**own, "id": next(ids)})
            for _ in range(_MESSAGES_OF_RUN)
        ]
        records += [examples.GENERATION.model_copy(update={**own, "id": next(ids)}) for _ in range(2)]
        call = next(ids)
        records.append(examples.TOOL_CALL.model_copy(update={**own, "id": call}))
        records.append(examples.TOOL_RESULT.model_copy(update={**own, "id": next(ids), "tool_call_id": call}))
        states = {
            "session": (examples.SESSION, {"id": session_id}),
            "task": (examples.TASK, {"id": session_id, "session_id": session_id}),
            "run": (examples.RUN, {"id": own["run_id"], "session_id": session_id}),
        }
        for name, (example, identity) in states.items():
            records += [
                example.model_copy(update={**identity, "version": next(versions)})
                for _ in range(_VERSIONS_OF_RUN[name])
            ]
        return records

    def _log(self, session_id: str) -> Record:
        sequence = self.sequences[session_id] + 1
        self.sequences[session_id] = sequence
        entry: LogEntry = examples.TASK_LOGS.entries[0].model_copy(
            update={
                "id": str(uuid.uuid4()),
                "sequence": sequence,
                "previous_hash": _hash(sequence - 1),
                "hash": _hash(sequence),
            }
        )
        own = {"session_id": session_id, "term": 0, "fence_previous": None, "entries": (entry,)}
        return examples.TASK_LOGS.model_copy(update=own)


def _hash(sequence: int) -> str:
    return f"{sequence:064x}" if sequence else ""
