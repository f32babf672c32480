"""The door to real providers: litellm, its answers streamed, its errors and chunks translated."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from llm.completion import Completion, CompletionRequest, ModelError, OnDelta, checked
from llm.library import import_library
from llm.pricing import cost_of
from llm.provider_arguments import arguments_of
from llm.provider_errors import translated
from llm.provider_stream import Assembly, plain
from llm.settings import ModelSettings
from schemas.errors import ErrorCode

_CLOSE_WITHIN_S: Final = 2.0


class ProviderModel:
    """Asks whichever provider the model's name says (`openai/gpt-4o-mini`, `anthropic/claude-…`)."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._library: Any = None
        self._loading = asyncio.Lock()

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        """Ask the provider once, streaming; a cancelled call's connection is closed.

        Raises:
            ModelError: no usable answer; the code says why.

        """
        library = await self._loaded()
        assembly = Assembly(request.model)
        try:
            async with asyncio.timeout(request.timeout_s), _silence(self._settings) as silence:
                answer = await library.acompletion(**arguments_of(request, self._settings))
                async with _opened(answer) as stream:
                    async for chunk in stream:
                        text = assembly.add(plain(chunk))
                        if assembly.has_begun:
                            silence.reschedule(_from_now(self._settings.token_gap_s))
                        if text:
                            on_delta(text)
                assembly.end(is_complete=_has_ended(stream))
        except TimeoutError as error:
            raise _late(request, assembly, self._settings) from error
        except ModelError:
            raise
        except Exception as error:
            raise translated(error, request.model) from error
        return checked(assembly.completion(cost_of(library, request.model, assembly.usage)))

    async def prepare(self) -> None:
        """Load the library, which takes seconds, before the first call has to wait for it."""
        _ = await self._loaded()

    async def _loaded(self) -> Any:
        async with self._loading:
            if self._library is None:
                # In a thread, so that heartbeats and other steps go on.
                self._library = await asyncio.to_thread(import_library)
        return self._library


def _silence(settings: ModelSettings) -> asyncio.Timeout:
    """Return the limit on saying nothing: until the first token; moved on with each later one."""
    return asyncio.timeout(settings.first_token_s)


def _from_now(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def _opened(stream: Any) -> AsyncGenerator[Any]:
    try:
        yield stream
    finally:
        # The provider stops and bills less when it sees that nobody listens any more.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await stream.aclose()


def _has_ended(stream: Any) -> bool:
    # The library says "stop" also where a stream was cut off; these two say what the provider said.
    return bool(stream.received_finish_reason or stream.intermittent_finish_reason)


def _late(request: CompletionRequest, assembly: Assembly, settings: ModelSettings) -> ModelError:
    what = (
        f"went silent for {settings.token_gap_s:g} s in the middle of its answer"
        if assembly.has_begun
        else f"did not begin to answer within {min(settings.first_token_s, request.timeout_s):g} s"
    )
    message = (
        f"{request.model} {what}, or did not finish within {request.timeout_s:g} s; try later, "
        "ask for less, or raise MAESTRO_MODEL_TIMEOUT_S"
    )
    return ModelError(message, code=ErrorCode.MODEL_TIMEOUT, is_retryable=True, usage=assembly.usage)
