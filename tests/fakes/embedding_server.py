"""A provider of embeddings on loopback: OpenAI's protocol, shorter vectors than ours, down when told."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from llm.hashed import vector_of

DIMENSIONS = 768
REFUSED_WORD = "unspeakable"


@dataclass(slots=True)
class EmbeddingServer:
    """What it answers and what it was asked. `status` other than 200 refuses every call."""

    status: int = 200
    body: str = ""
    """Answered with status 200 instead of vectors, when it is not empty."""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    url: str = ""

    @property
    def texts(self) -> list[str]:
        """All texts that were embedded."""
        return [text for each in self.asked for text in each["input"]]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one call."""
        asked = await request.json()
        if self.status != 200:
            return web.json_response({"error": {"message": "no", "type": "x"}}, status=self.status)
        if any(REFUSED_WORD in text for text in asked["input"]):
            return web.json_response({"error": {"message": "not this", "type": "x"}}, status=400)
        self.asked.append(asked)
        if self.body:
            return web.Response(text=self.body, content_type="application/json")
        vectors = [
            {"object": "embedding", "index": number, "embedding": _folded(text)}
            for number, text in enumerate(asked["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        # Providers may answer in any order: the index says which is which.
        return web.json_response({"object": "list", "model": "m", "data": vectors[::-1], "usage": usage})


def _folded(text: str) -> list[float]:
    vector = vector_of(text)
    return [vector[place] + vector[place + DIMENSIONS] for place in range(DIMENSIONS)]


@asynccontextmanager
async def embedding_server() -> AsyncGenerator[EmbeddingServer]:
    """Serve on loopback until the context closes."""
    state = EmbeddingServer()
    app = web.Application()
    app.router.add_post("/v1/embeddings", state.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    state.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield state
    finally:
        await runner.cleanup()
