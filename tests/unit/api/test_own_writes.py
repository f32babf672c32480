"""A user's writes are waited for until the record has them, and no longer than the limit."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from api.own_writes import ENDED, MESSAGE, OwnWrites
from api.owners import Owners
from schemas import ids
from schemas.errors import TransientError

USER, SESSION, OTHER = "alice", ids.new_id(), ids.new_id()


@dataclass(frozen=True)
class AWrite:
    """A write as it is noted."""

    event_id: str
    session_id: str
    kind: str


@dataclass
class Notes:
    """Notes in memory; `is_away` as when Redis is."""

    kept: list[AWrite] = field(default_factory=list[AWrite])
    erased: set[str] = field(default_factory=set[str])
    is_away: bool = False

    async def note_write(
        self, user_id: str, session_id: str, event_id: str, kind: str, *, keep_s: int
    ) -> None:
        """Note a write."""
        assert user_id == USER
        assert keep_s > 0
        if self.is_away:
            message = "away"
            raise TransientError(message)
        self.kept.append(AWrite(event_id, session_id, kind))

    async def note_erased(self, user_id: str, session_id: str, *, keep_s: int) -> None:
        """Note an erasure, before the write that nobody needs to know of any more."""
        assert (user_id, keep_s > 0) == (USER, True)
        assert not self.kept
        self.erased.add(session_id)

    async def writes(self, user_id: str) -> list[AWrite]:
        """Return all notes."""
        assert user_id == USER
        return list(self.kept)

    async def forget_writes(self, user_id: str, event_ids: Collection[str]) -> None:
        """Forget some notes."""
        assert user_id == USER
        self.kept = [each for each in self.kept if each.event_id not in event_ids]


@dataclass(frozen=True)
class Effect:
    """What an event caused."""

    is_seen: bool


@dataclass
class Record:
    """A record that has an event only after it was asked for it `after` times."""

    after: int = 0
    asked: list[str] = field(default_factory=list[str])

    async def caused(self, user_id: str, session_id: str, event_id: str) -> Effect | None:
        """Return nothing, then a part, then all."""
        assert (user_id, session_id in {SESSION, OTHER}) == (USER, True)
        self.asked.append(event_id)
        times = self.asked.count(event_id)
        return None if times < self.after else Effect(is_seen=times > self.after)

    async def is_shown(self, user_id: str, session_id: str, run_id: str) -> bool:
        """Whether the end is there."""
        effect = await self.caused(user_id, session_id, run_id)
        return effect is not None and effect.is_seen


def own_writes(notes: Notes, record: Record, *, wait_s: float = 30.0) -> OwnWrites:
    """Return the memory over fakes."""
    return OwnWrites(notes, record, record, keep_s=60, wait_s=wait_s)


async def test_who_wrote_nothing_waits_for_nothing() -> None:
    record = Record()
    assert await own_writes(Notes(), record).seen(USER, None)
    assert not record.asked


@pytest.mark.parametrize("kind", [MESSAGE, "configure", ENDED])
async def test_a_write_is_waited_for_and_then_forgotten(kind: str) -> None:
    notes, record = Notes(), Record(after=2)
    writes = own_writes(notes, record)
    await writes.note(USER, SESSION, "e1", kind)
    assert await writes.seen(USER, SESSION)
    assert record.asked == ["e1"] * 3
    assert not notes.kept


async def test_writes_that_are_known_are_not_asked_for() -> None:
    message = ids.new_id()
    noted = AWrite(message, SESSION, MESSAGE)
    writes = own_writes(Notes(kept=[noted]), Record(after=1_000_000), wait_s=0.05)
    run = ids.run_id(SESSION, message)
    assert await writes.seen(USER, SESSION, [])
    assert await writes.run_seen(USER, run, []) == (True, None)
    assert not await writes.seen(USER, SESSION, [noted])
    assert await writes.run_seen(USER, run, [noted]) == (False, SESSION)


async def test_only_writes_to_the_session_that_is_read_are_waited_for() -> None:
    notes, record = Notes(), Record(after=1_000_000)
    writes = own_writes(notes, record, wait_s=0.05)
    await writes.note(USER, OTHER, "e1", MESSAGE)
    assert await writes.seen(USER, SESSION)
    assert not await writes.seen(USER, None)


async def test_what_the_record_does_not_get_in_time_is_said_and_kept() -> None:
    notes, record = Notes(), Record(after=1_000_000)
    writes = own_writes(notes, record, wait_s=0.05)
    await writes.note(USER, SESSION, "e1", MESSAGE)
    assert not await writes.seen(USER, SESSION)
    assert [each.event_id for each in notes.kept] == ["e1"]


async def test_an_erasure_stays_known_when_the_record_has_it_and_nobody_waits_for_that() -> None:
    notes, record = Notes(), Record()
    writes = own_writes(notes, record)
    await writes.note(USER, SESSION, "e1", "erase")
    assert await writes.seen(USER, None)
    assert record.asked == ["e1"]
    assert notes.erased == {SESSION}
    assert await writes.seen(USER, None)
    assert record.asked == ["e1"]


def test_an_owner_is_forgotten_before_the_note_of_an_erasure() -> None:
    now_s = 0.0
    owners = Owners(30.0, now=lambda: now_s)
    owners.learn(SESSION, USER)
    assert owners.is_known(SESSION, USER)
    assert not owners.is_known(SESSION, "bob")
    assert not owners.is_known(OTHER, USER)
    now_s = 30.0
    assert not owners.is_known(SESSION, USER)


async def test_without_redis_the_write_itself_is_waited_for() -> None:
    record = Record(after=1)
    await own_writes(Notes(is_away=True), record).note(USER, SESSION, "e1", MESSAGE)
    assert record.asked == ["e1", "e1"]


async def test_a_run_is_waited_for_by_the_message_that_causes_it() -> None:
    notes, record = Notes(), Record(after=1)
    writes = own_writes(notes, record)
    message = ids.new_id()
    await writes.note(USER, SESSION, message, MESSAGE)
    await writes.note(USER, OTHER, ids.new_id(), MESSAGE)
    run = ids.run_id(SESSION, message)
    assert await writes.run_seen(USER, run) == (True, SESSION)
    assert set(record.asked) == {message}
    assert await writes.run_seen(USER, run) == (True, None), "it was forgotten"


async def test_a_run_is_known_by_its_message_before_it_is_recorded() -> None:
    writes = own_writes(Notes(), Record())
    message = ids.new_id()
    await writes.note(USER, SESSION, message, MESSAGE)
    assert await writes.is_noted_run(USER, ids.run_id(SESSION, message))
    assert not await writes.is_noted_run(USER, ids.run_id(OTHER, message))
