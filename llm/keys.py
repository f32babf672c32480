"""Which keys of a model's provider are missing from the environment."""

import importlib
from typing import Any, cast

from llm.settings import prepare_environment


def missing_keys(model: str) -> tuple[str, ...]:
    """Return the names of the variables that `provider/model` needs and that are not set.

    Empty when nothing is missing, and for providers that need no key. Takes seconds: it imports the library.
    """
    prepare_environment()
    library: Any = importlib.import_module("litellm")
    answer: dict[str, Any] = library.validate_environment(model=model)
    return tuple(cast("list[str]", answer["missing_keys"]))
