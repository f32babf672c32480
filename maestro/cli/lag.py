"""`maestro lag`: how far each consumer group is behind."""

import asyncio
import dataclasses
from typing import Any

import click

from maestro.cli.output import err, json_option, note, out, print_json, print_rows
from maestro.cli.wording import duration
from maestro.lag import GroupLag, PartitionLag, measure_lag

_GROUP_COLUMNS = ("group", "messages", "oldest", "partitions_behind")
_COLUMNS = ("group", "topic", "partition", "committed", "stored", "end", "messages", "oldest")


@click.command()
@click.option("--partitions", "by_partition", is_flag=True, help="Also every partition, not only the groups.")
@json_option
def lag(*, by_partition: bool, as_json: bool) -> None:
    """Say how many messages each consumer group has not processed, and how old the oldest of them is.

    A running message counts until its offset is committed. `stored` is where a sink stands in the record,
    which decides where it goes on. Partitions that are behind are listed below their groups.
    """
    groups, trouble = asyncio.run(measure_lag())
    if as_json:
        for group in groups:
            print_json(dataclasses.asdict(group))
    else:
        print_rows([_group_row(group) for group in groups], _GROUP_COLUMNS, as_json=False)
        rows = [
            _row(group.group, row)
            for group in groups
            for row in group.partitions
            if by_partition or (row.lag and group.has_run)
        ]
        if rows:
            out.print()
            print_rows(rows, _COLUMNS, as_json=False)
        else:
            note("nothing waits")
    if trouble:
        err.print(f"[yellow]warning[/yellow]: the sinks' own offsets are not known: {trouble}")


def _group_row(group: GroupLag) -> dict[str, Any]:
    behind = sum(1 for row in group.partitions if row.lag)
    return {
        "group": group.group,
        "messages": group.lag,
        "oldest": _age(group.oldest_age_s),
        "partitions_behind": f"{behind} of {len(group.partitions)}" if group.has_run else "it never ran",
    }


def _row(group: str, row: PartitionLag) -> dict[str, Any]:
    return {
        "group": group,
        "topic": row.topic,
        "partition": row.partition,
        "committed": "never" if row.committed is None else row.committed,
        "stored": row.stored,
        "end": row.end,
        "messages": row.lag,
        "oldest": _age(row.oldest_age_s),
    }


def _age(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)
