"""The client's fetch in our form: the same bytes on the way out, the same facts on the way in."""

import inspect
from io import BytesIO

from aiokafka.consumer.fetcher import Fetcher
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v10, FetchResponse_v10

from streams.runtime.fetch_once import Answer, FetchOnce

TOPICS = [("in", [(0, 7, 100), (3, 12345678901, 100)]), ("other", [(1, 0, 100)])]


def test_the_request_has_the_bytes_of_the_clients_own() -> None:
    request = FetchRequest(1500, 1, 1000, 0, TOPICS)
    versions = {1: (4, 10)}
    own = request.prepare(versions)
    assert isinstance(own, FetchRequest_v10)
    assert FetchOnce(request).prepare(versions).encode() == own.encode()
    assert FetchOnce(request).topics == request.topics


def test_the_answer_has_what_the_client_reads_of_partitions_with_messages_or_errors() -> None:
    parts = [(0, 0, 9, 9, 0, [], b"batch"), (3, 6, -1, -1, -1, [], b"")]
    answer = FetchResponse_v10(0, 0, 0, [("in", parts), ("other", [(1, 0, 0, 0, 0, [], b"")])])
    topics = Answer.decode(BytesIO(answer.encode())).topics
    read = {
        (topic, partition): (error, data[-1])
        for topic, partitions in topics
        for partition, error, _highwater, *data in partitions
    }
    assert read == {("in", 0): (0, b"batch"), ("in", 3): (6, b"")}


def test_the_client_reads_an_answer_as_it_is_given() -> None:
    source = inspect.getsource(Fetcher._proc_fetch_request)
    for line in (
        "for topic, partitions in request.topics:",
        "for partition, offset, _ in partitions:",
        "for topic, partitions in response.topics:",
        "for partition, error_code, highwater, *part_data in partitions:",
        "elif response.API_VERSION >= 4:",
        "lso = part_data[0]",
        "aborted_transactions = part_data[-2]",
        "records = MemoryRecords(part_data[-1])",
    ):
        assert line in source
