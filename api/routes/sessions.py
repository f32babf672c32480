"""`/chat-sessions/`: list, make, look at, change and erase the caller's sessions."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.accepting import check_agent
from api.edge import TraceIs
from api.pages import PagingOfSessions
from api.parameters import Left, SessionId
from api.problems import Problem
from api.publishing import publish_command
from api.reach import Reach, ReachIs
from api.shapes import (
    NewSession,
    SessionChange,
    SessionDetail,
    SessionList,
    Status,
    session_detail,
    session_item,
    session_to_be,
    status_of,
)
from schemas import ids
from schemas.errors import ErrorCode
from schemas.fields import Name, Text
from schemas.lists import CommandKind
from schemas.records import SessionCommand
from telemetry.tracing import Trace

router = APIRouter(prefix="/chat-sessions", tags=["sessions"])

_MOST_MESSAGES = 2**31 - 1
_SEARCH_CHARS = 200

OfAgent = Annotated[
    Name | Left, Query(description="Only those that this agent answers by default.", examples=["assistant"])
]
WithStatus = Annotated[Status, Query(description="Those in use, or those that were put away.")]
InTitle = Annotated[
    Annotated[Text, Field(max_length=_SEARCH_CHARS)] | Left,
    Query(
        description="A part of the title, in upper or lower case; no character of it has a meaning.",
    ),
]
LeastMessages = Annotated[
    Annotated[int, Field(ge=0, le=_MOST_MESSAGES)] | Left,
    Query(description="Only those with at least so many messages."),
]


@router.get("/")
async def list_sessions(
    *,
    reach: ReachIs,
    paging: PagingOfSessions,
    agent_id: OfAgent = None,
    status: WithStatus = "active",
    search: InTitle = None,
    min_messages: LeastMessages = None,
) -> SessionList:
    """List your sessions, the one with the newest activity first."""
    erased = reach.erased()
    _ = await reach.catch_up()
    rows, total = await reach.edge.web.sessions(
        reach.caller.user_id,
        page=paging.page,
        per_page=paging.per_page,
        agent_id=agent_id,
        archived=status == "archived",
        search=search,
        min_messages=min_messages,
    )
    kept = [row for row in rows if row.id not in erased]
    gone = len(rows) - len(kept)
    return SessionList(sessions=tuple(map(session_item, kept)), pagination=paging.of(total - gone))


@router.post("/", status_code=HTTPStatus.CREATED)
async def create_session(asked: NewSession, reach: ReachIs, trace: TraceIs) -> SessionDetail:
    """Make a session before its first message. A message to an agent makes one by itself, too."""
    if asked.agent_id is not None:
        await _check_agent(reach, asked.agent_id)
    values = {"title": asked.title, "agent_id": asked.agent_id}
    given = {name: value for name, value in values.items() if value is not None}
    command = _command(reach, CommandKind.CREATE, ids.new_id(), payload=given)
    await publish_command(reach.edge, reach.caller, command, trace=trace)
    reach.response.headers["Location"] = f"/chat-sessions/{command.session_id}"
    return session_to_be(command, asked, datetime.now(UTC))


@router.get("/{session_id}")
async def get_session(session_id: SessionId, reach: ReachIs) -> SessionDetail:
    """Look at one of your sessions."""
    return session_detail(await reach.session(session_id))


@router.put("/{session_id}")
async def change_session(
    session_id: SessionId, asked: SessionChange, reach: ReachIs, trace: TraceIs
) -> SessionDetail:
    """Give one of your sessions another title, put it away (it takes no messages then) or bring it back."""
    row = await reach.session(session_id)
    if asked.title is not None and asked.title != row.title:
        await _send(reach, CommandKind.CONFIGURE, session_id, trace, payload={"title": asked.title})
        row = replace(row, title=asked.title)
    if asked.status is not None and asked.status != status_of(archived=row.archived):
        archived = asked.status == "archived"
        kind = CommandKind.ARCHIVE if archived else CommandKind.UNARCHIVE
        await _send(reach, kind, session_id, trace)
        row = replace(row, archived=archived)
    return session_detail(row)


@router.delete("/{session_id}", status_code=HTTPStatus.NO_CONTENT)
async def erase_session(session_id: SessionId, reach: ReachIs, trace: TraceIs) -> Response:
    """Erase one of your sessions for good; its runs are cancelled. From now on it is unknown to you."""
    _ = await reach.session(session_id)
    await _send(reach, CommandKind.ERASE, session_id, trace)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _check_agent(reach: Reach, agent_id: str) -> None:
    agent = await check_agent(reach, agent_id)
    if agent.session_id is not None:
        detail = f"agent {agent_id} serves one session that is there; name another one"
        raise Problem(HTTPStatus.CONFLICT, ErrorCode.UNKNOWN_AGENT, detail)


def _command(
    reach: Reach, kind: CommandKind, session_id: str, *, payload: dict[str, str] | None = None
) -> SessionCommand:
    return SessionCommand(
        id=ids.new_id(),
        session_id=session_id,
        user_id=reach.caller.user_id,
        kind=kind,
        payload=None if payload is None else orjson.dumps(payload).decode(),
    )


async def _send(
    reach: Reach,
    kind: CommandKind,
    session_id: str,
    trace: Trace,
    *,
    payload: dict[str, str] | None = None,
) -> None:
    command = _command(reach, kind, session_id, payload=payload)
    await publish_command(reach.edge, reach.caller, command, trace=trace)
