"""The limits that decisions obey.

They are settings: the fold never reads them, what they caused is in the logs.
"""

from dataclasses import dataclass

from schemas.agent_file import MAX_CONFIGURATION_BYTES

_FIXED_BYTES = 131_072
"""The session's own values, its task's prompt, notes of a run, known and waiting runs and steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Limits of one deployment. Sizes are bytes of the text as it is written in JSON, escapes included.

    The defaults add up so that a prompt, a decision's logs and every other record fit a Kafka message.
    """

    default_agent_id: str = "assistant"
    """Agent of a session whose messages name none."""
    ttl_s: int = 86_400
    """Seconds without activity until a context expires, where the agent says nothing else."""
    max_ttl_s: int = 2_592_000
    """Longest time to live, whoever asks for more."""
    idle_s: int = 900
    """Seconds without activity until a session is idle; 0: never."""
    max_content_bytes: int = 262_144
    """Largest user message; a larger one is rejected as too_large."""
    max_configuration_bytes: int = MAX_CONFIGURATION_BYTES
    """Largest agent configuration that a run can carry."""
    max_answer_bytes: int = 131_072
    """Largest model answer, its text and tool arguments together."""
    max_note_bytes: int = 8_192
    """Largest plan or reflection that a run keeps; a longer one is cut with a note."""
    max_tool_calls: int = 64
    """Most tool calls of one generation; a model that asks for more has failed."""
    max_result_bytes: int = 32_768
    """Largest tool result in a prompt; a longer one is cut with a note."""
    max_batch_bytes: int = 98_304
    """All tool results of one generation together."""
    max_run_bytes: int = 98_304
    """Messages of the running run before its newest generation; above it their contents are shortened."""
    max_history_bytes: int = 65_536
    """Messages of earlier runs; above it the oldest whole exchanges move into the summary."""
    max_summary_bytes: int = 8_192
    """The summary of older exchanges; its oldest lines go first."""
    max_queued_runs: int = 32
    """Runs that may wait for their turn; a message beyond them is rejected as busy."""
    max_queued_bytes: int = 524_288
    """Contents and configurations of all waiting runs together."""

    @property
    def max_context_bytes(self) -> int:
        """What a context takes at most, whatever happens in its session: the sum of what it may hold.

        Messages count twice because names and ids around short ones take as much as their texts; a text
        stands in the message and in the run that it begins, a configuration is JSON within JSON.
        """
        conversation = (
            self.max_history_bytes
            + self.max_content_bytes
            + self.max_run_bytes
            + 2 * self.max_answer_bytes
            + self.max_batch_bytes
        )
        runs = 2 * self.max_content_bytes + self.max_answer_bytes + 2 * self.max_configuration_bytes
        return 2 * conversation + runs + self.max_queued_bytes + self.max_summary_bytes + _FIXED_BYTES

    def allowed_ttl_s(self, wished_s: int | None) -> int:
        """Return the time to live that a session gets which wishes for `wished_s` (None: says nothing)."""
        return min(self.ttl_s if wished_s is None else wished_s, self.max_ttl_s)
