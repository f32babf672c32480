"""What a model streams becomes one answer."""

import pytest

from llm.completion import Usage
from llm.provider_stream import Assembly, arguments_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1]}', {"a": [1]}),
        ("", {}),
        ("[1]", "[1]"),
        ('{"a": ', '{"a": '),
    ],
)
def test_arguments_are_an_object_or_the_text_that_they_are(text: str, expected: object) -> None:
    assert arguments_of(text) == expected


@pytest.mark.parametrize("depth", [252, 253, 300, 1_000, 2_000])
def test_arguments_that_could_not_be_written_again_stay_text(depth: int) -> None:
    text = '{"a":' * depth + "1" + "}" * depth
    assert (arguments_of(text) == text) is (depth > 252)


def test_a_count_that_is_none_does_not_cost_the_answer() -> None:
    assembly = Assembly("m")
    assembly.add({"usage": {"prompt_tokens": -1, "completion_tokens": 7, "prompt_tokens_details": None}})
    assert assembly.usage == Usage(completion_tokens=7)
