"""All settings of all programs: loaded together, all problems at once, and where each value comes from."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from dotenv import dotenv_values
from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from schemas.errors import ErrorCode, FatalError

A = TypeVar("A", bound=BaseSettings)
B = TypeVar("B", bound=BaseSettings)
C = TypeVar("C", bound=BaseSettings)
D = TypeVar("D", bound=BaseSettings)

_PREFIX = "MAESTRO_"
_SECRET_OPTION = re.compile(r"([?&][^=&]*(?:password|secret|token|key)=)[^&#]*", re.IGNORECASE)
"""An option of a URL that holds a secret, for example `?password=…` or `&sslpassword=…`."""


class SettingsError(FatalError):
    """The environment does not make valid settings; `problems` has a sentence for each."""

    code = ErrorCode.MISCONFIGURED

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("settings do not fit:\n" + "\n".join(f"  {problem}" for problem in self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it is in force. `source` is `environment`, `.env`, `dev` or `default`."""

    section: str
    name: str
    value: str
    source: str
    description: str


def read_env_file(path: Path) -> frozenset[str]:
    """Put the values of a `.env` file into the environment, which wins; return the names that it gave."""
    if not path.is_file():
        return frozenset()
    taken: set[str] = set()
    for name, value in dotenv_values(path).items():
        if value is not None and name not in os.environ:
            os.environ[name] = value
            taken.add(name)
    return frozenset(taken)


def env_name(model: type[BaseSettings], field: str) -> str:
    """Return the environment's name of a field."""
    alias = model.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0]).upper()
    if isinstance(alias, str):
        return alias.upper()
    return f"{model.model_config.get('env_prefix', '')}{field}".upper()


@overload
def load(a: type[A], /) -> tuple[A]: ...
@overload
def load(a: type[A], b: type[B], /) -> tuple[A, B]: ...
@overload
def load(a: type[A], b: type[B], c: type[C], /) -> tuple[A, B, C]: ...
@overload
def load(a: type[A], b: type[B], c: type[C], d: type[D], /) -> tuple[A, B, C, D]: ...
@overload
def load(*models: type[BaseSettings]) -> tuple[BaseSettings, ...]: ...
def load(*models: type[BaseSettings]) -> tuple[BaseSettings, ...]:
    """Build settings models from the environment.

    Raises:
        SettingsError: any value does not fit, or a `MAESTRO_*` name exists that nobody knows.

    """
    from maestro.settings_catalogue import CATALOGUE  # noqa: PLC0415  (the catalogue imports every package)

    problems: list[str] = list(_unknown_names(CATALOGUE))
    built: list[BaseSettings] = []
    for model in models:
        try:
            built.append(model())
        except ValidationError as error:
            problems.extend(_sentences(model, error))
    if problems:
        raise SettingsError(problems)
    return tuple(built)


def effective(catalogue: Mapping[str, type[BaseSettings]], sources: Mapping[str, str]) -> Iterator[Setting]:
    """Yield every setting with its value in force, secrets masked.

    `sources` names where variables came from that were put into the environment at the start.

    Raises:
        SettingsError: any value does not fit.

    """
    values = load(*catalogue.values())
    for (section, model), value in zip(catalogue.items(), values, strict=True):
        for field, info in model.model_fields.items():
            name = env_name(model, field)
            yield Setting(
                section=section,
                name=name,
                value=masked(getattr(value, field)),
                source=sources.get(name, "environment" if name in os.environ else "default"),
                description=info.description or "",
            )


def masked(value: Any) -> str:
    """Return `value` as text for people: secrets and passwords inside URLs become `***`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, cast("tuple[object, ...]", value)))
    is_secret = isinstance(value, SecretStr)
    text = value.get_secret_value() if is_secret else str(value)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return "***" if is_secret and text else text
    rest = _SECRET_OPTION.sub(r"\1***", rest)
    credentials, at, host = rest.rpartition("@")
    if at and ":" in credentials:
        rest = f"{credentials.split(':', 1)[0]}:***@{host}"
    return f"{scheme}://{rest}"


def default_text(info: FieldInfo) -> str:
    """Return a field's default as it would be written in a `.env` file; empty when there is none."""
    if info.is_required():
        return ""
    return masked(info.get_default(call_default_factory=True))


def _unknown_names(catalogue: Mapping[str, type[BaseSettings]]) -> Iterator[str]:
    known = {env_name(model, field) for model in catalogue.values() for field in model.model_fields}
    # What all have in common says nothing about likeness.
    short = {name.removeprefix(_PREFIX): name for name in known}
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known:
            near = difflib.get_close_matches(name.removeprefix(_PREFIX), short, n=1)
            hint = f"; did you mean {short[near[0]]}?" if near else "; `maestro config` lists what there is"
            yield f"{name} is not a setting{hint}"


def _sentences(model: type[BaseSettings], error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        if not problem["loc"]:
            # About several settings together: the sentence names them.
            yield problem["msg"]
            continue
        field = str(problem["loc"][0])
        name = env_name(model, field) if field in model.model_fields else field.upper()
        yield f"{name}: {problem['msg']}"
