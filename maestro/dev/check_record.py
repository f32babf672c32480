"""Checks that take longer: rows of the record without their parent, and what the schema registry lacks."""

import asyncio
from collections.abc import Mapping
from typing import Final

from bus.names import TopicNames
from bus.registration import missing_from
from bus.registry import Registry
from bus.settings import SchemaSettings, TopicSettings
from maestro.clients import database
from maestro.dev.finding import Finding, noted, ok, wrong
from maestro.settings import load, masked
from schemas.errors import MaestroError
from stores.postgres.audit import Audit

ORPHAN_LIMIT_S: Final = 10.0
"""A large record takes longer to search than anybody waits; then nothing is said about it."""


async def check_orphans() -> Finding:
    """Look for rows whose parent is missing. A sink that is behind has some for a moment."""
    try:
        async with asyncio.timeout(ORPHAN_LIMIT_S), database() as opened:
            return orphans(await Audit(opened).orphans())
    except TimeoutError:
        return noted("record", f"not searched: it takes longer than {ORPHAN_LIMIT_S:.0f} s")
    except MaestroError as error:
        return noted("record", f"not searched: {error.message}")


def orphans(found: Mapping[str, int]) -> Finding:
    """Judge the rows without a parent, by kind. Pure."""
    if not found:
        return ok("record", "every row has its parent")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    return noted(
        "record", kinds, "Normal while a sink is behind (`maestro lag`); what stays after that is lost."
    )


async def check_registry() -> Finding:
    """Look whether the schema registry has every current schema, where one is set."""
    schemas, topics = load(SchemaSettings, TopicSettings)
    if schemas.url is None:
        return ok("registry", "none: the built-in schema ids are used")
    place = masked(schemas.url)
    try:
        async with Registry(schemas, TopicNames(topics.prefix)) as registry:
            missing = await missing_from(registry)
    except MaestroError as error:
        return wrong("registry", f"{place}: {error.message}", "Start it, or mend SCHEMA_REGISTRY_URL.")
    if missing:
        return wrong(
            "registry", f"{place}: {len(missing)} schemas are missing", "Run `maestro topics --register`."
        )
    return ok("registry", f"{place}, every schema is registered")
