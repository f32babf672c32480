"""The application: every route behind the guards, every failure a problem document."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from api.documenting import described
from api.edge import Edge
from api.guards import BodyLimit, Callers, HeaderLimit, SecurityHeaders
from api.methods import allowed
from api.observing import REQUEST_ID, Observed
from api.problems import Problem, problem_of, response
from api.routes import agents, audit, events, health, messages, registry, runs, sessions, usage
from api.streams.direct import Direct
from schemas.errors import ErrorCode, FatalError, MaestroError, TransientError
from telemetry.logs import logger, without_text

ROUTERS: Final[tuple[APIRouter, ...]] = (
    sessions.router,
    messages.router,
    runs.router,
    events.router,
    agents.router,
    audit.router,
    usage.router,
    registry.router,
    health.router,
)
"""Every router of api/routes, in the order of the API document."""

EXPOSED_HEADERS: Final = (REQUEST_ID, "Location", "Maestro-Behind", "Retry-After")
"""What a page in a browser may read of an answer besides its body."""

_PREFLIGHT_KEEP_S: Final = 600
_LONGEST_REASON: Final = 200
_MOST_REASONS: Final = 20

_log = logger(__name__)


class Described(FastAPI):
    """An application whose document says what guards and handlers answer, too."""

    def openapi(self) -> dict[str, Any]:
        """Return the API document."""
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def routed() -> FastAPI:
    """Return the application with all routes, and nothing that they could be served with."""
    app = Described(
        title="Maestro",
        version=version("maestro-streams"),
        description="Runs of LLM agents in sessions; what is accepted ends in one recorded run.",
        docs_url=None,  # the pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for router in ROUTERS:
        app.include_router(router)
    return app


def create_app(edge: Edge) -> FastAPI:
    """Return the application that serves this edge."""
    app = routed()
    app.state.edge = edge
    _add_handlers(app)
    _add_guards(app, edge)
    return app


def _add_guards(app: FastAPI, edge: Edge) -> None:
    # Each stands outside the ones before it.
    settings = edge.settings
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, wait_s=settings.body_wait_s)
    app.add_middleware(Callers, edge=edge)
    app.add_middleware(HeaderLimit, max_bytes=settings.max_header_bytes)
    app.add_middleware(Observed)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "Last-Event-ID",
                "traceparent",
            ],
            expose_headers=list(EXPOSED_HEADERS),
            max_age=_PREFLIGHT_KEEP_S,
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Direct)


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def _(request: Request, problem: Problem) -> Response:
        return response(problem, request.url.path)

    @app.exception_handler(MaestroError)
    async def _(request: Request, error: MaestroError) -> Response:
        problem = problem_of(error)
        if (
            isinstance(error, TransientError | FatalError)
            or problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            _log.warning("request_not_served", code=error.code, exc_info=without_text(error))
        return response(problem, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return response(invalid(error), request.url.path)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        problem = of_framework(error)
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
            problem.headers["Allow"] = allowed(app.routes, request.scope["path"])
        return response(problem, request.url.path)


def invalid(error: RequestValidationError) -> Problem:
    """Return what does not fit, by its place; what was sent is not repeated."""
    reasons = [
        {
            "at": ".".join(map(str, each["loc"]))[:_LONGEST_REASON],
            "reason": str(each["msg"])[:_LONGEST_REASON],
        }
        for each in error.errors()[:_MOST_REASONS]
    ]
    detail = "the request does not fit; `errors` says what to change, /openapi.json what is expected"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.INVALID, detail, errors=reasons)


def of_framework(error: HTTPException) -> Problem:
    """Return the problem of a refusal that the framework makes by itself."""
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            code, detail = (
                ErrorCode.NOT_FOUND,
                "there is nothing at this path; /openapi.json lists what there is",
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            code, detail = (
                ErrorCode.INVALID,
                "this path does not take this method; `Allow` names those it takes",
            )
        case _:
            code, detail = ErrorCode.INVALID, f"the request cannot be read: {error.detail}"
    return Problem(error.status_code, code, detail, headers=error.headers)
