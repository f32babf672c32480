"""`maestro dlq`: what could not be processed, why, and what people did about it."""

import asyncio
from typing import Any

import click

from bus.letters import Letter, LetterState
from bus.message import Message
from maestro.cli.dlq_deeds import discard, redrive
from maestro.cli.dlq_rows import letter_row, standing, whole_letter
from maestro.cli.output import fail, json_option, print_fields, print_rows
from maestro.cli.places import parsed_place
from maestro.clients import KafkaAccess
from maestro.dead_letters import all_letters, letter_at
from schemas.lists import DeadLetterReason

_COLUMNS = ("place", "timestamp", "state", "reason", "topic", "partition", "offset", "stage", "message")


@click.group()
def dlq() -> None:
    """See to dead letters: messages that could not be processed, kept whole with the reason."""


dlq.add_command(redrive)
dlq.add_command(discard)


@dlq.command("list")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in DeadLetterReason]),
    help="Only those kept for this reason.",
)
@click.option(
    "--state",
    type=click.Choice([state.value for state in LetterState]),
    help="Only those that stand so: open is what nobody has seen to.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many."
)
@json_option
def list_letters(*, reason: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first; `place` is what the other commands take."""
    chosen = [
        letter
        for letter in asyncio.run(_letters())
        if reason in (None, letter.reason) and state in (None, letter.state.value)
    ]
    rows = [letter_row(letter) for letter in chosen[-limit:]]
    if not as_json:
        rows = [row | {"state": standing(row)} for row in rows]
    print_rows(rows, _COLUMNS, as_json=as_json)


@dlq.command()
@click.argument("place", nargs=-1, required=True, metavar="PARTITION OFFSET")
@json_option
def show(*, place: tuple[str, ...], as_json: bool) -> None:
    """Show the dead letter at PARTITION OFFSET (or PARTITION:OFFSET), its value decoded where possible."""
    partition, offset = parsed_place(place)
    shown = asyncio.run(_shown(partition, offset))
    if shown is None:
        fail(f"there is no dead letter at {partition}:{offset}", code="not_found")
    print_fields(shown, as_json=as_json)


async def _letters() -> list[Letter]:
    return await all_letters(await KafkaAccess.from_environment())


async def _shown(partition: int, offset: int) -> dict[str, Any] | None:
    kafka = await KafkaAccess.from_environment()
    found: tuple[Letter, Message] | None = await letter_at(kafka, partition, offset)
    return None if found is None else whole_letter(*found, kafka.names, kafka.codec)
