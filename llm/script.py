"""The language of rehearsal scripts: which rule answers, and with what. Pure."""

import re
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from schemas.errors import ErrorCode, FatalError
from schemas.lists import Purpose


class Stage(StrEnum):
    """How far the run is: no tool was called yet, the last results are good, or one of them is not."""

    START = "start"
    RESULTS = "results"
    TROUBLE = "trouble"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Part):
    """The conditions of a rule; those left out hold always."""

    user: str | None = None
    """Regular expression searched in the last user message, ignoring case; its named groups become fields."""
    stage: Stage | None = None
    round: Annotated[int, Field(ge=0)] | None = None
    """Number of model answers since the last user message."""
    purpose: Purpose | None = None
    """What the generation must be for. Rules without it are for `act`, and for plans made with it."""
    offers: str | None = None
    """Name of a tool that the request must offer."""

    @field_validator("user")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                message = f"is not a regular expression: {error}"
                raise ValueError(message) from error
        return value

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled condition on the user's text."""
        return re.compile(self.user or "", re.IGNORECASE)


class Call(_Part):
    """A tool call to ask for. `raw` replaces the arguments by text that need not be JSON."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    raw: str | None = None


class Fail(_Part):
    """The call fails as a real provider's might."""

    code: ErrorCode = ErrorCode.MODEL_ERROR
    message: str = "the rehearsal script says that this call fails"
    retry: bool = False
    """Whether the trouble may pass: then the call is made again."""
    retry_after_s: Annotated[float, Field(ge=0)] | None = None


class Tokens(_Part):
    """Token counts to report instead of the simulated ones."""

    prompt: Annotated[int, Field(ge=0)] | None = None
    completion: Annotated[int, Field(ge=0)] | None = None
    cached: Annotated[int, Field(ge=0)] = 0
    reasoning: Annotated[int, Field(ge=0)] = 0


class Rule(_Part):
    """One answer. `say` may hold fields in double braces, filled from the prompt and the tool results."""

    when: When = When()
    say: str = ""
    call: tuple[Call, ...] = ()
    fail: Fail | None = None
    tokens: Tokens = Tokens()
    delay_s: Annotated[float, Field(ge=0)] = 0
    """Seconds before the first word."""
    pace_s: Annotated[float, Field(ge=0)] = 0
    """Seconds between two pieces of text."""


class Script(_Part):
    """Rules in order: the first whose conditions hold answers."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


def parse_script(text: str, *, source: str) -> Script:
    """Return the script of a YAML text.

    Raises:
        FatalError: it does not fit; the message names `source` and each field.

    """
    try:
        return Script.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        message = f"{source} is not YAML: {error}"
        raise FatalError(message) from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the document'}: {problem['msg']}"
            for problem in error.errors()
        )
        message = f"{source}: {problems}"
        raise FatalError(message) from error


def load_scripts(*folders: Path) -> dict[str, Script]:
    """Return the scripts of the folders by file name without `.yaml`; a later folder wins.

    Raises:
        FatalError: a folder is missing or a script does not fit.

    """
    scripts: dict[str, Script] = {}
    for folder in folders:
        if not folder.is_dir():
            message = (
                f"{folder} is not a folder of rehearsal scripts; set MAESTRO_MODEL_REHEARSAL_SCRIPTS to one"
            )
            raise FatalError(message)
        for path in sorted(folder.glob("*.yaml")):
            scripts[path.stem] = parse_script(path.read_text(encoding="utf-8"), source=str(path))
    return scripts
