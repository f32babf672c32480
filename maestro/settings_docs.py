"""Writes `.env.example` and `docs/configuration.md` from the settings models.

Use: `python -m maestro.settings_docs [--check]`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic_settings import BaseSettings

from maestro.settings import default_text, env_name
from maestro.settings_catalogue import CATALOGUE

_ROOT = Path(__file__).resolve().parent.parent


def documents() -> dict[Path, str]:
    """Return the text of every generated file by its path."""
    return {
        _ROOT / ".env.example": "\n".join(_example()) + "\n",
        _ROOT / "docs" / "configuration.md": "\n".join(_reference()) + "\n",
    }


def stale() -> list[str]:
    """Return the names of generated files that differ from what the models say."""
    return [
        str(path.relative_to(_ROOT))
        for path, text in documents().items()
        if not path.is_file() or path.read_text() != text
    ]


def _fields(model: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    for field, info in model.model_fields.items():
        default = default_text(info).replace(str(Path.home()), "~")
        yield env_name(model, field), default, info.description or ""


def _example() -> Iterator[str]:
    yield (
        "# Every setting with its default. Copy to .env and change what you need;"
        " the environment wins over the file."
    )
    for section, model in CATALOGUE.items():
        yield ""
        yield f"# --- {section}"
        for name, default, description in _fields(model):
            yield f"# {description}"
            yield f"# {name}={default}"


def _reference() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield (
        "Settings come from the environment, or from a file `.env` in the current folder;"
        " the environment wins."
    )
    yield (
        "`maestro config` shows the values in force and where they come from."
        " Wrong values and unknown `MAESTRO_*`"
    )
    yield "names are reported all at once, with exit code 2."
    for section, model in CATALOGUE.items():
        yield ""
        yield f"## {section}"
        yield ""
        yield "| name | default | meaning |"
        yield "|---|---|---|"
        for name, default, description in _fields(model):
            yield f"| `{name}` | {f'`{default}`' if default else ''} | {description} |"


def main() -> int:
    """Write the files, or with `--check` say which are out of date and exit 1."""
    if "--check" in sys.argv[1:]:
        old = stale()
        for name in old:
            sys.stderr.write(f"{name} is out of date: run python -m maestro.settings_docs\n")
        return 1 if old else 0
    for path, text in documents().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
