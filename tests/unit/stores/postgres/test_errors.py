"""What the client's errors mean."""

import asyncpg
import pytest

from schemas.errors import FatalError, TransientError
from stores.postgres.errors import RefusedError, translated, translation


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (asyncpg.CharacterNotInRepertoireError("bytes"), RefusedError),
        (asyncpg.NotNullViolationError("null"), RefusedError),
        (asyncpg.ProgramLimitExceededError("index row size"), RefusedError),
        (asyncpg.DataError("int out of range"), RefusedError),
        (asyncpg.UndefinedTableError("tasks"), FatalError),
        (asyncpg.InvalidPasswordError("no"), FatalError),
        (asyncpg.InvalidCatalogNameError("no such database"), FatalError),
        (asyncpg.DeadlockDetectedError("dead"), TransientError),
        (asyncpg.AdminShutdownError("bye"), TransientError),
        (asyncpg.DiskFullError("full"), TransientError),
        (asyncpg.ReadOnlySQLTransactionError("standby"), TransientError),
        (asyncpg.InterfaceError("connection is closed"), TransientError),
        (ConnectionRefusedError("no"), TransientError),
        (TimeoutError(), TransientError),
    ],
)
def test_errors_say_what_to_do(error: Exception, meaning: type[Exception]) -> None:
    assert type(translated(error)) is meaning


def test_a_refused_row_is_not_quoted_by_what_the_server_says() -> None:
    fields = {"C": "23502", "M": 'null value in column "title"', "D": "Failing row contains (a secret)."}
    error: Exception = asyncpg.PostgresError.new(fields)
    assert "a secret" in str(error)
    assert translated(error).message == 'the database refuses the row: null value in column "title" (23502)'


def test_a_refused_row_is_not_quoted_by_what_the_client_says() -> None:
    error = asyncpg.DataError("invalid input for query argument $1: 'a secret' (expected int)")
    error.__cause__ = TypeError("expected int")
    assert "a secret" not in translated(error).message
    assert "invalid input for query argument $1: expected int" in translated(error).message


def test_errors_of_others_pass_unchanged() -> None:
    with pytest.raises(KeyError), translation():
        raise KeyError
