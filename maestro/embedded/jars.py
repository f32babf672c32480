"""Kafka's jars: where they are, whether they are whole, and how to fetch them by checksum."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from maestro.embedded.errors import EmbeddedError
from maestro.embedded.settings import EmbeddedSettings

KAFKA_VERSION = "4.3.1"
STAMP = ".verified"
TRIES = 3
PARALLEL_FETCHES = 6
FETCH_TIMEOUT_S = 60
READ_SIZE = 1 << 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of Kafka's class path: its place in a Maven repository and its SHA-256 in hex."""

    path: str
    sha256: str

    @property
    def filename(self) -> str:
        """Name of the file, without its folder."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def coordinates(self) -> tuple[str, str, str]:
        """Group, artifact and version, as the repository layout spells them."""
        *group, artifact, version, _ = self.path.split("/")
        return ".".join(group), artifact, version


def parse_jars(text: str) -> tuple[Jar, ...]:
    """Read lines of `sha256  path`, as sha256sum writes them."""
    pairs = (line.split() for line in text.splitlines() if line.strip())
    return tuple(Jar(path=path, sha256=digest) for digest, path in pairs)


def wanted_jars() -> tuple[Jar, ...]:
    """Return the jars that this release runs Kafka with."""
    return parse_jars(_manifest())


def jars_dir(settings: EmbeddedSettings) -> Path:
    """Return the folder of the jars: the one set, else the virtual environment's, else the user's cache."""
    if settings.kafka_jars_dir is not None:
        return settings.kafka_jars_dir.expanduser()
    leaf = Path("maestro") / f"kafka-{KAFKA_VERSION}"
    prefix = Path(sys.prefix)
    if sys.prefix != sys.base_prefix and os.access(prefix, os.W_OK):
        return prefix / "share" / leaf
    return Path.home() / ".cache" / leaf


def are_present(folder: Path) -> bool:
    """Tell whether the folder was verified against this release's checksums and is still whole."""
    stamp = folder / STAMP
    if not stamp.is_file() or stamp.read_text() != _stamp():
        return False
    return all((folder / jar.filename).is_file() for jar in wanted_jars())


def ensure_jars(settings: EmbeddedSettings, say: Say) -> Path:
    """Fetch what is missing, check every jar, and return their folder.

    Raises EmbeddedError when a jar cannot be fetched or is not the one expected.
    """
    folder = jars_dir(settings)
    if are_present(folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in wanted_jars() if not _matches(folder / jar.filename, jar)]
    if missing:
        say(f"fetching {len(missing)} jars of Apache Kafka {KAFKA_VERSION} (44 MB in all)")
        _fetch_all(missing, folder, settings.maven_mirror, say)
    (folder / STAMP).write_text(_stamp())
    return folder


def _fetch_all(jars: list[Jar], folder: Path, mirror: str | None, say: Say) -> None:
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch,
        ThreadPoolExecutor(PARALLEL_FETCHES) as pool,
    ):
        running = [pool.submit(_fetch, jar, Path(scratch), folder, mirror) for jar in jars]
        for count, future in enumerate(as_completed(running), start=1):
            future.result()
            if count % 10 == 0 or count == len(jars):
                say(f"{count} of {len(jars)} jars fetched and verified")


def _fetch(jar: Jar, scratch: Path, folder: Path, mirror: str | None) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            fetched = _download(jar, scratch / f"{jar.filename}-{attempt}", mirror)
            break
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
            if attempt == TRIES:
                message = (
                    f"{jar.filename} could not be fetched: {error}. "
                    "Check the network, or set MAESTRO_MAVEN_MIRROR to a Maven repository that is reachable."
                )
                raise EmbeddedError(message) from error
    else:  # the loop always breaks or raises
        raise AssertionError(jar)
    if not _matches(fetched, jar):
        message = f"{jar.filename} is not the file expected (SHA-256 differs); it was not installed."
        raise EmbeddedError(message)
    shutil.move(fetched, folder / jar.filename)


def _download(jar: Jar, cache: Path, mirror: str | None) -> Path:
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415  only in the extra
    except ImportError as error:
        message = "The embedded Kafka needs the extra: pip install 'maestro-streams[embedded]'."
        raise EmbeddedError(message) from error
    repositories = {"mirror": mirror.rstrip("/")} if mirror else None
    context = MavenContext(repo_cache=cache, remote_repos=repositories, timeout=FETCH_TIMEOUT_S)
    group, artifact, version = jar.coordinates
    return context.project(group, artifact).at_version(version).artifact().resolve()


def _matches(path: Path, jar: Jar) -> bool:
    if not path.is_file():
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_SIZE):
            digest.update(chunk)
    return digest.hexdigest() == jar.sha256


def _manifest() -> str:
    return resources.files("maestro.embedded").joinpath("kafka_jars.sha256").read_text()


def _stamp() -> str:
    return hashlib.sha256(_manifest().encode()).hexdigest()
