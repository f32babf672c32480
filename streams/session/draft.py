"""A log entry before it has its place in the session: what happened, without number and hash."""

from msgspec import Struct

from schemas.lists import Action
from streams.session.payloads import Payload


class Draft(Struct, frozen=True, kw_only=True, gc=False):
    """What a decision wants to log."""

    action: Action
    payload: Payload
    run_id: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    success: bool = True
