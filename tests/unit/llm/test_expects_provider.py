"""When a worker prepares for real models before the first call asks for one."""

import sys

import pytest
from pydantic import SecretStr

from llm.models import build_models
from llm.settings import ModelSettings


@pytest.mark.parametrize("default", ["rehearsal", "rehearsal:demo"])
def test_an_offline_default_needs_no_preparation(default: str) -> None:
    assert not ModelSettings(default=default).expects_provider


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(default="openai/gpt-4o-mini"),
        ModelSettings(default="rehearsal", base_url="http://localhost:1"),
        ModelSettings(default="rehearsal", api_key=SecretStr("k")),
    ],
)
def test_a_real_default_or_a_way_to_one_does(settings: ModelSettings) -> None:
    assert settings.expects_provider


async def test_preparing_loads_what_the_first_call_would_wait_for() -> None:
    await build_models(ModelSettings()).prepare()
    assert "litellm" in sys.modules
