"""A small schema registry in memory, over real HTTP: as much of Confluent's interface as we use."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class RegistryServer:
    """Its state, which tests may look at and change. `refused` subjects answer 409 to new versions."""

    url: str = ""
    ids: dict[str, int] = field(default_factory=dict[str, int])
    """Schema text → id."""
    subjects: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    levels: dict[str, str] = field(default_factory=dict[str, str])
    refused: set[str] = field(default_factory=set[str])
    authorization: str | None = None
    failures: list[int] = field(default_factory=list[int])
    """Status codes that the next requests are answered with."""
    requests: list[str] = field(default_factory=list[str])

    def add(self, subject: str, schema: object) -> int:
        """Register a version without asking anybody."""
        text = json.dumps(schema)
        number = self.ids.setdefault(text, 100 + len(self.ids))
        versions = self.subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    @web.middleware
    async def watched(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note the request; fail it, or refuse it, when the test wants so."""
        self.requests.append(f"{request.method} {request.path}")
        if self.failures:
            return web.json_response({"message": "trouble"}, status=self.failures.pop(0))
        if self.authorization not in {None, request.headers.get("Authorization")}:
            return web.json_response({"error_code": 401, "message": "no"}, status=401)
        return await handler(request)

    async def post_version(self, request: web.Request) -> web.Response:
        """Register a version, unless the subject refuses."""
        subject = request.match_info["subject"]
        if subject in self.refused:
            return web.json_response({"error_code": 409, "message": "field mood has no default"}, status=409)
        return web.json_response({"id": self.add(subject, json.loads((await request.json())["schema"]))})

    async def get_versions(self, request: web.Request) -> web.Response:
        """Return the numbers of a subject's versions."""
        return _known(list(range(1, 1 + len(self.subjects.get(request.match_info["subject"], ())))) or None)

    async def get_version(self, request: web.Request) -> web.Response:
        """Return one version of a subject."""
        subject = request.match_info["subject"]
        identity = self.subjects[subject][int(request.match_info["number"]) - 1]
        return web.json_response({"subject": subject, "id": identity, "schema": self._text(identity)})

    async def get_schema(self, request: web.Request) -> web.Response:
        """Return the schema of an id."""
        text = self._text(int(request.match_info["number"]))
        return _known(None if text is None else {"schema": text})

    async def get_users(self, request: web.Request) -> web.Response:
        """Return the subjects that have a schema."""
        number = int(request.match_info["number"])
        users = [name for name, versions in self.subjects.items() if number in versions]
        return _known([{"subject": name, "version": 1} for name in users] or None)

    async def put_level(self, request: web.Request) -> web.Response:
        """Set a subject's compatibility."""
        level = self.levels[request.match_info["subject"]] = (await request.json())["compatibility"]
        return web.json_response({"compatibility": level})

    async def get_level(self, request: web.Request) -> web.Response:
        """Return a subject's compatibility."""
        level = self.levels.get(request.match_info["subject"])
        return _known(None if level is None else {"compatibilityLevel": level})

    def _text(self, number: int) -> str | None:
        return next((text for text, each in self.ids.items() if each == number), None)


def _known(answer: object) -> web.Response:
    if answer is None:
        return web.json_response({"error_code": 40401, "message": "not found"}, status=404)
    return web.json_response(answer)


@asynccontextmanager
async def serving_registry() -> AsyncGenerator[RegistryServer]:
    """Serve an empty registry until the context closes."""
    state = RegistryServer()
    app = web.Application(middlewares=[state.watched])
    app.add_routes(
        [
            web.post("/subjects/{subject}/versions", state.post_version),
            web.get("/subjects/{subject}/versions", state.get_versions),
            web.get("/subjects/{subject}/versions/{number}", state.get_version),
            web.get("/schemas/ids/{number}", state.get_schema),
            web.get("/schemas/ids/{number}/versions", state.get_users),
            web.put("/config/{subject}", state.put_level),
            web.get("/config/{subject}", state.get_level),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        state.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield state
    finally:
        await runner.cleanup()
