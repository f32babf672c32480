"""The rehearsal model: which rule answers, what it says, and how it fails."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from llm.completion import Completion, CompletionRequest, ModelError, ToolSpec
from llm.models import build_models, built_in_scripts
from llm.rehearsal import RehearsalModel, pieces
from llm.script import parse_script
from llm.settings import ModelSettings
from schemas.errors import ErrorCode, FatalError
from schemas.lists import Purpose
from streams.session.prompt import PLAN_ONLY

SQL = ToolSpec(name="sql_query", description="reads", parameters={})
CLOCK = ToolSpec(name="current_time", description="clock", parameters={})
Chat = Mapping[str, Any]


def user(text: str) -> Chat:
    return {"role": "user", "content": text}


def calls() -> Chat:
    return {"role": "assistant", "content": "Plan", "tool_calls": [{"id": "1"}]}


def result(value: Any) -> Chat:
    content = value if isinstance(value, str) else orjson.dumps(value).decode()
    return {"role": "tool", "tool_call_id": "1", "content": content}


async def play(
    script: str, *messages: Chat, heard: list[str] | None = None, timeout_s: float = 5
) -> Completion:
    model = RehearsalModel({"s": parse_script(script, source="s.yaml")})
    request = CompletionRequest(
        id="1", model="rehearsal:s", messages=messages, tools=(SQL, CLOCK), timeout_s=timeout_s
    )
    return await model.complete(request, (heard if heard is not None else []).append)


async def demo(*messages: Chat, tools: tuple[ToolSpec, ...] = (SQL, CLOCK)) -> Completion:
    model = RehearsalModel(built_in_scripts())
    request = CompletionRequest(id="1", model="rehearsal", messages=messages, tools=tools)
    return await model.complete(request, lambda _: None)


async def test_the_demo_plans_and_asks_the_database() -> None:
    answer = await demo(user("Which product sold best last month?"))
    assert answer.text.startswith("Plan:")
    assert [call.name for call in answer.tool_calls] == ["sql_query"]
    assert isinstance(answer.tool_calls[0].arguments, dict)
    assert "GROUP BY product" in answer.tool_calls[0].arguments["query"]
    assert answer.finish_reason == "tool_calls"


async def test_the_demo_answers_from_the_rows() -> None:
    rows = {
        "columns": ["product", "units", "revenue"],
        "rows": [["Beans", 98, 1852.2], ["Tea", 3, 20.4]],
        "row_count": 2,
        "truncated": False,
    }
    answer = await demo(user("Which product sold best last month?"), calls(), result(rows))
    assert "Beans sold best last month: 98 pieces, 1,852.20 in revenue." in answer.text
    assert "| Tea | 3 | 20.40 |" in answer.text
    assert answer.tool_calls == ()


@pytest.mark.parametrize(
    "trouble",
    [
        "Error (tool_failed): permission denied",
        {"error": "Error (tool_failed): permission denied"},
        {"success": False, "error": {"message": "Error (tool_failed): permission denied"}},
    ],
)
async def test_the_demo_says_when_a_tool_failed(trouble: Any) -> None:
    answer = await demo(user("How many orders?"), calls(), result(trouble))
    assert "Error (tool_failed): permission denied" in answer.text


async def test_an_earlier_runs_results_do_not_count() -> None:
    answer = await demo(
        user("How many customers?"),
        calls(),
        result({"columns": ["customers"], "rows": [[3]]}),
        {"role": "assistant", "content": "3"},
        user("How many orders?"),
    )
    assert answer.tool_calls[0].name == "sql_query"


async def test_what_the_demo_does_not_know_is_said_with_the_setting_for_a_real_model() -> None:
    answer = await demo(user("Write a poem"))
    assert "rehearsal model" in answer.text
    assert "MAESTRO_MODEL_DEFAULT" in answer.text


async def test_a_tool_that_is_not_offered_is_not_asked_for() -> None:
    assert (await demo(user("How many orders?"), tools=())).tool_calls == ()


async def test_the_text_is_streamed_in_pieces_that_make_it_up() -> None:
    heard: list[str] = []
    answer = await play(
        "rules: [{say: 'one two three four five six seven eight nine'}]", user("x"), heard=heard
    )
    assert len(heard) == 3
    assert "".join(heard) == answer.text


def test_pieces_lose_nothing() -> None:
    for text in ("", " ", "a", "  a\n\nb  c d e f ", "x" * 1000):
        assert "".join(pieces(text)) == text


async def test_the_same_prompt_gives_the_same_answer_and_usage() -> None:
    first = await demo(user("How many orders?"))
    assert first == await demo(user("How many orders?"))
    assert first.usage.prompt_tokens > 0
    assert first.usage.completion_tokens > 0
    assert first.cost == 0


async def test_rules_see_rounds_and_named_groups() -> None:
    script = """
    rules:
      - {when: {round: 1}, say: 'second {{ asked.month }}'}
      - {when: {user: 'in (?P<month>[a-z]+)'}, call: [{tool: t, arguments: {q: ['{{ asked.month }}']}}]}
      - {say: other}
    """
    first = await play(script, user("orders in May"))
    assert first.tool_calls[0].arguments == {"q": ["May"]}
    assert (await play(script, user("x in May"), calls(), result({}))).text == "second (nothing)"
    assert (await play(script, user("hello"))).text == "other"


async def test_a_script_can_ask_for_unknown_tools_and_give_nonsense_arguments() -> None:
    answer = await play("rules: [{call: [{tool: no_such, raw: '{broken'}]}]", user("x"))
    assert (answer.tool_calls[0].name, answer.tool_calls[0].arguments) == ("no_such", "{broken")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("rules: [{fail: {code: model_rate_limited, message: slow down}}]", ErrorCode.MODEL_RATE_LIMITED),
        ("rules: [{say: ''}]", ErrorCode.MODEL_NONSENSE),
        ("rules: [{call: [{tool: ' '}]}]", ErrorCode.MODEL_NONSENSE),
        ("rules: [{when: {user: never}, say: x}]", ErrorCode.MODEL_REFUSED_REQUEST),
        ("rules: [{say: x, delay_s: 9}]", ErrorCode.MODEL_TIMEOUT),
    ],
)
async def test_a_script_can_fail_in_every_way(script: str, code: ErrorCode) -> None:
    with pytest.raises(ModelError) as caught:
        await play(script, user("x"), timeout_s=0.02)
    assert caught.value.code is code


async def test_tokens_can_be_set() -> None:
    answer = await play(
        "rules: [{say: x, tokens: {prompt: 7, completion: 5, cached: 3, reasoning: 2}}]", user("x")
    )
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 5, 12)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (3, 2)


@pytest.mark.parametrize(
    "text",
    ["rules: []", "rules: [{say: 1}]", "rules: [{whne: {}}]", "a: [", "rules: [{when: {user: '('}}]", ""],
)
def test_a_script_that_does_not_fit_is_named(text: str) -> None:
    with pytest.raises(FatalError, match=r"mine\.yaml"):
        parse_script(text, source="mine.yaml")


async def test_an_unknown_script_is_said_with_those_there_are() -> None:
    request = CompletionRequest(id="1", model="rehearsal:../../etc", messages=(user("x"),))
    with pytest.raises(ModelError, match="there are: demo") as caught:
        await build_models(ModelSettings()).complete(request, lambda _: None)
    assert caught.value.code is ErrorCode.MODEL_NOT_FOUND


async def ask_for(purpose: Purpose, *messages: Chat, script: str | None = None) -> Completion:
    rules = script or "rules: [{when: {stage: results}, say: done}, {say: act, call: [{tool: sql_query}]}]"
    model = RehearsalModel({"s": parse_script(rules, source="s.yaml")})
    request = CompletionRequest(id="1", model="rehearsal:s", messages=messages, purpose=purpose)
    return await model.complete(request, lambda _: None)


SYSTEM: Chat = {"role": "system", "content": "First make a plan."}


async def test_a_plan_of_its_own_is_made_without_calling_tools() -> None:
    answer = await ask_for(Purpose.PLAN, SYSTEM, user("how many?"))
    assert answer.tool_calls == ()
    assert answer.text.startswith("Plan:")
    assert "how many?" in answer.text


async def test_the_sessions_own_words_ask_for_a_plan_of_its_own() -> None:
    asked: Chat = {"role": "system", "content": PLAN_ONLY.format(tools="sql_query")}
    assert (await ask_for(Purpose.PLAN, asked, user("how many?"))).text.startswith("Plan:")


async def test_a_plan_that_comes_with_the_first_act_follows_the_rules() -> None:
    assert (await ask_for(Purpose.PLAN, user("how many?"))).text == "act"


async def test_a_reflection_says_how_the_last_step_went() -> None:
    good = await ask_for(Purpose.REFLECT, user("how many?"), calls(), result({"a": 1}))
    bad = await ask_for(
        Purpose.REFLECT, user("how many?"), calls(), result("Error (tool_failed): no such table")
    )
    draft = await ask_for(Purpose.REFLECT, user("how many?"))
    assert "results" in good.text
    assert "no such table" in bad.text
    assert draft.text
    assert good.tool_calls == bad.tool_calls == draft.tool_calls == ()


async def test_after_a_reflection_the_results_are_still_the_newest() -> None:
    thought: Chat = {"role": "assistant", "content": "The results are there."}
    answer = await ask_for(Purpose.ACT, user("how many?"), calls(), result({"a": 1}), thought)
    assert answer.text == "done"


async def test_titles_and_summaries_come_from_the_conversation() -> None:
    title = await ask_for(Purpose.TITLE, user("one two three four five six seven eight nine"))
    summary = await ask_for(Purpose.SUMMARIZE, user("how many?"), {"role": "assistant", "content": "42"})
    assert title.text == "one two three four five six seven eight"
    assert summary.text == "user: how many?\nassistant: 42"


async def test_a_rule_may_be_for_one_purpose() -> None:
    script = "rules: [{when: {purpose: reflect}, say: hm}, {say: act}]"
    assert (await ask_for(Purpose.REFLECT, user("x"), script=script)).text == "hm"
    assert (await ask_for(Purpose.ACT, user("x"), script=script)).text == "act"


async def test_a_scripted_failure_may_be_one_that_passes() -> None:
    script = "rules: [{fail: {code: model_rate_limited, retry: true, retry_after_s: 3}}]"
    with pytest.raises(ModelError) as caught:
        await play(script, user("x"))
    assert (caught.value.is_retryable, caught.value.retry_after_s) == (True, 3)
