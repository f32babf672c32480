"""Pages of lists: how many entries a caller may ask for, and what is said beside them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.edge import EdgeIs
from api.parameters import Left, PageNumber
from api.problems import Problem
from api.settings import ApiSettings
from schemas.errors import ErrorCode

_UNPROCESSABLE = 422


class Pagination(BaseModel):
    """Where a page stands among all."""

    model_config = ConfigDict(frozen=True)

    page: int = Field(ge=1, description="Number of this page, from 1.", examples=[1])
    per_page: int = Field(ge=1, description="Most entries of a page.", examples=[20])
    total_items: int = Field(ge=0, description="Entries of all pages.", examples=[41])
    total_pages: int = Field(ge=0, description="Pages there are.", examples=[3])
    has_next: bool = Field(description="Whether a page follows.", examples=[True])
    has_prev: bool = Field(description="Whether this is not the first page.", examples=[False])


@dataclass(frozen=True, slots=True)
class Paging:
    """The page that a caller asks for, within the limits."""

    page: int
    per_page: int

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.page - 1) * self.per_page

    def of(self, total: int) -> Pagination:
        """Return what is said of this page when there are `total` entries in all."""
        pages = -(-total // self.per_page)
        return Pagination(
            page=self.page,
            per_page=self.per_page,
            total_items=total,
            total_pages=pages,
            has_next=self.page < pages,
            has_prev=self.page > 1,
        )


def within(name: str, wanted: int | None, *, usual: int, most: int) -> int:
    """Return how many entries to give: what is wanted, or the usual number.

    Raises:
        Problem: 422, naming the limit, when more than `most` are wanted.

    """
    if wanted is None:
        return usual
    if wanted > most:
        detail = f"{name} may be at most {most}: ask for fewer, and for more pages"
        raise Problem(_UNPROCESSABLE, ErrorCode.INVALID, detail)
    return wanted


def _default_of(name: str) -> int:
    return int(ApiSettings.model_fields[name].default)


# The limits are settings, which the document cannot know: it states those that are in force unless set.
_Sessions = Annotated[int, Field(ge=1, json_schema_extra={"maximum": _default_of("max_sessions_per_page")})]
_Messages = Annotated[int, Field(ge=1, json_schema_extra={"maximum": _default_of("max_messages_per_page")})]
PerPageOfSessions = Annotated[
    _Sessions | Left,
    Query(
        description="Entries of a page: at most MAX_SESSIONS_PER_PAGE, DEFAULT_SESSIONS_PER_PAGE if left out."
    ),
]
PerPageOfMessages = Annotated[
    _Messages | Left,
    Query(
        description="Entries at once: at most MAX_MESSAGES_PER_PAGE, DEFAULT_MESSAGES_PER_PAGE if left out."
    ),
]


async def _paging_of_sessions(
    edge: EdgeIs, page: PageNumber = 1, per_page: PerPageOfSessions = None
) -> Paging:
    limits = edge.settings
    usual, most = limits.default_sessions_per_page, limits.max_sessions_per_page
    return Paging(page, within("per_page", per_page, usual=usual, most=most))


PagingOfSessions = Annotated[Paging, Depends(_paging_of_sessions)]
"""The page of a list of sessions, agents or runs."""
