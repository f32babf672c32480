"""Options and arguments that several commands take."""

import getpass
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click

F = TypeVar("F", bound=Callable[..., Any])


def checked_uuid(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return a UUID in canonical text; for click's `callback`.

    Raises:
        click.BadParameter: it is none.

    """
    if value is None:
        return None
    try:
        return str(UUID(value))
    except ValueError:
        message = f"{value!r} is not a UUID"
        raise click.BadParameter(message) from None


def login_name() -> str:
    """Return who runs this command, `me` when the system does not know."""
    try:
        return getpass.getuser() or "me"
    except (KeyError, OSError):
        return "me"


def checked_text(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return a text that is not empty; `-` reads it from stdin. For click's `callback`.

    Raises:
        click.BadParameter: it is empty.

    """
    if value is None:
        return None
    text = sys.stdin.read() if value == "-" else value
    if not text.strip():
        message = "it is empty"
        raise click.BadParameter(message)
    return text


def session_options(command: F) -> F:
    """Add the options that say in which session, as whom and to which agent one speaks."""
    for option in (
        click.option("--agent", "agent_id", metavar="ID", help="Agent that shall answer."),
        click.option(
            "--user", "user_id", metavar="NAME", default=login_name, help="Who asks; by default your login."
        ),
        click.option(
            "--session", "session_id", metavar="ID", callback=checked_uuid, help="Session to go on with."
        ),
    ):
        command = option(command)
    return command
