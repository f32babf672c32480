"""A method that a path does not take is answered with those that it takes."""

import httpx
import pytest

from tests.unit.api.edges import app_with, bearer, client_of, settings, token_of

SESSION = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/chat-sessions/", "GET, POST"),
        (f"/chat-sessions/{SESSION}", "DELETE, GET, PUT"),
        (f"/chat-sessions/{SESSION}/messages", "GET, POST"),
        ("/agents/assistant/run", "POST"),
    ],
)
async def test_allow_names_every_method_of_a_path(path: str, methods: str) -> None:
    async with client_of(app_with()) as client:
        answer = await client.patch(path, headers=bearer(token_of(settings())))
    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert answer.headers["allow"] == methods
    assert answer.json()["code"] == "invalid"
