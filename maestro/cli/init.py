"""`maestro init`: write a folder to begin with."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click

from maestro.cli.output import EXIT_USAGE, fail, lines, note, out

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
FILES: Mapping[str, str] = MappingProxyType(
    {
        "agents.yaml": "agents.yaml",
        "my_tools.py": "my_tools.py",
        "rehearsal/shop.yaml": "rehearsal/shop.yaml",
        ".env": "env.txt",
        "README.md": "README.md",
    }
)
"""What is written, and where it comes from."""


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(*, folder: Path) -> None:
    """Write an agent, tools, a rehearsal script and a README into FOLDER; nothing is overwritten."""
    there = [name for name in FILES if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        message = f"nothing was written; there are already in {folder}:\n{lines(there)}"
        fail(message, code="invalid", exit_code=EXIT_USAGE)
    try:
        for name, source in FILES.items():
            _write(folder / name, (SAMPLE / source).read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{folder} cannot be written: {error}", code="invalid", exit_code=EXIT_USAGE)
    for name in FILES:
        out.print(str(folder / name), markup=False)
    note(f"next: read {folder / 'README.md'}, or run `maestro agents check agents.yaml` in that folder")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Exclusive: what appeared since the look is not overwritten either.
    with path.open("x", encoding="utf-8") as file:
        _ = file.write(text)
