"""Which sessions a caller reaches now: those of the record, as far as the caller's own writes are in it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Response

from api.auth.caller import Caller, CallerIs
from api.edge import Edge, EdgeIs
from api.own_writes import erased_by
from api.problems import not_found, unavailable
from api.publishing import seen
from schemas.errors import TransientError
from stores.postgres.web_rows import SessionDetail

BEHIND = "Maestro-Behind"
"""Header of an answer that may lack what the same caller wrote before, or that still has what they erased."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a route asks before it reads: by whom, of what, and what the answer's headers must say."""

    edge: Edge
    caller: Caller
    response: Response

    async def catch_up(self, session_id: str | None = None) -> bool:
        """Wait until the record has what the caller wrote, in this session or anywhere.

        False: it is behind after the limit, and the answer says so in a header.
        """
        try:
            is_seen = await seen(self.edge, self.caller, session_id)
        except TransientError:
            # Without Redis nobody knows what was written; the record can be read all the same.
            is_seen = False
        if not is_seen:
            self.response.headers[BEHIND] = "true"
        return is_seen

    async def erased(self) -> frozenset[str]:
        """Return the sessions whose erasure the caller was promised, recorded or not yet."""
        try:
            writes = await self.edge.redis.writes(self.caller.user_id)
        except TransientError:
            self.response.headers[BEHIND] = "true"
            return frozenset()
        return erased_by(writes)

    async def session(self, session_id: str) -> SessionDetail:
        """Return the session as the caller left it.

        Raises:
            Problem: 404; it is unknown, erased or another user's. 503; the caller has written to it, and the
                record does not have it yet.
            TransientError: the record cannot be reached.

        """
        if session_id in await self.erased():
            raise not_found("session", session_id)
        is_seen = await self.catch_up(session_id)
        row = await self.edge.web.session(self.caller.user_id, session_id)
        if row is not None:
            return row
        if is_seen:
            raise not_found("session", session_id)
        raise unavailable(f"session {session_id} is not in the record yet; try again in a moment")


def _reach(edge: EdgeIs, caller: CallerIs, response: Response) -> Reach:
    return Reach(edge, caller, response)


ReachIs = Annotated[Reach, Depends(_reach)]
