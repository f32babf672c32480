"""`maestro topics` and `maestro migrate`: what an installation needs before its first worker."""

import asyncio
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import click

from bus.admin import Admin
from bus.names import TopicNames
from bus.registration import Registration, missing_from, register_all
from bus.registry import FULL_TRANSITIVE, Registry
from bus.settings import KafkaSettings, SchemaSettings, TopicSettings
from maestro.agents.publish import built_in_now, publish_agents
from maestro.cli.output import EXIT_FAILED, EXIT_USAGE, err, fail, json_option, note, out, print_json
from maestro.clients import KafkaAccess, database
from maestro.settings import load
from schemas.errors import FatalError
from schemas.topics import ALL_TOPICS
from stores.postgres.migrate import migrate as bring_up
from stores.postgres.migrate import pending
from stores.postgres.settings import PostgresSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was made, and what is still wrong."""

    created: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    schemas: tuple[Registration, ...] = ()
    problems: tuple[str, ...] = ()


@click.command()
@click.option("--check", is_flag=True, help="Change nothing.")
@click.option(
    "--register",
    is_flag=True,
    help="Also register every schema in the registry of SCHEMA_REGISTRY_URL, as FULL_TRANSITIVE.",
)
@json_option
def topics(*, check: bool, register: bool, as_json: bool) -> None:
    """Create missing topics, publish new built-in agents, and check all topics; exit 1 with problems.

    Existing topics are never changed: a partition count, for example, decides where sessions are.
    Built-in agents are brought to this version and to MAESTRO_MODEL_DEFAULT; what somebody put in their
    place stays.
    """
    if check and register:
        fail("--check changes nothing and --register does: give one of them", exit_code=EXIT_USAGE)
    prepared = asyncio.run(_prepared(check=check, register=register))
    if as_json:
        print_json(dataclasses.asdict(prepared))
    else:
        _show(prepared)
    raise SystemExit(EXIT_FAILED if prepared.problems else 0)


def _show(prepared: Prepared) -> None:
    for line in told(prepared):
        out.print(line, markup=False)
    for problem in prepared.problems:
        err.print(problem, style="red", markup=False)
    if not prepared.problems:
        note(f"all {len(ALL_TOPICS)} topics are as they must be")
        if prepared.schemas:
            note(f"all {len(prepared.schemas)} subjects are registered as {FULL_TRANSITIVE}")


def told(prepared: Prepared) -> Iterator[str]:
    """Yield a line for each thing that was done. Pure."""
    yield from (f"created {name}" for name in prepared.created)
    for each in prepared.schemas:
        if each.is_new:
            yield f"registered {each.subject} with id {each.id}"
        if each.compatibility_was:
            yield f"set {each.subject} to {FULL_TRANSITIVE}; it was {each.compatibility_was}"
    yield from (f"published built-in agent {name}" for name in prepared.agents)


async def _prepared(*, check: bool, register: bool) -> Prepared:
    kafka, topic_settings, schemas = load(KafkaSettings, TopicSettings, SchemaSettings)
    # First, because whatever is published afterwards carries the registry's ids.
    prepared = await _registered(schemas, TopicNames(topic_settings.prefix), register=register)
    problems = list(prepared.problems)
    async with Admin(kafka, topic_settings) as admin:
        created = () if check else await admin.create_topics()
        problems += await admin.check_topics()
    agents: tuple[str, ...] = ()
    if not check:
        try:
            access = await KafkaAccess.from_environment()
            agents = tuple(agent.id for agent in await publish_agents(access, built_in_now()))
        except FatalError as error:
            problems.append(f"the built-in agents are not published: {error.message}")
    return dataclasses.replace(prepared, created=created, agents=agents, problems=tuple(problems))


async def _registered(settings: SchemaSettings, names: TopicNames, *, register: bool) -> Prepared:
    if settings.url is None:
        if register:
            fail("--register needs a registry: set SCHEMA_REGISTRY_URL", exit_code=EXIT_USAGE)
        return Prepared()
    async with Registry(settings, names) as registry:
        if not register:
            missing = await missing_from(registry)
            return Prepared(
                problems=tuple(
                    f"{subject} has not its current schema in the registry: `maestro topics --register`"
                    for subject in missing
                )
            )
        done = await register_all(registry)
    return Prepared(schemas=done, problems=tuple(each.problem for each in done if each.problem))


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
