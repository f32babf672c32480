"""`/registry`: the reading part of Confluent's registry API, over the committed schemas; no token needed.

A Confluent client that is pointed at it reads every topic whose values carry built-in ids. Where
an external registry gives the ids (SCHEMA_REGISTRY_URL), clients ask that one.
"""

from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field

from api.edge import EdgeIs
from api.registry_face import Subjects, Version, is_version, number_of
from api.shapes import Shape
from bus.names import TopicNames
from schemas.committed import read_committed

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_COMMITTED = read_committed()
_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA, _BAD_VERSION = 40401, 40402, 40403, 42202
_MOST_CHARS = 300
_VERSION = "^(latest|-1|[1-9][0-9]{0,8})$"


class RegistryAnswer(JSONResponse):
    """An answer as Confluent's clients expect it."""

    media_type = MEDIA_TYPE


class RegistryError(Shape):
    """Why there is no such thing, in the registry's own words and numbers."""

    error_code: int = Field(examples=[_NO_SUBJECT])
    message: str = Field(examples=["Subject 'nothing-value' not found."])


class SchemaText(Shape):
    """A schema."""

    schema_: str = Field(alias="schema", description="The Avro schema as JSON text.")


class SchemaUse(Shape):
    """Where a schema is used."""

    subject: str = Field(examples=["maestro.runs-value"])
    version: int = Field(examples=[1])


class SubjectVersion(SchemaUse):
    """One version of a subject."""

    id: int = Field(description="Id in the framing of values.", examples=[464795570])
    schema_: str = Field(alias="schema", description="The Avro schema as JSON text.")


_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    HTTPStatus.NOT_FOUND.value: {"model": RegistryError, "description": "There is no such thing."}
}
_BAD: dict[int | str, dict[str, Any]] = {
    HTTPStatus.UNPROCESSABLE_ENTITY.value: {"model": RegistryError, "description": "No version."}
}

router = APIRouter(prefix="/registry", tags=["registry"], default_response_class=RegistryAnswer)

Number = Annotated[str, Path(description="Id of a schema.", max_length=_MOST_CHARS, examples=["464795570"])]
Subject = Annotated[
    str,
    Path(description="`<full topic name>-value`.", max_length=_MOST_CHARS, examples=["maestro.runs-value"]),
]
Wanted = Annotated[
    str,
    Path(
        description="A number from 1, or `latest`.",
        max_length=_MOST_CHARS,
        examples=["latest"],
        # Only said, not checked here: what does not fit is refused in the registry's own words.
        json_schema_extra={"pattern": _VERSION},
    ),
]


@cache
def _subjects(names: TopicNames) -> Subjects:
    return Subjects.of(_COMMITTED, names)


@router.get("/schemas/ids/{number}", response_model=SchemaText, responses=_NOT_FOUND)
async def get_schema(number: Number, edge: EdgeIs) -> RegistryAnswer:
    """Read the schema that an id in the framing of a value stands for."""
    found = _of_id(edge.names, number)
    return RegistryAnswer({"schema": found[0].text}) if found else _no_schema(number)


@router.get("/schemas/ids/{number}/versions", response_model=list[SchemaUse], responses=_NOT_FOUND)
async def get_uses(number: Number, edge: EdgeIs) -> RegistryAnswer:
    """Read which versions of which subjects have an id."""
    found = _of_id(edge.names, number)
    if not found:
        return _no_schema(number)
    return RegistryAnswer([{"subject": each.subject, "version": each.number} for each in found])


@router.get("/subjects", response_model=list[str])
async def list_subjects(edge: EdgeIs) -> RegistryAnswer:
    """List the subjects: one for each topic that carries records."""
    return RegistryAnswer(sorted(_subjects(edge.names).by_subject))


@router.get("/subjects/{subject}/versions", response_model=list[int], responses=_NOT_FOUND)
async def list_versions(subject: Subject, edge: EdgeIs) -> RegistryAnswer:
    """List the numbers of a subject's versions."""
    found = _subjects(edge.names).by_subject.get(subject)
    return _no_subject(subject) if found is None else RegistryAnswer([each.number for each in found])


@router.get(
    "/subjects/{subject}/versions/{version}",
    response_model=SubjectVersion,
    responses=_NOT_FOUND | _BAD,
)
async def get_version(subject: Subject, version: Wanted, edge: EdgeIs) -> RegistryAnswer:
    """Read one version of a subject, or its latest one."""
    subjects = _subjects(edge.names)
    if subject not in subjects.by_subject:
        return _no_subject(subject)
    if not is_version(version):
        detail = f"The specified version '{version}' is not a valid version id: a number from 1, or latest."
        return _error(HTTPStatus.UNPROCESSABLE_ENTITY, _BAD_VERSION, detail)
    found = subjects.version(subject, version)
    if found is None:
        return _error(HTTPStatus.NOT_FOUND, _NO_VERSION, f"Version {version} not found.")
    return RegistryAnswer({"subject": subject, "version": found.number, "id": found.id, "schema": found.text})


def _of_id(names: TopicNames, number: str) -> tuple[Version, ...]:
    return _subjects(names).by_id.get(number_of(number), ())


def _no_schema(number: str) -> RegistryAnswer:
    return _error(HTTPStatus.NOT_FOUND, _NO_SCHEMA, f"Schema {number} not found.")


def _no_subject(subject: str) -> RegistryAnswer:
    return _error(HTTPStatus.NOT_FOUND, _NO_SUBJECT, f"Subject '{subject}' not found.")


def _error(status: HTTPStatus, code: int, message: str) -> RegistryAnswer:
    return RegistryAnswer({"error_code": code, "message": message}, status_code=status)
