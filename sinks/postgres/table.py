"""A table as a sink sees it: columns, which row of a key wins, and how any number of rows get into it."""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from hashlib import sha256

from sinks.batch import Rule


class Kind(Enum):
    """How values travel: their type, and the expression that makes the column of `x`."""

    UUID = ("uuid", "{x}")
    TEXT = ("text", "{x}")
    INTEGER = ("integer", "{x}")
    BIGINT = ("bigint", "{x}")
    BOOLEAN = ("boolean", "{x}")
    DOUBLE = ("double precision", "{x}")
    INSTANT = ("bigint", "timestamptz 'epoch' + {x} * interval '1 microsecond'")
    JSON = ("text", "{x}::json")
    """Kept to the byte."""
    JSONB = ("text", "{x}::jsonb")
    """Kept by meaning, for queries."""


def columns(text: str) -> dict[str, Kind]:
    """Return the columns that `name:kind name:kind …` says, in order."""
    pairs = (pair.split(":") for pair in text.split())
    return {name: Kind[kind.upper()] for name, kind in pairs}


@dataclass(frozen=True)
class Table:
    """One table that takes the records of one topic, column by column."""

    name: str
    columns: dict[str, Kind]
    rule: Rule
    version: tuple[str, str] | None = None
    """The two columns that order the rows of a key, for the rule GREATEST."""
    session: str | None = "session_id"
    """The column that names the session, so that rows of erased ones are left out."""
    key: str = "id"

    @cached_property
    def row_type(self) -> str:
        """Name of the type of rows as they travel, by its columns: each version of Maestro has its own."""
        return f"incoming_{self.name}_{sha256(self._travelling.encode()).hexdigest()[:8]}"

    @cached_property
    def make_row_type(self) -> str:
        """The statement that makes this type where it is missing. Another process may be about to as well."""
        return f"""
            do $$ begin
                if to_regtype('{self.row_type}') is null then
                    create type {self.row_type} as ({self._travelling});
                end if;
            exception when duplicate_object or unique_violation then
                null;
            end $$
            """

    @cached_property
    def insert(self) -> str:
        """The statement; its argument is an array of rows, each with its values in the order of the columns.

        An array per column costs the client nearly twice as much: it looks for an array in each element.
        """
        return self._insert_from(f"unnest($1::{self.row_type}[]) as n")

    @cached_property
    def staging(self) -> str:
        """Name of the temporary table that takes many rows by COPY, as they travel."""
        return f"incoming_{self.name}"

    @cached_property
    def stage(self) -> str:
        """The statement that makes the temporary table, once per connection."""
        return (
            f"create temporary table if not exists {self.staging} ({self._travelling}) on commit delete rows"
        )

    @cached_property
    def insert_staged(self) -> str:
        """The statement that takes over what was copied."""
        return self._insert_from(f"{self.staging} as n")

    @cached_property
    def empty_stage(self) -> str:
        """The statement that forgets what was copied, for a second copy in one transaction."""
        return f"delete from {self.staging}"  # noqa: S608  a name of ours

    @property
    def _travelling(self) -> str:
        return ", ".join(f'"{name}" {kind.value[0]}' for name, kind in self.columns.items())

    @property
    def _names(self) -> str:
        return ", ".join(f'"{name}"' for name in self.columns)

    def _insert_from(self, source: str) -> str:
        made = ",\n    ".join(kind.value[1].format(x=f'n."{name}"') for name, kind in self.columns.items())
        parts = [
            f"insert into {self.name} as t ({self._names})",
            f"select\n    {made}",
            f"from {source}",
        ]
        if self.session is not None:
            erased = f'select from erased_sessions as e where e.session_id = n."{self.session}"'
            parts.append(f"where not exists ({erased})")
        return "\n".join([*parts, self._conflict()])

    def _conflict(self) -> str:
        if self.rule is Rule.ONCE:
            return ""
        if self.rule is Rule.FIRST:
            return "on conflict do nothing"
        others = (name for name in self.columns if name != self.key)
        changes = ",\n    ".join(f'"{name}" = excluded."{name}"' for name in others)
        update = f"on conflict ({self.key}) do update set\n    {changes}"
        if self.version is None:
            return update
        first, second = self.version
        return f"{update}\nwhere (t.{first}, t.{second}) < (excluded.{first}, excluded.{second})"
