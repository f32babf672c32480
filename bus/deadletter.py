"""Dead letters: messages that cannot be processed, kept whole with the reason, ready to be driven again."""

from collections.abc import Sequence
from typing import Protocol

from bus.names import TopicNames
from bus.publisher import MAX_RECORD_BYTES, Delivery
from schemas.lists import DeadLetterReason
from schemas.topics import DEAD_LETTERS, MAX_VALUE_BYTES
from telemetry import metrics
from telemetry.logs import logger

PREFIX = "__connect.errors."
"""Names of Kafka Connect's own dead-letter headers, so that its tools read ours."""

REASON = "maestro.reason"
TRUNCATED = "maestro.truncated_from_bytes"
HEADERS_DROPPED = "maestro.headers_dropped"

_MAX_MESSAGE_CHARACTERS = 2_000
_MAX_HEADER_BYTES = MAX_RECORD_BYTES - MAX_VALUE_BYTES - 32_768
"""Room for the original headers beside the largest value, a key, and our own headers."""

_log = logger(__name__)


class Sender(Protocol):
    """What dead letters need of a publisher."""

    async def send_raw(
        self,
        topic: str,
        *,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> Delivery:
        """Publish bytes as they are."""
        ...


class DeadLetters:
    """Puts messages on the dead-letter topic, in the partition number that they came from."""

    def __init__(self, sender: Sender, names: TopicNames) -> None:
        self._sender = sender
        self._names = names

    async def put(
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        reason: DeadLetterReason,
        message: str,
        stage: str,
    ) -> None:
        """Keep a message with its original key, value and headers and return when the broker has it.

        `topic` is the full name, `message` says what is wrong, `stage` names the program that refused.
        A value larger than any message may be is cut, and a header says so; its place names the original.

        Raises:
            TransientError: no acknowledgement in time; put it again.
            FatalError: the publisher cannot go on.

        """
        kept = value if value is None else value[:MAX_VALUE_BYTES]
        ours = _reasons(
            topic=topic, partition=partition, offset=offset, reason=reason, message=message, stage=stage
        )
        if value is not None and kept is not None and len(kept) < len(value):
            ours.append((TRUNCATED, str(len(value)).encode()))
        theirs = without_reasons(headers)
        if sum(len(name) + len(content or b"") for name, content in theirs) > _MAX_HEADER_BYTES:
            theirs = []
            ours.append((HEADERS_DROPPED, b"true"))
        _ = await self._sender.send_raw(
            self._names.full(DEAD_LETTERS),
            partition=partition,
            key=None if key is None else key[:16_384],
            # Kafka takes a message without key and value, the client does not.
            value=b"" if key is None and kept is None else kept,
            headers=[*theirs, *ours],
        )
        metrics.DEAD_LETTERS.labels(topic, reason.value).inc()
        _log.warning(
            "message kept as dead letter",
            topic=topic,
            partition=partition,
            offset=offset,
            reason=reason.value,
            stage=stage,
        )


def _reasons(
    *, topic: str, partition: int, offset: int, reason: DeadLetterReason, message: str, stage: str
) -> list[tuple[str, bytes | None]]:
    return [
        (f"{PREFIX}topic", topic.encode()),
        (f"{PREFIX}partition", str(partition).encode()),
        (f"{PREFIX}offset", str(offset).encode()),
        (f"{PREFIX}connector.name", b"maestro"),
        (f"{PREFIX}task.id", b"0"),
        (f"{PREFIX}stage", stage.encode()),
        (f"{PREFIX}class.name", stage.encode()),
        (f"{PREFIX}exception.class.name", reason.value.encode()),
        (f"{PREFIX}exception.message", message[:_MAX_MESSAGE_CHARACTERS].encode(errors="replace")),
        (REASON, reason.value.encode()),
    ]


def without_reasons(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """Return headers without those that say why a message became a dead letter: its producer's own. Pure."""
    # Also for new letters: headers of an old one may have been copied, and only the last reasons count.
    return [
        (name, content)
        for name, content in headers
        if not name.startswith(PREFIX) and name not in {REASON, TRUNCATED, HEADERS_DROPPED}
    ]
