"""What the record answers to applications: rows of lists and of usage, and pages of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from stores.postgres.pool import Row
from stores.postgres.rows import values_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as lists show it. Named as the columns of `sessions`; times are aware."""

    id: str
    task_id: str
    user_id: str
    agent_id: str | None
    title: str
    status: str
    """Life cycle of its context: active, idle or expired."""
    archived: bool
    created_at: datetime
    updated_at: datetime
    last_activity: datetime
    total_messages: int
    last_message: str | None
    partition: int
    version: int
    """Sequence of the log entry that the row comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDetail(SessionRow):
    """A session with what lists leave out."""

    context_summary: str
    project_context: str
    """JSON object."""
    working_directory: str | None
    preferences: str
    """JSON object."""
    ttl_seconds: int
    metadata: str
    """JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One entry of a conversation. Named as the columns of `messages`; JSON stands as text."""

    id: str
    session_id: str
    task_id: str
    run_id: str | None
    user_id: str
    role: str
    content: str
    timestamp: datetime
    metadata: str | None
    tool_calls: str | None
    tool_results: str | None
    sql_query: str | None
    sequence_order: int
    term: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one model was used for on one day."""

    day: date
    """In UTC."""
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_estimate: float | None
    """US dollars of the generations with a known price; None when none has one."""
    generations: int
    unpriced: int
    """Generations without a known price: when there are any, the cost is a lower bound."""


def page_of(
    rows: Sequence[Row], make: Callable[[dict[str, Any]], T], *, key: str = "id"
) -> tuple[list[T], int]:
    """Return the values of a page and the total that stands in each row.

    A page beyond the end is one row without a `key`.
    """
    total = int(rows[0]["total"]) if rows else 0
    found: list[T] = []
    for row in rows:
        values = values_of(row)
        del values["total"]
        if values[key] is not None:
            found.append(make(values))
    return found, total
