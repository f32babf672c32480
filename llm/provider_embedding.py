"""Embeddings of real providers through the provider library, its errors translated."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from llm.completion import ModelError
from llm.embedding import DIMENSIONS, Vector, normalised
from llm.embedding_settings import EmbeddingSettings
from llm.library import import_library
from llm.provider_errors import translated
from schemas.errors import ErrorCode


class ProviderEmbedder:
    """Asks whichever provider the model's name says."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        self._settings = settings
        self._library: Any = None
        self._loading = asyncio.Lock()

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._settings.model

    @property
    def most_texts(self) -> int:
        """Most texts of one call."""
        return self._settings.batch_texts

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the vectors of the texts, by one call.

        Raises:
            ModelError: there are none; the code says why.

        """
        library, model = await self._loaded(), self.model
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await library.aembedding(**self._arguments(texts))
            return _vectors(answer.model_dump()["data"], len(texts))
        except TimeoutError as error:
            message = f"{model} did not embed {len(texts)} texts within {self._settings.timeout_s:g} s"
            raise ModelError(message, code=ErrorCode.MODEL_TIMEOUT, is_retryable=True) from error
        except (KeyError, TypeError, ValueError) as error:
            message = f"{model}: its answer does not have the agreed form ({error})"
            raise ModelError(message, code=ErrorCode.MODEL_NONSENSE, is_retryable=True) from error
        except Exception as error:
            raise translated(error, model) from error

    def _arguments(self, texts: Sequence[str]) -> dict[str, Any]:
        settings = self._settings
        arguments: dict[str, Any] = {
            "model": settings.model,
            "input": list(texts),
            # Asked of models that can answer in several lengths; left out for all others.
            "dimensions": DIMENSIONS,
            "drop_params": True,
            "encoding_format": "float",
            "timeout": settings.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
        }
        if settings.base_url is not None:
            arguments["api_base"] = settings.base_url
        if settings.api_key is not None:
            arguments["api_key"] = settings.api_key.get_secret_value()
        return arguments

    async def _loaded(self) -> Any:
        async with self._loading:
            if self._library is None:
                self._library = await asyncio.to_thread(import_library)
        return self._library


def _vectors(data: Sequence[Mapping[str, Any]], count: int) -> list[Vector]:
    by_place = {int(each["index"]): cast("Sequence[float]", each["embedding"]) for each in data}
    if sorted(by_place) != list(range(count)):
        message = f"{count} vectors were asked for, {len(by_place)} came"
        raise ValueError(message)
    return [normalised(by_place[place]) for place in range(count)]
