"""`maestro cancel`, `approve`, `deny` and `session`: ask a session for something, and say what came of it."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import click
import orjson

from maestro.cli.options import checked_name, checked_uuid, login_name, written_text
from maestro.cli.output import EXIT_FAILED, EXIT_TIMEOUT, EXIT_USAGE, fail, json_option, note, print_json
from maestro.commands import Came, asked_about, cancelled, sent
from schemas import ids
from schemas.agent_file import MOST_SECONDS
from schemas.lists import CommandKind
from schemas.records import SessionCommand

F = TypeVar("F", bound=Callable[..., Any])

_SAID = {
    CommandKind.CANCEL: "cancelled",
    CommandKind.APPROVE: "approved: the tool call starts",
    CommandKind.DENY: "denied: the model reads why",
    CommandKind.CONFIGURE: "configured",
    CommandKind.ARCHIVE: "archived",
    CommandKind.UNARCHIVE: "brought back",
    CommandKind.ERASE: "erased; topics and backups keep their copies until their time is over",
}


def steering(command: F) -> F:
    """Add the options of every command that asks something of a session."""
    for option in (
        json_option,
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0, min_open=True),
            default=30.0,
            show_default=True,
            help="Seconds to wait for what comes of it.",
        ),
        click.option(
            "--user",
            "user_id",
            metavar="NAME",
            default=login_name,
            callback=checked_name,
            help="Who asks; by default your login.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("run_id", callback=checked_uuid)
@click.option("--reason", callback=written_text, help="Why, in your words.")
@steering
def cancel(*, run_id: str, reason: str | None, user_id: str, timeout_s: float, as_json: bool) -> None:
    """Cancel RUN_ID, whether it runs, waits or is queued.

    Exit codes: 0 done, 1 ignored or not found, 2 wrong use, 5 nothing came of it in time.
    """
    work = cancelled(run_id, user_id=user_id, reason=reason, timeout_s=timeout_s)
    _tell(CommandKind.CANCEL, work, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.argument("tool_call_id")
@click.option("--reason", callback=written_text, help="Why, in your words.")
@steering
def approve(*, tool_call_id: str, reason: str | None, user_id: str, timeout_s: float, as_json: bool) -> None:
    """Let TOOL_CALL_ID start; `maestro approvals` lists the calls that wait for a word."""
    work = _decided(CommandKind.APPROVE, tool_call_id, reason, user_id, timeout_s)
    _tell(CommandKind.APPROVE, work, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.argument("tool_call_id")
@click.option("--reason", callback=written_text, help="Why: the model reads it.")
@steering
def deny(*, tool_call_id: str, reason: str | None, user_id: str, timeout_s: float, as_json: bool) -> None:
    """Do not let TOOL_CALL_ID start; the model reads why and goes on."""
    work = _decided(CommandKind.DENY, tool_call_id, reason, user_id, timeout_s)
    _tell(CommandKind.DENY, work, timeout_s=timeout_s, as_json=as_json)


@click.group()
def session() -> None:
    """Configure a session, put it away, bring it back, or erase it."""


@session.command()
@click.argument("session_id", callback=checked_uuid)
@click.option("--title", callback=written_text, help="What lists show.")
@click.option(
    "--agent", "agent_id", metavar="ID", callback=checked_name, help="Agent that answers by default."
)
@click.option(
    "--ttl",
    "ttl_seconds",
    type=click.IntRange(min=1, max=MOST_SECONDS),
    help="Seconds until it expires when idle.",
)
@click.option("--working-directory", metavar="PATH", callback=written_text, help="Folder that tools work in.")
@click.option("--project-context", metavar="JSON", help="JSON object about the project; @FILE reads it.")
@click.option("--preferences", metavar="JSON", help="JSON object of the user's wishes; @FILE reads it.")
@click.option("--metadata", metavar="JSON", help="JSON object kept with the session; @FILE reads it.")
@steering
def configure(*, session_id: str, user_id: str, timeout_s: float, as_json: bool, **values: Any) -> None:
    """Change values of SESSION_ID; those that are not named stay."""
    for name in ("project_context", "preferences", "metadata"):
        if values[name] is not None:
            values[name] = _json_object(name, values[name])
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        fail("name at least one value to change; see --help", exit_code=EXIT_USAGE)
    _send(CommandKind.CONFIGURE, session_id, user_id, timeout_s, as_json=as_json, payload=given)


@session.command()
@click.argument("session_id", callback=checked_uuid)
@steering
def archive(*, session_id: str, user_id: str, timeout_s: float, as_json: bool) -> None:
    """Put SESSION_ID away: it is not listed, and takes no messages."""
    _send(CommandKind.ARCHIVE, session_id, user_id, timeout_s, as_json=as_json)


@session.command()
@click.argument("session_id", callback=checked_uuid)
@steering
def unarchive(*, session_id: str, user_id: str, timeout_s: float, as_json: bool) -> None:
    """Bring SESSION_ID back."""
    _send(CommandKind.UNARCHIVE, session_id, user_id, timeout_s, as_json=as_json)


@session.command()
@click.argument("session_id", callback=checked_uuid)
@click.option("--yes", is_flag=True, help="Do not ask.")
@steering
def erase(*, session_id: str, yes: bool, user_id: str, timeout_s: float, as_json: bool) -> None:
    """Delete everything that is recorded of SESSION_ID, for good; a run that is active is cancelled."""
    if not yes:
        _ = click.confirm(f"Erase session {session_id} for good?", abort=True, err=True)
    _send(CommandKind.ERASE, session_id, user_id, timeout_s, as_json=as_json)


async def _decided(
    kind: CommandKind, tool_call_id: str, reason: str | None, user_id: str, timeout_s: float
) -> Came:
    asked = await asked_about(tool_call_id)
    command = SessionCommand(
        id=ids.new_id(),
        session_id=asked.session_id,
        user_id=user_id,
        kind=kind,
        run_id=asked.run_id,
        step_id=tool_call_id,
        reason=reason,
    )
    return await sent(command, timeout_s=timeout_s)


def _send(
    kind: CommandKind,
    session_id: str,
    user_id: str,
    timeout_s: float,
    *,
    as_json: bool,
    payload: dict[str, Any] | None = None,
) -> None:
    command = SessionCommand(
        id=ids.new_id(),
        session_id=session_id,
        user_id=user_id,
        kind=kind,
        payload=None if payload is None else orjson.dumps(payload).decode(),
    )
    _tell(kind, sent(command, timeout_s=timeout_s), timeout_s=timeout_s, as_json=as_json)


def _tell(kind: CommandKind, work: Coroutine[Any, Any, Came], *, timeout_s: float, as_json: bool) -> NoReturn:
    try:
        came = asyncio.run(work)
    except TimeoutError:
        fail(
            f"nothing came of it within {timeout_s:g} s; it is kept and will be decided when a session worker"
            " and the sink are running",
            code="timeout",
            exit_code=EXIT_TIMEOUT,
        )
    if as_json:
        print_json(dataclasses.asdict(came))
    elif came.ignored is None:
        note(_SAID[kind])
    if came.ignored is not None:
        fail(came.ignored, code="ignored", exit_code=EXIT_FAILED)
    raise SystemExit(0)


def _json_object(name: str, text: str) -> dict[str, Any]:
    option = f"--{name.replace('_', '-')}"
    try:
        source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        value: Any = orjson.loads(source)
    except (OSError, UnicodeDecodeError, orjson.JSONDecodeError) as error:
        fail(f"{option} is no JSON: {error}", exit_code=EXIT_USAGE)
    if not isinstance(value, dict):
        fail(f"{option} is JSON but not an object", exit_code=EXIT_USAGE)
    return cast("dict[str, Any]", value)
