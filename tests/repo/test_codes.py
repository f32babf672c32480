"""Every code that leaves the program is explained."""

from pathlib import Path

from schemas.errors import ErrorCode

PAGE = Path(__file__).resolve().parents[2] / "docs" / "topics.md"


def test_every_code_stands_in_the_documentation() -> None:
    codes = PAGE.read_text(encoding="utf-8").partition("## Codes")[2]
    assert {code for code in ErrorCode if f"`{code.value}`" not in codes} == set()
