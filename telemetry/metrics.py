"""Every metric, with a sentence. Units are in the names; labels are few and bounded."""

from prometheus_client import Counter, Histogram

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

MESSAGES_PUBLISHED = Counter(
    "maestro_messages_published_total", "Messages that the broker acknowledged.", ["topic"]
)
PUBLISH_FAILURES = Counter(
    "maestro_publish_failures_total",
    "Messages that could not be published, by error code.",
    ["topic", "code"],
)
PUBLISH_SECONDS = Histogram(
    "maestro_publish_seconds",
    "Seconds from publish to the broker's acknowledgement.",
    buckets=SECONDS_BUCKETS,
)
DEAD_LETTERS = Counter("maestro_dead_letters_total", "Messages kept as dead letters.", ["topic", "reason"])
STEP_SECONDS = Histogram(
    "maestro_step_seconds",
    "Seconds that one try of a step took, waits included, by the topic of its message.",
    ["topic"],
    buckets=SECONDS_BUCKETS,
)
STEP_RETRIES = Counter(
    "maestro_step_retries_total",
    "Steps tried again after a transient error, by error code.",
    ["topic", "code"],
)
DECISIONS = Counter("maestro_decisions_total", "Decisions of sessions, by the topic of what came.", ["topic"])
CONTEXT_CONFLICTS = Counter(
    "maestro_context_conflicts_total", "Compare-and-sets of a context that lost: another writer was first."
)
CONTEXT_REBUILDS = Counter(
    "maestro_context_rebuilds_total", "Contexts folded again from the record because Redis did not have them."
)
RECORD_GAPS = Counter(
    "maestro_record_gaps_total",
    "Rebuilds that failed because rows of a session's log are missing in the record. Must stay 0.",
)
GENERATIONS = Counter("maestro_generations_total", "Model calls by outcome.", ["model", "status"])
GENERATION_FAILURES = Counter(
    "maestro_generation_failures_total",
    "Model calls that failed, by error code and what followed: retry, fall_back or give_up.",
    ["model", "code", "step"],
)
GENERATION_TOKENS = Counter("maestro_generation_tokens_total", "Tokens by kind.", ["model", "kind"])
TOOL_CALLS = Counter("maestro_tool_calls_total", "Tool calls by outcome.", ["tool", "outcome"])
STEPS_REPLAYED = Counter(
    "maestro_steps_replayed_total", "Finished steps whose stored result was published again.", ["role"]
)
SINK_ROWS = Counter("maestro_sink_rows_total", "Rows written to the record.", ["sink", "table"])
SINK_BATCH_SECONDS = Histogram(
    "maestro_sink_batch_seconds", "Seconds of one sink transaction.", ["sink"], buckets=SECONDS_BUCKETS
)
