"""Which migrations are still to be applied."""

import pytest

from schemas.errors import FatalError
from stores.postgres.migrate import Migration, migrations, pending_of

ONE, TWO = Migration("0001_one.sql", "select 1"), Migration("0002_two.sql", "select 2")


def test_what_is_not_applied_is_pending_in_order() -> None:
    assert pending_of([ONE, TWO], {}) == (ONE, TWO)
    assert pending_of([ONE, TWO], {ONE.name: ONE.sha256}) == (TWO,)


def test_a_newer_release_s_migrations_are_left_alone() -> None:
    assert pending_of([ONE], {ONE.name: ONE.sha256, "0009_later.sql": "x"}) == ()


def test_a_file_changed_after_it_was_applied_is_refused_by_name() -> None:
    with pytest.raises(FatalError, match=r"0001_one\.sql was changed"):
        pending_of([ONE], {ONE.name: "another digest"})


def test_this_release_s_files_are_numbered_without_gaps() -> None:
    assert [int(each.name[:4]) for each in migrations()] == list(range(1, len(migrations()) + 1))
