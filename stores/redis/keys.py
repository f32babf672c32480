"""Names of the keys: each carries its partition's hash tag, so that one script may touch several of them."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Keys:
    """The key names of one installation; `prefix` comes before everything."""

    prefix: str

    def _key(self, partition: int, kind: str, name: str = "") -> bytes:
        return _beginning(self.prefix, partition, kind) + name.encode()

    def epoch(self, partition: int) -> bytes:
        """Marker of the epoch that the partition's data belongs to."""
        return self._key(partition, "epoch")

    def context(self, partition: int, session_id: str) -> bytes:
        """A session's context with its outbox."""
        return self._key(partition, "context:", session_id)

    def token(self, partition: int, session_id: str) -> bytes:
        """Token of the last one who found the context absent."""
        return self._key(partition, "token:", session_id)

    def timers(self, partition: int) -> bytes:
        """Sorted set of the partition's timers by due time and kind."""
        return self._key(partition, "timers")

    def armed(self, partition: int) -> bytes:
        """The epoch whose timers are complete."""
        return self._key(partition, "armed")

    def step(self, partition: int, step_id: str) -> bytes:
        """Journal entry of a step."""
        return self._key(partition, "step:", step_id)

    def feed(self, partition: int, session_id: str) -> bytes:
        """Live feed of a session."""
        return self._key(partition, "feed:", session_id)


@cache
def _beginning(prefix: str, partition: int, kind: str) -> bytes:
    # A few kinds for each partition: every command needs two to six of them.
    return f"{prefix}{{t{partition:02d}}}:{kind}".encode()
