"""Sees to dead letters: reads them, drives them again, gives them up, and marks what was done."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from bus.letters import MARK, Box, Deed, Letter, Mark
from bus.message import Message
from bus.publisher import Delivery, Publisher
from bus.reader import Start, TopicReader
from bus.redrive import Origin, redriven_headers
from maestro.clients import KafkaAccess
from schemas.errors import ErrorCode, MaestroError, NotFoundError, PoisonError
from schemas.partition import partition_of
from schemas.topics import DEAD_LETTERS, TopicSpec

READ_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of seeing to one letter: `to` is the new place of its message, `problem` why it has none."""

    letter: Letter
    to: Origin | None = None
    times: int | None = None
    """How often its message was driven again, this time included."""
    problem: MaestroError | None = None


async def all_letters(kafka: KafkaAccess) -> list[Letter]:
    """Return every dead letter that is still kept with what was done about it, oldest first.

    Raises:
        TransientError: Kafka does not answer, or the topic is missing.

    """
    box = Box()
    async with kafka.reader(DEAD_LETTERS, start=Start.BEGINNING) as reader:
        async for message in reader.read_to_end(deadline_s=READ_LIMIT_S):
            box.add(message)
    return box.letters()


class Redriver:
    """Drives letters again, or gives them up. Use as `async with`; `by` is who does it."""

    def __init__(self, kafka: KafkaAccess, *, by: str) -> None:
        self._kafka = kafka
        self._by = by
        self._stack = AsyncExitStack()
        self._box = kafka.names.full(DEAD_LETTERS)
        self._publisher: Publisher
        self._reader: TopicReader
        self._partitions: Mapping[str, int] = {}

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            TransientError: Kafka cannot be reached.

        """
        try:
            self._publisher = await self._stack.enter_async_context(self._kafka.publisher())
            self._reader = await self._stack.enter_async_context(self._kafka.reader(DEAD_LETTERS))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def redrive(self, letters: Sequence[Letter], *, is_rehearsal: bool = False) -> list[Outcome]:
        """Publish the letters' messages again, in this order, each to the topic that it came from.

        A letter that cannot be driven again keeps its place and says why; the others go on. The mark is
        written when the broker has the message: whoever is interrupted in between redrives it twice, which
        does no harm. `is_rehearsal`: nothing is written.

        Raises:
            TransientError: Kafka does not answer.
            FatalError: Kafka refuses us.

        """
        async with self._kafka.admin() as admin:
            topics = {letter.origin.topic for letter in letters if letter.origin is not None}
            self._partitions = await admin.partitions_of(sorted(topics)) if topics else {}
        return [await self._redriven(letter, is_rehearsal=is_rehearsal) for letter in letters]

    async def discard(self, letters: Sequence[Letter], *, note: str) -> list[Outcome]:
        """Mark the letters as given up, and why. They stay on their topic until its retention ends.

        Raises:
            TransientError: Kafka does not answer.
            FatalError: Kafka refuses us.

        """
        for letter in letters:
            await self._mark(letter, Deed.DISCARDED, note=note)
        return [Outcome(letter=letter) for letter in letters]

    async def _redriven(self, letter: Letter, *, is_rehearsal: bool) -> Outcome:
        times = letter.earlier_redrives + letter.redrives + 1
        try:
            origin, spec = self._origin(letter)
            message = await self.message(letter)
            await self._check_newest(origin, spec, message)
            target = self._target(origin, spec, message)
            if is_rehearsal:
                return Outcome(letter=letter, times=times)
            delivery = await self._publish(letter, message, origin, target, times=times)
        except (PoisonError, NotFoundError) as problem:
            return Outcome(letter=letter, problem=problem)
        to = Origin(delivery.topic, delivery.partition, delivery.offset)
        await self._mark(letter, Deed.REDRIVEN, to=to)
        return Outcome(letter=letter, to=to, times=times)

    async def message(self, letter: Letter) -> Message:
        """Return the letter's own message, with its value.

        Raises:
            NotFoundError: its time on the topic is over.
            TransientError: Kafka does not answer.

        """
        place = (self._box, letter.partition)
        message = await self._reader.message_at(place, letter.offset, deadline_s=READ_LIMIT_S)
        if message is None:
            sentence = f"dead letter {letter.place} is not kept any more"
            raise NotFoundError(sentence)
        return message

    def _origin(self, letter: Letter) -> tuple[Origin, TopicSpec]:
        if letter.origin is None:
            sentence = (
                f"dead letter {letter.place} does not say which topic it came from: somebody else wrote it;"
                " publish its value yourself, or discard it"
            )
            raise PoisonError(sentence)
        spec = self._kafka.names.spec_of(letter.origin.topic)
        if spec is None or spec is DEAD_LETTERS:
            sentence = (
                f"dead letter {letter.place} came from {letter.origin.topic}, which is no topic of this"
                " deployment: look at MAESTRO_TOPIC_PREFIX"
            )
            raise NotFoundError(sentence)
        if letter.origin.topic not in self._partitions:
            sentence = f"topic {letter.origin.topic} is missing: create it with `maestro topics`"
            raise NotFoundError(sentence)
        if letter.cut_from_bytes is not None:
            sentence = (
                f"the value of dead letter {letter.place} had {letter.cut_from_bytes} bytes and was cut: its"
                f" beginning alone says nothing. The original stands at {letter.origin} as long as its topic"
                " keeps it; send less"
            )
            raise PoisonError(sentence, code=ErrorCode.TOO_LARGE)
        return letter.origin, spec

    def _target(self, origin: Origin, spec: TopicSpec, message: Message) -> int:
        count = self._partitions[origin.topic]
        if message.key is None or spec.is_compacted:
            # Compaction and "the newest wins" hold within one partition: it is left to its producer's choice.
            return origin.partition % count
        return partition_of(message.key, count)

    async def _check_newest(self, origin: Origin, spec: TopicSpec, message: Message) -> None:
        """Refuse what would take the place of something newer: of a key's messages the last one counts."""
        if not spec.is_compacted:
            return
        place = (origin.topic, origin.partition % self._partitions[origin.topic])
        newest: Message | None = None
        reader = self._kafka.reader(spec, start={place: origin.offset + 1}, partitions=[place[1]])
        async with reader:
            async for other in reader.read_to_end(deadline_s=READ_LIMIT_S):
                newest = other if other.key == message.key else newest
        if newest is not None and newest.value != message.value:
            sentence = (
                f"{origin.topic} has a newer message of the same key at"
                f" {Origin(origin.topic, newest.partition, newest.offset)}, which this one would replace;"
                " discard it, or publish it yourself"
            )
            raise PoisonError(sentence)

    async def _publish(
        self, letter: Letter, message: Message, origin: Origin, partition: int, *, times: int
    ) -> Delivery:
        headers = redriven_headers(message.headers, origin=origin, letter=letter.place, times=times)
        return await self._publisher.send_raw(
            origin.topic, partition=partition, key=message.key, value=message.value, headers=headers
        )

    async def _mark(
        self, letter: Letter, did: Deed, *, note: str | None = None, to: Origin | None = None
    ) -> None:
        mark = Mark(
            offset=letter.offset,
            did=did,
            by=self._by,
            at=datetime.now(UTC),
            note=note,
            to=None if to is None else str(to),
        )
        _ = await self._publisher.send_raw(
            self._box,
            partition=letter.partition,
            key=letter.place.encode(),
            value=mark.model_dump_json().encode(),
            headers=[(MARK, did.value.encode())],
        )


async def letter_at(kafka: KafkaAccess, partition: int, offset: int) -> tuple[Letter, Message] | None:
    """Return one dead letter as it stands, with its message; None when there is none at that place.

    Raises:
        TransientError: Kafka does not answer, or the topic is missing.

    """
    box = Box()
    found: Message | None = None
    start = {(kafka.names.full(DEAD_LETTERS), partition): offset}
    async with kafka.reader(DEAD_LETTERS, start=start, partitions=[partition]) as reader:
        async for message in reader.read_to_end(deadline_s=READ_LIMIT_S):
            found = message if message.offset == offset else found
            box.add(message)
    letter = next((each for each in box.letters() if each.offset == offset), None)
    return None if letter is None or found is None else (letter, found)
