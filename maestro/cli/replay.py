"""`maestro replay`: a session as it was, beside its live context, decided again, or forked."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import click

from maestro.cli.options import checked_uuid, login_name
from maestro.cli.output import (
    EXIT_FAILED,
    EXIT_TIMEOUT,
    EXIT_USAGE,
    fail,
    json_option,
    note,
    print_fields,
    print_json,
)
from maestro.cli.replay_rows import (
    comparison_row,
    context_row,
    fork_row,
    print_context,
    report_row,
    tell_comparison,
    tell_report,
)
from maestro.clients import KafkaAccess, database
from maestro.replay.deciding import Report, decided_again
from maestro.replay.events import Events
from maestro.replay.forking import Forked, forked
from maestro.replay.history import context_at, known_head
from maestro.replay.live import Comparison, Standing, compared, live_contexts
from maestro.settings import load
from schemas import ids
from schemas.errors import NotFoundError
from stores.postgres.session_logs import Head, SessionLogs
from streams.session.context import Context
from streams.session.settings import SessionSettings


def checked_new_id(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return a UUID in canonical text, a fresh one for `new`; for click's `callback`.

    Raises:
        click.BadParameter: it is neither.

    """
    if value is None:
        return None
    if value == "new":
        # Random, without a time: an id that tells when it was made could pass for a session without a past.
        return ids.random_id()
    try:
        return str(UUID(value))
    except ValueError:
        message = f"{value!r} is not a UUID; `new` makes one"
        raise click.BadParameter(message) from None


@click.command()
@click.argument("session_id", callback=checked_uuid)
@click.option("--at", type=click.IntRange(min=1), metavar="N", help="After its entry N; by default the last.")
@click.option("--compare", is_flag=True, help="Compare the live context in Redis with the fold, to the byte.")
@click.option("--decide", is_flag=True, help="Decide every entry again, and show the first difference.")
@click.option(
    "--fork",
    "new_id",
    metavar="NEW_ID",
    callback=checked_new_id,
    help="Begin the session NEW_ID (a UUID, or `new`) with this one's log.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds to wait for the record, with --compare and --fork.",
)
@json_option
def replay(
    *,
    session_id: str,
    at: int | None,
    compare: bool,
    decide: bool,
    new_id: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Rebuild the context of SESSION_ID from its log, and show it; the chain of hashes is checked on the way.

    With --decide neither a model nor a tool is called: what they answered is read again. A fork belongs to
    the same owner; runs that were open at its beginning are cancelled there, and nothing of them is started.

    Exit codes: 0 done and the same, 1 different, broken or not found, 2 wrong use, 5 not recorded in time.
    """
    if compare + decide + (new_id is not None) > 1:
        fail("--compare, --decide and --fork are asked one at a time", exit_code=EXIT_USAGE)
    if compare and at is not None:
        fail("--compare looks at the session as it is now, not --at an entry", exit_code=EXIT_USAGE)
    if compare:
        _tell_comparison(session_id, asyncio.run(_compared(session_id, timeout_s)), as_json=as_json)
    elif decide:
        _tell_report(session_id, asyncio.run(_decided(session_id, at)), as_json=as_json)
    elif new_id is not None:
        _fork(session_id, new_id, at, timeout_s, as_json=as_json)
    else:
        context, head = asyncio.run(_context(session_id, at))
        if as_json:
            print_json(context_row(context, head))
        else:
            print_context(context, head)


async def _context(session_id: str, at: int | None) -> tuple[Context, Head]:
    async with database() as record:
        logs = SessionLogs(record)
        head = await known_head(logs, session_id)
        return await context_at(logs, session_id, _upto(head, at)), head


async def _compared(session_id: str, timeout_s: float) -> Comparison:
    kafka = await KafkaAccess.from_environment()
    partitions = kafka.topics.partitions
    async with database() as record, live_contexts(partitions) as contexts:
        return await compared(
            contexts, SessionLogs(record), session_id, partitions=partitions, timeout_s=timeout_s
        )


async def _decided(session_id: str, at: int | None) -> Report:
    (settings,) = load(SessionSettings)
    rules = settings.rules()
    kafka = await KafkaAccess.from_environment()
    async with database() as record, Events(record, kafka, rules) as events:
        logs = SessionLogs(record)
        upto = _upto(await known_head(logs, session_id), at)
        return await decided_again(logs, events, session_id, upto=upto, rules=rules)


async def _forked(session_id: str, new_id: str, at: int | None, timeout_s: float) -> Forked:
    kafka = await KafkaAccess.from_environment()
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(database())
        if at is not None:
            _ = _upto(await known_head(SessionLogs(record), session_id), at)
        return await forked(
            record, kafka, session_id, new_id, at=at, forked_by=login_name(), timeout_s=timeout_s
        )


def _upto(head: Head, at: int | None) -> int:
    if at is not None and at > head.sequence:
        message = f"the log has {head.sequence} entries: there is no entry {at} yet"
        raise NotFoundError(message)
    return at or head.sequence


def _fork(session_id: str, new_id: str, at: int | None, timeout_s: float, *, as_json: bool) -> None:
    try:
        done = asyncio.run(_forked(session_id, new_id, at, timeout_s))
    except TimeoutError:
        fail(
            f"the record does not have the copy within {timeout_s:g} s: is the sink running (`maestro sink"
            f" postgres`)? Session {new_id} is complete when `maestro trail --session {new_id}` ends with"
            " session_forked",
            exit_code=EXIT_TIMEOUT,
        )
    print_fields(fork_row(done), as_json=as_json)
    if done.came is None:
        note("no worker has taken it up yet: is one running (`maestro worker session`)? It will.")


def _tell_comparison(session_id: str, found: Comparison, *, as_json: bool) -> None:
    row: dict[str, Any] = comparison_row(session_id, found)
    if as_json:
        print_json(row)
    else:
        tell_comparison(found)
    if found.standing is Standing.DIFFERENT:
        raise SystemExit(EXIT_FAILED)


def _tell_report(session_id: str, report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report_row(session_id, report))
    else:
        tell_report(report)
    if report.difference is not None:
        raise SystemExit(EXIT_FAILED)
