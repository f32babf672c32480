"""RESP2: packing, and parsing however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.redis.wire import ErrorReply, ProtocolViolationError, Reply, ReplyParser, pack


def written(reply: Reply) -> bytes:
    """Write a reply as a server does."""
    match reply:
        case None:
            return b"$-1\r\n"
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case int():
            return b":%d\r\n" % reply
        case ErrorReply():
            return b"-%b\r\n" % reply.text.encode()
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(written, reply))


replies = st.recursive(
    st.none() | st.binary(max_size=40) | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(replies, max_size=6), st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_replies_come_out_whole_however_they_are_cut(sent: list[Reply], sizes: list[int]) -> None:
    data = b"".join(map(written, sent))
    parser = ReplyParser()
    received: list[Reply] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        received += parser.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert received == sent


def test_a_large_value_in_many_chunks_is_whole() -> None:
    value = bytes(range(256)) * 4096
    data = written([b"first", value]) + written(7)
    parser = ReplyParser()
    received = [reply for at in range(0, len(data), 1000) for reply in parser.feed(data[at : at + 1000])]
    assert received == [[b"first", value], 7]


def test_simple_strings_and_empty_arrays_are_read() -> None:
    assert list(ReplyParser().feed(b"+OK\r\n*-1\r\n*0\r\n")) == [b"OK", None, []]


def test_an_error_carries_its_code_and_text() -> None:
    (reply,) = ReplyParser().feed(b"-NOSCRIPT No matching script.\r\n")
    assert isinstance(reply, ErrorReply)
    assert (reply.code, reply.text) == ("NOSCRIPT", "NOSCRIPT No matching script.")


def test_another_protocol_is_refused() -> None:
    with pytest.raises(ProtocolViolationError, match="reply type byte"):
        list(ReplyParser().feed(b"HTTP/1.1 400 Bad Request\r\n"))


def test_a_command_is_packed_by_length() -> None:
    assert pack((b"SET", b"k", b"a\r\nb")) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n"
