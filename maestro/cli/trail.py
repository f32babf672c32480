"""The three questions asked of the record: `trail`, `cost`, `tool-call`."""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

import click

from maestro.cli.options import checked_uuid
from maestro.cli.output import EXIT_FAILED, EXIT_USAGE, err, fail, json_option, print_fields, print_rows
from maestro.clients import database
from stores.postgres.audit import Audit
from stores.postgres.costs import SessionCost, calculate_session_cost
from stores.postgres.session_logs import StoredLog
from stores.postgres.tool_calls import ToolCallContext, get_tool_call_context
from streams.session.log import verify_chain
from streams.session.recorded import decisions_of

_TRAIL_COLUMNS = ("sequence", "occurred_at", "action", "tool_name", "success", "payload")
_TEXT_LENGTH = 160


@click.command()
@click.argument("task_id", required=False, callback=checked_uuid)
@click.option("--session", "session_id", callback=checked_uuid, help="The session instead of the task.")
@click.option("--verify", is_flag=True, help="Recompute the hash chain; exit 1 where it is broken.")
@json_option
def trail(*, task_id: str | None, session_id: str | None, verify: bool, as_json: bool) -> None:
    """Show every log entry of TASK_ID, or of a session, in order."""
    if (task_id is None) == (session_id is None):
        fail("give a task id, or --session with a session id", exit_code=EXIT_USAGE)
    logs = asyncio.run(_trail(task_id, session_id))
    if not logs:
        fail(f"nothing is recorded of {task_id or session_id}", code="not_found")
    print_rows([_row(log, whole=as_json) for log in logs], _TRAIL_COLUMNS, as_json=as_json)
    if verify:
        _verify(logs)


async def _trail(task_id: str | None, session_id: str | None) -> list[StoredLog]:
    async with database() as record:
        audit = Audit(record)
        if session_id is not None:
            return await audit.session_trail(session_id)
        return await audit.task_trail(task_id or "")


def _row(log: StoredLog, *, whole: bool) -> dict[str, Any]:
    row = dataclasses.asdict(log)
    if not whole and len(log.payload) > _TEXT_LENGTH:
        row["payload"] = log.payload[:_TEXT_LENGTH] + "…"
    return row


def _verify(logs: Sequence[StoredLog]) -> None:
    broken = verify_chain(decisions_of(logs))
    if broken is not None:
        fail(f"the chain is broken at entry {broken.sequence}: {broken.what}", exit_code=EXIT_FAILED)
    err.print(f"[green]the chain of {len(logs)} entries holds[/green], its last hash is {logs[-1].hash}")


@click.command()
@click.argument("session_id", callback=checked_uuid)
@json_option
def cost(*, session_id: str, as_json: bool) -> None:
    """Add up what the generations of SESSION_ID cost, in US dollars."""

    async def ask() -> SessionCost:
        async with database() as record:
            return await calculate_session_cost(record, session_id)

    found = asyncio.run(ask())
    if not found.generations:
        fail(f"no generation is recorded of session {session_id}", code="not_found")
    print_fields(dataclasses.asdict(found), as_json=as_json)


@click.command("tool-call")
@click.argument("tool_call_id")
@json_option
def tool_call(*, tool_call_id: str, as_json: bool) -> None:
    """Show TOOL_CALL_ID with its result, its generation and its task."""

    async def ask() -> ToolCallContext | None:
        async with database() as record:
            return await get_tool_call_context(record, tool_call_id)

    found = asyncio.run(ask())
    if found is None:
        fail(f"tool call {tool_call_id} is not recorded", code="not_found")
    parts = {
        "tool_call": found.call,
        "result": found.result,
        "generation": found.generation,
        "task": found.task,
    }
    shown = {name: part.model_dump(mode="json") if part else None for name, part in parts.items()}
    print_fields(shown, as_json=as_json)
