"""What applications read is found by the indexes that were made for it, as plans say: no time is measured."""

import pytest

from bench.api_plans import MODES, Scan, lists_with_other_plans, of, scans
from bench.api_rows import ONE, Amount, fill, session_of_one
from stores.postgres.pool import Database
from stores.postgres.web import Web

# Filled once for all, which takes longer than a test should on a busy machine.
pytestmark = pytest.mark.timeout(300)
AMOUNT = Amount(sessions=50_000, of_one=1_000, users=2_500)
FIRST = session_of_one(AMOUNT, 0)


@pytest.fixture(scope="module")
async def full(shared_database: Database) -> Database:
    """A record with 50,000 sessions, of which one user has a thousand."""
    await fill(shared_database, AMOUNT)
    return shared_database


def indexes(prefix: str, found: set[Scan]) -> set[str]:
    """Return the indexes that are used, of those whose names begin so."""
    return {scan.index for scan in found if scan.index is not None and scan.index.startswith(prefix)}


def read_whole(found: set[Scan]) -> set[str | None]:
    """Return the tables that are read from one end to the other, but those without rows here."""
    return {scan.table for scan in found if scan.how == "Seq Scan"} - {"erased_sessions", "runs", "tasks"}


async def test_lists_read_the_index_alone_and_then_the_rows_of_their_page(full: Database) -> None:
    assert not await lists_with_other_plans(full)


async def test_a_list_by_number_of_messages_reads_the_rows_of_its_user_only(full: Database) -> None:
    for mode in MODES:
        found = await scans(full, "sessions_with_messages", f"'{ONE}', false, 20, 0, null, '', 5", mode)
        assert indexes("sessions", found) == {"sessions_user", "sessions_pkey"}, mode
        assert not read_whole(found), mode


async def test_a_session_and_its_messages_are_found_by_their_keys(full: Database) -> None:
    for mode in MODES:
        session = await scans(full, "session", f"'{ONE}', '{FIRST}'", mode)
        assert of("sessions", session) == {Scan("Index Scan", "sessions", "sessions_pkey")}, mode
        for name, place in (("messages", "20, 100"), ("messages_after", "100, 20")):
            found = await scans(full, name, f"'{ONE}', '{FIRST}', {place}", mode)
            assert "messages_session" in indexes("messages", found), (mode, name)
            assert not read_whole(found), (mode, name)
        caused = await scans(full, "caused", f"'{ONE}', '{FIRST}', '{FIRST}', 2000", mode)
        used = indexes("task_logs", caused)
        assert used, mode
        assert all(index.endswith("_pkey") for index in used), mode


async def test_usage_is_counted_from_the_index_alone(full: Database) -> None:
    for mode in MODES:
        found = await scans(full, "usage", "'user-1', now() - interval '30 days', now()", mode)
        assert found == {Scan("Index Only Scan", "generations", "generations_user")}, mode


async def test_the_pages_of_many_sessions_are_those_of_a_plain_sort(full: Database) -> None:
    rows = await full.fetch(
        "select id::text from sessions where user_id = $1 and not archived order by last_activity desc, id",
        ONE,
    )
    web, expected = Web(full), [row["id"] for row in rows]
    for page in (1, 2, 7, 18, 19):
        found, total = await web.sessions(ONE, page=page, per_page=50)
        assert [each.id for each in found] == expected[(page - 1) * 50 : page * 50]
        assert total == len(expected)


async def test_a_session_that_goes_on_touches_no_index_within_ten_minutes(full: Database) -> None:
    update = """
        update sessions set last_activity = $2, updated_at = $2, total_messages = total_messages + 1,
            version = version + 1, last_message = 'another', timers = '[]', status = 'active'
        where id = $1 and status = 'active'
        """
    async with full.transaction() as transaction:
        slot = "select active_slot + interval '9 minutes' as at, active_slot + interval '11 minutes' as later"
        await transaction.execute("update sessions set status = 'active' where id = $1", FIRST)
        row = (await transaction.fetch(f"{slot} from sessions where id = $1", FIRST))[0]
        counts: list[int] = []
        for at in (row["at"], row["later"]):
            assert await transaction.execute(update, FIRST, at) == 1
            hot = await transaction.fetch(
                "select pg_stat_get_xact_tuples_hot_updated('sessions'::regclass) as hot"
            )
            counts.append(int(hot[0]["hot"]))
    assert counts[1] == counts[0], "ten minutes later the index follows"
    assert counts[0] >= 1
