"""`GET /users/me/usage`: what the caller's model calls took, by day and model."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from api.parameters import Left
from api.problems import Problem
from api.reach import ReachIs
from api.step_shapes import Usage, usage_of
from schemas.errors import ErrorCode

router = APIRouter(prefix="/users/me", tags=["usage"])

_UNPROCESSABLE = 422
_USUAL_DAYS = 30
MOST_DAYS = 366
"""Longest stretch of one answer: a year, so that no question reads a user's whole history."""

_FIRST, _LAST = date(1970, 1, 1), date(9999, 12, 30)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_out(value: object) -> object:
    # Numbers would be read as seconds since 1970, which nobody means by a day.
    if isinstance(value, str) and not _DAY.fullmatch(value):
        message = "write the day as YYYY-MM-DD"
        raise ValueError(message)
    return value


Day = Annotated[date, BeforeValidator(_written_out)]
Since = Annotated[
    Day | Left,
    Query(
        description="First day, in UTC; 29 days before the last one when left out.", examples=["2026-11-01"]
    ),
]
Until = Annotated[
    Day | Left, Query(description="Last day, in UTC; today when left out.", examples=["2026-11-30"])
]


@router.get("/usage")
async def get_usage(reach: ReachIs, since: Since = None, until: Until = None) -> Usage:
    """Read what your model calls took, by day and model: tokens, and what the priced ones cost."""
    first, last = stretch(since, until, today=datetime.now(UTC).date())
    _ = await reach.catch_up()
    rows = await reach.edge.web.usage(reach.caller.user_id, since=first, until=last)
    return usage_of(rows, since=first, until=last)


def stretch(since: date | None, until: date | None, *, today: date) -> tuple[date, date]:
    """Return the first and the last day that are asked for. Pure.

    Raises:
        Problem: 422; they are in the wrong order, too far apart, or no days that the record could have.

    """
    last = today if until is None else until
    if since is None:
        since = max(_FIRST, last - timedelta(days=_USUAL_DAYS - 1)) if last >= _FIRST else last
    if not _FIRST <= since <= last <= _LAST:
        detail = f"since ({since}) and until ({last}) must be days after {_FIRST}, in this order"
    elif (last - since).days >= MOST_DAYS:
        detail = f"at most {MOST_DAYS} days in one answer: name a later since or an earlier until"
    else:
        return since, last
    raise Problem(_UNPROCESSABLE, ErrorCode.INVALID, detail)
