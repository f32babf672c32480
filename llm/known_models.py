"""Whether a model's name leads anywhere: a rehearsal script, or a provider that the library knows."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache

from llm.library import import_library
from llm.models import all_scripts
from llm.rehearsal import NAME
from llm.settings import ModelSettings


def model_problems(settings: ModelSettings) -> Callable[[str], str | None]:
    """Return a function from a model's name to what is wrong with it, None for nothing.

    Whether a provider has the model is not asked: that would need the network and a key.

    Raises:
        FatalError: a rehearsal script does not fit.

    """
    scripts = all_scripts(settings)

    def problem(name: str) -> str | None:
        family, _, script = name.partition(":")
        if family == NAME:
            return _script_problem(script, scripts) if script else None
        if settings.base_url is not None:
            return None
        return _provider_problem(name)

    return problem


def _script_problem(script: str, known: Iterable[str]) -> str | None:
    names = sorted(known)
    if script in names:
        return None
    near = get_close_matches(script, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    return f"there is no rehearsal script {script}; {hint} (MAESTRO_MODEL_REHEARSAL_SCRIPTS)"


@cache
def _provider_problem(name: str) -> str | None:
    library = import_library()
    try:
        _ = library.get_llm_provider(name)
    except Exception:  # noqa: BLE001  (the library raises whatever it likes for names that it does not know)
        return f"{name} names no provider that is known; write provider/model, for example openai/gpt-4o-mini"
    return None
