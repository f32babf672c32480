"""What cannot be kept becomes a dead letter, up to a limit."""

import time
from collections.abc import Mapping, Sequence

from schemas.errors import ErrorCode, FatalError
from schemas.lists import DeadLetterReason
from schemas.topics import TASK_LOGS, TopicSpec
from sinks.ports import DeadLetterBox, Refused
from sinks.refusals import Refusals

_NEWER = DeadLetterReason.UNKNOWN_SCHEMA
"""A schema that nobody knows here: a newer worker may have written the record. To pass over a decision would
set its session's later ones aside too, and an older sink beside newer workers is no fault of theirs."""


class Rejects:
    """Dead-letters refused messages and stops the sink when there are too many.

    Topics that others write are not counted: a producer's mistakes must not stop the record.
    """

    def __init__(
        self, dead_letters: DeadLetterBox, topics: Mapping[str, TopicSpec], *, limit: int, window_s: float
    ) -> None:
        self._dead_letters = dead_letters
        self._topics = topics
        self._refusals = Refusals(limit, window_s)

    async def refuse(self, refused: Sequence[Refused]) -> None:
        """Keep the messages as dead letters; returns when the broker has them all.

        Raises:
            FatalError: more than the limit was refused, or a newer version may have written one of the
                log; none of these became a dead letter.
            TransientError: the broker cannot answer now.

        """
        for each in refused:
            if self._topics[each.message.topic] is TASK_LOGS and each.reason is _NEWER:
                raise _written_by_another_version(each)
        counted = [each for each in refused if not self._topics[each.message.topic].inbound]
        refusals = self._refusals.adding(len(counted), now_s=time.monotonic())
        if refusals.is_too_much:
            sentence = (
                f"{len(refusals.times_s)} records were refused within {refusals.window_s:g} s, "
                f"the last because: {refused[-1].sentence}. Nothing more is given up: mend the cause, "
                "or raise MAESTRO_SINK_REFUSED_LIMIT"
            )
            raise FatalError(sentence, code=ErrorCode.REFUSED_BY_STORE)
        for each in refused:
            message = each.message
            await self._dead_letters.put(
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                key=message.key,
                value=message.value,
                headers=message.headers,
                reason=each.reason,
                message=each.sentence,
                stage="sink",
            )
        self._refusals = refusals


def _written_by_another_version(refused: Refused) -> FatalError:
    message = refused.message
    sentence = (
        f"partition {message.partition}, offset {message.offset} of {message.topic} cannot be read: "
        f"{refused.sentence}. The log is not passed over: start the version of Maestro that wrote it, or see "
        "docs/sinks.md"
    )
    return FatalError(sentence, code=ErrorCode.UNKNOWN_SCHEMA)
