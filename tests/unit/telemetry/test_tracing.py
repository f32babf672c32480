"""Trace context: parsing, deriving, passing on."""

import pytest

from telemetry.tracing import Trace, derived, parse

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_header_is_read_and_written_back() -> None:
    trace = parse([("other", b"x"), ("traceparent", GOOD.encode())])
    assert trace == Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert trace is not None
    assert trace.traceparent == GOOD


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"nonsense",
        GOOD.upper().encode(),
        GOOD.replace("00-4", "ff-4", 1).encode(),
        GOOD.encode() + b"-more",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
    ],
)
def test_a_malformed_header_counts_as_absent(value: bytes | None) -> None:
    assert parse([("traceparent", value)]) is None


def test_a_higher_version_with_more_fields_is_read() -> None:
    value = GOOD.replace("00-4", "01-4", 1).encode() + b"-more"
    trace = parse([("traceparent", value)])
    assert trace is not None
    assert trace.span_id == "00f067aa0ba902b7"


def test_no_header_is_no_trace() -> None:
    assert parse([]) is None


def test_a_derived_trace_is_the_same_for_the_same_event_and_valid() -> None:
    trace = derived("event")
    assert trace == derived("event")
    assert trace != derived("other")
    assert parse([("traceparent", trace.traceparent.encode())]) == trace


def test_a_child_stays_in_its_trace() -> None:
    parent = derived("event")
    child = parent.child()
    assert child.trace_id == parent.trace_id
    assert child.span_id != parent.span_id
    assert parse([("traceparent", child.traceparent.encode())]) == child
