"""`maestro agents`: publish agents from YAML files, and list those that are known."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from maestro.agents import BUILT_IN
from maestro.cli.agents_check import check
from maestro.cli.options import checked_name, login_name
from maestro.cli.output import EXIT_USAGE, err, fail, json_option, lines, print_rows
from maestro.clients import KafkaAccess
from schemas.agent_file import MAX_CONFIGURATION_BYTES, AgentFile, configuration_of, parse_agents
from schemas.errors import ErrorCode, FatalError, PoisonError
from schemas.records import Agent
from telemetry.tracing import derived

_COLUMNS = ("id", "name", "status", "user_id", "model", "tools", "updated_at")


@click.group()
def agents() -> None:
    """Publish agents from YAML files, and list those that are known."""


agents.add_command(check)


@agents.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--user",
    "user_id",
    metavar="NAME",
    default=login_name,
    callback=checked_name,
    help="Who owns them; by default your login.",
)
@click.option("--for-all", is_flag=True, help="They belong to nobody and every user may run them.")
@json_option
def apply(*, files: tuple[Path, ...], user_id: str, for_all: bool, as_json: bool) -> None:
    """Publish the agents of YAML FILES; nothing is published unless all of them fit."""
    found, problems = read_files(files)
    if problems:
        fail(f"nothing was published:\n{lines(problems)}", code="invalid", exit_code=EXIT_USAGE)
    for warning in _unknown_tools(found):
        err.print(f"[yellow]warning[/yellow]: {warning}")
    rows = asyncio.run(_applied(found, None if for_all else user_id))
    print_rows(rows, _COLUMNS, as_json=as_json)


@agents.command("list")
@json_option
def list_agents(*, as_json: bool) -> None:
    """List every agent, the built-in ones included."""
    print_rows(asyncio.run(_listed()), _COLUMNS, as_json=as_json)


def read_files(files: Iterable[Path]) -> tuple[list[AgentFile], list[str]]:
    """Return the agents of YAML files, and a sentence for each file or id that does not fit."""
    found: list[AgentFile] = []
    problems: list[str] = []
    for file in files:
        try:
            agents_of_file = parse_agents(file.read_text(encoding="utf-8"), source=str(file))
        except PoisonError as error:
            problems.append(error.message)
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{file} cannot be read: {error}")
            continue
        if not agents_of_file:
            problems.append(f"{file} holds no agent")
        found += agents_of_file
    problems += [
        f"agent {agent.id}: the type {BUILT_IN!r} is kept for Maestro's own agents; name another one"
        for agent in found
        if agent.type == BUILT_IN
    ]
    for agent in found:
        size = len(agent.configuration().model_dump_json().encode())
        if size > MAX_CONFIGURATION_BYTES:
            problems.append(
                f"agent {agent.id}: its configuration has {size:,} bytes as JSON, and a run carries at most "
                f"{MAX_CONFIGURATION_BYTES:,}: shorten the system prompt"
            )
    ids = [agent.id for agent in found]
    problems += [f"agent {name} is there {ids.count(name)} times" for name in sorted(_repeated(ids))]
    return found, problems


def record_of(agent: AgentFile, *, owner: str | None, known: Agent | None, now: datetime) -> Agent:
    """Return the record to publish; it keeps the birth of the agent that it replaces.

    Raises:
        PoisonError: the agent that it would replace belongs to somebody else.

    """
    if known is None:
        return agent.record(user_id=owner, now=now)
    if known.user_id != owner:
        belongs = "to nobody (--for-all changes it)" if known.user_id is None else f"to {known.user_id}"
        message = f"agent {agent.id} is there and belongs {belongs}: choose another id"
        raise PoisonError(message, code=ErrorCode.WRONG_OWNER)
    return agent.record(user_id=owner, now=now).model_copy(update={"created_at": known.created_at})


def row_of(agent: Agent) -> dict[str, Any]:
    """Return an agent as `list` shows it; a configuration that does not fit is shown as it is."""
    row = agent.model_dump(mode="json")
    try:
        configuration = configuration_of(agent).model_dump(mode="json")
    except PoisonError as error:
        return row | {"model": None, "tools": None, "error": error.message}
    return row | {
        "configuration": configuration,
        "model": configuration["model"],
        "tools": configuration["tools"],
    }


def unknown_tools(found: Iterable[AgentFile], known: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each agent with tools that are not `known`."""
    names = frozenset(known)
    for agent in found:
        missing = [tool for tool in agent.tools if tool not in names]
        if missing:
            yield (
                f"agent {agent.id}: {', '.join(missing)}: not known here; fine if the workers' "
                "MAESTRO_TOOL_MODULES bring it"
            )


def _unknown_tools(found: Iterable[AgentFile]) -> Iterator[str]:
    from maestro.wiring.tools import build_registry  # noqa: PLC0415  (it brings the SQL parser along)

    try:
        known = build_registry().names
    except FatalError as error:
        return iter([f"tools were not checked: {error.message}"])
    return unknown_tools(found, known)


def _repeated(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


async def _applied(found: list[AgentFile], owner: str | None) -> list[dict[str, Any]]:
    kafka = await KafkaAccess.from_environment()
    now = datetime.now(UTC)
    async with kafka.agents() as table:
        known: Mapping[str, Agent] = {agent.id: agent for agent in table.all()}
    records = [record_of(agent, owner=owner, known=known.get(agent.id), now=now) for agent in found]
    async with kafka.publisher() as publisher:
        for record in records:
            _ = await publisher.publish(record, trace=derived(f"{record.id} {now.isoformat()}"))
    return [row_of(record) for record in records]


async def _listed() -> list[dict[str, Any]]:
    kafka = await KafkaAccess.from_environment()
    async with kafka.agents() as table:
        return [row_of(agent) for agent in table.all()]
