"""The table of who may reach what: every route of the application has a line here, or a test fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

PATH, QUERY, BODY = "path", "query", "body"


@dataclass(frozen=True)
class Place:
    """Where a request names an id of some kind, and what malformed ones are answered."""

    where: str
    name: str
    kind: str
    malformed: int = 422


@dataclass(frozen=True)
class Line:
    """What holds for one route."""

    places: tuple[Place, ...] = ()
    """Where ids stand."""
    own: frozenset[int] = frozenset({200})
    """How the owner is answered; empty: the answer has no end, and other tests look at it."""
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    foreign: int = 404
    """How ids that are no business of the caller's are answered."""
    is_public: bool = False
    """Whether it is served without a token: it must have nothing of any user."""
    says_mark: bool = False
    """Whether the owner's answer has what is theirs: then nothing else could have hidden it from others."""


SESSION = Place(PATH, "session_id", "session")
AGENT = Place(PATH, "agent_id", "agent", malformed=404)
RUN = Place(PATH, "run_id", "run")

PUBLIC = Line(is_public=True)

_LINES: dict[tuple[str, str], Line] = {
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/live"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/registry/schemas/ids/{number}"): PUBLIC,
    ("GET", "/registry/schemas/ids/{number}/versions"): PUBLIC,
    ("GET", "/registry/subjects"): PUBLIC,
    ("GET", "/registry/subjects/{subject}/versions"): PUBLIC,
    ("GET", "/registry/subjects/{subject}/versions/{version}"): PUBLIC,
    ("GET", "/chat-sessions/"): Line(
        places=(Place(QUERY, "agent_id", "agent", malformed=200),), foreign=200, says_mark=True
    ),
    ("POST", "/chat-sessions/"): Line(
        places=(Place(BODY, "agent_id", "agent", malformed=404),),
        own=frozenset({201}),
        body={"title": "mine"},
    ),
    ("GET", "/chat-sessions/{session_id}"): Line(places=(SESSION,), says_mark=True),
    ("PUT", "/chat-sessions/{session_id}"): Line(
        places=(SESSION,), body={"title": "changed", "status": "archived"}
    ),
    ("DELETE", "/chat-sessions/{session_id}"): Line(places=(SESSION,), own=frozenset({204})),
    ("GET", "/chat-sessions/{session_id}/messages"): Line(places=(SESSION,), says_mark=True),
    ("GET", "/chat-sessions/{session_id}/cost"): Line(places=(SESSION,)),
    ("GET", "/chat-sessions/{session_id}/runs"): Line(places=(SESSION,), says_mark=True),
    ("POST", "/chat-sessions/{session_id}/messages"): Line(
        places=(SESSION,), own=frozenset({202}), body={"message": "hello"}
    ),
    ("GET", "/chat-sessions/{session_id}/events"): Line(
        places=(SESSION, Place(QUERY, "run_id", "run")), own=frozenset()
    ),
    ("POST", "/agents/{agent_id}/run"): Line(
        places=(AGENT, Place(BODY, "session_id", "session")),
        own=frozenset({202}),
        body={"message": "hello", "wait_seconds": 0},
    ),
    ("GET", "/runs/{run_id}"): Line(places=(RUN,), says_mark=True),
    ("POST", "/runs/{run_id}/cancel"): Line(places=(RUN,), body={"reason": "enough"}),
    ("GET", "/tasks/{task_id}/audit-trail"): Line(places=(Place(PATH, "task_id", "task"),), says_mark=True),
    ("GET", "/tool-calls/{tool_call_id}/context"): Line(
        places=(Place(PATH, "tool_call_id", "tool call", malformed=404),), says_mark=True
    ),
    ("GET", "/users/me/usage"): Line(query={"since": "2026-11-01", "until": "2026-11-30"}),
    ("GET", "/agents/"): Line(says_mark=True),
    ("POST", "/agents/"): Line(own=frozenset({201}), body={"name": "one more"}),
    ("GET", "/agents/{agent_id}"): Line(places=(AGENT,), says_mark=True),
    ("PUT", "/agents/{agent_id}"): Line(places=(AGENT,), body={"name": "changed"}),
    ("DELETE", "/agents/{agent_id}"): Line(places=(AGENT,), own=frozenset({204})),
}

LINES: Mapping[tuple[str, str], Line] = MappingProxyType(_LINES)
