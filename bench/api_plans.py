"""How the record finds what applications read: what a plan scans, and whether lists need an index alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from bench.api_rows import ONE
from stores.postgres.pool import Database
from stores.postgres.statements import statements

MODES = ("force_custom_plan", "force_generic_plan")
"""A plan for the arguments, and one for any."""

LISTS = (
    f"'{ONE}', false, 20, 0, null, ''",
    f"'{ONE}', false, 20, 880, null, ''",
    f"'{ONE}', true, 20, 0, 'agent-1', ''",
    f"'{ONE}', false, 20, 0, null, 'week 17'",
    "'user-7', false, 20, 0, null, ''",
)
"""Arguments of lists of sessions."""


@dataclass(frozen=True)
class Scan:
    """How a plan reads something: a table, or an index whose table is read by another node."""

    how: str
    table: str | None
    index: str | None

    def __str__(self) -> str:
        """Return it as a word or three."""
        return " ".join(each for each in (self.how, self.table, self.index) if each)


BY_INDEX_ALONE = frozenset(
    {
        Scan("Index Only Scan", "sessions", "sessions_user"),
        Scan("Index Scan", "sessions", "sessions_pkey"),
    }
)
"""A list finds and counts its sessions in one index, and then reads the rows of its page."""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def scans(database: Database, name: str, arguments: str, mode: str) -> set[Scan]:
    """Return how a statement of the web reads its tables. Raises TransientError."""
    async with database.transaction() as transaction:
        await transaction.execute(f"set local plan_cache_mode = {mode}")
        await transaction.execute(f"prepare asked as {statements('web')[name]}")
        rows = await transaction.fetch(f"explain (format json) execute asked({arguments})")
        await transaction.execute("deallocate asked")
    return {
        Scan(node["Node Type"], node.get("Relation Name"), node.get("Index Name"))
        for node in nodes(orjson.loads(rows[0][0])[0]["Plan"])
        if node["Node Type"].endswith("Scan") and ("Relation Name" in node or "Index Name" in node)
    }


def of(table: str, found: Iterable[Scan]) -> frozenset[Scan]:
    """Return the scans of a table, or of its partitions."""
    return frozenset(scan for scan in found if scan.table is not None and scan.table.startswith(table))


async def lists_with_other_plans(database: Database) -> dict[str, str]:
    """Return the lists that are not found by the index alone, and how they are. Raises TransientError."""
    others: dict[str, str] = {}
    for mode in MODES:
        for arguments in LISTS:
            found = of("sessions", await scans(database, "sessions", arguments, mode))
            if found != BY_INDEX_ALONE:
                others[f"{mode} {arguments}"] = ", ".join(sorted(map(str, found)))
    return others
