"""The client's fetch request and its answer at a tenth of the cost: both name every partition, every time."""

from typing import Any

from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import FetchRequest

from bus.fetch import Parts, Wanted, request_of

_UNKNOWN = None


class Answer(Parts):
    """What the broker answered, in the form that the client's fetcher reads."""

    @property
    def topics(self) -> list[tuple[str, list[tuple[Any, ...]]]]:
        """The partitions about which there is something to say: an error, or messages.

        The client would note of all others how far they reach, and nobody asks.
        """
        return [
            (topic, [(partition, error, _UNKNOWN, _UNKNOWN, _UNKNOWN, None, batches)])
            for (topic, partition), error, batches in self.parts
        ]


class _Written(Wanted):
    RESPONSE_TYPE = Answer


class FetchOnce(Request[_Written]):
    """A fetch request of the client, to be sent in version 10, without a fetch session."""

    API_KEY = 1

    def __init__(self, request: FetchRequest) -> None:
        self.topics = request.topics
        """Partitions with their offsets and most bytes, with which the fetcher compares the answer."""
        # The request keeps them to itself; a test guards the names.
        self._most_bytes: int = request._max_bytes  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        self._wait_ms: int = request._max_wait_ms  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def build(self, request_struct_class: type[_Written]) -> _Written:
        """Return the request as it is sent."""
        topics = self.topics
        positions = {
            (topic, partition): offset for topic, wanted in topics for partition, offset, _ in wanted
        }
        written = request_of(
            positions, wait_ms=self._wait_ms, most_bytes=self._most_bytes, partition_bytes=topics[0][1][0][2]
        )
        return request_struct_class(written)
