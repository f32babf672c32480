"""`maestro dlq redrive` and `maestro dlq discard`: what people do about dead letters."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bus.letters import Letter, LetterState, between
from maestro.cli.dlq_rows import outcome_row
from maestro.cli.options import login_name, written_text
from maestro.cli.output import EXIT_FAILED, EXIT_USAGE, fail, json_option, note, print_rows
from maestro.cli.places import Range, parsed_ranges
from maestro.clients import KafkaAccess
from maestro.dead_letters import Outcome, Redriver, all_letters
from schemas.lists import DeadLetterReason

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("place", "outcome", "from", "to", "redriven", "problem")


def _choosing(command: F) -> F:
    """Add what says which letters are meant."""
    for option in (
        json_option,
        click.option("--yes", is_flag=True, help="Do not ask, also when there are several."),
        click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            default=100,
            show_default=True,
            help="The oldest so many of those that are meant.",
        ),
        click.option(
            "--reason",
            type=click.Choice([reason.value for reason in DeadLetterReason]),
            help="All open ones that are kept for this reason.",
        ),
        click.argument("places", nargs=-1, metavar="[PARTITION:OFFSET | PARTITION:FIRST-LAST]…"),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--again", is_flag=True, help="Also those that were driven again or discarded before.")
@_choosing
def redrive(
    *,
    places: tuple[str, ...],
    reason: str | None,
    limit: int,
    again: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Publish messages again on the topic that they came from, with their key, value and headers.

    Mend the cause first: what fails again becomes another dead letter. A place that is named alone is taken
    whatever its state; ranges and --reason take the open ones. Driving one again twice does no harm.

    Exit codes: 0 done, 1 some were refused or not found, 2 wrong use.
    """
    letters = _chosen(places, reason, limit, again=again)
    if not dry_run:
        _confirm("Redrive", letters, yes=yes)
    outcomes = asyncio.run(_redriven(letters, is_rehearsal=dry_run))
    _tell(outcomes, "would be redriven" if dry_run else "redriven", as_json=as_json)


@click.command()
@click.option("--note", "why", required=True, callback=written_text, help="Why: `dlq list` shows it.")
@_choosing
def discard(
    *,
    places: tuple[str, ...],
    reason: str | None,
    limit: int,
    why: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Give dead letters up, and say why. They are kept until the retention of their topic ends.

    Exit codes: 0 done, 1 not found, 2 wrong use.
    """
    if not why.strip():
        fail("say why, with --note", exit_code=EXIT_USAGE)
    letters = _chosen(places, reason, limit, again=False)
    if dry_run:
        outcomes = [Outcome(letter=letter) for letter in letters]
    else:
        _confirm("Discard", letters, yes=yes)
        outcomes = asyncio.run(_discarded(letters, why))
    _tell(outcomes, "would be discarded" if dry_run else "discarded", as_json=as_json)


def _chosen(places: tuple[str, ...], reason: str | None, limit: int, *, again: bool) -> list[Letter]:
    if not places and reason is None:
        fail("name places, or --reason; `maestro dlq list` shows both", exit_code=EXIT_USAGE)
    ranges = parsed_ranges(places) if places else None
    letters = meant(asyncio.run(_all()), ranges, reason, again=again)
    if not letters and ranges is not None and _is_single(ranges):
        fail(f"there is no such dead letter at {ranges[0][0]}:{ranges[0][1]}", code="not_found")
    if len(letters) > limit:
        note(f"{len(letters)} dead letters are meant: the oldest {limit} are taken, see --limit")
    return letters[:limit]


def meant(
    letters: Sequence[Letter], ranges: Sequence[Range] | None, reason: str | None, *, again: bool
) -> list[Letter]:
    """Return those of `letters` that are meant. Pure.

    A single place says itself what it means; of several, those that somebody has seen to are left out unless
    they are meant `again`.
    """
    found = list(letters) if ranges is None else between(letters, ranges)
    found = [letter for letter in found if reason in (None, letter.reason)]
    if again or (ranges is not None and _is_single(ranges)):
        return found
    return [letter for letter in found if letter.state is LetterState.OPEN]


def _is_single(ranges: Sequence[Range]) -> bool:
    return len(ranges) == 1 and ranges[0][1] == ranges[0][2]


def _confirm(what: str, letters: Sequence[Letter], *, yes: bool) -> None:
    if yes or len(letters) <= 1:
        return
    topics = sorted({letter.origin.topic if letter.origin else "an unknown topic" for letter in letters})
    question = f"{what} {len(letters)} dead letters of {', '.join(topics)}?"
    _ = click.confirm(question, abort=True, err=True)


async def _all() -> list[Letter]:
    return await all_letters(await KafkaAccess.from_environment())


async def _redriven(letters: Sequence[Letter], *, is_rehearsal: bool) -> list[Outcome]:
    if not letters:
        return []
    async with Redriver(await KafkaAccess.from_environment(), by=login_name()) as redriver:
        return await redriver.redrive(letters, is_rehearsal=is_rehearsal)


async def _discarded(letters: Sequence[Letter], why: str) -> list[Outcome]:
    if not letters:
        return []
    async with Redriver(await KafkaAccess.from_environment(), by=login_name()) as redriver:
        return await redriver.discard(letters, note=why)


def _tell(outcomes: Sequence[Outcome], did: str, *, as_json: bool) -> None:
    print_rows([outcome_row(outcome, did=did) for outcome in outcomes], _COLUMNS, as_json=as_json)
    if any(outcome.problem is not None for outcome in outcomes):
        raise SystemExit(EXIT_FAILED)
