"""The model that a name means: the rehearsal model, or a real provider."""

from pathlib import Path

from llm.completion import Completion, CompletionRequest, Model, OnDelta
from llm.providers import ProviderModel
from llm.rehearsal import NAME, RehearsalModel
from llm.script import Script, load_scripts
from llm.settings import ModelSettings

_BUILT_IN_SCRIPTS = Path(__file__).parent / "scripts"


class Models:
    """A model that passes each request on by the name of its model."""

    def __init__(self, *, rehearsal: Model, provider: ProviderModel) -> None:
        self._rehearsal = rehearsal
        self._provider = provider

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        """Ask the model that the request names.

        Raises:
            ModelError: no usable answer; the code says why.

        """
        model = self._rehearsal if request.model.partition(":")[0] == NAME else self._provider
        return await model.complete(request, on_delta)

    async def prepare(self) -> None:
        """Do what takes real models seconds before their first call. Not needed: the call does it as well."""
        await self._provider.prepare()


def build_models(settings: ModelSettings) -> Models:
    """Return all models that the settings allow.

    Raises:
        FatalError: a rehearsal script does not fit.

    """
    return Models(rehearsal=RehearsalModel(all_scripts(settings)), provider=ProviderModel(settings))


def all_scripts(settings: ModelSettings) -> dict[str, Script]:
    """Return the rehearsal scripts by name: those that come with Maestro, and those of the settings' folder.

    Raises:
        FatalError: a script does not fit.

    """
    scripts = built_in_scripts()
    if settings.rehearsal_scripts is not None:
        scripts |= load_scripts(settings.rehearsal_scripts)
    return scripts


def built_in_scripts() -> dict[str, Script]:
    """Return the rehearsal scripts that come with Maestro, by name."""
    return load_scripts(_BUILT_IN_SCRIPTS)
