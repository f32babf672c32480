"""Whose sessions are, as one process was told: that never changes, but for sessions that are erased."""

from collections.abc import Callable
from time import monotonic
from typing import Final

_REMEMBERED: Final = 65_536


class Owners:
    """The owners of the sessions that were asked for last, each for `keep_s` seconds.

    Shorter than the note of an erasure is kept (see own_writes.py): so who erased a session is never taken
    for its owner, whichever process they were known to.
    """

    def __init__(self, keep_s: float, *, now: Callable[[], float] = monotonic) -> None:
        self._keep_s = keep_s
        self._now = now
        self._owners: dict[str, tuple[str, float]] = {}

    def is_known(self, session_id: str, user_id: str) -> bool:
        """Whether the session is known to be the user's."""
        owner, until_s = self._owners.get(session_id, ("", 0.0))
        return owner == user_id and self._now() < until_s

    def learn(self, session_id: str, user_id: str) -> None:
        """Keep whose a session is; the ones that were learnt first go first."""
        self._owners[session_id] = (user_id, self._now() + self._keep_s)
        if len(self._owners) > _REMEMBERED:
            del self._owners[next(iter(self._owners))]
