"""What the fields of records let through, and in which form."""

from typing import Annotated, Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.fields import JsonInput, JsonText


class _Holder(BaseModel):
    text: JsonText = "null"
    given: Annotated[JsonInput, "as outsiders write it"] = "null"


def nested(levels: int) -> Any:
    """An object in an object."""
    value: Any = 1
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize("field", ["text", "given"])
def test_an_object_too_deep_to_be_written_is_a_wrong_field_and_no_crash(field: str) -> None:
    with pytest.raises(ValidationError, match="cannot be written as JSON"):
        _Holder.model_validate({field: nested(300)})


@pytest.mark.parametrize(
    "text", ["[" * 201 + "]" * 201, '{"in":' * 201 + "1" + "}" * 201, '[{"in":' * 101 + "1" + "}]" * 101]
)
def test_text_of_others_that_nobody_could_put_into_another_object_is_a_wrong_field(text: str) -> None:
    with pytest.raises(ValidationError, match="nested deeper than 200 levels"):
        _Holder(given=text)


@pytest.mark.parametrize(
    "text", ["[" * 200 + "]" * 200, orjson.dumps(nested(200)).decode(), "[" + "[],{}," * 300 + "1]"]
)
def test_text_of_others_may_be_deep_and_wide(text: str) -> None:
    assert _Holder(given=text).given == text
    assert orjson.dumps({"with": orjson.loads(text)})


def test_an_object_becomes_text() -> None:
    assert orjson.loads(_Holder.model_validate({"given": nested(20)}).given) == nested(20)


def test_a_number_that_a_database_cannot_hold_is_read_as_a_double() -> None:
    assert orjson.loads(_Holder(given='{"a": 1e-20000, "b": "1E-20000"}').given) == {"a": 0, "b": "1E-20000"}


@pytest.mark.parametrize(
    "text",
    [
        '{ "release" : "v-e-2024", "a":1e-20000 }',
        r'{"asked":"what does \\u0000 mean?"}',
        r'["\\\\u0000", "\"\\u0000", "\n"]',
    ],
)
def test_the_text_of_a_log_is_never_rewritten(text: str) -> None:
    assert _Holder(text=text).text == text


@given(st.lists(st.sampled_from(("\x00", "\\", "u0000", '"', "\n"))).map("".join))
@example("\\u0000")
def test_nul_is_replaced_wherever_it_is_escaped_and_nothing_else(text: str) -> None:
    written = orjson.dumps([text]).decode()
    assert orjson.loads(_Holder(text=written).text) == [text.replace("\x00", "\ufffd")]
