"""Whose sessions are, as one process was told: that never changes, so it is asked once."""

from typing import Final

_REMEMBERED: Final = 65_536


class Owners:
    """The owners of the sessions that were asked for last."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def is_known(self, session_id: str, user_id: str) -> bool:
        """Whether the session is known to be the user's."""
        return self._owners.get(session_id) == user_id

    def learn(self, session_id: str, user_id: str) -> None:
        """Keep whose a session is; the ones that were learnt first go first."""
        self._owners[session_id] = user_id
        if len(self._owners) > _REMEMBERED:
            del self._owners[next(iter(self._owners))]
