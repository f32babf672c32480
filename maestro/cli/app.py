"""The `maestro` command: a table of commands, each imported only when it is used."""

import logging
from importlib import import_module
from pathlib import Path

import click

from maestro.cli.output import EXIT_USAGE, fail
from maestro.dev.environment import adopt_running
from maestro.settings import SettingsError, read_env_file
from schemas.errors import MaestroError
from telemetry.logs import configure

COMMANDS: dict[str, tuple[str, str]] = {
    "dev": (
        "maestro.cli.dev:dev",
        "Start everything on this machine: Kafka, PostgreSQL, Redis and every role.",
    ),
    "init": ("maestro.cli.init:init", "Write a folder with an agent, tools and a script to begin with."),
    "doctor": ("maestro.cli.doctor:doctor", "Say what is missing and how to mend it."),
    "ask": ("maestro.cli.ask:ask", "Ask one question and print the answer."),
    "chat": ("maestro.cli.chat:chat", "Talk in a session; stages and words as they happen."),
    "send": ("maestro.cli.send:send", "Publish a user message and do not wait."),
    "sessions": ("maestro.cli.listings:sessions", "List sessions, the newest activity first."),
    "session": ("maestro.cli.steer:session", "Configure, archive, unarchive or erase a session."),
    "runs": ("maestro.cli.listings:runs", "List runs: of a session, of a user, in a state."),
    "cancel": ("maestro.cli.steer:cancel", "Cancel a run."),
    "approvals": ("maestro.cli.listings:approvals", "List the tool calls that wait for a person."),
    "approve": ("maestro.cli.steer:approve", "Let a tool call start."),
    "deny": ("maestro.cli.steer:deny", "Do not let a tool call start."),
    "trail": ("maestro.cli.trail:trail", "Show every log entry of a task or session, in order."),
    "replay": ("maestro.cli.replay:replay", "Rebuild a session from its log: look, compare, decide, fork."),
    "cost": ("maestro.cli.trail:cost", "Add up what a session's generations cost."),
    "tool-call": ("maestro.cli.trail:tool_call", "Show a tool call with its result, generation and task."),
    "tail": ("maestro.cli.tail:tail", "Print a topic as JSON lines."),
    "lag": ("maestro.cli.lag:lag", "Say how far each consumer group is behind."),
    "dlq": ("maestro.cli.dlq:dlq", "List dead letters, drive them again, or give them up."),
    "agents": ("maestro.cli.agents:agents", "Publish agents from YAML files."),
    "worker": ("maestro.cli.worker:worker", "Run one worker process of a role."),
    "sink": ("maestro.cli.worker:sink", "Run one sink process."),
    "api": ("maestro.cli.api:api", "Serve applications over HTTP."),
    "token": ("maestro.cli.token:token", "Make a token for the API of the running dev."),
    "topics": ("maestro.cli.admin:topics", "Create missing topics and check all of them."),
    "migrate": ("maestro.cli.admin:migrate", "Bring the database to this version."),
    "config": ("maestro.cli.config:config", "Show every setting, its value and where it comes from."),
}


WITHOUT_RUNNING_DEV = frozenset({"dev", "init", "worker", "sink", "api"})
"""Commands that never take their services from a dev that happens to run on this machine."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="maestro-streams", prog_name="maestro")
@click.pass_context
def cli(context: click.Context) -> None:
    """Run LLM-agent sessions on Kafka. Settings come from the environment; see `maestro config`."""
    sources = dict.fromkeys(read_env_file(Path(".env")), ".env")
    if context.invoked_subcommand not in WITHOUT_RUNNING_DEV:
        sources |= dict.fromkeys(adopt_running(), "dev")
    context.obj = sources
    # For commands that a person waits for; long-running ones configure their own.
    configure("warning")
    # It says each error once a try; what becomes of it is said by the command.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def run() -> None:
    """Run the command line; errors become a sentence on stderr and an exit code."""
    try:
        cli.main(prog_name="maestro", standalone_mode=True)
    except SettingsError as error:
        fail(error.message, code=error.code, exit_code=EXIT_USAGE)
    except MaestroError as error:
        fail(error.message, code=error.code)
