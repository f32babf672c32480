"""`maestro dlq`: what could not be processed, and why."""

import asyncio
from collections import deque
from typing import Any

import click

from bus.deadletter import PREFIX
from bus.reader import Start
from maestro.cli.messages import as_json, dead_letter
from maestro.cli.output import EXIT_USAGE, fail, json_option, print_fields, print_rows
from maestro.clients import KafkaAccess
from schemas.lists import DeadLetterReason
from schemas.topics import DEAD_LETTERS

_READ_LIMIT_S = 30.0
_COLUMNS = ("place", "timestamp", "reason", "topic", "partition", "offset", "stage", "message")


@click.group()
def dlq() -> None:
    """List and show dead letters: messages that could not be processed, kept whole with the reason."""


@dlq.command("list")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in DeadLetterReason]),
    help="Only those kept for this reason.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many."
)
@json_option
def list_letters(*, reason: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first; `place` is what `maestro dlq show` takes."""
    print_rows(asyncio.run(_letters(reason, limit)), _COLUMNS, as_json=as_json)


async def _letters(reason: str | None, limit: int) -> list[dict[str, Any]]:
    kafka = await KafkaAccess.from_environment()
    newest: dict[int, deque[tuple[int, dict[str, Any]]]] = {}
    async with kafka.reader(DEAD_LETTERS, start=Start.BEGINNING) as reader:
        async for message in reader.read_to_end(deadline_s=_READ_LIMIT_S):
            letter = dead_letter(message)
            if reason is None or letter["reason"] == reason:
                # Partitions come in any order: each may hold the newest ones.
                kept = newest.setdefault(message.partition, deque(maxlen=limit))
                kept.append((message.timestamp, letter))
    letters = sorted((entry for kept in newest.values() for entry in kept), key=lambda entry: entry[0])
    return [letter for _, letter in letters[-limit:]]


@dlq.command()
@click.argument("place", nargs=-1, required=True, metavar="PARTITION OFFSET")
@json_option
def show(*, place: tuple[str, ...], as_json: bool) -> None:
    """Show the dead letter at PARTITION OFFSET (or PARTITION:OFFSET), its value decoded where possible."""
    partition, offset = parsed_place(place)
    letter = asyncio.run(_letter(partition, offset))
    if letter is None:
        fail(f"there is no dead letter at {partition}:{offset}", code="not_found")
    print_fields(letter, as_json=as_json)


def parsed_place(words: tuple[str, ...]) -> tuple[int, int]:
    """Return partition and offset of `("3", "17")` or `("3:17",)`; leave with exit code 2 otherwise."""
    parts = words[0].split(":") if len(words) == 1 else list(words)
    if len(parts) != len(("partition", "offset")) or not all(part.isdecimal() for part in parts):
        fail(
            f"{' '.join(words)!r} is no place: give PARTITION OFFSET, for example 3 17", exit_code=EXIT_USAGE
        )
    return int(parts[0]), int(parts[1])


async def _letter(partition: int, offset: int) -> dict[str, Any] | None:
    kafka = await KafkaAccess.from_environment()
    start = {(kafka.names.full(DEAD_LETTERS), partition): offset}
    async with kafka.reader(DEAD_LETTERS, start=start, partitions=[partition]) as reader:
        ends = await reader.end_offsets()
        if not any(offset < end for end in ends.values()):
            return None
        async for message in reader.read_to_end(deadline_s=_READ_LIMIT_S):
            if message.offset != offset:
                return None  # it was there, but its time is over
            whole = as_json(message, kafka.names, kafka.codec)
            headers = whole.pop("headers", {})
            theirs = {name: text for name, text in headers.items() if not name.startswith(PREFIX)}
            value = {name: whole[name] for name in ("value", "raw", "error") if name in whole}
            return dead_letter(message) | {"headers": theirs} | value
    return None
