"""One connection: writes pipelines, hands out the replies of each, fails what is in flight when lost."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

from schemas.errors import MaestroError, TransientError
from stores.redis.replies import LEAVE, translate
from stores.redis.scripts import Script
from stores.redis.wire import ErrorReply, ProtocolViolationError, Reply, ReplyParser, pack


class Call:
    """One command and the future of its reply. `arguments` of a script are its keys, then its arguments."""

    __slots__ = ("arguments", "future", "is_retry", "script")

    def __init__(
        self, arguments: tuple[bytes, ...], future: asyncio.Future[Reply], script: Script | None = None
    ) -> None:
        self.arguments = arguments
        self.script = script
        self.future = future
        self.is_retry = False

    def packed(self) -> bytes:
        """Return the command's bytes."""
        script = self.script
        if script is None:
            return pack(self.arguments)
        return pack((*(script.by_text if self.is_retry else script.by_sha), *self.arguments))

    def fail(self, error: MaestroError) -> None:
        """Give the caller an error, unless it does not wait any more."""
        if not self.future.done():
            self.future.set_exception(error)


class Link(asyncio.Protocol):
    """One connection. `answer_within_s` bounds the wait for a reply; None: the caller bounds it."""

    def __init__(self, answer_within_s: float | None) -> None:
        self._answer_within_s = answer_within_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._parser = ReplyParser()
        self._pipelines: deque[Sequence[Call]] = deque()
        self._replies: list[Reply] = []
        """Those to the oldest pipeline, as far as they have come."""
        self._sent = 0
        self._answered = 0
        self._watch: asyncio.TimerHandle | None = None
        self._reason = "the server closed it"
        self.lost = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Number of commands whose pipeline has not been answered."""
        return self._sent - self._answered

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, calls: Sequence[Call]) -> None:
        """Write the commands as one pipeline; fails them at once when the connection is lost."""
        if self._transport is None or self._transport.is_closing():
            self._fail(calls)
            return
        self._pipelines.append(calls)
        self._sent += len(calls)
        self._transport.write(b"".join([call.packed() for call in calls]))
        if self._watch is None and self._answer_within_s is not None:
            self._watch = self._loop.call_later(self._answer_within_s, self._check, self._sent)

    def _check(self, mark: int) -> None:
        # One timer for all pipelines: what was sent before it was set must have been answered by now.
        self._watch = None
        if self._answered < mark:
            self.abort("no answer in time")
        elif self._pipelines and self._answer_within_s is not None:
            self._watch = self._loop.call_later(self._answer_within_s, self._check, self._sent)

    def abort(self, reason: str) -> None:
        """Drop the connection now."""
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # No isinstance: uvloop's transports can be written to, but do not say so by their class.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand out replies, once all of their pipeline are there.

        The server answers a long pipeline in parts. Callers that went on part by part would ask and publish
        in as many small groups, and a small group costs Kafka and everybody nearly as much as a large one.
        """
        try:
            for reply in self._parser.feed(data):
                self._replies.append(reply)
                if len(self._replies) == len(self._pipelines[0]):
                    self._hand_out()
        except (ProtocolViolationError, IndexError) as error:
            self.abort(f"it is not Redis that answers ({error})")

    def _hand_out(self) -> Sequence[Call]:
        """Answer the oldest pipeline, and return those of its calls that have no reply."""
        calls, replies, self._replies = self._pipelines.popleft(), self._replies, []
        self._answered += len(calls)
        unloaded: list[Call] = []
        for call, reply in zip(calls, replies, strict=False):
            if not isinstance(reply, ErrorReply):
                if not call.future.done():
                    call.future.set_result(reply)
            elif reply.code == "NOSCRIPT" and call.script is not None and not call.is_retry:
                unloaded.append(call)
            else:
                self._refuse(call, reply)
        self._retry([call for call in unloaded if not call.future.done()])
        return calls[len(replies) :]

    def _retry(self, calls: Sequence[Call]) -> None:
        """Send what did not run: the scripts were flushed; their text loads them again."""
        for call in calls:
            call.is_retry = True
        if calls:
            self.send(calls)

    def _refuse(self, call: Call, error: ErrorReply) -> None:
        call.fail(translate(error))
        if error.code in LEAVE:
            self.abort(error.text)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is in flight: it may have been done or not."""
        if self._watch is not None:
            self._watch.cancel()
        if exc is not None:
            self._reason = str(exc) or type(exc).__name__
        self.lost.set()
        while self._pipelines:
            self._fail(self._hand_out())

    def _fail(self, calls: Sequence[Call]) -> None:
        for call in calls:
            call.fail(TransientError(f"The connection to Redis was lost: {self._reason}."))
