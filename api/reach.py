"""Which sessions a caller reaches now: those of the record, as far as the caller's own writes are in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from api.auth.caller import Caller, CallerIs
from api.edge import Edge, EdgeIs
from api.problems import not_found, unavailable
from bus.agents_table import LOOKUP_LIMIT_S
from schemas.errors import TransientError
from stores.postgres.web_rows import SessionDetail
from stores.redis.edge import Arrived, Write

BEHIND = "Maestro-Behind"
"""Header of an answer that may lack what the same caller wrote before, or that still has what they erased."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a route asks before it reads: by whom, of what, and what the answer's headers must say."""

    edge: Edge
    caller: Caller
    response: Response
    arrived: Arrived | None
    """What Redis said when the request came, of what its caller has changed before; None when it did not."""

    async def catch_up(self, session_id: str | None = None) -> bool:
        """Wait until the record has what the caller wrote, in this session or anywhere.

        False: it is behind after the limit, and the answer says so in a header.
        """
        try:
            is_seen = await self.edge.live.own_writes.seen(self.caller.user_id, session_id, self.writes)
        except TransientError:
            # Without Redis nobody knows what was written; the record can be read all the same.
            is_seen = False
        if not is_seen:
            self.say_behind()
        return is_seen

    def say_behind(self) -> None:
        """Say in a header that the answer may lack what the caller has written."""
        self.response.headers[BEHIND] = "true"

    @property
    def writes(self) -> Sequence[Write] | None:
        """What the caller had published when the request came; None when that has to be asked for."""
        return None if self.arrived is None else self.arrived.writes

    def erased(self) -> frozenset[str]:
        """Return the sessions whose erasure the caller was promised, recorded or not yet."""
        if self.arrived is None:
            self.say_behind()
            return frozenset()
        return self.arrived.erased

    async def session(self, session_id: str) -> SessionDetail:
        """Return the session as the caller left it.

        Raises:
            Problem: 404; it is unknown, erased or another user's. 503; the caller has written to it, and the
                record does not have it yet.
            TransientError: the record cannot be reached.

        """
        if session_id in self.erased():
            raise not_found("session", session_id)
        is_seen = await self.catch_up(session_id)
        row = await self.edge.web.session(self.caller.user_id, session_id)
        if row is not None:
            return row
        if is_seen:
            raise not_found("session", session_id)
        raise unavailable(f"session {session_id} is not in the record yet; try again in a moment")


async def catch_up_on_agents(reach: Reach) -> None:
    """Return when the agents in memory are as the caller left them.

    Agents are read from their topic, not from the record. Redis has told where in it the caller has published
    lately; only where it did not is the broker asked where the topic ends.

    Raises:
        TransientError: not within the limit.

    """
    agents = reach.edge.agents
    if reach.arrived is None:
        await agents.barrier(LOOKUP_LIMIT_S)
    else:
        await agents.reached(reach.arrived.agents, reach.edge.settings.read_wait_s)


async def _reach(request: Request, edge: EdgeIs, caller: CallerIs, response: Response) -> Reach:
    # Noted by the guards (see api/guards.py), without whom no route is served.
    return Reach(edge, caller, response, request.state.arrived)


ReachIs = Annotated[Reach, Depends(_reach)]
