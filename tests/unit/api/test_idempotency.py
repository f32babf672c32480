"""The same request is the same message: by its names, on every replica, with and without a memory."""

from dataclasses import dataclass, field

import pytest

from api.idempotency import Named, decided, identified, request_hash
from api.problems import Problem
from schemas.errors import TransientError

USER = "alice"
SESSION = "01a200e0-13ae-7c1a-872b-1fc11071cdb0"


@dataclass(frozen=True)
class Kept:
    """What is kept under a key."""

    value: str
    is_first: bool
    is_same_request: bool


@dataclass
class Memory:
    """A memory that replicas share; `is_away` as when Redis is."""

    kept: dict[tuple[str, str], tuple[str, str]] = field(
        default_factory=dict[tuple[str, str], tuple[str, str]]
    )
    is_away: bool = False

    async def remember_key(
        self, user_id: str, key: str, request_hash: str, value: str, *, keep_s: int
    ) -> Kept:
        """Keep the first value."""
        assert keep_s > 0
        if self.is_away:
            message = "away"
            raise TransientError(message)
        is_first = (user_id, key) not in self.kept
        first_hash, first = self.kept.setdefault((user_id, key), (request_hash, value))
        return Kept(first, is_first, first_hash == request_hash)


async def identity(
    memory: Memory, named: Named, text: str = "hello", session_id: str | None = None
) -> tuple[str, bool]:
    """Return the run of a request, and whether it is a retry."""
    found = await identified(memory, USER, named, session_id, hashed=request_hash(text), keep_s=60)
    return found.run_id, found.is_retry


@pytest.mark.parametrize("session_id", [None, SESSION])
@pytest.mark.parametrize(
    "named", [Named(key="k"), Named(client_message_id="m"), Named(key="k", client_message_id="m")]
)
async def test_a_named_request_is_one_run_also_when_redis_forgets(
    named: Named, session_id: str | None
) -> None:
    memory = Memory()
    first, is_retry = await identity(memory, named, session_id=session_id)
    assert not is_retry
    assert await identity(memory, named, session_id=session_id) == (first, True)
    assert await identity(Memory(), named, session_id=session_id) == (first, False)
    assert await identity(Memory(is_away=True), named, session_id=session_id) == (first, True)


async def test_a_request_without_a_name_is_always_new() -> None:
    memory = Memory()
    assert await identity(memory, Named()) != await identity(memory, Named())
    assert not memory.kept


@pytest.mark.parametrize("named", [Named(key="k"), Named(client_message_id="m")])
async def test_a_name_with_another_request_is_refused(named: Named) -> None:
    memory = Memory()
    _ = await identity(memory, named)
    with pytest.raises(Problem) as refused:
        await identity(memory, named, "something else")
    assert refused.value.status == 422


async def test_a_key_that_comes_with_another_message_id_is_refused() -> None:
    memory = Memory()
    _ = await identity(memory, Named(key="k", client_message_id="m"))
    with pytest.raises(Problem):
        await identity(memory, Named(key="k", client_message_id="n"))


def test_names_of_two_users_and_of_two_kinds_do_not_meet() -> None:
    messages = {
        decided("alice", Named(key="x"), None).message_id,
        decided("bob", Named(key="x"), None).message_id,
        decided("alice", Named(client_message_id="x"), None).message_id,
    }
    assert len(messages) == 3


def test_the_hash_tells_requests_apart() -> None:
    assert request_hash("a", "b") == request_hash("a", "b")
    assert request_hash("a", "b") != request_hash("ab", "")
    assert request_hash(None, "b") != request_hash("b", None)
