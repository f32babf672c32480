"""A program that calls models and prints every address that the process looked up or connected to."""

import asyncio
import sys
from collections.abc import Iterable

from pydantic import SecretStr

from llm.completion import CompletionRequest, ToolSpec
from llm.providers import ProviderModel
from llm.settings import ModelSettings

ADDRESSES: list[str] = []


def note(event: str, arguments: Iterable[object]) -> None:
    """Keep the address of an audited event: its first or second argument."""
    match event, tuple(arguments):
        case "socket.connect", (_, (str(host), *_)):
            ADDRESSES.append(host)
        case "socket.getaddrinfo", (str(host), *_):
            ADDRESSES.append(host)
        case _:
            pass


async def call(url: str, model: str) -> None:
    """Ask `model` at `url`."""
    tool = ToolSpec(name="t", description="d", parameters={"type": "object", "properties": {}})
    request = CompletionRequest(
        id="1", model=model, messages=({"role": "user", "content": "hi"},), tools=(tool,)
    )
    await ProviderModel(ModelSettings(base_url=url, api_key=SecretStr("sk-test"))).complete(
        request, lambda _: None
    )


async def call_all(urls_and_models: list[str]) -> None:
    """Ask each model at the address before it."""
    for url, model in zip(urls_and_models[::2], urls_and_models[1::2], strict=True):
        await call(url, model)
    # What the library does in the background after an answer happens within a moment.
    await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.addaudithook(note)
    asyncio.run(call_all(sys.argv[1:]))
    print("\n".join(sorted(set(ADDRESSES))))  # noqa: T201  the result of this program
