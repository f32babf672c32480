"""A log that is read in pages folds to what it was, and every fault in it is found where it is."""

from dataclasses import replace
from typing import cast

import orjson
import pytest

from maestro.replay.history import context_at, history, known_head
from schemas.errors import ErrorCode, NotFoundError, PoisonError
from schemas.lists import Action
from stores.postgres.session_logs import SessionLogs, StoredLog
from streams.session.cause import Cause
from streams.session.context import to_bytes
from streams.session.log import entry_hash, fold
from tests.fakes.record import row_of
from tests.unit.maestro.replay.rows import Rows
from tests.unit.streams.session.simulated import SESSION, Simulated


def long_talk(messages: int = 120) -> Simulated:
    session = Simulated()
    for number in range(messages):
        session.say(f"number {number}")
        session.answer(session.requests()[-1], f"answer {number}")
    return session


def logs_of(rows: Rows) -> SessionLogs:
    return cast("SessionLogs", rows)


@pytest.fixture(scope="module")
def talk() -> Simulated:
    return long_talk()


@pytest.fixture
def rows(talk: Simulated) -> Rows:
    return Rows([row_of(logs, entry.sequence) for logs in talk.decisions for entry in logs.entries])


async def test_every_entry_of_a_long_log_has_its_context(talk: Simulated, rows: Rows) -> None:
    last = talk.context.sequence
    assert last > 500, "more than a page"
    seen = [moment async for moment in history(logs_of(rows), SESSION, upto=last)]
    assert rows.pages > 1
    assert tuple(moment.logs.model_dump() for moment in seen) == tuple(
        logs.model_dump() for logs in talk.decisions
    )
    assert to_bytes(seen[-1].after) == to_bytes(talk.context)
    assert to_bytes(seen[40].before) == to_bytes(fold(SESSION, talk.decisions[:40]))


async def test_the_context_after_an_entry_within_a_decision_is_folded_up_to_it(
    talk: Simulated, rows: Rows
) -> None:
    first = talk.decisions[0]
    for entry in first.entries:
        cut = first.model_copy(update={"entries": first.entries[: entry.sequence]})
        assert await context_at(logs_of(rows), SESSION, entry.sequence) == fold(SESSION, [cut])


async def test_a_missing_row_is_a_gap_wherever_it_is(rows: Rows) -> None:
    last = rows.rows[-1].sequence
    for missing in (1, 7, 500, 501, last):
        gapped = Rows([row for row in rows.rows if row.sequence != missing])
        with pytest.raises(PoisonError, match=str(missing)):
            await context_at(logs_of(gapped), SESSION, last)


@pytest.mark.parametrize("name", ["payload", "hash", "previous_hash"])
async def test_a_row_that_was_changed_is_named(rows: Rows, name: str) -> None:
    changed = replace(rows.rows[9], **{name: "{}" if name == "payload" else "0"})
    forged = Rows([*rows.rows[:9], changed, *rows.rows[10:]])
    with pytest.raises(PoisonError, match="broken at entry 10"):
        await context_at(logs_of(forged), SESSION, 30)


async def test_a_checkpoint_that_is_not_the_fold_is_named_with_the_field(rows: Rows) -> None:
    number = next(n for n, row in enumerate(rows.rows) if row.action is Action.CHECKPOINT)
    row = rows.rows[number]
    payload = orjson.loads(row.payload)
    payload["context"]["title"] = "another"
    forged = replace(row, payload=orjson.dumps(payload).decode())
    forged = replace(forged, hash=entry_hash(SESSION, forged.entry(), cause_of(forged)))
    with pytest.raises(PoisonError, match=f"checkpoint at entry {row.sequence} .* title is 'another'"):
        await context_at(logs_of(Rows([*rows.rows[:number], forged])), SESSION, row.sequence)


def cause_of(row: StoredLog) -> Cause:
    us = int(row.occurred_at.timestamp() * 1000) * 1000
    return Cause(id=row.cause_id, at_ms=us // 1000, occurred_at_us=us, term=row.term)


async def test_unknown_and_erased_sessions_are_told_apart(rows: Rows) -> None:
    assert (await known_head(logs_of(rows), SESSION)).fence == 7
    with pytest.raises(NotFoundError):
        await known_head(logs_of(Rows([])), SESSION)
    with pytest.raises(PoisonError) as refused:
        await known_head(logs_of(Rows([], erased=True)), SESSION)
    assert refused.value.code is ErrorCode.ERASED
