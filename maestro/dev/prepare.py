"""Starts the services and fills them (migrations, topics, demo shop, agents), at once where that can be."""

import asyncio
from collections.abc import Mapping
from typing import Final

from maestro.dev.environment import SERVICE_URLS, SQL_URL, publish, value_of
from maestro.dev.progress import Progress
from maestro.embedded.part import PartName
from maestro.embedded.ports import LOOPBACK
from maestro.embedded.stack import EmbeddedStack

SQL_SECRET: Final = "maestro_sql"  # noqa: S105  the name of the secret, not the secret


class Preparation:
    """One start of the services and of what lies in them."""

    def __init__(self, stack: EmbeddedStack, external: Mapping[PartName, str], show: Progress) -> None:
        self._stack = stack
        self._external = external
        self._show = show
        self._up = {part: asyncio.Event() for part in PartName}
        for part in external:
            self._up[part].set()
        self._addressed = asyncio.Event()
        self._sql_url = value_of(SQL_URL)

    async def run(self) -> dict[str, str]:
        """Do all of it; return the variables that clients need, with their values.

        Raises an exception group of EmbeddedError and MaestroError.
        """
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(self._services())
            _ = group.create_task(self._record())
            _ = group.create_task(self._demo())
            _ = group.create_task(self._topics())
        return self._urls()

    async def _services(self) -> None:
        for part in PartName:
            if part in self._external:
                self._show.done(part, "external")
            else:
                self._show.begin(part)
        _ = await self._stack.start(self._heard)
        self._publish()

    def _heard(self, part: PartName, line: str) -> None:
        """Take the stack's progress. Its addresses are known before the first service starts."""
        if line == "starting":
            self._publish()
        elif line != "ready":
            self._show.tell(part, line)
        if line != "ready":
            return
        port = self._stack.folder.state.ports[part]
        self._show.done(part, f"{LOOPBACK}:{port}")
        self._up[part].set()

    def _publish(self) -> None:
        if not self._addressed.is_set():
            publish(self._urls())
            self._addressed.set()

    def _urls(self) -> dict[str, str]:
        urls = self._stack.urls
        values = {
            SERVICE_URLS[PartName.KAFKA]: urls.kafka_bootstrap,
            SERVICE_URLS[PartName.POSTGRES]: urls.database_url,
            SERVICE_URLS[PartName.REDIS]: urls.redis_url,
        }
        if self._sql_url is not None:
            values[SQL_URL] = self._sql_url
        elif PartName.POSTGRES not in self._external:
            values[SQL_URL] = self._shop_url()
        return values

    def _shop_url(self) -> str:
        from maestro.embedded.demo.load import reader_url  # noqa: PLC0415  used only where it is embedded

        folder = self._stack.folder
        return reader_url(
            host=LOOPBACK, port=folder.state.ports["postgres"], password=folder.secret(SQL_SECRET)
        )

    async def _wait_for(self, part: PartName) -> None:
        """Wait until a service is up. The starts of services have deadlines, and end this wait by failing."""
        _ = await self._up[part].wait()
        _ = await self._addressed.wait()

    async def _record(self) -> None:
        await self._wait_for(PartName.POSTGRES)
        self._show.begin("migrations")
        # Imports of clients take a while: done here, while Kafka starts.
        from maestro.settings import load  # noqa: PLC0415
        from stores.postgres.migrate import migrate  # noqa: PLC0415
        from stores.postgres.settings import PostgresSettings  # noqa: PLC0415

        (settings,) = load(PostgresSettings)
        applied = await migrate(
            settings.database_url.get_secret_value(), connect_timeout_s=settings.connect_timeout_s
        )
        self._show.done("migrations", f"{len(applied)} applied" if applied else "up to date")

    async def _demo(self) -> None:
        if PartName.POSTGRES in self._external:
            return
        await self._wait_for(PartName.POSTGRES)
        self._show.begin("demo shop")
        from maestro.embedded.demo.load import load_demo  # noqa: PLC0415

        await load_demo(self._stack.run_sql, reader_password=self._stack.folder.secret(SQL_SECRET))
        self._show.done("demo shop", "sql_query reads it")

    async def _topics(self) -> None:
        await self._wait_for(PartName.KAFKA)
        self._show.begin("topics")
        from maestro.agents.publish import built_in_now, publish_agents  # noqa: PLC0415
        from maestro.clients import KafkaAccess  # noqa: PLC0415

        access = await KafkaAccess.from_environment()
        async with access.admin() as admin:
            created = await admin.create_topics()
        self._show.done("topics", f"{len(created)} created" if created else "all there")
        self._show.begin("agents")
        count = len(await publish_agents(access, built_in_now()))
        self._show.done("agents", f"{count} published" if count else "unchanged")
