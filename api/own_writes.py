"""Reading one's own writes: what a user was told is kept is waited for by the same user's reads.

The record runs behind the topics. Each acknowledged write is noted in Redis, where every replica finds it,
and forgotten when the record was seen to contain it. The end of a run that a user was told of counts as one.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from schemas import ids
from schemas.errors import TransientError
from schemas.lists import CommandKind
from telemetry.logs import logger

MESSAGE: Final = "message"
"""Kind of a write that is a user's message; commands have their own names."""

ENDED: Final = "ended"
"""Kind of a note that a user was told of a run's end; its event is the run."""

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.2

_AT_ONCE: Final = 8
"""Writes that the record is asked for at a time: one user must not take all of its connections."""

_log = logger(__name__)


class Write(Protocol):
    """Something that a user has published, or was told."""

    @property
    def session_id(self) -> str:
        """Session that it is about."""
        ...

    @property
    def event_id(self) -> str:
        """Its id: what it makes happen has this cause."""
        ...

    @property
    def kind(self) -> str:
        """`message`, the kind of the command, or `ended`."""
        ...


class Noted(Protocol):
    """The writes that were noted, shared by all replicas. Every method raises TransientError."""

    async def note_write(
        self, user_id: str, session_id: str, event_id: str, kind: str, *, keep_s: int
    ) -> None:
        """Note a write for `keep_s` seconds."""
        ...

    async def note_erased(self, user_id: str, session_id: str, *, keep_s: int) -> None:
        """Note for `keep_s` seconds that a session was erased, whether the record has it meanwhile or not.

        Other processes may still remember whose the session was.
        """
        ...

    async def writes(self, user_id: str) -> Sequence[Write]:
        """Return a user's writes that are noted."""
        ...

    async def forget_writes(self, user_id: str, event_ids: Collection[str]) -> None:
        """Forget writes."""
        ...


class Effect(Protocol):
    """What an event caused, as far as it is recorded."""

    @property
    def is_seen(self) -> bool:
        """Whether reads contain all of it."""
        ...


class Effects(Protocol):
    """The record, by what events caused."""

    async def caused(self, user_id: str, session_id: str, event_id: str) -> Effect | None:
        """Return what an event caused, None while it is not recorded. Raises TransientError."""
        ...


class Ends(Protocol):
    """The record, by how runs ended."""

    async def is_shown(self, user_id: str, session_id: str, run_id: str) -> bool:
        """Whether reads contain the end of a run. Raises TransientError."""
        ...


class OwnWrites:
    """The memory of what users have written. `keep_s` is how long one is waited for, `wait_s` each wait."""

    def __init__(self, noted: Noted, effects: Effects, ends: Ends, *, keep_s: int, wait_s: float) -> None:
        self._noted = noted
        self._effects = effects
        self._ends = ends
        self._keep_s = keep_s
        self._wait_s = wait_s

    async def note(self, user_id: str, session_id: str, event_id: str, kind: str) -> None:
        """Remember a write that was published, or an end that will be told.

        Where Redis is away it is waited for now, so that the promise holds without a memory.

        Raises:
            TransientError: the record cannot be reached either.

        """
        try:
            if kind == CommandKind.ERASE:
                await self._noted.note_erased(user_id, session_id, keep_s=self._keep_s)
            await self._noted.note_write(user_id, session_id, event_id, kind, keep_s=self._keep_s)
        except TransientError as error:
            _log.warning(
                "own write not noted; waiting for the record", event_id=event_id, error=error.message
            )
            _ = await self._wait_for(user_id, {event_id: (session_id, kind)})

    async def seen(self, user_id: str, session_id: str | None, known: Sequence[Write] | None = None) -> bool:
        """Wait until the record contains the user's writes to a session, or all; False: not in time.

        `known`: the writes, where they were read already.
        """
        writes = await self._noted.writes(user_id) if known is None else known
        return await self._seen(user_id, writes, lambda each: session_id in (None, each.session_id))

    async def run_seen(
        self, user_id: str, run_id: str, known: Sequence[Write] | None = None
    ) -> tuple[bool, str | None]:
        """Wait until the record contains the message that causes a run, and its end if the user knows it.

        Returns whether it does, and the run's session where the message is noted. `known` as for `seen`.

        Raises:
            TransientError: the record or Redis cannot be reached.

        """
        writes = await self._noted.writes(user_id) if known is None else known
        about = [each for each in writes if _is_about(each, run_id)]
        is_there = await self._seen(user_id, about, lambda _: True)
        return is_there, about[0].session_id if about else None

    async def is_noted_run(self, user_id: str, run_id: str) -> bool:
        """Whether the message that causes a run, or its end, is noted. Raises TransientError."""
        return any(_is_about(each, run_id) for each in await self._noted.writes(user_id))

    async def _seen(self, user_id: str, writes: Sequence[Write], is_wanted: Callable[[Write], bool]) -> bool:
        missing = {each.event_id: (each.session_id, each.kind) for each in writes if is_wanted(each)}
        if not missing:
            return True
        wanted = tuple(missing)
        is_there = await self._wait_for(user_id, missing)
        there = [event_id for event_id in wanted if event_id not in missing]
        if there:
            await self._noted.forget_writes(user_id, there)
        return is_there

    async def _wait_for(self, user_id: str, missing: dict[str, tuple[str, str]]) -> bool:
        pause_s = _FIRST_PAUSE_S
        try:
            async with asyncio.timeout(self._wait_s):
                while not await self._all_there(user_id, missing):
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        except TimeoutError:
            return False
        return True

    async def _all_there(self, user_id: str, missing: dict[str, tuple[str, str]]) -> bool:
        """Take out of `missing` (event → session and kind) what the record has; whether nothing is left."""
        asked = tuple(missing.items())
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first : first + _AT_ONCE]
            there = await asyncio.gather(
                *(
                    self._is_there(user_id, session_id, event_id, kind)
                    for event_id, (session_id, kind) in some
                )
            )
            for (event_id, _), is_there in zip(some, there, strict=True):
                if is_there:
                    del missing[event_id]
        return not missing

    async def _is_there(self, user_id: str, session_id: str, event_id: str, kind: str) -> bool:
        if kind == ENDED:
            return await self._ends.is_shown(user_id, session_id, event_id)
        caused = await self._effects.caused(user_id, session_id, event_id)
        return caused is not None and caused.is_seen


def _is_about(write: Write, run_id: str) -> bool:
    if write.kind == ENDED:
        return write.event_id == run_id
    return write.kind == MESSAGE and ids.run_id(write.session_id, write.event_id) == run_id
