"""What the API document says beyond the routes: tokens, refusals, headers and examples. Pure.

FastAPI derives parameters, bodies and answers from the routes. What guards and error handlers answer is the
same for every route, so it is said once here and not beside each of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from api.examples import EXAMPLES, INSTANCE
from api.guards import is_public
from api.problems import MEDIA_TYPE, Problem
from api.refusals import REFUSALS, Refusal

Json = dict[str, Any]

_BEARER: Final = "bearer"
_REGISTRY: Final = "registry"
_HEALTH: Final = "health"
_JSON: Final = "application/json"
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}

_ALWAYS: Final = (408, 413, 431, 500)
"""What may become of any request: its body is late or large, its headers are, or the edge has a fault."""
_WITH_TOKEN: Final = (401, 429, 503)
_WITH_INPUT: Final = (422,)
_WITH_BODY: Final = (400,)
_MORE: Final[Mapping[str, tuple[int, ...]]] = {
    "create_session": (404, 409),
    "run_agent": (409,),
    "change_agent": (403,),
    "retire_agent": (403,),
}
"""What single operations refuse besides."""

_WAITING: Final = frozenset({"sessions", "messages", "audit", "usage"})
_ALSO_WAITING: Final = frozenset({"get_run", "list_runs", "cancel_run"})
"""Operations, by tag or by id, that wait until they contain the caller's own writes."""

_DONE: Final[Mapping[str, str]] = {"200": "The answer.", "201": "It is made.", "204": "It is done."}

_HEADERS: Final[Mapping[str, Json]] = {
    "Location": {"description": "Path of what was made or accepted.", "schema": {"type": "string"}},
    "Maestro-Behind": {
        "description": "`true` when the answer may lack what you wrote just before; ask again in a moment.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "Seconds until it is worth to try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
}


def described(raw: Mapping[str, Any]) -> Json:
    """Return the whole API document for the one that FastAPI derives from the routes."""
    document: Json = deepcopy(dict(raw))
    for path, method, operation in _operations(document):
        del method
        _summarize(operation)
        _refuse(path, operation)
        _say_headers(operation)
        _show(operation)
        if not is_public(path):
            operation["security"] = [{_BEARER: []}]
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["schemas"]["Problem"] = _problem_schema()
    components["responses"] = {refusal.name: _answer(refusal) for refusal in REFUSALS.values()}
    components["headers"] = dict(_HEADERS)
    components["securitySchemes"] = {
        _BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the issuer that this edge trusts; its subject is the user.",
        }
    }
    return document


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _summarize(operation: Json) -> None:
    text: str = operation["description"]
    operation["summary"] = text.partition(". ")[0].partition(": ")[0].rstrip(".")


def _refuse(path: str, operation: Json) -> None:
    answers: Json = operation["responses"]
    for status in _refusals(path, operation):
        key = str(status)
        problem = {MEDIA_TYPE: {"schema": _PROBLEM, "example": _example(REFUSALS[status])}}
        if key in answers and operation["tags"] == [_REGISTRY] and not _is_of_fastapi(answers[key]):
            answers[key]["content"] |= problem
        elif key not in answers or _is_of_fastapi(answers[key]):
            answers[key] = {"$ref": f"#/components/responses/{REFUSALS[status].name}"}
    for key, description in _DONE.items():
        if answers.get(key, {}).get("description") == "Successful Response":
            answers[key]["description"] = description
    operation["responses"] = dict(sorted(answers.items()))


def _refusals(path: str, operation: Json) -> Iterable[int]:
    parameters = operation.get("parameters", ())
    found = {*_ALWAYS, *_MORE.get(operation["operationId"], ())}
    if not is_public(path):
        found.update(_WITH_TOKEN)
    if parameters or "requestBody" in operation:
        found.update(_WITH_INPUT)
    if "requestBody" in operation:
        found.update(_WITH_BODY)
    if any(parameter["in"] == "path" for parameter in parameters):
        found.add(404)
    return sorted(found)


def _is_of_fastapi(answer: Json) -> bool:
    schema = answer.get("content", {}).get(_JSON, {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith("/HTTPValidationError")


def _say_headers(operation: Json) -> None:
    waits = operation["operationId"] in _ALSO_WAITING or not _WAITING.isdisjoint(operation["tags"])
    for status, answer in operation["responses"].items():
        names = [
            *(["Location"] if status in {"201", "202"} else []),
            *(["Maestro-Behind"] if waits and status == "200" else []),
        ]
        if names:
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _show(operation: Json) -> None:
    """Put the examples of an operation beside the schemas of its body and its answers."""
    example = EXAMPLES.get(operation["operationId"])
    if example is None:
        return
    if example.request is not None:
        for content in operation["requestBody"]["content"].values():
            content["example"] = example.request
    for status, value in example.answers.items():
        answer = operation["responses"][str(status)]
        own = next(content for kind, content in answer["content"].items() if kind != MEDIA_TYPE)
        own["example"] = value


def _answer(refusal: Refusal) -> Json:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in refusal.headers}
    return {
        "description": refusal.meaning,
        **({"headers": headers} if headers else {}),
        "content": {MEDIA_TYPE: {"schema": _PROBLEM, "example": _example(refusal)}},
    }


def _example(refusal: Refusal) -> Json:
    return Problem(refusal.status, refusal.code, refusal.detail, **refusal.members).document(INSTANCE)


def _problem_schema() -> Json:
    text: Json = {"type": "string"}
    reason = {
        "type": "object",
        "required": ["at", "reason"],
        "properties": {"at": text, "reason": text},
    }
    return {
        "title": "Problem",
        "type": "object",
        "description": "A refusal or failure (RFC 9457). Codes are stable; `detail` says what to do.",
        "required": ["type", "title", "status", "detail", "code", "instance"],
        "properties": {
            "type": {"type": "string", "pattern": "^urn:maestro:error:", "description": "The code as a URN."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "A sentence that says what to do."},
            "code": {"type": "string", "description": "What happened, for programs."},
            "instance": {"type": "string", "description": "The path that was asked for."},
            "errors": {"type": "array", "items": reason, "description": "What does not fit, by its place."},
            "run_id": {"type": "string", "description": "The run that was refused."},
            "session_id": {"type": "string", "description": "Its session."},
            "running_run_id": {"type": "string", "description": "The run that the session is busy with."},
        },
    }
