"""What answers about sessions and messages look like, and how rows of the record become them. Pure."""

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.pages import Pagination
from api.parameters import Title
from schemas.fields import Name
from schemas.lists import Role, SessionStatus
from schemas.records import SessionCommand
from stores.postgres.web_rows import MessageRow, SessionRow
from stores.postgres.web_rows import SessionDetail as SessionWhole

Status = Literal["active", "archived"]
"""Whether the owner put a session away. Its life cycle is `state`."""

_ID = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"
NEW_TITLE = "New session"
"""Title of a session that was made without one: the session step gives the same."""


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class Asked(BaseModel):
    """The body of a request: no member that nobody reads. What is null is what is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SessionItem(Shape):
    """A session in a list."""

    id: str = Field(examples=[_ID])
    title: str = Field(description="On one line.", examples=["Sales of last week"])
    last_message: str | None = Field(description="Start of the newest message.", examples=["There are 42."])
    messages_count: int = Field(description="Entries of the conversation.", examples=[2])
    updated_at: datetime
    status: Status = Field(description="Whether it was put away.")
    agent_id: str | None = Field(
        description="Agent that answers by default; null for the default agent.", examples=["assistant"]
    )


class SessionList(Shape):
    """A page of sessions, the one with the newest activity first."""

    sessions: tuple[SessionItem, ...]
    pagination: Pagination


class SessionDetail(Shape):
    """A session as it stands, without its messages."""

    id: str = Field(examples=[_ID])
    user_id: str = Field(description="Its owner: you.", examples=["alice"])
    agent_id: str | None = Field(
        description="Agent that answers by default; null for the default agent.", examples=["assistant"]
    )
    title: str = Field(examples=["Sales of last week"])
    created_at: datetime
    last_activity: datetime = Field(description="When somebody or something last acted in it.")
    total_messages: int = Field(examples=[2])
    status: Status = Field(description="Whether it was put away.")
    state: SessionStatus = Field(description="Life cycle of its context; a message brings it back to active.")
    context_summary: str = Field(description="What the older messages said; empty while none is summarized.")
    last_message: str | None = Field(description="Start of the newest message.")


class NewSession(Asked):
    """What a new session shall be; all of it may be left out."""

    agent_id: Annotated[Name, Field(examples=["assistant"])] | None = None
    title: Title | None = None


class SessionChange(Asked):
    """What shall change of a session; what is left out stays."""

    title: Title | None = None
    status: Status | None = Field(
        default=None, description="`archived` puts it away, `active` brings it back."
    )


class MessageItem(Shape):
    """One entry of a conversation."""

    id: str = Field(examples=[_ID])
    chat_session_id: str = Field(examples=[_ID])
    run_id: str | None = Field(description="Run that it belongs to.", examples=[_ID])
    role: Role
    content: str = Field(examples=["There are 42."])
    sql_query: str | None = Field(description="SQL that the answer rests on; of the assistant only.")
    created_at: datetime
    sequence_order: int = Field(description="Place in the conversation, from 1.", examples=[2])
    message_metadata: JsonValue = Field(
        description="JSON object kept with it; `stage` names the step of the chain."
    )


class SessionInfo(Shape):
    """The session that messages belong to."""

    id: str = Field(examples=[_ID])
    title: str = Field(examples=["Sales of last week"])
    total_messages: int = Field(examples=[2])


class MessageList(Shape):
    """A page of a conversation, the oldest entry first."""

    messages: tuple[MessageItem, ...]
    pagination: Pagination
    session_info: SessionInfo


class Cursor(Shape):
    """Where a reader goes on."""

    after: int = Field(
        description="Place of the last entry given: the `after` of the next call.", examples=[20]
    )
    limit: int = Field(description="Most entries of an answer.", examples=[20])
    has_more: bool = Field(description="Whether more entries are there already.", examples=[False])


class MessageSlice(Shape):
    """The entries of a conversation after a place, the oldest first."""

    messages: tuple[MessageItem, ...]
    cursor: Cursor
    session_info: SessionInfo


def status_of(*, archived: bool) -> Status:
    """Return the status that stands for the record's flag."""
    return "archived" if archived else "active"


def session_item(row: SessionRow) -> SessionItem:
    """Return a session as lists show it."""
    return SessionItem(
        id=row.id,
        title=row.title,
        last_message=row.last_message,
        messages_count=row.total_messages,
        updated_at=row.updated_at,
        status=status_of(archived=row.archived),
        agent_id=row.agent_id,
    )


def session_detail(row: SessionWhole) -> SessionDetail:
    """Return a session as it stands."""
    return SessionDetail(
        id=row.id,
        user_id=row.user_id,
        agent_id=row.agent_id,
        title=row.title,
        created_at=row.created_at,
        last_activity=row.last_activity,
        total_messages=row.total_messages,
        status=status_of(archived=row.archived),
        state=SessionStatus(row.status),
        context_summary=row.context_summary,
        last_message=row.last_message,
    )


def session_to_be(command: SessionCommand, asked: NewSession, now: datetime) -> SessionDetail:
    """Return the session that a command will make, as the record will show it."""
    return SessionDetail(
        id=command.session_id,
        user_id=command.user_id,
        agent_id=asked.agent_id,
        title=asked.title or NEW_TITLE,
        created_at=now,
        last_activity=now,
        total_messages=0,
        status="active",
        state=SessionStatus.ACTIVE,
        context_summary="",
        last_message=None,
    )


def session_info(row: SessionRow) -> SessionInfo:
    """Return what is said of a session beside its messages."""
    return SessionInfo(id=row.id, title=row.title, total_messages=row.total_messages)


def message_item(row: MessageRow) -> MessageItem:
    """Return an entry of a conversation."""
    return MessageItem(
        id=row.id,
        chat_session_id=row.session_id,
        run_id=row.run_id,
        role=Role(row.role),
        content=row.content,
        sql_query=row.sql_query,
        created_at=row.timestamp,
        sequence_order=row.sequence_order,
        message_metadata=json_of(row.metadata),
    )


def json_of(text: str | None) -> Any:
    """Return the value of JSON text of the record; None for none."""
    return None if text is None else orjson.loads(text)
