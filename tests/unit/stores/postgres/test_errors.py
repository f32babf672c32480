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


def test_errors_of_others_pass_unchanged() -> None:
    with pytest.raises(KeyError), translation():
        raise KeyError
