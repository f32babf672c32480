"""The dead letters of a fleet, found by the place of the message that they keep."""

import time
from collections import defaultdict
from dataclasses import dataclass

from bus.deadletter import PREFIX, REASON
from bus.letters import is_mark
from bus.reader import Start, TopicReader
from schemas.lists import DeadLetterReason
from schemas.topics import DEAD_LETTERS
from tests.fleet.fleet import Ground
from tests.fleet.outsider import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None]
    reason: DeadLetterReason
    stage: str
    message: str


class Letters:
    """Reads the topic of dead letters as far as a test needs it."""

    def __init__(self, fleet: Ground) -> None:
        self._reader = TopicReader(fleet.kafka, [fleet.names.full(DEAD_LETTERS)], start=Start.BEGINNING)
        self.by_place: defaultdict[Place, list[Letter]] = defaultdict(list)

    async def start(self) -> None:
        """Resolve the positions."""
        await self._reader.start()

    async def stop(self) -> None:
        """Close the reader."""
        await self._reader.stop()

    async def about(self, place: Place, *, stages: frozenset[str], within_s: float) -> dict[str, Letter]:
        """Return the letters about one message by the stage that refused it, when all `stages` have spoken.

        Raises:
            AssertionError: some did not in time, or one spoke twice.

        """
        letters = await self._of(place, stages, within_s)
        assert len({letter.stage for letter in letters}) == len(letters), f"{place} was kept twice"
        return {letter.stage: letter for letter in letters}

    async def reasons(
        self, place: Place, *, stages: frozenset[str], within_s: float
    ) -> dict[str, set[DeadLetterReason]]:
        """Return why each stage refused a message; all sinks are one stage, each with a letter of its own.

        Raises:
            AssertionError: a stage did not in time.

        """
        letters = await self._of(place, stages, within_s)
        return {stage: {each.reason for each in letters if each.stage == stage} for stage in stages}

    async def _of(self, place: Place, stages: frozenset[str], within_s: float) -> list[Letter]:
        deadline = time.monotonic() + within_s
        while missing := stages - {letter.stage for letter in self.by_place[place]}:
            left = deadline - time.monotonic()
            assert left > 0, f"{', '.join(sorted(missing))} kept no dead letter of {place}"
            await self._read(min(left, 1.0))
        return self.by_place[place]

    async def _read(self, timeout_s: float) -> None:
        for message in await self._reader.read(timeout_s=timeout_s):
            if is_mark(message):
                continue
            headers = dict(message.headers)
            place = Place(
                _text(headers, f"{PREFIX}topic"),
                int(_text(headers, f"{PREFIX}partition")),
                int(_text(headers, f"{PREFIX}offset")),
            )
            self.by_place[place].append(
                Letter(
                    partition=message.partition,
                    key=message.key,
                    value=message.value,
                    headers=headers,
                    reason=DeadLetterReason(_text(headers, REASON)),
                    stage=_text(headers, f"{PREFIX}stage"),
                    message=_text(headers, f"{PREFIX}exception.message"),
                )
            )


def _text(headers: dict[str, bytes | None], name: str) -> str:
    content = headers.get(name)
    assert content is not None, f"a dead letter has no header {name}"
    return content.decode()
