"""Asks the registry for schema ids that nobody knew at the start: one question at a time, not too many."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic

from bus.codec import RegisteredSchema
from schemas.errors import MaestroError, TransientError
from schemas.topics import BY_NAME, TopicSpec
from telemetry.logs import logger

Ask = Callable[[TopicSpec, int], Awaitable[RegisteredSchema | None]]

EVERY_S = 0.02
"""A flood of made-up ids may not cost the registry more than fifty questions a second."""

FORGET_S = 60.0
"""How long an id that the registry did not know is refused without asking again."""

_MOST_REFUSED = 10_000
_MOST_WAITING = 1_000

_log = logger(__name__)


class SchemaLookup:
    """Finds schemas by id. While one is being asked for, its messages are to be read again later."""

    def __init__(self, ask: Ask, *, now: Callable[[], float] = monotonic, every_s: float = EVERY_S) -> None:
        self._ask = ask
        self._now = now
        self._every_s = every_s
        self._found: dict[tuple[str, int], RegisteredSchema] = {}
        self._refused: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._asking: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    def find(self, topic: str, number: int) -> RegisteredSchema | None:
        """Return the schema of a topic (without prefix) with this id, None when the registry has none.

        Raises:
            TransientError: the registry is being asked, or does not answer; try again.

        """
        wanted = (topic, number)
        found = self._found.get(wanted)
        if found is not None:
            return found
        refused_at = self._refused.get(wanted)
        if refused_at is not None:
            if self._now() - refused_at < FORGET_S:
                return None
            del self._refused[wanted]
        if len(self._waiting) < _MOST_WAITING:
            self._waiting[wanted] = None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_all(), name="schema look-up")
        trouble = f": {self._trouble}" if self._trouble else ""
        message = f"schema id {number} of {topic} is looked up in the registry{trouble}"
        raise TransientError(message)

    async def _ask_all(self) -> None:
        while self._waiting:
            wanted, _ = self._waiting.popitem(last=False)
            try:
                answer = await self._ask(BY_NAME[wanted[0]], wanted[1])
            except MaestroError as error:
                # Whoever needs it asks again; the pause of their retries is the pause of the questions.
                self._trouble = error.message
                _log.warning("schema cannot be looked up", topic=wanted[0], id=wanted[1], error=error.message)
            else:
                self._trouble = None
                self._keep(wanted, answer)
            await asyncio.sleep(self._every_s)

    def _keep(self, wanted: tuple[str, int], answer: RegisteredSchema | None) -> None:
        if answer is not None:
            self._found[wanted] = answer
            return
        self._refused[wanted] = self._now()
        if len(self._refused) > _MOST_REFUSED:
            _ = self._refused.popitem(last=False)
