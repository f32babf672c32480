"""`maestro sessions`, `runs` and `approvals`: what there is, from the record."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from maestro.cli.options import checked_uuid, login_name
from maestro.cli.output import json_option, note, print_rows
from maestro.cli.wording import clock, duration, one_line
from maestro.clients import database
from schemas.lists import RunStatus
from stores.postgres.listing import Approval, Listing

T = TypeVar("T")

_SESSION_COLUMNS = ("id", "state", "messages", "last_activity", "agent_id", "title")
_RUN_COLUMNS = ("id", "status", "started", "took", "agent_id", "input", "why")
_APPROVAL_COLUMNS = ("tool_call_id", "tool_name", "arguments", "user_id", "asked", "left")
_TITLE_CHARACTERS = 50
_INPUT_CHARACTERS = 50
_ARGUMENT_CHARACTERS = 80

limit_option = click.option(
    "--limit", type=click.IntRange(min=1, max=10_000), default=20, show_default=True, help="At most so many."
)
everybody_option = click.option("--everybody", is_flag=True, help="Of all users.")


@click.command()
@click.option("--user", "user_id", metavar="NAME", default=login_name, help="Whose; by default your login.")
@everybody_option
@click.option("--archived", "with_archived", is_flag=True, help="Also those that were put away.")
@limit_option
@json_option
def sessions(*, user_id: str, everybody: bool, with_archived: bool, limit: int, as_json: bool) -> None:
    """List sessions, the one with the newest activity first."""
    owner = None if everybody else user_id
    found = _asked(lambda listing: listing.sessions(user_id=owner, with_archived=with_archived, limit=limit))
    columns = (*_SESSION_COLUMNS, "user_id") if everybody else _SESSION_COLUMNS
    print_rows(found if as_json else list(map(_session_row, found)), columns, as_json=as_json)
    if not found and not as_json and not everybody:
        note(f"{user_id} has none; --user and --everybody show others'")


@click.command()
@click.option("--session", "session_id", metavar="ID", callback=checked_uuid, help="Only this session's.")
@click.option("--user", "user_id", metavar="NAME", help="Only this user's.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in RunStatus if status is not RunStatus.UNKNOWN]),
    help="Only those in this state; may be repeated.",
)
@click.option("--waiting", is_flag=True, help="Only those that wait for a person; see `maestro approvals`.")
@limit_option
@json_option
def runs(
    *,
    session_id: str | None,
    user_id: str | None,
    statuses: tuple[str, ...],
    waiting: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, the newest first."""
    wanted = (*statuses, RunStatus.WAITING.value) if waiting else statuses
    found = _asked(
        lambda listing: listing.runs(session_id=session_id, user_id=user_id, statuses=wanted, limit=limit)
    )
    print_rows(found if as_json else list(map(_run_row, found)), _RUN_COLUMNS, as_json=as_json)


@click.command()
@click.option("--session", "session_id", metavar="ID", callback=checked_uuid, help="Only this session's.")
@click.option("--user", "user_id", metavar="NAME", help="Only this user's.")
@limit_option
@json_option
def approvals(*, session_id: str | None, user_id: str | None, limit: int, as_json: bool) -> None:
    """List the tool calls that wait for a person, the oldest question first."""
    found = _asked(lambda listing: listing.approvals(session_id=session_id, user_id=user_id, limit=limit))
    now = datetime.now(UTC)
    rows = [dataclasses.asdict(each) if as_json else _approval_row(each, now) for each in found]
    print_rows(rows, _APPROVAL_COLUMNS, as_json=as_json)
    if found and not as_json:
        note("`maestro approve CALL` starts one, `maestro deny CALL --reason …` does not")
    if any(each.is_unknown for each in found) and not as_json:
        note("`?` before a tool: it was started before, and nobody knows whether it did its work")


def _asked(question: Callable[[Listing], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with database() as record:
            return await question(Listing(record))

    return asyncio.run(ask())


def _session_row(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "state": "archived" if row["archived"] else row["state"],
        "messages": row["total_messages"],
        "last_activity": clock(row["last_activity"]),
        "title": one_line(row["title"], _TITLE_CHARACTERS),
    }


def _run_row(row: dict[str, Any]) -> dict[str, Any]:
    ends, starts = row["completed_at"], row["started_at"]
    return row | {
        "started": clock(starts) if starts else "",
        "took": duration((ends - starts).total_seconds()) if ends and starts else "",
        "input": one_line(row["input"], _INPUT_CHARACTERS),
        "why": row["stop_reason"] or "",
    }


def _approval_row(approval: Approval, now: datetime) -> dict[str, Any]:
    left_s = (approval.due_at - now).total_seconds()
    return dataclasses.asdict(approval) | {
        "tool_name": f"{'? ' if approval.is_unknown else ''}{approval.tool_name}",
        "arguments": one_line(approval.arguments, _ARGUMENT_CHARACTERS),
        "asked": clock(approval.asked_at),
        "left": duration(left_s) if left_s > 0 else "over",
    }
