"""Everyday messages that go on while a test does something else."""

import asyncio

from schemas import ids
from schemas.records import UserMessage
from tests.fleet.fleet import Fleet

SESSIONS = 6
PAUSE_S = 0.2


class Traffic:
    """Sends a message to one session after the other until stopped; `sent` has the messages' ids."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._sending: asyncio.Task[None] | None = None
        self.sent: set[str] = set()

    def start(self) -> None:
        """Begin."""
        self._sending = asyncio.create_task(self._send(), name="everyday messages")

    async def stop(self) -> None:
        """Send no more. What failed to be sent fails here; stopping twice does nothing."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()

    async def _send(self) -> None:
        sessions = [ids.new_id() for _ in range(SESSIONS)]
        while True:
            for session_id in sessions:
                message_id = ids.new_id()
                await self._fleet.publish(
                    UserMessage(id=message_id, session_id=session_id, user_id="everyday", content="hello")
                )
                self.sent.add(message_id)
                await asyncio.sleep(PAUSE_S)
