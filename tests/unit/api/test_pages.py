"""Pages say where they stand, and limits are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages import Paging, within
from api.problems import Problem


@pytest.mark.parametrize(
    ("page", "total", "pages", "has_next", "has_prev"),
    [
        (1, 0, 0, False, False),
        (1, 20, 1, False, False),
        (1, 21, 2, True, False),
        (2, 21, 2, False, True),
        (3, 21, 2, False, True),
    ],
)
def test_a_page_says_where_it_stands(
    page: int, total: int, pages: int, has_next: bool, has_prev: bool
) -> None:
    said = Paging(page, 20).of(total)
    assert said.model_dump() == {
        "page": page,
        "per_page": 20,
        "total_items": total,
        "total_pages": pages,
        "has_next": has_next,
        "has_prev": has_prev,
    }


@given(total=st.integers(0, 500), per_page=st.integers(1, 50))
def test_going_on_while_there_is_a_next_page_gives_each_entry_once(total: int, per_page: int) -> None:
    entries, seen = list(range(total)), list[int]()
    paging = Paging(1, per_page)
    while True:
        seen += entries[paging.offset : paging.offset + per_page]
        if not paging.of(total).has_next:
            break
        paging = Paging(paging.page + 1, per_page)
    assert seen == entries


def test_more_than_the_limit_is_refused_by_its_number() -> None:
    assert within("per_page", None, usual=20, most=50) == 20
    assert within("per_page", 50, usual=20, most=50) == 50
    with pytest.raises(Problem) as refused:
        _ = within("per_page", 51, usual=20, most=50)
    assert refused.value.status == 422
    assert "per_page may be at most 50" in refused.value.detail
