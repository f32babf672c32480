"""Options and arguments that several commands take."""

import getpass
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click

F = TypeVar("F", bound=Callable[..., Any])

_NAME_CHARACTERS = 200


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


def written_text(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return a text that can be written into a message; for click's `callback`.

    Raises:
        click.BadParameter: it came as bytes that are not UTF-8.

    """
    if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
        message = "it is not UTF-8"
        raise click.BadParameter(message)
    return value


def checked_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return a name of 1 to 200 characters; for click's `callback`.

    Raises:
        click.BadParameter: it is none.

    """
    if value is not None and not 1 <= len(value) <= _NAME_CHARACTERS:
        message = f"give 1 to {_NAME_CHARACTERS} characters"
        raise click.BadParameter(message)
    return written_text(context, parameter, value)


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
