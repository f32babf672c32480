"""Ids: derived ones are version 5, new ones version 7, and no two things share one."""

from collections.abc import Callable
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas import ids
from schemas.fields import Uuid

NAMESPACE = UUID("6d616573-7472-5f6f-8000-6d61657374ff")
UUIDS = TypeAdapter(Uuid)
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
NUMBER = st.integers(0, 2**63)


def by_the_standard(*parts: str | int) -> str:
    """The standard library's version 5 of the parts, joined by the unit separator."""
    return str(uuid5(NAMESPACE, "\x1f".join(map(str, parts))))


@given(TEXT, TEXT, NUMBER, NUMBER)
def test_derived_ids_are_the_standards_version_5(one: str, other: str, number: int, more: int) -> None:
    assert ids.event_id(one, number, more) == by_the_standard("event", one, number, more)
    assert ids.task_id(one) == by_the_standard("task", one)
    assert ids.run_id(one, other) == by_the_standard("run", one, other)
    assert ids.generation_id(one, number) == by_the_standard("generation", one, number)
    assert ids.tool_call_id(one, number) == by_the_standard("tool_call", one, number)
    assert ids.tool_result_id(one) == by_the_standard("tool_result", one)
    assert ids.log_id(one, number) == by_the_standard("log", one, number)
    assert ids.message_id(one, number) == by_the_standard("message", one, number)
    assert ids.timer_id(one, other, number) == by_the_standard("timer", one, other, number)


def test_derived_ids_never_change() -> None:
    session = "01980000-0000-7000-8000-000000000001"
    assert ids.task_id(session) == "5ddf7c82-7a49-5a3e-a389-d1f07293f202"
    run = ids.run_id(session, "01980000-0000-7000-8000-000000000002")
    assert run == "e1a7ae75-5148-5260-bd05-b56a644269d4"
    assert ids.generation_id(run, 0) == "57e9796f-7f76-51b5-8bdd-23340dd778a2"


@given(TEXT)
def test_a_derived_id_is_canonical_text_of_version_5_and_variant_1(text: str) -> None:
    derived = ids.task_id(text)
    assert UUIDS.validate_python(derived) == derived
    assert str(UUID(derived)) == derived
    assert UUID(derived).version == 5
    assert UUID(derived).variant == "specified in RFC 4122"


NUMBERED: list[Callable[[str, int], str]] = [
    ids.generation_id,
    ids.tool_call_id,
    ids.log_id,
    ids.message_id,
]


@given(TEXT, NUMBER, NUMBER)
def test_kinds_and_numbers_never_share_an_id(text: str, number: int, other: int) -> None:
    made = [derive(text, each) for derive in NUMBERED for each in {number, other}]
    made += [ids.task_id(text), ids.tool_result_id(text)]
    assert len(set(made)) == len(made)


def test_new_ids_are_of_version_7_and_ascend() -> None:
    made = [ids.new_id() for _ in range(1_000)]
    assert made == sorted(set(made))
    assert {UUID(each).version for each in made} == {7}
    assert all(UUIDS.validate_python(each) == each for each in made)


def test_a_name_with_half_a_character_has_no_id() -> None:
    with pytest.raises(UnicodeEncodeError):
        _ = ids.task_id("\ud800")


def test_random_ids_are_of_version_4_and_differ() -> None:
    made = {ids.random_id() for _ in range(1_000)}
    assert len(made) == 1_000
    assert {(UUID(each).version, str(UUID(each))) for each in made} == {(4, each) for each in made}
