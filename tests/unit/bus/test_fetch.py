"""Our fetch request and its answer are the client's own, byte for byte; damage is noticed."""

from io import BytesIO

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchRequest_v10, FetchResponse_v10
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bus.fetch import FETCH_WAIT_MS, Part, Parts, end_of, messages_of, request_of

PLACE = ("runs", 3)
MEBIBYTE = 1_048_576


def test_the_request_is_the_clients_own() -> None:
    positions = {("runs", 3): 7, ("tasks", 0): 2**40, ("runs", 1): 0}
    theirs = FetchRequest_v10(
        -1,
        FETCH_WAIT_MS,
        1,
        16 * MEBIBYTE,
        0,
        0,
        -1,
        [
            ("runs", [(3, -1, 7, -1, MEBIBYTE), (1, -1, 0, -1, MEBIBYTE)]),
            ("tasks", [(0, -1, 2**40, -1, MEBIBYTE)]),
        ],
        [],
    )
    assert request_of(positions) == theirs.encode()


def test_the_answer_is_read_as_the_client_reads_it() -> None:
    answer = FetchResponse_v10(
        100,
        0,
        0,
        [
            ("runs", [(3, 0, 9, 9, 2, [(1, 5), (2, 6)], b"batches"), (1, 6, -1, -1, -1, None, None)]),
            ("tasks", []),
            ("ünïcode", [(0, 0, 0, 0, 0, [], b""), (1, 0, 0, 0, 0, [], b"more")]),
        ],
    )
    assert Parts.decode(BytesIO(answer.encode())).parts == [
        Part(("runs", 3), 0, b"batches"),
        Part(("runs", 1), 6, b""),
        Part(("ünïcode", 1), 0, b"more"),
    ]


def test_an_answer_that_refuses_the_whole_request_says_so() -> None:
    assert Parts.decode(FetchResponse_v10(0, 71, 0, []).encode()).error == 71


def written(first: int, *values: bytes | None) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1_000_000)
    for number, value in enumerate(values):
        assert builder.append(number, 1_000 + number, b"key", value, [("name", b"header")])
    batch = builder.build()
    return first.to_bytes(8, "big") + bytes(batch[8:])  # the checksum does not cover the first offset


def test_messages_before_the_position_are_left_out() -> None:
    part = Part(PLACE, 0, written(5, b"a", b"b", None) + written(8, b"d"))
    assert end_of(part) == 9
    found = [
        (each.offset, each.timestamp, each.key, each.value, list(each.headers))
        for each in messages_of(part, 6)
    ]
    headers = [("name", b"header")]
    assert found == [
        (6, 1_001, b"key", b"b", headers),
        (7, 1_002, b"key", None, headers),
        (8, 1_000, b"key", b"d", headers),
    ]
    assert {(each.topic, each.partition) for each in messages_of(part, 0)} == {PLACE}


def test_a_batch_that_the_answer_cuts_off_is_left_for_the_next_fetch() -> None:
    part = Part(PLACE, 0, written(5, b"a") + written(6, b"b")[:-1])
    assert end_of(part) == 6
    assert [each.offset for each in messages_of(part, 5)] == [5]


def test_nothing_has_no_end() -> None:
    assert end_of(Part(PLACE, 0, b"")) is None


def test_a_damaged_batch_is_noticed() -> None:
    batch = bytearray(written(5, b"a"))
    batch[-3] ^= 1
    with pytest.raises(CorruptRecordException):
        end_of(Part(PLACE, 0, bytes(batch)))
