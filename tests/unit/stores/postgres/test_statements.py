"""Named statements: found, explained, unique."""

from pathlib import Path

import pytest

import stores.postgres
from stores.postgres.statements import parse, statements

QUERIES = sorted((Path(stores.postgres.__file__).parent / "queries").glob("*.sql"))


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_every_file_holds_statements_with_a_sentence(path: Path) -> None:
    found = statements(path.stem)
    assert len(found) == path.read_text().count("-- name:") > 0


def test_a_statement_without_a_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="lonely has no sentence"):
        parse("-- name: lonely\nselect 1;\n", source="x.sql")


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twin is there twice"):
        parse("-- name: twin\n-- One.\nselect 1;\n-- name: twin\n-- Two.\nselect 2;\n", source="x.sql")
