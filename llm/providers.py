"""The door to real providers: litellm, imported at the first use, its errors and chunks translated."""

import asyncio
import importlib
from typing import Any

from llm.completion import Completion, CompletionRequest, ModelError, OnDelta, checked
from llm.pricing import cost_of
from llm.provider_errors import translated
from llm.provider_stream import Assembly, plain
from llm.settings import ModelSettings, prepare_environment
from schemas.errors import ErrorCode


class ProviderModel:
    """Asks whichever provider the model's name says (`openai/gpt-4o-mini`, `anthropic/claude-…`)."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._library: Any = None
        self._loading = asyncio.Lock()

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        """Ask the provider once, streaming.

        Raises:
            ModelError: no usable answer; the code says why.

        """
        library = await self._loaded()
        assembly = Assembly(request.model)
        try:
            async with asyncio.timeout(request.timeout_s):
                stream = await library.acompletion(**self._arguments(request))
                async for chunk in stream:
                    text = assembly.add(plain(chunk))
                    if text:
                        on_delta(text)
        except TimeoutError as error:
            message = f"{request.model} did not answer within {request.timeout_s:g} s"
            raise ModelError(message, code=ErrorCode.MODEL_TIMEOUT, is_retryable=True) from error
        except ModelError:
            raise
        except Exception as error:
            raise translated(error, request.model) from error
        return checked(assembly.completion(cost_of(library, request.model, assembly.usage)))

    def _arguments(self, request: CompletionRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": request.model,
            "messages": [dict(message) for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "timeout": request.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,
            # Without it, any tool makes the library import a package for tool gateways.
            "_skip_mcp_handler": True,
            "extra_headers": {"Idempotency-Key": request.id},
        }
        if request.tools:
            arguments["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in request.tools
            ]
        if request.parameters.temperature is not None:
            arguments["temperature"] = request.parameters.temperature
        if request.parameters.max_output_tokens is not None:
            arguments["max_tokens"] = request.parameters.max_output_tokens
        if self._settings.base_url is not None:
            arguments["api_base"] = self._settings.base_url
        if self._settings.api_key is not None:
            arguments["api_key"] = self._settings.api_key.get_secret_value()
        return arguments

    async def _loaded(self) -> Any:
        async with self._loading:
            if self._library is None:
                # Importing takes seconds: in a thread, so that heartbeats and other steps go on.
                self._library = await asyncio.to_thread(_import_library)
        return self._library


def _import_library() -> Any:
    prepare_environment()
    library: Any = importlib.import_module("litellm")
    library.suppress_debug_info = True
    # Its own connection pool on aiohttp is never closed; httpx is closed with the client.
    library.disable_aiohttp_transport = True
    return library
