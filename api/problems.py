"""Problem documents (RFC 9457): what every refusal and failure looks like."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from schemas.errors import ErrorCode, MaestroError, NotFoundError, PoisonError, TransientError

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:maestro:error:"

RETRY_AFTER_S: Final = 2
"""When to come again after a failure that passes by itself."""

_STATUS: Final[Mapping[ErrorCode, HTTPStatus]] = {
    ErrorCode.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.BUSY: HTTPStatus.CONFLICT,
    ErrorCode.ARCHIVED: HTTPStatus.CONFLICT,
    ErrorCode.ERASED: HTTPStatus.NOT_FOUND,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.UNKNOWN_AGENT: HTTPStatus.NOT_FOUND,
    ErrorCode.WRONG_OWNER: HTTPStatus.NOT_FOUND,
    ErrorCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
}

_AS_UNKNOWN: Final = frozenset(
    {ErrorCode.ERASED, ErrorCode.NOT_FOUND, ErrorCode.UNKNOWN_AGENT, ErrorCode.WRONG_OWNER}
)
"""What must not be told from an id that never was."""


class Problem(Exception):  # noqa: N818  the word of the standard
    """A refusal or failure as it goes to the caller. `detail` is a sentence that says what to do."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        """`members` are further fields of the document, made of JSON."""
        super().__init__(detail)
        self.status = int(status)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def document(self, instance: str) -> dict[str, Any]:
        """Return the document; `instance` is the path that was asked for."""
        return {
            "type": f"{TYPE_PREFIX}{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": str(self.code),
            "instance": instance,
            **self.members,
        }


def not_found(what: str, identity: str) -> Problem:
    """Return the answer to an id that is unknown, and to one that is another user's: they are the same."""
    detail = f"there is no {what} {identity} that you may see; check the id"
    return Problem(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, detail)


def unavailable(detail: str, *, retry_after_s: int = RETRY_AFTER_S) -> Problem:
    """Return the answer of a service that is away for now."""
    headers = {"Retry-After": str(retry_after_s)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, detail, headers=headers)


def too_many(detail: str, *, retry_after_s: int) -> Problem:
    """Return the answer to who asks for more than the limits allow."""
    headers = {"Retry-After": str(max(1, retry_after_s))}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, ErrorCode.RATE_LIMITED, detail, headers=headers)


def internal() -> Problem:
    """Return the answer to what should not have happened; it tells nothing about the inside."""
    detail = "something went wrong here; try again, and name the request's id to who runs this if it stays"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, ErrorCode.UNKNOWN, detail)


def problem_of(error: MaestroError) -> Problem:
    """Return what the caller is told of an error of ours; details of the inside stay inside."""
    match error:
        case TransientError():
            return unavailable("a service behind this one does not answer; try again in a moment")
        case PoisonError() | NotFoundError() if error.code in _AS_UNKNOWN:
            detail = "there is nothing of that id that you may see; check the id"
            return Problem(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, detail)
        case PoisonError() | NotFoundError():
            status = _STATUS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY)
            return Problem(status, error.code, error.message)
        case _:
            return internal()


def response(problem: Problem, instance: str) -> Response:
    """Return the problem as an answer to the request for the path `instance`."""
    return Response(
        orjson.dumps(problem.document(instance)),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )
