"""A person who answers whatever waits for one: approves what was asked for, denies what may have happened."""

import asyncio
from contextlib import suppress
from typing import Self

from schemas import ids
from schemas.errors import TransientError
from schemas.lists import Action, CommandKind
from schemas.records import SessionCommand
from tests.fleet.fleet import Ground

PAUSE_S = 0.5


class Person:
    """Looks into the record twice a second. `approved` and `denied` are the tool calls answered."""

    def __init__(self, fleet: Ground) -> None:
        self._fleet = fleet
        self._looking: asyncio.Task[None] | None = None
        self._answered: set[tuple[str, bool]] = set()
        self.approved: set[str] = set()
        self.denied: set[str] = set()

    async def __aenter__(self) -> Self:
        """Begin to look."""
        self._looking = asyncio.create_task(self._look(), name="a person")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Look no more; a failure in the meantime is raised."""
        looking = self._looking
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])
            if not looking.cancelled():
                looking.result()

    async def _look(self) -> None:
        while True:
            with suppress(TransientError):  # something is away: look again
                await self._look_once()
            await asyncio.sleep(PAUSE_S)

    async def _look_once(self) -> None:
        rows = await self._fleet.database.fetch(
            "select session_id::text as session, user_id, tool_call_id as call,"
            " coalesce((payload->>'is_unknown')::boolean, false) as is_unknown"
            " from task_logs where action = $1",
            Action.APPROVAL_REQUESTED.value,
        )
        for row in rows:
            asked = (row["call"], row["is_unknown"])
            if asked not in self._answered:
                await self._answer(row["session"], row["user_id"], *asked)
                self._answered.add(asked)

    async def _answer(self, session_id: str, user_id: str, call_id: str, is_unknown: bool) -> None:
        # What may have happened already is not done again.
        kind = CommandKind.DENY if is_unknown else CommandKind.APPROVE
        (self.denied if is_unknown else self.approved).add(call_id)
        await self._fleet.publish(
            SessionCommand(
                id=ids.new_id(),
                session_id=session_id,
                user_id=user_id,
                kind=kind,
                step_id=call_id,
                reason="somebody looked",
            )
        )
