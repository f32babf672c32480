"""What a model call costs, as far as the provider library's table knows."""

from collections.abc import Mapping
from typing import Any

from llm.completion import Usage


def cost_of(library: Any, model: str, usage: Usage) -> float | None:
    """Return the cost in US dollars of `usage` at `model`; None when the table has no price.

    `library` is the provider library's module, which takes seconds to import and is therefore passed in.
    """
    try:
        prompt, completion = library.cost_per_token(
            model=model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cache_read_input_tokens=usage.cached_tokens,
            cache_creation_input_tokens=usage.cache_write_tokens,
        )
    except Exception:  # noqa: BLE001  (the library raises bare exceptions for models that it has no price of)
        return None
    total = float(prompt) + float(completion)
    return total if total > 0 else _known_free(library, model)


def _known_free(library: Any, model: str) -> float | None:
    # The table also lists models without figures, for which the library answers 0: that is no price.
    table: Mapping[str, Mapping[str, Any]] = library.model_cost
    entry = table.get(model) or table.get(model.partition("/")[2]) or {}
    return 0.0 if "input_cost_per_token" in entry else None
