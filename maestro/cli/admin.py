"""`maestro topics` and `maestro migrate`: what an installation needs before its first worker."""

import asyncio
from dataclasses import dataclass

import click

from maestro.agents.publish import built_in_now, publish_agents
from maestro.cli.output import EXIT_FAILED, err, json_option, note, out, print_json
from maestro.clients import KafkaAccess, database
from maestro.settings import load
from schemas.topics import ALL_TOPICS
from stores.postgres.migrate import migrate as bring_up
from stores.postgres.migrate import pending
from stores.postgres.settings import PostgresSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was made, and what is still wrong with the topics."""

    created: tuple[str, ...]
    agents: tuple[str, ...]
    problems: tuple[str, ...]


@click.command()
@click.option("--check", is_flag=True, help="Change nothing.")
@json_option
def topics(*, check: bool, as_json: bool) -> None:
    """Create missing topics, publish missing built-in agents, and check all topics; exit 1 with problems.

    Existing topics are never changed: a partition count, for example, decides where sessions are.
    """
    prepared = asyncio.run(_prepared(check=check))
    if as_json:
        print_json({"created": prepared.created, "agents": prepared.agents, "problems": prepared.problems})
    else:
        for name in prepared.created:
            out.print(f"created {name}", markup=False)
        for name in prepared.agents:
            out.print(f"published built-in agent {name}", markup=False)
        for problem in prepared.problems:
            err.print(problem, style="red", markup=False)
        if not prepared.problems:
            note(f"all {len(ALL_TOPICS)} topics are as they must be")
    raise SystemExit(EXIT_FAILED if prepared.problems else 0)


async def _prepared(*, check: bool) -> Prepared:
    kafka = await KafkaAccess.from_environment()
    created: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    async with kafka.admin() as admin:
        if not check:
            created = await admin.create_topics()
            agents = tuple(agent.id for agent in await publish_agents(kafka, built_in_now()))
        problems = tuple(await admin.check_topics())
    return Prepared(created=created, agents=agents, problems=problems)


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a migration is missing.")
@json_option
def migrate(*, check: bool, as_json: bool) -> None:
    """Bring the database to this version; safe to run from several places at once."""
    names = asyncio.run(_missing() if check else _migrated())
    if as_json:
        print_json({"pending" if check else "applied": names})
    else:
        for name in names:
            out.print(f"{'missing' if check else 'applied'} {name}", markup=False)
        if not names:
            note("the database is up to date")
    raise SystemExit(EXIT_FAILED if check and names else 0)


async def _missing() -> list[str]:
    async with database() as record:
        return await pending(record)


async def _migrated() -> list[str]:
    (settings,) = load(PostgresSettings)
    return await bring_up(
        settings.database_url.get_secret_value(), connect_timeout_s=settings.connect_timeout_s
    )
