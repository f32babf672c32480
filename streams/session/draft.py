"""A log entry before it has its place in the session: what happened, without number and hash."""

from dataclasses import dataclass

from schemas.lists import Action
from streams.session.payload_text import text_of
from streams.session.payloads import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a decision wants to log."""

    action: Action
    payload: Payload
    run_id: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    success: bool = True

    @property
    def payload_text(self) -> str:
        """The payload as canonical JSON."""
        return text_of(self.payload)
