"""The API document: committed as it is served, whole, and with examples that are what it describes."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from api.documenting import described
from api.examples import EXAMPLES
from api.guards import is_public
from api.openapi import document, is_stale
from api.refusals import REFUSALS
from tests.unit.api.edges import app_with, client_of

DOCUMENT = document()
WITHOUT_EXAMPLES = {"erase_session", "retire_agent", "stream_events"}
"""Two answer without a body; the third shows its example beside its route."""


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            yield path, operation


OPERATIONS = {operation["operationId"]: (path, operation) for path, operation in operations()}


def test_the_committed_document_is_what_the_routes_say() -> None:
    assert not is_stale(), "run: python -m api.openapi"


async def test_an_edge_serves_it_without_a_token() -> None:
    async with client_of(app_with()) as client:
        answer = await client.get("/openapi.json")
    assert answer.status_code == httpx.codes.OK
    assert answer.json() == DOCUMENT


def test_operations_have_names_of_their_own() -> None:
    assert len(OPERATIONS) == sum(1 for _ in operations())
    assert {name for name in OPERATIONS if not name.isidentifier()} == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_does_and_how_it_refuses(name: str) -> None:
    path, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert ("security" in operation) is not is_public(path)
    assert ("401" in operation["responses"]) is not is_public(path)
    taken = operation.get("parameters") or operation.get("requestBody")
    assert ("422" in operation["responses"]) is bool(taken)
    assert all(answer.get("description") or answer.get("$ref") for answer in operation["responses"].values())


def test_every_operation_has_examples_and_no_example_lacks_its_operation() -> None:
    assert set(OPERATIONS) - WITHOUT_EXAMPLES == set(EXAMPLES)
    bodies = {name for name, (_, operation) in OPERATIONS.items() if "requestBody" in operation}
    assert bodies == {name for name, example in EXAMPLES.items() if example.request is not None}


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, (_, operation) in OPERATIONS.items():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} request {kind}", content
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                yield f"{name} {status} {kind}", content
    for name, answer in DOCUMENT["components"]["responses"].items():
        for kind, content in answer["content"].items():
            yield f"{name} {kind}", content


CONTENTS = dict(contents())


@pytest.mark.parametrize("name", CONTENTS)
def test_an_example_is_what_its_schema_describes(name: str) -> None:
    content = CONTENTS[name]
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(content["example"])


def test_every_refusal_that_is_documented_has_an_example_of_its_own_status() -> None:
    for refusal in REFUSALS.values():
        answer = DOCUMENT["components"]["responses"][refusal.name]
        shown = answer["content"]["application/problem+json"]["example"]
        assert shown["status"] == refusal.status
        assert shown["code"] == refusal.code


def test_what_is_described_leaves_the_routes_own_document_alone() -> None:
    raw: dict[str, Any] = {"paths": {}, "components": {"schemas": {"HTTPValidationError": {}}}}
    assert "HTTPValidationError" not in described(raw)["components"]["schemas"]
    assert raw == {"paths": {}, "components": {"schemas": {"HTTPValidationError": {}}}}
