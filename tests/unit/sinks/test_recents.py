"""The recents sink keeps the newest states, forgets erased sessions, reads again what Redis forgot."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from bus.codec import Codec
from schemas.records import Session
from schemas.topics import SESSIONS
from sinks.ports import Batch, Entry, Move, Refused
from sinks.recents.store import RecentsStore
from tests.fakes.made_session import Made
from tests.fakes.recents import FakeRecents
from tests.unit.sinks.sent import Sent

CODEC = Codec()


async def no_refusal(refused: Sequence[Refused]) -> None:
    assert not refused


def entry(session: Session, offset: int) -> Entry:
    value = CODEC.encode(session.model_copy(update={"last_activity": datetime.now(UTC)}))
    message = Sent(offset, topic="sessions", key=session.id.encode(), value=value)
    return Entry(message, CODEC.decode_plain(SESSIONS, value))


def tombstone(session_id: str, offset: int) -> Entry:
    return Entry(Sent(offset, topic="sessions", key=session_id.encode(), value=None), None)


def batch(*entries: Entry) -> list[Batch]:
    offsets = [each.message.offset for each in entries]
    return [Batch(SESSIONS, "sessions", entries, [Move(0, offsets[0], offsets[-1] + 1)])]


async def test_the_newest_state_is_listed_and_the_offset_kept() -> None:
    lists, made = FakeRecents(keep_s=100, most=5), Made(str(uuid4()))
    store = RecentsStore(lists)
    assert await store.begin([("sessions", 0)]) == {("sessions", 0): 0}
    await store.write(batch(*(entry(made.session(version=v), v) for v in (1, 3, 2))), no_refusal)
    assert [(each.version, each.title) for each in await lists.of_user("alice")] == [(3, "how many?")]
    assert await store.begin([("sessions", 0)]) == {("sessions", 0): 3}


async def test_a_tombstone_forgets_the_session_also_within_one_batch() -> None:
    lists, one, two = FakeRecents(keep_s=100, most=5), Made(str(uuid4())), Made(str(uuid4()))
    store = RecentsStore(lists)
    entries = [entry(one.session(), 0), entry(two.session(), 1), tombstone(one.session_id, 2)]
    await store.write(batch(*entries), no_refusal)
    assert [each.session_id for each in await lists.of_user("alice")] == [two.session_id]
    await store.write(batch(tombstone(two.session_id, 3), entry(two.session(version=9), 4)), no_refusal)
    assert await lists.of_user("alice") == ()


async def test_a_redis_that_forgot_is_noticed_once_and_filled_from_the_beginning() -> None:
    lists, made, again = FakeRecents(keep_s=100, most=5), Made(str(uuid4())), list[str]()
    store = RecentsStore(lists)
    look = store.watch(lambda: again.append("again"))
    await look()
    await store.begin([("sessions", 0)])
    await store.write(batch(entry(made.session(), 0)), no_refusal)
    await look()
    assert again == []
    lists.forget()
    await look()
    await look()
    assert again == ["again"]
    assert await store.begin([("sessions", 0)]) == {("sessions", 0): 0}
