"""`GET /live` and `GET /ready` for load balancers: without a token, and without reasons."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from api.edge import EdgeIs
from telemetry.health import Verdict

router = APIRouter(tags=["health"])


class Standing(BaseModel):
    """Whether all is well."""

    ok: bool


_NO: dict[int | str, dict[str, Any]] = {
    HTTPStatus.SERVICE_UNAVAILABLE.value: {"model": Standing, "description": "Not now."}
}


@router.get("/live", response_model=Standing, responses=_NO)
async def live(edge: EdgeIs) -> JSONResponse:
    """Whether the process makes progress. What is wrong is said on its own health port only."""
    return _answer(edge.health.live())


@router.get("/ready", response_model=Standing, responses=_NO)
async def ready(edge: EdgeIs) -> JSONResponse:
    """Whether the process serves requests now; send it none otherwise."""
    return _answer(edge.health.ready())


def _answer(verdict: Verdict) -> JSONResponse:
    status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"ok": verdict.ok}, status_code=status, headers={"Cache-Control": "no-store"})
