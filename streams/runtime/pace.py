"""How long messages gather before they are fetched: not at all while they come one after another. Pure."""

_MEMORY_S = 0.25
"""Over how long the rate of messages is looked at."""
_CALM_PER_S = 100.0
"""Messages a second that are worth no wait: a few sessions that talk at the same time."""
_REST_PER_MESSAGE_S = 0.00015
_LONGEST_REST_S = 0.025
"""Seconds. A fetch names every partition and costs as much for one message as for a hundred; what is taken
together shares a wake-up of both threads, a round trip to Redis and a batch to Kafka."""


class Pace:
    """Follows takes of messages; times are seconds of one monotonic clock.

    Only messages in company count: one that was taken alone while no step was in flight waited for an answer
    to the one before it, however fast such messages follow each other. To let it wait would gather nothing.
    """

    def __init__(self) -> None:
        self._in_company = 0.0
        """Messages in company, those of `_MEMORY_S` ago counted by a third."""
        self._seen_s = 0.0
        self._fetch_at_s = 0.0

    def took(self, messages: int, in_flight: int, now_s: float) -> None:
        """Note a take of at least one message, with the steps that were in flight when it came."""
        faded = max(0.0, 1.0 - (now_s - self._seen_s) / _MEMORY_S) if self._seen_s else 0.0
        self._in_company = self._in_company * faded + (messages if messages + in_flight > 1 else 0)
        self._seen_s = now_s
        if now_s >= self._fetch_at_s:
            rate = self._in_company / _MEMORY_S
            self._fetch_at_s = now_s + min(
                _LONGEST_REST_S, max(0.0, rate - _CALM_PER_S) * _REST_PER_MESSAGE_S
            )

    def rest_s(self, now_s: float) -> float:
        """Return the seconds until the next fetch."""
        return max(0.0, self._fetch_at_s - now_s)
