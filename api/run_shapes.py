"""What runs look like over HTTP, what asks for them, and which refusals they become. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field, StringConstraints

from api.pages import Pagination
from api.problems import Problem
from api.settings import ApiSettings
from api.shapes import Asked, Shape
from schemas import ids
from schemas.errors import ErrorCode
from schemas.fields import Text
from schemas.lists import Action, RunStatus, StopReason
from schemas.records import Run

_ID: Final = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"
_UUID: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_MOST_ID_CHARS: Final = 200

Message = Annotated[
    Text, StringConstraints(min_length=1), Field(description="What you say.", examples=["How many orders?"])
]
ClientMessageId = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=_MOST_ID_CHARS),
    Field(
        description="Id of the message of your own: sent again, it is the same message and the same run.",
        examples=["m-42"],
    ),
]
OwnSession = Annotated[
    str,
    StringConstraints(pattern=_UUID),
    AfterValidator(str.lower),
    Field(description="Session of yours that goes on; left out, a new one begins.", examples=[_ID]),
]

# The limit is a setting, which the document cannot know: it states the one in force unless set.
WaitSeconds = Annotated[
    float,
    Field(
        ge=0,
        description="How long to wait for the end of the run.",
        json_schema_extra={"maximum": ApiSettings.model_fields["run_wait_limit_s"].default},
    ),
]


class NewRun(Asked):
    """What an agent shall answer."""

    message: Message
    session_id: OwnSession | None = None
    wait_seconds: WaitSeconds | None = None
    client_message_id: ClientMessageId | None = None


class NewMessage(Asked):
    """What is said to a session."""

    message: Message
    client_message_id: ClientMessageId | None = None


class Cancellation(Asked):
    """Why a run shall end."""

    reason: Annotated[Text, StringConstraints(max_length=1_000)] | None = None


class RunUsage(Shape):
    """What a run has used."""

    generations: int
    tool_calls: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_estimate: float | None = Field(description="US dollars; null when no generation has a known price.")


class RunError(Shape):
    """Why a run has no answer, and what to do."""

    code: str = Field(examples=["model_unavailable"])
    detail: str


class RunAnswer(Shape):
    """A run as it stands."""

    run_id: str = Field(examples=[_ID])
    session_id: str = Field(examples=[_ID])
    task_id: str = Field(
        description="Task of the session: its audit trail tells how it went.", examples=[_ID]
    )
    message_id: str | None = Field(description="The message that caused it.", examples=[_ID])
    agent_id: str | None = Field(examples=["assistant"])
    status: RunStatus
    stop_reason: StopReason | None = Field(description="Why it ended; null while it has not.")
    input: str | None = Field(description="The message; null while it is not recorded.")
    output: str | None = Field(description="The answer.", examples=["There are 42."])
    sql_query: str | None = Field(description="SQL that the answer rests on.")
    usage: RunUsage
    error: RunError | None
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None


class RunList(Shape):
    """A page of a session's runs, the newest first."""

    runs: tuple[RunAnswer, ...]
    pagination: Pagination


def run_answer(run: Run) -> RunAnswer:
    """Return a run as it stands."""
    return RunAnswer(
        run_id=run.id,
        session_id=run.session_id,
        task_id=run.task_id,
        message_id=run.message_id,
        agent_id=run.agent_id,
        status=run.status,
        stop_reason=run.stop_reason,
        input=run.input,
        output=run.output,
        sql_query=run.sql_query,
        usage=RunUsage(
            generations=run.generations,
            tool_calls=run.tool_calls,
            prompt_tokens=run.prompt_tokens,
            completion_tokens=run.completion_tokens,
            total_tokens=run.total_tokens,
            cost_estimate=run.cost_estimate,
        ),
        error=_error(run),
        created_at=run.created_at,
        started_at=run.started_at,
        completed_at=run.completed_at,
    )


def run_to_be(run_id: str, session_id: str, *, message_id: str | None, agent_id: str | None) -> RunAnswer:
    """Return a run whose message is kept, and of which nothing else is known yet."""
    return RunAnswer(
        run_id=run_id,
        session_id=session_id,
        task_id=ids.task_id(session_id),
        message_id=message_id,
        agent_id=agent_id,
        status=RunStatus.QUEUED,
        stop_reason=None,
        input=None,
        output=None,
        sql_query=None,
        usage=RunUsage(
            generations=0,
            tool_calls=0,
            prompt_tokens=0,
            completion_tokens=0,
            total_tokens=0,
            cost_estimate=None,
        ),
        error=None,
        created_at=None,
        started_at=None,
        completed_at=None,
    )


def _error(run: Run) -> RunError | None:
    if run.error_code is None:
        return None
    return RunError(code=run.error_code, detail=run.error_message or "see the session's audit trail")


_REFUSED: Final[Mapping[str, HTTPStatus]] = {
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.WRONG_OWNER: HTTPStatus.NOT_FOUND,
    ErrorCode.UNKNOWN_AGENT: HTTPStatus.NOT_FOUND,
    ErrorCode.ERASED: HTTPStatus.NOT_FOUND,
}


def refusal(run: Run, *, running: str | None) -> Problem:
    """Return the problem that a rejected run is; `running` is the run that the session is busy with."""
    code = ErrorCode(run.error_code) if run.error_code in set(ErrorCode) else ErrorCode.UNKNOWN
    if code is ErrorCode.WRONG_OWNER:
        detail = f"there is no session {run.session_id} that you may see; check the id"
        return Problem(HTTPStatus.NOT_FOUND, ErrorCode.NOT_FOUND, detail)
    members: dict[str, Any] = {"run_id": run.id, "session_id": run.session_id}
    if code is ErrorCode.BUSY and running is not None:
        members["running_run_id"] = running
    status = _REFUSED.get(code, HTTPStatus.CONFLICT)
    return Problem(status, code, run.error_message or "the session refused the message", **members)


_ENDS: Final = frozenset(
    {
        Action.RUN_COMPLETED,
        Action.RUN_FAILED,
        Action.RUN_CANCELLED,
        Action.RUN_ROLLED_BACK,
        Action.MESSAGE_REJECTED,
    }
)


def running_run(newest: Iterable[tuple[str, bytes]]) -> str | None:
    """Return the run that a session works on, by kind and data of its feed's entries, the newest first.

    None when none is under way, as far as they tell. One that waits for its turn is not worked on.
    """
    ended: set[str] = set()
    for stage in _stages(newest):
        run_id = stage.get("run_id")
        if run_id is None or run_id in ended:
            continue
        if stage["stage"] in _ENDS:
            ended.add(run_id)
        elif stage["stage"] != Action.RUN_QUEUED:
            return str(run_id)
    return None


def _stages(entries: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, Any]]:
    for kind, data in entries:
        if kind == "stage":
            yield orjson.loads(data)
