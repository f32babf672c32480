"""A connection hands out the replies of a pipeline together, and keeps what came before it was lost."""

import asyncio
from typing import Any

import pytest

from schemas.errors import TransientError
from stores.redis.link import Call, Link
from stores.redis.scripts import EPOCH_READ


class Wire(asyncio.Transport):
    """Takes what is written; is closed by an abort."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_aborted = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


def _linked() -> tuple[Link, Wire]:
    link, wire = Link(answer_within_s=None), Wire()
    link.connection_made(wire)
    return link, wire


def _calls(count: int) -> list[Call]:
    loop = asyncio.get_running_loop()
    return [Call((b"GET", b"%d" % number), loop.create_future()) for number in range(count)]


async def test_a_pipeline_is_answered_as_a_whole() -> None:
    link, wire = _linked()
    first, second = _calls(3), _calls(2)
    link.send(first)
    link.send(second)
    assert [data.count(b"GET") for data in wire.written] == [3, 2]

    link.data_received(b"+a\r\n+b\r\n+")
    assert not any(call.future.done() for call in first)
    assert link.in_flight == 5
    link.data_received(b"c\r\n+d\r\n")
    assert [call.future.result() for call in first] == [b"a", b"b", b"c"]
    assert not any(call.future.done() for call in second)
    assert link.in_flight == 2
    link.data_received(b"-ERR no\r\n")
    assert second[0].future.result() == b"d"
    assert second[1].future.exception() is not None
    assert link.in_flight == 0


async def test_replies_that_came_before_the_loss_are_handed_out() -> None:
    link, _ = _linked()
    half, none = _calls(2), _calls(2)
    link.send(half)
    link.send(none)
    link.data_received(b"+a\r\n")
    link.connection_lost(None)
    assert half[0].future.result() == b"a"
    for call in (half[1], *none):
        with pytest.raises(TransientError, match="was lost"):
            call.future.result()
    assert link.lost.is_set()


async def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    link, wire = _linked()
    link.data_received(b"+a\r\n")
    assert wire.is_aborted


async def test_scripts_that_were_flushed_go_out_again_together() -> None:
    link, wire = _linked()
    loop = asyncio.get_running_loop()
    calls = [Call((b"key",), loop.create_future(), EPOCH_READ) for _ in range(2)]
    plain = _calls(1)
    link.send([calls[0], *plain, calls[1]])
    link.data_received(b"-NOSCRIPT no\r\n+a\r\n-NOSCRIPT no\r\n")
    assert plain[0].future.result() == b"a"
    assert len(wire.written) == 2
    assert wire.written[1].count(EPOCH_READ.text) == 2
    link.data_received(b":1\r\n:2\r\n")
    assert [call.future.result() for call in calls] == [1, 2]
