"""Names of models, checked against the provider library without asking anybody."""

from llm.known_models import model_problems
from llm.settings import ModelSettings


def test_a_providers_name_must_be_known() -> None:
    problem = model_problems(ModelSettings())
    assert problem("openai/gpt-4o-mini") is None
    assert problem("anthropic/claude-of-tomorrow") is None
    assert "names no provider" in (problem("opnai/gpt-4o-mini") or "")
