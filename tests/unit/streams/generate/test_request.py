"""A request's JSON texts become a question to a model, or an error that names the field."""

from collections.abc import Iterable

import pytest

from llm.completion import Parameters, ToolSpec
from schemas.errors import ErrorCode, PoisonError
from streams.generate.request import completion_request
from tests.unit.streams.generate.feeds import REQUEST

CLOCK = ToolSpec(name="clock", description="The time.", parameters={"type": "object"})


class Tools:
    """One tool."""

    def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:
        return tuple(CLOCK for name in names if name == CLOCK.name)


def test_a_request_becomes_the_question_with_its_id_as_idempotency_key() -> None:
    request = REQUEST.model_copy(
        update={
            "messages": '[{"role":"user","content":"Hi"}]',
            "tools": '["clock"]',
            "parameters": '{"temperature":0.5,"max_output_tokens":9}',
        }
    )
    question = completion_request(request, Tools(), timeout_s=7.5)
    assert (question.id, question.model, question.timeout_s) == (request.id, request.model_name, 7.5)
    assert question.messages == ({"role": "user", "content": "Hi"},)
    assert question.tools == (CLOCK,)
    assert question.parameters == Parameters(temperature=0.5, max_output_tokens=9)


def test_tools_that_this_process_does_not_have_are_left_out() -> None:
    request = REQUEST.model_copy(update={"tools": '["gone","clock","other"]'})
    assert completion_request(request, Tools(), timeout_s=1).tools == (CLOCK,)


def test_parameters_of_a_newer_version_are_ignored_and_missing_ones_are_the_providers() -> None:
    request = REQUEST.model_copy(update={"parameters": '{"top_k":3,"fallback_models":["x"]}'})
    assert completion_request(request, Tools(), timeout_s=1).parameters == Parameters()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("messages", "{}"),
        ("messages", "[]"),
        ("messages", "[1]"),
        ("messages", "no json"),
        ("tools", '{"a":1}'),
        ("tools", "[1]"),
        ("tools", "["),
        ("parameters", "[]"),
        ("parameters", '{"temperature":"hot"}'),
        ("parameters", '{"max_output_tokens":0}'),
    ],
)
def test_a_text_of_another_shape_is_poison_that_names_the_field(field: str, text: str) -> None:
    request = REQUEST.model_copy(update={field: text})
    with pytest.raises(PoisonError, match=f"the request's {field} do not fit") as caught:
        _ = completion_request(request, Tools(), timeout_s=1)
    assert caught.value.code is ErrorCode.INVALID
